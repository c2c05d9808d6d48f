"""Kept models: pure functions of a row, the same whatever other rows there are."""

import numpy as np
import pytest

from imputedb.algebra.column import Column
from imputedb.errors import CannotImpute, DataError, QueryError, StorageError
from imputedb.imputers.rows import Cells, Rows
from imputedb.models.fitted import Fitted
from imputedb.models.learning import fit
from imputedb.models.target import FitSettings, Method
from imputedb.statistics.table import Kind

METHODS: tuple[Method, ...] = ("mean", "norm", "pmm", "tree")

X, Y, Z, C, B = (Column("t", name) for name in ("x", "y", "z", "c", "b"))
TARGETS = [Y, Z, C, B]
LEVELS = ("low", "mid", "top")


def rows(n: int = 600, *, seed: int = 0, complete: bool = False) -> Rows:
    """A number, three columns that go with it and with each other, a category and a truth value among them."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=n)
    y = 10 + 3 * x + rng.normal(size=n)
    z = np.rint(100 * (x + 0.3 * y + rng.normal(size=n))).astype(np.int32)
    c = np.digitize(x + rng.normal(0, 0.5, n), [-0.7, 0.7]).astype(np.int32)
    b = y + rng.normal(size=n) > 10
    gone = rng.random((5, n)) < np.array([0.1, 0.3, 0.3, 0.2, 0.2])[:, None]
    gone[2] |= gone[1] & (rng.random(n) < 0.5)
    if complete:
        gone[:] = False
    columns = {
        X: Cells(x, gone[0], Kind.NUMBER),
        Y: Cells(y, gone[1], Kind.NUMBER),
        Z: Cells(z, gone[2], Kind.INTEGER),
        C: Cells(c, gone[3], Kind.CATEGORY, LEVELS),
        B: Cells(b, gone[4], Kind.BOOLEAN),
    }
    return Rows(columns, rng.integers(0, 2**63, n).astype(np.uint64))


@pytest.fixture(scope="module", params=METHODS)
def model(request: pytest.FixtureRequest) -> Fitted:
    return fit(rows(), TARGETS, {}, FitSettings(request.param, draws=3, seed=1))


def test_values_are_of_the_missing_cells_in_their_own_types(model: Fitted) -> None:
    given = rows(seed=1)
    for draw in (None, 1, 3):
        for column, values in model.values(given, draw).items():
            cells = given.columns[column]
            assert len(values) == cells.missing.sum()
            assert values.dtype == cells.values.dtype


@pytest.mark.parametrize("draw", [None, 2])
def test_a_row_has_its_values_whatever_other_rows_there_are(model: Fitted, draw: int | None) -> None:
    given = rows(200, seed=2)
    whole = model.values(given, draw)
    for place in range(0, 200, 7):
        one = model.values(given.at(np.array([place])), draw)
        for column in TARGETS:
            missing = given.columns[column].missing
            if missing[place]:
                assert one[column][0] == whole[column][int(missing[:place].sum())]


@pytest.mark.parametrize("draw", [None, 2])
def test_a_model_of_bytes_is_the_same_model(model: Fitted, draw: int | None) -> None:
    data = model.dumped()
    again = Fitted.loaded(data)
    assert again.dumped() == data
    given = rows(seed=3)
    for column, values in model.values(given, draw).items():
        np.testing.assert_array_equal(again.values(given, draw)[column], values)


def test_bytes_that_are_no_model_are_refused(model: Fitted) -> None:
    data = model.dumped()
    for broken in (b"", data[:40], b"x" + data, data[:30] + b"]" + data[31:]):
        with pytest.raises(StorageError, match=r"not .*model"):
            Fitted.loaded(broken)
    newer = data.replace(b'{"format":1', b'{"format":9')
    with pytest.raises(StorageError, match="newer"):
        Fitted.loaded(newer)


def test_models_are_learnt_alike_whatever_the_order_of_rows(model: Fitted) -> None:
    turned = rows().at(np.random.default_rng(4).permutation(600))
    again = fit(turned, TARGETS, {}, model.settings)
    given = rows(seed=3)
    for column, values in model.values(given, 1).items():
        np.testing.assert_allclose(again.values(given, 1)[column], values, rtol=1e-6)


def test_categories_are_matched_by_what_they_are_called(model: Fitted) -> None:
    given = rows(seed=3)
    cells = given.columns[C]
    turned = Cells((2 - cells.values).astype(np.int32), cells.missing, cells.kind, LEVELS[::-1])
    other = Rows({**given.columns, C: turned}, given.keys)
    here, there = model.values(given), model.values(other)
    np.testing.assert_array_equal(here[Z], there[Z])
    np.testing.assert_array_equal(here[C], 2 - there[C])


def test_levels_that_rows_do_not_have_are_told_of(model: Fitted) -> None:
    given = rows(seed=3)
    strange = Cells(np.zeros(600, np.int32), given.columns[C].missing, Kind.CATEGORY, ("odd",))
    other = Rows({**given.columns, C: strange}, given.keys)
    assert model.unseen(other) == {C: int((~given.columns[C].missing).sum())}
    with pytest.raises(DataError, match=r"is not a level of these cells of t\.c"):
        model.values(other)
    aligned = model.aligned(other)
    assert aligned.columns[C].levels == (*LEVELS, "odd")
    values = model.values(aligned)[C]
    assert set(values.tolist()) <= {0, 1, 2}


def test_what_a_model_lacks_is_named(model: Fitted) -> None:
    given = rows()
    with pytest.raises(DataError, match=r"t\.x"):
        model.values(Rows({c: cells for c, cells in given.columns.items() if c != X}, given.keys))
    with pytest.raises(QueryError, match="draws 1 to 3, no draw 4"):
        model.values(given, 4)
    empty = Cells(np.zeros(600), np.ones(600, bool), Kind.NUMBER)
    with pytest.raises(CannotImpute, match=r"t\.y"):
        fit(Rows({**given.columns, Y: empty}, given.keys), [Y], {}, model.settings)


def test_complete_rows_teach_as_well(model: Fitted) -> None:
    learnt = fit(rows(complete=True), TARGETS, {}, model.settings)
    assert len(learnt.values(rows(seed=5), 1)[Y])
    assert not len(learnt.values(rows(complete=True))[Y])


@pytest.mark.sampled(4)
@pytest.mark.parametrize("method", ["norm", "pmm", "tree"])
@pytest.mark.parametrize("together", [(Y,), (Y, Z), (Y, Z, C), (X, Z, B)])
def test_draws_keep_what_columns_have_to_do_with_each_other(method: Method, together: tuple[Column, ...]) -> None:
    """Of columns that are missing together, drawn one after the other."""
    learn, truth = rows(4000, seed=6), rows(4000, seed=7, complete=True)
    model = fit(learn, [X, *TARGETS], {}, FitSettings(method, draws=1))
    gone = np.ones(4000, bool)
    asked = {c: cells.like(cells.values, gone) if c in together else cells for c, cells in truth.columns.items()}
    drawn = model.values(Rows(asked, truth.keys), 1)
    known = {c: cells.values.astype(float) for c, cells in truth.columns.items()}
    found = {c: drawn[c].astype(float) if c in together else values for c, values in known.items()}
    np.testing.assert_allclose(np.corrcoef(list(found.values())), np.corrcoef(list(known.values())), atol=0.06)
    for column in together:
        assert np.std(found[column]) == pytest.approx(np.std(known[column]), rel=0.08)


@pytest.mark.parametrize("method", ["pmm", "tree"])
def test_draws_of_donors_are_observed_values(method: Method) -> None:
    learn = rows(800, seed=8)
    drawn = fit(learn, TARGETS, {}, FitSettings(method, draws=2)).values(rows(seed=9), 2)
    for column in (Y, Z):
        cells = learn.columns[column]
        assert set(drawn[column].tolist()) <= set(cells.values[~cells.missing].tolist())


@pytest.mark.sampled(2)
@pytest.mark.parametrize("method", ["norm", "pmm", "tree"])
def test_intervals_from_draws_cover(method: Method) -> None:
    """Means of y where y is missing by x, pooled over m draws by Rubin's rules."""
    inside, repeats, m = 0, 30, 10
    for seed in range(repeats):
        rng = np.random.default_rng([seed, 5])
        x = rng.normal(size=250)
        y = 2 * x + rng.normal(size=250)
        gone = rng.random(250) < 1 / (1 + np.exp(-x))
        given = Rows(
            {X: Cells(x, np.zeros(250, bool), Kind.NUMBER), Y: Cells(y, gone, Kind.NUMBER)},
            rng.integers(0, 2**63, 250).astype(np.uint64),
        )
        model = fit(given, [Y], {}, FitSettings(method, draws=m, seed=seed))
        completed = [np.concatenate([y[~gone], model.values(given, d)[Y]]) for d in range(1, m + 1)]
        means = np.array([one.mean() for one in completed])
        within = np.mean([one.var(ddof=1) / 250 for one in completed])
        spread = np.sqrt(within + (1 + 1 / m) * means.var(ddof=1))
        inside += abs(means.mean()) < 2.1 * spread
    assert inside >= 0.8 * repeats


@pytest.mark.sampled(3)
@pytest.mark.parametrize("method", ["norm", "pmm", "tree"])
@pytest.mark.parametrize("kind", [Kind.NUMBER, Kind.CATEGORY])
def test_draws_differ_by_what_is_unknown_of_the_model(method: Method, kind: Kind) -> None:
    """The mean of n values of which n0 are missing varies between draws by s^2 n0 / (n n1) where nothing predicts."""
    rng = np.random.default_rng(11)
    n, m = 200, 300
    x, gone = rng.normal(size=n), rng.random(n) < 0.5
    y = rng.normal(size=n) if kind is Kind.NUMBER else (rng.random(n) < 0.4).astype(np.int32)
    cells = Cells(y, gone, kind, () if kind is Kind.NUMBER else ("no", "yes"))
    given = Rows({X: Cells(x, np.zeros(n, bool), Kind.NUMBER), Y: cells}, rng.permutation(n).astype(np.uint64))
    model = fit(given, [Y], {}, FitSettings(method, draws=m))
    sums = np.array([model.values(given, draw)[Y].sum() for draw in range(1, m + 1)])
    expected = y[~gone].var(ddof=1) * gone.sum() * n / (~gone).sum()
    assert sums.var(ddof=1) / expected == pytest.approx(1.0, abs=0.35)


def test_categories_drawn_by_trees_go_with_what_predicts_them() -> None:
    """As much as those drawn by a logistic regression do, which is the truth: of 250 rows, missing by what predicts."""
    methods: tuple[Method, ...] = ("norm", "tree")
    slopes = np.zeros((20, 2))
    for seed in range(len(slopes)):
        rng = np.random.default_rng([seed, 12])
        x = rng.normal(size=250)
        y = (rng.random(250) < 1 / (1 + np.exp(-x))).astype(np.int32)
        gone = rng.random(250) < 1 / (1 + np.exp(-x))
        cells = {X: Cells(x, np.zeros(250, bool), Kind.NUMBER), Y: Cells(y, gone, Kind.CATEGORY, ("no", "yes"))}
        given = Rows(cells, rng.permutation(250).astype(np.uint64))
        for place, method in enumerate(methods):
            model = fit(given, [Y], {}, FitSettings(method, draws=5, seed=seed))
            whole = [given.given({Y: model.values(given, draw)[Y]}).columns[Y].values for draw in range(1, 6)]
            slopes[seed, place] = np.mean([np.cov(x, one)[0, 1] for one in whole])
    logistic, tree = slopes.mean(axis=0)
    assert tree == pytest.approx(logistic, rel=0.06)


@pytest.mark.parametrize("method", ["norm", "tree"])
def test_quality_is_the_error_of_cells_that_nobody_knows(method: Method) -> None:
    """Columns that go missing together by what is observed: the truth of the missing cells is known here alone."""
    rng = np.random.default_rng(3)
    truth = rows(6000, seed=10, complete=True)
    x = truth.columns[X].values.astype(float)
    together = rng.random(6000) < 1 / (1 + np.exp(-x))
    gone = {Y: together, Z: together & (rng.random(6000) < 0.8), C: rng.random(6000) < 0.3, B: rng.random(6000) < 0.1}
    columns = {c: cells.like(cells.values, gone[c]) if c in gone else cells for c, cells in truth.columns.items()}
    given = Rows(columns, truth.keys)
    model = fit(given, TARGETS, {}, FitSettings(method, draws=1))
    values = model.values(given)
    for target in model.targets:
        column, quality = model.features[target.feature].column, target.quality
        assert quality is not None
        known, found = truth.columns[column].values[gone[column]].astype(float), values[column].astype(float)
        error = (
            np.mean(known != found) if quality.is_error_rate else np.sqrt(np.mean((known - found) ** 2)) / np.std(known)
        )
        assert quality.error == pytest.approx(error, rel=0.15)
        assert quality.error < quality.baseline_error


def test_what_nothing_predicts_is_given_its_mean() -> None:
    rng = np.random.default_rng(4)
    columns = {column: Cells(rng.normal(size=1500), rng.random(1500) < 0.2, Kind.NUMBER) for column in (X, Y)} | {
        C: Cells(rng.integers(0, 3, 1500).astype(np.int32), rng.random(1500) < 0.2, Kind.CATEGORY, LEVELS)
    }
    given = Rows(columns, np.arange(1500).astype(np.uint64))
    for method in ("norm", "tree"):
        model = fit(given, [Y], {}, FitSettings(method, draws=1))
        quality = model.targets[0].quality
        assert quality is not None
        assert quality.error > 0.97
        assert np.std(model.values(given)[Y]) < 0.15


def test_columns_of_one_name_are_not_drawn_by_the_same_numbers() -> None:
    """Of a join: what is random of one says nothing of the other."""
    rng = np.random.default_rng(5)
    one, two = Column("a", "x"), Column("b", "x")
    columns = {column: Cells(rng.normal(size=2000), rng.random(2000) < 0.5, Kind.NUMBER) for column in (one, two)}
    given = Rows(columns, np.arange(2000).astype(np.uint64))
    drawn = fit(given, [one, two], {}, FitSettings("norm", draws=1)).values(given, 1)
    both = columns[one].missing & columns[two].missing
    x, y = (drawn[column][both[columns[column].missing]] for column in (one, two))
    assert abs(np.corrcoef(x, y)[0, 1]) < 0.15


def test_fitting_stops_when_progress_does() -> None:
    class Enough(Exception):
        pass

    def stop(share: float) -> None:
        if share < 1:
            raise Enough

    with pytest.raises(Enough):
        fit(rows(), TARGETS, {}, FitSettings("tree", draws=2), stop)
