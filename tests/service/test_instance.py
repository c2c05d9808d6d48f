"""The second wall: the instance itself, the tree being down: no write to the file, no other file, no setting."""

from collections.abc import Iterator
from pathlib import Path

import pytest

import imputedb
from imputedb import Database
from imputedb.errors import Error, QueryError, StorageError
from tests.service.conftest import made


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    found = tmp_path_factory.mktemp("locked")
    made(found / "survey.duckdb", rows=40)
    made(found / "other.duckdb", rows=10)
    (found / "secret.csv").write_text("pin\n4711\n")
    return found


@pytest.fixture(scope="module")
def locked(folder: Path) -> Iterator[Database]:
    with imputedb.connect(folder / "survey.duckdb", locked=True, config={"memory_limit": "200MB", "threads": 1}) as db:
        yield db


WRITES = (
    "INSERT INTO person VALUES (1, 2, 3, 'f')",
    "WITH x AS (DELETE FROM person RETURNING *) SELECT * FROM x",
    "UPDATE person SET id = 1",
    "CREATE TABLE t AS SELECT 1",
    "CREATE VIEW v AS SELECT 1",
    "DROP TABLE person",
    "ALTER TABLE person ADD COLUMN x INTEGER",
    "CREATE IMPUTATION POLICY ON person(weight) DROP",
    "CREATE IMPUTATION MODEL m ON person",
    "DROP IMPUTATION MODEL vitals",
)

FILES = (
    "COPY person TO '{folder}/out.csv'",
    "WITH x AS (COPY person TO '{folder}/out.csv') SELECT * FROM x",
    "EXPORT DATABASE '{folder}/out'",
    "SELECT * FROM read_csv('{folder}/secret.csv')",
    "SELECT * FROM '{folder}/secret.csv'",
    "SELECT * FROM read_text('{folder}/secret.csv')",
    "SELECT * FROM anyfile('{folder}/secret.csv')",
    "SELECT * FROM query('SELECT * FROM read_text(''{folder}/secret.csv'')')",
    "SELECT * FROM glob('{folder}/*')",
    "ATTACH '{folder}/other.duckdb'",
    "ATTACH '{folder}/new.duckdb'",
    "COPY (SELECT 1) TO '.tmp/out.csv'",
    "INSTALL httpfs",
    "LOAD httpfs",
    "SELECT * FROM 'https://example.org/x.parquet'",
)

SETTINGS = (
    "SET enable_external_access = true",
    "SET GLOBAL enable_external_access = true",
    "SET lock_configuration = false",
    "RESET lock_configuration",
    "SET memory_limit = '100GB'",
    "SET threads = 64",
    "SET temp_directory = '{folder}'",
    "SET python_enable_replacements = true",
    "PRAGMA enable_profiling",
    "CALL enable_logging()",
)


@pytest.mark.parametrize("text", [*WRITES, *FILES, *SETTINGS])
@pytest.mark.parametrize("way", ["sql", "execute"])
def test_the_instance_alone_refuses(locked: Database, folder: Path, text: str, way: str) -> None:
    before = (folder / "survey.duckdb").read_bytes()
    with locked.session() as session, pytest.raises(Error):
        getattr(session, way)(text.format(folder=folder))
    assert (folder / "survey.duckdb").read_bytes() == before
    assert sorted(path.name for path in folder.iterdir() if "imputedb" not in path.name) == [
        "other.duckdb",
        "secret.csv",
        "survey.duckdb",
    ]


@pytest.mark.parametrize("name", ["memory_limit", "threads", "temp_directory", "enable_external_access"])
def test_settings_are_those_of_the_opening(locked: Database, name: str) -> None:
    wanted = {"memory_limit": "190.7 MiB", "threads": 1, "temp_directory": "", "enable_external_access": False}
    for db in (locked, locked.session()):
        assert db.execute(f"SELECT current_setting('{name}')") == [(wanted[name],)]


def test_answers_are_those_of_an_open_database(locked: Database, folder: Path) -> None:
    texts = [
        "SELECT * FROM person ORDER BY id",
        "SELECT sex, avg(weight) FROM tall GROUP BY sex ORDER BY sex",
        "SELECT bmi(weight, height) FROM person ORDER BY id",
    ]
    with imputedb.connect(folder / "survey.duckdb", read_only=True) as db:
        for text in texts:
            for fit in ("query", "table", "auto"):
                wanted = db.sql(text, fit=fit).fetchall()  # type: ignore[arg-type]
                assert locked.sql(text, fit=fit).fetchall() == wanted  # type: ignore[arg-type]
                with locked.session() as session:
                    assert session.sql(text, fit=fit).fetchall() == wanted  # type: ignore[arg-type]
        assert locked.policies() == db.policies()
        assert (
            locked.sql("SELECT avg(weight) FROM person", m=7).fetchall()
            == db.sql("SELECT avg(weight) FROM person", m=7).fetchall()
        )


def test_variables_of_callers_are_no_tables(locked: Database) -> None:
    frame = {"x": [1]}
    with pytest.raises(Error, match="frame"):
        locked.sql("SELECT * FROM frame")
    assert frame


def test_memory_that_does_not_suffice_is_an_error_and_the_session_goes_on(locked: Database) -> None:
    with locked.session() as session:
        with pytest.raises(Error, match="memory"):
            session.sql("SELECT count(DISTINCT hash(range)) FROM range(100000000)")
        assert session.execute("SELECT count(*) FROM person") == [(40,)]


def test_what_cannot_be_opened_so_is_told(tmp_path: Path, folder: Path) -> None:
    with pytest.raises(StorageError, match="no such file"):
        imputedb.connect(tmp_path / "nix.duckdb", locked=True)
    with pytest.raises(QueryError, match="in memory cannot be locked"):
        imputedb.connect(locked=True)
    for config in ({"memory_limit": "much"}, {"nix": 1}):
        with pytest.raises(QueryError, match="the setting"):
            imputedb.connect(folder / "survey.duckdb", locked=True, config=config)
