"""Spark as an engine: DuckDB binds statements against empty tables, Spark runs them, and rows stay in Spark."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from imputedb.algebra.relation import Table
from imputedb.engines.duckdb import variables
from imputedb.engines.duckdb.engine import DuckDB
from imputedb.engines.engine import Array, Held, Values
from imputedb.engines.entries import Shape, View
from imputedb.engines.names import CONTENT
from imputedb.engines.spark import chance, dialect
from imputedb.engines.spark.gathering import RemoteGathering
from imputedb.engines.spark.mirror import CatalogTable, Mirror
from imputedb.engines.spark.remote import Remote
from imputedb.errors import DataError, QueryError, Unplanned
from imputedb.sql import ast as t
from imputedb.sql.ast import Tree
from imputedb.sql.generate import ROW
from imputedb.sql.paths import quoted
from imputedb.sql.tokens import first_word

_HELD = ") AS held("
"""Text that marks locally held rows in imputedb's own statements."""

EQUAL = 0.01
"""Largest share of rows that may equal others, in a table without a key."""

_HERE = ("show", "describe", "desc", "prepare", "deallocate", "set", "reset")
"""First words of statements that DuckDB answers from the empty tables."""


class Spark(DuckDB):
    """The engine of one session over Spark Connect.

    Attributes:
        remote: the session of Spark.
        mirror: the empty tables.
    """

    fills_by_expression = True

    def __init__(self, remote: Remote) -> None:
        self.remote = remote
        super().__init__(":memory:")
        self.session.rows(f"SET TimeZone = '{remote.time_zone}'")
        for name, (parameters, kind) in chance.PARAMETERS.items():
            text = f"CAST(error('{name}() is computed in Spark alone') AS {kind})"
            self.session.rows(f"CREATE TEMP MACRO {name}({parameters}) AS {text}")

    def _offer(self) -> None:
        self.mirror = Mirror(self.remote, self.session)
        gathering = RemoteGathering(self.session, self.store, self.tables, self.texts, self._memory)
        gathering.engine, gathering.remote, gathering.mirror = self, self.remote, self.mirror
        self.gathering = gathering
        super()._offer()
        self.shapes, self.meant, self.found, self.named = self._shapes, self._meant, self._found, self._named
        self.fetched, self.numbers, self.held = self._fetched, self._numbers, self._held
        self.answered, self.execute = self._answered, self._execute
        self.make, self.unmake = self._make, self._unmake
        self.gather, self.extend = self._gather, self._extend
        self.learnable = self._learnable
        self.session.tidying.append(self._tidy)
        closing = self.session.close

        def close() -> None:
            closing()
            self.remote.close()

        self.session.close = close  # type: ignore[method-assign]

    def further(self) -> "Spark":
        """Refused: a session of Spark has one session here."""
        raise QueryError("a database over Spark has one session here: connect once more for another")

    # -- tables -------------------------------------------------------------------------------------------------------

    def callers_frames(self, text: str, *, statement: bool = False) -> AbstractContextManager[variables.Frames]:
        """A block without data frames of the caller's; tables that a text names are read from Spark's catalog again."""
        with self.lock:
            self.mirror.refresh_tables_of(text)
        return super().callers_frames(text, statement=statement)

    def _shapes(self) -> Mapping[Table, Shape]:
        with self.lock:
            self.mirror.refresh_all()
        return self.tables.shapes()

    def _meant(self, path: Sequence[str], within: View | None = None) -> Table | View | None:
        found = self.tables.meant(path, within)
        if found is None and len(path) < 3:
            with self.lock:
                self.mirror.refresh(path)
            found = self.tables.meant(path, within)
        return found

    def _found(self, name: str) -> Table | View | None:
        with self.lock:
            self.mirror.refresh_named(name)
        return self.tables.found(name)

    def _named(self, name: str) -> Table:
        with self.lock:
            self.mirror.refresh_named(name)
        return self.tables.named(name)

    def reading(self, table: Table, column: str, alias: str) -> Tree:
        """A stored column; under `generate.ROW`, what identifies a row: a key, or else a hash of all columns."""
        if column != ROW or table not in self.mirror.seen:
            return super().reading(table, column, alias)
        key, found = self.statistics(table).key, t.cast(t.number(0), t.plain_type("BIGINT"))
        if key is not None:
            return t.reference(alias, key)
        names = list(self.shape(table).types)
        self._check_distinct(table, names)
        for name in names:
            found = t.call(CONTENT, found, t.reference(alias, name))
        return found

    def forget(self, names: Sequence[str]) -> None:
        """Releases registered arrays, and views of draws."""
        self._unmake("VIEW", [name for name in names if name in self.mirror.views])
        super().forget([name for name in names if name in self.slots.used])

    # -- statements ---------------------------------------------------------------------------------------------------

    def rows(self, node: Tree) -> list[tuple[Any, ...]]:
        """The rows of a small SELECT."""
        return self._fetched(self.text(node))

    def arrays(self, node: Tree) -> Mapping[str, Array]:
        """The columns of a SELECT over local rows as arrays; rows of Spark are not fetched."""
        text = self.text(node)
        if self.mirror.names_in(text) is not None:
            _refuse_rows()
        return self.session.arrays(text)

    def _numbers(self, text: str) -> list[NDArray[np.float64]]:
        if _HELD in text:  # DuckDB cannot list the tables of such a text
            return self.session.numbers(text)
        with self._lending(text) as names:
            if names is None:
                return self.session.numbers(text)
            held = self._of_spark(text, names)
            return self.session.numbers(f"SELECT * FROM {held.source}")

    @contextmanager
    def _lending(self, text: str) -> Iterator[dialect.Names | None]:
        """The meanings of names in one of imputedb's statements, whose small local tables are copied to Spark."""
        here = self.mirror.local_tables(text)
        if not here:
            yield self.mirror.names_in(text)
            return
        with self.lock:
            try:
                for path in here:
                    rows = f"SELECT * FROM {quoted(path)}"
                    columns = dict(zip(*self.texts.described(rows), strict=True))
                    name, found = self.fresh("view"), self.connection.sql(rows).to_arrow_table()
                    self.remote.upload(name, found)
                    self.mirror.uploaded[path] = CatalogTable((name,), columns, "")
                yield self.mirror.names_in(text)
            finally:
                for path in here:
                    if path in self.mirror.uploaded:
                        self.remote.drop_view(self.mirror.uploaded.pop(path).path[-1])

    def _gather(self, text: str, width: int) -> str:
        names = self.mirror.names_in(text)
        if names is None:
            return self.temporary.rows(text, width)
        held = self._of_spark(text, names)
        return self.temporary.rows(f"SELECT * FROM {held.source}", width)

    def _extend(self, name: str, text: str) -> None:
        names = self.mirror.names_in(text)
        if names is None:
            self.temporary.extend(name, text)
            return
        held = self._of_spark(text, names)
        self.temporary.extend(name, f"SELECT * FROM {held.source}")

    def _fetched(self, text: str, values: Values = None) -> list[tuple[Any, ...]]:
        names = None if values else self.mirror.names_in(text)
        if names is None:
            return self.session.rows(text, values)
        held = self._of_spark(text, names)
        return self.session.rows(f"SELECT * FROM {held.source}")

    def _held(self, text: str, *, last: bool = False) -> Held:
        names = self.mirror.names_in(text)
        return self.session.held(text, last=last) if names is None else self._of_spark(text, names)

    def _answered(self, text: str, values: Values = None) -> tuple[Held, list[str], list[str]]:
        self._check_statement(text)
        names = self.mirror.names_in(text)
        if names is None:
            return self.session.answered(text, values)
        if values:
            raise Unplanned("parameters of a statement that is run as it stands are not written for Spark")
        columns, types = self.texts.described(text)
        return self._of_spark(text, names), columns, types

    def _execute(self, text: str, values: Values = None) -> list[tuple[Any, ...]]:
        with self.lock:
            self.mirror.refresh_tables_of(text)
        return self._fetched_of(self._answered(text, values)[0])

    def _fetched_of(self, held: Held) -> list[tuple[Any, ...]]:
        return self.session.rows(f"SELECT * FROM {held.source}")

    def _check_statement(self, text: str) -> None:
        word = first_word(text)
        if word in ("select", "with", "from", "values", "(") or word in _HERE:
            if word in ("show", "describe", "desc"):
                self._shapes()
            return
        raise Unplanned(f"{word.upper()} is not run over Spark: its tables are written in a session of Spark's own")

    def _of_spark(self, text: str, names: dialect.Names) -> Held:
        """The rows that Spark returns for a query, held locally in the types that DuckDB gives them."""
        with self.lock:
            _, types = self.texts.described(text)
            found = self.remote.answer(dialect.in_spark(text, names))
            return self._shown(found, dict(zip(found.column_names, types, strict=True)))

    def _shown(self, rows: Any, types: Mapping[str, str]) -> Held:
        name = self.fresh("rows")
        self.connection.register(name, rows)
        try:
            listed = ", ".join(f"CAST({quoted((column,))} AS {kind})" for column, kind in types.items())
            return self.session.held(f"SELECT {listed} FROM {name}")
        finally:
            self.connection.unregister(name)

    # -- rows shared between statements -------------------------------------------------------------------------------

    def collected(self, rows: Any, columns: Mapping[str, str]) -> Table:
        """A temporary local table of collected rows, with given types, in an order that only their values decide."""
        with self.lock:
            held = self._shown(rows, dict(zip(rows.column_names, columns.values(), strict=True)))
            name = self.fresh("rows")
            self.temporary.make("TABLE", name, list(columns), f"SELECT * FROM {held.source} ORDER BY ALL")
            return Table("temp", "main", name)

    def _learnable(self, table: Table, most: int) -> Table:
        """A local table of at most `most` rows of a table, with its declarations."""
        statistics, shape = self.statistics(table), self.shape(table)
        if table not in self.mirror.seen:
            return table
        path = self.mirror.seen[table].path
        if statistics.key is None:
            self._check_distinct(table, list(shape.types))
        by = [statistics.key] if statistics.key else list(shape.types)
        share = min(1.0, 0.98 * most / max(statistics.rows, 1)) if statistics.rows > most else 1.0
        sample = self.collected(self.remote.sample(path, list(shape.types), share, most, by), shape.types)
        self.tables.adopted[sample] = (shape, statistics)
        self.tables.virtual[sample] = frozenset()
        return sample

    def _check_distinct(self, table: Table, names: Sequence[str]) -> None:
        path, key = self.mirror.seen[table].path, ("different rows", table)
        found: tuple[int, int] | None = self.recall(key)
        if found is None:
            found = self.remote.counts(path, names)
            self.keep(key, found, tables=[table])
        rows, different = found
        if rows - different > EQUAL * rows:
            raise DataError(
                f"{'.'.join(path)} has no column that tells its rows apart, and {rows - different:,} of {rows:,} are "
                "equal to others, so that these would be imputed alike: give it a key in a view"
            )

    def _make(self, kind: str, name: str, columns: Sequence[str], text: str) -> None:
        """Creates a view of a query in Spark, and an empty local table with its columns."""
        names = self.mirror.names_in(text)
        if names is None:
            self.temporary.make(kind, name, columns, text)
            return
        with self.lock:
            _, types = self.texts.described(text)
            self.remote.make_view(name, columns, dialect.in_spark(text, names, ordered=False))
            self.mirror.views[name] = dict(zip(columns, types, strict=True))
            self.temporary.make("TABLE", name, columns, text)

    def _unmake(self, kind: str, names: Sequence[str]) -> None:
        remote = [name for name in names if self.mirror.views.pop(name, None) is not None]
        self.temporary.unmake(kind, [name for name in names if name not in remote])
        self.temporary.unmake("TABLE", remote)
        for name in remote:
            self.remote.drop_view(name)

    def _tidy(self) -> None:
        for name in list(self.mirror.views):
            self._unmake("TABLE", [name])

    # -- refused ways to load data ------------------------------------------------------------------------------------

    def load(self, *_: Any, **__: Any) -> NoReturn:
        """Refused: tables are loaded by Spark itself."""
        raise QueryError("files are not loaded into Spark here: make a table or a view of them in a session of Spark's")

    def take(self, *_: Any, **__: Any) -> NoReturn:
        """Refused: data frames are loaded by Spark itself."""
        raise QueryError(
            "frames are not copied into Spark here: spark.createDataFrame(...).createOrReplaceTempView(...)"
        )


def _refuse_rows() -> NoReturn:
    raise Unplanned(
        "this would fetch the rows of a table from Spark, and they stay there: what is computed of single rows here, "
        "such as imputers that are handed rows, is not had over Spark"
    )
