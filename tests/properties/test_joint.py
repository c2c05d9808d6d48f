"""Drawn columns keep their joint distribution, with each other and with what is observed, whatever misses together."""

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

import imputedb
from imputedb.algebra.column import Column
from imputedb.errors import UnknownName
from imputedb.imputers.checked import draws
from imputedb.imputers.hot_deck import HotDeck
from imputedb.imputers.knn import KNN
from imputedb.imputers.protocol import Imputer
from imputedb.imputers.registry import IMPUTERS
from imputedb.imputers.rows import Cells, Rows
from imputedb.statistics.table import Kind

N = 1200
DRAWS = 4
Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]


def world(seed: int, patterns: Sequence[Sequence[bool]], at_random: bool) -> tuple[Floats, Flags]:
    """Four columns, the last complete, correlated by .5 to .95; rows lack one of the given sets of the first three."""
    rng = np.random.default_rng(seed)
    factor = rng.normal(size=(N, 1))
    loadings = rng.uniform(0.75, 0.97, 4)
    y = factor * loadings + rng.normal(size=(N, 4)) * np.sqrt(1 - loadings**2)
    chance = 1 / (1 + np.exp(0.6 - y[:, 3])) if at_random else np.full(N, 0.4)
    sets = np.array([[False] * 3, *patterns])
    which = np.where(rng.random(N) < chance, rng.integers(1, len(sets), N), 0)
    return y, np.column_stack([sets[which], np.zeros(N, bool)])


def cut(y: Floats, classes: int) -> Floats:
    """The first three columns as so many ordered classes each; as they are where there are none."""
    if not classes:
        return y
    return np.column_stack([np.digitize(y[:, :3], np.linspace(-1, 1, classes + 1)[1:-1]), y[:, 3]])


def completed(name: str, y: Floats, gone: Flags, classes: int = 0) -> list[Floats]:
    cells = {Column("t", f"c{j}"): Cells(y[:, j].copy(), gone[:, j].copy(), Kind.NUMBER) for j in range(y.shape[1])}
    for j in range(3 if classes else 0):
        levels = tuple("abc"[:classes])
        cells[Column("t", f"c{j}")] = Cells(y[:, j].astype(np.int32), gone[:, j], Kind.CATEGORY, levels, ordered=True)
    rows = Rows(cells, np.random.default_rng(5).permutation(len(y)).astype(np.uint64))
    targets = [column for column, one in cells.items() if one.missing.any()]
    found = []
    for values in draws(IMPUTERS[name](), rows, targets, 1, range(DRAWS)):
        whole = y.copy()
        for column in targets:
            place = int(column.name[1:])
            whole[gone[:, place], place] = values[column]
        found.append(whole)
    return found


def z(r: Floats) -> Floats:
    return np.asarray(np.arctanh(r))


PATTERNS = st.lists(st.lists(st.booleans(), min_size=3, max_size=3), min_size=1, max_size=4)


KEEPING = [
    *((name, 0) for name in ("tree", "norm", "normscale", "pmm", "pmmboot", "knn")),
    *(("tree", 2), ("tree", 3), ("logistic", 2), ("multinomial", 3), ("ordered", 3), ("knn", 3)),
]
"""Imputers whose draws keep correlations, and of how many classes the columns are; 0 of numbers."""

UNRELATED: dict[str, tuple[Imputer, str]] = {
    "mean": (IMPUTERS["mean"](), "intervals are too short"),
    "hotdeck": (IMPUTERS["hotdeck"](), "know nothing of other columns"),
    "hotdeck by k": (HotDeck(by=("k",)), "know of k alone"),
}
"""Those whose values know nothing of other columns, or of few, and what answers say of it."""


@pytest.mark.sampled(6)
@pytest.mark.parametrize(("name", "classes"), KEEPING)
@settings(max_examples=8, deadline=None)
@given(st.integers(0, 10**6), PATTERNS, st.booleans())
def test_correlations_are_those_of_the_complete_table(
    name: str, classes: int, seed: int, patterns: list[list[bool]], at_random: bool
) -> None:
    """Within four standard errors of a correlation of as many rows as observe it, and of the draws."""
    y, gone = world(seed, patterns, at_random)
    y = cut(y, classes)
    pairs = np.triu_indices(4, 1)
    found = np.mean([z(np.corrcoef(whole.T)[pairs]) for whole in completed(name, y, gone, classes)], axis=0)
    seen = np.array([(~gone[:, i] & ~gone[:, j]).sum() for i, j in zip(*pairs, strict=True)])
    error = np.sqrt(1 / (seen - 3))
    assert (np.abs(found - z(np.corrcoef(y.T)[pairs])) < 4 * error).all()


def test_every_imputer_keeps_correlations_or_says_that_it_does_not() -> None:
    assert set(IMPUTERS) == {name for name, _ in KEEPING} | {one.name for one, _ in UNRELATED.values()}
    rng = np.random.default_rng(1)
    x, k = rng.normal(size=300), rng.integers(0, 2, 300)
    with imputedb.connect() as db:
        db.register("t", {"x": x, "k": k, "y": np.ma.masked_array(x + rng.normal(size=300), rng.random(300) < 0.3)})
        for imputer, what in UNRELATED.values():
            warnings = db.sql("SELECT corr(x, y) FROM t", m=5, imputer=imputer).report.warnings
            assert any(what in said for said in warnings), (imputer, warnings)


@pytest.mark.parametrize("name", ["tree", "norm", "normscale", "pmm", "pmmboot"])
@settings(max_examples=8, deadline=None)
@given(st.integers(0, 10**6), PATTERNS, st.booleans())
def test_means_and_deviations_are_those_of_the_complete_table(
    name: str, seed: int, patterns: list[list[bool]], at_random: bool
) -> None:
    y, gone = world(seed, patterns, at_random)
    found = completed(name, y, gone)
    seen = (~gone).sum(axis=0)
    assert (np.abs(np.mean(found, axis=(0, 1)) - y.mean(axis=0)) < 4.5 / np.sqrt(seen)).all()
    assert (np.abs(np.log(np.std(found, axis=1).mean(axis=0) / y.std(axis=0))) < 4.5 / np.sqrt(2 * seen)).all()


def pair(n: int = 2000) -> tuple[dict[str, Floats], Flags]:
    """Two columns that correlate by .96 and miss together, a class that tells of both, and what little else does."""
    rng = np.random.default_rng(3)
    kind = rng.integers(0, 3, n).astype(float)
    a = 10 * kind + rng.normal(50, 10, n)
    b = a + rng.normal(0, 3, n)
    return {"a": a, "b": b, "kind": kind, "z": a + rng.normal(0, 20, n)}, rng.random(n) < 0.3


@pytest.mark.parametrize(
    "imputer", [KNN(), HotDeck(by=("kind",)), HotDeck(by=("t.kind",))], ids=["knn", "deck", "name"]
)
def test_donors_give_a_row_all_that_it_misses(imputer: Imputer) -> None:
    given, gone = pair()
    cells = {
        Column("t", c): Cells(v, gone if c in "ab" else np.zeros(len(v), bool), Kind.NUMBER) for c, v in given.items()
    }
    rows = Rows(cells, np.random.default_rng(5).permutation(len(gone)).astype(np.uint64))
    targets = [Column("t", "a"), Column("t", "b")]
    for values in draws(imputer, rows, targets, 1, range(DRAWS)):
        a, b = (values[column] for column in targets)
        truth = np.corrcoef(given["a"][~gone], given["b"][~gone])[0, 1]
        assert abs(z(np.corrcoef(a, b)[0, 1]) - z(truth)) < 4 * np.sqrt(1 / gone.sum() + 1 / (~gone).sum())
        means = [a[given["kind"][gone] == kind].mean() for kind in range(3)]
        assert np.allclose(means, [50, 60, 70], atol=4)


def test_classes_without_a_donor_take_any() -> None:
    kind = np.array([0.0, 0, 1, 1, 1])
    gone = np.array([True, True, False, False, True])
    cells = {
        Column("t", "x"): Cells(np.arange(5.0), gone, Kind.NUMBER),
        Column("t", "kind"): Cells(kind, np.zeros(5, bool), Kind.NUMBER),
    }
    rows = Rows(cells, np.arange(5, dtype=np.uint64))
    (values,) = draws(HotDeck(by=("kind",)), rows, [Column("t", "x")], 0, [1])
    assert set(values[Column("t", "x")]) <= {2.0, 3.0}
    with pytest.raises(UnknownName, match="'sort' among"):
        list(draws(HotDeck(by=("sort",)), rows, [Column("t", "x")], 0, [1]))


def test_categories_follow_their_predictors_within_a_leaf() -> None:
    """Of few rows leaves are wide; where any row of one was as good, drawn classes were 11 % too alike."""
    short = []
    for seed in range(40):
        rng = np.random.default_rng([150, seed])
        x, z = rng.normal(size=(2, 150))
        kind = (1.5 * x + 1.5 * z + 0.5 * rng.logistic(size=150) > 0).astype(np.int32)
        gone, whole = rng.random(150) < 0.4, np.zeros(150, bool)
        target = Column("t", "kind")
        cells = {
            Column("t", "x"): Cells(x, whole, Kind.NUMBER),
            Column("t", "z"): Cells(z, whole, Kind.NUMBER),
            target: Cells(kind, gone, Kind.CATEGORY, ("u", "v")),
        }
        rows = Rows(cells, np.arange(150, dtype=np.uint64) * np.uint64(7919))
        apart = between(kind[gone], (x + z)[gone])
        found = [
            between(values[target], (x + z)[gone])
            for values in draws(IMPUTERS["tree"](), rows, [target], seed, range(DRAWS))
        ]
        short.append(np.mean(found) / apart - 1)
    assert np.mean(short) > -0.085


def between(kind: Floats, values: Floats) -> float:
    """How much larger a mean is in one of two classes."""
    return float(values[kind == 1].mean() - values[kind == 0].mean())


def test_a_rare_class_follows_what_predicts_it() -> None:
    """120 tables of 300 rows, some 7 % of a class, missing the likelier it is: drawn by 23 % too flat before."""
    whole, found = [], []
    target, n = Column("t", "y"), 300
    for seed in range(120):
        rng = np.random.default_rng([seed, n])
        x = rng.normal(size=n)
        y = (rng.random(n) < 1 / (1 + np.exp(3 - 0.9 * x))).astype(np.int32)
        gone = rng.random(n) < 1 / (1 + np.exp(0.6 - x))
        cells = {
            Column("t", "x"): Cells(x, np.zeros(n, bool), Kind.NUMBER),
            target: Cells(y, gone, Kind.CATEGORY, ("no", "yes")),
        }
        rows = Rows(cells, rng.permutation(n).astype(np.uint64))
        for values in draws(IMPUTERS["tree"](), rows, [target], seed, range(DRAWS)):
            drawn = y.copy()
            drawn[gone] = values[target]
            found.append(np.cov(x, drawn)[0, 1])
        whole.append(np.cov(x, y)[0, 1])
    assert np.mean(found) / np.mean(whole) > 0.83
