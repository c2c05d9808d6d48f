"""What any imputer must do."""

from collections.abc import Callable

import numpy as np
import pytest

from imputedb.algebra.column import Column
from imputedb.imputers.chained.chained import Chained
from imputedb.imputers.chained.logistic import Logistic
from imputedb.imputers.chained.multinomial import Multinomial
from imputedb.imputers.chained.normal import Normal
from imputedb.imputers.chained.pmm import Pmm
from imputedb.imputers.checked import draws as drawn
from imputedb.imputers.knn import KNN
from imputedb.imputers.protocol import Imputer, is_proper
from imputedb.imputers.registry import IMPUTERS
from imputedb.imputers.rows import Cells, Rows
from imputedb.imputers.tree import Tree
from imputedb.statistics.table import Kind
from imputedb.testing import imputer_checks
from imputedb.testing.imputers import PROMISES

A, B, S = Column("t", "a"), Column("t", "b"), Column("t", "s")


def rows(n: int = 200, seed: int = 0) -> Rows:
    rng = np.random.default_rng(seed)
    b = rng.normal(0, 1, n)
    cells = {
        A: Cells(np.rint(b * 3).astype(np.int64), rng.random(n) < 0.3, Kind.INTEGER),
        B: Cells(b, rng.random(n) < 0.3, Kind.NUMBER),
        S: Cells((b > 0).astype(np.int32), rng.random(n) < 0.3, Kind.CATEGORY, ("n", "p")),
    }
    return Rows(cells, rng.permutation(n).astype(np.uint64))


def whole(given: Rows, column: Column, values: np.ndarray) -> np.ndarray:
    cells = given.columns[column]
    found = cells.values.copy()
    found[cells.missing] = values
    return found


OWN: dict[str, Callable[[], Imputer]] = {
    "handed in: knn of 5": lambda: KNN(k=5, weights=None),
    "handed in: small trees": lambda: Tree(leaves=16),
    "handed in: norm before pmm": lambda: Chained(Normal(), (Logistic(), Multinomial(), Pmm(donors=3))),
}
"""Imputers that are not in the registry as they are here."""


@pytest.fixture(params=[*IMPUTERS, *OWN])
def imputer(request: pytest.FixtureRequest) -> Imputer:
    return {**IMPUTERS, **OWN}[request.param]()


@pytest.mark.sampled(8)
@pytest.mark.filterwarnings("error::RuntimeWarning")
@pytest.mark.parametrize("promise", PROMISES)
def test_what_every_imputer_must_do_it_does(imputer: Imputer, promise: str) -> None:
    """The checks that others run on imputers of their own, of the registry's and of those handed in directly."""
    (check,) = [check for check in imputer_checks(imputer) if check.promise == promise]
    check()


def test_every_missing_cell_gets_a_value_of_its_type(imputer: Imputer) -> None:
    given = rows()
    filled = imputer.impute(given, [A, B, S], 0)
    assert set(filled) == {A, B, S}
    for column, values in filled.items():
        cells = given.columns[column]
        observed = cells.values[~cells.missing]
        assert len(values) == cells.missing.sum()
        assert values.dtype == cells.values.dtype
        assert (values >= observed.min()).all()
        assert (values <= observed.max()).all()


@pytest.mark.sampled(8)
@pytest.mark.parametrize("complete", [None, A, B, S])
def test_what_is_filled_does_not_depend_on_which_other_rows_are(imputer: Imputer, complete: Column | None) -> None:
    """Others that are not learnt from are left out, which may be the only ones that miss a column: values stay."""
    given = rows(200)
    learn = given.keys < 130
    columns = {
        c: Cells(cells.values, cells.missing & ~(learn & (c == complete)), cells.kind, cells.levels)
        for c, cells in given.columns.items()
    }
    for drawn_ones, draw in (((), 0), ((A, B, S), 3)):
        everyone = imputer.impute(Rows(columns, given.keys, learn), [A, B, S], 5, drawn=drawn_ones, draw=draw)
        for kept in (given.keys < 190, given.keys % 2 == 0, learn):
            places = np.flatnonzero(learn | kept)
            some = {c: Cells(x.values[places], x.missing[places], x.kind, x.levels) for c, x in columns.items()}
            fewer = imputer.impute(
                Rows(some, given.keys[places], learn[places]), [A, B, S], 5, drawn=drawn_ones, draw=draw
            )
            for column in (A, B, S):
                expected = whole(Rows(columns, given.keys), column, everyone[column])[places]
                found = whole(Rows(some, given.keys[places]), column, fewer[column])
                assert np.allclose(found, expected, rtol=1e-9), (column, draw)


@pytest.mark.sampled(2)
def test_draws_have_the_type_of_their_column_and_stay_among_its_categories(imputer: Imputer) -> None:
    given = rows()
    for column, values in imputer.impute(given, [A, B, S], 0, drawn=[A, B, S], draw=1).items():
        cells = given.columns[column]
        assert values.dtype == cells.values.dtype
        assert len(values) == cells.missing.sum()
        if imputer.name in ("pmm", "hotdeck", "tree") or cells.levels:
            assert np.isin(values, cells.values[~cells.missing]).all()


def test_a_single_value_fits_what_is_drawn_for_its_row(imputer: Imputer) -> None:
    """Two columns that are missing together, one of them drawn: the other is expected given that."""
    rng = np.random.default_rng(3)
    b = rng.normal(0, 1, 500)
    gone = rng.random(500) < 0.3
    cells = {A: Cells(b + rng.normal(0, 0.3, 500), gone, Kind.NUMBER), B: Cells(b, gone, Kind.NUMBER)}
    cells[S] = Cells(rng.integers(0, 2, 500).astype(np.int32), np.zeros(500, bool), Kind.CATEGORY, ("n", "p"))
    found = imputer.impute(Rows(cells, np.arange(500, dtype=np.uint64)), [A, B], 1, drawn=[B])
    if imputer.uses_predictors:
        assert np.corrcoef(found[A], found[B])[0, 1] > 0.9


def test_draws_differ_as_much_as_what_is_unknown(imputer: Imputer) -> None:
    """Of a mean of n values, n0 of them missing at random, the variance between draws is s^2 n0 / (n n1).

    That is what drawn parameters add to drawn values; values alone give half of it here. Bounds: 4 Monte Carlo errors,
    and 15 % for what models of an unrelated predictor add or leave out.
    """
    if not is_proper(imputer):
        pytest.skip(f"{imputer.name} does not say that its draws are proper")
    rng = np.random.default_rng(5)
    n, m = 400, 150
    missing = np.arange(n) % 2 == 0
    y, s = rng.normal(size=n), rng.integers(0, 2, n).astype(np.int32)
    none = np.zeros(n, bool)
    for column, cells in (
        (B, Cells(y, missing, Kind.NUMBER)),
        (S, Cells(s, missing, Kind.CATEGORY, ("n", "p"))),
    ):
        given = Rows({column: cells, A: Cells(rng.normal(size=n), none, Kind.NUMBER)}, np.arange(n, dtype=np.uint64))
        means = [whole(given, column, d[column]).mean() for d in drawn(imputer, given, [column], 1, range(m))]
        expected = cells.values[~missing].var(ddof=1) * missing.sum() / (n * (~missing).sum())
        error = 4 * np.sqrt(2 / m)
        assert 0.85 * (1 - error) < np.var(means, ddof=1) / expected < 1.15 * (1 + error), column
