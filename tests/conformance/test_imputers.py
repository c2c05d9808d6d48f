"""What any imputer must do."""

import numpy as np
import pytest

from imputedb.algebra.column import Column
from imputedb.imputers.checked import draws as drawn
from imputedb.imputers.imputer import Cells, Imputer, Rows, Work, is_proper
from imputedb.imputers.registry import IMPUTERS
from imputedb.statistics.statistics import Kind

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


@pytest.fixture(params=list(IMPUTERS))
def imputer(request: pytest.FixtureRequest) -> Imputer:
    return IMPUTERS[request.param]()


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


def test_nothing_given_is_changed(imputer: Imputer) -> None:
    given = rows()
    before = {column: cells.values.copy() for column, cells in given.columns.items()}
    imputer.impute(given, [A, B], 0)
    for column, values in before.items():
        assert np.array_equal(given.columns[column].values, values)


def test_one_seed_gives_one_answer_in_any_order_of_rows(imputer: Imputer) -> None:
    given = rows()
    order = np.argsort(given.keys)
    turned = Rows({c: Cells(x.values[order], x.missing[order], x.kind, x.levels) for c, x in given.columns.items()},
                  given.keys[order])  # fmt: skip
    for some in ([], [A, S], [S]):
        first = imputer.impute(given, [A, S], 4, drawn=some, draw=3)
        again = imputer.impute(given, [A, S], 4, drawn=some, draw=3)
        other = imputer.impute(turned, [A, S], 4, drawn=some, draw=3)
        for column in (A, S):
            assert np.array_equal(first[column], again[column])
            assert np.array_equal(whole(given, column, first[column])[order], whole(turned, column, other[column]))


def test_what_is_not_to_be_learnt_from_says_nothing_of_other_rows(imputer: Imputer) -> None:
    """Observed cells of a target in such rows are changed beyond all bounds: no imputed value is."""
    given = rows(300)
    learn = given.keys < 200
    for column, other in ((A, 1_000_000), (B, 1e9), (S, None)):
        cells = given.columns[column]
        changed = cells.values.copy()
        aside = ~learn & ~cells.missing
        changed[aside] = 1 - changed[aside] if other is None else changed[aside] * 7 + other
        columns = {**given.columns, column: Cells(changed, cells.missing, cells.kind, cells.levels)}
        for some in ([], [column]):
            before = imputer.impute(Rows(given.columns, given.keys, learn), [column], 1, drawn=some, draw=2)
            after = imputer.impute(Rows(columns, given.keys, learn), [column], 1, drawn=some, draw=2)
            assert np.array_equal(before[column], after[column]), (column, some)
        everyone = imputer.impute(Rows(columns, given.keys), [column], 1, drawn=[column], draw=2)
        assert not np.array_equal(after[column], everyone[column]) or (imputer.name == "mean" and other is None)


@pytest.mark.parametrize("complete", [None, A, B, S])
def test_what_is_filled_does_not_depend_on_which_other_rows_are(imputer: Imputer, complete: Column | None) -> None:
    """Others that are not learnt from are left out, which may be the only ones that miss a column: values stay."""
    given = rows(300)
    learn = given.keys < 200
    columns = {
        c: Cells(cells.values, cells.missing & ~(learn & (c == complete)), cells.kind, cells.levels)
        for c, cells in given.columns.items()
    }
    for kept in (given.keys < 290, given.keys % 2 == 0, learn):
        places = np.flatnonzero(learn | kept)
        some = {c: Cells(x.values[places], x.missing[places], x.kind, x.levels) for c, x in columns.items()}
        for drawn_ones, draw in (((), 0), ((A, B, S), 3)):
            everyone = imputer.impute(Rows(columns, given.keys, learn), [A, B, S], 5, drawn=drawn_ones, draw=draw)
            fewer = imputer.impute(
                Rows(some, given.keys[places], learn[places]), [A, B, S], 5, drawn=drawn_ones, draw=draw
            )
            for column in (A, B, S):
                expected = whole(Rows(columns, given.keys), column, everyone[column])[places]
                found = whole(Rows(some, given.keys[places]), column, fewer[column])
                assert np.allclose(found, expected, rtol=1e-9), (column, draw)


def test_nothing_missing_nothing_filled(imputer: Imputer) -> None:
    whole = {
        column: Cells(cells.values, np.zeros(200, bool), cells.kind, cells.levels)
        for column, cells in rows().columns.items()
    }
    filled = imputer.impute(Rows(whole, np.arange(200, dtype=np.uint64)), [A, B], 0)
    assert all(len(values) == 0 for values in filled.values())


def test_one_observed_value_is_enough(imputer: Imputer) -> None:
    missing = np.ones(50, bool)
    missing[7] = False
    cells = {A: Cells(np.arange(50), missing, Kind.INTEGER), B: Cells(np.arange(50.0), np.zeros(50, bool), Kind.NUMBER)}
    filled = imputer.impute(Rows(cells, np.arange(50, dtype=np.uint64)), [A], 0)
    assert (filled[A] == 7).all()


def test_prices_keep_their_bounds(imputer: Imputer) -> None:
    for count in (1, 10, 1000, 1e6):
        work = Work(count, 2, 10, 0.3, 0.8)
        assert 0 < imputer.penalty(work) < 1
        assert imputer.time(work) >= 0


def test_draws_have_the_type_of_their_column_and_stay_among_its_categories(imputer: Imputer) -> None:
    given = rows()
    for column, values in imputer.impute(given, [A, B, S], 0, drawn=[A, B, S], draw=1).items():
        cells = given.columns[column]
        assert values.dtype == cells.values.dtype
        assert len(values) == cells.missing.sum()
        donors_only = imputer.name in ("pmm", "hotdeck", "tree") or cells.levels
        if donors_only and imputer.name != "mean":
            assert np.isin(values, cells.values[~cells.missing]).all()


@pytest.mark.parametrize("targets", [[B], [A, B, S]])
def test_draws_differ_by_their_numbers_alone(imputer: Imputer, targets: list[Column]) -> None:
    """The first five of forty are those of five, and each is what it is alone, to the last bit."""
    for given in (rows(), Rows(rows().columns, rows().keys, rows().keys % 3 > 0)):
        forty = list(drawn(imputer, given, targets, 2, range(1, 41)))
        five = list(drawn(imputer, given, targets, 2, range(1, 6)))
        alone = imputer.impute(given, targets, 2, drawn=targets, draw=4)
        for column in targets:
            assert all(np.array_equal(a[column], b[column]) for a, b in zip(forty[:5], five, strict=True))
            assert np.array_equal(five[3][column], alone[column])
    if is_proper(imputer):
        assert not np.array_equal(five[0][B], five[1][B])


@pytest.mark.parametrize("some", [[B], [A, S]])
def test_draws_do_not_depend_on_single_values_beside_them(imputer: Imputer, some: list[Column]) -> None:
    given = rows()
    both = imputer.impute(given, [A, B, S], 2, drawn=some, draw=4)
    assert set(both) == {A, B, S}
    for column, values in imputer.impute(given, some, 2, drawn=some, draw=4).items():
        assert np.array_equal(both[column], values), column


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


def test_progress_of_draws_rises_to_one(imputer: Imputer) -> None:
    told: list[float] = []
    list(drawn(imputer, rows(), [B], 0, range(1, 6), told.append))
    assert told == sorted(told)
    assert told[-1] == pytest.approx(1)


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


@pytest.mark.parametrize("missing", [0.0, 0.01, 0.3, 1.0])
@pytest.mark.parametrize("targets", [1, 4])
def test_more_rows_never_cost_less_nor_lose_more(imputer: Imputer, missing: float, targets: int) -> None:
    works = [Work(float(rows), targets, 10, missing, 0.4 * targets) for rows in np.geomspace(1, 1e8, 200)]
    times = [imputer.time(work) for work in works]
    penalties = [imputer.penalty(work) for work in works]
    assert times == sorted(times)
    assert penalties == sorted(penalties, reverse=True)


@pytest.mark.parametrize("some", [[], [B]])
def test_an_observed_infinity_is_no_missing_value(imputer: Imputer, some: list[Column]) -> None:
    given = rows()
    seen = given.columns[B]
    values = seen.values.copy()
    values[np.flatnonzero(~seen.missing)[:2]] = [np.inf, -np.inf]
    cells = dict(given.columns) | {B: Cells(values, seen.missing, Kind.NUMBER)}
    filled = imputer.impute(Rows(cells, given.keys), [B], 0, drawn=some)
    assert len(filled[B]) == seen.missing.sum()
