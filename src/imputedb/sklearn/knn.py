"""Imputation by the nearest rows of `fit`."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imputedb.neighbours import votes
from imputedb.neighbours.column import Attribute, Measure
from imputedb.neighbours.index import Index
from imputedb.neighbours.search import cells_of
from imputedb.neighbours.settings import Settings
from imputedb.sklearn.transformer import Flags, Matrix, Places, Transformer

_log = logging.getLogger(__name__)

_METRICS = {"nan_euclidean": "euclidean", "gower": "gower", "manhattan": "manhattan", "cosine": "cosine"}


class KNNImputer(Transformer):
    """Imputation by the k nearest rows of `fit`: a faster KNNImputer with more metrics.

    With `metric="nan_euclidean"` the values equal scikit-learn's to 1e-9, except for ties of distances: here the
    earlier row is nearer, there the choice is arbitrary.

    Args:
        missing_values: placeholder of missing values.
        n_neighbors: k.
        weights: `uniform` or `distance`.
        metric: `nan_euclidean`, `gower`, `manhattan` or `cosine`, over the coordinates that both rows have.
        scaling: divisor of differences, `range`, `robust`, `deviation` or `none`; by default the range for Gower's
            distance, and none for others.
        categorical_features: positions or names of columns with codes of categories, or a mask; they differ by 0 or 1,
            and are imputed by the mode.
        add_indicator: whether to append indicators of missing values.
        keep_empty_features: whether columns without a value in `fit` are kept, as zeros.
        before: position or name of a column of times; a row is imputed from earlier rows of `fit` (at least 87 % of
            them, at most the latest 4,096). Without earlier rows a value stays missing.
        n_jobs: number of threads; all cores for None or -1.
    """

    def __init__(
        self,
        *,
        missing_values: Any = np.nan,
        n_neighbors: int = 5,
        weights: str = "uniform",
        metric: str = "nan_euclidean",
        scaling: str | None = None,
        categorical_features: Sequence[int | str | bool] | NDArray[Any] | None = None,
        add_indicator: bool = False,
        keep_empty_features: bool = False,
        before: int | str | None = None,
        n_jobs: int | None = None,
    ) -> None:
        self.missing_values = missing_values
        self.n_neighbors = n_neighbors
        self.weights = weights
        self.metric = metric
        self.scaling = scaling
        self.categorical_features = categorical_features
        self.add_indicator = add_indicator
        self.keep_empty_features = keep_empty_features
        self.before = before
        self.n_jobs = n_jobs

    def _learn(self, data: Matrix, missing: Flags) -> None:
        self._fit_X = data.copy()
        self._fit_missing = missing
        self._index = self._indexed()

    def _settings(self) -> Settings:
        if self.metric not in _METRICS:
            raise ValueError(f"no metric {self.metric!r}; there are {', '.join(_METRICS)}")
        scaling = self.scaling or ("range" if self.metric == "gower" else "none")
        try:
            return Settings(self.n_neighbors, _METRICS[self.metric], scaling, weighting=self.weights)  # type: ignore[arg-type]
        except Exception as error:
            raise ValueError(str(error)) from error

    def _indexed(self) -> Index:
        measures = [Measure.NOMINAL if nominal else Measure.NUMERIC for nominal in self._nominal()]
        columns = zip(self._fit_X.T, self._fit_missing.T, measures, strict=True)
        attributes = [Attribute(values, missing | np.isnan(values), measure) for values, missing, measure in columns]
        return Index(attributes, self._settings())

    def _fill(self, filled: Matrix, missing: Flags, wanted: Flags, keys: Places) -> None:  # noqa: ARG002
        index, settings = self._index, self._settings()
        targets = np.flatnonzero(wanted.any(axis=0)).tolist()
        cells = cells_of([wanted[:, target] for target in targets])
        located = np.where(missing, np.nan, filled).astype(np.float64)[cells.rows]
        columns = list(zip(index.space.coordinates, located.T, strict=True))
        if index.space.metric == "gower" and (beyond := sum(c.outside(values) for c, values in columns)):
            _log.info("%d values lie beyond what fit has seen: differences to them are clipped at 1", beyond)
        queries = np.stack([coordinate.placed(values) for coordinate, values in columns], axis=1)
        copies = [index.attributes[target].observed.astype(np.uint8) for target in targets]
        threads = self.n_jobs if self.n_jobs and self.n_jobs > 0 else 0
        ones = np.ones(len(index.attributes))
        k = min(settings.k, index.count)
        found = index.nearest(cells, copies, k, ones, queries=queries, threads=threads)
        shares = votes.shares(found.distances, settings.weighting)
        for place, target in enumerate(targets):
            here = cells.targets == place
            rows = cells.row_of_cell[here]
            filled[rows, target] = _estimates(index.attributes[target], found.rows[here], shares[here])

    def __getstate__(self) -> dict[str, Any]:
        state: dict[str, Any] = super().__getstate__()
        return {name: value for name, value in state.items() if name != "_index"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        if "_fit_X" in state:
            self._index = self._indexed()


def _estimates(attribute: Attribute, neighbours: NDArray[np.int32], shares: NDArray[np.float64]) -> Matrix:
    """The mean or mode of neighbours; without neighbours, that of the column."""
    lost = neighbours[:, 0] < 0
    values = attribute.values[np.where(neighbours < 0, neighbours[:, :1], neighbours)].astype(np.float64)
    observed = attribute.values[attribute.observed]
    if attribute.measure.graded:
        return np.where(lost, observed.mean(), votes.mean(values, shares))
    levels, counts = np.unique(observed, return_counts=True)
    modes = values[np.arange(len(values)), votes.mode(values, shares)]
    return np.where(lost, levels[np.argmax(counts)], modes)
