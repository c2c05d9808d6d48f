"""What policies permit: columns that miss together, bounds, and rows that are earlier, for every imputer."""

import numpy as np
import pytest
from numpy.typing import NDArray

from imputedb.algebra.column import Column
from imputedb.imputers import truncated
from imputedb.imputers.permit import Permit
from imputedb.imputers.registry import imputers_of
from imputedb.imputers.request import Request
from imputedb.imputers.rows import Array, Cells, Rows
from imputedb.statistics.policy import Policy
from imputedb.statistics.table import Kind

A, B, Z, C, T = (Column("t", name) for name in "abzct")
IMPUTERS = ("tree", "knn", "norm", "pmm", "hotdeck")


def rows(n: int = 800, seed: int = 0) -> tuple[Rows, NDArray[np.float64], NDArray[np.bool_]]:
    """Rows in which a and b depend on z and miss together, and c is a category that misses on its own."""
    rng = np.random.default_rng(seed)
    z = rng.normal(size=n)
    a = z + rng.normal(size=n) * 0.6
    b = a + rng.normal(size=n) * 0.4
    gone = rng.random(n) < 0.3
    c = (z + rng.normal(size=n) > 0).astype(np.int32) + (rng.random(n) < 0.2).astype(np.int32)
    columns = {
        Z: Cells(z, np.zeros(n, bool), Kind.NUMBER),
        A: Cells(a, gone, Kind.NUMBER),
        B: Cells(b, gone, Kind.NUMBER),
        C: Cells(c, rng.random(n) < 0.2, Kind.CATEGORY, ("p", "q", "r")),
    }
    return Rows(columns, np.arange(n, dtype=np.uint64) * 7919), np.stack([a, b]), gone


@pytest.mark.parametrize(
    ("name", "own"), [("tree", "norm"), ("pmm", "norm"), ("knn", "norm"), ("norm", "tree"), ("pmm", "tree")]
)
def test_columns_that_miss_together_keep_their_joint_distribution_under_imputers_of_their_own(
    name: str, own: str
) -> None:
    given, truth, gone = rows(2000)
    request = Request(given, (A, B), imputers_of(name)[0], {B: Permit(Policy(imputer=own))})
    (values,) = request.draws([1])
    found = np.corrcoef(values[A], values[B])[0, 1]
    assert abs(found - np.corrcoef(truth[:, gone])[0, 1]) < 0.06


@pytest.mark.parametrize("name", IMPUTERS)
def test_a_range_truncates_draws(name: str) -> None:
    given, _, _ = rows()
    request = Request(given, (A, B), imputers_of(name)[0], {A: Permit(Policy(low=0.0))})
    free = Request(given, (A, B), imputers_of(name)[0])
    values, others = next(request.draws([3])), next(free.draws([3]))
    assert values[A].min() >= 0
    assert (values[A] == 0).sum() == 0
    inside = others[A] >= 0
    assert np.array_equal(values[A][inside], others[A][inside])  # what was permitted stays
    assert np.array_equal(values[B][inside], others[B][inside])
    assert len(np.unique(values[A][~inside])) > 5
    assert (next(request.draws([3]))[A] == values[A]).all()


@pytest.mark.parametrize("name", IMPUTERS)
def test_a_range_holds_of_single_values_without_piling_them_on_the_bound(name: str) -> None:
    given, _, _ = rows()
    values = Request(given, (A,), imputers_of(name)[0], {A: Permit(Policy(low=0.0))}).values().values[A]
    assert values.min() >= 0
    assert (values == 0).mean() < 0.01


def test_a_truncated_normal_is_drawn_where_all_draws_are_ruled_out() -> None:
    given, _, _ = rows()
    values = next(Request(given, (A,), imputers_of("norm")[0], {A: Permit(Policy(low=50.0))}).draws([1]))[A]
    assert values.min() > 50
    assert len(np.unique(values)) == len(values)
    assert values.max() < 51


def test_categories_that_are_not_permitted_are_not_drawn() -> None:
    given, _, _ = rows(150)
    for name in IMPUTERS:
        request = Request(given, (C,), imputers_of(name)[0], {C: Permit(Policy(values=("p", "r")))})
        drawn, expected = next(request.draws([1])), request.values().values
        assert set(np.unique(drawn[C])) == {0, 2}
        assert set(np.unique(expected[C])) <= {0, 2}


def excluded(given: Rows, label: NDArray[np.float64]) -> Rows:
    return Rows({**given.columns, T: Cells(label, np.zeros(len(label), bool), Kind.NUMBER)}, given.keys)


@pytest.mark.parametrize("name", IMPUTERS)
def test_an_excluded_column_does_not_leak_through_another_target(name: str) -> None:
    given, _, gone = rows(1500)
    label = np.random.default_rng(9).normal(size=1500)
    b = Cells(label + 0.01 * given.columns[B].values, gone, Kind.NUMBER)  # b is the label, and misses with a
    given = excluded(Rows({**given.columns, B: b}, given.keys), label)
    request = Request(given, (A, B), imputers_of(name)[0], {A: Permit(Policy(exclude=("t",)), frozenset({T}))})
    for values in (next(request.draws([1])), request.values().values):
        assert abs(np.corrcoef(values[A], label[gone])[0, 1]) < 0.15


def timed(times: Array, missing: NDArray[np.bool_] | None = None) -> Permit:
    gone = np.zeros(len(times), bool) if missing is None else missing
    return Permit(Policy(before="t"), times=Cells(times, gone, Kind.INTEGER))


@pytest.mark.sampled(3)
@pytest.mark.parametrize("name", [*IMPUTERS, "mean"])
def test_nothing_that_comes_later_changes_a_value(name: str) -> None:
    n = 80
    given, _, gone = rows(n)
    times = np.random.default_rng(5).permutation(n) // 2  # with ties
    future = times >= 28
    rng = np.random.default_rng(6)
    columns = {}
    for column, cells in given.columns.items():
        values, missing = cells.values.copy(), cells.missing.copy()
        moved = rng.permutation(np.flatnonzero(future))
        values[future] = values[moved] if cells.kind is Kind.CATEGORY else values[moved] * 1e3
        missing[future] = missing[moved]
        columns[column] = Cells(values, missing, cells.kind, cells.levels)
    columns[A] = Cells(columns[A].values, np.where(future, columns[A].missing, gone), Kind.NUMBER)
    changed = Rows(columns, given.keys)
    one = Request(given, (A, C), imputers_of(name)[0], {c: timed(times) for c in (A, C)})
    two = Request(changed, (A, C), imputers_of(name)[0], {c: timed(times) for c in (A, C)})
    for before, after in (
        (one.values().values, two.values().values),
        (next(one.draws([1])), next(two.draws([1]))),
    ):
        for column in (A, C):
            past = [~future[request.rows.columns[column].missing] for request in (one, two)]
            assert past[0].any()
            assert before[column][past[0]].tolist() == after[column][past[1]].tolist()


def test_cells_that_nothing_earlier_tells_of_are_masked() -> None:
    given, _, gone = rows(60)
    times = np.arange(60)
    lost = np.arange(60) == np.flatnonzero(gone)[-1]
    values = Request(given, (A,), imputers_of("mean")[0], {A: timed(times, lost)}).values().values[A]
    first = np.flatnonzero(~gone)[0]
    expected = (np.flatnonzero(gone) < first) | lost[gone]
    assert np.ma.getmaskarray(values).tolist() == expected.tolist()


def test_neighbours_are_searched_twice_at_most_for_predictions_within_a_range(monkeypatch: pytest.MonkeyPatch) -> None:
    from imputedb.neighbours import impute

    calls = []
    fill = impute.fill
    monkeypatch.setattr(impute, "fill", lambda *given, **more: calls.append(1) or fill(*given, **more))
    given, truth, gone = rows(2000)
    for policy, most in ((Policy(low=-99, high=99), 1), (Policy(low=0.0), 2), (Policy(values=("-1", "0", "1")), 2)):
        calls.clear()
        found = Request(given, (A,), imputers_of("knn")[0], {A: Permit(policy)}).values().values[A]
        assert len(calls) <= most
        if policy.low == 0.0:
            expected = truth[0][gone & (truth[0] >= 0)].mean()
            some = found[truth[0][gone] >= 0]
            assert found.min() >= 0
            assert abs(some.mean() - expected) < 0.15


@pytest.mark.parametrize("name", ["norm", "tree"])
def test_draws_within_a_range_go_by_row_and_seed_whatever_is_beside_them(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Few of the draws are permitted, for some rows none: these are drawn from truncated distributions."""
    monkeypatch.setattr(truncated, "MOST", 2000)  # so that not all rows are drawn again at once
    given, _, gone = rows(300)
    permits = {A: Permit(Policy(low=2.5))}

    def drawn(some: Rows, numbers: list[int], seed: int = 0) -> list[NDArray[np.float64]]:
        request = Request(some, (A, B), imputers_of(name)[0], permits, seed)
        return [one[A] for one in request.draws(numbers)]

    together, alone = drawn(given, [1, 2, 3]), drawn(given, [3])[0]
    np.testing.assert_array_equal(together[2], alone)
    turn = np.random.default_rng(3).permutation(300)
    whole = np.full(300, np.nan)
    whole[turn[gone[turn]]] = drawn(given.at(turn), [3])[0]
    np.testing.assert_allclose(whole[gone], alone)
    again = drawn(given, [3], seed=1)[0]
    assert alone.min() >= 2.5
    assert again.min() >= 2.5
    if name == "norm":
        assert abs(np.corrcoef(np.argsort(np.argsort(alone)), np.argsort(np.argsort(again)))[0, 1]) < 0.5
