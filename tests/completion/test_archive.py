"""Archived runs: made again byte for byte after their source has changed, or is gone."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import imputedb
from imputedb import Database
from imputedb.completion.archive import ARCHIVE
from imputedb.errors import DataError, QueryError, StorageError, UnknownName
from imputedb.imputers import Normal
from imputedb.imputers.chained.chained import Chained
from tests.cli.command import run

ASKED: dict[str, Any] = {"m": 2, "imputer": "norm", "cycles": 2}


@pytest.fixture
def people(db: Database) -> Database:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(3, 120)).cumsum(axis=0)
    gone = rng.random((3, 120)) < 0.25
    columns: dict[str, Any] = {name: np.where(gone[k], np.nan, x[k]) for k, name in enumerate("xyz")}
    group = np.where(gone[::-1][0], None, rng.choice(["a", "b"], 120)).astype(object)
    db.register("people", {"id": np.arange(120), "g": group, "n": rng.integers(0, 5, 120), **columns})
    db.missing("people", "n", [4])
    db.policy("people", "x", low=-2, high=2)
    return db


def contents(done: imputedb.Completed) -> list[bytes]:
    return [path.read_bytes() for path in done.files]


@pytest.mark.parametrize(
    "asked",
    [
        {"imputer": "pmm"},
        {"imputer": "tree", "columns": ["y", "n"], "flags": False},
        {"imputer": "norm", "cycles": 3, "long": True},
        {"formula": "y ~ z + I(z**2)", "cycles": 1},
        {"imputer": "norm", "m": "auto", "cycles": 1},
    ],
    ids=str,
)
def test_a_run_is_made_again_when_its_source_is_gone(people: Database, tmp_path: Path, asked: dict[str, Any]) -> None:
    if "formula" in asked:
        people.sql("DROP IMPUTATION POLICY ON people(x)")
    made = people.impute("people", tmp_path / "out", archive=True, **{"m": 2, **asked})
    people.execute("UPDATE people SET y = 0")
    other = people.impute("people", tmp_path / "out", **{"m": 2, **asked})
    assert contents(other) != contents(made)
    people.execute("DROP TABLE people")
    with imputedb.connect() as empty:
        again = empty.repeat(tmp_path / "out", tmp_path / "again", made.folder.name)
        assert empty.tables() == {}
    assert contents(again) == contents(made)
    assert again.folder.name == made.folder.name
    assert said(again) == said(made)


def said(done: imputedb.Completed) -> dict[str, Any]:
    """What the manifest says, without what names the table, or the process."""
    own = ("seconds", "cost", "sha256", "warnings", "columns")
    found = {name: value for name, value in done.manifest.items() if name not in own}
    chains = found.pop("convergence")
    return found | {"rhat": chains and chains["rhat"]}


def test_types_that_parquet_does_not_hold_come_back(db: Database, tmp_path: Path) -> None:
    db.register("t", {"x": [1.0, None, 3.0, 4.0] * 10, "z": np.arange(40.0) % 7})
    db.execute("ALTER TABLE t ADD COLUMN span INTERVAL")
    db.execute("ALTER TABLE t ADD COLUMN huge HUGEINT")
    db.execute("ALTER TABLE t ADD COLUMN kind ENUM ('a', 'b')")
    db.execute("UPDATE t SET span = to_microseconds(-1), huge = 170141183460469231731687303715884105726 - z::INT")
    db.execute("UPDATE t SET kind = 'b' WHERE z > 3")
    made = db.impute("SELECT * FROM t", tmp_path / "out", **ASKED, archive=True)
    again = db.repeat(tmp_path / "out", tmp_path / "again")
    assert contents(again) == contents(made)
    assert again.frame(1)["span"][0] == timedelta(microseconds=-1)
    with pytest.raises(DataError, match=r"s \(STRUCT\(a HUGEINT\)\) cannot be archived, since Parquet"):
        db.impute("SELECT x, z, {'a': huge} AS s FROM t", tmp_path / "struct", **ASKED, archive=True)
    assert not (tmp_path / "struct" / "CURRENT").exists()
    assert not list((tmp_path / "struct" / ARCHIVE).iterdir())


def test_a_run_that_is_there_is_archived_when_asked(people: Database, tmp_path: Path) -> None:
    out = tmp_path / "out"
    made = people.impute("people", out, **ASKED)
    with pytest.raises(UnknownName, match=r"no archive of run-.*there are none"):
        people.repeat(out, tmp_path / "again")
    assert people.impute("people", out, **ASKED, archive=True).folder == made.folder
    files = {path: path.stat().st_mtime_ns for path in (out / ARCHIVE).iterdir()}
    people.impute("people", out, **ASKED, archive=True)
    assert {path: path.stat().st_mtime_ns for path in (out / ARCHIVE).iterdir()} == files
    people.impute("people", out, **ASKED, seed=1, archive=True)
    assert len(list((out / ARCHIVE).glob("*.parquet"))) == 1
    assert len(list((out / ARCHIVE).glob("*.json"))) == 2


def test_the_command_makes_a_pruned_run_again(people: Database, tmp_path: Path) -> None:
    out = tmp_path / "out"
    first = people.impute("people", out, **ASKED, archive=True)
    before = contents(first)
    for seed in (1, 2):
        people.impute("people", out, **ASKED, seed=seed)
    assert run("runs", "prune", str(out)).stdout.split() == [first.folder.name]
    done = run("runs", "repeat", str(out), first.folder.name, "--out", str(tmp_path / "again"))
    assert (done.returncode, "2 files are those of the run, byte for byte" in done.stderr) == (0, True), done.stderr
    assert [Path(line).read_bytes() for line in done.stdout.split()] == before
    full = run("runs", "repeat", str(out), first.folder.name, "--out", str(tmp_path / "again"))
    assert (full.returncode, "is not empty" in full.stderr) == (1, True)
    for wrong in ("run-none", "../out"):
        refused = run("runs", "repeat", str(out), wrong, "--out", str(tmp_path / "new"))
        assert (refused.returncode, f"there are {first.folder.name}" in refused.stderr) == (1, True)


def test_what_differs_is_said(people: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = tmp_path / "out"
    people.impute("people", out, **ASKED, archive=True)
    with monkeypatch.context() as patch:
        patch.setattr("imputedb.completion.request.version", lambda name: f"{name} of next year")
        patch.setattr("imputedb.completion.source.seed_of", lambda *_: 1)
        with pytest.raises(StorageError, match=r"2 of 2 files are not those of the run, \(duckdb .* of next year now"):
            people.repeat(out, tmp_path / "other")
    with pytest.raises(QueryError, match="pass that imputer"):
        people.repeat(out, tmp_path / "another", imputer="pmm")
    (file,) = (out / ARCHIVE).glob("*.parquet")
    whole = file.read_bytes()
    file.write_bytes(whole[:-1])
    with pytest.raises(StorageError, match=r"is not what run-.* says"):
        people.repeat(out, tmp_path / "third")
    people.impute("people", out, **ASKED, archive=True)
    assert file.read_bytes() == whole
    (record,) = (out / ARCHIVE).glob("*.json")
    record.write_text(record.read_text().replace('"HUGEINT"', '"BIGINT"').replace('"m": 2', '"m": 3'))
    with pytest.raises(StorageError, match="does not say what was written"):
        people.repeat(out, tmp_path / "fourth")


def test_an_imputer_of_ones_own_is_handed_in(people: Database, tmp_path: Path) -> None:
    own = Chained(Normal(), (Normal(),), cycles=1)
    made = people.impute("SELECT x, y, z FROM people", tmp_path / "out", m=2, imputer=own, archive=True)
    with pytest.raises(QueryError, match="pass that imputer"):
        people.repeat(tmp_path / "out", tmp_path / "again")
    assert contents(people.repeat(tmp_path / "out", tmp_path / "again", imputer=own)) == contents(made)
