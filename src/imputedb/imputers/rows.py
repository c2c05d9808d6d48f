"""Rows as imputers get them: columns of cells, and a key for each row."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imputedb import kernel
from imputedb.algebra.column import Column
from imputedb.statistics.table import Kind

Array = NDArray[np.generic]


EVERY = -1
"""The draw number of rows that are the same in all draws."""


class Cells:
    """One column of the rows.

    Attributes:
        values: (n,) integers, booleans and floats as they are; dates in days and timestamps in microseconds since 1970;
            categories as positions in `levels`. Values of missing cells are arbitrary.
        missing: (n,) True where the value is missing.
        kind: kind of the values.
        levels: the categories in their order; whole numbers if the categories are codes; empty for other kinds.
        ordered: whether the order of the categories is declared, and not merely the sorting order.
        lasting: whether the column will be used again, so that its ranks are worth keeping.
    """

    __slots__ = ("_missing", "_picked", "_ranks", "_values", "kind", "lasting", "levels", "ordered")

    def __init__(
        self,
        values: Array,
        missing: NDArray[np.bool_],
        kind: Kind,
        levels: tuple[object, ...] = (),
        *,
        ordered: bool = False,
    ) -> None:
        self.kind, self.levels, self.ordered, self.lasting = kind, levels, ordered, False
        self._values: Array | None = values
        self._missing: NDArray[np.bool_] | None = missing
        self._picked: tuple[Cells, NDArray[np.intp]] | None = None
        self._ranks: kernel.Ranks | None = None

    def at(self, places: NDArray[np.intp]) -> "Cells":
        """The cells of some rows, in the order given; copied when they are first read."""
        some = Cells.__new__(Cells)
        some.kind, some.levels, some.ordered, some.lasting = self.kind, self.levels, self.ordered, False
        some._values = some._missing = some._ranks = None
        some._picked = (self._picked[0], self._picked[1][places]) if self._picked else (self, places)
        return some

    @property
    def values(self) -> Array:
        """(n,) numbers, booleans or positions among the levels; arbitrary where a value is missing."""
        if self._values is None:
            assert self._picked is not None
            whole, places = self._picked
            self._values = whole.values[places]
        return self._values

    @property
    def missing(self) -> NDArray[np.bool_]:
        """(n,) True where the value is missing."""
        if self._missing is None:
            assert self._picked is not None
            whole, places = self._picked
            self._missing = whole.missing[places]
        return self._missing

    def like(self, values: Array, missing: NDArray[np.bool_]) -> "Cells":
        """Other cells of the same column."""
        return Cells(values, missing, self.kind, self.levels, ordered=self.ordered)

    def numbers(self) -> "Cells":
        """The column as numbers if its categories are whole numbers; otherwise unchanged."""
        if self.kind is not Kind.CATEGORY or not self.levels or isinstance(self.levels[0], str):
            return self
        levels = np.array(self.levels)
        kind = Kind.INTEGER if levels.dtype.kind in "iu" else Kind.NUMBER
        return Cells(levels[np.where(self.missing, 0, self.values).astype(np.intp)], self.missing, kind)

    def given(self, values: Array) -> "Cells":
        """The cells with values for the missing ones, in row order."""
        whole = np.array(self.values)
        whole[self.missing] = values
        return self.like(whole, np.zeros(len(whole), bool))

    def read_only(self) -> "Cells":
        """The cells as read-only arrays, since other queries read the same arrays."""
        if self._values is None or self._missing is None:
            return self  # a copy for this reader only
        return self.like(_read_only(self._values), _read_only(self._missing))

    def predicting(self) -> kernel.Cells | kernel.RankedRows:
        """The column as a predictor."""
        if self._picked is None:
            return self.filled()
        whole, places = self._picked
        if whole.lasting and whole._ranks is None:
            whole._ranks = kernel.ranks(whole.filled())
        return kernel.RankedRows(whole._ranks, places) if whole._ranks else self.filled()

    def filled(self) -> kernel.Cells:
        """The column as a target."""
        return kernel.Cells(self.values, self.missing, self.kind is Kind.CATEGORY, self.ordered)


@dataclass(frozen=True, slots=True)
class Rows:
    """The rows: columns of cells, and a key that identifies each row in any order.

    Attributes:
        columns: cells by column, all of length n.
        keys: (n,) keys of the rows, by which random numbers are keyed.
        learn: (n,) True for rows to learn from, a representative sample; None for all. Other rows are only filled in.
        draws: (n,) the only draw for which a row is filled in, `EVERY` for all; None if all rows are in all draws.
            Values of a row in other draws are arbitrary.
    """

    columns: Mapping[Column, Cells]
    keys: NDArray[np.uint64]
    learn: NDArray[np.bool_] | None = None
    draws: NDArray[np.int64] | None = None

    def at(self, places: NDArray[np.intp]) -> "Rows":
        """Some rows, in the order given."""
        columns = {column: cells.at(places) for column, cells in self.columns.items()}
        learn = None if self.learn is None else self.learn[places]
        return Rows(columns, self.keys[places], learn, None if self.draws is None else self.draws[places])

    def given(self, values: Mapping[Column, Array]) -> "Rows":
        """The rows with values for the missing cells of some columns, as if these were observed."""
        columns = {
            column: cells.given(values[column]) if column in values else cells for column, cells in self.columns.items()
        }
        return replace(self, columns=columns)

    def read_only(self) -> "Rows":
        """The rows as read-only arrays."""
        columns = {column: cells.read_only() for column, cells in self.columns.items()}
        return Rows(columns, _read_only(self.keys), self.learn, self.draws)

    def training(self, column: Column) -> NDArray[np.bool_]:
        """(n,) the rows to learn from in which a column is observed."""
        observed = ~self.columns[column].missing
        return observed if self.learn is None else observed & self.learn


def _read_only(values: NDArray[Any]) -> NDArray[Any]:
    shown = values.view()
    shown.flags.writeable = False
    return shown
