"""How many neighbours, and by which metric: chosen by cells that are known and were hidden."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from imputedb.neighbours.aggregate import shares
from imputedb.neighbours.attribute import Attribute, placed
from imputedb.neighbours.condition import condition
from imputedb.neighbours.filling import answers
from imputedb.neighbours.index import Index
from imputedb.neighbours.metric import Floats, MetricName
from imputedb.neighbours.search import Cells, Ints
from imputedb.neighbours.settings import Settings
from imputedb.neighbours.weights import Learner

KS = (1, 3, 5, 10, 20, 40)
CELLS = 400
"""Hidden cells a target; the standard error of a difference is then a few hundredths."""


@dataclass(frozen=True, slots=True)
class Scan:
    """Errors of hidden cells.

    Attributes:
        errors: by metric and k, the mean over targets of the root mean square error / standard deviation, or of
            categories of the share that is wrong.
        metric: the best one.
        k: the best one with it.
    """

    errors: Mapping[tuple[MetricName, int], float]
    metric: MetricName
    k: int


def scanned(
    attributes: Sequence[Attribute],
    targets: Sequence[int],
    settings: Settings,
    order: Ints,
    *,
    ks: Sequence[int] = KS,
    metrics: Sequence[MetricName] | None = None,
    groups: Ints | None = None,
    times: Floats | None = None,
) -> Scan:
    """The errors of every k and metric: up to 400 observed cells of each target are hidden, one search a metric.

    Args:
        attributes: the columns.
        targets: the columns to judge by.
        settings: everything else that neighbours are found by.
        order: (n,) row numbers in a random order.
        ks: the numbers of neighbours to try.
        metrics: the metrics to try; the one of the settings unless given.
        groups: as `fill` has it.
        times: as `fill` has it.
    """
    errors: dict[tuple[MetricName, int], float] = {}
    largest = max(replace(settings, k=k).k for k in ks)  # each is checked
    learner = Learner(attributes, order)
    limits = condition(len(order), groups, times)
    for metric in metrics or (settings.metric,):
        way = replace(settings, metric=metric, k=largest)
        index = Index(attributes, way, condition=limits)
        found = [
            _errors(index, target, way, order, ks, _weights(learner, len(attributes), target, settings))
            for target in targets
            if attributes[target].observed.any()
        ]
        for place, k in enumerate(ks):
            errors[metric, k] = float(np.mean([one[place] for one in found])) if found else np.nan
    metric, k = min(errors, key=lambda pair: (errors[pair], pair[1]))
    return Scan(errors, metric, k)


def _errors(
    index: Index, target: int, settings: Settings, order: Ints, ks: Sequence[int], weights: Floats
) -> list[float]:
    attribute = index.attributes[target]
    observed = attribute.observed
    # at most half of what is known, so that donors stay
    rows = np.sort(order[observed[order]][: max(1, min(CELLS, int(observed.sum()) // 2))])
    points = placed(index.space, index.attributes, rows)
    points[:, target] = np.nan
    donors = observed.copy()
    donors[rows] = False
    numbers = np.arange(len(rows) + 1, dtype=np.int64)
    cells = Cells(rows, numbers, np.zeros(len(rows), np.int32))
    copies = [index.arranged(donors.astype(np.uint8))]
    found = index.nearest(cells, copies, settings.k, weights, queries=points)
    true = attribute.located(rows)
    there = found.rows[:, 0] >= 0
    if not there.any():
        return [1.0] * len(ks)
    near, apart = found.rows[there], found.distances[there]
    deviation = float(np.std(attribute.located()[observed])) or 1.0
    out = []
    for k in ks:
        said = answers(attribute, near[:, :k], shares(apart[:, :k], settings.weighting), settings).astype(np.float64)
        off = said - true[there]
        wrong = float(np.mean(off != 0))
        out.append(float(np.sqrt(np.mean(off**2))) / deviation if attribute.measure.graded else wrong)
    return out


def _weights(learner: Learner, width: int, target: int, settings: Settings) -> Floats:
    if settings.weights == "learnt":
        return learner.weights(target)
    return np.ones(width) if settings.weights is None else np.array(settings.weights)
