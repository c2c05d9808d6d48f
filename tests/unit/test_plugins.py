"""Installed packages' imputers and measures, known by name in Python, in SQL and to the command."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import imputedb
from imputedb import ExtensionError
from imputedb.errors import UnknownName

CODE = """
import numpy as np
from imputedb.measures import Closed, number, over, times

class Seven:
    name = "seven"
    uses_predictors = False
    draws = False
    def time(self, work): return 1.0
    def penalty(self, work): return 0.5
    def impute(self, rows, targets, seed, progress=None, *, drawn=(), draw=0):
        return {c: np.full(rows.columns[c].missing.sum(), 7, rows.columns[c].values.dtype) for c in targets}

def of_sem(call):
    return over(call.of("var_samp", call.argument(0)), times(number(2), call.count, call.count))

sem = Closed(frozenset({"sem"}), of_sem)
skewness = Closed(frozenset({"skewness"}), lambda call: over(number(6), call.count))

def product():
    return Closed(frozenset({"other"}), of_sem)

def entropy():
    raise RuntimeError("not today")
"""

POINTS = """
[imputedb.imputers]
seven = some_package:Seven

[imputedb.measures]
sem = some_package:sem
skewness = some_package:skewness
product = some_package:product
entropy = some_package:entropy
"""


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder on the path with a distribution as pip leaves it."""
    folder = tmp_path / "site"
    about = folder / "some_package-1.5.dist-info"
    about.mkdir(parents=True)
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: some_package\nVersion: 1.5\n")
    (about / "entry_points.txt").write_text(POINTS)
    (folder / "some_package.py").write_text(CODE)
    monkeypatch.syspath_prepend(str(folder))
    monkeypatch.delitem(sys.modules, "some_package", raising=False)
    return folder


@pytest.fixture
def path(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    x = np.ma.masked_array(rng.normal(3, 1, 200), np.arange(200) % 4 == 0)
    with imputedb.connect(tmp_path / "a.duckdb") as db:
        db.register(
            "t", {"id": np.arange(200), "x": x, "y": np.ma.masked_array(x.data, np.arange(200) % 3 == 0)}, keep=True
        )
    return tmp_path / "a.duckdb"


def run(site: Path, *arguments: str) -> str:
    made = subprocess.run(
        [sys.executable, "-m", "imputedb.cli", *arguments],
        env={**os.environ, "PYTHONPATH": str(site)}, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert made.returncode == 0, made.stderr
    return made.stdout


def test_an_imputer_is_known_in_python_in_sql_and_to_the_command(site: Path, path: Path, tmp_path: Path) -> None:
    count = "SELECT count(*) FROM t WHERE x = 7"
    with imputedb.connect(path) as db:
        assert db.sql(count, imputer="seven").fetchall() == [(50,)]
    assert "\n50\n" in run(site, "query", str(path), count, "--imputer", "seven", "--format", "csv")
    run(site, "impute", str(path), "t", "--out", str(tmp_path / "run"), "--m", "1", "--imputer", "seven")
    assert (imputedb.completed(tmp_path / "run").frame(1)["x"] == 7).sum() == 50
    assert "seven" in run(site, "evaluate", str(path), "t", "--imputer", "seven,mean", "--format", "csv")
    run(site, "query", str(path), "CREATE IMPUTATION POLICY ON t(x) IMPUTER seven")
    assert "\n50\n" in run(site, "query", str(path), count, "--format", "csv")
    with imputedb.connect(path) as db:
        assert db.sql(count).fetchall() == [(50,)]


def test_a_measure_is_known_in_python_in_sql_and_to_the_command(site: Path, path: Path) -> None:
    asked = "SELECT sem(x) AS s FROM t"
    with imputedb.connect(path) as db:
        found = db.sql(asked, m=4, imputer="norm").estimates[0]["s"]
        assert 0 < found.se < found.estimate
        by_bootstrap = db.sql("SELECT skewness(x) AS s FROM t", m=4, imputer="norm").fetchall()
        by_formula = db.sql("SELECT skewness(x) AS s FROM t", m=4, imputer="norm", measures="skewness")
        expected = by_formula.fetchall()[0][1]
        assert by_formula.fetchall()[0][0] == by_bootstrap[0][0]
        assert by_formula.estimates[0]["s"].pooled.within == pytest.approx(6 / 200)
        assert by_formula.fetchall() != by_bootstrap
    line = run(site, "query", str(path), asked, "--m", "4", "--imputer", "norm", "--format", "csv").splitlines()[1]
    assert float(line.split(",")[1]) == pytest.approx(found.se)
    named = ("--measure", "skewness", "--m", "4", "--imputer", "norm", "--format", "csv")
    line = run(site, "query", str(path), "SELECT skewness(x) AS s FROM t", *named).splitlines()[1]
    assert float(line.split(",")[1]) == pytest.approx(expected)


@pytest.mark.usefixtures("site")
def test_an_installed_measure_stands_before_none_of_ours_unless_it_is_named(path: Path) -> None:
    with imputedb.connect(path) as db:
        db.sql("SELECT skewness(x), avg(x), sum(y) FROM t", m=3, imputer="mean")
    assert "some_package" not in sys.modules


@pytest.mark.usefixtures("site")
@pytest.mark.parametrize(("name", "said"), [("product", "the names have to agree"), ("entropy", "not today")])
def test_a_broken_measure_is_told_by_its_distribution(path: Path, name: str, said: str) -> None:
    with imputedb.connect(path) as db, pytest.raises(ExtensionError, match=rf"'{name}' of some_package 1\.5.*{said}"):
        db.sql(f"SELECT {name}(x) AS s FROM t", m=3)


@pytest.mark.usefixtures("site")
def test_a_name_that_nobody_has_says_who_has_which(path: Path) -> None:
    with imputedb.connect(path) as db:
        with pytest.raises(UnknownName, match=r"no installed package has a measure 'nothing'; .*sem, skewness"):
            db.sql("SELECT avg(x) FROM t", m=3, measures=["nothing"])
        with pytest.raises(imputedb.QueryError, match="two measures are of the function 'sem'"):
            db.sql("SELECT sem(x) FROM t", m=3, measures=["sem", "sem"])
