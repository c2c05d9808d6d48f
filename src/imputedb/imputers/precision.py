"""The precision of imputed cells, measured on hidden cells: 0 for no information, 1 for exact values."""

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from imputedb.algebra.column import Column
from imputedb.imputers.hiding import cells_by_pattern, hidden
from imputedb.imputers.rows import Cells, Rows
from imputedb.statistics.conformal import needed, two_sided
from imputedb.statistics.table import Kind

if TYPE_CHECKING:
    from imputedb.imputers.request import Request

Flags = NDArray[np.bool_]
Floats = NDArray[np.float64]

LEVEL = 0.9
"""Level of the intervals whose widths are compared."""

SHARE = 0.3
"""Share of the rows that are given another row's missingness."""

DRAWS = 20
"""Number of draws of each cell, of which the most frequent category is taken."""

ALIKE = 50
"""Minimum number of hidden cells by which the probability of a drawn category is estimated."""


def imprecise(request: "Request", column: Column) -> Flags:
    """(k,) the missing cells of a column that are less precise than its policy requires (MISSING BELOW).

    1. 30 % of the rows are given the missingness of rows that miss the column, and the column is imputed there.
    2. A number's precision is 1 - w / W: w is the width of the 90 % conformal interval of cells in rows that miss the
       same columns, W that of the interval from the column's observed values alone. For a pattern with too few hidden
       cells, w is the width over all patterns.
    3. A category's precision is the probability of the most frequent category in 20 draws: the share of correct ones
       among at least 50 hidden cells whose draws agree as much.

    If fewer than 19 cells can be hidden, the precision cannot be shown, and all cells stay missing.

    Args:
        request: the request, with the column among its targets.
        column: the column.
    """
    cells, below = request.rows.columns[column], request.permit(column).policy.below
    if not below or not cells.missing.any() or cells.missing.all():
        return np.zeros(int(cells.missing.sum()), bool)
    rows = replace(request.rows, draws=None)
    partly = [c for c, its in rows.columns.items() if its.missing.any() and not its.missing.all()]
    laid = cells_by_pattern(rows, partly, SHARE, request.seed, cells.missing)
    flags = {c: flag & ~cells.missing for c, flag in laid.items()}  # the rows in question stay as they are
    tried = replace(request, rows=hidden(rows, flags), targets=[column])
    if flags[column].sum() < needed(LEVEL, 2):
        return np.ones(int(cells.missing.sum()), bool)
    if cells.kind in (Kind.CATEGORY, Kind.BOOLEAN):
        reached = _chances(tried, column, cells, flags[column])
    else:
        beside = [c for c in partly if c != column and c not in request.permit(column).barred]
        reached = _widths(tried, column, cells, flags[column], beside)
    return ~(reached[cells.missing] >= below)


def _widths(tried: "Request", column: Column, cells: Cells, known: Flags, beside: Sequence[Column]) -> Floats:
    """(n,) precision of numbers, 1 - w / W."""
    given = np.ma.getdata(tried.best().values[column])
    values = tried.rows.columns[column].given(given).values.astype(np.float64)
    errors = cells.values.astype(np.float64)[known] - values[known]
    whole = _width(cells.values[~cells.missing].astype(np.float64))
    patterns = _patterns(tried.rows, beside)
    widths = np.full(len(known), _width(errors))
    for number in np.unique(patterns[cells.missing]):
        mine = errors[patterns[known] == number]
        if len(mine) >= needed(LEVEL, 2):
            widths[patterns == number] = _width(mine)
    return np.asarray(np.maximum(1 - widths / whole, 0.0) if whole > 0 else (widths == 0).astype(np.float64))


def _width(values: Floats) -> float:
    below, above = two_sided(values, LEVEL)
    return above - below


def _patterns(rows: Rows, beside: Sequence[Column]) -> NDArray[np.intp]:
    """(n,) the number of each row's pattern of missing predictors."""
    if not beside:
        return np.zeros(len(rows.keys), np.intp)
    lacking = np.stack([rows.columns[column].missing for column in beside], axis=1)
    return np.ravel(np.unique(lacking, axis=0, return_inverse=True)[1])


def _chances(tried: "Request", column: Column, cells: Cells, known: Flags) -> Floats:
    """(n,) the probability of the category that is drawn most often."""
    missing = tried.rows.columns[column].missing
    counts = np.zeros((int(missing.sum()), max(len(cells.levels), 2)), np.intp)
    places = np.arange(len(counts))
    for draw in tried.drawn(range(1, DRAWS + 1)):
        counts[places, np.ma.getdata(draw[column]).astype(np.intp)] += 1
    unanimous = counts.max(axis=1)
    hit = (counts.argmax(axis=1) == cells.values[missing].astype(np.intp))[known[missing]]
    found = np.full(len(missing), np.nan)
    found[missing] = np.array([_alike(unanimous[known[missing]], hit, one) for one in range(DRAWS + 1)])[unanimous]
    return found


def _alike(unanimous: NDArray[np.intp], hit: Flags, one: int) -> float:
    """The share of correct categories among the hidden cells whose draws agree about as often as `one` of them."""
    apart = np.abs(unanimous - one)
    near = apart <= np.sort(apart)[min(ALIKE, len(apart)) - 1]
    return float(hit[near].mean())
