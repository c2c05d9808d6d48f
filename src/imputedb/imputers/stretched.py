"""Chained linear models on suitable scales of the numbers."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from imputedb.algebra.column import Column
from imputedb.imputers.chained.chained import Chained
from imputedb.imputers.chained.chains import Movement
from imputedb.imputers.chained.design import closed
from imputedb.imputers.monotone_scales import MonotoneScale, TwoPartScale, scales_of
from imputedb.imputers.protocol import Converges, Draws, Progress, Work, apart
from imputedb.imputers.rows import Array, Cells, Rows
from imputedb.statistics.table import Kind


@dataclass(frozen=True, slots=True)
class Stretched:
    """`norm` on the scale that suits each number: `normscale`.

    1. Held-out cells choose the scale of each number: as it is, cube root, logarithm, normal scores of ranks. A number
       with many zeros may have two parts, whether it is zero and its amount if not (stretch.py).
    2. The chain runs on these scales. The two parts of a number are two columns; the amount of a zero is missing.
    3. Draws are transformed back. Single values are predicted on the original numbers.

    Warning: on a logarithm, a small error of a residual is a large error of the number; residuals are assumed to be
    normal on the scale.

    Attributes:
        chained: the chain.
    """

    chained: Chained

    name = "normscale"
    uses_predictors = True
    takes_lines = True
    proper = True

    @property
    def cycles(self) -> int | None:
        """The number of cycles of the chain."""
        return self.chained.cycles

    def time(self, work: Work) -> float:
        """The time of the chain, and a millisecond for each target's scale."""
        return self.chained.time(work) + work.targets

    def penalty(self, work: Work) -> float:
        """The penalty of the chain."""
        return self.chained.penalty(work)

    def impute(
        self,
        rows: Rows,
        targets: Sequence[Column],
        seed: int,
        progress: Progress | None = None,
        *,
        drawn: Collection[Column] = (),
        draw: int = 0,
    ) -> Mapping[Column, Array]:
        """One draw on the scales, and the single best values of the other targets given it."""
        values: dict[Column, Array] = {}
        for some, draws in apart(targets, drawn):
            shown = rows.given(values)
            if draws:
                values |= next(self.prepared(shown, some).run_many(seed, [draw], progress))
            else:
                values |= self.chained.impute(shown, some, seed, progress)
        return values

    def stretched(self, rows: Rows, targets: Sequence[Column]) -> Mapping[Column, str]:
        """The names of the scales on which targets are drawn."""
        return {c: stretch.name for c, stretch in scales_of(rows, dict.fromkeys(targets, True)).items()}

    def scale(self, rows: Rows, column: Column) -> MonotoneScale | None:
        """The scale on which a column is drawn; None for the original numbers."""
        return scales_of(rows, {column: True}).get(column)

    def prepared(self, rows: Rows, targets: Sequence[Column]) -> "Prepared":
        """The prepared rows, on their scales."""
        found = scales_of(rows, {column: column in targets for column in rows.columns})
        parts = {
            c: _part(_flag(c, rows) if isinstance(stretch, TwoPartScale) else None, rows.columns[c], stretch)
            for c, stretch in found.items()
        }
        columns = dict(rows.columns)
        wanted = list(targets)
        for column, part in parts.items():
            columns[column] = part.cells
            if part.flag is not None:
                columns[part.flag] = part.flags
                wanted += [part.flag] if column in targets else []
        ready = self.chained.prepared(replace(rows, columns=columns), wanted)
        return Prepared(ready, {c: part for c, part in parts.items() if c in targets}, tuple(targets))


@dataclass(frozen=True, slots=True, eq=False)
class ScaledColumn:
    """A number on its scale.

    Attributes:
        stored: the cells as stored.
        stretch: the scale.
        cells: the cells on the scale; zeros are missing if there are two parts.
        flag: the column that says whether the number is not zero; None without two parts.
    """

    stored: Cells
    stretch: MonotoneScale
    cells: Cells
    flag: Column | None

    @property
    def flags(self) -> Cells:
        """Whether the number is not zero."""
        return Cells(np.asarray(self.stored.values != 0), self.stored.missing, Kind.BOOLEAN)

    def in_own_units(self, values: Array, flags: Array | None) -> Array:
        """The values of the missing cells, transformed back to the column's own type."""
        places = values.astype(np.float64)[self.stored.missing[self.cells.missing]]
        numbers = self.stretch.inverse(places)
        if flags is not None:
            numbers = np.where(flags.astype(bool), numbers, 0.0)
        observed = self.stored.values[~self.stored.missing]
        return closed(numbers, observed, bounded=False)


def _flag(column: Column, rows: Rows) -> Column:
    """A column with an unused name."""
    name = f"{column.name} is not 0"
    while Column(column.relation, name) in rows.columns:
        name += "!"
    return Column(column.relation, name)


def _part(flag: Column | None, cells: Cells, stretch: MonotoneScale) -> ScaledColumn:
    values = cells.values.astype(np.float64)
    there = stretch.forward(np.where(cells.missing, np.nan, values))
    missing = cells.missing | ~np.isfinite(there)
    return ScaledColumn(cells, stretch, Cells(np.where(missing, 0.0, there), missing, Kind.NUMBER), flag)


@dataclass(frozen=True, slots=True, eq=False)
class Prepared:
    """Prepared rows on their scales.

    Attributes:
        ready: the prepared rows of the chain.
        parts: numbers on scales, by target.
        targets: columns to fill.
    """

    ready: Draws
    parts: Mapping[Column, ScaledColumn]
    targets: tuple[Column, ...]

    def run_many(
        self, seed: int, numbers: Sequence[int], progress: Progress | None = None
    ) -> Iterator[Mapping[Column, Array]]:
        """The draws with these numbers, transformed back."""
        for values in self.ready.run_many(seed, numbers, progress):
            yield {column: self._turned_back(column, values) for column in self.targets}

    @property
    def movement(self) -> Movement | None:
        """The movement of the last draw's chain, on the scales."""
        return self.ready.movement if isinstance(self.ready, Converges) else None

    def _turned_back(self, column: Column, values: Mapping[Column, Array]) -> Array:
        part = self.parts.get(column)
        if part is None:
            return values[column]
        return part.in_own_units(values[column], None if part.flag is None else values[part.flag])
