"""The models of a chain: one for each incomplete column, over one design matrix."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from imputedb.algebra.column import Column
from imputedb.imputers.chained import linear_draws
from imputedb.imputers.chained.crossproducts import CYCLES, Chain, Delta, Patterns, chain
from imputedb.imputers.chained.design import Design, Part
from imputedb.imputers.chained.pmm import Pmm
from imputedb.imputers.chained.row_models import Modelled, PatternMatrix, modelled, watched
from imputedb.imputers.chained.shift import Shift
from imputedb.imputers.order import by_name
from imputedb.imputers.rows import Rows

if TYPE_CHECKING:
    from imputedb.imputers.chained.chained import Chained


@dataclass(frozen=True, eq=False)
class Equations:
    """The models of all incomplete columns, in the order in which they are drawn.

    Attributes:
        chained: the imputer.
        targets: columns to fill.
        rows: the rows, sorted by pattern of missingness.
        places: by target, positions of the missing cells in the original order of the rows, among the sorted ones.
        design: the design matrix of the rows.
        found: its patterns of missingness.
        clusters: (n,) the number of each row's cluster; None without clusters.
    """

    chained: "Chained"
    targets: tuple[Column, ...]
    rows: Rows
    places: Mapping[Column, NDArray[np.intp]]
    design: Design
    found: Patterns
    clusters: NDArray[np.intp] | None = None

    @cached_property
    def chain(self) -> Chain:
        """The linear chain of all incomplete columns, after its cycles of expectations."""
        deltas = {self.part(c).places.start: delta for c, delta in self.deltas.items()}
        return chain(
            self.design.x, self.design.flags(self.found.starts[:-1]), self.rows.keys, self.found, self.steps, deltas
        )

    @cached_property
    def modelled(self) -> Sequence[Modelled]:
        """The models of targets with missing values, in the order in which they are drawn."""
        return [self.models[column] for column in self.incomplete if column in self.targets]

    @cached_property
    def models(self) -> Mapping[Column, Modelled]:
        """The models of all targets."""
        shifts, model, others = self.shifts, self.chained.model, self.chained.others
        return {
            c: modelled(model, others, self.rows, self.design, c, shifts.get(c), self.clusters) for c in self.targets
        }

    @cached_property
    def incomplete(self) -> Sequence[Column]:
        """The incomplete columns: by the number of missing values in rows to learn from, those without any there last.

        Values therefore do not depend on which other rows are to be filled.
        """
        flags = {c: self.rows.columns[c].missing for c in self.design.parts}
        learn = slice(None) if self.rows.learn is None else self.rows.learn
        counts = {c: int(np.count_nonzero(missing[learn])) for c, missing in flags.items() if missing.any()}
        return sorted(by_name(counts), key=lambda c: (not counts[c], counts[c]))

    @cached_property
    def steps(self) -> Sequence[int]:
        """Incomplete columns of the matrix in the order in which they are drawn."""
        return [j for c in self.incomplete for j in range(*self.part(c).places.indices(self.design.x.shape[1]))]

    @cached_property
    def shifts(self) -> Mapping[Column, Shift]:
        """Departures from missing at random by column; a name may omit the table."""
        return {c: s for name, s in self.chained.deltas for c in self.incomplete if name in (str(c), c.name)}

    @property
    def deltas(self) -> Mapping[Column, Delta]:
        """Departures of numeric columns, in the units of the matrix."""
        shifts = {c: shift for c, shift in self.shifts.items() if not self.part(c).classes}
        return {c: shift.delta(c, self.rows, self.design) for c, shift in shifts.items()}

    def part(self, column: Column) -> Part:
        """A column's part of the matrix."""
        return self.design.parts[column]

    @cached_property
    def is_linear(self) -> bool:
        """Whether the linear chain alone gives the values of all targets."""
        return linear_draws.linear(self.models.values())

    @cached_property
    def members(self) -> Sequence[Modelled]:
        """The models over rows, in the order of the draws: of targets, and of other numbers if `pmm` imputes these."""
        found = []
        for column in self.incomplete:
            if column in self.targets:
                found.append(self.models[column])
            elif isinstance(self.chained.model, Pmm) and not self.part(column).classes:
                shift = self.shifts.get(column)
                found.append(modelled(self.chained.model, (), self.rows, self.design, column, shift))
        return found

    @cached_property
    def pattern_matrix(self) -> PatternMatrix:
        """The matrix of the rows, sorted by their patterns of missingness."""
        chain = self.chain
        return PatternMatrix(chain.x, chain.starts, chain.fitted_rows, chain.missing, chain.keys, self.steps)

    @cached_property
    def base_cycles(self) -> int:
        """The initial number of cycles after the start; 0 for nested missingness."""
        if self.is_linear:
            return self.chain.cycles - 1
        places = [one.part.places.start for one in self.members if one.part.places.stop > one.part.places.start]
        return 0 if self.pattern_matrix.nested(places) else max(CYCLES[0], self.chain.cycles)

    @property
    def learnt_from(self) -> int:
        """The number of rows to learn from."""
        return int(self.found.fitted_rows.sum())

    @property
    def watched(self) -> list[int]:
        """The columns of the matrix whose moments are recorded."""
        return watched(self.modelled if self.is_linear else self.members)

    @property
    def first_steps(self) -> Sequence[tuple[int, Column]]:
        """The position of each incomplete column's first step."""
        known = {step: place for place, step in enumerate(self.steps)}
        parts = [(self.part(c).places, c) for c in self.incomplete]
        return [(known[places.start], c) for places, c in parts if places.stop > places.start]
