"""What an engine must do: hold tables, describe them, and run one statement at a time."""

from collections.abc import Collection, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from imputedb.algebra.relation import Table
from imputedb.sql.ast import Tree
from imputedb.statistics.policy import Policy
from imputedb.statistics.table import Statistics

Array = NDArray[np.generic]


@dataclass(frozen=True, slots=True)
class Shape:
    """The columns of a table, the values that are declared to mean a missing one, and what else was said of them."""

    types: Mapping[str, str]
    missing: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    policies: Mapping[str, Policy] = field(default_factory=dict)


class Engine(Protocol):
    """A place where tables live and statements run."""

    def shapes(self) -> Mapping[Table, Shape]:
        """The user's tables."""

    def statistics(self, table: Table) -> Statistics:
        """What is known of a table: gathered once, kept, and gathered anew when the table has changed."""

    def source(self, table: Table, alias: str) -> Tree:
        """A table as an item of FROM."""

    def reading(self, table: Table, column: str, alias: str) -> Tree:
        """A stored column, NULL wherever its value is missing; or under `generate.ROW` what tells rows apart.

        Row ids are those of `source`, and grow in the order in which it gives its rows.
        """

    def meaning(self, table: Table, column: str, alias: str) -> Tree | None:
        """The condition, bound, under which a NULL of a column means something of its own; None where it never does."""

    def derived(self, table: Table, column: str, meant: Mapping[str, Tree]) -> Tree:
        """What a derived column is of its parts, by what stands for these under their names in lower case."""

    def text(self, node: Tree) -> str:
        """The SQL of a SELECT node."""

    def rows(self, node: Tree) -> list[tuple[object, ...]]:
        """The rows of a small SELECT."""

    def keeps(self, table: Table) -> bool:
        """Whether a table is one of the user's, which is the same until something is written."""

    def recall(self, name: Hashable) -> Any:
        """What is kept under a name, or None."""

    def keep(self, name: Hashable, value: Any, size: int = 64, tables: Collection[Table] | None = None) -> None:
        """Keeps what was computed from some tables, of any unless they are given, until one of them is written."""

    def arrays(self, node: Tree) -> Mapping[str, Array]:
        """The columns of a SELECT as plain or masked arrays, in order."""

    def register(self, columns: Mapping[str, Array]) -> str:
        """Makes arrays readable as a table under the name that is returned."""

    def forget(self, names: Sequence[str]) -> None:
        """Lets go of registered rows."""

    def cast(self, tree: Tree, type_name: str) -> Tree:
        """`CAST(tree AS type_name)`."""

    def encoded(self, tree: Tree, type_name: str) -> Tree:
        """A value as imputers see it: numbers, days or microseconds since 1970, text of categories."""

    def decoded(self, tree: Tree, type_name: str) -> Tree:
        """A value that an imputer gave, in the column's own type."""

    def travels(self, type_name: str) -> bool:
        """Whether values of a type come through arrays as they are."""
