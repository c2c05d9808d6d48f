"""Three walls, each with the other two down: a write, a file or a setting that is smuggled through either door."""

import hashlib
import os
from functools import partial
from pathlib import Path

import pytest

import imputedb
from imputedb.errors import StorageError
from imputedb.service import instance
from imputedb.service.core import Core
from imputedb.service.sandbox import confinement
from imputedb.service.sandbox.worker import Start
from imputedb.service.security.statements import Guard
from tests.service.conftest import asking, configuration, made
from tests.service.wire import Client, door, kinds, rows

SMUGGLED = (
    "INSERT INTO person VALUES (1, 2, 3, 'f')",
    "WITH x AS (DELETE FROM person RETURNING *) SELECT * FROM x",
    "DROP TABLE person",
    "CREATE TABLE t AS SELECT 1",
    "CREATE IMPUTATION POLICY ON person(weight) DROP",
    "DROP IMPUTATION MODEL vitals",
    "COPY person TO '{folder}/out.csv'",
    "EXPORT DATABASE '{folder}/out'",
    "ATTACH '{folder}/new.duckdb' (READ_WRITE)",
    "ATTACH '{folder}/other.duckdb'",
    "SELECT * FROM read_csv('{folder}/secret.csv')",
    "SELECT * FROM '{folder}/secret.csv'",
    "SELECT * FROM anyfile('{folder}/secret.csv')",
    "SELECT * FROM read_text('/proc/self/environ')",
    "SELECT * FROM read_text('/etc/passwd')",
    "INSTALL httpfs FROM '{folder}'",
    "LOAD '{folder}/secret.csv'",
    "SELECT * FROM 'https://example.org/x.parquet'",
    "SET threads = 7",
    "SET GLOBAL memory_limit = '100GB'",
)


def _lack() -> str:
    """What the system lacks of the kernel's wall; nothing where it has all."""
    try:
        confinement.check()
    except StorageError as error:
        return str(error)
    return ""


def unlocked(path: Path, *, config: dict[str, object], locked: bool) -> imputedb.Database:
    assert locked
    return imputedb.connect(path, config=config)


KERNEL = pytest.param("kernel", marks=pytest.mark.skipif(bool(_lack()), reason=_lack() or "there is all"))


@pytest.mark.sampled(2)
@pytest.mark.parametrize("wall", ["statement", "instance", KERNEL])
def test_each_wall_alone_keeps_out_what_is_smuggled_through_either_door(
    wall: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = made(tmp_path / "survey.duckdb", rows=60)
    (tmp_path / "other.duckdb").write_bytes(path.read_bytes())
    (tmp_path / "secret.csv").write_text("pin\n4711\n")
    (tmp_path / "side").mkdir()
    before, there = hashlib.sha256(path.read_bytes()).digest(), sorted(os.listdir(tmp_path))
    if wall == "statement":
        monkeypatch.setattr(instance, "connect", unlocked)
    else:
        monkeypatch.setattr(Guard, "_check", lambda *_: None)
    if wall == "kernel":
        monkeypatch.setattr(instance, "Start", partial(Start, locked=False))
    core = Core(path, configuration(sandbox=wall == "kernel", workers=1), lambda _: None)
    with asking(core, tmp_path / "side") as http, door(core) as own, Client(own.port, user="ann") as wire:
        for text in SMUGGLED:
            asked = text.format(folder=tmp_path)
            found = http.post("/v1/query", json={"sql": asked})
            assert found.status_code in (400, 403, 422, 503), (asked, found.text)
            assert "4711" not in found.text
            if not asked.startswith(("COPY", "SET")):  # which are commands of that door's own
                assert "E" in kinds(wire.query(asked)), asked
        assert rows(wire.query("SELECT count(*) FROM person")) == [(b"60",)]
    core.close()
    assert hashlib.sha256(path.read_bytes()).digest() == before
    assert sorted(os.listdir(tmp_path)) == there
