"""Decision support over missing values: a retail schema of eight tables, twenty queries, complete and with gaps.

python -m benchmarks.analytics [--rows N] [--missing SHARE] [--out DIR]

Every query runs on complete data (compared with DuckDB, row by row) and on the same data with gaps: planning time,
answering time, the strategy, the cells filled in and those avoided.
"""

import argparse
import math
import platform
import statistics
import time
from pathlib import Path

import duckdb

import imputedb
from imputedb import Database
from imputedb.answers.prepare import Planner
from imputedb.answers.request import QueryOptions
from imputedb.imputers.registry import chosen

SCHEMA = """
CREATE TEMP MACRO pick(x, n) AS (hash(x) % n)::INTEGER;
CREATE TABLE region AS SELECT i AS region_id, 'region ' || i AS region_name FROM range(5) r(i);
CREATE TABLE nation AS SELECT i AS nation_id, i % 5 AS region_id, 'nation ' || i AS nation_name FROM range(25) r(i);
CREATE TABLE customer AS SELECT i AS customer_id, pick(i, 25) AS nation_id, ['auto', 'home', 'farm', 'food', 'tool']
    [1 + pick(i + 1, 5)] AS segment, round(pick(i + 2, 100000) / 10 - 1000, 2) AS balance, 18 + pick(i + 3, 60) AS age
    FROM range({customers}) r(i);
CREATE TABLE supplier AS SELECT i AS supplier_id, pick(i + 4, 25) AS nation_id,
    round(pick(i + 5, 100000) / 10, 2) AS account FROM range({suppliers}) r(i);
CREATE TABLE product AS SELECT i AS product_id, 'brand ' || pick(i + 6, 10) AS brand, 1 + pick(i + 7, 50) AS size,
    round(10 + pick(i + 8, 9000) / 100, 2) AS price FROM range({products}) r(i);
CREATE TABLE stock AS SELECT product_id, supplier_id, pick([product_id, supplier_id], 1000) AS available,
    round(price * (0.5 + pick([supplier_id, product_id], 50) / 100), 2) AS cost
    FROM (SELECT *, pick(product_id * 7 + n, {suppliers})::BIGINT AS supplier_id FROM product, range(2) t(n));
CREATE TABLE orders AS SELECT i AS order_id, pick(i + 9, {customers})::BIGINT AS customer_id,
    DATE '2022-01-01' + pick(i + 10, 1000) AS ordered, ['open', 'done', 'void'][1 + pick(i + 11, 3)] AS status,
    1 + pick(i + 12, 5) AS priority FROM range({orders}) r(i);
CREATE TABLE line AS SELECT order_id, n AS line_number, pick([order_id, n], {products})::BIGINT AS product_id,
    pick(order_id + n, {suppliers})::BIGINT AS supplier_id, 1 + pick([order_id, n, 1], 50) AS quantity,
    round(pick([order_id, n, 2], 11) / 100, 2) AS discount, ordered + pick([order_id, n, 3], 90) AS shipped
    FROM orders, range(3) t(n);
"""

GAPS = {
    "customer": ("segment", "balance", "age"),
    "supplier": ("account",),
    "product": ("brand", "size", "price"),
    "stock": ("available", "cost"),
    "orders": ("status", "priority", "ordered"),
    "line": ("quantity", "discount", "shipped"),
}

QUERIES = {
    "pricing": "SELECT status, count(*), sum(quantity), avg(discount) FROM line JOIN orders USING (order_id)"
    " WHERE shipped <= DATE '2024-06-01' GROUP BY status ORDER BY status",
    "cheapest supplier": "SELECT p.product_id, s.supplier_id, k.cost FROM product p JOIN stock k USING (product_id)"
    " JOIN supplier s USING (supplier_id) JOIN nation n USING (nation_id) JOIN region r USING (region_id)"
    " WHERE p.size = 15 AND region_name = 'region 2' AND k.cost = (SELECT min(k2.cost) FROM stock k2"
    " WHERE k2.product_id = p.product_id) ORDER BY ALL LIMIT 10",
    "unshipped": "SELECT o.order_id, sum(quantity * (1 - discount)) AS volume, ordered FROM customer c, orders o, line"
    " l WHERE segment = 'auto' AND c.customer_id = o.customer_id AND l.order_id = o.order_id AND ordered < DATE"
    " '2023-03-15'"
    " AND shipped > DATE '2023-03-15' GROUP BY ALL ORDER BY volume DESC, o.order_id LIMIT 10",
    "priorities": "SELECT priority, count(*) FROM orders o WHERE EXISTS (SELECT 1 FROM line l WHERE l.order_id"
    " = o.order_id"
    " AND quantity > 40) GROUP BY priority ORDER BY priority",
    "local volume": "SELECT nation_name, sum(quantity * price * (1 - discount)) AS revenue FROM customer c,"
    " orders o, line l,"
    " supplier s, nation n, region r, product p WHERE c.customer_id = o.customer_id AND l.order_id = o.order_id"
    " AND l.supplier_id = s.supplier_id AND s.nation_id = n.nation_id AND n.region_id = r.region_id"
    " AND p.product_id = l.product_id AND region_name = 'region 1' GROUP BY nation_name ORDER BY revenue DESC",
    "eight tables": "SELECT r.region_name, p.brand, avg(k.cost), count(*) FROM region r, nation n, customer c,"
    " orders o,"
    " line l, product p, stock k, supplier s WHERE r.region_id = n.region_id AND n.nation_id = c.nation_id"
    " AND c.customer_id = o.customer_id AND o.order_id = l.order_id AND l.product_id = p.product_id"
    " AND k.product_id = p.product_id AND s.supplier_id = k.supplier_id AND c.age > 60 GROUP BY ALL ORDER BY ALL",
    "forecast": "SELECT sum(discount * quantity) FROM line WHERE shipped >= DATE '2023-01-01' AND discount BETWEEN 0.05"
    " AND 0.07 AND quantity < 24",
    "shipping by year": "SELECT year(shipped) AS y, n.nation_name, sum(quantity) FROM line l JOIN supplier s USING"
    " (supplier_id) JOIN nation n USING (nation_id) GROUP BY y, n.nation_name ORDER BY ALL",
    "market share": "SELECT y, sum(CASE WHEN nation_name = 'nation 3' THEN volume ELSE 0 END) / sum(volume)"
    " FROM (SELECT"
    " year(ordered) AS y, quantity * price AS volume, nation_name FROM orders JOIN line USING (order_id) JOIN product"
    " USING (product_id) JOIN supplier USING (supplier_id) JOIN nation USING (nation_id)) GROUP BY y ORDER BY y",
    "returns": "SELECT c.customer_id, sum(quantity) AS q, balance FROM customer c JOIN orders USING"
    " (customer_id) JOIN line"
    " USING (order_id) WHERE status = 'void' GROUP BY ALL ORDER BY q DESC, c.customer_id LIMIT 20",
    "important stock": "SELECT product_id, sum(cost * available) AS value FROM stock JOIN supplier USING (supplier_id)"
    " GROUP BY product_id HAVING value > (SELECT 0.002 * sum(cost * available) FROM stock) ORDER BY value DESC",
    "order counts": "SELECT orders_of, count(*) FROM (SELECT c.customer_id, count(o.order_id) AS orders_of FROM"
    " customer c"
    " LEFT JOIN orders o ON c.customer_id = o.customer_id AND o.status <> 'void' GROUP BY 1) GROUP BY 1 ORDER BY 1",
    "promotion": "SELECT 100 * sum(CASE WHEN brand = 'brand 1' THEN quantity ELSE 0 END) / sum(quantity) FROM line JOIN"
    " product USING (product_id) WHERE shipped >= DATE '2023-09-01'",
    "top supplier": "WITH revenue AS (SELECT supplier_id, sum(quantity * (1 - discount)) AS total FROM line GROUP BY 1)"
    " SELECT s.supplier_id, account, total FROM supplier s JOIN revenue USING (supplier_id)"
    " WHERE total = (SELECT max(total) FROM revenue)",
    "suppliers by part": "SELECT brand, size, count(DISTINCT supplier_id) FROM stock JOIN product USING"
    " (product_id) WHERE"
    " brand <> 'brand 4' AND supplier_id NOT IN (SELECT supplier_id FROM supplier WHERE account < 500) GROUP BY ALL"
    " ORDER BY ALL",
    "small quantity": "SELECT sum(quantity * price) / 7.0 FROM line l JOIN product p USING (product_id) WHERE brand ="
    " 'brand 3' AND quantity < (SELECT 0.4 * avg(quantity) FROM line i WHERE i.product_id = p.product_id)",
    "large orders": "SELECT c.customer_id, o.order_id, sum(quantity) FROM customer c, orders o, line l WHERE"
    " o.order_id IN"
    " (SELECT order_id FROM line GROUP BY order_id HAVING sum(quantity) > 120) AND c.customer_id = o.customer_id"
    " AND o.order_id = l.order_id GROUP BY ALL ORDER BY ALL",
    "waiting": "SELECT s.supplier_id, count(*) AS late FROM supplier s, line l1, orders o WHERE s.supplier_id ="
    " l1.supplier_id AND o.order_id = l1.order_id AND o.status = 'done' AND l1.shipped > o.ordered + 60 AND NOT EXISTS"
    " (SELECT 1 FROM line l3 WHERE l3.order_id = l1.order_id AND l3.supplier_id <> l1.supplier_id AND l3.quantity > 45)"
    " GROUP BY 1 ORDER BY late DESC, 1 LIMIT 10",
    "idle customers": "SELECT segment, count(*), sum(balance) FROM customer c WHERE balance > (SELECT avg(balance) FROM"
    " customer WHERE balance > 0) AND NOT EXISTS (FROM orders o WHERE o.customer_id = c.customer_id) GROUP BY ALL"
    " ORDER BY segment",
    "running totals": "SELECT * FROM (SELECT segment, month(ordered) AS m, sum(quantity) AS q, sum(sum(quantity)) OVER"
    " (PARTITION BY segment ORDER BY month(ordered)) AS so_far FROM customer JOIN orders USING (customer_id) JOIN line"
    " USING (order_id) GROUP BY ROLLUP (segment, m)) WHERE m <= 6 ORDER BY ALL",
}


def filled(rows: int, share: float) -> Database:
    """The tables, `rows` order lines in all, every column of GAPS with a share of its cells missing."""
    db = imputedb.connect()
    sizes = {"orders": rows // 3, "customers": rows // 30, "products": rows // 40, "suppliers": max(20, rows // 400)}
    for statement in SCHEMA.format(**sizes).split(";\n"):
        if statement.strip():
            db.execute(statement)
    for table, columns in GAPS.items() if share else ():
        gone = ", ".join(
            f"CASE WHEN hash({place}, rowid) % 1000 >= {share * 1000:.0f} THEN {column} END AS {column}"
            for place, column in enumerate(columns)
        )
        db.execute(f"CREATE OR REPLACE TABLE {table} AS SELECT * REPLACE ({gone}) FROM {table}")
    return db


def planning_ms(db: Database, sql: str) -> float:
    asked = QueryOptions(0.0, chosen("tree"), 0, "planned")
    return statistics.median(_timed(lambda: Planner(db._engine).prepare(sql, asked)) for _ in range(3))


def _timed(work) -> float:  # type: ignore[no-untyped-def]
    began = time.perf_counter()
    work()
    return (time.perf_counter() - began) * 1e3


def _same(ours: list[tuple[object, ...]], theirs: list[tuple[object, ...]]) -> bool:
    def close(a: object, b: object) -> bool:
        both = isinstance(a, float) and isinstance(b, float)
        return math.isclose(a, b, rel_tol=1e-9) if both else a == b  # type: ignore[arg-type]

    return len(ours) == len(theirs) and all(
        close(a, b) for one, other in zip(ours, theirs, strict=True) for a, b in zip(one, other, strict=True)
    )


def measured(rows: int, share: float) -> list[list[str]]:
    whole, gaps = filled(rows, 0), filled(rows, share)
    table = []
    for name, sql in QUERIES.items():
        assert _same(whole.sql(sql).fetchall(), whole.execute(sql)), name
        planning = planning_ms(gaps, sql)
        answering = statistics.median(_timed(lambda sql=sql: gaps.sql(sql).fetchall()) for _ in range(3))  # type: ignore[misc]
        plain = statistics.median(_timed(lambda sql=sql: gaps.execute(sql)) for _ in range(3))  # type: ignore[misc]
        report = gaps.sql(sql).report
        cells = [f"{sum(report.imputed.values()):,}", f"{sum(report.avoided.values()):,}"]
        table.append([name, f"{planning:.1f}", f"{answering:.0f}", f"{plain:.0f}", report.strategy, *cells])
    return table


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--rows", type=int, default=60_000)
    parser.add_argument("--missing", type=float, default=0.1)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results")
    wishes = parser.parse_args()
    head = ["query", "planning ms", "answer ms", "DuckDB ms (NULLs as they are)", "strategy", "imputed", "avoided"]
    lines = [
        "| " + " | ".join(row) + " |" for row in [head, ["---"] * len(head), *measured(wishes.rows, wishes.missing)]
    ]
    versions = f"imputedb {imputedb.__version__}, DuckDB {duckdb.__version__}, Python {platform.python_version()}"
    text = f"# Decision support\n\n{wishes.rows:,} order lines, {wishes.missing:.0%} missing; {versions}; medians.\n\n"
    wishes.out.mkdir(parents=True, exist_ok=True)
    (wishes.out / "analytics.md").write_text(text + "\n".join(lines) + "\n")
    print("\n".join(lines))


if __name__ == "__main__":
    main()
