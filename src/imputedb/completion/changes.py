"""Changes of rows since an earlier run, by key: rows that are new, changed, the same, or gone."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from imputedb.algebra.relation import Table
from imputedb.engines.engine import Engine
from imputedb.errors import DataError, QueryError, UnknownName
from imputedb.sql import ast as t
from imputedb.sql.generate import ROW as ROW_ID
from imputedb.sql.paths import one_file, quoted
from imputedb.sql.tokens import string_literal

ROW, PLACE, HASH, BASE, CHANGE = ".row", ".place", ".hash", ".base", ".change"
"""Columns of the index of rows: row id, place in the files of its run, hash of all values, place in the earlier run's
files, and the change."""

NEW, CHANGED, SAME, GONE = "new", "changed", "same", "gone"

_WHOLE = ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "UTINYINT", "USMALLINT", "UINTEGER")


@dataclass(frozen=True, slots=True)
class Changes:
    """The rows of a table beside those of an earlier run.

    Attributes:
        engine: engine that holds the rows.
        key: columns of the key.
        index: temporary table with a line for each row: row id, key, hash, place in the earlier run, and change.
        earlier: index file of the earlier run; None where there is none.
    """

    engine: Engine
    key: tuple[str, ...]
    index: str
    earlier: Path | None

    def counts(self) -> dict[str, int]:
        """Number of rows by change."""
        change, index = quoted((CHANGE,)), quoted((self.index,))
        text = f"SELECT {change}, count(*) FROM {index} GROUP BY ALL"
        found = {str(name): int(n) for name, n in self.engine.fetched(text)}
        missing = self.engine.fetched(f"SELECT count(*) FROM ({self._removed})")[0][0] if self._removed else 0
        return {NEW: 0, CHANGED: 0, SAME: 0} | found | {GONE: int(missing)}

    def text(self) -> str:
        """The SELECT of the index as it is kept with a run, in the order of its files; rows that are gone come last."""
        row, names = quoted((ROW,)), ", ".join(quoted((name,)) for name in (*self.key, HASH, CHANGE))
        place = quoted((PLACE,))
        index = f"SELECT row_number() OVER (ORDER BY {row}) - 1 AS {place}, {names} FROM {quoted((self.index,))}"
        missing = f" UNION ALL SELECT NULL, {names} FROM ({self._removed})" if self._removed else ""
        return f"SELECT * FROM ({index}{missing}) ORDER BY {place} NULLS LAST, {_names(self.key)}"

    def numbers(self, rows: str) -> NDArray[np.int64]:
        """(n,) a whole number for each row of a table, by its key, in the order of row ids.

        It is the key if that is one whole number; of others the first 60 bits of a hash of their texts.
        """
        kinds = self.engine.outputs(f"SELECT {_names(self.key)} FROM {quoted((rows,))}")[1]
        texts = [f"CAST({_in_any_zone(name, kind)} AS VARCHAR)" for name, kind in zip(self.key, kinds, strict=True)]
        hashed = texts[0] if len(texts) == 1 else " || ".join(f"md5({text})" for text in texts)
        number = f"CAST('0x' || substring(md5({hashed}), 1, 15) AS BIGINT)"
        kind = kinds[0]
        if len(self.key) == 1 and kind in _WHOLE:
            number = f"CAST({quoted(self.key)} AS BIGINT)"
        found = self.engine.fetched(f"SELECT {number} FROM {quoted((rows,))} ORDER BY {quoted((ROW,))}")
        return np.fromiter((one for (one,) in found), np.int64, len(found))

    @property
    def _removed(self) -> str:
        """The SELECT of the earlier rows that are there no more; empty where there is no earlier run."""
        if self.earlier is None:
            return ""
        here = " AND ".join(f"i.{quoted((name,))} = b.{quoted((name,))}" for name in self.key)
        columns = ", ".join(f"b.{quoted((name,))}" for name in (*self.key, HASH))
        return (
            f"SELECT {columns}, '{GONE}' AS {quoted((CHANGE,))} FROM {_file(self.earlier)} AS b "
            f"WHERE b.{quoted((PLACE,))} IS NOT NULL "
            f"AND NOT EXISTS (FROM {quoted((self.index,))} AS i WHERE {here})"
        )


@contextmanager
def since(
    engine: Engine, table: Table, types: Mapping[str, str], key: Sequence[str], earlier: Path | None
) -> Iterator[Changes]:
    """The changes of a table's rows since an earlier run; a row has changed if any of its values has."""
    references = [t.reference("t", name) for name in types]
    items = [t.named(engine.reading(table, ROW_ID, "t"), ROW), *(t.reference("t", name) for name in key)]
    text = engine.text(t.select([*items, t.named(t.call("hash", *references), HASH)], engine.source(table, "t")))
    hashed, place, change = (quoted((name,)) for name in (HASH, PLACE, CHANGE))
    if earlier is None:
        text = f"SELECT n.*, NULL AS {quoted((BASE,))}, '{NEW}' AS {change} FROM ({text}) AS n"
    else:
        same = " AND ".join(f"n.{quoted((name,))} = b.{quoted((name,))}" for name in key)
        which = (
            f"CASE WHEN b.{place} IS NULL THEN '{NEW}' WHEN b.{hashed} = n.{hashed} THEN '{SAME}' ELSE '{CHANGED}' END"
        )
        text = (
            f"SELECT n.*, b.{place} AS {quoted((BASE,))}, {which} AS {change} FROM ({text}) AS n "
            f"LEFT JOIN (FROM {_file(earlier)} WHERE {place} IS NOT NULL) AS b ON {same}"
        )
    index = engine.stage(text)
    try:
        yield Changes(engine, tuple(key), index, earlier)
    finally:
        engine.unmake("TABLE", [index])


def own_key(types: Mapping[str, str], key: Sequence[str]) -> tuple[str, ...]:
    """The columns of a key in the spelling of the table.

    Raises:
        UnknownName: there is no such column.
        QueryError: no column is named, or one twice.
    """
    names = {name.casefold(): name for name in types}
    for name in key:
        if name.casefold() not in names:
            raise UnknownName(f"no column {name!r} for the key; there are {', '.join(types)}")
    found = tuple(names[name.casefold()] for name in key)
    if not found or len(set(found)) < len(found):
        raise QueryError("a key is one column, or several different ones")
    return found


def check_key(engine: Engine, table: Table, key: Sequence[str]) -> None:
    """Refuses a key that does not tell rows apart.

    Raises:
        DataError: it is missing in a row, or two rows have the same.
    """
    names = _names(key)
    missing = " OR ".join(f"{quoted((name,))} IS NULL" for name in key)
    text = f"SELECT count(*), count(*) FILTER (WHERE {missing}) FROM {quoted(table.path)}"
    ((rows, absent),) = engine.fetched(text)
    ((apart,),) = engine.fetched(f"SELECT count(*) FROM (SELECT DISTINCT {names} FROM {quoted(table.path)})")
    if absent:
        raise DataError(
            f"the key ({', '.join(key)}) is missing in {absent:,} of {rows:,} rows: it has to tell rows apart"
        )
    if apart < rows:
        raise DataError(
            f"the key ({', '.join(key)}) has {apart:,} values in {rows:,} rows: take the last version of each row in a "
            "SELECT, or name further columns"
        )


def _names(key: Sequence[str]) -> str:
    return ", ".join(quoted((name,)) for name in key)


def _file(path: Path) -> str:
    return f"read_parquet({string_literal(one_file(path))}, hive_partitioning = false)"


def _in_any_zone(name: str, kind: str) -> str:
    """A column of a key, whose text must be the same whatever the time zone of the session is."""
    return f"epoch_us({quoted((name,))})" if kind == "TIMESTAMP WITH TIME ZONE" else quoted((name,))
