"""What is not had over Spark is refused by name before anything runs, and what goes wrong there is one sentence."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

import imputedb
from imputedb import Database
from imputedb.cli.main import main
from imputedb.errors import DataError, Error, QueryError, StorageError, UnknownName, Unplanned
from tests.spark.conftest import Pair, paired


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("SELECT string_agg(sex, ',') FROM person", "LISTAGG"),
        ("SELECT list(id) FROM person", "is not written for Spark yet"),
        ("SELECT hash(id) FROM person", "hash"),
        ("SELECT * FROM person POSITIONAL JOIN exam", "POSITIONAL JOIN"),
        ("SELECT DISTINCT ON (member) id FROM person", "DISTINCT ON"),
        ("SELECT id FROM person QUALIFY row_number() OVER (ORDER BY id) = 1", "QUALIFY"),
        ("SELECT CAST(height AS VARCHAR) FROM exam", "the text of such values is another one in Spark"),
        ("SELECT id FROM person WHERE 'a' LIKE 'b\\_'", "backslashes"),
        ("CREATE TABLE x AS SELECT id FROM person", "bring the answer here"),
        ("COPY (SELECT id FROM person) TO 'x.csv'", "bring the answer here"),
        ("DROP TABLE person", "DROP is not run over Spark"),
        ("SELECT avg(height) FROM exam", "imputer 'knn' is handed rows"),
    ],
)
def test_what_spark_has_no_equal_of_is_named(people: Pair, text: str, words: str) -> None:
    with pytest.raises(Unplanned) as caught:
        people.spark.sql(text, imputer="knn" if "knn" in words else "mean")
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "call",
    [
        lambda db, _: db.sql("SELECT avg(height) FROM exam", method="bounds"),
        lambda db, path: db.impute("exam", path / "out", m=2),
        lambda db, path: db.load(str(path / "x.csv")),
        lambda db, _: db.register("x", {"a": [1]}),
        lambda db, _: db.evaluate("exam"),
        lambda db, _: db.session(),
    ],
)
def test_what_needs_rows_here_is_refused(people: Pair, tmp_path: Path, call: Callable[[Database, Path], Any]) -> None:
    with pytest.raises(QueryError, match="Spark"):
        call(people.spark, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_type_that_is_not_read_is_named(session: Any) -> None:
    session.sql("SELECT map('a', 1) AS m, 2 AS x").createOrReplaceTempView("odd")
    with imputedb.connect(spark=session) as db, pytest.raises(DataError, match=r"odd\.m is of type map"):
        db.sql("SELECT x FROM odd")
    session.catalog.dropTempView("odd")


def test_a_table_that_is_gone_or_changed_is_seen(session: Any) -> None:
    with imputedb.connect(spark=session) as db:
        session.sql("SELECT 1 AS x UNION ALL SELECT 3").createOrReplaceTempView("passing")
        assert db.sql("SELECT sum(x) FROM passing").fetchall() == [(4,)]
        session.sql("SELECT 1 AS x, 'a' AS y UNION ALL SELECT NULL, 'b'").createOrReplaceTempView("passing")
        assert db.sql("SELECT count(x), max(y) FROM passing", imputer="mean").fetchall() == [(2, "b")]
        session.catalog.dropTempView("passing")
        with pytest.raises(UnknownName, match="passing"):
            db.sql("SELECT sum(x) FROM passing")


def test_an_error_of_spark_while_it_runs_is_one_sentence(people: Pair) -> None:
    with pytest.raises(Error) as caught:
        people.spark.sql("SELECT CAST(CAST(id AS VARCHAR) || 'x' AS INTEGER) FROM person").fetchall()
    assert type(caught.value).__module__ == "imputedb.errors"
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"spark": 7}, "spark is 7"),
        ({"path": "sc://localhost:1", "read_only": True}, "a session of Spark has its own settings"),
        ({"path": "x.duckdb", "spark": 7}, "this is both"),
    ],
)
def test_no_session_is_said(given: dict[str, Any], words: str) -> None:
    pytest.importorskip("pyspark")
    pytest.importorskip("sqlglot")
    with pytest.raises(QueryError, match=words):
        imputedb.connect(**given)


def test_no_server_is_said() -> None:
    pytest.importorskip("pyspark")
    with pytest.raises(StorageError, match="sc://localhost:1"):
        imputedb.connect("sc://localhost:1")


def test_statistics_of_a_large_table_are_counts_and_a_sample(session: Any) -> None:
    pa = pytest.importorskip("pyarrow")
    rng = np.random.default_rng(5)
    n = 50_000
    x = rng.normal(10, 2, n)
    x[rng.random(n) < 0.2] = np.nan
    whole = pa.array(rng.integers(0, 40, n), mask=rng.random(n) < 0.1)
    pair = paired(session, {"large": pa.table({"id": pa.array(np.arange(n)), "x": pa.array(x), "whole": whole})})
    one, other = (db.profile("large")[0] for db in pair)
    assert [(c.name, c.missing) for c in one.columns] == [(c.name, c.missing) for c in other.columns]
    assert other.columns[0].distinct == n
    pair.rows("SELECT avg(x), avg(whole), count(*) FROM large WHERE x > 9", imputer="mean")


def test_the_command_answers_over_spark(address: str) -> None:
    found = CliRunner().invoke(main, ["query", address, "SELECT 6 * 7 AS answer", "--format", "csv"])
    assert (found.exit_code, found.stdout.split()) == (0, ["answer", "42"])
