"""What a database offers beside its tables: macros, declarations about columns, and ways to load data."""

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
    """Functions and macros, and queries that only their text states."""

    @property
    def functions(self) -> Functions:
        """The properties of the engine's own functions."""

    def all_functions(self) -> Functions:
        """The properties of functions, including macros that must be called once for each row."""

    def multiplying(self) -> frozenset[str]:
        """Functions and macros that return any number of rows for each input row."""

    def macros(self, called: Collection[str] = ()) -> dict[str, Tree]:
        """The bodies of the user's macros: queries, or expressions inside a query."""

    def called_query(self, call: Tree) -> tuple[Tree, set[str]]:
        """The body of a called macro, and the parameters whose defaults name what it reads."""

    def has_macro(self, name: str) -> bool:
        """Whether an unqualified name, in lower case, means one of the user's macros."""

    def missingness_macros(self, called: Collection[str]) -> frozenset[str]:
        """The functions among some that are user's macros and test whether an argument is missing."""

    def written_out(self, node: Tree) -> Tree:
        """A statement with macro calls replaced by the macros' expressions."""

    def opened(self, tree: Tree) -> Tree:
        """A statement with queries in place of the texts in FROM that state them."""

    def with_views(self, tree: Tree) -> Iterator[Tree]:
        """Every node of a tree, and of the queries of views that it reads; each view once."""


class Declarations(Protocol):
    """What users declare about columns, kept with the tables."""

    def policies(self, table: Table) -> Mapping[str, Policy]:
        """Policies by column, including columns that no longer exist."""

    def own_name(self, table: Table, column: str) -> str:
        """A column's name in the spelling of its table; UnknownName where it has no such column."""

    def checked(self, table: Table, column: str, policy: Policy) -> Policy:
        """A policy with columns in the table's spelling; DataError or QueryError where it does not suit its column."""

    def checked_codes(self, table: Table, column: str, values: Sequence[object]) -> str:
        """The column's name in the table's spelling; DataError where the column cannot hold a value."""

    def check_writable(self, catalog: str) -> None:
        """Raises StorageError where declarations cannot be written, since the database is read-only."""

    def decide(self, table: Table, column: str, policy: Policy | None) -> None:
        """Stores the policy of a column; removes it with None."""

    def undecide(self, table: Table, column: str) -> None:
        """Removes the policy of a column, whether or not the table still has the column."""

    def declare(self, table: Table, column: str, values: Sequence[object]) -> None:
        """Declares values of a column to mean a missing one."""

    def restate(self, table: Table, missing: Mapping[str, Sequence[str]], policies: Mapping[str, Policy]) -> None:
        """Replaces all declared values and policies of a scratch table by these."""


class KeptModels(Protocol):
    """Imputation models that are kept beside their tables, under the transactions of a session."""

    def current(self) -> tuple[Record, ...]:
        """The current version of each model, by name; StorageError where the stored models are damaged."""

    def named(self, name: str, version: int | None = None) -> Record:
        """A version of a model, by default the current one; UnknownName where there is none."""

    def versions(self, name: str) -> list[Record]:
        """All versions of a model, the first one first; empty where there is no model of that name."""

    def purged(self, name: str) -> bool:
        """Removes a model whose records cannot be read; returns whether there was one."""

    def content(self, record: Record) -> bytes:
        """The functions of a model as bytes; StorageError where they differ from what was written."""

    def add(self, record: Record, content: bytes) -> None:
        """Stores a version, as the current one if its record says so; StorageError where nothing can be written."""

    def drop(self, records: Sequence[Record]) -> None:
        """Removes some versions."""

    def make_current(self, record: Record) -> None:
        """Makes a version the one that queries use."""

    def rename(self, name: str, after: str) -> None:
        """Renames a model, in all its versions."""


class Frames(Protocol):
    """The data frames that a statement reads, as temporary tables of the same names."""

    paths: list[str]

    def drop(self) -> None:
        """Drops the tables, so that a statement may create others of the same names."""


class Entrances(Protocol):
    """Ways to load data."""

    def load(
        self,
        paths: Sequence[str],
        table: str | None,
        missing: Mapping[str, Sequence[object]],
        reading: Reading,
        *,
        replace: bool,
    ) -> list[str]:
        """Loads each file into a table, or the files of one pattern into `table`; all or none."""

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
        """Makes data frames readable that a statement names by variables of the caller."""
