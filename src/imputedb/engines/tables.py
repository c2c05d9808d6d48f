"""What tables there are: the user's, and those that are made while a statement is answered."""

from collections.abc import Mapping

from imputedb.algebra.relation import Table
from imputedb.engines.engine import Shape
from imputedb.engines.session import Session
from imputedb.engines.store import SCHEMA, Store
from imputedb.engines.temporary import PREFIX
from imputedb.errors import UnknownName
from imputedb.statistics.statistics import Statistics

_COLUMNS = """
    SELECT database_name, schema_name, table_name, column_name, data_type FROM duckdb_columns()
    JOIN duckdb_tables() USING (database_name, schema_name, table_name)
    WHERE NOT duckdb_tables.internal AND schema_name <> ? AND NOT starts_with(table_name, ?)
    ORDER BY database_name = 'temp', schema_name, table_name, column_index
"""


class Tables:
    """The tables of one session, by path and by name.

    Attributes:
        adopted: columns and statistics of the tables that are made while a statement is answered.
    """

    def __init__(self, session: Session, store: Store) -> None:
        self.adopted: dict[Table, tuple[Shape, Statistics]] = {}
        self._session = session
        self._store = store
        self._shapes: tuple[object, dict[Table, Shape]] | None = None

    def shapes(self) -> Mapping[Table, Shape]:
        """The user's tables, the database's own before temporary ones."""
        state = self._session.state()
        if self._shapes is None or self._shapes[0] != state:
            self._shapes = (state, self._read())
        return self._shapes[1]

    def _read(self) -> dict[Table, Shape]:
        types: dict[Table, dict[str, str]] = {}
        for *path, column, kind in self._session.connection.execute(_COLUMNS, [SCHEMA, PREFIX]).fetchall():
            types.setdefault(Table(*path), {})[column] = kind
        return {
            table: Shape(columns, self._store.missing(table), self._store.policies(table))
            for table, columns in types.items()
        }

    def same_in(self, after: object, before: object) -> None:
        """Says that the user's tables are in one state what they were in another."""
        if self._shapes and self._shapes[0] == before:
            self._shapes = (after, self._shapes[1])

    def shape(self, table: Table) -> Shape:
        """The columns of a table of either kind."""
        return self.adopted[table][0] if table in self.adopted else self.shapes()[table]

    def names(self) -> Mapping[str, Table]:
        """The user's tables by lower-case name: bare, with the schema, with the catalog."""
        names: dict[str, Table] = {}
        for table in self.shapes():
            path = [part.lower() for part in table.path]
            for start in range(3):
                names.setdefault(".".join(path[start:]), table)
            names.setdefault(f"{path[0]}.{path[2]}", table)
        return names

    def named(self, name: str) -> Table:
        """The user's table of a name.

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

    def adopt(self, table: Table, types: Mapping[str, str], statistics: Statistics) -> None:
        """Takes note of a table that will be made while a statement is answered."""
        self.adopted[table] = (Shape(types), statistics)

    def adopted_as(self, name: str) -> Table | None:
        """Such a table by its name."""
        return next((table for table in self.adopted if table.name == name), None)

    def disown(self, name: str) -> None:
        """Forgets such a table, by its name."""
        for table in [table for table in self.adopted if table.name == name]:
            del self.adopted[table]
