"""PEP 249, section by section, in the order of its text."""

import datetime
import inspect
import time
from collections.abc import Iterator
from typing import Any

import pytest

from imputedb import dbapi
from imputedb.dbapi import Connection, Cursor

ROWS = [("a", 1), ("b", None), ("c", 3)]


@pytest.fixture
def connection() -> Iterator[Connection]:
    with dbapi.connect(imputer="mean") as one:
        cursor = one.cursor()
        cursor.execute("CREATE TABLE t (name VARCHAR, n INTEGER)")
        cursor.executemany("INSERT INTO t VALUES (?, ?)", ROWS)
        one.commit()
        yield one


@pytest.fixture
def cursor(connection: Connection) -> Cursor:
    return connection.cursor()


def test_module() -> None:
    assert callable(dbapi.connect)
    assert dbapi.apilevel == "2.0"
    assert dbapi.threadsafety in (0, 1, 2, 3)
    assert dbapi.paramstyle in ("qmark", "numeric", "named", "format", "pyformat")
    layout = {"Warning": Exception, "Error": Exception, "InterfaceError": dbapi.Error, "DatabaseError": dbapi.Error}
    layout |= dict.fromkeys(("DataError", "OperationalError", "IntegrityError", "InternalError", "ProgrammingError",
                             "NotSupportedError"), dbapi.DatabaseError)  # fmt: skip
    for name, parent in layout.items():
        assert getattr(dbapi, name).__mro__[1] is parent
    kinds = {"Date": (2002, 12, 25), "Time": (13, 45, 30), "Timestamp": (2002, 12, 25, 13, 45, 30)}
    for name, given in kinds.items():
        made = getattr(dbapi, name)(*given)
        ticks = time.mktime((2002, 12, 25, 13, 45, 30, 0, 0, 0))
        assert str(getattr(dbapi, f"{name}FromTicks")(ticks)) == str(made)
    assert dbapi.Binary(b"x") == b"x"
    for name in ("STRING", "BINARY", "NUMBER", "DATETIME", "ROWID"):
        assert getattr(dbapi, name) is not None


def test_connections_and_cursors_have_what_is_asked_for(connection: Connection, cursor: Cursor) -> None:
    for name in ("close", "commit", "rollback", "cursor"):
        assert callable(getattr(connection, name))
    for name in ("close", "execute", "executemany", "fetchone", "fetchmany", "fetchall", "setinputsizes",
                 "setoutputsize", "__iter__"):  # fmt: skip
        assert callable(getattr(cursor, name))
    assert (cursor.description, cursor.rowcount, cursor.arraysize) == (None, -1, 1)
    cursor.setinputsizes([25, None])
    cursor.setoutputsize(1000)
    cursor.setoutputsize(1000, 0)
    assert list(inspect.signature(cursor.fetchmany).parameters) == ["size"]


def test_cursors_of_one_connection_are_not_isolated_and_connections_are(connection: Connection) -> None:
    one, other = connection.cursor(), connection.cursor()
    one.execute("INSERT INTO t VALUES ('d', 4)")
    assert other.execute("SELECT count(*) FROM t").fetchone() == (4,)
    connection.rollback()
    assert other.execute("SELECT count(*) FROM t").fetchone() == (3,)


def test_fetching(cursor: Cursor) -> None:
    for fetch in (cursor.fetchone, cursor.fetchmany, cursor.fetchall):
        with pytest.raises(dbapi.Error):
            fetch()
    cursor.execute("SELECT name FROM t ORDER BY name")
    assert cursor.rowcount in (-1, 3)
    assert len(cursor.fetchmany()) == 1
    assert (cursor.fetchmany(10), cursor.fetchmany(4), cursor.fetchone()) == ([("b",), ("c",)], [], None)
    cursor.arraysize = 2
    cursor.execute("SELECT name FROM t ORDER BY name")
    assert (len(cursor.fetchmany()), cursor.fetchall(), cursor.fetchall()) == (2, [("c",)], [])
    cursor.execute("SELECT name FROM t ORDER BY name")
    assert (len(cursor.fetchall()), cursor.fetchall(), cursor.fetchone()) == (3, [], None)
    cursor.execute("SELECT name FROM t WHERE name = 'z'")
    assert (cursor.fetchone(), cursor.fetchmany(), cursor.fetchall(), cursor.rowcount) == (None, [], [], 0)
    cursor.execute("SELECT name FROM t ORDER BY name")
    assert [name for (name,) in cursor] == ["a", "b", "c"]
    cursor.execute("UPDATE t SET n = 1")
    for fetch in (cursor.fetchone, cursor.fetchmany, cursor.fetchall):
        with pytest.raises(dbapi.Error):
            fetch()


def test_descriptions(cursor: Cursor) -> None:
    cursor.execute("SELECT name, n AS number, n::DOUBLE AS number FROM t")
    assert cursor.description is not None
    assert [column[0] for column in cursor.description] == ["name", "number", "number"]
    assert all(len(column) == 7 for column in cursor.description)
    assert cursor.description[0][1] == dbapi.STRING
    assert cursor.description[1][1] == dbapi.NUMBER
    cursor.execute("DELETE FROM t")
    assert cursor.description is None


@pytest.mark.parametrize(
    ("kind", "scalars"),
    [(dbapi.NUMBER, ("DECIMAL(3,1)", "INTEGER", "DOUBLE")), (dbapi.STRING, ("VARCHAR", "ENUM('a', 'b)')")),
     (dbapi.DATETIME, ("DATE", "TIMESTAMP WITH TIME ZONE")), (dbapi.BINARY, ("BLOB",))],
)  # fmt: skip
def test_lists_and_other_nested_types_are_no_scalars(kind: Any, scalars: tuple[str, ...]) -> None:
    for scalar in scalars:
        assert kind == scalar
        nested = (f"{scalar}[]", f"{scalar}[3]", f"{scalar}[][]", f"STRUCT(a {scalar})", f"MAP({scalar}, {scalar})")
        assert all(kind != one for one in nested)


def test_values_come_back(cursor: Cursor) -> None:
    given = ("it's", 2**40, 1.5, True, None, b"\x00'", datetime.date(2020, 2, 29), datetime.datetime(2020, 1, 1, 2, 3))
    assert cursor.execute(f"SELECT {', '.join('?' * len(given))}", given).fetchone() == given
    assert cursor.execute("SELECT ?", ["'; DROP TABLE t; --"]).fetchone() == ("'; DROP TABLE t; --",)


PREPARED = """
PREPARE "rows" AS SELECT 7 AS "Count"; PREPARE silent AS SELECT true AS "Success" WHERE false;
PREPARE more AS INSERT INTO t VALUES ('x', 1), ('y', 2); PREPARE given AS INSERT INTO t VALUES ('z', $1) RETURNING n;
CREATE MACRO counts() AS TABLE SELECT 5 AS "Count"
"""


@pytest.mark.parametrize(
    ("text", "rows", "count"),
    [
        ('SELECT 7 AS "Count"', [(7,)], 1),
        ('EXECUTE "rows"', [(7,)], 1),
        ("EXECUTE silent", [], 0),
        ("EXECUTE more", None, 2),
        ("EXECUTE given(9)", [(9,)], 1),
        ("FROM counts()", [(5,)], 1),
        ("INSERT INTO t VALUES ('d', 4) RETURNING n AS \"Count\"", [(4,)], 1),
        ("UPDATE t SET n = 5 WHERE name = 'a' RETURNING n AS \"Count\"", [(5,)], 1),
        ("DELETE FROM t RETURNING true AS \"Success\"", [(True,)] * 3, 3),
        ("WITH c AS (SELECT 'd' AS d) INSERT INTO t SELECT d, 6 FROM c RETURNING n AS \"Count\"", [(6,)], 1),
        ("INSERT INTO t SELECT name, n FROM t", None, 3),
        ("INSERT INTO t SELECT name, n FROM t WHERE n > 1", None, 2),
        ("INSERT INTO t (n) SELECT count(*) FROM (PIVOT t ON name IN ('a') USING sum(n))", None, 1),
        ("CREATE TABLE u AS PIVOT t ON name USING sum(n)", None, None),
        ("TRUNCATE t", None, 3),
        ("CREATE VIEW v AS SELECT 1 AS \"Count\"", None, -1),
        ("PRAGMA enable_object_cache", None, -1),
        ("CALL counts()", [(5,)], 1),
        ("CHECKPOINT", None, -1),
        ("SET threads = 1", None, -1),
    ],
)  # fmt: skip
def test_statements_say_whether_they_give_rows(
    cursor: Cursor, text: str, rows: list[Any] | None, count: int | None
) -> None:
    for statement in PREPARED.split(";"):
        cursor.execute(statement)
    cursor.connection.commit()
    cursor.execute(text)
    assert (cursor.description is None) == (rows is None)
    if count is not None:
        assert cursor.rowcount == count
    if rows is not None:
        assert cursor.fetchall() == rows
