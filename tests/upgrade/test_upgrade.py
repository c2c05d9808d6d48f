"""What earlier states of 0.1.0 wrote opens and answers as it did; what later ones may write is refused by name.

`make.py` has made the archives and the answers, by the sources of 21 and of 29 November 2026.
"""

import json
import tarfile
from pathlib import Path
from typing import Any

import pytest

import imputedb
from tests.upgrade import make

HERE = Path(__file__).parent
RELEASES = sorted(path.stem for path in HERE.glob("*.json"))


@pytest.fixture(params=RELEASES)
def release(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Path, dict[str, Any]]:
    """A folder with what a release has written, and the answers that it gave."""
    with tarfile.open(HERE / f"{request.param}.tar.gz") as packed:
        packed.extractall(tmp_path, filter="data")
    return tmp_path, json.loads((HERE / f"{request.param}.json").read_text(encoding="utf-8"))


def test_a_database_its_runs_and_its_index_give_the_same_answers(release: tuple[Path, dict[str, Any]]) -> None:
    folder, known = release
    (index,) = (folder / "survey.duckdb.neighbours").iterdir()
    before = index.stat().st_mtime_ns
    with imputedb.connect(folder / "survey.duckdb") as db:
        found = make.answers(db, folder / "runs")
    for name, answers in known.items():
        if answers is not None:  # of what that release could not list
            assert found[name] == answers, name
    assert index.stat().st_mtime_ns == before
    if (folder / "policies.toml").exists():  # tables are told apart in another way since the first
        assert list(index.parent.iterdir()) == [index]  # it was read, and not made anew


def test_a_file_of_policies_says_what_the_database_says(release: tuple[Path, dict[str, Any]]) -> None:
    folder, known = release
    if not (folder / "policies.toml").exists():
        pytest.skip("the release had no files of policies")
    with imputedb.connect(folder / "survey.duckdb") as db:
        assert db.apply_policies(folder / "policies.toml", exact=True) == []
        db.policy("visits", "score", "keep")
        db.apply_policies(folder / "policies.toml", exact=True)
        assert [list(row) for row in db.policies()] == known["policies"]


def test_what_is_said_of_an_older_database_is_kept_with_what_was_said(release: tuple[Path, dict[str, Any]]) -> None:
    folder, known = release
    with imputedb.connect(folder / "survey.duckdb") as db:
        db.policy("visits", "day", "keep")
    with imputedb.connect(folder / "survey.duckdb") as db:
        assert [list(row) for row in db.policies() if row[1] != "day"] == known["policies"]


def test_a_database_of_a_later_format_is_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "later.duckdb"
    with imputedb.connect(path) as db:
        db.execute("CREATE TABLE t AS SELECT 1 AS x UNION ALL SELECT NULL")
        db.policy("t", "x", "keep")
        db.execute("UPDATE imputedb.format SET format = 2")
    with imputedb.connect(path) as db:
        for ask in (lambda: db.sql("SELECT avg(x) FROM t"), db.policies, lambda: db.policy("t", "x", "drop")):
            with pytest.raises(imputedb.StorageError, match="database later was written by a newer imputedb"):
                ask()
        assert db.execute("SELECT count(*) FROM t") == [(2,)]


def test_a_run_of_a_later_format_is_refused_by_name(tmp_path: Path) -> None:
    with imputedb.connect() as db:
        db.execute("CREATE TABLE t AS SELECT i, CASE WHEN i % 3 > 0 THEN i END AS x FROM range(30) r(i)")
        db.impute("t", tmp_path / "runs", m=1, imputer="norm")
    (manifest,) = tmp_path.glob("runs/run-*/manifest.json")
    manifest.write_text(json.dumps({**json.loads(manifest.read_text()), "format": 3}))
    with pytest.raises(imputedb.StorageError, match="written by a newer imputedb"):
        imputedb.completed(tmp_path / "runs")


def test_notes_of_a_run_of_format_1_are_read_as_what_was_said(tmp_path: Path) -> None:
    with imputedb.connect() as db:
        db.execute("CREATE TABLE t AS SELECT i, CASE WHEN i % 3 > 0 THEN i END AS x FROM range(30) r(i)")
        now = db.impute("t", tmp_path / "runs", m=1, imputer="norm")
    (path,) = tmp_path.glob("runs/run-*/manifest.json")
    before = {name: value for name, value in json.loads(path.read_text()).items() if name != "sha256"} | {"format": 1}
    before["warnings"] = [one["text"] for one in before["warnings"]]
    for column in before["columns"].values():
        column["notes"] = [one["text"] for one in column["notes"]]
    path.write_text(json.dumps(before))
    then = imputedb.completed(tmp_path / "runs")
    assert then.warnings == now.warnings
    assert [one.kind.name for one in (*then.warnings, *now.warnings)] == ["SAID", "ONE_DRAW"]
    path.write_text(json.dumps(before | {"warnings": [{"kind": "NO SUCH", "subject": "", "text": ""}]}))
    with pytest.raises(imputedb.StorageError, match="damaged"):
        imputedb.completed(tmp_path / "runs")


def test_policies_of_a_later_format_are_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "policies.toml").write_text("format = 2\n")
    with imputedb.connect() as db, pytest.raises(imputedb.DataError, match="written by a newer imputedb"):
        db.apply_policies(tmp_path / "policies.toml")
