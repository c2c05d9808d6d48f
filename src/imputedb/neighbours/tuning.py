"""The choice of the number of neighbours and the metric, by errors on hidden cells."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from imputedb.neighbours.column import Attribute, placed, space_of
from imputedb.neighbours.condition import condition
from imputedb.neighbours.impute import answers
from imputedb.neighbours.index import Index
from imputedb.neighbours.metric import Floats, MetricName
from imputedb.neighbours.search import Cells, Ints
from imputedb.neighbours.settings import Settings
from imputedb.neighbours.votes import shares
from imputedb.neighbours.weights import WeightLearner

KS = (1, 3, 5, 10, 20, 40)
CELLS = 400
"""Hidden cells a target; the standard error of a difference is then a few hundredths."""


@dataclass(frozen=True, slots=True)
class Scan:
    """Errors on hidden cells.

    Attributes:
        errors: by metric and k, the mean over targets of root mean square error / standard deviation, or for categories
            of the share of wrong values.
        metric: best metric.
        k: best k for that metric.
    """

    errors: Mapping[tuple[MetricName, int], float]
    metric: MetricName
    k: int


Folds = Callable[[int, Ints], Iterable[tuple[Ints, Ints]]]
"""Of a target and its hidden rows, part by part: the rows that are learnt from and the hidden ones, by number."""


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
    folds: Folds | None = None,
) -> Scan:
    """The errors for each k and metric: up to 400 observed cells of each target are hidden, with one search per metric.

    Args:
        attributes: columns of the table.
        targets: positions of the columns to evaluate.
        settings: all other settings.
        order: (n,) row numbers in a random order.
        ks: numbers of neighbours to try.
        metrics: metrics to try; by default that of the settings.
        groups: as in `fill`.
        times: as in `fill`.
        folds: rows from which hidden cells are predicted and scales and weights learnt; by default all other rows.
    """
    errors: dict[tuple[MetricName, int], float] = {}
    largest = max(replace(settings, k=k).k for k in ks)  # which checks each k
    known = [target for target in targets if attributes[target].observed.any()]
    everything = _Search(attributes, settings, order, groups, times)
    for metric in metrics or (settings.metric,):
        way = replace(settings, metric=metric, k=largest)
        found = []
        for target in known:
            hidden = _hidden(attributes[target], order)
            if folds is None:
                parts = [everything.predictions(way, target, hidden, hidden, ks)]
            else:
                rows = folds(target, hidden)
                parts = [
                    _apart(attributes, settings, training, way, target, recipients, hidden, ks)
                    for training, recipients in rows
                ]
            found.append(_errors(attributes[target], parts, len(ks)))
        for place, k in enumerate(ks):
            errors[metric, k] = float(np.mean([one[place] for one in found])) if found else np.nan
    metric, k = min(errors, key=lambda pair: (errors[pair], pair[1]))
    return Scan(errors, metric, k)


def _hidden(attribute: Attribute, order: Ints) -> Ints:
    """Observed rows to hide, at most half of them, so that donors remain."""
    observed = attribute.observed
    return np.sort(order[observed[order]][: max(1, min(CELLS, int(observed.sum()) // 2))])


def _apart(
    attributes: Sequence[Attribute],
    settings: Settings,
    training: Ints,
    way: Settings,
    target: int,
    recipients: Ints,
    hidden: Ints,
    ks: Sequence[int],
) -> tuple[Floats, Floats]:
    """Predictions of the recipients from all other rows, in the form of `predictions`."""
    places = np.concatenate([training, recipients])
    some = [replace(one, values=one.values[places], missing=one.missing[places]) for one in attributes]
    search = _Search(some, settings, np.arange(len(training)), None, None)
    rows = np.arange(len(training), len(places))
    return search.predictions(way, target, rows, np.concatenate([np.flatnonzero(np.isin(training, hidden)), rows]), ks)


class _Search:
    """A search for hidden cells; scales and weights of columns are learnt from the rows in `order` only."""

    def __init__(
        self,
        attributes: Sequence[Attribute],
        settings: Settings,
        order: Ints,
        groups: Ints | None,
        times: Floats | None,
    ) -> None:
        self._attributes, self._settings, self._order = attributes, settings, order
        self._learner = WeightLearner(attributes, order)
        self._limits = condition(len(order), groups, times) if groups is not None or times is not None else None
        self._indexes: dict[MetricName, Index] = {}

    def _index(self, way: Settings) -> Index:
        if way.metric not in self._indexes:
            space = space_of(self._attributes, way.metric, way.scaling, way.lacking, np.sort(self._order))
            self._indexes[way.metric] = Index(self._attributes, way, condition=self._limits, space=space)
        return self._indexes[way.metric]

    def predictions(
        self, way: Settings, target: int, rows: Ints, hidden: Ints, ks: Sequence[int]
    ) -> tuple[Floats, Floats]:
        """Predictions of observed cells for each k, and their true values: (k, c) and (c,)."""
        index, attribute = self._index(way), self._attributes[target]
        points = placed(index.space, index.attributes, rows)
        points[:, target] = np.nan
        donors = attribute.observed.copy()
        donors[hidden] = False
        if not donors.any():
            return np.zeros((len(ks), 0)), np.zeros(0)
        numbers = np.arange(len(rows) + 1, dtype=np.int64)
        cells = Cells(rows, numbers, np.zeros(len(rows), np.int32))
        weights = _weights(self._learner, len(self._attributes), target, self._settings)
        found = index.nearest(cells, [index.arranged(donors.astype(np.uint8))], way.k, weights, queries=points)
        there = found.rows[:, 0] >= 0
        near, apart = found.rows[there], found.distances[there]
        given = [answers(attribute, near[:, :k], shares(apart[:, :k], way.weighting), way) for k in ks]
        return np.array(given, np.float64).reshape(len(ks), int(there.sum())), attribute.located(rows)[there]


def _errors(attribute: Attribute, parts: Sequence[tuple[Floats, Floats]], count: int) -> list[float]:
    """The error by k over several parts together; 1 where nothing was predicted."""
    true = np.concatenate([truth for _, truth in parts]) if parts else np.zeros(0)
    if not len(true):
        return [1.0] * count
    off = np.concatenate([given for given, _ in parts], axis=1) - true
    if not attribute.averages:
        return [float(share) for share in np.mean(off != 0, axis=1)]
    deviation = float(np.std(attribute.located()[attribute.observed])) or 1.0
    return [float(error) / deviation for error in np.sqrt(np.mean(off**2, axis=1))]


def _weights(learner: WeightLearner, width: int, target: int, settings: Settings) -> Floats:
    if settings.weights == "learnt":
        return learner.weights(target)
    return np.ones(width) if settings.weights is None else np.array(settings.weights)
