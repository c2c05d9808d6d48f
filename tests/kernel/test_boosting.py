"""Boosted trees: what they learn, where missing values go, and that they are applied as they were learnt."""

from dataclasses import replace

import numpy as np
import pytest

from imputedb.algebra.column import Column
from imputedb.models.applying import summed
from imputedb.models.boosting import Boosted, Growth, boost
from imputedb.models.feature import Feature
from imputedb.models.function import Sum
from imputedb.models.training_data import TrainingData
from imputedb.statistics.table import Kind


def training_data(n: int = 3000, *, classes: int = 0) -> TrainingData:
    rng = np.random.default_rng(0)
    x = np.stack([rng.normal(size=n), rng.integers(0, 300, n).astype(float), rng.normal(size=n)])
    odd = x[1] % 3 == 1
    x[0, rng.random(n) < 0.3] = np.nan
    y = np.where(np.isnan(x[0]), 2.0, np.abs(x[0])) + 3 * odd + rng.normal(0, 0.1, n)
    if classes:
        y = np.digitize(y, np.quantile(y, np.arange(1, classes) / classes)).astype(float)
    levels = tuple(map(str, range(300)))
    kinds = [(Kind.NUMBER, ()), (Kind.CATEGORY, levels), (Kind.NUMBER, ())]
    features = [Feature(Column("t", f"x{k}"), "", kind, own, False, 0, 0) for k, (kind, own) in enumerate(kinds)]
    return TrainingData(features, 2, x, y, np.ones(n), np.zeros(n, np.intp), np.ones(n))


def boosted(task: TrainingData, classes: int, held: np.ndarray | None = None) -> Boosted:
    count = classes if classes > 2 else 1
    flags = np.zeros(len(task.y), bool) if held is None else held
    return boost(task, np.zeros((count, len(task.y))), flags, Growth(rounds=60, leaves=16), classes)


def test_it_learns_curves_levels_and_what_goes_with_missing_values() -> None:
    task = training_data()
    found = boosted(task, 0)
    assert np.std(found.scores[0] - task.y) < 0.4 < 0.25 * np.std(task.y) + 0.4


@pytest.mark.parametrize("classes", [0, 2, 4])
def test_trees_are_applied_as_they_were_learnt(classes: int) -> None:
    task = training_data(classes=classes)
    held = np.arange(len(task.y)) % 3 == 0
    found = boosted(task, classes, held)
    assert min(found.losses) == found.losses[found.rounds] < found.losses[0]
    for forest, scores in zip(found.forests, found.scores, strict=True):
        np.testing.assert_array_equal(summed(Sum(0.0, (), 0.0, forest), task.x, task.all_rows), scores)


def test_rows_that_are_held_or_weigh_nothing_teach_nothing() -> None:
    task = training_data()
    held = np.arange(len(task.y)) % 3 == 0
    other = TrainingData(
        task.features, 2, task.x, np.where(held, 1e6, task.y), task.weight, task.fold, task.pattern_weight
    )
    one, two = (boosted(each, 0, held).forests[0].thresholds for each in (task, other))
    np.testing.assert_array_equal(one[:20], two[:20])


def test_a_stop_is_told_of() -> None:
    task = training_data()

    def stop(_: float) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        boost(replace(task, watch=stop), np.zeros((1, len(task.y))), np.zeros(len(task.y), bool), Growth(), 0)
