"""A session of Spark Connect: its tables, and statements in Spark's dialect."""

import hashlib
import socket
import sys
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

from imputedb.engines.spark.dialect import quoted
from imputedb.engines.spark.errors import translated
from imputedb.engines.spark.opening import OLDEST
from imputedb.errors import DataError, QueryError, StorageError

PORT = 15002
"""The default port of Spark Connect servers."""
SECONDS = 10
"""Time limit in seconds to reach a server."""

_TYPES = {
    "boolean": "BOOLEAN",
    "tinyint": "TINYINT",
    "smallint": "SMALLINT",
    "int": "INTEGER",
    "bigint": "BIGINT",
    "float": "FLOAT",
    "double": "DOUBLE",
    "string": "VARCHAR",
    "date": "DATE",
    "timestamp": "TIMESTAMP WITH TIME ZONE",
    "timestamp_ntz": "TIMESTAMP",
    "binary": "BLOB",
}
"""DuckDB's types for Spark's; tables with other types are refused by name."""

_PRIME = 1_000_000_007


class Remote:
    """One session of Spark Connect.

    Attributes:
        where: the address of the server, or a phrase for a given session.
        time_zone: the session's time zone.
    """

    def __init__(self, session: Any, where: str, *, is_ours: bool) -> None:
        self._session = session
        self._is_ours = is_ours
        self.where = where
        _check_kind(session)
        with translated(where):
            version = str(session.version)
            strict = _setting(session, "spark.sql.ansi.enabled", "true")
            self.time_zone = _setting(session, "spark.sql.session.timeZone", "UTC")
        if not version.split(".")[0].isdigit() or int(version.split(".")[0]) < OLDEST:
            raise QueryError(f"Spark at {where} is version {version}: it is to be {OLDEST}.0 or later")
        if strict.lower() != "true":
            raise QueryError(
                f"Spark at {where} has spark.sql.ansi.enabled={strict}, by which numbers that overflow are wrong "
                "without a word: set it to true"
            )

    def close(self) -> None:
        """Closes the session, if it was opened here."""
        if self._is_ours:
            with translated(self.where):
                self._session.stop()

    # -- tables -------------------------------------------------------------------------------------------------------

    def tables(self) -> list[str]:
        """The names of the tables and temporary views of the current database."""
        with translated(self.where):
            return [str(row["tableName"]) for row in self._session.sql("SHOW TABLES").collect()]

    def columns(self, path: Sequence[str]) -> dict[str, str] | None:
        """The columns of a table with DuckDB's types; None where there is no such table.

        Raises:
            DataError: a column has an unsupported type, or shares its name with another.
        """
        with translated(self.where):
            try:
                fields = self._session.table(quoted(path)).schema.fields
            except Exception as error:
                if "NOT_FOUND" in str(error) or "not found" in str(error).lower():
                    return None
                raise
        found: dict[str, str] = {}
        for field in fields:
            name, kind = str(field.name), str(field.dataType.simpleString())
            if name.lower() in (known.lower() for known in found):
                raise DataError(f"table {'.'.join(path)} of Spark has two columns {name}: rename one in a view")
            found[name] = _type(kind, name, path)
        return found

    def state(self, path: Sequence[str], columns: Sequence[str]) -> str:
        """An identification of a table's present rows.

        It hashes the names of the table's files if Spark has written them. Otherwise it is a count and a sum over the
        rows, which takes one job.
        """
        with translated(self.where):
            files = sorted(map(str, self._session.table(quoted(path)).inputFiles()))
            if files and all(name.rsplit("/", 1)[-1].startswith("part-") for name in files):
                return hashlib.sha256("\n".join(files).encode()).hexdigest()
            hashed = f"xxhash64({', '.join(quoted([name]) for name in columns)}) % {_PRIME}"
            ((count, total),) = self._session.sql(f"SELECT count(*), sum({hashed}) FROM {quoted(path)}").collect()
        return f"{count} {total}"

    # -- statements ---------------------------------------------------------------------------------------------------

    def answer(self, text: str) -> Any:
        """The rows of a query as an Arrow table, its columns named c0, c1, ..."""
        with translated(self.where):
            found = self._session.sql(text).toArrow()
        return found.rename_columns([f"c{place}" for place in range(found.num_columns)])

    def make_view(self, name: str, columns: Sequence[str], text: str) -> None:
        """Creates a temporary view of a query, with the given column names."""
        with translated(self.where):
            self._session.sql(text).toDF(*columns).createOrReplaceTempView(name)

    def upload(self, name: str, rows: Any) -> None:
        """Creates a temporary view of a small Arrow table."""
        with translated(self.where):
            self._session.createDataFrame(rows).createOrReplaceTempView(name)

    def drop_view(self, name: str) -> None:
        """Drops a temporary view."""
        with translated(self.where):
            self._session.catalog.dropTempView(name)

    def counts(self, path: Sequence[str], columns: Sequence[str]) -> tuple[int, int]:
        """The number of rows of a table, and that of distinct rows."""
        hashed = f"xxhash64({', '.join(quoted([name]) for name in columns)})"
        with translated(self.where):
            text = f"SELECT count(*), count(DISTINCT {hashed}) FROM {quoted(path)}"
            ((rows, apart),) = self._session.sql(text).collect()
        return int(rows), int(apart)

    def sample(
        self, path: Sequence[str], columns: Sequence[str], share: float, most: int, by: Sequence[str] = ()
    ) -> Any:
        """Rows of a table as an Arrow table: all if `share` is 1, else a share by a hash of some or all columns."""
        listed = ", ".join(quoted([name]) for name in columns)
        hashed = f"xxhash64({', '.join(quoted([name]) for name in by or columns)})"
        few = f" WHERE pmod({hashed}, 1000000) < {int(share * 1e6) + 1} ORDER BY {hashed} LIMIT {most}"
        picked = few if share < 1 else ""
        return self.answer(f"SELECT {listed} FROM {quoted(path)}{picked}")


def opened(address: str) -> Remote:
    """A new session at an address such as `sc://host:15002`.

    Raises:
        StorageError: no server answers there.
    """
    _check_reachable(address)
    builder = client().builder
    with translated(address):
        return Remote(builder.remote(address).create(), address, is_ours=True)


def client() -> Any:
    """The class of Spark Connect sessions.

    Spark's client mistakes a program that is no file, such as that of `python -c`, for its own doctests, and ends the
    process.
    """
    main = sys.modules["__main__"]
    is_lacking = not hasattr(main, "__file__")
    if is_lacking:
        main.__file__ = ""
    try:
        from pyspark.sql.connect.session import SparkSession
    finally:
        if is_lacking:
            del main.__file__
    return SparkSession


def remote_of(session: Any) -> Remote:
    """A given session.

    Raises:
        QueryError: it is not a session of Spark Connect.
    """
    return Remote(session, "the session that was given", is_ours=False)


def _check_reachable(address: str) -> None:
    """Raises an error where no server listens, since Spark's client would retry for minutes."""
    try:
        place = urlsplit(address)
        with socket.create_connection((place.hostname or "", place.port or PORT), SECONDS):
            pass
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise StorageError(f"no server of Spark Connect at {address}: {reason}; it is sc://host:{PORT}") from error


def _check_kind(session: Any) -> None:
    kind = type(session)
    if kind.__name__ != "SparkSession":
        raise QueryError(f"spark is {session!r}; it is a session of Spark Connect, or connect('sc://host:15002')")
    if ".connect." not in f"{kind.__module__}.":
        raise QueryError(
            "this session of Spark has its JVM in this process; over Spark Connect is answered: "
            "SparkSession.builder.remote('sc://host:15002')"
        )


def _setting(session: Any, name: str, default: str) -> str:
    found = session.conf.get(name, default)
    return default if found is None else str(found)


def _type(kind: str, name: str, path: Sequence[str]) -> str:
    if kind.startswith("decimal("):
        return kind.upper()
    if kind.startswith(("varchar(", "char(")):
        return "VARCHAR"
    if kind in _TYPES:
        return _TYPES[kind]
    raise DataError(
        f"{'.'.join(path)}.{name} is of type {kind[:60]}, which is not read on Spark: leave the column out in a view"
    )
