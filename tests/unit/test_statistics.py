import math
from dataclasses import replace
from pathlib import Path

import duckdb
import pytest

from imputedb import Database, connect
from imputedb.algebra.column import Column
from imputedb.algebra.scalar import OPAQUE, AllOf, AnyOf, Compare, Condition, Equal, Negation, Unknown
from imputedb.engines.duckdb import column_aggregates, profile
from imputedb.engines.duckdb.statistics_text import dumped
from imputedb.statistics.cardinality import dropped, filtered, joined
from imputedb.statistics.histogram import Frequencies, Quantiles
from imputedb.statistics.selectivity import UNKNOWN, selectivity
from imputedb.statistics.table import MANY_LEVELS, ColumnStatistics, Kind, Statistics

X, Y, S = Column("t", "x"), Column("t", "y"), Column("t", "s")
EVEN = Quantiles(tuple(float(i) for i in range(101)), 101)
KNOWN = {
    X: (ColumnStatistics("INTEGER", Kind.INTEGER, 20, 101, "50", 0.5, EVEN), 0.2),
    Y: (ColumnStatistics("INTEGER", Kind.INTEGER, 0, 10, "5", 0.5, Quantiles((0.0, 9.0), 10)), 0.0),
    S: (ColumnStatistics("VARCHAR", Kind.CATEGORY, 0, 4, "a", 0.5, Frequencies({"a": 0.5, "b": 0.3}, 4)), 0.0),
}


@pytest.mark.parametrize(
    ("condition", "share"),
    [
        (Compare(X, "<", 50), 0.5),
        (Compare(X, ">=", 75), 0.25),
        (Compare(X, "<", -1), 0.0),
        (Compare(X, ">", 1000), 0.0),
        (Compare(X, "=", 1000), 0.0),
        (AllOf((Compare(X, ">=", 25), Compare(X, "<=", 75))), 0.5),
        (AllOf((Compare(X, ">=", 50), Compare(S, "=", "a"))), 0.25),
        (Compare(S, "=", "b"), 0.3),
        (Compare(S, "=", "z"), 0.1),
        (Compare(S, "<>", "a"), 0.5),
        (AnyOf((Compare(S, "=", "a"), Compare(S, "=", "b"))), 0.8),
        (Negation(Compare(X, "<", 50)), 0.5),
        (Unknown(X), 0.2),
        (Equal(X, Y), 1 / 101),
        (OPAQUE, UNKNOWN),
        (AllOf(()), 1.0),
    ],
)
def test_selectivity_by_hand(condition: Condition, share: float) -> None:
    assert selectivity(condition, KNOWN.__getitem__) == pytest.approx(share, abs=0.011)


def test_heavy_values_keep_their_weight() -> None:
    mostly_zero = Quantiles((0.0,) * 60 + tuple(float(i) for i in range(1, 6)), 6)
    assert mostly_zero.equal(0.0) > 0.9
    assert mostly_zero.below(0.0) == 0.0
    assert mostly_zero.up_to(5.0) == 1.0


def _algorithm_1(rows: float, missing: dict[str, float], dropped_columns: set[str]) -> tuple[float, dict[str, float]]:
    """The paper's Drop, literally: histograms with missing counts, cut to the smallest cardinality among C."""
    cardinality = {c: rows - (gone if c in dropped_columns else 0.0) for c, gone in missing.items()}
    smallest = min(cardinality.values())
    after = {c: 0.0 if c in dropped_columns else gone * smallest / cardinality[c] for c, gone in missing.items()}
    return smallest, after


@pytest.mark.parametrize(
    "bounds",
    [
        (0.0, 1.0, math.inf),
        (-1.5, 0.0, 2.25, math.inf, math.inf),
        (-math.inf, 1.0, math.inf),
        (-math.inf, math.inf),
        (math.inf, math.inf),
        (-1.7e308, 1.6e308, 1.7e308),
    ],
)
def test_shares_of_columns_that_hold_infinities_are_shares(bounds: tuple[float, ...]) -> None:
    """A share that is no number made a price that is none, and no plan."""
    known = Quantiles(bounds, 3)
    last = 0.0
    for value in sorted({*bounds, -math.inf, -1e308, -5.0, 0.0, 2.25, 1e308, math.inf}):
        assert last <= known.below(value) <= known.up_to(value) <= 1
        assert 0 <= known.equal(value) <= 1
        last = known.up_to(value)


def test_propagation_is_algorithm_1_with_constant_shares() -> None:
    rows, missing = 1000.0, {"a": 100.0, "b": 300.0, "c": 50.0}
    for columns in ({"a"}, {"b"}, {"a", "b"}, {"a", "b", "c"}):
        literal, after = _algorithm_1(rows, missing, columns)
        assert dropped(rows, (missing[c] / rows for c in columns)) == pytest.approx(literal)
        for column, gone in after.items():
            share = 0.0 if column in columns else missing[column] / rows
            assert gone / literal == pytest.approx(share)


def test_estimates_never_rise_where_rows_cannot() -> None:
    assert filtered(100, 0.3) <= 100
    assert dropped(100, ()) == 100
    assert joined(100, 50, 1 / 50) == 100


def test_gathered_statistics(db: Database) -> None:
    db.execute(
        "CREATE TABLE t AS SELECT i AS id, CASE WHEN i % 4 = 0 THEN NULL ELSE i % 10 END AS x, 7 AS seven, "
        "CASE WHEN i % 3 = 0 THEN NULL ELSE 'k' || (i % 2) END AS s, i / 2.0 AS f FROM range(1000) r(i)"
    )
    (profile,) = db.profile("t")
    by_name = {column.name: column for column in profile.columns}
    assert profile.rows == 1000
    assert by_name["x"].missing == 250
    assert by_name["s"].share == pytest.approx(0.334)
    assert by_name["id"].distinct == 1000
    statistics = db._engine.statistics(db._engine.tables.named("t"))
    assert statistics.dirty == {"x", "s"}
    assert statistics.key == "id"
    assert statistics.predictors == {"x", "s", "f"}
    assert statistics.columns["x"].centre == str(round(sum(i % 10 for i in range(1000) if i % 4) / 750))
    assert math.isclose(sum(pattern.rows for pattern in profile.patterns), 1000)


def test_statistics_follow_writes_and_are_kept(tmp_path: "object") -> None:
    import imputedb

    path = str(tmp_path) + "/a.duckdb"
    with imputedb.connect(path) as db:
        db.execute("CREATE TABLE t AS SELECT i AS a, nullif(i % 5, 0) AS b FROM range(50) r(i)")
        assert db.sql("SELECT avg(b) FROM t", imputer="mean").report.imputed == {"t.b": 10}
        db.execute("UPDATE t SET b = 3 WHERE b IS NULL")
        assert db.sql("SELECT avg(b) FROM t", imputer="mean").report.strategy == "verbatim"
        db.execute("INSERT INTO t VALUES (99, NULL)")
        assert db.sql("SELECT avg(b) FROM t", imputer="mean").report.imputed == {"t.b": 1}
    with imputedb.connect(path) as db:
        assert db.execute("SELECT count(*) FROM imputedb.statistics") == [(1,)]
        assert db.sql("SELECT avg(b) FROM t", imputer="mean").report.imputed == {"t.b": 1}


def test_another_connection_of_this_process_is_noticed(tmp_path: "object") -> None:
    import duckdb

    import imputedb

    path = str(tmp_path) + "/a.duckdb"
    with imputedb.connect(path) as db:
        db.execute("CREATE TABLE t AS SELECT i AS a FROM range(50) r(i)")
        assert db.sql("SELECT avg(a) FROM t").report.strategy == "verbatim"
        other = duckdb.connect(
            path, config={"autoinstall_known_extensions": "false", "autoload_known_extensions": "false"}
        )
        other.execute("UPDATE t SET a = NULL WHERE a = 7")
        other.close()
        assert db.sql("SELECT avg(a) FROM t", imputer="mean").report.imputed == {"t.a": 1}


def test_empty_table(db: Database) -> None:
    db.execute("CREATE TABLE t (a INTEGER, b VARCHAR)")
    assert db.sql("SELECT a, b FROM t").fetchall() == []
    assert db.sql("SELECT count(*), sum(a) FROM t").fetchall() == [(0, None)]
    assert Statistics(0, {}).missing_share("x") == 0.0


def test_a_query_of_two_columns_looks_at_no_other(db: Database) -> None:
    """Of a complete table nothing is gathered; a table of 5,000 columns is asked about two of them in one statement."""
    db.execute("CREATE TABLE wide AS SELECT " + ", ".join(f"{place} AS c{place}" for place in range(5000)))
    seen: list[str] = []
    rows = db._engine.session.rows

    def watched(text: str, *values: object) -> list[tuple[object, ...]]:
        seen.append(text)
        return rows(text, *values)

    db._engine.session.rows = watched  # type: ignore[method-assign]
    assert db.sql("SELECT sum(c7), max(c8) FROM wide").fetchall() == [(7, 8)]
    assert not [text for text in seen if "c9" in text]
    assert len(seen) < 6


def test_statements_that_gather_do_not_grow_with_the_table(db: Database) -> None:
    names = [f"c{place}" for place in range(900)]
    db.execute(
        "CREATE TABLE wide AS SELECT " + ", ".join(f"i % 7 AS {name}" for name in names) + " FROM range(50) r(i)"
    )
    sizes: list[int] = []
    rows = db._engine.session.rows

    def watched(text: str) -> list[tuple[object, ...]]:
        sizes.append(text.count("clean.c"))
        return rows(text)

    db._engine.session.rows = watched  # type: ignore[method-assign]
    (profile,) = db.profile("wide")
    assert [column.distinct for column in profile.columns] == [7] * 900
    assert max(sizes) <= 4 * 200
    assert len(sizes) < 12, "columns of one type are gathered by the thousand"


_TYPED = {
    "tiny": "(i % 7)::UTINYINT",
    "whole": "i * 1000003",
    "huge": "(i % 11)::HUGEINT << 90",
    "exact": "(i / 7)::DECIMAL(9, 3)",
    "double": "CASE i % 9 WHEN 0 THEN 'inf' WHEN 1 THEN 'nan' ELSE i / 3 END::DOUBLE",
    "truth": "i % 3 = 0",
    "word": "'k' || (i % 5)",
    "level": "(['low', 'mid', 'high'])[i % 3 + 1]::ENUM ('low', 'mid', 'high')",
    "day": "DATE '2020-01-01' + (i % 40)::INTEGER",
    "moment": "TIMESTAMP '2020-01-01' + to_hours(i)",
    "clock": "TIME '00:00:00' + to_minutes(i)",
    "span": "to_days((i % 13)::INTEGER)",
    "nested": "[i]",
    "blob": "('x' || i)::BLOB",
}


@pytest.mark.parametrize("rows", [1, 150])
def test_columns_below_each_other_are_told_what_columns_side_by_side_are(
    db: Database, monkeypatch: pytest.MonkeyPatch, rows: int
) -> None:
    items = [f"CASE WHEN i % 10 > {n} THEN {e} END AS {k}{n}" for k, e in _TYPED.items() for n in (0, 1, 11)]
    db.execute(f"CREATE TABLE t AS SELECT {', '.join(items)} FROM range(1, {rows + 1}) r(i)")
    db.missing("t", "whole0", [7 * 1000003])
    table = db._engine.tables.named("t")
    shape = db._engine.tables.shape(table)
    beside = db._engine.gathering.profiled(table, shape)
    monkeypatch.setattr(column_aggregates, "MANY_COLUMNS", 1)
    assert dumped(db._engine.gathering.profiled(table, shape)) == dumped(beside)


def test_categories_with_very_many_levels_are_no_regressors() -> None:
    most = ColumnStatistics("VARCHAR", Kind.CATEGORY, 0, MANY_LEVELS)
    columns = {"few": most, "many": replace(most, distinct=MANY_LEVELS + 1), "same": replace(most, distinct=1)}
    columns["number"] = ColumnStatistics("DOUBLE", Kind.NUMBER, 0, 5 * MANY_LEVELS)
    known = Statistics(10 * MANY_LEVELS, columns)
    assert known.predictors == {"few", "many", "number"}
    assert known.regressors == {"few", "number"}


def test_a_sample_tells_distributions_and_all_rows_tell_the_rest(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a large table no statement brings more rows than the sample has; counts, centres and ends are of all rows."""
    items = [f"CASE WHEN i % 10 > {n} THEN {e} END AS {k}{n}" for k, e in _TYPED.items() for n in (0, 1, 11)]
    items.append("CASE WHEN i = 2999 THEN i / 2 END AS alone")
    db.execute(f"CREATE TABLE t AS SELECT {', '.join(items)} FROM range(1, 4001) r(i)")
    db.missing("t", "whole0", [7 * 1000003])
    table = db._engine.tables.named("t")
    shape = db._engine.tables.shape(table)
    whole = db._engine.gathering.profiled(table, shape)
    sizes: list[int] = []
    rows, numbers = db._engine.session.rows, db._engine.session.numbers

    def watched(text: str) -> list[tuple[object, ...]]:
        found = rows(text)
        sizes.append(len(found))
        return found

    def watched_numbers(text: str) -> list[object]:
        found = numbers(text)
        sizes.append(len(found[0]) // len(shape.types))  # of few rows columns come below each other
        return list(found)

    monkeypatch.setattr(db._engine.session, "rows", watched)
    monkeypatch.setattr(db._engine.session, "numbers", watched_numbers)
    monkeypatch.setattr(profile, "SAMPLE", 500)
    sampled = db._engine.gathering.profiled(table, shape)
    assert 0 < max(sizes) <= 500
    assert dumped(db._engine.gathering.profiled(table, shape)) == dumped(sampled)
    assert (sampled.rows, sampled.content, sampled.dirty) == (whole.rows, whole.content, whole.dirty)
    for name, known in whole.columns.items():
        told = sampled.columns[name]
        assert (told.kind, told.missing, told.centre) == (known.kind, known.missing, known.centre), name
        assert told.distinct == pytest.approx(known.distinct, rel=0.2), name
        assert whole.is_key(name) == sampled.is_key(name), name
        if isinstance(known.histogram, Quantiles) and isinstance(told.histogram, Quantiles):
            assert (told.histogram.bounds[0], told.histogram.bounds[-1]) == pytest.approx(
                (known.histogram.bounds[0], known.histogram.bounds[-1])
            ), name


def test_nan_is_missing_whenever_it_was_written(tmp_path: Path) -> None:
    """Columns that are known to hold no NaN are read as they stand, and only as long as that is so."""
    steps = [
        "INSERT INTO t VALUES (5, 1), ('nan', 2)",
        "BEGIN",
        "INSERT INTO t VALUES ('nan', 6)",
        "ROLLBACK",
        "DELETE FROM t WHERE isnan(x)",
        "UPDATE t SET x = 'nan' WHERE y = 1",
        "CHECKPOINT",
        "BEGIN",
        "UPDATE t SET x = 7 WHERE isnan(x)",
        "COMMIT",
        "ALTER TABLE t ALTER y TYPE DOUBLE USING CASE WHEN y = 1 THEN 'nan'::DOUBLE ELSE y END",
        "CREATE OR REPLACE TABLE t AS SELECT 'nan'::FLOAT AS x, i AS y FROM range(3) r(i)",
    ]
    made = "CREATE TABLE t AS SELECT CASE WHEN i % 3 > 0 THEN i::DOUBLE END AS x, i AS y FROM range(9) r(i)"
    query = "SELECT count(*), sum(x) FROM t WHERE x > 1"
    with connect(tmp_path / "a.duckdb") as db, duckdb.connect() as plain:
        seen = _statements(db)
        for step in (made, *steps):
            db.execute(step)
            plain.execute(step).fetchall()
            table = db._engine.tables.named("t")
            db._engine.statistics(table)
            held = plain.execute("SELECT bool_or(isnan(x::DOUBLE)), bool_or(isnan(y::DOUBLE)) FROM t").fetchall()
            known = db._engine.gathering.without_nan(table)
            assert [("x" in known, "y" in known)] == [(not x, not y) for x, y in held], step
            clean = f"WITH u AS (SELECT if(isnan(x), NULL, x) AS x FROM t) {query.replace(' t ', ' u ')}"
            expected = plain.execute(clean).fetchall()
            assert db.sql(query, imputer="drop").fetchall() == expected, step
    texts = [text for text in seen if "sum(" in text]
    assert {"isnan" in text for text in texts} == {True, False}


def _statements(db: Database) -> list[str]:
    """The statements that are answered with rows, as they come."""
    seen: list[str] = []
    held = db._engine.held

    def watched(text: str, *values: object, **more: object) -> object:
        seen.append(text)
        return held(text, *values, **more)  # type: ignore[arg-type]

    db._engine.held = watched  # type: ignore[method-assign, assignment]
    return seen
