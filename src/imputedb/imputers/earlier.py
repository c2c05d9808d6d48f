"""Imputation from earlier rows only, so that the future does not leak into the past (BEFORE)."""

from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from imputedb.algebra.column import Column
from imputedb.imputers.rows import EVERY, Array, Cells, Rows
from imputedb.statistics.table import Kind

CLOCK = Column("", "imputedb clock")
"""The column of rows that holds their times; no imputer gets it."""

GROWTH = 1.15
"""Growth of the number of rows until a model is fitted anew: it has seen at least 87 % of the earlier rows."""

RECENT = 4096
"""Maximum number of rows to learn from, the latest of the earlier ones."""

Fill = Callable[[Rows, Sequence[Column]], Iterator[Mapping[Column, Array]]]
"""A function that gives imputations of some targets of some rows, one after another."""

Places = NDArray[np.intp]


def earlier(rows: Rows, targets: Sequence[Column], fill: Fill, count: int) -> Iterator[Mapping[Column, Array]]:
    """Imputations in which each cell depends only on rows earlier than its own; on all rows if there are no times.

    1. The rows to learn from are sorted by their times, and ties by their keys.
    2. A row with r earlier rows is filled in by models of the first g rows. g is the largest number of a growing series
       that is at most r; of the g rows the latest `RECENT` are used. The series does not depend on the rows.
    3. A category that does not occur in these rows counts as missing.

    Values, number and times of later rows therefore change nothing. Cells without earlier observations are masked:
    those of rows without a time, and of rows before the first observed value.

    Args:
        rows: the rows, with their times under `CLOCK` if there is a condition on time.
        targets: the columns to fill.
        fill: function that gives imputations of rows and targets; cells that it leaves out are masked.
        count: number of imputations that `fill` gives.
    """
    if CLOCK not in rows.columns:
        yield from fill(rows, targets)
        return
    times = rows.columns[CLOCK]
    plain = Rows({c: cells for c, cells in rows.columns.items() if c != CLOCK}, rows.keys, rows.learn, rows.draws)
    found = [{c: _nothing(plain.columns[c]) for c in targets} for _ in range(count)]
    for training, recipients in blocks(plain, targets, times):
        some = _only(plain, training, recipients)
        known = [
            c
            for c in targets
            if c in some.columns and some.training(c).any() and plain.columns[c].missing[recipients].any()
        ]
        if not known:
            continue
        for values, one in zip(found, fill(some, known), strict=True):
            for column in one:
                _put(
                    values[column], plain.columns[column], some.columns[column], one[column], recipients, len(training)
                )
    yield from found


def _nothing(cells: Cells) -> Array:
    count = int(np.count_nonzero(cells.missing))
    return np.ma.masked_array(np.zeros(count, cells.values.dtype), np.ones(count, bool))


def blocks(rows: Rows, targets: Sequence[Column], times: Cells) -> Iterator[tuple[Places, Places]]:
    """Pairs of positions: the rows that models learn from, and the rows that these models fill in."""
    usable = ~times.missing if rows.learn is None else rows.learn & ~times.missing
    order = np.flatnonzero(usable)
    order = order[np.lexsort((rows.keys[order], times.values[order]))]
    missing = np.logical_or.reduce([rows.columns[column].missing for column in targets])
    recipients = np.flatnonzero(missing & ~times.missing)
    before = np.searchsorted(times.values[order], times.values[recipients], "left")
    steps = _series(len(order))
    sizes = steps[np.searchsorted(steps, before, "right") - 1]
    for size in np.unique(sizes[sizes > 0]):
        yield np.sort(order[max(0, size - RECENT) : size]), recipients[sizes == size]


def _series(most: int) -> NDArray[np.int64]:
    """The series 0, 1, 2, ..., with growing steps."""
    steps = [0, 1]
    while steps[-1] < most:
        steps.append(max(steps[-1] + 1, int(steps[-1] * GROWTH)))
    return np.array(steps)


def _only(rows: Rows, training: Places, recipients: Places) -> Rows:
    """The rows to learn from and the rows to fill in, with only the categories that occur in the former."""
    some = rows.at(np.concatenate([training, recipients]))
    learn = np.arange(len(some.keys)) < len(training)
    columns = {c: _learnt(cells, learn) if cells.kind is Kind.CATEGORY else cells for c, cells in some.columns.items()}
    draws = some.draws
    if draws is not None:
        draws = np.where(learn, EVERY, draws)
    columns = {c: cells for c, cells in columns.items() if cells.levels or cells.kind is not Kind.CATEGORY}
    return Rows(columns, some.keys, learn, draws)


def _learnt(cells: Cells, learn: NDArray[np.bool_]) -> Cells:
    """The cells with categories numbered among those to learn from; other categories are missing."""
    seen = np.unique(cells.values[learn & ~cells.missing])
    places = np.full(len(cells.levels) + 1, -1)
    places[seen] = np.arange(len(seen))
    codes = places[np.where(cells.missing, len(cells.levels), cells.values)]
    levels = tuple(cells.levels[code] for code in seen)
    return Cells(np.maximum(codes, 0).astype(cells.values.dtype), codes < 0, cells.kind, levels, ordered=cells.ordered)


def _put(into: Array, whole: Cells, some: Cells, values: Array, recipients: Places, training: int) -> None:
    """Writes the imputed values of some rows to their positions among the missing cells of all rows."""
    data = np.ma.getdata(values)
    if whole.kind is Kind.CATEGORY:
        names = {level: code for code, level in enumerate(whole.levels)}
        codes = np.array([names[level] for level in some.levels], data.dtype)
        data = codes[data.astype(np.intp)]
    filled = some.missing[training:]  # includes cells whose category was not learnt
    mine = whole.missing[recipients]
    first = int(np.count_nonzero(some.missing[:training]))
    at = (np.cumsum(whole.missing) - 1)[recipients[mine]]
    into[at] = data[first:][mine[filled]]
