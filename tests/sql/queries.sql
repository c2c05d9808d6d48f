SELECT * FROM (SELECT avg(x) FROM t) q
SELECT * FROM (SELECT g, avg(x) FROM t GROUP BY g) q
WITH q AS (SELECT g, avg(x) FROM t GROUP BY g) SELECT * FROM q
WITH q AS (SELECT g, avg(x) FROM t GROUP BY g) SELECT "avg(x)" FROM q
SELECT * FROM t, (SELECT x + 10 FROM u) q
SELECT q.* FROM (SELECT x + 10, y * 2 FROM t) q
SELECT "(x + 10)" FROM (SELECT x + 10 FROM t) q
SELECT * FROM (SELECT x + 10, count(*) OVER () FROM t) q
SELECT * FROM (SELECT CASE WHEN x > 10 THEN 1 END FROM t) q
SELECT * FROM (SELECT x::VARCHAR, CAST(y AS INTEGER) FROM t)
SELECT * FROM (SELECT x IS NULL, x > 5, NOT b, -x FROM t)
SELECT * FROM (SELECT 1, 'a', NULL, 2.5 FROM t)
SELECT * FROM (SELECT upper(g), lower(g) || 'x' FROM t)
SELECT * FROM (SELECT count(DISTINCT x), count(*), sum(x) FILTER (WHERE x > 10) FROM t)
SELECT * FROM (SELECT x BETWEEN 1 AND 20, x IN (10, 20), g LIKE 'a%' FROM t)
SELECT * FROM (SELECT (SELECT max(z) FROM u), x FROM t)
SELECT * FROM (SELECT (SELECT max(z) FROM u WHERE u.id = t.id), x FROM t)
SELECT * FROM (SELECT EXISTS (SELECT 1 FROM u WHERE u.id = t.id), x FROM t)
SELECT * FROM (SELECT x IN (SELECT x FROM u) FROM t)
SELECT * FROM (SELECT row_number() OVER (ORDER BY id), lag(x) OVER (PARTITION BY g ORDER BY id) FROM t)
SELECT * FROM (SELECT [x, 1], {'a': x, 'b': y}, struct_pack(x := x) FROM t)
SELECT * FROM (SELECT list_transform([x], lambda v: v + 1) FROM t)
SELECT * FROM (SELECT t.x + 1 FROM t)
SELECT * FROM (SELECT DISTINCT x + 1 FROM t) ORDER BY 1
SELECT * FROM (SELECT * FROM t JOIN u ON t.id = u.id)
SELECT * FROM (SELECT * FROM t JOIN u ON t.id = u.id) q WHERE q.id_1 > 1
SELECT q.x, q.x_1 FROM (SELECT * FROM t JOIN u ON t.id = u.id) q
SELECT * FROM (SELECT x, x, x FROM t)
SELECT * FROM (SELECT x, x AS x_1, x FROM t)
SELECT * FROM (SELECT * FROM t, u)
WITH q AS (SELECT * FROM t JOIN u ON t.id = u.id) SELECT * FROM q
WITH q AS (SELECT t.*, u.* FROM t LEFT JOIN u USING (id)) SELECT * FROM q
WITH q AS (SELECT * FROM t JOIN u ON t.id = u.id) SELECT count(*), avg(x), avg(x_1) FROM q
WITH q AS (SELECT * FROM t JOIN u ON t.id = u.id), r AS (SELECT * FROM q) SELECT * FROM r JOIN q ON r.id = q.id
WITH t AS (SELECT g, avg(x) m FROM t GROUP BY g) SELECT * FROM t
WITH t AS (SELECT * FROM t WHERE x > 10) SELECT avg(x) FROM t
WITH t AS (SELECT * FROM t), u AS (SELECT * FROM u JOIN t USING (id)) SELECT * FROM u
WITH u AS (SELECT * FROM t) SELECT * FROM u JOIN (SELECT * FROM main.u) k ON u.id = k.id
WITH t AS (SELECT * FROM t ORDER BY id LIMIT 3) SELECT a.x, b.x FROM t a JOIN t b ON a.id = b.id
SELECT * FROM (WITH t AS (SELECT * FROM t WHERE id < 4) SELECT * FROM t) q JOIN t ON q.id = t.id
WITH a AS (SELECT x FROM t), b AS (WITH a AS (SELECT z FROM u) SELECT * FROM a) SELECT * FROM a, b
WITH a AS MATERIALIZED (SELECT g, x FROM t) SELECT g, sum(x) FROM a GROUP BY g
WITH a AS NOT MATERIALIZED (SELECT g, x FROM t) SELECT g, sum(x) FROM a GROUP BY ALL
WITH q(a, b) AS (SELECT g, avg(x) FROM t GROUP BY g) SELECT a, b FROM q
WITH q(a) AS (SELECT g, avg(x) FROM t GROUP BY g) SELECT * FROM q
SELECT * FROM (SELECT g, avg(x) FROM t GROUP BY g) q(a, b) WHERE b > 15
SELECT mode(x) FROM t
SELECT g, mode(x) FROM t GROUP BY 1
SELECT g AS k, histogram(x) FROM t GROUP BY k
SELECT g AS k, string_agg(g, ',' ORDER BY id) FROM t GROUP BY k
SELECT g, list(x ORDER BY id) FROM t GROUP BY g
SELECT x FROM t UNION SELECT x FROM u ORDER BY x
SELECT t.x FROM t UNION SELECT u.x FROM u ORDER BY t.x
SELECT t.x FROM t UNION ALL SELECT u.x FROM u ORDER BY t.x LIMIT 3
SELECT x, g FROM t UNION ALL BY NAME SELECT g, x, z FROM u
SELECT x FROM t EXCEPT SELECT x FROM u
SELECT x FROM t EXCEPT ALL SELECT x FROM u
SELECT x FROM t INTERSECT SELECT x FROM u
SELECT x FROM t INTERSECT ALL SELECT x FROM u
(SELECT x FROM t ORDER BY x LIMIT 2) UNION ALL (SELECT x FROM u ORDER BY x DESC LIMIT 2)
SELECT * FROM (SELECT x FROM t UNION SELECT x FROM u) q ORDER BY x
SELECT count(*) FROM (SELECT x FROM t UNION ALL SELECT x + 1 FROM u) q
SELECT x + 1 FROM t UNION SELECT x FROM u
SELECT * FROM (SELECT x + 1 FROM t UNION SELECT x FROM u)
SELECT struct_pack(x) FROM t
SELECT struct_pack(x, y) FROM t
SELECT struct_pack(t.x, y) FROM t
SELECT struct_pack(a := x, b := y) FROM t
SELECT struct_pack(x).x + 1 FROM t
SELECT * FROM (SELECT struct_pack(x) FROM t)
SELECT row(x, y) FROM t
SELECT t FROM t
SELECT t.x, t FROM t
SELECT q FROM (SELECT x, y FROM t) q
SELECT count(t) FROM t
SELECT to_json(t) FROM t
SELECT * FROM t, LATERAL (SELECT u.z FROM u WHERE u.id = t.id) q
SELECT * FROM t, LATERAL (SELECT t.x + 1 AS k) q
SELECT * FROM t, LATERAL (SELECT t.x + 1) q
SELECT * FROM t, LATERAL (SELECT t.x + 1 AS k) q LEFT JOIN u ON u.x = q.k
SELECT * FROM t LEFT JOIN LATERAL (SELECT u.z FROM u WHERE u.id = t.id) q ON true
SELECT * FROM t CROSS JOIN LATERAL (SELECT max(z) AS m FROM u WHERE u.x <= t.x) q LEFT JOIN u ON u.id = t.id
SELECT * FROM t, LATERAL (SELECT u.z FROM u WHERE u.id = t.id) q LEFT JOIN u k ON k.id = t.id
SELECT * FROM t JOIN LATERAL (SELECT t.x * 2 AS k, k + 1 AS j) q ON q.k > 20
SELECT t.id, q.k FROM t, (SELECT t.x + 10 AS k) q
SELECT * FROM t, unnest([x, id]) AS k(v)
SELECT id, unnest([x, id]) FROM t
SELECT id, unnest(l) FROM w
SELECT unnest(l) AS e, v FROM w ORDER BY ALL
SELECT * FROM w, unnest(l) AS k(e)
SELECT sum(e) FROM (SELECT unnest(l) AS e FROM w)
SELECT unnest(s) FROM w
SELECT unnest(s), v FROM w
SELECT * FROM (SELECT unnest(s), v FROM w) q
SELECT s.a, s.b FROM w
SELECT s.* FROM w
SELECT w.s.a, v FROM w
SELECT s['a'], l[1], m['k'] FROM w
SELECT * FROM w WHERE s.a > 1
SELECT * FROM w WHERE s.a IS NULL
SELECT * FROM w WHERE s.a IS NOT NULL AND v > 5
SELECT s.a + v FROM w
SELECT avg(s.a), avg(v) FROM w
SELECT list_transform(l, lambda e: e + v) FROM w
SELECT list_filter(l, lambda e: e > 1) FROM w
SELECT list_reduce([1, 2, v], lambda a, b: a + b) FROM w
SELECT [e + 1 FOR e IN l IF e > 1] FROM w
SELECT list_sum(l), len(l), v FROM w
SELECT map_keys(m), map_values(m) FROM w
SELECT * EXCLUDE (x) FROM t
SELECT * EXCLUDE (x, g) FROM t
SELECT * REPLACE (x + 1 AS x) FROM t
SELECT * REPLACE (upper(g) AS g) FROM t
SELECT * RENAME (x AS k) FROM t
SELECT t.* EXCLUDE (x), u.z FROM t JOIN u USING (id)
SELECT * EXCLUDE (id) FROM t JOIN u USING (id)
SELECT * EXCLUDE (t.x) FROM t JOIN u USING (id)
SELECT * FROM (SELECT * EXCLUDE (x) FROM t)
SELECT * FROM (SELECT * REPLACE (x + 1 AS x) FROM t) WHERE x > 11
SELECT COLUMNS('x|y') FROM t
SELECT COLUMNS(*) FROM t
SELECT COLUMNS(['x', 'y']) + 1 FROM t
SELECT sum(COLUMNS('x|y')) FROM t
SELECT min(COLUMNS(*)) FROM t
SELECT * FROM (SELECT sum(COLUMNS('x|y')) FROM t)
SELECT * FROM (SELECT COLUMNS('x|y') + 1 FROM t) q
SELECT avg(x) FROM (SELECT COLUMNS('x|y') FROM t) q
SELECT * FROM t WHERE COLUMNS('x|y') > 2
SELECT * LIKE '%x%' FROM t
SELECT * FROM t JOIN u USING (id)
SELECT * FROM t JOIN u USING (id, x)
SELECT * FROM t LEFT JOIN u USING (id)
SELECT * FROM t FULL JOIN u USING (id)
SELECT * FROM t FULL OUTER JOIN u USING (id, x)
SELECT * FROM t RIGHT JOIN u USING (x)
SELECT * FROM t NATURAL JOIN u
SELECT * FROM t NATURAL LEFT JOIN u
SELECT * FROM t NATURAL FULL JOIN u
SELECT id FROM t FULL JOIN u USING (id) ORDER BY id
SELECT id, count(*) FROM t LEFT JOIN u USING (id) GROUP BY id
SELECT x, t.x, u.x FROM t FULL JOIN u USING (x)
SELECT * FROM t JOIN u USING (id) JOIN w USING (id)
SELECT * FROM (t JOIN u USING (id)) LEFT JOIN w USING (id)
SELECT * FROM t JOIN (u JOIN w USING (id)) USING (id)
SELECT * FROM t SEMI JOIN u USING (x)
SELECT * FROM t ANTI JOIN u ON t.x = u.x
SELECT * FROM t POSITIONAL JOIN u
SELECT t.x, u.z FROM t POSITIONAL JOIN u
SELECT avg(t.x + u.x) FROM t POSITIONAL JOIN u
SELECT * FROM (SELECT * FROM t POSITIONAL JOIN u)
SELECT * FROM t ASOF JOIN u ON t.x >= u.x
SELECT * FROM t ASOF LEFT JOIN u ON t.g = u.g AND t.x >= u.x
SELECT t.x, u.z FROM t ASOF JOIN u USING (g, x)
SELECT * FROM t CROSS JOIN u WHERE t.x = u.x
SELECT * FROM t a, t b WHERE a.x = b.x AND a.id < b.id
SELECT * FROM t WHERE x > (SELECT avg(x) FROM t)
SELECT * FROM t WHERE x > ALL (SELECT x FROM u WHERE u.id < 2)
SELECT * FROM t WHERE x = ANY (SELECT x FROM u)
SELECT * FROM t WHERE (id, x) IN (SELECT id, x FROM u)
SELECT * FROM t WHERE x IN (SELECT x FROM u WHERE u.g = t.g)
SELECT * FROM t WHERE x NOT IN (SELECT x FROM u)
SELECT * FROM t WHERE EXISTS (SELECT * FROM u WHERE u.x = t.x AND u.z > t.y)
SELECT id, (SELECT count(*) FROM u WHERE u.x = t.x) FROM t
SELECT id, (SELECT z FROM u WHERE u.id = t.id) AS z, x FROM t
SELECT id, ARRAY(SELECT x FROM u ORDER BY x) FROM t
SELECT (SELECT struct_pack(a := max(x), b := min(x)) FROM t)
SELECT g, sum(x), (SELECT sum(x) FROM t) FROM t GROUP BY g
SELECT g, sum(x) FROM t GROUP BY g HAVING sum(x) > (SELECT avg(x) FROM u)
SELECT g, sum(x) FROM t GROUP BY GROUPING SETS ((g), ())
SELECT g, b, sum(x) FROM t GROUP BY ROLLUP (g, b)
SELECT g, b, sum(x), grouping(g) FROM t GROUP BY CUBE (g, b)
SELECT * FROM (SELECT g, b, sum(x) FROM t GROUP BY CUBE (g, b)) q
SELECT g, sum(x) FROM t GROUP BY g ORDER BY sum(x) DESC, g LIMIT 2
SELECT g, sum(x) AS k FROM t GROUP BY g ORDER BY k DESC, 1
SELECT g, x, rank() OVER (PARTITION BY g ORDER BY x, id) AS r FROM t QUALIFY r = 1
SELECT g, x FROM t QUALIFY row_number() OVER (PARTITION BY g ORDER BY x, id) = 1
SELECT * FROM t QUALIFY row_number() OVER (PARTITION BY g ORDER BY id) = 1
SELECT id, sum(x) OVER w FROM t WINDOW w AS (PARTITION BY g ORDER BY id)
SELECT id, avg(y) OVER (ORDER BY id ROWS BETWEEN 1 PRECEDING AND CURRENT ROW) FROM t
SELECT id, ntile(2) OVER (ORDER BY x, id), first_value(x) OVER (ORDER BY id) FROM t
SELECT *, sum(x) OVER () FROM t
SELECT * FROM (SELECT *, row_number() OVER (ORDER BY id) FROM t) q
WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r WHERE n < 5) SELECT * FROM r JOIN t ON r.n = t.id
WITH RECURSIVE r AS (SELECT id, x FROM t WHERE id = 1 UNION ALL SELECT t.id, t.x + r.x FROM t JOIN r ON t.id = r.id + 1) SELECT * FROM r
WITH RECURSIVE r AS (SELECT id, x + 1 FROM t WHERE id = 1 UNION SELECT id + 1, 5 FROM r WHERE id < 4) SELECT * FROM r
WITH RECURSIVE t AS (SELECT 1 AS id UNION ALL SELECT id + 1 FROM t WHERE id < 3) SELECT * FROM t
WITH RECURSIVE a AS (SELECT x FROM t), r(n) AS (SELECT min(x) FROM a UNION ALL SELECT n + 10 FROM r WHERE n < 30) SELECT * FROM r
FROM t
FROM t SELECT x
FROM t SELECT x WHERE x > 10
FROM (FROM t SELECT x, g) SELECT g, sum(x) GROUP BY g
TABLE t
VALUES (1, 'a'), (2, 'b')
SELECT * FROM (VALUES (1, 'a'), (2, 'b')) v(id, k) JOIN t USING (id)
SELECT * FROM t JOIN (VALUES (1, 2)) v ON v.col0 = t.id
SELECT * FROM range(3) r(n) JOIN t ON r.n = t.id
SELECT * FROM generate_series(1, 3) JOIN t ON generate_series = t.id
SELECT * FROM vt
SELECT x2 FROM vt WHERE x2 > 20
SELECT g, avg(x2) FROM vt GROUP BY g
SELECT * FROM vt a JOIN vt b USING (id)
PIVOT t ON g IN ('a', 'b', 'c') USING sum(x)
PIVOT t ON g USING sum(x)
PIVOT (SELECT g, b, x FROM t) ON g USING sum(x) GROUP BY b
SELECT * FROM (PIVOT t ON g IN ('a', 'b') USING sum(x) GROUP BY b)
SELECT * FROM t PIVOT (sum(x) FOR g IN ('a', 'b') GROUP BY b)
WITH p AS (PIVOT t ON g IN ('a', 'b') USING sum(x) GROUP BY b) SELECT * FROM p
UNPIVOT (SELECT id, x, y::INTEGER AS y FROM t) ON x, y INTO NAME n VALUE v
UNPIVOT (SELECT id, x::DOUBLE AS x, y FROM t) ON COLUMNS(* EXCLUDE (id)) INTO NAME n VALUE v
SELECT * FROM (UNPIVOT (SELECT id, x::DOUBLE AS x, y FROM t) ON x, y)
SELECT n, avg(v) FROM (SELECT id, x::DOUBLE AS x, y FROM t) UNPIVOT (v FOR n IN (x, y)) GROUP BY n
SELECT * FROM (SELECT * FROM t ORDER BY x, id LIMIT 3) ORDER BY id
SELECT * FROM (SELECT * FROM t ORDER BY x DESC, id LIMIT 3 OFFSET 1) q JOIN u USING (id)
SELECT * FROM t ORDER BY x NULLS FIRST, id
SELECT * FROM t ORDER BY ALL
SELECT x FROM t ORDER BY y, id LIMIT 50%
SELECT DISTINCT g FROM t ORDER BY g
SELECT DISTINCT ON (g) g, x FROM t ORDER BY g, x, id
SELECT DISTINCT ON (g) * FROM t ORDER BY g, id
SELECT * FROM (SELECT DISTINCT ON (g) g, x FROM t ORDER BY g, x, id)
SELECT x AS a, a + 1 AS b FROM t
SELECT x AS a, a + 1 FROM t WHERE a > 10
SELECT * FROM (SELECT x AS a, a + 1 FROM t) q
SELECT g, count(*) FILTER (WHERE x > 10), avg(x) FILTER (WHERE b) FROM t GROUP BY g
SELECT arg_max(g, x), arg_min(id, x) FROM t
SELECT quantile_cont(x, [0.25, 0.5]), median(y) FROM t
SELECT corr(x, y), regr_slope(y, x), covar_pop(x, y) FROM t
SELECT max(x, 2) FROM t
SELECT first(x ORDER BY id), last(x ORDER BY id), any_value(g) FROM t
SELECT count(*) FROM t
SELECT count(x), count(DISTINCT g) FROM t
SELECT bool_and(b), bool_or(b) FROM t
SELECT strftime(d, '%Y-%m'), count(*) FROM t GROUP BY 1
SELECT date_trunc('month', d) AS m, sum(x) FROM t GROUP BY m ORDER BY m
SELECT extract(month FROM d), d + INTERVAL 1 DAY FROM t
SELECT CASE g WHEN 'a' THEN x ELSE y END FROM t
SELECT coalesce(x, 0), ifnull(x, 1), nullif(x, 10) FROM t
SELECT x IS NULL, x IS DISTINCT FROM 10 FROM t
SELECT greatest(x, id), least(x, y) FROM t
SELECT if(x > 10, 'big', 'small') FROM t
SELECT x // 3, x % 3, x ** 2, x & 1 FROM t
SELECT g || '-' || x FROM t
SELECT concat(g, x), concat_ws('-', g, x) FROM t
SELECT regexp_matches(g, 'a'), g ~ 'b', g SIMILAR TO 'c' FROM t
SELECT try_cast(g AS INTEGER) FROM t
SELECT {'a': x}.a FROM t
SELECT x.abs() FROM t
SELECT list(x) FROM t
SELECT list(DISTINCT x ORDER BY x) FROM t
SELECT unnest(list(x ORDER BY x)) FROM t
SELECT a.x, b.avg FROM t a JOIN (SELECT g, avg(x) AS avg FROM t GROUP BY g) b USING (g)
SELECT t.id, q.n FROM t LEFT JOIN (SELECT g, count(*) AS n FROM u GROUP BY g) q ON q.g = t.g
SELECT * FROM (SELECT * FROM (SELECT * FROM (SELECT x, y FROM t) a) b) c
SELECT * FROM (SELECT * FROM (SELECT x + y FROM t) a) b
SELECT sum("(x + y)") FROM (SELECT * FROM (SELECT x + y FROM t) a) b
SELECT * FROM (SELECT sum(v) FROM (SELECT x AS v FROM t UNION ALL SELECT x FROM u)) q
SELECT t.rowid, u.rowid FROM t JOIN u USING (id)
SELECT id, x FROM t WHERE id IN (SELECT rowid + 1 FROM u)
SELECT t.x FROM main.t
SELECT main.t.x FROM main.t
SELECT memory.main.t.x FROM memory.main.t
SELECT "T"."X" FROM T
SELECT T.X AS "Out" FROM t AS T
SELECT x x, y "y y" FROM t "a b"
SELECT "a b".x FROM t "a b"
SELECT q."a b" FROM (SELECT x AS "a b" FROM t) q
SELECT * FROM (SELECT x AS "X", y AS x FROM t) q
SELECT * FROM t AS q(a, b, c)
SELECT a, c FROM t AS q(a, b, c) WHERE c > 10
SELECT * FROM (SELECT x, y FROM t) AS q(a)
SELECT (x, y) FROM t
SELECT (x, y) = (10, 1.5) FROM t
SELECT * FROM t WHERE (x, y) > (10, 1)
SELECT id, x FROM t LIMIT (SELECT 2)
SELECT id, x FROM t ORDER BY id LIMIT (SELECT max(id) - 3 FROM t)
SELECT id FROM t ORDER BY (SELECT z FROM u WHERE u.id = t.id), id
SELECT g FROM t GROUP BY g HAVING max(x) > 10
SELECT max(x) + min(x) FROM t HAVING count(*) > 1
SELECT g, max(x) - min(x) AS r FROM t GROUP BY g HAVING r > 0
SELECT upper(g) AS g, sum(x) FROM t GROUP BY upper(g)
SELECT upper(g) AS k, sum(x) FROM t GROUP BY k
SELECT g, sum(x) FROM t GROUP BY ALL ORDER BY ALL
SELECT x > 10 AS big, count(*) FROM t GROUP BY big
SELECT x > 10, count(*) FROM t GROUP BY 1 ORDER BY 2, 1
SELECT sum(sum(x)) OVER (ORDER BY g) FROM t GROUP BY g
SELECT g, sum(x) / sum(sum(x)) OVER () FROM t GROUP BY g
SELECT * FROM (SELECT g, sum(x) / sum(sum(x)) OVER () FROM t GROUP BY g) q
SELECT * FROM t a WHERE x = (SELECT max(x) FROM t b WHERE b.g = a.g)
SELECT a.id FROM t a WHERE NOT EXISTS (SELECT 1 FROM t b WHERE b.x > a.x)
SELECT * FROM (SELECT id, x FROM t WHERE x IS NOT NULL) q JOIN u USING (id)
SELECT count(*) FROM (SELECT * FROM t ORDER BY id LIMIT 4)
SELECT avg(x) FROM (SELECT DISTINCT x FROM t)
SELECT avg(n) FROM (SELECT g, count(*) AS n FROM t GROUP BY g)
WITH a AS (SELECT id, x FROM t), b AS (SELECT id, z FROM u), c AS (SELECT * FROM a JOIN b USING (id)) SELECT sum(x * z) FROM c
WITH a AS (SELECT *, x + 1 FROM t) SELECT * FROM a
WITH a AS (SELECT *, x + 1 FROM t) SELECT a.*, b.x FROM a JOIN a b USING (id)
WITH a AS (VALUES (1, 2)) SELECT * FROM a JOIN t ON a.col0 = t.id
WITH a AS (FROM t), b AS (FROM a) FROM b
SELECT * FROM t JOIN u ON t.x = u.x OR t.id = u.id
SELECT * FROM t LEFT JOIN u ON t.x = u.x AND u.z > 100
SELECT * FROM t FULL JOIN u ON t.x = u.x
SELECT * FROM t RIGHT JOIN u ON t.x = u.x WHERE t.id IS NULL
SELECT * FROM (SELECT t.x AS a, u.x AS b FROM t FULL JOIN u USING (id)) q WHERE a > 10 OR b > 10
SELECT * FROM (SELECT * FROM t FULL JOIN u USING (id)) q
SELECT * FROM (SELECT * FROM t LEFT JOIN u USING (id, g)) q
SELECT * FROM (SELECT * FROM t NATURAL JOIN u) q
SELECT q.id, q.x, q.z FROM (SELECT * FROM t NATURAL LEFT JOIN u) q
SELECT * FROM t, (SELECT x AS k FROM u) q WHERE t.x = q.k
SELECT * FROM t, (SELECT max(x) FROM u) q
SELECT t.x, q."max(x)" FROM t, (SELECT max(x) FROM u) q
SELECT sum(x) FROM t WHERE d BETWEEN DATE '2020-01-01' AND DATE '2020-02-01'
SELECT g, x FROM t WHERE b AND x > 5 OR g = 'c'
SELECT x FROM t WHERE x::VARCHAR LIKE '1%'
SELECT list_aggregate(l, 'sum') FROM w
SELECT s, count(*) FROM w GROUP BY s
SELECT id, l[1:2], l[-1] FROM w
SELECT struct_extract(s, 'a') FROM w
SELECT struct_insert(s, c := v) FROM w
SELECT id, s.a AS a, sum(v) OVER (ORDER BY s.a) FROM w
SELECT * FROM w ORDER BY s
SELECT w.id, k.e FROM w, LATERAL (SELECT unnest(w.l) AS e) k
SELECT w.id, e FROM w CROSS JOIN unnest(l) AS k(e) WHERE e > v - 4
SELECT array_agg(s.b ORDER BY id) FROM w WHERE v > 4
SELECT EXISTS (SELECT 1 FROM t WHERE x > 40), 1
SELECT 42
SELECT 42 AS a, (SELECT sum(x) FROM t)
SELECT * FROM (SELECT 42) q
SELECT * FROM (SELECT current_date - current_date) q
SELECT typeof(x), typeof(y) FROM t
SELECT * FROM t WHERE false
SELECT sum(x) FROM t WHERE false
SELECT g, sum(x) FROM t WHERE false GROUP BY g
SELECT unnest([1, 2]) AS k, x FROM t
SELECT * FROM (SELECT unnest([1, 2]), x FROM t)
SELECT * FROM (SELECT generate_subscripts(l, 1) AS i, l FROM w) q
SELECT list_zip(l, l) FROM w
SELECT id, (SELECT sum(e) FROM unnest(l) AS k(e)) FROM w
SELECT id, (SELECT sum(e + v) FROM unnest(l) AS k(e)) FROM w
SELECT id, list_sort(list_transform(l, lambda e, i: e * i)) FROM w
SELECT sum(x) FROM t GROUP BY g, b HAVING b
SELECT * FROM t JOIN (SELECT DISTINCT g FROM u) k USING (g)
SELECT * FROM t WHERE g IN (SELECT g FROM u GROUP BY g HAVING count(*) > 1)
SELECT (SELECT avg(x) FROM t WHERE t.g = k.g) AS m, k.g FROM (SELECT DISTINCT g FROM u) k
SELECT a.g, b.g FROM (SELECT g FROM t) a, (SELECT g FROM u) b WHERE a.g = b.g
SELECT string_agg(DISTINCT g, ',' ORDER BY g) FROM t
SELECT * FROM t JOIN u ON (t.id = u.id) JOIN t t2 ON (t2.id = u.id) ORDER BY t.id
SELECT count(*), count(t2.x) FROM t LEFT JOIN t t2 ON t.x = t2.id * 10
SELECT x, count(*) AS n FROM t GROUP BY x HAVING n > 1 ORDER BY x
SELECT * FROM (FROM t) q WHERE q.x > 10
SELECT 'a' AS k, * FROM t
SELECT t.*, 1 FROM t
SELECT * FROM (SELECT t.*, 1 FROM t)
SELECT t.*, u.* FROM t, u WHERE t.id = u.id
SELECT * FROM (SELECT t.*, u.* FROM t, u WHERE t.id = u.id)
SELECT sum(q.x_1) FROM (SELECT t.*, u.* FROM t, u WHERE t.id = u.id) q
SELECT * FROM (SELECT a.*, b.* FROM t a JOIN t b ON a.id = b.id) q
SELECT MAX(x) mx, MIN(y) mn FROM t
SELECT * FROM (SELECT MAX(x), Min(y) FROM t)
SELECT * FROM (SELECT date_trunc('month', d), sum(x) FROM t GROUP BY 1) q
SELECT * FROM (SELECT x::DECIMAL(10, 2), y::FLOAT FROM t) q
SELECT * FROM (SELECT extract(year FROM d), d - DATE '2020-01-01' FROM t) q
SELECT * FROM (SELECT x[1:2] FROM (SELECT [x, id] AS x FROM t)) q
SELECT * FROM (SELECT CASE WHEN b THEN 'yes' ELSE 'no' END, count(*) FROM t GROUP BY 1) q
SELECT * FROM (SELECT quantile_cont(x, 0.5), string_agg(g, ',' ORDER BY id) FROM t) q
SELECT * FROM (SELECT sum(x) OVER (PARTITION BY g ORDER BY id ROWS UNBOUNDED PRECEDING) FROM t) q
SELECT * FROM (SELECT list_transform(l, lambda e: e + 1), l[1] FROM w) q
SELECT * FROM (SELECT m['k'], s.a, s['b'] FROM w) q
SELECT "s['b']" FROM (SELECT s['b'] FROM w) q
SELECT * FROM (SELECT x FROM t) q, (SELECT x FROM u) r
SELECT * FROM (SELECT x FROM t) q NATURAL JOIN (SELECT x, z FROM u) r
SELECT * FROM (SELECT count(*), g FROM t GROUP BY g) a JOIN (SELECT count(*), g FROM u GROUP BY g) b USING (g)
SELECT a."count_star()", b."count_star()" FROM (SELECT count(*), g FROM t GROUP BY g) a JOIN (SELECT count(*), g FROM u GROUP BY g) b USING (g)
SELECT s.*, v FROM w
SELECT * FROM (SELECT s.*, v FROM w) q
SELECT id, s.* EXCLUDE (a), v FROM w WHERE v > 5
SELECT g AS k, mode(x) AS n FROM t GROUP BY k HAVING n > 10 ORDER BY n
SELECT upper(g) AS k, histogram(x) FROM t GROUP BY 1 ORDER BY 1
SELECT g AS k, avg(x) FROM t GROUP BY ROLLUP (k)
SELECT g AS k, b, mode(x // 100) FROM t GROUP BY GROUPING SETS ((1), (2))
