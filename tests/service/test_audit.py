"""The audit log: every imputed answer is in it before it leaves, and what was changed, left out or cut off is seen."""

import json
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

import imputedb
from imputedb.cli.main import main
from imputedb.errors import DataError, StorageError
from imputedb.service.audit import GENESIS, Audit, entries, head, verify
from imputedb.service.core import Core
from imputedb.service.metrics.meter import Meter
from imputedb.service.request import Request
from imputedb.service.side import Side
from tests.service.conftest import READER, configuration, made

ROWS = [{"id": 1, "height": 180.0, "weight": None, "sex": "f"}]


@pytest.fixture
def side(tmp_path: Path) -> Iterator[Side]:
    found = Side(tmp_path / "survey.duckdb.imputedb")
    yield found
    found.close()


@pytest.fixture
def heads() -> list[tuple[str, int]]:
    return []


@pytest.fixture
def audited(core: Core, side: Side, heads: list[tuple[str, int]]) -> Iterator[Core]:
    audit = Audit(side, lambda digest, number: heads.append((digest, number)))
    core.observers.append(audit.observe)
    yield core
    audit.close()


def asked(core: Core, text: str, **given: Any) -> None:
    core.answer(Request(READER, text, **given), lambda r, c, _: r.first(c)).future.result(60).close()


def test_an_imputed_answer_is_recorded_with_who_what_and_how(audited: Core, side: Side) -> None:
    asked(audited, "SELECT avg(weight) FROM person WHERE id >= 0", m=5, seed=3, fit="query")
    asked(audited, "SELECT count(*) FROM person")
    audited.impute(Request(READER, ""), "vitals", ROWS, None, None, spread=True).future.result(60)
    first, second = entries(side)
    assert first.record["principal"] == "ann"
    assert (first.record["m"], first.record["seed"], first.record["tables"]) == (5, 3, ["person"])
    assert first.record["cells"]["person.weight"] > 0
    assert 0 < first.record["shares"]["person.weight"] < 1
    assert len(first.record["statement"]) == 16
    assert second.record["model"] == "vitals@1"
    assert second.record["cells"] == {"weight": 1}
    assert "180" not in json.dumps([first.record, second.record])


@pytest.mark.parametrize(
    ("text", "tables"),
    [
        ("SELECT avg(h.weight) FROM person h JOIN person i ON h.sex = i.sex", ["person"]),
        ("SELECT avg(t.weight) FROM tall t", ["person"]),
        ("WITH q AS (SELECT weight FROM person e) SELECT avg(x.weight) FROM q x", ["person"]),
        ("SELECT avg(h.weight) FROM person h UNION ALL SELECT avg(h.weight) FROM other.person h",
         ["other.person", "person"]),
    ],
)  # fmt: skip
def test_tables_are_called_by_their_names_whatever_a_statement_calls_them(
    tmp_path: Path, side: Side, text: str, tables: list[str]
) -> None:
    path = made(tmp_path / "survey.duckdb", rows=60)
    with imputedb.connect(path) as db:
        db.execute("CREATE SCHEMA other")
        db.execute("CREATE TABLE other.person AS SELECT * FROM person")
    core, audit = Core(path, configuration(), lambda _: None), Audit(side, lambda *_: None)
    meter = Meter()
    core.observers += [audit.observe, meter.observe]
    try:
        asked(core, text, fit="query")
    finally:
        audit.close()
        core.close()
    (entry,) = entries(side)
    assert entry.record["tables"] == tables
    key = f"{' or '.join(tables)}.weight"
    assert entry.record["cells"][key] > 0
    assert 0 < entry.record["shares"][key] <= 1
    assert entry.record["methods"][key] == "tree"
    label = tables[0] if len(tables) == 1 else "several"
    assert f'imputedb_imputed_cells_total{{column="weight",method="tree",table="{label}"}}' in str(meter.exposition())


def test_the_chain_goes_on_after_a_restart_and_its_heads_are_told(
    audited: Core, side: Side, heads: list[tuple[str, int]]
) -> None:
    for n in range(3):
        asked(audited, f"SELECT avg(weight) FROM person WHERE id > {n}")
    assert verify(side) == (3, heads[-1][0])
    assert heads[-1][1] == 3
    again = Audit(side, lambda digest, number: heads.append((digest, number)))
    audited.observers[:] = [again.observe]
    asked(audited, "SELECT avg(weight) FROM person")
    again.close()
    assert verify(side, heads[0][0]) == (4, head(side)[1])


@pytest.mark.parametrize(
    ("change", "word"),
    [
        (
            "UPDATE audit SET record = replace(record, 'ann', 'bob') WHERE number = 2",
            "record 2 has been changed",
        ),
        ("DELETE FROM audit WHERE number = 2", "record 2 is missing"),
        ("DELETE FROM audit WHERE number = 1", "record 1 is missing"),
        ("UPDATE audit SET hash = repeat('0', 64) WHERE number = 3", "record 3 has been changed"),
        ("DELETE FROM audit WHERE number = 3", "records after 2 are missing"),
        ("DELETE FROM audit", "records after 0 are missing"),
    ],
)
def test_what_was_tampered_with_is_seen(audited: Core, side: Side, change: str, word: str) -> None:
    for n in range(3):
        asked(audited, f"SELECT avg(weight) FROM person WHERE id > {n}")
    last = head(side)[1]
    side.write([(change, ())])
    with pytest.raises(DataError, match=word):
        verify(side, last)


def test_an_answer_that_cannot_be_recorded_does_not_leave(audited: Core, side: Side) -> None:
    side.write([("DROP TABLE audit", ())])
    with pytest.raises(imputedb.Error):
        asked(audited, "SELECT avg(weight) FROM person")
    asked(audited, "SELECT count(*) FROM person")
    side.write([("CREATE TABLE audit (number BIGINT PRIMARY KEY, record VARCHAR, hash VARCHAR)", ())])
    asked(audited, "SELECT avg(weight) FROM person")
    assert verify(side)[0] == 1


def test_many_at_once_are_all_recorded(audited: Core, side: Side) -> None:
    texts = [f"SELECT avg(weight) FROM person WHERE id > {n}" for n in range(20)]
    threads = [threading.Thread(target=asked, args=(audited, text)) for text in texts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert verify(side)[0] == 20
    assert len({one.record["request"] for one in entries(side)}) == 20


KILLED = """
import os, sys, threading
from pathlib import Path
from imputedb.service.audit import Audit
from imputedb.service.side import Side
from imputedb.service.core import Done
from imputedb.service.request import Principal

class Model: name, version, digest, columns, table = "vitals", 1, "d", (), "person"
class Completed: model, cells, rows = Model, {"weight": 1}, [1]
audit = Audit(Side(Path(sys.argv[1])), lambda digest, number: print(digest, flush=True))
for n in range(10_000):
    audit.observe(Done("impute", Principal("ann", "reader"), None, f"{n:016x}", "ok", 0.0, 0.0, completed=Completed))
"""


def test_what_was_acknowledged_is_there_after_kill_9(tmp_path: Path) -> None:
    path = tmp_path / "survey.imputedb"
    known = GENESIS
    for count in (1, 7, 30):
        process = subprocess.Popen([sys.executable, "-c", KILLED, str(path)], stdout=subprocess.PIPE, text=True)
        assert process.stdout
        for _ in range(count):
            known = process.stdout.readline().strip()
        process.kill()
        process.wait()
        process.stdout.close()
        side = Side(path)
        assert verify(side, known)[0] >= count
        side.close()


def test_the_command_shows_and_verifies_the_log(audited: Core, side: Side, tmp_path: Path) -> None:
    asked(audited, "SELECT avg(weight) FROM person")
    last = head(side)[1]
    side.close()
    path = str(tmp_path / "survey.duckdb")
    run: Callable[..., Any] = CliRunner().invoke
    shown = [json.loads(line) for line in run(main, ["audit", "log", path]).output.splitlines()]
    assert [(one["number"], one["principal"]) for one in shown] == [(1, "ann")]
    assert run(main, ["audit", "verify", path, "--head", last]).output.startswith(f"1 record, head {last}")
    with pytest.raises(DataError, match="no audit record has the hash"):
        run(main, ["audit", "verify", path, "--head", "f" * 64], catch_exceptions=False, standalone_mode=False)
    with pytest.raises(StorageError, match="no audit log"):
        run(main, ["audit", "log", str(tmp_path / "nix")], catch_exceptions=False, standalone_mode=False)


def test_a_file_of_a_newer_version_is_refused(side: Side, tmp_path: Path) -> None:
    side.write([("UPDATE format SET format = 99", ())])
    side.close()
    with pytest.raises(StorageError, match="format 99"):
        Side(tmp_path / "survey.duckdb.imputedb")
