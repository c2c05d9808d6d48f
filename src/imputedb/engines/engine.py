"""What an engine must do: hold tables, describe them, and run one statement at a time."""

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from imputedb.algebra.relation import Table
from imputedb.sql.tree import Tree
from imputedb.statistics.statistics import Statistics

Array = NDArray[np.generic]


@dataclass(frozen=True, slots=True)
class Shape:
    """The columns of a table, with the values that are declared to mean a missing one."""

    types: Mapping[str, str]
    missing: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


class Engine(Protocol):
    """A place where tables live and statements run."""

    def shapes(self) -> Mapping[Table, Shape]:
        """The user's tables."""

    def statistics(self, table: Table) -> Statistics:
        """What is known of a table: gathered once, kept, and gathered anew when the table has changed."""

    def reading(self, table: Table, column: str, alias: str) -> Tree:
        """A stored column, NULL wherever its value is missing."""

    def text(self, node: Tree) -> str:
        """The SQL of a SELECT node."""

    def rows(self, node: Tree) -> list[tuple[object, ...]]:
        """The rows of a small SELECT."""

    def counts(self, what: Hashable, node: Callable[[], Tree]) -> tuple[int, ...]:
        """The one row of a SELECT of counts; `what` tells it from others, so that it may be remembered."""

    def arrays(self, node: Tree) -> Mapping[str, Array]:
        """The columns of a SELECT as plain or masked arrays, in order."""

    def stage(self, node: Tree) -> str:
        """Keeps the rows of a SELECT, in their order, under the name that is returned."""

    def register(self, columns: Mapping[str, Array]) -> str:
        """Makes arrays readable as a table under the name that is returned."""

    def forget(self, names: Sequence[str]) -> None:
        """Lets go of staged and registered rows."""

    def cast(self, tree: Tree, type_name: str) -> Tree:
        """`CAST(tree AS type_name)`."""

    def encoded(self, tree: Tree, type_name: str) -> Tree:
        """A value as imputers see it: numbers, days or microseconds since 1970, text of categories."""

    def decoded(self, tree: Tree, type_name: str) -> Tree:
        """A value that an imputer gave, in the column's own type."""
