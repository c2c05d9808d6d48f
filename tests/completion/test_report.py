"""The page about a run: everything in it, nothing outside it needed, and pictures that show something."""

import base64
import io
import re
from pathlib import Path

import numpy as np
import pytest

from imputedb import Database
from imputedb.algebra.column import Column
from imputedb.completion.completed import Completed
from imputedb.diagnostics.overimputation import overimpute
from imputedb.diagnostics.pictures import IMPUTED, OBSERVED, overimputed_plot
from imputedb.errors import QueryError
from imputedb.imputers.registry import IMPUTERS
from imputedb.imputers.rows import Cells, Rows
from imputedb.statistics.table import Kind


@pytest.fixture
def made(db: Database, tmp_path: Path) -> Completed:
    rng = np.random.default_rng(0)
    n = 200
    x = rng.normal(size=n)
    sex = rng.choice(["<f>", "m"], n).astype(object)
    sex[rng.random(n) < 0.2] = None
    y = np.where(rng.random(n) < 0.3, np.nan, x + rng.normal(size=n))
    db.register("people", {"x": x, "y": y, "sex": sex})
    return db.impute("people", tmp_path / "run", m=4, flags=True)


def colours(png: bytes) -> set[str]:
    from matplotlib.image import imread

    pixels = (imread(io.BytesIO(png))[..., :3] * 255).round().astype(int).reshape(-1, 3)
    return {f"#{r:02x}{g:02x}{b:02x}" for r, g, b in np.unique(pixels, axis=0)}


def test_one_page_with_everything_in_it(made: Completed, tmp_path: Path) -> None:
    made.report(tmp_path / "report.html", tmp_path / "pictures")
    text = (tmp_path / "report.html").read_text()
    images = re.findall(r'src="data:image/png;base64,([^"]+)"', text)
    assert len(images) == 4
    assert {OBSERVED, IMPUTED} <= colours(base64.b64decode(images[0]))
    densities = colours(base64.b64decode(images[2]))
    assert OBSERVED in densities
    assert any(int(c[1:3], 16) > 190 and int(c[3:5], 16) < 130 for c in densities)  # thin red lines, half transparent
    assert not re.findall(r'(?:src|href)="(?!data:)', text)
    for said in ("missing at random given the predictors", "Little's test", "It can't prove", "R-hat", "pmm", "people"):
        assert said in text
    assert {p.name for p in (tmp_path / "pictures").iterdir()} == {
        "patterns.png", "flux.png", "densities.png", "traces.png",
    }  # fmt: skip
    made.report(tmp_path / "again.html", tmp_path / "vector", "svg")
    assert (tmp_path / "vector" / "patterns.svg").read_text().lstrip().startswith("<?xml")


def test_a_run_without_flags_has_no_report(db: Database, tmp_path: Path) -> None:
    db.register("t", {"y": np.array([1.0, np.nan, 2.0, 3.0]), "x": np.arange(4.0)})
    with pytest.raises(QueryError, match="write it with flags"):
        db.impute("t", tmp_path / "run", m=2, flags=False).report(tmp_path / "report.html")
    assert not (tmp_path / "report.html").exists()


def test_overimputation_is_drawn() -> None:
    rng = np.random.default_rng(0)
    column, other = Column("t", "x"), Column("t", "y")
    x, none = rng.normal(size=150), np.zeros(150, bool)
    cells = {column: Cells(x, none, Kind.NUMBER), other: Cells(x + rng.normal(size=150), none, Kind.NUMBER)}
    found = overimpute(IMPUTERS["norm"](), Rows(cells, np.arange(150, dtype=np.uint64)), [column], m=5, folds=3)
    picture = io.BytesIO()
    overimputed_plot({"x": found[column]}).savefig(picture, format="png")
    assert {OBSERVED, IMPUTED} <= colours(picture.getvalue())
