"""Names of columns that are formulas, markup, control characters or nothing, and paths that are none."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

import imputedb
from imputedb import Database, Error, StorageError
from imputedb.cli.main import main
from imputedb.diagnostics.pictures import legible

NAMES = [
    "$x^$",
    "\x01\x1f",
    "a\nb",
    "<b>&",
    "$",
    "\\frac",
    "x,y",
    "%s'\"{}",
    "a.b",
    "[bold]z",
    "\u202e",
]


@pytest.fixture
def odd(db: Database) -> Database:
    rng = np.random.default_rng(0)
    n = 80
    base = rng.normal(size=n)
    columns: dict[str, Any] = {"id": np.arange(n)}
    columns |= {name: np.ma.masked_array(base + rng.normal(size=n), rng.random(n) < 0.1) for name in NAMES}
    columns["$c$"] = np.array(["$x^$", "\x02", None], object)[np.arange(n) % 3]
    db.register("t", columns)
    return db


@pytest.mark.nightly
def test_they_are_in_every_picture_and_page(odd: Database, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    run = odd.impute("t", tmp_path / "run", m=2, imputer="norm", flags=True)
    run.report(tmp_path / "page.html", tmp_path / "pictures", "svg")
    page = (tmp_path / "page.html").read_text()
    assert "<td>&lt;b&gt;&amp;</td>" in page
    assert "<b>&</" not in page
    assert {path.name for path in (tmp_path / "pictures").iterdir()} == {
        f"{name}.svg" for name in ("patterns", "flux", "densities", "traces")
    }
    odd.compare('SELECT avg("$x^$") AS "$m^$" FROM t', ways=("norm", "bounds"), m=2).forest()
    assert run.frame(1).columns[1] == "$x^$"


def test_they_are_answered_written_and_kept(odd: Database, tmp_path: Path) -> None:
    quoted = ['"' + name.replace('"', '""') + '"' for name in NAMES]
    means = odd.sql(f"SELECT {', '.join(f'avg({name}) AS {name}' for name in quoted)} FROM t", imputer="mean")
    assert means.columns == NAMES
    for form in ("csv", "json", "parquet"):
        means.write(str(tmp_path / f"means.{form}"), form)
        back = odd.execute(f"SELECT * FROM '{tmp_path}/means.{form}'")
        assert [float(value) for value in back[0]] == pytest.approx(means.fetchall()[0])
    for name in NAMES:
        odd.policy("t", name, low=-9, high=9)
    odd.export_policies(tmp_path / "said.toml")
    assert odd.apply_policies(tmp_path / "said.toml") == []


def test_no_name_at_all(db: Database, tmp_path: Path) -> None:
    (tmp_path / "z.csv").write_text(",b\n1,2\n,3\n")
    db.load(str(tmp_path / "z.csv"))
    assert db.sql("SELECT * FROM z", imputer="mean").fetchall() == [(1, 2), (1, 3)]
    db.register("f", {"": [1.0, None], "b": [1, 2]})
    assert len(db.sql("SELECT * FROM f", imputer="mean")) == 2
    assert legible("") == '""'


@pytest.mark.parametrize("path", [None, "", "a\0b", 5, b"x"])
def test_what_is_no_path_is_refused_by_name(odd: Database, tmp_path: Path, path: Any) -> None:
    run = odd.impute("t", tmp_path / "run", m=1, imputer="mean")
    calls: list[Callable[[], object]] = [
        *(lambda: imputedb.connect(path), lambda: imputedb.completed(path), lambda: odd.load(path)),
        *(lambda: odd.impute("t", path), lambda: run.report(path), lambda: odd.sql("SELECT 1").write(path, "csv")),
        lambda: odd.apply_policies(path),
    ]
    for call in calls:
        with pytest.raises(Error, match="it names a file"):
            call()


def test_an_output_that_is_no_file(odd: Database, tmp_path: Path) -> None:
    odd.execute(f"ATTACH '{tmp_path}/a.db' AS a; CREATE TABLE a.t AS SELECT id FROM t; DETACH a")
    for output in (".", "/", str(tmp_path)):
        words = ["query", f"{tmp_path}/a.db", "SELECT id FROM t", "--format", "csv", "--output", output]
        result = CliRunner().invoke(main, words, standalone_mode=False)
        assert isinstance(result.exception, StorageError)
        assert "it is a folder" in str(result.exception)
    if Path("/dev/full").is_char_device():
        with pytest.raises(StorageError, match="No space left"):
            odd.sql("SELECT id FROM t").write("/dev/full", "csv")
        assert Path("/dev/full").is_char_device()
    assert [path.name for path in tmp_path.iterdir()] == ["a.db"]


def test_a_profile_that_cannot_be_written_is_an_error_of_ours(odd: Database) -> None:
    odd.execute("SET enable_profiling = 'json'; SET profiling_output = '/no/where/profile.json'")
    for ask in (lambda: odd.sql('SELECT avg("$") FROM t'), lambda: odd.execute("SELECT 1")):
        with pytest.raises(StorageError, match="/no/where"):
            ask()
    odd.execute("PRAGMA disable_profiling")
    assert odd.sql("SELECT count(*) FROM t").fetchall() == [(80,)]
