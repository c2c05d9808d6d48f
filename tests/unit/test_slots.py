"""Arrays that statements read: by names that no catalog has."""

from pathlib import Path

import duckdb
import numpy as np
import pytest

import imputedb
from imputedb import Database
from imputedb.engines.duckdb.arrays import ArraySlots

IMPUTING = "SELECT avg(pulse) FROM exam WHERE height > 150"
VIEWS = "SELECT view_name FROM duckdb_views() WHERE NOT internal"


@pytest.fixture
def connection() -> duckdb.DuckDBPyConnection:
    made = duckdb.connect()
    made.execute("SET python_enable_replacements = false")
    return made


def test_nothing_but_tables_is_shown(people: Database, tmp_path: Path) -> None:
    result = people.sql(IMPUTING, imputer="knn")
    result.write(str(tmp_path / "written.csv"), "csv")
    assert people.sql(VIEWS).fetchall() == people.execute(VIEWS) == []
    shown = {name for (name,) in people.execute("SHOW TABLES")}
    assert shown == set(people.tables())


def test_a_result_of_a_database_open_for_reading_is_written(tmp_path: Path) -> None:
    with imputedb.connect(str(tmp_path / "kept.duckdb")) as db:
        db.register("t", {"x": np.array([1.0, np.nan, 3.0])}, keep=True)
    with imputedb.connect(str(tmp_path / "kept.duckdb"), read_only=True) as db:
        db.sql("SELECT sum(x) AS s FROM t", imputer="mean").write(str(tmp_path / "s.csv"), "csv")
    assert (tmp_path / "s.csv").read_text() == "s\n6.0\n"


def test_a_name_is_kept_for_other_arrays(connection: duckdb.DuckDBPyConnection) -> None:
    slots = ArraySlots(connection)
    first = slots.bind({"a": np.arange(3)})
    second = slots.bind({"b": np.array(["x", None], object)})
    assert connection.execute(f"FROM {second}").fetchall() == [("x",), (None,)]
    slots.release([first])
    assert slots.bind({"c": np.ma.masked_array([1.5, 2.5], [True, False])}) == first != second
    assert connection.execute(f"SELECT c FROM {first}").fetchall() == [(None,), (2.5,)]


def test_no_transaction_takes_a_name_back(connection: duckdb.DuckDBPyConnection) -> None:
    slots = ArraySlots(connection)
    connection.execute("BEGIN")
    name = slots.bind({"a": np.arange(2)})
    connection.execute("ROLLBACK")
    assert connection.execute(f"FROM {name}").fetchall() == [(0,), (1,)]


def test_variables_of_ours_are_no_tables(people: Database) -> None:
    people.sql(IMPUTING, imputer="knn")
    with pytest.raises(imputedb.QueryError, match="rows"):
        people.sql("SELECT a FROM rows")
