"""Rows in many draws: rows that all draws share occur once (tuple bundles; Jampani et al. 2008)."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from imputedb.algebra.column import Column
from imputedb.imputers.rows import EVERY, Array, Cells
from imputedb.statistics.table import Kind


@dataclass(frozen=True, slots=True, eq=False)
class ColumnDraws:
    """The draws of one column's missing cells: one value for each stored row and draw, however often the row is joined.

    Attributes:
        rows: (g,) sorted ids of the stored rows.
        numbers: the m draw indices.
        values: (m, g) drawn values; for categories their names.
        known: (m, g) whether a draw has the row; None where all draws have all rows.
    """

    rows: NDArray[np.int64]
    numbers: tuple[int, ...]
    values: Array
    known: NDArray[np.bool_] | None = None

    def places(self, rows: NDArray[np.int64]) -> NDArray[np.intp]:
        """(n,) the positions of stored rows among those drawn for; -1 for others."""
        if not len(self.rows):
            return np.full(len(rows), -1)
        found = np.minimum(np.searchsorted(self.rows, rows), len(self.rows) - 1)
        return np.where(self.rows[found] == rows, found, -1)

    def patched(self, cells: Cells, places: NDArray[np.intp], turns: NDArray[np.intp]) -> Cells:
        """The cells of rows, with missing ones replaced by the values of a draw, where it has them.

        Args:
            cells: (n,) stored cells.
            places: (n,) positions of the rows, from `places`.
            turns: (n,) position of each row's draw among the draw indices.
        """
        if self.values.dtype == object and cells.numbers().kind is not Kind.CATEGORY:  # a centre as SQL text
            return cells
        filled = cells.missing & (places >= 0)
        if self.known is not None:
            filled[filled] = self.known[turns[filled], places[filled]]
        given = self.values[turns[filled], places[filled]]
        if cells.kind is Kind.CATEGORY:
            new = set(given.tolist()).difference(cells.levels)
            levels = cells.levels if not new or cells.ordered else tuple(sorted({*cells.levels, *new}))
            whole = recoded(cells, levels)
            codes = {level: code for code, level in enumerate(levels)}
            whole.values[filled] = [codes[value] for value in given.tolist()]
            return whole.like(whole.values, cells.missing & ~filled)
        values = cells.values.astype(np.result_type(cells.values, given), copy=True)
        values[filled] = given
        return Cells(values, cells.missing & ~filled, cells.kind)


def recoded(cells: Cells, levels: tuple[object, ...]) -> Cells:
    """Categories as codes in an extended list of levels, copied."""
    codes = {level: code for code, level in enumerate(levels)}
    moved = np.array([codes[level] for level in cells.levels], np.int32)
    values = moved[cells.values] if len(moved) else np.zeros(len(cells.values), np.int32)
    return Cells(values, cells.missing, cells.kind, levels, ordered=cells.ordered)


def repeated_by_draw(
    draws: NDArray[np.int32] | None, count: int, drawn: Mapping[Column, tuple[ColumnDraws, NDArray[np.intp]]]
) -> tuple[NDArray[np.intp], NDArray[np.int32]]:
    """The positions of rows and their draws, after rows that differ between draws are repeated for each draw.

    Args:
        draws: (n,) draw of each row; None where all draws share all rows.
        count: number of rows, n.
        drawn: draws by column, with the positions of the rows in them.
    """
    before = np.full(count, EVERY, np.int32) if draws is None else draws
    differs = np.zeros(count, bool)
    for _, places in drawn.values():
        differs |= places >= 0
    numbers = np.array(next(iter(drawn.values()))[0].numbers, np.int32) if drawn else np.zeros(0, np.int32)
    many = np.flatnonzero(differs & (before == EVERY))
    stays = np.flatnonzero(~(differs & (before == EVERY)))
    after = np.concatenate([before[stays], np.tile(numbers, len(many))])
    return np.concatenate([stays, np.repeat(many, len(numbers))]), after


def engine_values(drawn: ColumnDraws, places: NDArray[np.intp], draws: NDArray[np.int32], *, sparse: bool) -> Array:
    """(n,) the values of rows in their draws, for the engine; NULL where nothing was drawn.

    Args:
        drawn: draws of the column.
        places: (n,) positions of the rows in them, -1 for others.
        draws: (n,) draw of each row.
        sparse: whether cells without a draw must be distinguished, since a NULL may stay there.
    """
    has = np.flatnonzero(places >= 0)
    turns = np.zeros(max(drawn.numbers) + 1, np.intp)
    turns[list(drawn.numbers)] = np.arange(len(drawn.numbers))
    values = drawn.values[turns[draws[has]], places[has]]
    there = np.ones(len(has), bool) if drawn.known is None else drawn.known[turns[draws[has]], places[has]]
    if drawn.values.dtype == object:
        names: Array = np.full(len(places), None, dtype=object)
        names[has[there]] = values[there]
        return names
    whole = np.zeros(len(places), drawn.values.dtype)
    whole[has] = values
    if not sparse:
        return whole
    missing = np.ones(len(places), bool)
    missing[has[there]] = False
    return np.ma.masked_array(whole, missing)
