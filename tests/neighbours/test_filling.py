"""What filling by neighbours promises: exactness, conditions, draws, fallbacks."""

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imputedb.errors import DataError, QueryError
from imputedb.imputers.random import keyed
from imputedb.neighbours import votes
from imputedb.neighbours.column import Attribute, Measure
from imputedb.neighbours.condition import condition
from imputedb.neighbours.impute import Filled, fill
from imputedb.neighbours.index import Index, built
from imputedb.neighbours.metric import METRICS, Floats
from imputedb.neighbours.search import cells_of
from imputedb.neighbours.settings import Settings, Uniforms
from imputedb.neighbours.weights import WeightLearner


def uniforms(count: int, seed: int = 0) -> Uniforms:
    keys = np.arange(count, dtype=np.uint64)
    return lambda what: (keyed(keys, seed, what) >> np.uint64(11)).astype(float) * 2.0**-53


def table(n: int, seed: int = 0, missing: float = 0.2, width: int = 5) -> list[Attribute]:
    rng = np.random.default_rng(seed)
    factor = rng.normal(size=(n, 2))
    columns: list[Attribute] = []
    for place in range(width):
        values = factor @ rng.normal(size=2) + 0.3 * rng.normal(size=n)
        gone = rng.random(n) < missing
        if place % 5 == 3:
            columns.append(Attribute(np.digitize(values, [-1, 0, 1]).astype(np.int32), gone, Measure.NOMINAL))
        elif place % 5 == 4:
            columns.append(Attribute((values > 0.5).astype(np.int64), gone, Measure.ASYMMETRIC))
        else:
            columns.append(Attribute(values, gone))
    return columns


def slow_distance(a: Floats, b: Floats, attributes: Sequence[Attribute], metric: str, w: Floats) -> float:
    num = den = own = 0.0
    for k, attribute in enumerate(attributes):
        if np.isnan(a[k]) or np.isnan(b[k]):
            continue
        nominal = attribute.measure is Measure.NOMINAL
        asymmetric = attribute.measure is Measure.ASYMMETRIC
        if metric == "cosine":
            same = nominal or asymmetric
            num += w[k] * (float(a[k] == b[k]) if same else a[k] * b[k])
            den += w[k] * (1.0 if same else a[k] ** 2)
            own += w[k] * (1.0 if same else b[k] ** 2)
            continue
        if asymmetric and a[k] == 0 and b[k] == 0:
            continue
        gap = float(a[k] != b[k]) if nominal or asymmetric else abs(a[k] - b[k])
        num += w[k] * (min(gap, 1.0) if metric == "gower" else gap**2 if metric == "euclidean" else gap)
        den += w[k]
    if metric == "cosine":
        return max(0.0, 1 - num / np.sqrt(den * own)) if den * own > 0 else np.inf
    if den == 0:
        return np.inf
    scaled = num / den * (1 if metric == "gower" else w.sum())
    return float(np.sqrt(scaled)) if metric == "euclidean" else float(scaled)


@pytest.mark.sampled(3)
@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("width", [1, 4, 11])
def test_the_kernel_finds_what_a_loop_over_all_pairs_finds(metric: str, width: int) -> None:
    attributes = table(300, seed=width, missing=0.3, width=width)
    weights = np.linspace(0.5, 2, width)
    index = Index(attributes, Settings(metric=metric))  # type: ignore[arg-type]
    gaps = [~a.observed for a in attributes]
    cells = cells_of(gaps)
    found = index.nearest(cells, [(~g).astype(np.uint8) for g in gaps], 7, weights)
    points = np.stack([c.placed(a.located()) for c, a in zip(index.space.coordinates, attributes, strict=True)], 1)
    for cell, (row, target) in list(enumerate(zip(cells.row_of_cell, cells.targets, strict=True)))[::9]:
        pairs = [
            (slow_distance(points[row], points[donor], attributes, metric, weights), donor)
            for donor in range(300)
            if not gaps[target][donor]
        ]
        near = sorted((round(d, 10), r) for d, r in pairs if np.isfinite(d))[:7]
        mine = [(round(d, 10), r) for d, r in zip(found.distances[cell], found.rows[cell], strict=True) if r >= 0]
        assert [d for d, _ in near] == pytest.approx([d for d, _ in mine], abs=1e-9)
        if len({d for d, _ in near}) == len(near):
            assert [r for _, r in near] == [r for _, r in mine]


def test_ties_go_to_the_lower_row_and_threads_change_nothing() -> None:
    steps = Attribute(np.repeat([0.0, 1.0], 500), np.zeros(1000, bool))
    attributes = [steps, Attribute(np.arange(1000.0), np.arange(1000) % 2 == 0)]
    index = Index(attributes, Settings())
    gaps = [~a.observed for a in attributes]
    cells = cells_of(gaps)
    copies = [(~g).astype(np.uint8) for g in gaps]
    one = index.nearest(cells, copies, 3, np.ones(2), threads=1)
    two = index.nearest(cells, copies, 3, np.ones(2), threads=2)
    assert np.array_equal(one.rows, two.rows)
    assert np.array_equal(one.distances, two.distances)
    assert (one.rows[cells.rows < 500] == [1, 3, 5]).all()
    assert (one.rows[cells.rows >= 500] == [501, 503, 505]).all()


def test_an_interrupt_stops_the_search() -> None:
    attributes = table(3000)

    def impatient(_: float) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fill(attributes, range(5), Settings(), uniforms(3000), progress=impatient)


def test_progress_rises_to_the_end() -> None:
    told: list[float] = []
    fill(table(3000), range(5), Settings(weights="learnt"), uniforms(3000), progress=told.append)
    assert told == sorted(told)
    assert 0.9 < told[-1] <= 1.0


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("aggregated", ["mean", "median", "mode"])
def test_all_cells_are_filled_within_what_was_observed(metric: str, aggregated: str) -> None:
    attributes = table(400)
    filled = fill(attributes, range(5), Settings(metric=metric, aggregate=aggregated), uniforms(400))  # type: ignore[arg-type]
    for place, values in filled.values.items():
        observed = attributes[place].values[attributes[place].observed]
        assert values.dtype == attributes[place].values.dtype
        assert observed.min() <= values.min()
        assert values.max() <= observed.max()
        if aggregated == "mode":
            assert np.isin(values, observed).all()


def test_neighbours_beat_the_mean_on_dependent_columns() -> None:
    attributes = table(2000, missing=0.0)
    truth = attributes[0].values
    gone = np.arange(2000) % 5 == 0
    hidden = [Attribute(truth, gone), *attributes[1:]]
    filled = fill(hidden, [0], Settings(), uniforms(2000))
    error = np.sqrt(np.mean((filled.values[0] - truth[gone]) ** 2))
    assert error < 0.6 * truth.std()


# -- conditions ------------------------------------------------------------------------------------------------------


def test_donors_are_of_the_same_group_and_earlier() -> None:
    rng = np.random.default_rng(0)
    n = 600
    groups = rng.integers(-1, 4, n)
    times = np.where(rng.random(n) < 0.1, np.nan, rng.integers(0, 30, n).astype(float))
    gone = rng.random(n) < 0.4
    attributes = [Attribute(rng.normal(size=n), np.zeros(n, bool)), Attribute(np.arange(n).astype(float), gone)]
    index = Index(attributes, Settings(), condition=condition(n, groups, times))
    cells = cells_of([np.zeros(n, bool), gone])
    copies = [index.arranged(c) for c in (np.ones(n, np.uint8), (~gone).astype(np.uint8))]
    found = index.nearest(cells, copies, 5, np.ones(2))
    for row, donors in zip(cells.row_of_cell, found.rows, strict=True):
        allowed = (groups == groups[row]) & (times < times[row]) & ~gone & (groups[row] >= 0)
        near = np.flatnonzero(allowed)
        near = near[np.argsort(np.abs(attributes[0].values[near] - attributes[0].values[row]), kind="stable")][:5]
        assert donors[donors >= 0].tolist() == near.tolist()


def test_the_future_changes_nothing() -> None:
    rng = np.random.default_rng(3)
    n = 300
    values, times = rng.normal(size=n), np.arange(n).astype(float)
    gone = rng.random(n) < 0.3

    def filled(changed: Floats) -> Filled:
        attributes = [Attribute(np.sin(np.arange(n)), np.zeros(n, bool)), Attribute(changed, gone)]
        return fill(attributes, [1], Settings(k=3), uniforms(n), times=times)

    later = np.where(times >= 200, values * 100, values)
    first, second = filled(values), filled(later)
    early = np.flatnonzero(gone) < 200
    assert np.array_equal(first.values[1][early], second.values[1][early])


# -- fallbacks and cold starts ---------------------------------------------------------------------------------------


def test_a_cell_without_neighbours_takes_its_group_then_the_column_and_is_counted() -> None:
    nan = np.nan
    x = np.array([1.0, nan, nan, nan, 5.0, 6.0])
    y = np.array([nan, 1.0, 2.0, 9.0, nan, nan])  # no row has both: nothing is ever shared
    groups = np.array([0, 0, 0, 1, 1, 2])
    attributes = [Attribute(v, np.isnan(v)) for v in (x, y)]
    filled = fill(attributes, [1], Settings(), uniforms(6), groups=groups)
    assert filled.values[1].tolist() == [1.5, 9.0, 2.0]
    assert dict(filled.fallbacks) == {(1, "group"): 2, (1, "column"): 1}
    left = fill(attributes, [1], Settings(fallback=("group",)), uniforms(6), groups=groups)
    assert left.left[1].tolist() == [False, False, True]
    assert left.fallbacks[1, "left"] == 1


def test_a_column_alone_falls_back() -> None:
    values = np.array([1, 2, 9, 0])
    filled = fill([Attribute(values, np.array([False, False, False, True]))], [0], Settings(), uniforms(4))
    assert filled.values[0].tolist() == [2]


# -- draws -----------------------------------------------------------------------------------------------------------


def test_draws_are_observed_values_keyed_by_row_and_vary_between_draws() -> None:
    attributes = table(500, width=3)  # numbers only: where distances tie, the order of the rows decides
    attributes.append(Attribute(np.random.default_rng(1).normal(size=500), np.zeros(500, bool)))
    order = np.random.default_rng(0).permutation(500)
    keys = np.arange(500, dtype=np.uint64)

    def uniform(keyed_by: np.ndarray, draw: int) -> Uniforms:
        return lambda what: (keyed(keyed_by, draw, what) >> np.uint64(11)).astype(float) * 2.0**-53

    first = fill(attributes, range(3), Settings(), uniform(keys, 0), draw=True)
    second = fill(attributes, range(3), Settings(), uniform(keys, 1), draw=True)
    mixed = [Attribute(a.values[order], a.missing[order], a.measure) for a in attributes]
    moved = fill(mixed, range(3), Settings(), uniform(keys[order], 0), draw=True)
    for place, attribute in enumerate(attributes[:3]):
        assert np.isin(first.values[place], attribute.values[attribute.observed]).all()
    numeric = attributes[0]
    assert not np.array_equal(first.values[0], second.values[0])
    back = np.empty(500)
    back[order[np.flatnonzero(~mixed[0].observed)]] = moved.values[0]
    assert np.array_equal(back[~numeric.observed], first.values[0])


def test_draws_keep_the_spread_that_means_lose() -> None:
    attributes = table(3000, missing=0.3)
    hidden = ~attributes[0].observed
    mean = fill(attributes, [0], Settings(k=20), uniforms(3000)).values[0]
    draw = fill(attributes, [0], Settings(k=20), uniforms(3000), draw=True).values[0]
    true = attributes[0].values[hidden]
    assert np.std(mean) < np.std(draw)
    assert np.std(draw) == pytest.approx(np.std(true), rel=0.08)


def test_the_bootstrap_makes_imputations_vary_as_much_as_they_should() -> None:
    """With one coordinate alike in all rows every donor is as near: the ABB's between-imputation variance is known."""
    n, gone = 200, 100
    rng = np.random.default_rng(5)
    values = rng.normal(size=n)
    missing = np.arange(n) < gone
    attributes = [Attribute(np.zeros(n), np.zeros(n, bool)), Attribute(values, missing)]
    means = [
        fill(attributes, [1], Settings(k=100), uniforms(n, seed), draw=True).values[1].mean() for seed in range(400)
    ]
    variance = values[~missing].var()
    expected = variance / gone + variance / (n - gone)  # of the draws, and of the donors' bootstrap
    assert np.var(means) == pytest.approx(expected, rel=0.3)


# -- approximate -----------------------------------------------------------------------------------------------------


def test_an_approximate_search_finds_what_its_recall_says() -> None:
    attributes = table(6000, width=8)
    order = np.argsort(uniforms(6000)("order"))
    way = Settings(search="approximate", recall=0.9)
    index = built(attributes, range(8), way, [np.ones(8)] * 8, order)
    assert index.partition is not None
    assert index.partition.probes < len(index.partition.centres) / 2
    gaps = [~a.observed for a in attributes]
    cells = cells_of(gaps)
    copies = [(~g).astype(np.uint8) for g in gaps]
    near = index.nearest(cells, [index.arranged(c) for c in copies], 10, np.ones(8))
    true = Index(attributes, way).nearest(cells, copies, 10, np.ones(8))
    found = np.mean([len(np.intersect1d(a, b)) / 10 for a, b in zip(near.rows, true.rows, strict=True)])
    assert found == pytest.approx(index.partition.recall, abs=0.05)
    assert found >= 0.85


def test_an_approximate_search_is_exact_for_columns_that_are_hardly_observed() -> None:
    attributes = table(5000, width=6)
    rare = np.ones(5000, bool)
    rare[[5, 1000, 2000, 3000]] = False
    attributes[0] = Attribute(attributes[0].values, rare)
    approximate = fill(attributes, [0], Settings(search="approximate"), uniforms(5000))
    exact = fill(attributes, [0], Settings(search="exact"), uniforms(5000))
    np.testing.assert_allclose(approximate.values[0], exact.values[0], rtol=1e-12)


# -- weights ---------------------------------------------------------------------------------------------------------


def test_learnt_weights_see_what_explains_the_target() -> None:
    rng = np.random.default_rng(0)
    n = 4000
    x, noise = rng.normal(size=n), rng.normal(size=n)
    sort = rng.integers(0, 3, n)
    y = x + sort + 0.1 * rng.normal(size=n)
    columns = [Attribute(c, np.zeros(n, bool)) for c in (x, noise)]
    columns += [Attribute(sort.astype(np.int32), np.zeros(n, bool), Measure.NOMINAL)]
    weights = WeightLearner([*columns, Attribute(y, rng.random(n) < 0.2)], np.arange(n)).weights(3)
    assert weights[0] == pytest.approx(0.6, abs=0.1)
    assert weights[2] == pytest.approx(0.4, abs=0.1)
    assert weights[1] == 0.01
    assert weights[3] == 0


@given(st.lists(st.tuples(st.floats(-5, 5), st.floats(0, 3)), min_size=1, max_size=9))
@settings(max_examples=60, deadline=None)
def test_weighted_median_is_the_median_of_repeated_values(pairs: list[tuple[float, float]]) -> None:
    values = np.array([[v for v, _ in pairs]])
    counts = np.array([round(w) for _, w in pairs])
    if counts.sum() == 0:
        assert np.isnan(votes.median(values, counts[None, :].astype(float))[0])
        return
    repeated = np.repeat(values[0], counts)
    assert votes.median(values, counts[None, :].astype(float))[0] == pytest.approx(np.median(repeated))


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"k": 0}, "k is 0"),
        ({"metric": "hamming"}, "no metric 'hamming'"),
        ({"scaling": "big"}, "no scaling 'big'"),
        ({"aggregate": "max"}, "no aggregate 'max'"),
        ({"weights": (1.0, -1.0)}, "none may be negative"),
        ({"weights": "guessed"}, "or 'learnt'"),
        ({"fallback": ("zero",)}, "no fallback 'zero'"),
        ({"recall": 0.0}, "recall is 0.0"),
    ],
)
def test_settings_that_cannot_be(wrong: dict[str, object], said: str) -> None:
    with pytest.raises(QueryError, match=said):
        Settings(**wrong)  # type: ignore[arg-type]


def test_a_logarithm_of_nothing_is_said() -> None:
    with pytest.raises(DataError, match="has no logarithm"):
        Index([Attribute(np.array([1.0, 0.0]), np.zeros(2, bool), Measure.LOG)], Settings())


def test_weights_of_another_length_are_said() -> None:
    with pytest.raises(QueryError, match="2 weights for 5 columns"):
        fill(table(50), [0], Settings(weights=(1.0, 1.0)), uniforms(50))


def test_an_infinite_value_that_weighs_nothing_is_none() -> None:
    found = votes.mean(np.array([[1.0, np.inf], [np.inf, np.inf]]), np.array([[1.0, 0.0], [0.0, 1.0]]))
    assert found.tolist() == [1.0, np.inf]
