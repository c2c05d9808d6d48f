"""A check of an imputer through queries to a database."""

from imputedb.database import connect
from imputedb.imputers.protocol import Imputer
from imputedb.testing.check import require

_ROWS = 60

_COLUMNS = {
    "i": "CAST(n % 17 AS INTEGER)",
    "u": "CAST(n AS UTINYINT)",
    "d": "n * 0.5",
    "e": "CAST(n * 0.25 AS DECIMAL(9, 2))",
    "b": "n % 3 = 0",
    "s": "['red', 'green', 'blue'][1 + n % 3]",
    "day": "DATE '2020-01-01' + CAST(n AS INTEGER)",
    "moment": "TIMESTAMP '2020-01-01 10:00:00' + to_hours(n)",
}
"""By column, values that follow from n."""


def answers_queries(imputer: Imputer) -> None:
    """Checks that columns of every type are imputed within the type, by one draw and by several.

    Raises:
        ExtensionError: a value is still missing, or a query fails.
    """
    with connect() as db:
        parts = [
            f"CASE WHEN (n * 7 + {at}) % 5 > 0 THEN {text} END AS {name}"
            for at, (name, text) in enumerate(_COLUMNS.items())
        ]
        db.execute(f"CREATE TABLE t AS SELECT n, {', '.join(parts)} FROM range({_ROWS}) AS r(n)")
        found = db.sql("SELECT * FROM t ORDER BY n", imputer=imputer)
        rows = found.fetchall()
        require(len(rows) == _ROWS, f"{len(rows)} rows come out of {_ROWS}")
        types = [row[1] for row in db.execute("DESCRIBE t")]
        require(found.types == types, f"columns of types {types} come out as {found.types}")
        for place, name in enumerate(found.columns):
            require(all(row[place] is not None for row in rows), f"{name}, which is {types[place]}, is still missing")
        stored = db.execute("SELECT * FROM t ORDER BY n")
        for old, new in zip(stored, rows, strict=True):
            require(all(a is None or a == b for a, b in zip(old, new, strict=True)), "an observed value is changed")
        db.sql("SELECT s, avg(d), count(*) FILTER (WHERE i > 8) FROM t GROUP BY s", imputer=imputer, m=3).fetchall()
