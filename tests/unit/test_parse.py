"""The one adapter that knows DuckDB's JSON: what a version of DuckDB gives and takes, as snapshots."""

import json
from pathlib import Path
from typing import Any

import duckdb
import pytest

import imputedb
from imputedb.sql import ast as t
from imputedb.sql import parse

SNAPSHOTS = Path(__file__).parent / "trees.json"

QUERIES = [
    "SELECT a, avg(b) AS m FROM t WHERE a >= 1.5 AND s LIKE 'x' GROUP BY a HAVING count(*) > 2 ORDER BY m DESC LIMIT 3",
    "SELECT DISTINCT t.a FROM t JOIN u USING (id) WHERE b IN (1, 2) OR NOT b BETWEEN 3 AND 4",
    "SELECT CASE WHEN a IS NULL THEN 0 ELSE CAST(a AS DECIMAL(10, 2)) END FROM t, u AS v WHERE t.id = v.id",
    "SELECT sum(a) FILTER (WHERE b > 0) OVER (PARTITION BY s ORDER BY id), count(DISTINCT b) FROM t GROUP BY ALL",
    "SELECT * EXCLUDE (a) FROM t NATURAL JOIN u WHERE d > DATE '2020-01-01' AND COALESCE(a, -1) <> 0",
]


def _bare(tree: Any) -> Any:
    """The tree without places in the text."""
    if isinstance(tree, dict):
        return {key: _bare(value) for key, value in tree.items() if not key.startswith("query_location")}
    return [_bare(part) for part in tree] if isinstance(tree, list) else tree


@pytest.fixture
def connection() -> duckdb.DuckDBPyConnection:
    con = duckdb.connect()
    con.execute("CREATE TABLE t (id INT, a INT, b INT, s VARCHAR, d DATE); CREATE TABLE u (id INT, c INT)")
    return con


def _differences(known: Any, given: Any, place: str = "") -> list[str]:
    """Where a tree departs from the snapshot; keys that the snapshot lacks are new, and nothing reads them."""
    if isinstance(known, dict) and isinstance(given, dict):
        gone = [f"{place}.{key} gone" for key in known if key not in given]
        both = [key for key in known if key in given]
        return gone + [found for key in both for found in _differences(known[key], given[key], f"{place}.{key}")]
    if isinstance(known, list) and isinstance(given, list) and len(known) == len(given):
        pairs = enumerate(zip(known, given, strict=True))
        return [found for at, (one, other) in pairs for found in _differences(one, other, f"{place}[{at}]")]
    return [] if known == given else [f"{place}: {known!r} became {given!r}"]


def test_trees_are_as_they_were_read(connection: duckdb.DuckDBPyConnection, update_golden: bool) -> None:
    trees = {sql: _bare(parse.parse(connection, sql)) for sql in QUERIES}
    if update_golden:
        SNAPSHOTS.write_text(json.dumps(trees, indent=1) + "\n")
    assert _differences(json.loads(SNAPSHOTS.read_text()), trees) == []


def test_a_changed_tree_is_noticed() -> None:
    known = {"class": "FUNCTION", "children": [{"type": "A"}]}
    assert _differences(known, {**known, "new": 1}) == []
    assert _differences(known, {"class": "FUNCTION"}) == [".children gone"]
    assert _differences(known, {"class": "F", "children": [{"type": "A"}]}) == [".class: 'FUNCTION' became 'F'"]
    assert _differences(known, {"class": "FUNCTION", "children": []}) == [".children: [{'type': 'A'}] became []"]


@pytest.mark.parametrize("sql", QUERIES)
def test_round_trip(connection: duckdb.DuckDBPyConnection, sql: str) -> None:
    again = parse.deparse(connection, parse.parse(connection, sql))
    try:
        expected = connection.sql(sql)
    except duckdb.Error:
        return
    assert connection.sql(again).columns == expected.columns
    assert connection.sql(again).types == expected.types


def test_built_trees_are_taken(connection: duckdb.DuckDBPyConnection) -> None:
    a, b = t.reference("t", "a"), t.reference("t", "b")
    condition = t.any_of([t.is_missing(a), t.operator("COMPARE_IN", b, t.literal(1), t.literal(-2))])
    number = parse.type_tree(connection, "DECIMAL(10,2)")
    outputs = [
        t.named(t.coalesce(a, t.literal("it's"), t.literal(True), t.literal(None)), "x"),
        t.null_where(condition, t.cast(b, number)),
        t.call("count_star", where=t.is_present(b)),
        t.try_cast(t.literal(0.1), t.plain_type("FLOAT")),
    ]
    source = t.positional(t.cross(t.table(("main", "t"), "t"), t.table(("u",), "")), t.table(("u",), "w"))
    assert parse.deparse(connection, t.select(outputs, source, condition, [a])) == (
        "SELECT COALESCE(t.a, 'it''s', true, NULL) AS x, "
        "CASE  WHEN (((t.a IS NULL) OR (t.b IN (1, -2)))) THEN (NULL) ELSE CAST(t.b AS DECIMAL(10, 2)) END, "
        "count_star() FILTER (WHERE (t.b IS NOT NULL)), TRY_CAST(CAST('0.1' AS DOUBLE) AS FLOAT) "
        "FROM main.t AS t INNER JOIN u ON (true) POSITIONAL JOIN u AS w "
        "WHERE ((t.a IS NULL) OR (t.b IN (1, -2))) GROUP BY t.a"
    )


def test_expression_texts_come_in_one_round_trip(connection: duckdb.DuckDBPyConnection) -> None:
    trees = parse.parse(connection, "SELECT (a + 1) * 2, lower(s) FROM t")["select_list"]
    assert parse.expression_texts(connection, trees) == ["(a + 1) * 2", "lower(s)"]
    assert parse.expression_texts(connection, []) == []


@pytest.mark.parametrize("version", ["v0.10.2", "v1.5.0", "latest"])
def test_databases_for_older_versions_are_read_as_any(version: str) -> None:
    """The setting changes the trees that DuckDB gives, of whose names nothing was found."""
    with imputedb.connect() as db:
        db.execute(f"SET storage_compatibility_version = '{version}'")
        db.execute("CREATE TABLE t AS SELECT i, CASE WHEN i % 3 > 0 THEN i END AS x FROM range(9) r(i)")
        db.execute("CREATE VIEW v AS SELECT x FROM t; CREATE MACRO twice(a) AS 2 * a")
        for source in ("t", "v", "(SELECT x FROM t WHERE i >= 0)"):
            assert db.sql(f"SELECT count(x), sum(twice(x)) FROM {source}", imputer="mean").fetchall() == [(9, 78)]
        assert db.sql("SELECT current_setting('storage_compatibility_version')").fetchall() == [(version,)]
