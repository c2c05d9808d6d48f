"""The record of a chain: its imputed values by cycle, and what its models left out."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from imputedb.algebra.column import Column
from imputedb.notes import Note

WATCHED = 20
"""Maximum number of columns whose moments are recorded, those with the most missing values."""


@dataclass(slots=True)
class Trace:
    """The record of a run.

    Attributes:
        means: means of imputed values by column and cycle, in the column's units; for categories, of the first
            indicator.
        deviations: standard deviations likewise.
        notes: notes by column.
        methods: the name of each column's model.
        watched: columns whose moments are recorded; a category occurs once for each recorded level.
        moments: (w + 1, w + 1) mean products of ones and the watched columns by cycle, over all completed rows.
    """

    means: dict[Column, list[float]] = field(default_factory=dict)
    deviations: dict[Column, list[float]] = field(default_factory=dict)
    notes: dict[Column, list[Note]] = field(default_factory=dict)
    methods: dict[Column, str] = field(default_factory=dict)
    watched: tuple[Column, ...] = ()
    moments: list[NDArray[np.float64]] = field(default_factory=list)

    def add(self, column: Column, mean: float, deviation: float) -> None:
        """Records the imputed values of a column after a cycle."""
        self.means.setdefault(column, []).append(mean)
        self.deviations.setdefault(column, []).append(deviation)

    def become(self, other: "Trace") -> None:
        """Takes over the record of another trace, and keeps the notes of both."""
        self.means, self.deviations = other.means, other.deviations
        for column, notes in other.notes.items():
            for one in notes:
                self.note(column, one)
        self.methods, self.watched, self.moments = other.methods, other.watched, other.moments

    def note(self, column: Column, sentence: Note) -> None:
        """Adds a note for readers of the answer, unless it is already there."""
        known = self.notes.setdefault(column, [])
        if sentence not in known:
            known.append(sentence)
