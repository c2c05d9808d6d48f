"""What a database offers beside its tables: macros, what users say of columns, and ways in."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol

from imputedb.algebra.relation import Table
from imputedb.engines.reading import Reading
from imputedb.engines.record import Record
from imputedb.sql.ast import Tree
from imputedb.sql.bind import Functions
from imputedb.statistics.policy import Policy


class Macros(Protocol):
    """What there is of functions and macros, and what is read by names that only their texts say."""

    @property
    def functions(self) -> Functions:
        """What is to be known of the engine's own functions."""

    def all_functions(self) -> Functions:
        """The same, with macros that must be called once a row."""

    def multiplying(self) -> frozenset[str]:
        """The functions that give any number of rows for one, macros among them."""

    def macros(self, called: Collection[str] = ()) -> dict[str, Tree]:
        """The queries, or expressions in a query, that the user's macros stand for."""

    def called_query(self, call: Tree) -> tuple[Tree, set[str]]:
        """What a macro that is called stands for, and its parameters by whose defaults something is read."""

    def has_macro(self, name: str) -> bool:
        """Whether a name alone, in lower case, means a macro of the user's."""

    def missingness_macros(self, called: Collection[str]) -> frozenset[str]:
        """Those of some functions that are the user's macros, and ask about the missingness of an argument."""

    def written_out(self, node: Tree) -> Tree:
        """A statement with the expressions that macros stand for in place of their calls."""

    def opened(self, tree: Tree) -> Tree:
        """A statement in which the query that a text in FROM states stands in the text's place."""

    def with_views(self, tree: Tree) -> Iterator[Tree]:
        """Every node of a tree, and of the queries of the views that it reads, each view once."""


class Declarations(Protocol):
    """What users say of columns, kept with the tables."""

    def policies(self, table: Table) -> Mapping[str, Policy]:
        """What is said of columns, also of those that are gone."""

    def own_name(self, table: Table, column: str) -> str:
        """The name of a column as its table has it; UnknownName where it has none."""

    def checked(self, table: Table, column: str, policy: Policy) -> Policy:
        """A policy with the names that its columns have; DataError or QueryError where it does not suit its own."""

    def checked_codes(self, table: Table, column: str, values: Sequence[object]) -> str:
        """The column's own name; DataError where it cannot hold a value."""

    def check_writable(self, catalog: str) -> None:
        """Refuses, by StorageError, what is to be said of tables that are open for reading only."""

    def decide(self, table: Table, column: str, policy: Policy | None) -> None:
        """Keeps what is said about a column; forgets it with None."""

    def undecide(self, table: Table, column: str) -> None:
        """Forgets what is said about a column, whether or not the table still has it."""

    def declare(self, table: Table, column: str, values: Sequence[object]) -> None:
        """Declares values of a column to mean a missing one."""

    def restate(self, table: Table, missing: Mapping[str, Sequence[str]], policies: Mapping[str, Policy]) -> None:
        """Says of a scratch table these declared values and policies, and no others."""


class KeptModels(Protocol):
    """Imputation models that are kept beside their tables, under the transactions of a session."""

    def current(self) -> tuple[Record, ...]:
        """The current version of each, by name; StorageError where what is kept is damaged."""

    def named(self, name: str, version: int | None = None) -> Record:
        """A version of a model, the current one unless another is named; UnknownName where there is none."""

    def versions(self, name: str) -> list[Record]:
        """All versions of a model, the first one first; none where there is none of the name."""

    def purged(self, name: str) -> bool:
        """Forgets a model whose records cannot be read; whether there was such a one."""

    def content(self, record: Record) -> bytes:
        """The functions of a model as bytes; StorageError where they are not what was written."""

    def add(self, record: Record, content: bytes) -> None:
        """Keeps a version, the current one if its record says so; StorageError where nothing can be written."""

    def drop(self, records: Sequence[Record]) -> None:
        """Forgets some versions."""

    def make_current(self, record: Record) -> None:
        """Makes a version the one that queries use."""

    def rename(self, name: str, after: str) -> None:
        """Gives all versions of a model another name."""


class Frames(Protocol):
    """The data frames that a statement reads, as temporary tables of their names."""

    paths: list[str]

    def drop(self) -> None:
        """Drops the tables, so that a statement may make others of their names."""


class Entrances(Protocol):
    """How tables come in."""

    def load(
        self,
        paths: Sequence[str],
        table: str | None,
        missing: Mapping[str, Sequence[object]],
        reading: Reading,
        *,
        replace: bool,
    ) -> list[str]:
        """Loads files into a table each, or those of one pattern into `table`; all or none."""

    def take(
        self,
        name: str,
        frame: Any,
        missing: Mapping[str, Sequence[object]],
        na: Sequence[str] = (),
        *,
        replace: bool,
        kept: bool = False,
    ) -> None:
        """Copies a data frame, an Arrow table, or a dictionary of arrays into a table."""

    def callers_frames(self, text: str, *, statement: bool = False) -> AbstractContextManager[Frames]:
        """Makes frames readable that a statement means by variables of whoever calls."""
