"""Imputation by a model that is learnt once in `fit` and applied to any rows, without a database."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils import check_random_state
from sklearn.utils.validation import (
    FLOAT_DTYPES,
    _check_feature_names,
    _check_feature_names_in,
    _check_n_features,
    check_is_fitted,
    validate_data,
)

from imputedb.database import Database, connect
from imputedb.errors import Error
from imputedb.models import frames
from imputedb.models.model import Model
from imputedb.models.values import is_missing


class ModelImputer(TransformerMixin, BaseEstimator):
    """Imputation by a kept model of every column, as `create_model` makes it.

    X is an array of numbers, or a pandas or polars data frame whose columns may also be texts, categories, booleans,
    dates and times; a frame is returned for a frame. A row is imputed independently of other rows. Only functions are
    stored and pickled, and for imputers with donors the donors' values.

    Args:
        imputer: name of an imputer with functions: tree, norm, pmm, logistic, mean and others.
        mode: `predict` for expected values and most likely categories; `draw` for the first of the drawn ones.
        n_draws: number of drawn values for each cell (`transform_draws`).
        sample: largest number of rows to learn from.
        random_state: seed of the sample and of draws.

    Attributes:
        model_: the model, whose columns are named c0, c1, ...; its `save` writes it to a file.
        empty_features_: (d,) whether a column has no value in `fit`; such columns are left out.
    """

    def __init__(
        self,
        *,
        imputer: str = "tree",
        mode: str = "predict",
        n_draws: int = 5,
        sample: int = 50_000,
        random_state: Any = None,
    ) -> None:
        self.imputer = imputer
        self.mode = mode
        self.n_draws = n_draws
        self.sample = sample
        self.random_state = random_state

    def fit(self, X: Any, y: Any = None) -> ModelImputer:  # noqa: ARG002, N803
        """Learns from the rows of X, (n, d); y is ignored.

        Raises:
            ValueError: a column cannot be modelled, or there are too few rows; the message says which.
        """
        self._check_mode()
        given = self._given(X, reset=True)
        seed = int(check_random_state(self.random_state).randint(2**31 - 1))
        try:
            with connect() as db:
                self._learn(db, given.reset_index(drop=True) if hasattr(given, "reset_index") else given, seed)
        except Error as error:
            raise ValueError(str(error)) from error
        return self

    def _learn(self, db: Database, given: Any, seed: int) -> None:
        db.register("x", given)
        columns = frames.columns(given)
        self.empty_features_ = np.array([all(map(is_missing, column)) for column in columns.values()])
        wanted = [name for name, empty in zip(columns, self.empty_features_, strict=True) if not empty]
        if not wanted:
            raise ValueError("no feature has a value to learn from")
        self.model_: Model = db.create_model(
            "m", "x", wanted, imputer=self.imputer, sample=self.sample, draws=self.n_draws, seed=seed
        )
        _ = self.model_.fitted  # an imputer without functions can impute its own table only

    def transform(self, X: Any) -> Any:  # noqa: N803
        """X with its missing values filled in; columns that were empty in `fit` are left out.

        Raises:
            ValueError: the mode is unknown; the message lists the valid ones.
        """
        self._check_mode()
        return self._filled(X, 0 if self.mode == "draw" else None)

    def transform_draws(self, X: Any) -> list[Any]:  # noqa: N803
        """X imputed `n_draws` times, each with jointly drawn values."""
        check_is_fitted(self)
        return [self._filled(X, draw) for draw in range(self.model_.draws)]

    def _check_mode(self) -> None:
        if self.mode not in ("predict", "draw"):
            raise ValueError(f"no mode {self.mode!r}; there are predict, draw")

    def _filled(self, X: Any, draw: int | None) -> Any:  # noqa: N803
        check_is_fitted(self)
        given = self._given(X, reset=False)
        try:
            found = self.model_.apply(given, draw=draw)
        except Error as error:
            raise ValueError(str(error)) from error
        stay = [f"c{place}" for place in np.flatnonzero(~self.empty_features_)]
        if isinstance(given, dict):
            return np.column_stack([np.asarray(found[name]) for name in stay]).astype(given[stay[0]].dtype)
        filled = found[stay]
        filled.columns = [name for name, empty in zip(X.columns, self.empty_features_, strict=True) if not empty]
        return filled

    def get_feature_names_out(self, input_features: Any = None) -> NDArray[np.object_]:
        """(d',) the names of the columns of `transform`'s result."""
        check_is_fitted(self)
        names = np.asarray(_check_feature_names_in(self, input_features), dtype=object)
        return np.asarray(names[~self.empty_features_], dtype=object)

    def _given(self, X: Any, *, reset: bool) -> Any:  # noqa: N803
        """X after validation, with columns c0, c1, ...: a frame as it is, an array as a dictionary."""
        if not _is_frame(X):
            data = validate_data(self, X, reset=reset, dtype=FLOAT_DTYPES, ensure_all_finite="allow-nan")
            return {f"c{place}": column for place, column in enumerate(data.T)}
        _check_feature_names(self, X, reset=reset)
        _check_n_features(self, X, reset=reset)
        if not len(X) or not len(X.columns):
            raise ValueError(f"0 sample(s) or features in a frame of shape {X.shape}: a minimum of 1 is required")
        renamed = X.clone() if hasattr(X, "get_column") else X.copy(deep=False)
        renamed.columns = [f"c{place}" for place in range(len(X.columns))]
        return renamed

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags


def _is_frame(given: Any) -> bool:
    """Whether an object is a pandas or polars data frame."""
    return hasattr(given, "columns") and (hasattr(given, "iloc") or hasattr(given, "get_column"))
