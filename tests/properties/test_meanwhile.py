"""Another connection of the process writes before each statement of a call in turn: an answer is of one state."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest

import imputedb
from imputedb import Database, Error, InternalError
from imputedb.engines.duckdb.interrupt import StatementRunner

ROWS = """t AS SELECT i AS id, CASE WHEN i % 4 > 0 THEN i * 1.0 END AS x,
    CASE WHEN i % 5 > 0 THEN 'g' || (i % 3) END AS g FROM range({}) r(i)"""

WRITES = {
    "a row is inserted": "INSERT INTO t VALUES (1000, NULL, NULL)",
    "a clean column gets a gap": "UPDATE t SET id = NULL WHERE id = 1",
    "a column is added": "ALTER TABLE t ADD COLUMN more DOUBLE",
    "a column is dropped": "ALTER TABLE t DROP COLUMN g",
    "a column is renamed": "ALTER TABLE t RENAME x TO y",
    "a type is changed": "ALTER TABLE t ALTER x TYPE INTEGER",
    "the table is made anew": f"CREATE OR REPLACE TABLE {ROWS.format(8)}",
}

KEPT = "SELECT *, (SELECT count(*) FROM t) AS n FROM t"

ASKED = {
    "a question": "SELECT count(*), count(id), sum(x) FROM t WHERE x > (SELECT avg(x) FROM t)",
    "a table is made": f"CREATE TABLE kept AS {KEPT}",
    "rows are inserted": "INSERT INTO into_it SELECT id, x, (SELECT count(*) FROM t) FROM t",
    "a file is written": f"COPY ({KEPT}) TO '{{path}}'",
    "complete columns alone": "INSERT INTO into_it SELECT id, id, (SELECT count(*) FROM t) FROM t",
}


class Meanwhile:
    """A database with another connection to it, which writes before the n-th statement of a call."""

    def __init__(self, db: Database, other: duckdb.DuckDBPyConnection, path: Path) -> None:
        self.db, self.other, self.path = db, other, path
        self.write, self.at, self.ran = "", -1, 0

    def watch(self, monkeypatch: pytest.MonkeyPatch) -> None:
        waited = StatementRunner._run_on_worker

        def watched(runner: StatementRunner, work: Any) -> Any:
            self.ran += 1
            if self.ran - 1 == self.at:
                self.other.execute(self.write)
            return waited(runner, work)

        monkeypatch.setattr(StatementRunner, "_run_on_worker", watched)

    def answer(self, text: str, at: int | None) -> str:
        """What a statement gives, keeps, or is refused with; the write comes before statement `at`, or before all."""
        self.at = -1
        made = f"CREATE OR REPLACE TABLE {ROWS.format(40)}; DROP TABLE IF EXISTS kept; DELETE FROM into_it"
        self.other.execute(made if at is not None else f"{made}; {self.write}")
        self.path.unlink(missing_ok=True)
        self.ran, self.at = 0, -1 if at is None else at
        try:
            found = self.db.sql(text.format(path=self.path), imputer="mean")
            told = str(found.fetchall()) if text.startswith("SELECT") else ""
        except InternalError:
            raise
        except Error as error:
            return f"refused: {error}"
        finally:
            self.at = -1
        for name in ("kept", "into_it"):
            if self.other.execute(f"SELECT 1 FROM duckdb_tables() WHERE table_name = '{name}'").fetchall():
                told += str(self.other.execute(f"FROM {name} ORDER BY ALL").fetchall())
        return told + ("".join(sorted(self.path.read_text())) if self.path.exists() else "")


@pytest.fixture
def meanwhile(tmp_path: Path) -> Iterator[Meanwhile]:
    path = tmp_path / "data.duckdb"
    config = {"autoinstall_known_extensions": "false", "autoload_known_extensions": "false"}
    with imputedb.connect(path) as db, duckdb.connect(str(path), config=config) as other:
        other.execute("CREATE TABLE into_it(id DOUBLE, x DOUBLE, n BIGINT)")
        yield Meanwhile(db, other, tmp_path / "kept.csv")


STEP = int(os.environ.get("MEANWHILE", "19"))
"""Of so many statements of a call a write comes before one; before each with `MEANWHILE=1`."""

TRIED = [
    ("rows are inserted", "a clean column gets a gap"),
    ("rows are inserted", "a column is dropped"),
    ("complete columns alone", "a row is inserted"),
    ("a table is made", "the table is made anew"),
    ("a file is written", "a column is renamed"),
    ("a question", "a type is changed"),
]


@pytest.mark.sampled(3)
@pytest.mark.parametrize(("asked", "write"), TRIED)
def test_an_answer_is_of_one_state(
    meanwhile: Meanwhile, asked: str, write: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    text, meanwhile.write = ASKED[asked], WRITES[write]
    known = [meanwhile.answer(text, -1), meanwhile.answer(text, None)]
    meanwhile.watch(monkeypatch)
    for at in range(TRIED.index((asked, write)) % STEP, 200, STEP):
        found = meanwhile.answer(text, at)
        assert found in known, f"before statement {at}: {found}"
        if meanwhile.ran <= at:
            break
    assert at > 6
