"""On what terms runs are made and seen: canaries, promotion, rollback, contracts, budgets, enough draws."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import imputedb
from imputedb import Database
from imputedb.completion.cost import Meter
from imputedb.completion.enough import LEAST, PRECISION
from imputedb.completion.promotion import rolled_back
from imputedb.completion.publication import current
from imputedb.errors import Beyond, QueryError, StorageError
from imputedb.imputers.chained.prepared import Prepared
from tests.cli.command import run

ASKED: dict[str, Any] = {"m": 2, "imputer": "norm", "cycles": 1}


@pytest.fixture
def people(db: Database) -> Database:
    rng = np.random.default_rng(0)
    x = rng.normal(size=300)
    gone = rng.random(300) < 0.3
    group = np.where(gone[::-1], None, rng.choice(["a", "b"], 300)).astype(object)
    db.register("people", {"id": np.arange(300), "x": x, "y": np.where(gone, np.nan, 2 * x + 5), "g": group})
    return db


def test_a_run_beside_is_promoted_and_taken_back(people: Database, tmp_path: Path) -> None:
    out = tmp_path / "out"
    first = people.impute("people", out, **ASKED)
    second = people.impute("people", out, **ASKED, seed=1, beside=True)
    assert (current(out), second.m) == (first.folder.name, 2)
    assert people.impute("people", out, **ASKED, seed=1, beside=True).folder == second.folder
    assert run("runs", "promote", str(out), second.folder.name).stdout.strip() == second.folder.name == current(out)
    for seen in (first, second):
        assert run("runs", "rollback", str(out)).stdout.strip() == seen.folder.name == current(out)
    first.files[0].write_bytes(b"torn")
    assert "is not what its manifest says" in run("runs", "rollback", str(out)).stderr
    assert current(out) == second.folder.name
    for wrong in ("run-none", "../out", ".tmp-x", "CURRENT"):
        assert "no run" in run("runs", "promote", str(out), wrong).stderr
    with pytest.raises(StorageError, match="no earlier run to go back to"):
        rolled_back(tmp_path)


def test_runs_are_compared(people: Database, tmp_path: Path) -> None:
    out = str(tmp_path / "out")
    first = people.impute("people", out, **ASKED).folder.name
    same = people.impute("people", out, **ASKED, seed=1, beside=True).folder.name
    people.execute("UPDATE people SET y = y + 3")
    moved = people.impute("people", out, **ASKED, beside=True).folder.name
    lines = json.loads(run("runs", "compare", out, same, "--format", "json").stdout)
    assert [line["column"] for line in lines] == ["y", "g"]
    by = {line["column"]: line for line in lines}
    assert abs(by["y"]["shift"]) < 1
    assert by["y"]["mean"] == pytest.approx(5, abs=0.3)
    assert by["g"]["psi"] < 0.2
    assert by["g"]["mean"] == "nan"
    assert run("runs", "compare", out, same, "--fail-on", "shift>3,psi>0.5").returncode == 0
    beyond = run("runs", "compare", out, first, moved, "--fail-on", "shift>3")
    assert (beyond.returncode, "threshold: shift is" in beyond.stderr) == (3, True)
    (line,) = [one for one in json.loads(run("runs", "compare", out, moved, "--format", "json").stdout)
               if one["column"] == "y"]  # fmt: skip
    assert (line["other_mean"] - line["mean"], line["psi"] > 0.25) == (pytest.approx(3), True)
    (file := tmp_path / "contract.toml").write_text(
        f"[[check]]\nfigure = 'psi'\ncolumn = 'y'\nmost = {line['psi'] - 1e-6}"
    )
    with pytest.raises(Beyond, match=f"psi of y is {line['psi']:.4g}"):
        people.impute("people", out, **ASKED, contract=file)


CONTRACT = """
[[check]]
figure = "rows"
least = {rows}
[[check]]
figure = "missing"
column = "y"
most = {missing}
[[check]]
figure = "high"
column = "x"
most = 100
[[check]]
figure = "fmi"
column = "y"
most = 0.9
[[check]]
figure = "shift"
most = 3
"""


def test_a_contract_keeps_rows_from_being_imputed_and_runs_from_being_seen(people: Database, tmp_path: Path) -> None:
    out, file = tmp_path / "out", tmp_path / "contract.toml"
    file.write_text(CONTRACT.format(rows=400, missing=0.1))
    with pytest.raises(Beyond, match=r"nothing was imputed: rows is 300, less than 400; missing of y is 0\.\d+, more"):
        people.impute("people", out, **ASKED, contract=file)
    assert not out.exists() or not list(out.glob("run-*"))
    file.write_text(CONTRACT.format(rows=100, missing=0.5))
    first = people.impute("people", out, **ASKED, contract=file)
    people.execute("UPDATE people SET y = y + 3")
    with pytest.raises(Beyond, match=r"run-\w+ stands beside what readers see: shift of y is"):
        people.impute("people", out, **ASKED, contract=file)
    assert current(out) == first.folder.name
    assert len(list(out.glob("run-*"))) == 2


@pytest.mark.parametrize("figure", ["shift", "fmi", "psi"])
def test_a_contract_holds_every_night_of_a_table_with_a_category(people: Database, tmp_path: Path, figure: str) -> None:
    """Without a column means are judged of numbers alone; psi of categories, too."""
    out, file = tmp_path / "out", tmp_path / "contract.toml"
    file.write_text(f"[[check]]\nfigure = '{figure}'\nmost = 0.99")
    for night in range(2):
        done = people.impute("people", out, **ASKED, seed=night, contract=file)
        assert (current(out), set(done.manifest["columns"])) == (done.folder.name, {"y", "g"})
    file.write_text(f"[[check]]\nfigure = '{figure}'\nmost = 0")
    with pytest.raises(Beyond, match=f"{figure} of y is") as raised:
        people.impute("people", out, **ASKED, seed=2, contract=file)
    assert (f"{figure} of g is" in str(raised.value)) == (figure == "psi")


def test_checks_are_refused_before_anything_is_drawn(people: Database, tmp_path: Path) -> None:
    out, file = tmp_path / "out", tmp_path / "contract.toml"
    for figure, column, flags, said in (
        ("imputed", "yy", True, "is not a column"),
        ("psi", "yy", True, "is not a column"),
        ("shift", "g", True, "g is not a number, and has no shift"),
        ("psi", "y", False, "needs psi, which is computed from flags"),
    ):
        file.write_text(f"[[check]]\nfigure = '{figure}'\ncolumn = '{column}'\nmost = 0")
        with pytest.raises(QueryError, match=said):
            people.impute("people", out, **ASKED, flags=flags, contract=file)
    assert not out.exists()
    file.write_text("[[check]]\nfigure = 'imputed'\ncolumn = 'Y'\nmost = 0")
    with pytest.raises(Beyond, match="imputed of y is"):
        people.impute("people", out, **ASKED, contract=file)
    people.impute("people", out, **ASKED, flags=False)
    runs = len(list(out.iterdir()))
    file.write_text("[[check]]\nfigure = 'shift'\ncolumn = 'Y'\nmost = 3")
    with pytest.raises(QueryError, match="readers see, was written without flags"):
        people.impute("people", out, **ASKED, seed=1, contract=file)
    assert len(list(out.iterdir())) == runs


def test_a_contract_of_what_is_not_filled_in(people: Database, tmp_path: Path) -> None:
    file = tmp_path / "contract.toml"
    checks = (("missing", "g", 0.5), ("imputed", "x", 0), ("rhat", None, 1.1), ("psi", None, 1), ("imputed", None, 0.5))
    file.write_text("".join(f"[[check]]\nfigure = '{figure}'\n" + (f"column = '{column}'\n" if column else "")
                            + f"most = {most}\n" for figure, column, most in checks))  # fmt: skip
    assert people.impute("people", tmp_path / "out", **ASKED, columns=["y"], contract=file).m == 2
    people.execute("UPDATE people SET y = 0, g = 'a' WHERE y IS NULL OR g IS NULL")
    assert people.impute("people", tmp_path / "out", **ASKED, contract=file).m == 2
    (tmp_path / "out" / "CURRENT" / "manifest.json").write_text("damaged")
    assert people.impute("people", tmp_path / "out", **ASKED, seed=1).m == 2


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "must consist of tables"),
        ("x = [", "is not valid TOML"),
        ("[[check]]\nfigure = 'age'\nmost = 1", "a check has a figure"),
        ("[[check]]\nfigure = 'low'\nleast = 1", "low needs a column"),
        ("[[check]]\nfigure = 'rhat'\ncolumn = 'y'\nmost = 1", "rhat takes no column"),
        ("[[check]]\nfigure = 'rhat'", "has no limit"),
        ("[[check]]\nfigure = 'rhat'\nmost = 'x'", "most"),
        ("[[check]]\nfigure = 'missing'\ncolumn = 'z'\nmost = 1", "is not a column"),
        ("[[check]]\nfigure = 'missing'\ncolumn = ['y']\nmost = 1", "a name in quotes"),
        ("[[check]]\nfigure = 'psi'\ncolumn = 1\nmost = 1", "a name in quotes"),
        ("[[check]]\nfigure = ['psi']\nmost = 1", "a check has a figure"),
        ("[[check]]\nfigure = 'rows'\nleast = 2\nmost = 1", "least of rows is more than most"),
        ("[[check]]\nfigure = 'low'\ncolumn = 'g'\nleast = 1", "is not a number"),
    ],
)
def test_contracts_that_say_nothing_are_refused(people: Database, tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "contract.toml").write_text(text)
    with pytest.raises(QueryError, match=said):
        people.impute("people", tmp_path / "out", **ASKED, contract=tmp_path / "contract.toml")


def test_a_budget_stops_in_good_order(people: Database, tmp_path: Path) -> None:
    with pytest.raises(Beyond, match="1 of 3 draws are made"):
        people.impute("people", tmp_path / "out", m=3, imputer="norm", cycles=1, budget=1e-9)
    assert not (tmp_path / "out" / "CURRENT").exists()
    assert len(list((tmp_path / "out").glob(".tmp-*/m=*/part.parquet"))) == 1
    assert people.impute("people", tmp_path / "out", m=3, imputer="norm", cycles=1, budget=600).m == 3
    with pytest.raises(QueryError, match="budget"):
        people.impute("people", tmp_path / "out", budget=0)


def test_a_budget_goes_by_the_draws_of_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Others' draws took nothing of it: a draw takes what this process has spent on its own."""
    now = iter((0.0, 6.0, 6.0))
    monkeypatch.setattr("imputedb.completion.cost.process_time", lambda: next(now))
    meter = Meter(budget=10)
    with pytest.raises(Beyond, match="9 of 20 draws are made"):
        meter.available_bytes(1, 9, 20)
    assert meter.available_bytes(2, 10, 20) == 1


@pytest.mark.parametrize(("imputer", "cycles"), [("norm", 1), ("pmm", 1)])
def test_a_budget_computes_no_draw_that_is_not_written(
    people: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, imputer: str, cycles: int
) -> None:
    """By a clock that counts draws: as many are computed together as there is room for."""
    computed = [0]
    some = Prepared._some

    def counted(self: Prepared, seed: int, numbers: Any, *rest: Any) -> Any:
        computed[0] += len(numbers)
        return some(self, seed, numbers, *rest)

    monkeypatch.setattr(Prepared, "_some", counted)
    monkeypatch.setattr("imputedb.completion.cost.process_time", lambda: float(computed[0]))
    asked: dict[str, Any] = {"m": 20, "imputer": imputer, "cycles": cycles}
    with pytest.raises(Beyond, match="7 of 20 draws are made"):
        people.impute("people", tmp_path / "out", **asked, budget=7.5)
    assert computed == [7]
    assert len(list((tmp_path / "out").glob(".tmp-*/m=*/part.parquet"))) == 7
    made = people.impute("people", tmp_path / "out", **asked)
    whole = people.impute("people", tmp_path / "whole", **asked)
    assert [path.read_bytes() for path in made.files] == [path.read_bytes() for path in whole.files]


def test_as_many_draws_as_are_enough(people: Database, tmp_path: Path) -> None:
    done = people.impute("people", tmp_path / "out", m="auto", imputer="norm", cycles=1)
    assert LEAST <= done.m < 100
    assert done.manifest["monte_carlo_error"] <= PRECISION
    fewer = people.impute("people", tmp_path / "fixed", m=done.m, imputer="norm", cycles=1)
    assert [path.read_bytes() for path in fewer.files] == [path.read_bytes() for path in done.files]
    people.execute("UPDATE people SET y = 0, g = 'a' WHERE y IS NULL OR g IS NULL")
    whole = people.impute("people", tmp_path / "whole", m="auto", imputer="norm")
    assert (whole.m, [note.kind.name for note in whole.warnings]) == (1, ["NOTHING_MISSING"])
    with pytest.raises(QueryError, match="need a known number of draws"):
        people.impute_draws("people", tmp_path / "out", [1], m="auto")  # type: ignore[arg-type]


def test_terms_are_of_the_run_that_is_published(tmp_path: Path) -> None:
    with imputedb.connect(tmp_path / "d.duckdb") as db:
        db.register("t", {"x": [1.0, None, 3.0], "z": [1.0, 2.0, 3.0]}, keep=True)
    asked = ("impute", str(tmp_path / "d.duckdb"), "t", "--out", str(tmp_path / "out"), "--m", "2", "--draw", "1")
    for terms in (("--beside",), ("--budget", "5"), ("--contract", "none.toml"), ("--archive",)):
        assert "leave out --draw" in run(*asked, *terms).stderr
    assert "cannot read none.toml" in run(*asked[:-2], "--contract", "none.toml").stderr
