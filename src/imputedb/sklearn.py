"""imputedb's imputers as scikit-learn transformers. Needs scikit-learn, which imputedb itself does not import.

Both learn from the rows of `fit` alone: a row is filled the same way whatever rows stand beside it in `transform`, so
nothing leaks across the folds of a cross-validation.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

try:
    from sklearn.base import BaseEstimator, TransformerMixin, clone
    from sklearn.impute import MissingIndicator
    from sklearn.utils import check_random_state
    from sklearn.utils.validation import FLOAT_DTYPES, _check_feature_names_in, check_is_fitted, validate_data
except ImportError as error:
    raise ImportError("imputedb.sklearn needs one more package: pip install 'imputedb[sklearn]'") from error

from imputedb import kernel
from imputedb.algebra.column import Column
from imputedb.imputers.earlier import blocks
from imputedb.imputers.rows import Cells, Rows
from imputedb.neighbours import votes
from imputedb.neighbours.column import Attribute, Measure
from imputedb.neighbours.index import Index
from imputedb.neighbours.search import cells_of
from imputedb.neighbours.settings import Settings
from imputedb.statistics.table import Kind

__all__ = ["ChainedImputer", "KNNImputer"]

_log = logging.getLogger(__name__)

Matrix = NDArray[Any]
Flags = NDArray[np.bool_]
Places = NDArray[np.intp]

_BEHIND = 1 << 40
"""What random numbers of the first row of `transform` are keyed by; rows of `fit` come before."""

_METRICS = {"nan_euclidean": "euclidean", "gower": "gower", "manhattan": "manhattan", "cosine": "cosine"}


class _Imputer(TransformerMixin, BaseEstimator):
    """What imputers share: validation, empty columns, indicators, names. Subclasses say `_learn` and `_fill`."""

    def fit(self, X: Any, y: Any = None) -> _Imputer:  # noqa: ARG002, N803
        """Learns from the rows of X, (n, d) numbers; y is ignored."""
        data = self._validated(X, reset=True)
        missing = self._missing(data)
        self.empty_features_: Flags = np.asarray(missing.all(axis=0))
        self.indicator_ = None
        if self.add_indicator:
            self.indicator_ = MissingIndicator(missing_values=self.missing_values, error_on_new=False).fit(data)
        self._learn(data, missing)
        if self.before is not None:
            self._clock()
        return self

    def transform(self, X: Any) -> Matrix:  # noqa: N803
        """X, (n, d), with its missing values filled; columns that were empty in `fit` are left out, or 0 if kept."""
        check_is_fitted(self)
        data = self._validated(X, reset=False)
        missing = self._missing(data)
        filled = data.copy()
        wanted = missing & ~self.empty_features_
        if self.before is not None:
            self._fill_in_time(filled, missing, wanted)
        elif wanted.any():
            self._fill(filled, missing, wanted, np.arange(len(filled)))
        if self.keep_empty_features:
            filled[:, self.empty_features_] = 0
        else:
            filled = filled[:, ~self.empty_features_]
        return filled if self.indicator_ is None else np.hstack([filled, self.indicator_.transform(data)])

    def _fill_in_time(self, filled: Matrix, missing: Flags, wanted: Flags) -> None:
        """Fills rows from rows of `fit` that are earlier; what nothing earlier tells of stays missing."""
        column, count = self._clock(), len(self._fit_X)
        for taught, asked in _earlier(self._fit_X[:, column], filled[:, column], np.asarray(wanted.any(axis=1))):
            empty = np.asarray(self._fit_missing[taught].all(axis=0))
            here = asked - count
            some = wanted[here] & ~empty
            if not some.any():
                continue
            part = self._part(taught, empty)
            values = filled[here]
            part._fill(values, missing[here], some, here)
            filled[here] = values

    def _part(self, taught: Places, empty: Flags) -> Any:
        """The same, as if `fit` had seen some of its rows only."""
        part = clone(self).set_params(before=None)
        part.n_features_in_, part.empty_features_ = self.n_features_in_, empty
        if hasattr(self, "feature_names_in_"):
            part.feature_names_in_ = self.feature_names_in_
        part._learn(self._fit_X[taught], self._fit_missing[taught])
        if hasattr(self, "_seed"):
            part._seed = self._seed
        return part

    def _clock(self) -> int:
        """The place of the column that puts rows in order."""
        names = list(getattr(self, "feature_names_in_", []))
        if isinstance(self.before, str):
            if self.before not in names:
                raise ValueError(f"no feature {self.before!r} in before; there are {', '.join(names)}")
            return int(names.index(self.before))
        place = int(self.before)
        if not -self.n_features_in_ <= place < self.n_features_in_:
            raise ValueError(f"no feature {place} in before; X has {self.n_features_in_}")
        return int(place % self.n_features_in_)

    def get_feature_names_out(self, input_features: Any = None) -> NDArray[np.object_]:
        """(d',) names of the columns that `transform` gives, indicators last."""
        check_is_fitted(self)
        names = np.asarray(_check_feature_names_in(self, input_features), dtype=object)
        kept = names if self.keep_empty_features else names[~self.empty_features_]
        return kept if self.indicator_ is None else np.concatenate([kept, self._indicated(names)])

    def _indicated(self, names: NDArray[np.object_]) -> NDArray[np.object_]:
        assert self.indicator_ is not None
        return np.array([f"missingindicator_{names[place]}" for place in self.indicator_.features_], dtype=object)

    def _validated(self, X: Any, *, reset: bool) -> Matrix:  # noqa: N803
        nan = isinstance(self.missing_values, float) and np.isnan(self.missing_values)
        finite = "allow-nan" if nan else True
        data: Matrix = validate_data(self, X, reset=reset, dtype=FLOAT_DTYPES, ensure_all_finite=finite)
        return data

    def _missing(self, data: Matrix) -> Flags:
        nan = isinstance(self.missing_values, float) and np.isnan(self.missing_values)
        return np.asarray(np.isnan(data) if nan else data == self.missing_values)

    def _nominal(self) -> Flags:
        """(d,) True for the columns of categories."""
        given = self.categorical_features
        flags = np.zeros(self.n_features_in_, bool)
        if given is None:
            return flags
        features = list(given)
        if features and all(isinstance(feature, (bool, np.bool_)) for feature in features):
            if len(features) != len(flags):
                raise ValueError(f"categorical_features is a mask of {len(features)} features, but X has {len(flags)}")
            return np.array(features, bool)
        names = list(getattr(self, "feature_names_in_", []))
        for feature in features:
            if isinstance(feature, str) and feature not in names:
                raise ValueError(f"no feature {feature!r} in categorical_features; there are {', '.join(names)}")
            if not isinstance(feature, str) and not -len(flags) <= feature < len(flags):
                raise ValueError(f"no feature {feature} in categorical_features; X has {len(flags)}")
            flags[names.index(feature) if isinstance(feature, str) else feature] = True
        return flags

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = isinstance(self.missing_values, float) and bool(np.isnan(self.missing_values))
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags


def _earlier(fitted: Matrix, given: Matrix, wanted: Flags) -> Iterator[tuple[Places, Places]]:
    """Rows of `fit`, and rows behind them that these are earlier than, as a policy's BEFORE has them."""
    times = np.concatenate([fitted, given]).astype(np.float64)
    unknown = np.isnan(times)
    learn = np.arange(len(times)) < len(fitted)
    asked = np.concatenate([np.zeros(len(fitted), bool), wanted])
    column = Column("", "asked")
    rows = Rows({column: Cells(times, asked, Kind.NUMBER)}, np.arange(len(times), dtype=np.uint64), learn)
    return blocks(rows, [column], Cells(times, unknown, Kind.NUMBER))


class KNNImputer(_Imputer):
    """Missing values from the k nearest rows of `fit`: scikit-learn's KNNImputer, faster, and with other metrics.

    With `metric="nan_euclidean"` the values are scikit-learn's to 1e-9, but where neighbours are equally far: ties go
    to the earlier row, there they go to any.

    Args:
        missing_values: what stands for a missing value.
        n_neighbors: k.
        weights: `uniform` or `distance`.
        metric: `nan_euclidean`, `gower`, `manhattan` or `cosine`, over the coordinates both rows have.
        scaling: what differences are divided by, `range`, `robust`, `deviation` or `none`; the range for Gower and
            nothing for others unless given.
        categorical_features: places or names of columns that hold codes of categories, or a mask: they differ by 1 or
            not at all, and are filled with the mode.
        add_indicator: whether columns that say what was missing are appended.
        keep_empty_features: whether columns without a value in `fit` stay, as zeros.
        before: place or name of a column of times: a row is filled from rows of `fit` that are earlier (at least 87 %
            of them, the latest 4,096 at most). What nothing earlier tells of stays missing.
        n_jobs: threads; all cores for None or -1.
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
        attributes = [Attribute(values, gone | np.isnan(values), measure) for values, gone, measure in columns]
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
            filled[rows, target] = _said(index.attributes[target], found.rows[here], shares[here])

    def __getstate__(self) -> dict[str, Any]:
        state: dict[str, Any] = super().__getstate__()
        return {name: value for name, value in state.items() if name != "_index"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        if "_fit_X" in state:
            self._index = self._indexed()


def _said(attribute: Attribute, neighbours: NDArray[np.int32], shares: NDArray[np.float64]) -> Matrix:
    """The neighbours' mean or mode; where there are none, the column's."""
    lost = neighbours[:, 0] < 0
    values = attribute.values[np.where(neighbours < 0, neighbours[:, :1], neighbours)].astype(np.float64)
    observed = attribute.values[attribute.observed]
    if attribute.measure.graded:
        return np.where(lost, observed.mean(), votes.mean(values, shares))
    levels, counts = np.unique(observed, return_counts=True)
    modes = values[np.arange(len(values)), votes.mode(values, shares)]
    return np.where(lost, levels[np.argmax(counts)], modes)


class ChainedImputer(_Imputer):
    """Missing values from linear models and trees over all other columns, learnt in imputedb's kernel.

    The models are learnt from the rows of `fit`, anew at each `transform`: that takes milliseconds, and what is kept
    and pickled are the rows.

    Args:
        missing_values: what stands for a missing value.
        mode: `predict` for expected values and most likely categories; `draw` for random observed values, so that
            variances stay right.
        cycles: how often every column that is drawn is modelled anew after its start; None for as many as needed.
        categorical_features: places or names of columns that hold codes of categories, any numbers; or a mask.
        add_indicator: whether columns that say what was missing are appended.
        keep_empty_features: whether columns without a value in `fit` stay, as zeros.
        before: place or name of a column of times: a row is filled from rows of `fit` that are earlier (at least 87 %
            of them, the latest 4,096 at most). What nothing earlier tells of stays missing.
        random_state: of the sample that models are learnt from above 50,000 rows, and of draws.
        n_jobs: threads; all cores for None or -1.
    """

    def __init__(
        self,
        *,
        missing_values: Any = np.nan,
        mode: str = "predict",
        cycles: int | None = None,
        categorical_features: Sequence[int | str | bool] | NDArray[Any] | None = None,
        add_indicator: bool = False,
        keep_empty_features: bool = False,
        before: int | str | None = None,
        random_state: Any = None,
        n_jobs: int | None = None,
    ) -> None:
        self.missing_values = missing_values
        self.mode = mode
        self.cycles = cycles
        self.categorical_features = categorical_features
        self.add_indicator = add_indicator
        self.keep_empty_features = keep_empty_features
        self.before = before
        self.random_state = random_state
        self.n_jobs = n_jobs

    def _learn(self, data: Matrix, missing: Flags) -> None:
        if self.mode not in ("predict", "draw"):
            raise ValueError(f"no mode {self.mode!r}; there are predict, draw")
        self._nominal()
        self._fit_X = data.copy()
        self._fit_missing = missing
        self._seed = int(check_random_state(self.random_state).randint(2**31))

    def _fill(self, filled: Matrix, missing: Flags, wanted: Flags, keys: Places) -> None:
        count = len(self._fit_X)
        used = np.flatnonzero(~self.empty_features_)
        nominal = self._nominal()
        cells, levels = [], {}
        for spot, place in enumerate(used):
            values = np.concatenate([self._fit_X[:, place], filled[:, place]])
            gone = np.concatenate([self._fit_missing[:, place], missing[:, place]])
            if nominal[place]:  # any numbers may stand for categories; the kernel's are whole
                levels[spot], codes = np.unique(np.where(gone, values[~gone][0], values), return_inverse=True)
                values = codes.astype(np.int64)
            cells.append(kernel.Cells(values, gone, bool(nominal[place])))
        targets = [spot for spot, place in enumerate(used) if wanted[:, place].any()]
        threads = self.n_jobs if self.n_jobs and self.n_jobs > 0 else 0
        found = kernel.fill(
            cells,
            targets,
            cycles=self.cycles,
            drawn=targets if self.mode == "draw" else (),
            seed=self._seed,
            rows=np.concatenate([np.arange(count), _BEHIND + keys]).astype(np.uint64),
            taught=count,
            threads=threads,
        )
        for spot, values in zip(targets, found.values, strict=True):
            gone = wanted[:, used[spot]]
            given = values[len(values) - int(gone.sum()) :]
            filled[gone, used[spot]] = levels[spot][given.astype(np.intp)] if spot in levels else given
