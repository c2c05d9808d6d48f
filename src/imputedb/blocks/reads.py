"""Columns of stored tables that parts of a statement read, completed or as stored."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from imputedb.algebra.relation import Table
from imputedb.engines.engine import Engine
from imputedb.sql.ast import Tree
from imputedb.sql.examined import Examined
from imputedb.sql.expression import merged_in, origin_of, whole_sources
from imputedb.sql.items import number_of
from imputedb.sql.scope import Source
from imputedb.sql.subqueries import nodes


@dataclass(slots=True)
class Read:
    """Columns of a source that are read completed, and columns that are tested for missingness."""

    completed: set[str] = field(default_factory=set)
    stored: set[str] = field(default_factory=set)


class Reads:
    """An analysis of the trees of one statement.

    Attributes:
        sources: sources of the statement, by number.
        staged: tables that hold the rows of inner blocks, by the `id` of their trees.
        examined: uses of columns; None until they are known.
    """

    def __init__(self, engine: Engine, sources: Mapping[int, Source], known: Examined | None = None) -> None:
        self.sources = sources
        self.staged: dict[int, Table] = {}
        self.examined = known
        self._engine = engine

    def dirty(self, node: Tree) -> bool:
        """Whether a tree reads a missing value of a stored table."""
        return any(self.missing(number, read) for number, read in self.of(node).items())

    def missing(self, number: int, read: Read) -> set[str]:
        """The columns read of a source that have missing values, as stored or in columns that they are derived from."""
        table = self.sources[number].table
        if table is None or table in self.staged.values():
            return set()
        names = read.completed | read.stored
        return self._engine.dirty(table, names) | (names & self._engine.related(table))

    def deciding(self, number: int) -> frozenset[str]:
        """The columns of a source, by its number, that decide the answer."""
        return self.examined.deciding(number) if self.examined else frozenset()

    def of(self, node: Any) -> dict[int, Read]:
        """The columns that a tree reads, by source."""
        found: dict[int, Read] = {}
        for part in nodes(node):
            if origin := origin_of(part):
                read = found.setdefault(origin.number, Read())
                (read.stored if origin.stored else read.completed).add(origin.name)
            for number, name in merged_in(part):
                shown = self.sources[number].column(name)
                found.setdefault(number, Read()).completed.add(shown[1] if shown else name)
            for number in whole_sources(part):
                names = self.sources[number].names or {}
                found.setdefault(number, Read()).completed.update(names.values())
        if self.examined is not None:
            for number, read in found.items():
                read.completed &= self.examined.read(number)
        return found

    def inside(self, tree: Any, number: int) -> bool:
        """Whether a source belongs to a tree; a correlated subquery also reads others."""
        return any(number_of(part) == number for part in nodes(tree))
