"""Columns of every type: those that can be imputed are, in their own type; of others NULL stays where it is shown."""

from collections.abc import Iterator
from datetime import timedelta

import pytest

import imputedb
from imputedb import Database

IMPUTED = {
    "t": "TIME '08:00:00' + to_seconds(i * 60)",
    "tz": "(TIME '08:00:00' + to_seconds(i * 60))::TIMETZ",
    "iv": "to_seconds(i * 3600)",
    "ns": "(TIMESTAMP '2020-01-01' + to_days(i::INTEGER))::TIMESTAMP_NS",
    "ms": "(TIMESTAMP '2020-01-01' + to_days(i::INTEGER))::TIMESTAMP_MS",
    "s": "(TIMESTAMP '2020-01-01' + to_days(i::INTEGER))::TIMESTAMP_S",
    "tstz": "(TIMESTAMP '2020-01-01' + to_days(i::INTEGER))::TIMESTAMPTZ",
    "h": "(i * 100000000000000000000)::HUGEINT",
    "uh": "(i % 2)::UHUGEINT",
    "de": "(i / 7)::DECIMAL(38, 10)",
}
OPAQUE = {
    "l": "[i]",
    "st": "{'a': i}",
    "m": "MAP {'a': i}",
    "b": "'101'::BIT",
    "bl": "'ab'::BLOB",
    "u": "uuid()",
    "dl": "[i::DECIMAL(4, 1)]",
    "el": "['a'::ENUM('a', 'b')]",
    "ar": "[i, i]::BIGINT[2]",
    "e": "NULL::VARCHAR",
    "ei": "NULL::INTEGER",
}


@pytest.fixture(scope="module")
def typed() -> Iterator[Database]:
    with imputedb.connect() as db:
        columns = ", ".join(
            f"CASE WHEN i % 4 > 0 THEN {text} END AS {name}" for name, text in (IMPUTED | OPAQUE).items()
        )
        db.execute(f"CREATE TABLE k AS SELECT i AS id, i % 3 AS g, i * 1.5 AS x, {columns} FROM range(1, 60) r(i)")
        yield db


@pytest.mark.parametrize("imputer", ["tree", "mean", "hotdeck", "knn", "pmm", "norm"])
@pytest.mark.parametrize("column", IMPUTED)
def test_values_come_back_in_the_columns_own_type(typed: Database, column: str, imputer: str) -> None:
    result = typed.sql(f"SELECT {column} FROM k ORDER BY id", imputer=imputer, seed=1)
    assert result.types == [typed.tables()["k"][column]]
    values = [row[0] for row in result.fetchall()]
    observed = [row[0] for row in typed.execute(f"SELECT {column} FROM k ORDER BY id")]
    assert len(values) == len(observed)
    assert None not in values
    assert all(a == b for a, b in zip(values, observed, strict=True) if b is not None)
    low, high = (min(v for v in observed if v is not None), max(v for v in observed if v is not None))
    if imputer != "norm":
        assert all(low <= value <= high for value in values)  # type: ignore[operator]


@pytest.mark.parametrize(("column", "start"), [("t", timedelta(hours=8)), ("iv", timedelta())])
def test_times_and_durations_follow_what_predicts_them(typed: Database, column: str, start: timedelta) -> None:
    """Both grow with x, a minute or an hour for each 1.5, so that a line finds them within a second."""
    typed.execute(f"CREATE OR REPLACE TABLE line AS SELECT id, x, {column} AS y FROM k")
    step = timedelta(minutes=1) if column == "t" else timedelta(hours=1)
    for number, found in typed.sql("SELECT id, y FROM line WHERE id % 4 = 0", imputer="norm").fetchall():
        length = timedelta(hours=found.hour, minutes=found.minute, seconds=found.second) if column == "t" else found
        assert abs(length - start - number * step) <= timedelta(seconds=1)


@pytest.mark.parametrize("column", OPAQUE)
@pytest.mark.parametrize("strategy", ["planned", "base"])
def test_what_cannot_be_imputed_is_shown_as_null_and_said(typed: Database, column: str, strategy: str) -> None:
    expected = typed.execute(f"SELECT id, {column} FROM k ORDER BY id")
    for text in (
        f"SELECT id, {column} FROM k ORDER BY id",
        f"SELECT q.id, q.{column} AS shown FROM (SELECT * FROM k) q ORDER BY id",
        f"WITH w AS (SELECT * FROM k ORDER BY id LIMIT 99) SELECT id, {column} FROM w ORDER BY id",
        f"SELECT id, {column} FROM (SELECT * FROM k UNION ALL SELECT * FROM k WHERE false) ORDER BY id",
    ):
        result = typed.sql(text, strategy=strategy)
        assert result.fetchall() == expected, text
        (warning,) = result.report.warnings
        assert warning.startswith(f"k.{column}: ")
    unread = typed.sql("SELECT count(*) FROM (SELECT * FROM k)", strategy=strategy)
    assert (unread.fetchall(), unread.report.warnings) == ([(59,)], ())


@pytest.mark.parametrize(
    "text",
    [
        "SELECT count(*) FROM k WHERE l[1] > 3",
        "SELECT DISTINCT l FROM k",
        "SELECT l, max(x) FROM k GROUP BY l",
        "SELECT l FROM k UNION SELECT l FROM k",
        "SELECT * FROM k ORDER BY l",
        "SELECT l FROM k ORDER BY 1",
        "SELECT l AS a FROM k WHERE a[1] > 3",
        "SELECT l AS a, a[1] FROM k",
        "SELECT l FROM (SELECT l FROM k) q WHERE l[1] > 3",
        "SELECT q.id FROM (SELECT * FROM k) q WHERE q.l IN (SELECT l FROM k)",
        "WITH w AS (SELECT l, id FROM k ORDER BY id LIMIT 9) SELECT a.l FROM w a JOIN w b ON a.l = b.l",
        "SELECT len(l) FROM k",
        "SELECT e || 'a' FROM k",
        "SELECT avg(ei) FROM k",
    ],
)
@pytest.mark.parametrize("strategy", ["planned", "base"])
def test_where_an_operator_examines_them_the_error_stands(typed: Database, text: str, strategy: str) -> None:
    with pytest.raises(imputedb.CannotImpute, match=r"cannot be imputed|no value of it is observed"):
        typed.sql(text, strategy=strategy)


def test_fields_of_a_struct_that_is_missing_can_be_asked_for(typed: Database) -> None:
    for condition in ("st.a IS NULL", "st.a IS NOT NULL", "coalesce(st.a, 5) = 5", "k.st.a IS NULL"):
        text = f"SELECT count(*) FROM k WHERE {condition}"
        assert typed.sql(text).fetchall() == typed.execute(text)


@pytest.mark.parametrize("imputer", ["mean", "tree", "knn", "norm", "pmm", "hotdeck"])
@pytest.mark.parametrize("kind", ["TIMESTAMP_S", "TIMESTAMP_MS"])
def test_timestamps_beyond_what_microseconds_hold_stand_beside_others(db: Database, kind: str, imputer: str) -> None:
    """DuckDB refuses to turn them into numbers: no column of a table that has one could be imputed."""
    db.execute(
        "CREATE TABLE t AS SELECT i AS id, CASE WHEN i % 5 > 0 THEN i * 2 END AS x, CASE i % 9 "
        f"WHEN 0 THEN '290309-12-22 00:00:00'::{kind} WHEN 1 THEN '290309-12-22 (BC)'::{kind} WHEN 2 THEN NULL "
        f"ELSE '2020-01-01'::{kind} + to_days(i::INTEGER) END AS far FROM range(60) r(i)"
    )
    assert db.sql("SELECT count(x) FROM t", imputer=imputer).fetchall() == [(60,)]
    assert db.sql("SELECT count(far), count(*) FILTER (far IS NOT NULL) FROM t", imputer=imputer).fetchall() == [
        (60, 53)
    ]
    stored = "SELECT far::VARCHAR FROM t WHERE far IS NOT NULL ORDER BY id"
    assert db.sql(stored, imputer=imputer).fetchall() == db.execute(stored)
