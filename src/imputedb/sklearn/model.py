"""Missing values from a kept model: learnt once in `fit`, applied to any rows, without a database."""

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
    """Missing values from a kept model of every column, the same that `create_model` makes.

    X is an array of numbers, or a data frame of pandas or polars whose columns may also be texts, categories, booleans,
    dates and times; a frame comes back as one. A row is filled the same way whatever rows stand beside it. What is kept
    and pickled are the functions, and of imputers that take donors these donors' values.

    Args:
        imputer: the name of an imputer that has functions: tree, norm, pmm, logistic, mean and others.
        mode: `predict` for expected values and most likely categories; `draw` for the first of the drawn ones.
        n_draws: how many drawn values a cell has (`transform_draws`).
        sample: rows that are learnt from at most.
        random_state: of the sample and of draws.

    Attributes:
        model_: the model, of columns that are called c0, c1 and on; `save` writes it to a file.
        empty_features_: (d,) True for the columns without a value in `fit`, which are left out.
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
            ValueError: no model is to be had of a column, or of so few rows; the message says which.
        """
        if self.mode not in ("predict", "draw"):
            raise ValueError(f"no mode {self.mode!r}; there are predict, draw")
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
        _ = self.model_.fitted  # an imputer without functions fills in its own table alone

    def transform(self, X: Any) -> Any:  # noqa: N803
        """X with its missing values filled in; columns that were empty in `fit` are left out."""
        return self._filled(X, 0 if self.mode == "draw" else None)

    def transform_draws(self, X: Any) -> list[Any]:  # noqa: N803
        """X filled in `n_draws` times, each with values that are drawn together."""
        check_is_fitted(self)
        return [self._filled(X, draw) for draw in range(self.model_.draws)]

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
        """(d',) names of the columns that `transform` gives."""
        check_is_fitted(self)
        names = np.asarray(_check_feature_names_in(self, input_features), dtype=object)
        return np.asarray(names[~self.empty_features_], dtype=object)

    def _given(self, X: Any, *, reset: bool) -> Any:  # noqa: N803
        """X checked, as columns that are called c0, c1 and on: a frame as it is, an array as a dictionary."""
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
    """Whether something is a data frame of pandas or polars."""
    return hasattr(given, "columns") and (hasattr(given, "iloc") or hasattr(given, "get_column"))
