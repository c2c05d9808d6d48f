"""How precisely missing cells of a column are known, measured on hidden cells: 0 for not at all, 1 for exactly."""

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from imputedb.algebra.column import Column
from imputedb.imputers.hiding import hidden, own
from imputedb.imputers.rows import Cells, Rows
from imputedb.statistics.conformal import needed, two_sided
from imputedb.statistics.table import Kind

if TYPE_CHECKING:
    from imputedb.imputers.request import Request

Flags = NDArray[np.bool_]
Floats = NDArray[np.float64]

LEVEL = 0.9
"""Of the intervals whose widths are compared."""

SHARE = 0.3
"""Of the rows that are laid over with missingness."""

DRAWS = 20
"""Draws a cell from which the likeliest category is counted."""

ALIKE = 50
"""Hidden cells, at least, that say how often a category which is drawn so often is the true one."""


def imprecise(request: "Request", column: Column) -> Flags:
    """(k,) which of a column's missing cells are known less precisely than its policy asks (MISSING BELOW).

    1. 30 % of the rows get the missingness of rows that lack the column, and the column is filled in there.
    2. A number's precision is 1 - w / W: w is the width of the 90 % conformal interval of cells whose rows lack the
       same columns, W that of the interval from the column's observed values alone. A pattern with too few hidden
       cells has the width of all together.
    3. A category's precision is the probability of the category that most of 20 draws give: the share of the hidden
       cells which are drawn as unanimously, 50 at least, where that category is the true one.

    Where fewer than 19 cells could be hidden, nothing shows that the precision is reached, and all stay missing.

    Args:
        request: what is asked for, the column among its targets.
        column: which.
    """
    cells, below = request.rows.columns[column], request.permit(column).policy.below
    if not below or not cells.missing.any() or cells.missing.all():
        return np.zeros(int(cells.missing.sum()), bool)
    rows = replace(request.rows, draws=None)
    partly = [c for c, its in rows.columns.items() if its.missing.any() and not its.missing.all()]
    laid = own(rows, partly, SHARE, request.seed, cells.missing)
    flags = {c: flag & ~cells.missing for c, flag in laid.items()}  # rows that are asked about stay as they are
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
    """(n,) 1 - w / W."""
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
    """(n,) numbers of what else rows lack."""
    if not beside:
        return np.zeros(len(rows.keys), np.intp)
    lacking = np.stack([rows.columns[column].missing for column in beside], axis=1)
    return np.ravel(np.unique(lacking, axis=0, return_inverse=True)[1])


def _chances(tried: "Request", column: Column, cells: Cells, known: Flags) -> Floats:
    """(n,) the probability of the category that is drawn most often."""
    gone = tried.rows.columns[column].missing
    counts = np.zeros((int(gone.sum()), max(len(cells.levels), 2)), np.intp)
    places = np.arange(len(counts))
    for draw in tried.drawn(range(1, DRAWS + 1)):
        counts[places, np.ma.getdata(draw[column]).astype(np.intp)] += 1
    unanimous = counts.max(axis=1)
    hit = (counts.argmax(axis=1) == cells.values[gone].astype(np.intp))[known[gone]]
    found = np.full(len(gone), np.nan)
    found[gone] = np.array([_alike(unanimous[known[gone]], hit, one) for one in range(DRAWS + 1)])[unanimous]
    return found


def _alike(unanimous: NDArray[np.intp], hit: Flags, one: int) -> float:
    """The share of right ones among hidden cells that are drawn about as unanimously as one."""
    apart = np.abs(unanimous - one)
    near = apart <= np.sort(apart)[min(ALIKE, len(apart)) - 1]
    return float(hit[near].mean())
