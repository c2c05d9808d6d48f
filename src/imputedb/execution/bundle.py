"""Rows in many draws at once: what is the same in all stands there once (tuple bundles; Jampani et al. 2008)."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from imputedb.algebra.column import Column
from imputedb.imputers.rows import EVERY, Array, Cells
from imputedb.statistics.table import Kind


@dataclass(frozen=True, slots=True, eq=False)
class Drawn:
    """What was drawn for the missing cells of one column: one value a stored row and draw, however often it is joined.

    Attributes:
        rows: (g,) the ids of the stored rows, sorted.
        numbers: of the m draws.
        values: (m, g) as imputers give them; of categories the names.
        known: (m, g) where a draw has the row; None where all have all.
    """

    rows: NDArray[np.int64]
    numbers: tuple[int, ...]
    values: Array
    known: NDArray[np.bool_] | None = None

    def places(self, rows: NDArray[np.int64]) -> NDArray[np.intp]:
        """(n,) where stored rows stand among those that were drawn for; -1 for those that do not."""
        if not len(self.rows):
            return np.full(len(rows), -1)
        found = np.minimum(np.searchsorted(self.rows, rows), len(self.rows) - 1)
        return np.where(self.rows[found] == rows, found, -1)

    def patched(self, cells: Cells, places: NDArray[np.intp], turns: NDArray[np.intp]) -> Cells:
        """The cells of rows, those that are missing with the values of a draw where it has them.

        Args:
            cells: (n,) as they are stored.
            places: (n,) of the rows, as `places` gives them.
            turns: (n,) the position, among the numbers, of the draw that each row is of.
        """
        if self.values.dtype == object and cells.numbers().kind is not Kind.CATEGORY:  # a centre in the engine's words
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
    """Categories as positions in further levels, a copy."""
    codes = {level: code for code, level in enumerate(levels)}
    moved = np.array([codes[level] for level in cells.levels], np.int32)
    values = moved[cells.values] if len(moved) else np.zeros(len(cells.values), np.int32)
    return Cells(values, cells.missing, cells.kind, levels, ordered=cells.ordered)


def exploded(
    draws: NDArray[np.int32] | None, count: int, drawn: Mapping[Column, tuple[Drawn, NDArray[np.intp]]]
) -> tuple[NDArray[np.intp], NDArray[np.int32]]:
    """The places of rows, and the draws that they are of, once a row that differs by draw stands there for each.

    Args:
        draws: (n,) what each row is of; None where all are of every draw.
        count: n.
        drawn: by column what was drawn, and where the rows stand in it.
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


def shown(drawn: Drawn, places: NDArray[np.intp], draws: NDArray[np.int32], *, sparse: bool) -> Array:
    """(n,) the values of rows in their draws, for the engine; nothing where none was drawn.

    Args:
        drawn: what was drawn.
        places: (n,) where the rows stand in it, -1 where they do not.
        draws: (n,) the draw of each.
        sparse: whether cells that were not drawn must be told from others, since a NULL may stay there.
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
    gone = np.ones(len(places), bool)
    gone[has[there]] = False
    return np.ma.masked_array(whole, gone)
