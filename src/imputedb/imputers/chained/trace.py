"""What a chain says of a run: how its imputed values moved, and what it left out or fell back to."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from imputedb.algebra.column import Column
from imputedb.notes import Note

WATCHED = 20
"""Columns of which a chain's cycles are kept at most, those that miss most."""


@dataclass(slots=True)
class Trace:
    """What a run did: means and standard deviations of imputed values by cycle, and what was left out or fell back.

    Attributes:
        means: by column, one a cycle, in the column's own units (of indicators of categories: of the first).
        deviations: likewise.
        notes: sentences by column.
        methods: the name of each column's model.
        watched: columns whose moments are kept; a category stands there once for each of some levels.
        moments: by cycle (w + 1, w + 1) the mean products of ones and the watched columns, over all rows as completed.
    """

    means: dict[Column, list[float]] = field(default_factory=dict)
    deviations: dict[Column, list[float]] = field(default_factory=dict)
    notes: dict[Column, list[Note]] = field(default_factory=dict)
    methods: dict[Column, str] = field(default_factory=dict)
    watched: tuple[Column, ...] = ()
    moments: list[NDArray[np.float64]] = field(default_factory=list)

    def add(self, column: Column, mean: float, deviation: float) -> None:
        """The imputed values of a column after a cycle."""
        self.means.setdefault(column, []).append(mean)
        self.deviations.setdefault(column, []).append(deviation)

    def become(self, other: "Trace") -> None:
        """Takes over what another one holds, beside the notes that are here already."""
        self.means, self.deviations = other.means, other.deviations
        for column, notes in other.notes.items():
            for one in notes:
                self.note(column, one)
        self.methods, self.watched, self.moments = other.methods, other.watched, other.moments

    def note(self, column: Column, sentence: Note) -> None:
        """Something that a reader of the answer may want to know; said once."""
        known = self.notes.setdefault(column, [])
        if sentence not in known:
            known.append(sentence)
