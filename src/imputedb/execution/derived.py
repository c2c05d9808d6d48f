"""Derived columns of imputed rows, computed by the engine from their parts."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from imputedb.algebra.column import Column
from imputedb.algebra.relation import Table
from imputedb.engines.engine import Array, Engine
from imputedb.errors import CannotImpute
from imputedb.imputers import conversion
from imputedb.imputers.rows import Cells
from imputedb.sql import ast as t
from imputedb.sql import derivation
from imputedb.statistics.measure import measured
from imputedb.statistics.table import Kind, Statistics


@dataclass(frozen=True, slots=True)
class Computed:
    """One derived column of a table.

    Attributes:
        engine: engine that computes it.
        table: table of the column.
        statistics: statistics of the table.
        column: the column.
    """

    engine: Engine
    table: Table
    statistics: Statistics
    column: Column

    @property
    def parts(self) -> tuple[Column, ...]:
        """The columns that it is computed from."""
        text = self.statistics.policy(self.column.name).derived or ""
        return tuple(
            Column(self.column.relation, name) for name in sorted(derivation.parts(text, self.statistics.columns))
        )

    def __call__(self, cells: Mapping[Column, Cells], like: Cells) -> Cells:
        """The column for rows whose parts are known, or known to be missing.

        Raises:
            CannotImpute: its value is a category that no stored row has.
        """
        named = self.engine.register({column.name: _array(its) for column, its in cells.items()})
        types = {column.name: self.statistics.columns[column.name].type for column in cells}
        try:
            meant = {name.lower(): self.engine.decoded(t.reference(named, name), kind) for name, kind in types.items()}
            known = self.statistics.columns[self.column.name]
            value = self.engine.cast(self.engine.derived(self.table, self.column.name, meant), known.type)
            node = t.select([t.named(self.engine.encoded(value, known.type), "value")], t.table((named,), ""))
            as_seen = measured(known, self.statistics.policy(self.column.name))
            found = conversion.cells(self.engine.arrays(node)["value"], as_seen)
        finally:
            self.engine.forget([named])
        return self._recoded(found, like) if like.kind is Kind.CATEGORY else found

    def _recoded(self, found: Cells, like: Cells) -> Cells:
        codes = {level: code for code, level in enumerate(like.levels)}
        new = [level for level in found.levels if level not in codes]
        if new:
            raise CannotImpute(
                f"{self.column} is derived as {new[0]!r} somewhere, which no row has stored: "
                "declare its type an ENUM of all that it can be"
            )
        moved = np.array([codes[level] for level in found.levels] or [0], like.values.dtype)
        return like.like(moved[np.where(found.missing, 0, found.values)], found.missing)


def _array(cells: Cells) -> Array:
    """A column as the engine reads it, with NULL for missing values."""
    rows = len(cells.missing)
    return conversion.patch(np.ma.masked_array(cells.values, cells.missing), np.arange(rows), cells, rows)
