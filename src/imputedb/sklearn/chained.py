"""Imputation by linear models and trees over all other columns."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import check_random_state

from imputedb import kernel
from imputedb.sklearn.transformer import Flags, Matrix, Places, Transformer

_BEHIND = 1 << 40
"""What random numbers of the first row of `transform` are keyed by; rows of `fit` come before."""


class ChainedImputer(Transformer):
    """Imputation by linear models and trees over all other columns, learnt in imputedb's kernel.

    The models are learnt from the rows of `fit` at each `transform`, which takes milliseconds; the rows are stored and
    pickled.

    Args:
        missing_values: placeholder of missing values.
        mode: `predict` for expected values and most likely categories; `draw` for random observed values, which
            preserve variances.
        cycles: number of cycles of chained equations after the start; None for as many as needed.
        categorical_features: positions or names of columns with codes of categories (any numbers), or a mask.
        add_indicator: whether to append indicators of missing values.
        keep_empty_features: whether columns without a value in `fit` are kept, as zeros.
        before: position or name of a column of times; a row is imputed from earlier rows of `fit` (at least 87 % of
            them, at most the latest 4,096). Without earlier rows a value stays missing.
        random_state: seed of the sample to learn from (above 50,000 rows) and of draws.
        n_jobs: number of threads; all cores for None or -1.
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
            absent = np.concatenate([self._fit_missing[:, place], missing[:, place]])
            if nominal[place]:  # categories may be any numbers; the kernel's are whole
                levels[spot], codes = np.unique(np.where(absent, values[~absent][0], values), return_inverse=True)
                values = codes.astype(np.int64)
            cells.append(kernel.Cells(values, absent, bool(nominal[place])))
        targets = [spot for spot, place in enumerate(used) if wanted[:, place].any()]
        threads = self.n_jobs if self.n_jobs and self.n_jobs > 0 else 0
        found = kernel.fill(
            cells,
            targets,
            cycles=self.cycles,
            drawn=targets if self.mode == "draw" else (),
            seed=self._seed,
            rows=np.concatenate([np.arange(count), _BEHIND + keys]).astype(np.uint64),
            fitted_rows=count,
            threads=threads,
        )
        for spot, values in zip(targets, found.values, strict=True):
            absent = wanted[:, used[spot]]
            given = values[len(values) - int(absent.sum()) :]
            filled[absent, used[spot]] = levels[spot][given.astype(np.intp)] if spot in levels else given
