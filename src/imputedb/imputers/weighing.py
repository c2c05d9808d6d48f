"""Sampling weights (WEIGHT): models learn from each row as often as its weight says."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from imputedb.algebra.column import Column
from imputedb.errors import CannotImpute
from imputedb.imputers import random
from imputedb.imputers.rows import EVERY, Array, Rows

WEIGHTS = Column("", "imputedb weights")
"""The column of rows that holds their weights; no imputer gets it."""

Fill = Callable[[Rows, Sequence[Column]], Mapping[Column, Array]]
"""A function that gives one imputation of some targets of some rows."""


def weighed(rows: Rows, targets: Sequence[Column], what: tuple[int, ...], fill: Fill) -> Mapping[Column, Array]:
    """An imputation whose models learn from rows in proportion to their weights; equally without weights.

    1. The effective sample size of n rows with weights w is n* = (sum w)^2 / sum w^2 (Kish 1965).
    2. Each row is learnt from n* w / sum w times on average, a random whole number in every draw (Zhou, Elliott &
       Raghunathan 2016, who undo a survey's design before imputation). Donors are therefore chosen by their weights
       too, and the uncertainty of parameters is that of n* rows.
    3. The rows with missing cells are filled in by these models.

    Args:
        rows: the rows, with their weights under `WEIGHTS` if there are any.
        targets: the columns to fill.
        what: seed and draw, which key the random numbers.
        fill: function that gives the imputation.

    Raises:
        CannotImpute: a weight is missing, infinite or negative, or none is positive.
    """
    if WEIGHTS not in rows.columns:
        return fill(rows, targets)
    plain = replace(rows, columns={c: cells for c, cells in rows.columns.items() if c != WEIGHTS})
    times = _times(rows, what)
    training = np.repeat(np.arange(len(times)), times)
    recipients = np.flatnonzero(np.logical_or.reduce([rows.columns[c].missing for c in targets]))
    some = plain.at(np.concatenate([training, recipients]))
    learn = np.arange(len(some.keys)) < len(training)
    draws = None if some.draws is None else np.where(learn, EVERY, some.draws)
    found = fill(replace(some, learn=learn, draws=draws), targets)
    return {c: values[int(np.count_nonzero(rows.columns[c].missing[training])) :] for c, values in found.items()}


def _times(rows: Rows, what: tuple[int, ...]) -> NDArray[np.intp]:
    """(n,) the number of times that each row is learnt from."""
    cells = rows.columns[WEIGHTS]
    values = np.array(cells.levels)[cells.values.astype(np.intp)] if cells.levels else cells.values  # of coded numbers
    weights = np.where(cells.missing, np.nan, values.astype(np.float64))
    if not np.isfinite(weights).all() or (weights < 0).any() or not (weights > 0).any():
        raise CannotImpute("weights must be numbers from 0 on, complete, and not all 0: correct them, or the policy")
    if rows.learn is not None:
        weights = np.where(rows.learn, weights, 0.0)
    largest = weights.max(initial=0.0)
    if largest <= 0:
        raise CannotImpute("all training rows have the weight 0: correct the weights, or the policy")
    share = weights / largest  # scaled so that no sum overflows
    share = share / share.sum()
    worth = 1 / float(share @ share)
    chance = random.uniform(rows.keys, *what, "weights")
    return np.asarray(np.floor(worth * share + chance), np.intp)
