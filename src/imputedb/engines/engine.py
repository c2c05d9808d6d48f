"""The engine's border: the protocols by which imputedb reads tables and runs statements.

A query needs four of them: `Catalog`, `Statements`, `Arrays` and `Scratch`. `offers` has what a database offers beyond
these, and `session` what threads, transactions and caches need.
"""

from collections.abc import Callable, Collection, Hashable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from imputedb.algebra.relation import Table
from imputedb.engines.cache import CacheUse, LruCache
from imputedb.engines.entries import Shape, View
from imputedb.engines.offers import Declarations, Entrances, KeptModels, Macros
from imputedb.engines.session import Session
from imputedb.notes import Note
from imputedb.sql.ast import Tree
from imputedb.sql.enclosed import EnclosingStatement
from imputedb.sql.scope import Catalog as Names
from imputedb.sql.statements import Classified, Query
from imputedb.statistics.table import Kind, Statistics

Array = NDArray[np.generic]
Read = TypeVar("Read")
Values = Mapping[str, object] | Sequence[object] | None
"""The values of a statement's parameters."""


@dataclass(frozen=True, slots=True)
class Held:
    """Rows in memory, outside all catalogs and transactions, for as long as this object exists.

    Attributes:
        rows: the engine's own object, kept alive.
        source: an item of FROM that reads the rows; its columns are named c0, c1, ...
    """

    rows: object
    source: str


class Rows(Protocol):
    """Held rows, in the forms that users can ask for."""

    def df(self) -> Any:
        """A data frame of pandas."""

    def pl(self) -> Any:
        """A data frame of polars."""

    def to_arrow_table(self) -> Any:
        """An Arrow table of pyarrow."""

    def fetchnumpy(self) -> dict[str, Any]:
        """Arrays, masked where they hold NULL."""


class Catalog(Protocol):
    """The tables of a database, and what is known of them."""

    @property
    def adopted(self) -> Collection[Table]:
        """The tables that are created while a statement is answered."""

    @property
    def virtual(self) -> Mapping[Table, frozenset[str]]:
        """The columns of adopted tables that a star does not show."""

    def shapes(self) -> Mapping[Table, Shape]:
        """The user's tables, with their shapes."""

    def shape(self, table: Table) -> Shape:
        """The shape of a table, either the user's or an adopted one."""

    def names(self) -> Names:
        """The present meaning of names in a statement."""

    def meant(self, path: Sequence[str]) -> Table | View | None:
        """The user's table or view that a path means; None where it is neither, such as a file."""

    def found(self, name: str) -> Table | View | None:
        """The user's table or view of a name as a person writes it; None where there is neither."""

    def named(self, name: str) -> Table:
        """The user's table of a name; UnknownName, with the nearest name, where there is none."""

    def called(self, table: Table) -> str:
        """The shortest name that means a table at present."""

    def is_nested(self, path: Sequence[str]) -> bool:
        """Whether a path means a table in a schema within another schema; Unplanned where it means a view there."""
        ...

    def is_readable(self, name: str) -> bool:
        """Whether a name can be read from, such as that of a file."""

    def kind(self, type_name: str) -> Kind:
        """The kind of a type's values, for statistics and imputers."""

    def adopt(
        self, table: Table, types: Mapping[str, str], statistics: Statistics, virtual: Sequence[str] = ()
    ) -> None:
        """Registers a table that will be created while a statement is answered."""

    def disown(self, name: str) -> None:
        """Removes such a table, by its name."""

    def statistics(self, table: Table) -> Statistics:
        """The statistics of a table: gathered once, kept, and gathered again after a change of the table."""

    def fingerprint(self, table: Table) -> str:
        """The fingerprint of a table's contents, which differs whenever these do."""

    def dirty(self, table: Table, names: Collection[str]) -> set[str]:
        """The columns among some of a table that have a missing value."""

    def related(self, table: Table) -> frozenset[str]:
        """The columns of a table that are derived, or from which others are derived."""

    def about_derived(self, table: Table, names: Collection[str]) -> list[Note]:
        """Notes on derived columns of a table and the columns that they are derived from, where some are read."""

    def keeps(self, table: Table) -> bool:
        """Whether a table is one of the user's, which changes only by a write."""


class Statements(Protocol):
    """Texts, syntax trees, and their execution."""

    def classified(self, text: str) -> Classified:
        """The classification of a text; QueryError where it is not one statement that parses."""

    def tree(self, text: str) -> Tree:
        """The syntax tree of a query; SqlSyntaxError or Unplanned where there is none."""

    def text(self, node: Tree) -> str:
        """The SQL of a SELECT node."""

    def written(self, trees: Sequence[Tree]) -> list[str]:
        """The SQL of expressions."""

    def titles(self, trees: Sequence[Tree]) -> list[str]:
        """The names that DuckDB gives to unnamed items of a select list."""

    def outputs(self, text: str) -> tuple[list[str], list[str]]:
        """The names and types of a query's output columns, cached; QueryError where it is rejected."""

    def described(self, text: str) -> tuple[list[str], list[str]]:
        """The names and types of the output columns of a query that reads files, not cached."""

    def forget_outputs(self, text: str) -> None:
        """Removes a query's output columns from the cache."""

    def verbatim(self, text: str) -> str:
        """The one statement of a text, without separators."""

    def tables_in(self, text: str) -> Collection[str]:
        """The names of tables and views that a query reads."""

    def prepared(self, name: str) -> Classified:
        """The statement prepared under a name, with the meaning that it had then; UnknownName where there is none."""

    def constants(self, values: Mapping[str, object]) -> dict[str, Tree]:
        """The values of parameters, as syntax trees."""

    def evaluated(self, expressions: Mapping[str, str]) -> dict[str, Tree]:
        """The values of expressions without columns, as trees of constants."""

    def filled(self, statement: Query | EnclosingStatement, values: Mapping[str, Tree]) -> Query | EnclosingStatement:
        """A statement with values in place of its parameters."""

    def combines(self, calls: Sequence[Tree], source: Tree) -> bool:
        """Whether aggregates over the rows of a source can be combined from states over parts of these rows."""

    def rows(self, node: Tree) -> list[tuple[Any, ...]]:
        """The rows of a small SELECT."""

    def fetched(self, text: str, values: Values = None) -> list[tuple[Any, ...]]:
        """The rows of one of imputedb's own statements."""

    def numbers(self, text: str) -> list[NDArray[np.float64]]:
        """The columns of a SELECT of numbers as doubles, in order, NaN for NULL."""

    def held(self, text: str, *, last: bool = False) -> Held:
        """The rows of a statement, which runs once, held in memory; `last` where it is the last one of a snapshot."""

    def answered(self, text: str, values: Values = None) -> tuple[Held, list[str], list[str]]:
        """Runs one of the user's statements unchanged; gives its rows, and the names and types of its columns."""

    def execute(self, text: str, values: Values = None) -> list[tuple[Any, ...]]:
        """Runs the user's statements unchanged; gives the rows of the last."""

    def reread(self, text: str) -> list[tuple[Any, ...]]:
        """The rows of a SELECT over held rows, even after the transaction that made them was aborted."""

    def converted(self, text: str, form: Callable[[Rows], Read]) -> Read:
        """The rows of a SELECT over held rows, converted by `form`."""

    def streamed(self, text: str, schema: object) -> object:
        """The rows of a SELECT over held rows as a stream of Arrow's C interface, read without waiting for a turn."""


class Arrays(Protocol):
    """Values of tables as expressions and as arrays, and arrays as tables."""

    def source(self, table: Table, alias: str) -> Tree:
        """A table as an item of FROM."""

    def reading(self, table: Table, column: str, alias: str) -> Tree:
        """A stored column, NULL wherever its value is missing; under the name `generate.ROW`, the row id.

        Row ids are those of `source`, and grow in the order in which it gives its rows.
        """

    def meaning(self, table: Table, column: str, alias: str) -> Tree | None:
        """The condition, bound, under which a NULL of a column is not a missing value; None where it always is one."""

    def derived(self, table: Table, column: str, meant: Mapping[str, Tree]) -> Tree:
        """The expression of a derived column, with the trees in `meant` for its columns, by names in lower case."""

    def arrays(self, node: Tree) -> Mapping[str, Array]:
        """The columns of a SELECT as plain or masked arrays, in order."""

    def check_order(self) -> None:
        """Raises QueryError where a setting lets tables return their rows in a different order each time."""

    def register(self, columns: Mapping[str, Array]) -> str:
        """Makes arrays readable as a table, and returns its name."""

    def forget(self, names: Sequence[str]) -> None:
        """Releases registered arrays."""

    def cast(self, tree: Tree, type_name: str) -> Tree:
        """`CAST(tree AS type_name)`."""

    def encoded(self, tree: Tree, type_name: str) -> Tree:
        """A value in the encoding of imputers: numbers, days or microseconds since 1970, text of categories."""

    def decoded(self, tree: Tree, type_name: str) -> Tree:
        """An imputer's value, converted to the column's own type."""

    def travels(self, type_name: str) -> bool:
        """Whether arrays hold the values of a type exactly."""


class Scratch(Protocol):
    """Temporary tables and views that the statements of one answer share."""

    def fresh(self, kind: str) -> str:
        """A name that no other table or view has."""

    def make(self, kind: str, name: str, columns: Sequence[str], text: str) -> None:
        """Creates a TABLE or VIEW of a query, with the given column names."""

    def unmake(self, kind: str, names: Sequence[str]) -> None:
        """Drops such tables or views."""

    def gather(self, text: str, width: int) -> str:
        """Creates a table of a query, with columns c0, c1, ..., and returns its name."""

    def extend(self, name: str, text: str) -> None:
        """Inserts the rows of a query into such a table."""

    def stage(self, text: str, name: str | None = None) -> str:
        """Creates a table of a query, with the query's column names, and returns its name."""

    def copied(self, item: Tree, virtual: Sequence[str] = ()) -> Table:
        """An adopted table of the rows of a FROM item, such as a file; a star does not show its `virtual` columns."""

    def check_copied(self, tables: Collection[Table]) -> None:
        """Raises DataError where files that such tables read in place have changed meanwhile."""


class Engine(Catalog, Statements, Arrays, Scratch, Macros, Declarations, Entrances, Protocol):
    """An engine for one session: it stores tables and runs statements.

    Attributes:
        further_caches: caches of the code that uses this engine.
        fills_by_expression: whether missing cells are filled in by expressions alone, and rows are never fetched.
    """

    further_caches: list[LruCache[Any, Any]]
    fills_by_expression: bool

    @property
    def room(self) -> float:
        """Bytes of rows that may be given to an imputer at once."""

    @property
    def session(self) -> Session:
        """The session, with its turns and transactions."""

    @property
    def models(self) -> KeptModels | None:
        """The kept imputation models; None where the engine keeps none."""

    @property
    def lock(self) -> AbstractContextManager[Any]:
        """The lock held by the thread whose turn it is."""

    def learnable(self, table: Table, most: int) -> Table:
        """A local table of at most `most` rows of one, chosen by a hash; the table itself where its rows are local."""
        ...

    def further(self) -> "Engine":
        """An engine of the same database for another session."""

    def snapshot(self, *, lazily: bool = False) -> AbstractContextManager[None]:
        """A block of statements that see one state of the data; `lazily`, a single one needs no transaction."""

    def shared_snapshot(self, *, writes: str = "", always: bool = False) -> AbstractContextManager[bool]:
        """The same beside other sessions, or `always`; gives whether any may have written since this call began.

        `writes` is the statement in the block that writes.
        """

    def own_statements(self, text: str = "") -> AbstractContextManager[None]:
        """A block of imputedb's own statements, which may nest deeper than the user's; `text` is one, if long."""

    def recall(self, name: Hashable) -> Any:
        """The cached value of a name; None where there is none."""

    def keep(self, name: Hashable, value: Any, size: int = 64, tables: Collection[Table] | None = None) -> None:
        """Caches a value until one of `tables` is written; of any table unless these are given."""

    def caches(self) -> list[CacheUse]:
        """The use of all caches of this database."""
