"""DuckDB, embedded: the engine that imputedb comes with."""

import atexit
import itertools
import json
import os
import threading
import weakref
from collections import deque
from collections.abc import Hashable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
from numpy.typing import NDArray

from imputedb.algebra.relation import Table
from imputedb.engines import declarations, encoding, profile, states
from imputedb.engines.engine import Array, Shape
from imputedb.engines.functions import functions
from imputedb.engines.memory import Memory
from imputedb.engines.runner import Runner
from imputedb.engines.slots import Slots
from imputedb.engines.store import SCHEMA, Store, fingerprint_of
from imputedb.errors import InternalError, StorageError, UnknownName
from imputedb.sql import parse
from imputedb.sql import tree as t
from imputedb.sql.generate import ROW
from imputedb.sql.tree import Tree
from imputedb.statistics.policy import Policy
from imputedb.statistics.statistics import Statistics

_TEMPORARY = "imputedb_"
_TEXTS_KEPT = 512
_SAMPLE = f"SELECT * FROM t USING SAMPLE reservoir({profile.SAMPLE} ROWS) REPEATABLE (7)"
_OFFLINE: dict[str, str | bool | int | float | list[str]] = {
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
}


class DuckDB:
    """One connection to one database, for one statement at a time; threads take turns."""

    def __init__(self, path: str, *, read_only: bool = False) -> None:
        self.path = path
        self.read_only = read_only
        _check_kind(path)
        try:
            self.connection = duckdb.connect(path, read_only=read_only, config=_OFFLINE)
        except duckdb.Error as error:
            raise _storage(path, error) from error
        # variables of our own frames are no tables; not as configuration, which other connections would have to share
        self.connection.execute("SET python_enable_replacements = false")
        self.connection.execute("SET enable_progress_bar = false")  # it would be drawn into our standard output
        self.lock = threading.RLock()
        self._runner = Runner(self.connection)
        self._store = Store(self.connection, writable=not read_only and path != ":memory:")
        self._numbers = itertools.count(1)
        self._in_transaction = False
        self._garbage: deque[str] = deque()
        self._slots = Slots(self.connection, f"{_TEMPORARY}rows_")
        self._adopted: dict[Table, tuple[Shape, Statistics]] = {}
        self._version = 0
        self._types: dict[str, Tree] = {}
        self._texts: dict[str, str] = {}
        self._combined: dict[str, bool] = {}
        self._memory = Memory()
        self._shapes: tuple[object, dict[Table, Shape]] | None = None
        self._statistics: dict[Table, tuple[object, str, Statistics]] = {}
        self.functions = functions(self.connection)
        atexit.register(_close_quietly, weakref.ref(self))

    def close(self) -> None:
        """Lets go of the database."""
        with self.lock:
            self._runner.close()
            self.connection.close()

    # -- what changes -----------------------------------------------------------------------------------------------

    def state(self) -> object:
        """A token that differs whenever something may have been written, by this connection or by another one."""
        if self.path == ":memory:":
            return self._version
        return (self._version, _stamp(self.path), _stamp(self.path + ".wal"))

    def changed(self) -> None:
        """Says that this connection may have written."""
        self._version += 1

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """Several statements that see one state of the data; what was staged meanwhile is gone if they fail."""
        with self.lock:
            self._collect()
            began = self._begin()
            try:
                yield
            except BaseException:
                if began:
                    with suppress(duckdb.Error):
                        self.connection.execute("ROLLBACK")
                    self._slots.lost()
                raise
            if began:
                self.connection.execute("COMMIT")

    def _begin(self) -> bool:
        if self._in_transaction:
            return False
        try:
            self.connection.execute("BEGIN")
        except duckdb.ConnectionException as error:
            raise StorageError("the database is closed") from error
        return True

    # -- tables -------------------------------------------------------------------------------------------------------

    def shapes(self) -> Mapping[Table, Shape]:
        """The user's tables, the database's own before temporary ones."""
        state = self.state()
        if self._shapes is None or self._shapes[0] != state:
            self._shapes = (state, self._read_shapes())
        return self._shapes[1]

    def _read_shapes(self) -> dict[Table, Shape]:
        text = """
            SELECT database_name, schema_name, table_name, column_name, data_type FROM duckdb_columns()
            JOIN duckdb_tables() USING (database_name, schema_name, table_name)
            WHERE NOT duckdb_tables.internal AND schema_name <> ? AND NOT starts_with(table_name, ?)
            ORDER BY database_name = 'temp', schema_name, table_name, column_index
        """
        types: dict[Table, dict[str, str]] = {}
        for *path, column, kind in self.connection.execute(text, [SCHEMA, _TEMPORARY]).fetchall():
            types.setdefault(Table(*path), {})[column] = kind
        return {
            table: Shape(columns, self._store.missing(table), self._store.policies(table))
            for table, columns in types.items()
        }

    def names(self) -> Mapping[str, Table]:
        """Tables by lower-case name: bare, with the schema, with the catalog."""
        names: dict[str, Table] = {}
        for table in self.shapes():
            path = [part.lower() for part in table.path]
            for start in range(3):
                names.setdefault(".".join(path[start:]), table)
            names.setdefault(f"{path[0]}.{path[2]}", table)
        return names

    def table(self, name: str) -> Table:
        """The table of a name.

        Raises:
            UnknownName: there is none; the message has the nearest.
        """
        from difflib import get_close_matches

        names = self.names()
        if name.lower() in names:
            return names[name.lower()]
        bare = sorted(table.name for table in self.shapes())
        near = get_close_matches(name, bare, 1)
        hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(bare) or 'no tables yet'}"
        raise UnknownName(f"no table {name!r}; {hint}")

    def fresh(self, kind: str) -> str:
        """A name for a temporary table or view that no other one has."""
        return f"{_TEMPORARY}{kind}_{next(self._numbers)}"

    def adopt(self, table: Table, types: Mapping[str, str], statistics: Statistics) -> None:
        """Takes note of a table that will be made while a statement is answered."""
        self._adopted[table] = (Shape(types), statistics)

    def copied(self, item: Tree) -> Table:
        """A temporary table of the rows of another item of FROM, such as a file, with what is known of it."""
        with self.lock:
            table = Table("temp", "main", self.fresh("copy"))
            self._runner.run(f"CREATE TEMP TABLE {table.name} AS {self.text(t.select([t.star()], item))}", _rows)
            names, types = parse.shape(self.connection, f"FROM temp.{table.name}")
            shape = Shape(dict(zip(names, types, strict=True)))
            self._adopted[table] = (shape, Statistics(0, {}))
            self._adopted[table] = (shape, self._profiled(table, shape))
            return table

    def adopted(self, name: str) -> Table | None:
        """Such a table by its name."""
        return next((table for table in self._adopted if table.name == name), None)

    def disown(self, name: str) -> None:
        """Forgets such a table, by its name."""
        for table in [table for table in self._adopted if table.name == name]:
            del self._adopted[table]

    def meaning(self, table: Table, column: str, alias: str) -> Tree | None:
        """The condition, bound, under which a NULL of a column means something of its own; None where it never does."""
        return declarations.meaning(self.connection, self.shape(table), column, alias)

    def declare(self, table: Table, column: str, values: Sequence[object]) -> None:
        """Declares values of a column to mean a missing one.

        Raises:
            UnknownName: the table has no such column.
            DataError: a value is none that the column can hold.
        """
        name, texts = declarations.codes(self, table, column, values)
        with self.lock:
            self._store.declare(table, name, texts)
            self.changed()

    def decide(self, table: Table, column: str, policy: Policy | None) -> None:
        """Keeps what is said about a column; forgets it with None.

        Raises:
            UnknownName: the table has no such column.
            QueryError: a condition that DuckDB rejects.
            DataError: a bound or a value that the column cannot hold.
        """
        name, checked = declarations.policy(self, table, column, policy)
        with self.lock:
            self._store.decide(table, name, checked)
            self.changed()

    def undeclare(self, table: Table) -> None:
        """Forgets what was declared of a table that is gone."""
        self._store.undeclare(table)

    def forget_declarations(self) -> None:
        """Reads declarations anew: those made in a transaction that failed never were."""
        self._store.reread()

    def source(self, table: Table, alias: str) -> Tree:
        """A table as an item of FROM; where a column of its own hides the row ids, with others beside it."""
        if not _hides_row_ids(self.shape(table)):
            return t.table(table.path, alias)
        return t.subquery(t.select([t.star(), t.numbered(ROW)], t.table(table.path, "")), alias)

    def reading(self, table: Table, column: str, alias: str) -> Tree:
        """A stored column, NULL where it holds NaN or a value that is declared missing; or the row ids."""
        shape = self.shape(table)
        if column == ROW:
            return t.reference(alias, ROW if _hides_row_ids(shape) else "rowid")
        return self._reading(shape, column, t.reference(alias, column))

    def shape(self, table: Table) -> Shape:
        """The columns of a table, the user's or one that is made while a statement is answered."""
        return self._adopted[table][0] if table in self._adopted else self.shapes()[table]

    def keeps(self, table: Table) -> bool:
        """Whether a table is one of the user's, which is the same until something is written."""
        return table not in self._adopted

    def _reading(self, shape: Shape, column: str, reference: Tree) -> Tree:
        kind, codes = shape.types[column], shape.missing.get(column, ())
        means_missing = [t.call("isnan", reference)] if kind in ("FLOAT", "DOUBLE") else []
        if codes:
            values = [self.cast(t.literal(code), kind) for code in codes]
            means_missing.append(t.operator("COMPARE_IN", reference, *values))
        condition = t.any_of(means_missing)
        return t.null_where(condition, reference) if condition else reference

    def statistics(self, table: Table) -> Statistics:
        """What is known of a table, gathered anew when its contents have changed."""
        if table in self._adopted:
            return self._adopted[table][1]
        state = self.state()
        known = self._statistics.get(table)
        if known and known[0] == state:
            return known[2]
        with self.lock:
            shape = self.shapes()[table]
            fingerprint = self._fingerprint(table, shape)
            if known and known[1] == fingerprint:
                statistics = known[2]
            else:
                statistics = self._store.statistics(table, fingerprint) or self._gathered(table, shape, fingerprint)
            statistics = replace(statistics, policies=shape.policies)
            self._statistics[table] = (self.state(), fingerprint, statistics)
            return statistics

    def fingerprint(self, table: Table) -> str:
        """What tells this state of a table's contents from any other."""
        self.statistics(table)
        return self._statistics[table][1]

    def _fingerprint(self, table: Table, shape: Shape) -> str:
        everything = t.call("hash", *(t.reference("t", name) for name in shape.types))
        total = t.call("sum", t.cast(everything, t.plain_type("HUGEINT")))
        rows = self.rows(t.select([t.call("count_star"), total], t.table(table.path, "t")))
        return fingerprint_of(rows[0], shape.types, shape.missing, shape.policies)

    def _gathered(self, table: Table, shape: Shape, fingerprint: str) -> Statistics:
        statistics = self._profiled(table, shape)
        before = self.state()
        with suppress(duckdb.Error):  # statistics are a cache: a full disk must not stop a query
            self._store.keep(table, fingerprint, statistics)
        if self.state() != before:
            self._rebase(before)
        return statistics

    def _profiled(self, table: Table, shape: Shape) -> Statistics:
        readings = {name: self._reading(shape, name, t.reference("t", name)) for name in shape.types}
        meanings = {name: self.meaning(table, name, "t") for name in shape.policies}
        return profile.gather(self.rows, t.table(table.path, "t"), readings, shape.types, self._sample(), meanings)

    def _rebase(self, before: object) -> None:
        """Keeping statistics writes to the file, but to none of the user's tables."""
        after = self.state()
        if self._shapes and self._shapes[0] == before:
            self._shapes = (after, self._shapes[1])
        for table, (state, fingerprint, statistics) in self._statistics.items():
            if state == before:
                self._statistics[table] = (after, fingerprint, statistics)

    def _sample(self) -> Tree:
        sample: Tree = parse.parse(self.connection, _SAMPLE)["from_table"]["sample"]
        return sample

    # -- statements ---------------------------------------------------------------------------------------------------

    def text(self, node: Tree) -> str:
        """The SQL of a SELECT node, remembered for those that come again."""
        key = json.dumps(node)
        with self.lock:
            if key not in self._texts:
                if len(self._texts) >= _TEXTS_KEPT:
                    self._texts.clear()
                self._texts[key] = parse.deparse(self.connection, node)
            return self._texts[key]

    def tree(self, text: str) -> Tree:
        """The syntax tree of a query, remembered until something is written, settings among it.

        Raises:
            SqlSyntaxError: the text does not parse.
            Unplanned: it is more than one statement, or one that does not select.
        """
        with self.lock:
            known: str | None = self.recall(("tree", text))
            if known is None:
                known = json.dumps(parse.parse(self.connection, text))
                self.keep(("tree", text), known, len(known))
            node: Tree = json.loads(known)
            return node

    def outputs(self, text: str) -> tuple[list[str], list[str]]:
        """The names and types of a query's output columns, remembered like its tree.

        Raises:
            QueryError: DuckDB rejects the query, with its reason.
        """
        with self.lock:
            known: tuple[list[str], list[str]] | None = self.recall(("outputs", text))
            if known is None:
                known = parse.shape(self.connection, text)
                self.keep(("outputs", text), known, len(text))
            return known

    def forget_outputs(self, text: str) -> None:
        """Lets go of what was remembered of a query's output columns: it reads files, which change without notice."""
        self.keep(("outputs", text), None)

    def written(self, trees: Sequence[Tree]) -> list[str]:
        """The texts of expressions, remembered like those of statements."""
        keys = [json.dumps(tree) for tree in trees]
        with self.lock:
            if any(key not in self._texts for key in keys):
                self._texts.update(zip(keys, parse.expression_texts(self.connection, trees), strict=True))
            return [self._texts[key] for key in keys]

    def rows(self, node: Tree) -> list[tuple[Any, ...]]:
        """The rows of a small SELECT."""
        with self.lock:
            return self._runner.run(self.text(node), _rows)

    def recall(self, name: Hashable) -> Any:
        """What was kept under a name since something was written last, or None."""
        return self._memory.recall(self.state(), name)

    def keep(self, name: Hashable, value: Any, size: int = 64) -> None:
        """Keeps what was computed from the data, a value of so many bytes, until something is written."""
        self._memory.keep(self.state(), name, value, size)

    def arrays(self, node: Tree) -> Mapping[str, Array]:
        """The columns of a SELECT as plain or masked arrays, in order."""
        with self.lock:
            return self._runner.run(self.text(node), _arrays)

    def numbers(self, text: str) -> list[NDArray[np.float64]]:
        """The columns of a SELECT of numbers as doubles, in order, NaN for NULL."""
        with self.lock:
            arrays = self._runner.run(text, _arrays)
            return [np.ma.filled(np.ma.asarray(one).astype(np.float64), np.nan) for one in arrays.values()]

    def register(self, columns: Mapping[str, Array]) -> str:
        """Makes arrays readable as a table."""
        with self.lock:
            return self._slots.fill(columns)

    def forget(self, names: Sequence[str]) -> None:
        """Lets go of registered rows."""
        with self.lock:
            self._slots.empty(names)

    def verbatim(self, text: str) -> str:
        """The one statement of a text, without what separates statements."""
        return self.connection.extract_statements(text)[0].query

    def execute(self, text: str) -> list[tuple[Any, ...]]:
        """Runs any statement as it stands.

        Raises:
            QueryError: DuckDB rejects it, with its reason.
            StorageError: it cannot be written.
        """
        with self.lock:
            try:
                rows = self._runner.run(text, _rows)
                self._note_transaction(text)
                return rows
            except (duckdb.IOException, duckdb.FatalException) as error:
                raise StorageError(str(error).partition(": ")[2]) from error
            except duckdb.Error as error:
                self._slots.lost()  # a COMMIT may have failed
                raise parse.translated(error) from error
            finally:
                self.changed()

    def _note_transaction(self, text: str) -> None:
        """Whether the user is in a transaction of his own: another BEGIN would abort it."""
        for statement in self.connection.extract_statements(text):
            if statement.type == duckdb.StatementType.TRANSACTION:
                self._slots.lost()
                self._in_transaction = statement.query.split()[0].strip(";").lower() in ("begin", "start")

    def answer(self, text: str, width: int) -> str:
        """Runs a query and keeps its rows under the name that is returned, its columns named c0, c1, ..."""
        with self.lock:
            name = self._garbage.popleft() if self._garbage else f"{_TEMPORARY}answer_{next(self._numbers)}"
            columns = ", ".join(f"c{place}" for place in range(width))
            try:
                self._runner.run(f"CREATE OR REPLACE TEMP TABLE {name}({columns}) AS {text}", _rows)
            except BaseException:
                self._garbage.append(name)
                raise
            return name

    def extend(self, name: str, text: str) -> None:
        """Adds the rows of a query to those of an answer."""
        with self.lock:
            self._runner.run(f"INSERT INTO temp.{name} {text}", _rows)

    def pivoted(self, text: str) -> tuple[str, list[str], list[str]]:
        """Runs a statement whose columns are known only afterwards: where its rows are kept, their names and types.

        Raises:
            QueryError: DuckDB rejects it, with its reason.
        """
        with self.lock:
            name = self.fresh("pivot")
            self.execute(f"CREATE TEMP TABLE {name} AS {text}")
            columns, types = parse.shape(self.connection, f"FROM temp.{name}")
            kept = self.answer(f"FROM temp.{name}", len(columns))
            self.unmake("TABLE", [name])
            return kept, columns, types

    def make(self, kind: str, name: str, columns: Sequence[str], text: str) -> None:
        """Makes a temporary TABLE or VIEW of a query, its columns under the given names."""
        with self.lock:
            quoted = ", ".join('"' + column.replace('"', '""') + '"' for column in columns)
            self._runner.run(f"CREATE OR REPLACE TEMP {kind} {name}({quoted}) AS {text}", _rows)

    def unmake(self, kind: str, names: Sequence[str]) -> None:
        """Lets go of what `make` made."""
        with self.lock, suppress(duckdb.Error):
            for name in names:
                self._runner.run(f"DROP {kind} IF EXISTS temp.{name}", _rows)

    def discard(self, name: str) -> None:
        """Lets go of an answer, when the next one takes its place: callers may be garbage collectors in the middle of
        anything."""
        self._garbage.append(name)

    def _collect(self) -> None:
        with suppress(duckdb.Error):
            while len(self._garbage) > 1:
                self._runner.run(f"DROP TABLE IF EXISTS temp.{self._garbage.popleft()}", _rows)

    def type_tree(self, name: str) -> Tree:
        """The tree of a type from its text."""
        if name not in self._types:
            with self.lock:
                self._types[name] = parse.type_tree(self.connection, name)
        return self._types[name]

    def combines(self, calls: Sequence[Tree], source: Tree) -> bool:
        """Whether aggregates over the rows of a source can be combined from their states over parts of them.

        A connection of its own is asked: that a state cannot be exported would end the transaction of this one.
        """
        if not calls or any(map(states.needs_all, calls)):
            return not calls
        with self.lock:
            read = [t.named(tree, "") for tree in states.operands(calls)]
            _, types = parse.shape(self.connection, self.text(t.select([*read, t.number(0)], source)))
            text = self.text(states.probe(calls, [self.type_tree(kind) for kind in types[:-1]]))
            if text not in self._combined:
                self._combined[text] = self._runs_apart(text)
            return self._combined[text]

    def _runs_apart(self, text: str) -> bool:
        try:
            with self.connection.cursor() as connection:
                connection.execute(text)
        except duckdb.Error:
            return False
        return True

    def cast(self, tree: Tree, type_name: str) -> Tree:
        """`CAST(tree AS type_name)`."""
        return t.cast(tree, self.type_tree(type_name))

    def encoded(self, tree: Tree, type_name: str) -> Tree:
        """A value as imputers see it."""
        return encoding.encoded(tree, type_name)

    def decoded(self, tree: Tree, type_name: str) -> Tree:
        """A value that an imputer gave, in the column's own type."""
        return encoding.decoded(tree, type_name, self.type_tree(type_name))

    def travels(self, type_name: str) -> bool:
        """Whether values of a type come through arrays as they are."""
        return type_name in encoding.EXACT


def _rows(ran: duckdb.DuckDBPyConnection) -> list[tuple[Any, ...]]:
    return ran.fetchall()


def _arrays(ran: duckdb.DuckDBPyConnection) -> Mapping[str, Array]:
    return ran.fetchnumpy()


def _hides_row_ids(shape: Shape) -> bool:
    return any(name.lower() == "rowid" for name in shape.types)


def _stamp(path: str) -> tuple[int, int] | None:
    try:
        found = os.stat(path)  # asked for often
    except OSError:
        return None
    return found.st_size, found.st_mtime_ns


def _check_kind(path: str) -> None:
    """DuckDB would open a CSV or Parquet file as a database of one view; its statistics could not be kept."""
    if not Path(path).is_file() or not Path(path).stat().st_size:
        return
    try:
        with open(path, "rb") as file:
            magic = file.read(12)[8:]
    except OSError as error:
        raise StorageError(f"cannot open {path}: {error.strerror}") from error
    if magic != b"DUCK":
        raise StorageError(f"{path} is not a DuckDB database: load it into one")


def _close_quietly(reference: "weakref.ref[DuckDB]") -> None:
    engine = reference()
    if engine is not None:
        with suppress(duckdb.Error, InternalError):
            engine.connection.close()


def _storage(path: str, error: duckdb.Error) -> StorageError:
    text = str(error).partition(": ")[2] or str(error)
    first = text.splitlines()[0]
    if "lock" in text.lower():
        return StorageError(f"{path} is in use by another process: close it there, or open a copy")
    if "not a valid DuckDB database" in text:
        return StorageError(f"{path} is not a DuckDB database")
    return StorageError(f"cannot open {path}: {first}")
