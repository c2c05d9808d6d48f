"""Trees and bins, against scikit-learn and by hand."""

import numpy as np
import pytest

from imputedb.kernel import _kernel


def grow(
    x: np.ndarray, y: np.ndarray, classes: int = 0, **more: float
) -> list[tuple[int, int, bool, int, int, float, float, int]]:
    sizes = {"leaves": 8, "min_leaf": 3, "min_gain": 0.0, **more}
    codes = [[int(value) for value in column] for column in x.T]
    return _kernel.grow(
        codes, [float(v) for v in y], classes, int(sizes["leaves"]), int(sizes["min_leaf"]), sizes["min_gain"]
    )


def walk(nodes: list[tuple[int, int, bool, int, int, float, float, int]], row: np.ndarray) -> tuple[int, float]:
    place = 0
    while nodes[place][0] >= 0:
        feature, threshold, missing_left, left, right = nodes[place][:5]
        code = row[feature]
        place = left if (missing_left if code == 0 else code <= threshold) else right
    return place, nodes[place][5]


@pytest.mark.parametrize("seed", range(6))
def test_regression_equals_scikit_learn(seed: int) -> None:
    from sklearn.tree import DecisionTreeRegressor

    rng = np.random.default_rng(seed)
    x = np.stack([rng.permutation(200) + 1 for _ in range(3)], axis=1)
    y = np.float32(np.sin(x[:, 0] / 30) + 0.5 * (x[:, 1] > 100) + rng.normal(0, 0.1, 200))
    theirs = DecisionTreeRegressor(max_leaf_nodes=8, min_samples_leaf=3, random_state=0).fit(x, y)
    ours = grow(x, y)
    assert [walk(ours, row)[1] for row in x] == pytest.approx(theirs.predict(x).tolist(), abs=1e-5)
    splits = {(n[0], n[7]) for n in ours if n[0] >= 0}
    tree = theirs.tree_
    assert splits == {(f, s) for f, s in zip(tree.feature, tree.n_node_samples, strict=True) if f >= 0}


@pytest.mark.parametrize("seed", range(6))
def test_classification_equals_scikit_learn(seed: int) -> None:
    from sklearn.tree import DecisionTreeClassifier

    rng = np.random.default_rng(seed)
    x = np.stack([rng.permutation(200) + 1 for _ in range(2)], axis=1)
    k = (x[:, 0] > 70).astype(int) + (x[:, 1] > 120) * (x[:, 0] > 70)
    k = np.where(rng.random(200) < 0.05, 2, k)
    theirs = DecisionTreeClassifier(max_leaf_nodes=4, min_samples_leaf=5, random_state=0).fit(x, k)
    ours = grow(x, k, classes=3, leaves=4, min_leaf=5)
    assert [walk(ours, row)[1] for row in x] == theirs.predict(x).tolist()


def test_a_split_by_hand() -> None:
    nodes = grow(np.array([[1], [1], [2], [2], [3], [3]]), np.array([0, 0, 0, 0, 9, 9]), leaves=2, min_leaf=1)
    assert nodes[0][:3] == (0, 2, True)
    assert nodes[0][6] == pytest.approx(2 * 81 - 18**2 / 6)
    assert sorted(node[5] for node in nodes[1:]) == [0.0, 9.0]


def test_missing_goes_where_it_helps() -> None:
    x = np.array([[0]] * 10 + [[1]] * 10 + [[2]] * 10)
    low, high = np.zeros(10), np.ones(10)
    assert grow(x, np.concatenate([low, low, high]), leaves=2)[0][2] is True
    assert grow(x, np.concatenate([high, low, high]), leaves=2)[0][2] is False


def test_gain_must_exceed_its_penalty() -> None:
    x, y = np.array([[1], [2]] * 20), np.array([0.0, 0.1] * 20)
    assert len(grow(x, y, min_gain=1.0)) == 1
    assert len(grow(x, y, min_gain=0.01)) == 3


def test_bins_by_hand() -> None:
    codes, upper, _ = _kernel.bin(np.array([5.0, 1.0, np.nan, 5.0, 2.0]), None, nominal=False, bins=10)
    assert (codes, upper) == ([3, 1, 0, 3, 2], [1.0, 2.0, 5.0])
    codes, upper, _ = _kernel.bin(np.arange(100), None, nominal=False, bins=4)
    assert len(upper) == 4
    assert max(codes) == 4
    assert np.bincount(codes)[1:].tolist() == pytest.approx([25, 25, 25, 25], abs=2)


def test_categories_by_hand() -> None:
    values = np.array([7, 7, 3, 9, 7, 3], np.int32)
    gone = np.array([0, 0, 0, 1, 0, 0], np.uint8)
    codes, _, levels = _kernel.bin(values, gone, nominal=True, bins=10)
    assert levels == [7, 3]
    assert codes == [1, 1, 2, 0, 1, 2]
    codes, _, levels = _kernel.bin(np.arange(10_000), None, nominal=True, bins=255)
    assert len(levels) == 254
    assert max(codes) == 255
