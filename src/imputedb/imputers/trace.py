"""What a chain says of a run: how its imputed values moved, and what it left out or fell back to."""

from dataclasses import dataclass, field

from imputedb.algebra.column import Column


@dataclass(slots=True)
class Trace:
    """What a run did: means and standard deviations of imputed values by cycle, and what was left out or fell back.

    Attributes:
        means: by column, one a cycle, in the column's own units (of indicators of categories: of the first).
        deviations: likewise.
        notes: sentences by column.
        methods: the name of each column's model.
    """

    means: dict[Column, list[float]] = field(default_factory=dict)
    deviations: dict[Column, list[float]] = field(default_factory=dict)
    notes: dict[Column, list[str]] = field(default_factory=dict)
    methods: dict[Column, str] = field(default_factory=dict)

    def add(self, column: Column, mean: float, deviation: float) -> None:
        """The imputed values of a column after a cycle."""
        self.means.setdefault(column, []).append(mean)
        self.deviations.setdefault(column, []).append(deviation)

    def note(self, column: Column, sentence: str) -> None:
        """Something that a reader of the answer may want to know; said once."""
        known = self.notes.setdefault(column, [])
        if sentence not in known:
            known.append(sentence)
