"""What commands passed over in silence: negative numbers as options, folders without runs, mistyped codes."""

import json
from pathlib import Path

import pytest

import imputedb
from imputedb.completion.manifest import SEAL, sealed
from tests.cli.command import run


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = str(tmp_path_factory.mktemp("silent") / "data.duckdb")
    with imputedb.connect(path) as db:
        db.execute("CREATE TABLE t AS SELECT i - 50 AS id, i % 4 AS g, random() AS x FROM range(100) AS r(i)")
        db.execute("ALTER TABLE t ADD COLUMN y DOUBLE")
        db.execute("UPDATE t SET y = x + g WHERE id % 3 <> 0")
    return path


@pytest.mark.parametrize("shifts", [("-1",), ("-100", "0", "1e2"), ("-.5", "-1e-2", "--m", "3")])
def test_arguments_may_be_negative(data: str, shifts: tuple[str, ...]) -> None:
    found = run("sensitivity", data, "SELECT avg(y) FROM t", "y", *shifts, "--m", "2")
    assert found.returncode == 0, found.stderr
    assert run("why", data, "t", "y", "-48").returncode == 0
    unknown = run("sensitivity", data, "SELECT avg(y) FROM t", "y", "--nonsense", "1")
    assert (unknown.returncode, "'--nonsense'" in unknown.stderr) == (1, True)
    assert run("why", data, "t", "y", "-48", "--nonsense").returncode == 1


def test_a_folder_without_a_run_is_not_verified(tmp_path: Path) -> None:
    found = run("runs", "verify", str(tmp_path))
    assert (found.returncode, "no run of completed data sets" in found.stderr) == (1, True)


def test_a_run_that_has_not_converged_has_a_warning(data: str, tmp_path: Path) -> None:
    out = tmp_path / "run"
    assert run("impute", data, "t", "--out", str(out), "--m", "2", "--imputer", "norm").returncode == 0
    (before,) = json.loads(run("runs", "list", str(out), "--format", "json").stdout)
    path = out / before["run"] / "manifest.json"
    told = json.loads(path.read_text(encoding="utf-8"))
    told["convergence"] = {"warning": "not yet", "statistic": "mean of y", "rhat": 1.5, "cycles": 5}
    again = sealed({key: value for key, value in told.items() if key != SEAL})
    path.write_text(json.dumps(again), encoding="utf-8")
    (after,) = json.loads(run("runs", "list", str(out), "--format", "json").stdout)
    assert after["warnings"] == before["warnings"] + 1


def test_a_declared_value_that_no_row_has_is_said(data: str) -> None:
    found = run("missing", data, "t", "x", "-99")
    assert (found.returncode, "no row has '-99'" in found.stderr) == (0, True)
    assert "no row has" not in run("missing", data, "t", "g", "3").stderr
    with imputedb.connect() as db:
        with pytest.warns(UserWarning, match="no row has 'N/A'"):
            db.register("u", {"c": ["x", "na", None]}, missing={"c": ["NA", "N/A"]})
        with pytest.warns(UserWarning, match="no row has '98'"):
            db.register("v", {"c": [1.0, 97.0]}, missing={"c": [97, 98]})
