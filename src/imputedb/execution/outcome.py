"""A record of the imputation in one answer."""

from dataclasses import dataclass, field

from imputedb.algebra.column import Column
from imputedb.imputers.chained.chains import Chains
from imputedb.notes import Note

CENTRE = "centre"
"""The method of a column without any observed value among the rows: its mean, median or mode in the table."""


@dataclass(slots=True)
class Outcome:
    """What was done to the data for an answer.

    Attributes:
        imputed: number of imputed cells by column.
        methods: method by column.
        models: imputers of kept models among them, by the models' titles.
        dropped: number of rows that were dropped for missing values.
        examined: number of rows of which these are a part.
        unconditioned: tables whose dropped rows are counted before the query's conditions.
        warnings: warnings for the reader.
        notes: other notes.
        chains: movement of the chains of draws.
    """

    imputed: dict[Column, int] = field(default_factory=dict)
    methods: dict[Column, list[str]] = field(default_factory=dict)
    models: dict[str, str] = field(default_factory=dict)
    dropped: int = 0
    examined: int = 0
    unconditioned: set[str] = field(default_factory=set)
    warnings: list[Note] = field(default_factory=list)
    notes: list[Note] = field(default_factory=list)
    chains: list[Chains] = field(default_factory=list)

    def add_imputed(self, column: Column, count: int) -> None:
        """Adds a number of imputed cells."""
        self.imputed[column] = self.imputed.get(column, 0) + count

    def add_chains(self, chains: Chains) -> None:
        """Adds the convergence of some draws' chains."""
        self.chains.append(chains)

    def add_method(self, column: Column, method: str) -> None:
        """Adds the method of a column."""
        known = self.methods.setdefault(column, [])
        if method not in known:
            known.append(method)
