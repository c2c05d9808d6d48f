"""The engine's border: what the rest of imputedb asks of whatever holds tables and runs statements.

A query needs four protocols: `Catalog`, `Statements`, `Arrays` and `Scratch`. A database offers more, which `offers`
has, and `session` has what threads, transactions and caches need.
"""

from collections.abc import Callable, Collection, Hashable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from imputedb.algebra.relation import Table
from imputedb.engines.cache import CacheUse, Recent
from imputedb.engines.entries import Shape, View
from imputedb.engines.offers import Declarations, Entrances, KeptModels, Macros
from imputedb.engines.session import Session
from imputedb.notes import Note
from imputedb.sql.ast import Tree
from imputedb.sql.enclosed import Keeps
from imputedb.sql.scope import Catalog as Names
from imputedb.sql.statements import Classified, Query
from imputedb.statistics.table import Kind, Statistics

Array = NDArray[np.generic]
Read = TypeVar("Read")
Values = Mapping[str, object] | Sequence[object] | None
"""Of the parameters of a statement."""


@dataclass(frozen=True, slots=True)
class Held:
    """Rows in memory, outside of all catalogs and transactions, that live as long as this does.

    Attributes:
        rows: the engine's own, kept alive.
        source: an item of FROM that reads them, its columns named c0, c1, ...
    """

    rows: object
    source: str


class Rows(Protocol):
    """Rows that are held, in the forms that users take them in."""

    def df(self) -> Any:
        """A data frame of pandas."""

    def pl(self) -> Any:
        """A data frame of polars."""

    def to_arrow_table(self) -> Any:
        """An Arrow table of pyarrow."""

    def fetchnumpy(self) -> dict[str, Any]:
        """Arrays, masked where they hold NULL."""


class Catalog(Protocol):
    """What tables there are, and what is known of them."""

    @property
    def adopted(self) -> Collection[Table]:
        """The tables that are made while a statement is answered."""

    @property
    def virtual(self) -> Mapping[Table, frozenset[str]]:
        """Those of their columns that a star does not show."""

    def shapes(self) -> Mapping[Table, Shape]:
        """The user's tables."""

    def shape(self, table: Table) -> Shape:
        """The columns of a table, the user's or an adopted one."""

    def names(self) -> Names:
        """What names in a statement can mean, as they are now."""

    def meant(self, path: Sequence[str]) -> Table | View | None:
        """The user's table or view that a path means; None where it is neither, such as a file."""

    def found(self, name: str) -> Table | View | None:
        """The same of a name as a person writes it."""

    def named(self, name: str) -> Table:
        """The user's table of a name; UnknownName, with the nearest one, where there is none."""

    def called(self, table: Table) -> str:
        """The shortest name by which a table is meant now."""

    def is_nested(self, path: Sequence[str]) -> bool:
        """Whether a path means a table in a schema within another schema; of a view there it refuses."""
        ...

    def is_readable(self, name: str) -> bool:
        """Whether something, such as a file, can be read under one name."""

    def kind(self, type_name: str) -> Kind:
        """What values of a type are to statistics and imputers."""

    def adopt(
        self, table: Table, types: Mapping[str, str], statistics: Statistics, virtual: Sequence[str] = ()
    ) -> None:
        """Takes note of a table that will be made while a statement is answered."""

    def disown(self, name: str) -> None:
        """Forgets such a table, by its name."""

    def statistics(self, table: Table) -> Statistics:
        """What is known of a table: gathered once, kept, and gathered anew when the table has changed."""

    def fingerprint(self, table: Table) -> str:
        """What tells this state of a table's contents from any other."""

    def dirty(self, table: Table, names: Collection[str]) -> set[str]:
        """Those of some columns of a table that miss a value."""

    def related(self, table: Table) -> frozenset[str]:
        """The columns of a table that are derived, or that others are derived from."""

    def about_derived(self, table: Table, names: Collection[str]) -> list[Note]:
        """Sentences about derived columns of a table, and what these are derived from, where some columns are read."""

    def keeps(self, table: Table) -> bool:
        """Whether a table is one of the user's, which is the same until something is written."""


class Statements(Protocol):
    """Texts and syntax trees, and running them."""

    def classified(self, text: str) -> Classified:
        """What one look at a text tells of it; QueryError where it is not one statement that parses."""

    def tree(self, text: str) -> Tree:
        """The syntax tree of a query; SqlSyntaxError or Unplanned where there is none."""

    def text(self, node: Tree) -> str:
        """The SQL of a SELECT node."""

    def written(self, trees: Sequence[Tree]) -> list[str]:
        """The SQL of expressions."""

    def titles(self, trees: Sequence[Tree]) -> list[str]:
        """The names that items of a select list get."""

    def outputs(self, text: str) -> tuple[list[str], list[str]]:
        """The names and types of a query's output columns, cached; QueryError where it is rejected."""

    def described(self, text: str) -> tuple[list[str], list[str]]:
        """The same as they are now, of a query that reads files."""

    def forget_outputs(self, text: str) -> None:
        """Lets go of what is cached of a query's output columns."""

    def verbatim(self, text: str) -> str:
        """The one statement of a text, without what separates statements."""

    def tables_in(self, text: str) -> Collection[str]:
        """The names of tables and views that a query reads."""

    def prepared(self, name: str) -> Classified:
        """The statement that was prepared under a name, meaning what it meant then; UnknownName where there is none."""

    def constants(self, values: Mapping[str, object]) -> dict[str, Tree]:
        """The values of parameters, as trees."""

    def evaluated(self, expressions: Mapping[str, str]) -> dict[str, Tree]:
        """What expressions without columns are, as trees of constants."""

    def filled(self, statement: Query | Keeps, values: Mapping[str, Tree]) -> Query | Keeps:
        """A statement with values in place of its parameters."""

    def combines(self, calls: Sequence[Tree], source: Tree) -> bool:
        """Whether aggregates over the rows of a source can be combined from their states over parts of them."""

    def rows(self, node: Tree) -> list[tuple[Any, ...]]:
        """The rows of a small SELECT."""

    def fetched(self, text: str, values: Values = None) -> list[tuple[Any, ...]]:
        """The rows of a statement of ours."""

    def numbers(self, text: str) -> list[NDArray[np.float64]]:
        """The columns of a SELECT of numbers as doubles, in order, NaN for NULL."""

    def held(self, text: str, *, last: bool = False) -> Held:
        """The rows of a statement, which runs once, held in memory; of the `last` one that a snapshot has."""

    def answered(self, text: str, values: Values = None) -> tuple[Held, list[str], list[str]]:
        """Runs one statement of the user's as it stands: its rows, and the names and types of their columns."""

    def execute(self, text: str, values: Values = None) -> list[tuple[Any, ...]]:
        """Runs any statements of the user's as they stand; the rows of the last."""

    def reread(self, text: str) -> list[tuple[Any, ...]]:
        """The rows of a SELECT over rows that are held, whatever became of the transaction that made them."""

    def converted(self, text: str, form: Callable[[Rows], Read]) -> Read:
        """What a form makes of these."""

    def streamed(self, text: str, schema: object) -> object:
        """A stream of Arrow's C interface of these, read without a turn."""


class Arrays(Protocol):
    """Values of tables as expressions, and as arrays; arrays as tables."""

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

    def arrays(self, node: Tree) -> Mapping[str, Array]:
        """The columns of a SELECT as plain or masked arrays, in order."""

    def check_order(self) -> None:
        """Refuses, by QueryError, to read tables whose rows come in an order that is not the same each time."""

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


class Scratch(Protocol):
    """Temporary tables and views: what the statements that make one answer read of each other."""

    def fresh(self, kind: str) -> str:
        """A name that no other table or view has."""

    def make(self, kind: str, name: str, columns: Sequence[str], text: str) -> None:
        """Makes a TABLE or VIEW of a query, its columns under the given names."""

    def unmake(self, kind: str, names: Sequence[str]) -> None:
        """Lets go of what was made."""

    def gather(self, text: str, width: int) -> str:
        """Makes a table of a query, its columns named c0, c1, ..., of the name that is returned."""

    def extend(self, name: str, text: str) -> None:
        """Adds the rows of a query to those of such a table."""

    def stage(self, text: str, name: str | None = None) -> str:
        """Makes a table of a query, its columns named as the query names them, of the name that is returned."""

    def copied(self, item: Tree, virtual: Sequence[str] = ()) -> Table:
        """A table of the rows of an item of FROM, such as a file, adopted; `virtual` columns a star does not show."""

    def check_copied(self, tables: Collection[Table]) -> None:
        """Refuses, by DataError, what was read by such tables of files that have become others meanwhile."""


class Engine(Catalog, Statements, Arrays, Scratch, Macros, Declarations, Entrances, Protocol):
    """A place where tables live and statements run, for one session.

    Attributes:
        further_caches: those of whoever answers by this engine.
        fills_by_expression: whether missing cells are filled in by expressions alone: rows are never fetched.
    """

    further_caches: list[Recent[Any, Any]]
    fills_by_expression: bool

    @property
    def room(self) -> float:
        """Bytes of rows that an imputer may be handed at once."""

    @property
    def session(self) -> Session:
        """Its turns and transactions."""

    @property
    def models(self) -> KeptModels | None:
        """Imputation models that are kept; None where an engine keeps none."""

    @property
    def lock(self) -> AbstractContextManager[Any]:
        """Held by the thread whose turn it is."""

    def learnable(self, table: Table, most: int) -> Table:
        """A table here of at most so many rows of one, picked by a hash; the table itself where its rows are here."""
        ...

    def further(self) -> "Engine":
        """An engine of the same database, for another session."""

    def snapshot(self, *, lazily: bool = False) -> AbstractContextManager[None]:
        """Several statements that see one state of the data; lazily, a single one needs no transaction."""

    def shared_snapshot(self, *, writes: str = "", always: bool = False) -> AbstractContextManager[bool]:
        """The same beside other sessions, or `always`: whether any may have written since this call began.

        It is told of the statement that `writes` in it.
        """

    def own_statements(self, text: str = "") -> AbstractContextManager[None]:
        """Statements of ours, for a text if it is long: they are deeper than the queries that users bound."""

    def recall(self, name: Hashable) -> Any:
        """What is kept under a name, or None."""

    def keep(self, name: Hashable, value: Any, size: int = 64, tables: Collection[Table] | None = None) -> None:
        """Keeps what was computed from some tables, of any unless they are given, until one of them is written."""

    def caches(self) -> list[CacheUse]:
        """What is cached of this database."""
