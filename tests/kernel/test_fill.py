"""What the kernel promises of any table, and of some tables in particular."""

import os
import signal
import threading
from collections.abc import Collection

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imputedb.kernel import MOST_RANKED, Cells, Filled, RankedRows, fill, fill_many, ranks

EXAMPLES = int(os.environ.get("KERNEL_EXAMPLES", "60"))


def table(n: int = 2000, seed: int = 0) -> list[Cells]:
    rng = np.random.default_rng(seed)
    x = rng.normal(0, 1, n)
    y = np.where(x > 0, 2.0, -1.0) + rng.normal(0, 0.2, n)
    k = np.where(x > 0.5, 2, np.where(x > -0.5, 1, 0))
    z = 3 * x + rng.normal(0, 0.1, n)
    return [Cells(v, rng.random(n) < 0.3, c) for v, c in ((x, False), (y, False), (k, True), (z, False))]


def same(a: Filled, b: Filled) -> bool:
    return all(np.array_equal(left, right) for left, right in zip(a.values, b.values, strict=True))


@pytest.mark.parametrize("drawn", [(), range(4), (1, 2)])
def test_threads_do_not_matter(drawn: Collection[int]) -> None:
    cells = table()
    one = fill(cells, range(4), drawn=drawn, seed=7, threads=1)
    for threads in (2, 3, 8):
        assert same(one, fill(cells, range(4), drawn=drawn, seed=7, threads=threads))


@pytest.mark.parametrize("drawn", [(0,), (1, 3), (2, 3), (0, 1, 2)])
def test_what_is_drawn_does_not_depend_on_what_is_predicted(drawn: tuple[int, ...]) -> None:
    both = fill(table(), range(4), drawn=drawn, seed=3, draw=5)
    alone = fill(table(), drawn, drawn=drawn, seed=3, draw=5)
    assert all(np.array_equal(both.values[place], values) for place, values in zip(drawn, alone.values, strict=True))


@pytest.mark.parametrize("some", [(0, 1), (2,)])
def test_predictions_do_not_depend_on_each_other(some: tuple[int, ...]) -> None:
    both = fill(table(), range(4), drawn=[3], seed=3)
    alone = fill(table(), [*some, 3], drawn=[3], seed=3)
    assert all(np.array_equal(both.values[place], alone.values[spot]) for spot, place in enumerate(some))


def pair(n: int = 2000, noise: float = 0.3) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(1)
    a = rng.normal(0, 1, n)
    return a, a + rng.normal(0, noise, n), rng.random(n) < 0.3


def test_columns_that_are_missing_together_are_drawn_together() -> None:
    a, b, gone = pair()
    first, second = fill([Cells(a, gone), Cells(b, gone)], [0, 1], drawn=[0, 1]).values
    for values, column in ((first, a), (second, b)):
        assert abs(values.mean() - column[~gone].mean()) < 0.15
        assert values.std() == pytest.approx(column[~gone].std(), rel=0.15)
    assert np.corrcoef(first, second)[0, 1] == pytest.approx(np.corrcoef(a[~gone], b[~gone])[0, 1], abs=0.02)


@pytest.mark.parametrize("drawn", [(), (0,)])
@pytest.mark.parametrize("nominal", [False, True])
def test_a_gap_that_no_row_was_learnt_from_with_says_nothing(drawn: tuple[int, ...], nominal: bool) -> None:
    """It leads to no end of the other column, but to the middle, or to values from all over it."""
    a, b, gone = pair()
    values = np.digitize(b, [-1, 0, 1]) if nominal else b
    (found,) = fill([Cells(a, gone), Cells(values, gone, nominal)], [0], drawn=drawn).values
    assert abs(found.mean() - a[~gone].mean()) < 0.15
    if drawn:
        assert found.std() == pytest.approx(a[~gone].std(), rel=0.15)


@pytest.mark.parametrize("drawn", [(), (1,)])
@pytest.mark.parametrize("share", [1.0, 0.6])
def test_rows_that_miss_the_best_predictor_too_follow_the_others(drawn: tuple[int, ...], share: float) -> None:
    """The more is missing the greater it is; what nearly says it misses with it, and is not filled in."""
    rng = np.random.default_rng(4)
    c = rng.normal(size=2000)
    a = c + rng.normal(0, 0.5, 2000)
    b = a + rng.normal(0, 0.2, 2000)
    gone = rng.random(2000) < 1 / (1 + np.exp(-1.5 * c))
    cells = [Cells(c), Cells(a, gone), Cells(b, gone & (rng.random(2000) < share))]
    (found,) = fill(cells, [1], drawn=drawn).values
    assert abs(found.mean() - a[gone].mean()) < 0.12


@pytest.mark.parametrize("drawn", [(), (0,)])
@pytest.mark.parametrize("blocks", [1, 4])
def test_rows_that_have_their_predictors_follow_them_beside_rows_that_miss_all(
    drawn: tuple[int, ...], blocks: int
) -> None:
    """Of a battery that hardly any row misses in part, one that misses its target alone still follows the rest."""
    rng = np.random.default_rng(2)
    n = 1500
    a = rng.normal(size=n)
    none = rng.random(n) < 0.2
    alone = ~none & (rng.random(n) < 0.015)
    rest = [a + rng.normal(0, 0.3, n) for _ in range(blocks)]
    gone = none | alone
    (found,) = fill([Cells(a, gone), *(Cells(b, none) for b in rest)], [0], drawn=drawn).values
    mine = alone[gone]
    assert 5 < mine.sum() < 0.1 * gone.sum()
    assert np.corrcoef(found[mine], a[alone])[0, 1] > 0.8
    assert abs(found[~mine].mean() - a[~gone].mean()) < 0.2


def test_draws_of_a_column_alone_differ_as_much_as_what_is_unknown() -> None:
    y = np.random.default_rng(1).normal(0, 1, 600)
    gone = np.arange(600) % 3 == 0
    means = [one.values[0].mean() for one in fill_many([Cells(y, gone)], [0], range(60), drawn=[0])]
    assert np.std(means) == pytest.approx(np.sqrt(1 / 200 + 1 / 400), rel=0.3)


def test_draws_follow_their_predictors_within_leaves() -> None:
    a, b, gone = pair(1000, 0.1)
    (found,) = fill([Cells(a, gone), Cells(b)], [0], drawn=[0]).values
    assert np.corrcoef(found, b[gone])[0, 1] > 0.98


def test_draws_do_not_lean_towards_the_middle_of_their_leaves() -> None:
    """Of 200 rows groups that are 1 apart came out .31 nearer by the nearest donor alone (Monte Carlo error .02)."""
    nearer = []
    for seed in range(120):
        rng = np.random.default_rng(seed)
        g, x = rng.integers(0, 3, 200), rng.normal(size=200)
        expected, gone = 0.5 * g + x, rng.random(200) < 0.4
        y = expected + rng.normal(size=200)
        for one in fill_many([Cells(y, gone), Cells(x), Cells(g, nominal=True)], [0], range(3), drawn=[0]):
            off = one.values[0] - expected[gone]
            nearer.append(off[g[gone] == 0].mean() - off[g[gone] == 2].mean())
    assert np.mean(nearer) < 0.24


def test_rows_of_one_draw_are_filled_in_it() -> None:
    cells = table()
    of_draw = np.where(np.arange(2000) < 1000, -1, np.arange(2000) % 3 + 4)
    drawn = fill_many(cells, range(4), [4, 5], drawn=range(4), seed=2, of_draw=of_draw, fitted_rows=1000)
    for number, one in zip((4, 5), drawn, strict=True):
        mine = (of_draw == -1) | (of_draw == number)
        some = [Cells(c.values[mine], c.missing[mine], c.nominal) for c in cells]  # type: ignore[index]
        alone = fill(some, range(4), drawn=range(4), seed=2, draw=number, fitted_rows=1000, rows=np.flatnonzero(mine))
        for place, values in enumerate(one.values):
            assert np.array_equal(values[mine[cells[place].missing]], alone.values[place])


@settings(max_examples=EXAMPLES, deadline=None)
@given(st.integers(0, 2**32), st.integers(1, 5000), st.integers(1, 300), st.booleans())
def test_picked_rows_predict_as_the_same_rows_do(seed: int, n: int, levels: int, draws: bool) -> None:
    rng = np.random.default_rng(seed)
    whole = [
        Cells(rng.normal(0, 1, 3000), rng.random(3000) < 0.3),
        Cells(rng.integers(-5, levels, 3000), rng.random(3000) < 0.1),
        Cells(rng.integers(0, levels, 3000), rng.random(3000) < 0.2, nominal=True),
        Cells(np.arange(3000)),
        Cells(np.where(rng.random(3000) < 0.01, np.inf, rng.exponential(1, 3000).round(2))),
    ]
    places = rng.integers(0, 3000, n)
    taken = [Cells(c.values[places], None if c.missing is None else c.missing[places], c.nominal) for c in whole]
    gone = rng.random(n) < 0.2
    gone[0] = False
    target = Cells(np.nan_to_num(taken[4].values, posinf=9) + taken[0].values + rng.normal(0, 0.1, n), gone)
    known = ranks(whole[0])
    assert known is not None
    picked = [RankedRows(known, places), *(RankedRows(ranks(c), places) for c in whole[1:])]  # type: ignore[arg-type]
    assert same(
        fill([*taken, target], [5], drawn=[5] if draws else [], seed=seed),
        fill([*picked, target], [5], drawn=[5] if draws else [], seed=seed),
    )


def test_picked_rows_are_checked() -> None:
    known = ranks(Cells(np.arange(5.0)))
    assert known is not None
    for places in ([5], [-1]):
        with pytest.raises(ValueError, match="place"):
            fill([Cells(np.ones(1)), RankedRows(known, np.array(places))], [0])
    with pytest.raises(TypeError, match="target"):
        fill([RankedRows(known, np.arange(2))], [0])
    with pytest.raises(ValueError, match="different lengths"):
        fill([Cells(np.ones(3)), RankedRows(known, np.arange(2))], [0])
    assert ranks(Cells(np.zeros(MOST_RANKED + 1))) is None


def test_values_between_the_rows_that_bins_are_learnt_from() -> None:
    x, gone = np.random.default_rng(0).normal(0, 1, 5000), np.arange(5000) % 2 == 0
    filled = fill([Cells(x, np.arange(5000) % 9 == 1), Cells(x, gone)], [0])
    assert filled.fitted[0].error < 0.75


def test_seeds_and_draws_matter_for_draws() -> None:
    cells = table()
    first = fill(cells, [1], drawn=[1], seed=1)
    assert same(first, fill(cells, [1], drawn=[1], seed=1))
    assert not same(first, fill(cells, [1], drawn=[1], seed=2))
    assert not same(first, fill(cells, [1], drawn=[1], seed=1, draw=1))


def test_structure_is_found() -> None:
    cells = table()
    filled = fill(cells, range(4))
    for place, fitted in enumerate(filled.fitted):
        assert fitted.model != "centre"
        assert fitted.error < 0.7, (place, fitted)


def test_noise_is_not_fitted() -> None:
    rng = np.random.default_rng(3)
    cells = [Cells(rng.standard_cauchy(1500), rng.random(1500) < 0.4) for _ in range(6)]
    filled = fill(cells, range(6))
    assert sum(fitted.model == "centre" for fitted in filled.fitted) >= 4


def test_draws_are_observed_values_and_keep_the_spread() -> None:
    cells = table()
    filled = fill(cells, range(4), drawn=range(4), seed=1)
    for column, values in zip(cells, filled.values, strict=True):
        assert column.missing is not None
        assert np.isin(values, column.values[~column.missing]).all()
        assert values.std() == pytest.approx(column.values[column.missing].std(), rel=0.2)


def test_integers_booleans_and_widths_stay_what_they_are() -> None:
    rng = np.random.default_rng(0)
    gone = rng.random(500) < 0.3
    for dtype in (
        "int8",
        "uint8",
        "int16",
        "uint16",
        "int32",
        "uint32",
        "int64",
        "uint64",
        "float32",
        "float64",
        "bool",
    ):
        values = rng.integers(0, 2 if dtype == "bool" else 100, 500).astype(dtype)
        filled = fill([Cells(values, gone), Cells(rng.normal(0, 1, 500))], [0])
        assert filled.values[0].dtype == values.dtype
        assert filled.values[0].min() >= values[~gone].min()
        assert filled.values[0].max() <= values[~gone].max()


def test_large_integers_are_exact_in_draws() -> None:
    values = np.arange(200, dtype=np.int64) + 2**31 + 2**53
    gone = np.arange(200) % 3 == 0
    filled = fill([Cells(values, gone), Cells(np.arange(200.0) % 7)], [0], drawn=[0])
    assert np.isin(filled.values[0], values[~gone]).all()


@pytest.mark.parametrize("dtype", ["int64", "uint64"])
def test_the_ends_of_64_bits_are_exact(dtype: str) -> None:
    top = np.iinfo(dtype).max
    values = np.array([top, top - 2, top - 4, top] * 50, dtype)
    gone = np.arange(200) % 7 == 0
    filled = fill([Cells(values, gone), Cells(np.random.default_rng(0).normal(0, 1, 200))], [0])
    assert filled.values[0].min() >= top - 4


def test_the_ends_of_floats_are_not_beyond_reach() -> None:
    rng = np.random.default_rng(0)
    values, gone = rng.normal(0, 1, 400) * 1e300, np.arange(400) % 5 == 0
    filled = fill([Cells(values, gone), Cells(values / 2)], [0])
    assert filled.fitted[0].error < 0.3
    assert np.corrcoef(filled.values[0] / 1e300, values[gone] / 1e300)[0, 1] > 0.9
    endless = np.full(50, -np.inf)
    assert (fill([Cells(endless, np.arange(50) < 9)], [0]).values[0] == -np.inf).all()


def test_only_numbers_that_the_kernel_reads_are_taken() -> None:
    gone = np.array([True, False, False])
    for values in (np.float16([1, 2, 3]), np.array(["a", "b", "c"]), np.zeros(3, ">f8"), np.zeros((3, 1))):
        with pytest.raises(TypeError, match="column 0"):
            fill([Cells(values, gone)], [0])


def test_masks_keys_and_targets_are_checked() -> None:
    cells = [Cells(np.arange(5.0), np.array([True, False]))]
    with pytest.raises(ValueError, match="different lengths"):
        fill(cells, [0])
    with pytest.raises(ValueError, match="different lengths"):
        fill([Cells(np.arange(5.0))], [0], rows=np.arange(3, dtype=np.uint64))
    for targets in ([1], [-1], [0, 0]):
        with pytest.raises(ValueError, match="places"):
            fill([Cells(np.arange(5.0))], targets)


def test_views_that_skip_are_read_as_they_are() -> None:
    values = np.random.default_rng(0).normal(0, 1, (400, 2))
    gone = np.arange(400) % 4 == 0
    strided = fill([Cells(values[:, 0], gone), Cells(values[:, 0])], [0])
    assert same(strided, fill([Cells(values[:, 0].copy(), gone), Cells(values[:, 0].copy())], [0]))


@pytest.mark.parametrize("n", [0, 1, 2])
@pytest.mark.parametrize("drawn", [(), (0,)])
def test_hardly_any_rows(n: int, drawn: Collection[int]) -> None:
    filled = fill([Cells(np.arange(n) + 1.0, np.arange(n) > 0)], [0], drawn=drawn)
    assert filled.values[0].tolist() == [1.0] * max(0, n - 1)


def test_categories_follow_numbers_and_categories() -> None:
    rng = np.random.default_rng(0)
    x, group = rng.normal(0, 1, 6000), rng.integers(0, 6, 6000)
    kind = np.where(x + (group % 3) - 1 > 0.5, 7, np.where(x > -0.7, 3, 11)).astype(np.int16)
    gone = rng.random(6000) < 0.3
    filled = fill([Cells(kind, gone, nominal=True), Cells(x), Cells(group, nominal=True)], [0])
    assert (filled.values[0] == kind[gone]).mean() > 0.9


def test_rare_categories_are_told_apart_and_never_guessed() -> None:
    rng = np.random.default_rng(1)
    rare = rng.random(8000) < 0.45
    kind = np.where(rare, rng.integers(100, 400, 8000), rng.integers(0, 2, 8000))
    gone = rng.random(8000) < 0.2
    filled = fill([Cells(kind, gone, nominal=True), Cells(kind % 2)], [0])
    assert np.isin(filled.values[0], [0, 1]).all()


def test_no_observed_value_is_an_error_that_names_the_column() -> None:
    with pytest.raises(ValueError, match="column 1 has no observed value"):
        fill([Cells(np.arange(5.0)), Cells(np.arange(5.0), np.ones(5, bool))], [1])


def test_different_lengths_are_an_error() -> None:
    with pytest.raises(ValueError, match="different lengths"):
        fill([Cells(np.arange(5.0)), Cells(np.arange(4.0))], [1])


def test_keys_and_constants_do_not_predict() -> None:
    rng = np.random.default_rng(0)
    y = rng.normal(0, 1, 400)
    cells = [
        Cells(np.arange(400)),
        Cells(np.ones(400)),
        Cells(y, rng.random(400) < 0.2),
        Cells(y + rng.normal(0, 0.1, 400)),
    ]
    assert fill(cells, [2]).fitted[0].predictors == (3,)


def test_hundreds_of_columns_are_screened() -> None:
    rng = np.random.default_rng(0)
    noise = [Cells(rng.normal(0, 1, 600)) for _ in range(299)]
    y = noise[123].values * 2 + rng.normal(0, 0.1, 600)
    filled = fill([*noise, Cells(y, rng.random(600) < 0.2)], [299])
    assert 123 in filled.fitted[0].predictors
    assert len(filled.fitted[0].predictors) < 60
    assert filled.fitted[0].error < 0.3


def test_many_categories_are_bounded() -> None:
    codes = np.arange(20_000) % 10_000
    gone = np.arange(20_000) % 11 == 0
    filled = fill([Cells(codes, gone, nominal=True), Cells(np.random.default_rng(0).normal(0, 1, 20_000))], [0])
    assert np.isin(filled.values[0], codes[~gone]).all()


def test_bounded_training_costs_little_error() -> None:
    cells = table(40_000)
    all_rows = fill(cells, [1], train_rows=40_000)
    some = fill(cells, [1], train_rows=4_000)
    assert some.fitted[0].error < all_rows.fitted[0].error + 0.05


def test_cycles_stop_early_where_nothing_changes() -> None:
    assert fill(table(), range(4), cycles=10).cycles == 1
    values = np.arange(300) % 5
    known = fill([Cells(values, values == 7), Cells(values, np.arange(300) % 7 == 0)], [1], cycles=10, drawn=[1])
    assert known.cycles == 1
    gone = [np.arange(300) % 4 == 0, np.arange(300) % 2 == 0]
    for flags, cycles in ((gone, 0), ([gone[0], ~gone[1]], 2)):
        cells = [Cells(np.arange(300.0) % 7, one) for one in flags]
        assert fill(cells, [0, 1], drawn=[0, 1]).cycles == cycles  # nested, or not
    assert fill(table(), range(4), cycles=3, drawn=range(4)).cycles == 3


def test_progress_rises_to_one_and_its_errors_stop_the_work() -> None:
    told: list[float] = []
    fill(table(20_000), range(4), progress=told.append)
    assert told == sorted(told)
    assert told[-1] > 0.5

    def stop(_: float) -> None:
        raise RuntimeError("enough")

    with pytest.raises(RuntimeError, match="enough"):
        fill(table(20_000), range(4), progress=stop)


def test_ctrl_c_stops() -> None:
    cells = table(200_000)
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a process that a script starts in the background is deaf
    threading.Timer(0.05, lambda: os.kill(os.getpid(), signal.SIGINT)).start()
    with pytest.raises(KeyboardInterrupt):
        fill(cells, range(4), cycles=1000, drawn=range(4), train_rows=200_000)


columns = st.one_of(
    st.lists(st.floats(allow_nan=True, allow_infinity=True, width=64), min_size=0, max_size=40),
    st.lists(st.integers(-(2**31), 2**62), min_size=0, max_size=40),
    st.lists(st.integers(0, 3), min_size=0, max_size=40),
)


@settings(max_examples=EXAMPLES, deadline=None)
@given(st.data(), st.integers(0, 40), st.integers(1, 6), st.booleans())
def test_any_shape(data: st.DataObject, n: int, width: int, draws: bool) -> None:
    cells = []
    for _ in range(width):
        values = np.array((data.draw(columns) * n)[:n] or [0] * n)
        values = values if len(values) == n else np.zeros(n)
        gone = np.array(data.draw(st.lists(st.booleans(), min_size=n, max_size=n)), bool)
        cells.append(
            Cells(values, gone, bool(data.draw(st.booleans()) and values.dtype.kind == "i" and n and values.min() >= 0))
        )
    nan = [c.missing | (np.isnan(c.values) if c.values.dtype.kind == "f" else False) for c in cells]
    targets = [place for place, gone in enumerate(nan) if not gone.all() or n == 0]
    kept = [c.values.copy() for c in cells]
    filled = fill(cells, targets, drawn=targets if draws else (), min_leaf=2)
    for target, values in zip(targets, filled.values, strict=True):
        assert len(values) == nan[target].sum()
        observed = kept[target][~nan[target]]
        if len(values):
            assert (values >= observed.min()).all()
            assert (values <= observed.max()).all()
            if draws or cells[target].nominal:
                assert np.isin(values, observed).all()
    for column, before in zip(cells, kept, strict=True):
        assert np.array_equal(column.values, before, equal_nan=column.values.dtype.kind == "f")


@pytest.mark.parametrize("mode", ["predict", "draw"])
@pytest.mark.parametrize("kind", [np.int64, np.uint64])
def test_codes_of_categories_beyond_what_a_double_tells_apart(mode: str, kind: type) -> None:
    near = 2**54
    x = np.arange(400) % 2
    codes = np.where(x == 0, near + 1, near + 3).astype(kind)
    gone = np.random.default_rng(0).random(400) < 0.3
    filled = fill([Cells(x), Cells(codes, gone, nominal=True)], [1], drawn=[1] * (mode == "draw"))
    assert np.array_equal(filled.values[0], codes[gone])
    alone = fill(
        [Cells(np.array([near + 1, 0], kind), np.array([False, True]), nominal=True)], [0], drawn=[0] * (mode == "draw")
    )
    assert alone.values[0].tolist() == [near + 1]


@pytest.mark.parametrize("nominal", [False, True])
def test_rows_that_do_not_teach_change_nothing_but_themselves(nominal: bool) -> None:
    columns = table(1500)
    target = 2 if nominal else 3

    def filled(*later: float) -> np.ndarray:
        extra = [
            Cells(
                np.concatenate([c.values, np.full(len(later), value, c.values.dtype) * np.array(later).astype(int)]),
                np.concatenate([c.missing, np.full(len(later), place == target)]),
                c.nominal,
            )
            for place, (c, value) in enumerate(zip(columns, (1, 1, 1, 1), strict=True))
        ]
        return fill(extra, [target], fitted_rows=1500).values[0]

    alone, beside = filled(1), filled(1, 1000, -1000, 77)
    gone = int(columns[target].missing.sum())
    assert np.array_equal(alone[:gone], fill(columns, [target]).values[0])
    assert np.array_equal(alone, beside[: gone + 1])


def test_nothing_to_learn_from_in_the_rows_that_teach() -> None:
    values = np.arange(100.0)
    with pytest.raises(ValueError, match="no observed value to learn from"):
        fill([Cells(values, values < 50), Cells(values)], [0], fitted_rows=50)


@pytest.mark.parametrize("known", [255, 1023])
def test_bootstraps_of_more_rows_than_there_are(known: int) -> None:
    x = np.linspace(-1, 1, known + 60)
    gone = np.arange(len(x)) < 60
    order = np.random.default_rng(0).permutation(len(x))
    for seed in range(10):
        drawn = fill([Cells(x[order], gone), Cells(x[order])], [0], drawn=[0], seed=seed).values[0]
        assert np.abs(drawn - x[order][gone]).mean() < 0.25


def test_rows_that_do_not_teach_do_not_turn_the_order_of_targets() -> None:
    """Nor end the cycles sooner: what is drawn for others is the same, whatever they miss."""
    cells = table(1200)

    def drawn(gone: int) -> list[np.ndarray]:
        """The values of the first rows' missing cells, beside 300 rows that miss all of one target."""
        more = [
            Cells(
                np.concatenate([c.values, c.values[:300]]),
                np.concatenate([c.missing, np.full(300, place == gone)]),
                c.nominal,
            )
            for place, c in enumerate(cells)
        ]
        found = fill(more, range(4), drawn=range(4), seed=3, fitted_rows=1200, cycles=4).values
        return [values[: int(c.missing.sum())] for values, c in zip(found, cells, strict=True)]

    for one, other in zip(drawn(0), drawn(3), strict=True):
        assert np.array_equal(one, other)
