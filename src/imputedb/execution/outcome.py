"""What is noted down of the imputing in one answer."""

from dataclasses import dataclass, field

from imputedb.algebra.column import Column
from imputedb.imputers.chained.chains import Chains
from imputedb.notes import Note

CENTRE = "centre"
"""What fills a column of which nothing is observed among the rows at hand: its mean, median or mode in the table."""


@dataclass(slots=True)
class Outcome:
    """What was done to the data on the way to an answer.

    Attributes:
        imputed: cells, by column.
        methods: what fills each column.
        models: the imputers of kept models that do, by the models' titles.
        dropped: rows that are gone for a missing value.
        examined: rows that they are some of.
        unconditioned: tables whose dropped rows are counted before the query's conditions.
        warnings: sentences.
        notes: sentences that nobody need be warned of.
        chains: how those of draws moved.
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
        """Notes down cells that were filled in."""
        self.imputed[column] = self.imputed.get(column, 0) + count

    def add_chains(self, chains: Chains) -> None:
        """Notes down how the chains of some draws moved."""
        self.chains.append(chains)

    def add_method(self, column: Column, method: str) -> None:
        """Notes down what fills a column."""
        known = self.methods.setdefault(column, [])
        if method not in known:
            known.append(method)
