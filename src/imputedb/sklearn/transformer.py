"""The common base of the scikit-learn transformers: validation, empty columns, indicators, names, earlier rows."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, TransformerMixin, clone
from sklearn.impute import MissingIndicator
from sklearn.utils.validation import FLOAT_DTYPES, _check_feature_names_in, check_is_fitted, validate_data

from imputedb.algebra.column import Column
from imputedb.imputers.earlier import blocks
from imputedb.imputers.rows import Cells, Rows
from imputedb.statistics.table import Kind

Matrix = NDArray[Any]
Flags = NDArray[np.bool_]
Places = NDArray[np.intp]


class Transformer(TransformerMixin, BaseEstimator):
    """The common base of imputers: validation, empty columns, indicators, names. Subclasses have `_learn`, `_fill`."""

    _seed: int  # for imputers that draw

    def fit(self, X: Any, y: Any = None) -> Transformer:  # noqa: ARG002, N803
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
        """X, (n, d), with missing values imputed; columns that were empty in `fit` are left out, or are 0 if kept."""
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
        """Imputes rows from earlier rows of `fit`; without earlier rows values stay missing."""
        column, count = self._clock(), len(self._fit_X)
        for training, recipients in _earlier(self._fit_X[:, column], filled[:, column], np.asarray(wanted.any(axis=1))):
            empty = np.asarray(self._fit_missing[training].all(axis=0))
            here = recipients - count
            some = wanted[here] & ~empty
            if not some.any():
                continue
            part = self._part(training, empty)
            values = filled[here]
            part._fill(values, missing[here], some, here)
            filled[here] = values

    def _learn(self, data: Matrix, missing: Flags) -> None:
        """Learns from the rows of `fit`, (n, d), and their flags of missing values."""
        raise NotImplementedError

    def _fill(self, filled: Matrix, missing: Flags, wanted: Flags, keys: Places) -> None:
        """Imputes the wanted cells in place; `keys` are the keys of the rows."""
        raise NotImplementedError

    def _part(self, training: Places, empty: Flags) -> Any:
        """A copy that was fitted to some of the rows only."""
        part = clone(self).set_params(before=None)
        part.n_features_in_, part.empty_features_ = self.n_features_in_, empty
        if hasattr(self, "feature_names_in_"):
            part.feature_names_in_ = self.feature_names_in_
        part._learn(self._fit_X[training], self._fit_missing[training])
        if hasattr(self, "_seed"):
            part._seed = self._seed
        return part

    def _clock(self) -> int:
        """The position of the column of times."""
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
        """(d',) the names of the columns of `transform`'s result, indicators last."""
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
        """(d,) whether a column is categorical."""
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
    """Rows of `fit`, each group with the given rows that are later than these, as for a policy's BEFORE."""
    times = np.concatenate([fitted, given]).astype(np.float64)
    unknown = np.isnan(times)
    learn = np.arange(len(times)) < len(fitted)
    recipients = np.concatenate([np.zeros(len(fitted), bool), wanted])
    column = Column("", "recipient")
    rows = Rows({column: Cells(times, recipients, Kind.NUMBER)}, np.arange(len(times), dtype=np.uint64), learn)
    return blocks(rows, [column], Cells(times, unknown, Kind.NUMBER))
