"""The tables of a session: the user's, and those created while a statement is answered."""

from collections.abc import Mapping, Sequence

import duckdb

from imputedb.algebra.relation import Table
from imputedb.engines.cache import OF_STRUCTURE
from imputedb.engines.duckdb.metadata import MetadataStore
from imputedb.engines.duckdb.resolution import DAMAGED, Resolution, damaged
from imputedb.engines.duckdb.session import Session
from imputedb.engines.entries import Shape, View
from imputedb.engines.names import OURS, SCHEMA
from imputedb.errors import UnknownName
from imputedb.sql import parse
from imputedb.sql.paths import parts_of, quoted
from imputedb.statistics.table import Statistics

_FILES = (".csv", ".tsv", ".parquet", ".json", ".jsonl", ".xlsx", ".sav", ".dta", ".rds")
"""Suffixes of names that are probably those of files."""

_COLUMNS = """
    SELECT database_name, schema_name, table_name, column_name, data_type FROM duckdb_columns()
    JOIN duckdb_tables() USING (database_name, schema_name, table_name)
    WHERE NOT duckdb_tables.internal AND schema_name <> ?
    AND NOT (database_name = 'temp' AND regexp_full_match(table_name, ?))
    ORDER BY database_name = 'temp', schema_name, table_name, column_index
"""


class Tables:
    """The tables of one session, by path and by name.

    Attributes:
        adopted: shapes and statistics of the tables that are created while a statement is answered.
        virtual: the columns of these that a star does not show.
        resolution: the meanings of paths.
    """

    def __init__(self, session: Session, store: MetadataStore) -> None:
        self.adopted: dict[Table, tuple[Shape, Statistics]] = {}
        self.virtual: dict[Table, frozenset[str]] = {}
        self.resolution = Resolution(session)
        self._session = session
        self._store = store
        self._shapes: tuple[object, dict[Table, Shape]] | None = None
        self._single: tuple[object, dict[Table, Shape]] | None = None
        self._triggers: tuple[object, bool] | None = None

    def shapes(self) -> Mapping[Table, Shape]:
        """The user's tables with their shapes, the database's own before temporary ones."""
        state = self._session.state(OF_STRUCTURE)
        if self._shapes is None or self._shapes[0] != state:
            self._shapes = (state, self._read())
        return self._shapes[1]

    def _read(self) -> dict[Table, Shape]:
        types: dict[Table, dict[str, str]] = {}
        try:
            rows = self._session.connection.execute(_COLUMNS, [SCHEMA, OURS]).fetchall()
        except DAMAGED as error:
            raise damaged(error) from error
        for *path, column, kind in rows:
            types.setdefault(Table(*path), {})[column] = kind
        return {table: self._declared(table, columns) for table, columns in types.items()}

    def _declared(self, table: Table, columns: Mapping[str, str]) -> Shape:
        missing, policies = self._store.missing(table), self._store.policies(table)
        return Shape(
            columns,
            {column: codes for column, codes in missing.items() if column in columns},
            {column: policy for column, policy in policies.items() if {column, *policy.needed} <= columns.keys()},
        )

    def has_triggers(self) -> bool:
        """Whether a write to one table may write to others."""
        state = self._session.state(OF_STRUCTURE)
        if self._triggers is None or self._triggers[0] != state:
            try:
                ((count,),) = self._session.connection.execute("SELECT count(*) FROM duckdb_triggers()").fetchall()
            except duckdb.Error:  # a version without triggers, or an aborted transaction
                count = 0
            self._triggers = (state, bool(count))
        return self._triggers[1]

    def shape(self, table: Table) -> Shape:
        """The shape of a table, either the user's or an adopted one, without reading any other table's."""
        if table in self.adopted:
            return self.adopted[table][0]
        state = self._session.state(OF_STRUCTURE)
        if self._single is None or self._single[0] != state:
            self._single = (state, {})
        known = self._single[1]
        if table not in known:
            names, types = parse.shape(self._session.connection, f"FROM {quoted(table.path)}")
            known[table] = self._declared(table, dict(zip(names, types, strict=True)))
        return known[table]

    def learnable(self, table: Table, most: int) -> Table:  # noqa: ARG002 -- all rows are at hand
        """The table itself, since all its rows are local."""
        return table

    def meant(self, path: Sequence[str], within: View | None = None) -> Table | View | None:
        """The user's table or view that a path means to DuckDB, inside the query of a view if one is given."""
        return self.resolution.meant(path, within)

    def found(self, name: str) -> Table | View | None:
        """The user's table or view of a name as a person writes it: a path with points, or one name."""
        return self.meant(parts_of(name)) or self.meant((name,))

    def called(self, table: Table) -> str:
        """The shortest name that means a table at present: alone, with its schema, or with its database too."""
        for path in (table.path[2:], table.path[1:]):
            if self.meant(path) == table:
                return path[0] if len(path) == 1 else _written(path)
        return _written(table.path)

    def named(self, name: str) -> Table:
        """The user's table of a name.

        Raises:
            UnknownName: there is none, and the message has the nearest name; or it is a view.
        """
        found = self.found(name)
        if isinstance(found, View):
            raise UnknownName(f"{name!r} is a view, not a table: name a table that it reads")
        if found is None:
            raise self._unknown(name)
        return found

    def _unknown(self, name: str) -> UnknownName:
        from difflib import get_close_matches

        if name.lower().removesuffix(".gz").removesuffix(".zst").endswith(_FILES):
            return UnknownName(f"no table {name!r}: a file is loaded first, by load or `imputedb load`")
        called = sorted(self.called(table) for table in self.shapes())
        near = get_close_matches(name, called, 1)
        hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(called) or 'no tables yet'}"
        return UnknownName(f"no table {name!r}; {hint}")

    def adopt(
        self, table: Table, types: Mapping[str, str], statistics: Statistics, virtual: Sequence[str] = ()
    ) -> None:
        """Registers a table that will be created while a statement is answered."""
        self.adopted[table] = (Shape(types), statistics)
        self.virtual[table] = frozenset(virtual)

    def adopted_as(self, name: str) -> Table | None:
        """The registered table of a name; None where there is none."""
        return next((table for table in self.adopted if table.name == name), None)

    def disown(self, name: str) -> None:
        """Removes a registered table, by its name."""
        for table in [table for table in self.adopted if table.name == name]:
            del self.adopted[table]
            del self.virtual[table]


def _written(path: Sequence[str]) -> str:
    """A path as a person writes it, quoted where a part holds a dot or a quote."""
    return ".".join(quoted((part,)) if {".", '"'} & set(part) else part for part in path)
