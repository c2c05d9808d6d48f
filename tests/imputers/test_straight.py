"""What a straight line says of donors and of lines, against samples whose intervals are known to miss or to hold."""

from collections.abc import Callable, Iterator

import numpy as np
import pytest
from numpy.typing import NDArray

import imputedb
from imputedb.algebra.column import Column
from imputedb.imputers.doubts import doubts
from imputedb.imputers.expected_coverage import Matching, coverage_notes, few_donors
from imputedb.imputers.registry import IMPUTERS
from imputedb.imputers.regression_line import RegressionLine, curvature_note, regression_line, residual_note
from imputedb.imputers.rows import Cells, Rows
from imputedb.imputers.scales import Scale
from imputedb.imputers.surface import sorted_donors, surface
from imputedb.notes import Note, NoteKind, Question
from imputedb.statistics.table import Kind

Floats = NDArray[np.float64]
Y = Column("t", "y")


def sample(n: int, seed: int, y_of: Callable[[Floats, np.random.Generator], Floats], steep: float) -> Rows:
    """Rows of x and y, of which y is missing in a third, the likelier the larger x is and the steeper."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=n)
    gone = rng.random(n) < 1 / (1 + np.exp(0.8 - steep * x))
    cells = {
        Column("t", "x"): Cells(x, np.zeros(n, bool), Kind.NUMBER),
        Y: Cells(y_of(x, rng), gone, Kind.NUMBER),
    }
    return Rows(cells, np.arange(n, dtype=np.uint64))


def share(
    says: Callable[..., object], n: int, y_of: Callable[[Floats, np.random.Generator], Floats], steep: float
) -> float:
    found = [regression_line(sample(n, seed, y_of, steep), Y) for seed in range(30)]
    return float(np.mean([one is not None and bool(list(says(one))) for one in found]))  # type: ignore[call-overload]


def straight(x: Floats, rng: np.random.Generator) -> Floats:
    return x + rng.normal(size=len(x))


def unrelated(x: Floats, rng: np.random.Generator) -> Floats:
    return rng.normal(size=len(x))


def skewed(x: Floats, rng: np.random.Generator) -> Floats:
    return np.asarray(np.exp(0.4 * x + 0.6 * rng.normal(size=len(x))))


def curved(x: Floats, rng: np.random.Generator) -> Floats:
    return np.asarray((x + 1) ** 2 / 2 + rng.normal(size=len(x)))


MATCHING = {"pmm": Matching("pmm", True, True), "pmmboot": Matching("pmmboot", True, False),
            "tree": Matching("tree", False, False)}  # fmt: skip


def falling_short(question: Question, imputer: str) -> Callable[[RegressionLine], Iterator[Note]]:
    """What is said of intervals about a question by donors."""
    return lambda found: (
        one for one in coverage_notes(found, surface(found), MATCHING[imputer]) if one.concerns(question)
    )


def test_gaps_beyond_their_donors_are_told_of_where_slopes_are_not_covered() -> None:
    """At steep = 2 slopes of the answer, of a population cover 47, 72 % by pmm, 78, 83 by tree; else 92 on."""
    for question, most in (("answer", 0.8), ("population", 0.5)):
        assert share(falling_short(question, "pmm"), 300, straight, 2.0) > 0.9
        assert share(falling_short(question, "tree"), 300, straight, 2.0) > most
        assert share(falling_short(question, "tree"), 300, unrelated, 2.0) <= 0.2
        assert share(falling_short(question, "tree"), 300, straight, 0.0) < 0.1


def test_draws_that_find_the_same_donors_are_told_of() -> None:
    """Of the slopes of 1,000 normal rows, 30 % missing given x, 86 to 87 % are covered, 94 of a population."""
    assert share(falling_short("answer", "pmm"), 1000, straight, 1.0) > 0.8
    assert share(falling_short("answer", "pmmboot"), 1000, straight, 1.0) < 0.1
    assert share(falling_short("population", "pmm"), 1000, straight, 1.0) < 0.4
    assert share(falling_short("answer", "pmm"), 1000, straight, 0.0) < 0.3
    assert share(falling_short("population", "pmm"), 1000, straight, 0.0) == 0


def test_matching_by_a_line_what_bends_is_told_of() -> None:
    """Means and slopes by it cover 0 to 28 % of 1,000 rows, those by trees 84 to 95."""
    for question in ("answer", "population"):
        assert share(falling_short(question, "pmm"), 500, curved, 1.0) > 0.8
        assert share(falling_short(question, "pmmboot"), 500, curved, 1.0) > 0.8


@pytest.mark.parametrize(("imputer", "told"), [("pmm", True), ("pmmboot", False), ("tree", False)])
def test_an_answer_is_told_of_by_its_question(imputer: str, told: bool) -> None:
    one = sample(1000, 5, straight, 1.0)
    db = imputedb.connect()
    db.register("t", {c.name: np.ma.masked_array(cells.values, cells.missing) for c, cells in one.columns.items()})
    for question in ("population", "answer"):
        found = db.sql(
            "SELECT regr_slope(y, x) FROM t", imputer=imputer, m=5, seed=1, interval=question
        ).report.warnings
        narrow = [said for said in found if said.kind is NoteKind.NARROW]
        assert [said.subject for said in narrow] == ["t.y"] * (told and question == "answer")
        assert not narrow or ("pmmboot" in narrow[0] and "the complete table's answer" in narrow[0])


def parabola(x: Floats, rng: np.random.Generator) -> Floats:
    return np.asarray(x**2 + rng.normal(size=len(x)))


def lognormal(x: Floats, rng: np.random.Generator) -> Floats:
    return np.asarray(np.exp(0.6 * x + 0.7 * rng.normal(size=len(x))))


def with_zeros(x: Floats, rng: np.random.Generator) -> Floats:
    return np.where(rng.random(len(x)) < 1 / (1 + np.exp(-0.8 * x)), np.exp(0.7 * (x + rng.normal(size=len(x)))), 0.0)


def told(n: int, y_of: Callable[[Floats, np.random.Generator], Floats], steep: float) -> float:
    """In which share of the samples something is said of draws by trees, of what lies beyond or of few donors."""
    said = [doubts(IMPUTERS["tree"](), sample(n, seed, y_of, steep), [Y]) for seed in range(30)]
    return float(np.mean([any("beyond" in one or "skewness" in one for one in some) for some in said]))


def test_what_a_line_does_not_see_of_gaps_beyond_their_donors_is_told_of() -> None:
    """Beside another predictor, slopes of 200 rows cover 62 to 78, 70 and 75 % in the first three, 90 % in the rest."""
    assert told(200, parabola, 1.0) > 0.8
    assert told(200, lognormal, 1.0) > 0.6
    assert told(200, with_zeros, 1.0) > 0.35
    assert told(1000, parabola, 0.0) < 0.2
    assert told(200, straight, 0.0) < 0.1


def too_few(found: RegressionLine) -> Iterator[Note]:
    return few_donors(found, surface(found))


def test_few_donors_of_a_skewed_column_are_told_of() -> None:
    assert share(too_few, 200, with_zeros, 0.0) > 0.5
    assert share(too_few, 20_000, with_zeros, 0.0) < 0.1
    assert share(too_few, 200, straight, 1.0) == 0.0


@pytest.mark.parametrize("rows", [3, 5, 6, 200])
def test_nearest_donors_are_successive_ones(rows: int) -> None:
    rng = np.random.default_rng(rows)
    known, wanted, values = rng.normal(size=rows), rng.normal(size=50) * 2, rng.normal(size=rows)
    rungs = sorted_donors(known)
    near = np.argsort(np.abs(wanted[:, None] - known), axis=1)[:, :5]
    assert (np.sort(rungs.nearest(wanted)) == np.sort(near)).all()
    assert np.allclose(rungs.means(values, wanted), values[near].mean(axis=1))


def test_a_scale_is_turned_back() -> None:
    values = np.array([0.5, 2.0, 40.0])
    for scale in (Scale("cube root"), Scale("logarithm", 0.25)):
        assert np.allclose(scale.inverse(scale(values)), values)


def test_bends_are_told_of() -> None:
    assert share(curvature_note, 500, curved, 1.0) > 0.9
    assert share(curvature_note, 500, straight, 1.0) < 0.1
    assert share(curvature_note, 500, unrelated, 2.0) < 0.1


def test_other_distributions_are_told_of() -> None:
    assert share(residual_note, 500, skewed, 1.0) > 0.9
    assert share(residual_note, 500, straight, 1.0) < 0.1
    assert share(residual_note, 50, straight, 1.0) < 0.1


def test_rounded_numbers_are_no_other_distribution() -> None:
    assert share(residual_note, 500, lambda x, rng: np.round(2 * straight(x, rng)), 1.0) < 0.1


@pytest.mark.parametrize(
    ("imputer", "words"),
    [("norm", "shares, counts and quantiles are biased"), ("pmm", "beyond those that have it"),
     ("logistic", "beyond those that have it"), ("tree", "beyond those that have it")],
)  # fmt: skip
def test_an_answer_says_so(imputer: str, words: str) -> None:
    one = sample(300, 3, skewed if imputer == "norm" else straight, 2.0)
    cells = {column.name: np.ma.masked_array(c.values, c.missing) for column, c in one.columns.items()}
    db = imputedb.connect()
    db.register("t", cells)
    found = db.sql("SELECT avg(y), regr_slope(y, x) FROM t", imputer=imputer, m=5, seed=1).report.warnings
    assert any(words in said and "t.y" in said for said in found), found


def test_too_little_to_draw_a_line_by() -> None:
    rows = sample(15, 0, straight, 0.0)
    assert regression_line(rows, Y) is None
    constant = {**rows.columns, Y: rows.columns[Y].like(np.ones(15), rows.columns[Y].missing)}
    assert regression_line(Rows(constant, rows.keys), Y) is None
