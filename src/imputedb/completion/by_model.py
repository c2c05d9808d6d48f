"""Rows that a kept model fills in, and completed data sets of its values and of those of an earlier run."""

import hashlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imputedb.algebra.relation import Scan, Table
from imputedb.completion.changes import BASE, CHANGE, PLACE, ROW, SAME, Changes
from imputedb.completion.source import FLAG, INTERVAL
from imputedb.engines.engine import Engine
from imputedb.engines.entries import Shape
from imputedb.engines.record import Record
from imputedb.execution.model import ModelTable
from imputedb.sql import ast as t
from imputedb.sql.generate import ROW as ROW_ID
from imputedb.sql.paths import one_file, quoted
from imputedb.sql.tokens import string_literal
from imputedb.statistics.table import Statistics


@dataclass(frozen=True, slots=True)
class ModelRows:
    """The rows of a request.

    Attributes:
        table: table that holds them.
        shape: its columns, policies and declared missing values.
        statistics: its statistics.
        record: record of the model.
        features: columns that the model reads or fills in.
        key: columns of the key.
        m: number of draws.
        settings: all that determines the run.
    """

    table: Table
    shape: Shape
    statistics: Statistics
    record: Record
    features: tuple[str, ...]
    key: tuple[str, ...]
    m: int
    settings: Mapping[str, Any]

    @property
    def rules(self) -> str:
        """A hash of all that is said of the rows, without their values."""
        return hashlib.sha256(self.shape.fingerprint([]).encode()).hexdigest()

    def stored(self, engine: Engine, *, missing: bool) -> str:
        """The SELECT of all columns with row ids; values declared missing are NULL if `missing`."""
        read = [
            t.named(engine.reading(self.table, name, "t"), name) if missing else t.reference("t", name)
            for name in self.shape.types
        ]
        row = t.named(engine.reading(self.table, ROW_ID, "t"), ROW)
        return engine.text(t.select([row, *read], engine.source(self.table, "t")))


@contextmanager
def handed_rows(engine: Engine, rows: ModelRows, found: Changes) -> Iterator[ModelTable]:
    """The new and changed rows as a table with the model."""
    row, index = quoted((ROW,)), quoted((found.index,))
    name = engine.stage(
        f"SELECT s.* FROM ({rows.stored(engine, missing=False)}) AS s JOIN {index} AS i ON s.{row} = i.{row} "
        f"WHERE i.{quoted((CHANGE,))} <> '{SAME}' ORDER BY s.{row}"
    )
    table = Table("temp", "main", name)
    try:
        engine.restate(table, rows.shape.missing, rows.shape.policies)
        yield ModelTable(engine, Scan(table, "t"), engine.statistics(table), rows.record)
    finally:
        engine.restate(table, {}, {})
        engine.unmake("TABLE", [name])


@contextmanager
def filled(engine: Engine, applied: ModelTable, numbers: NDArray[np.int64], draw: int) -> Iterator[str | None]:
    """The values of one draw as a SELECT with row ids; None where no row was handed to the model."""
    if not len(numbers):
        yield None
        return
    values, table = applied.keyed(numbers, draw), applied.scan.table
    patch = engine.register(values)
    try:
        types = {name: one.type for name, one in applied.statistics.columns.items()}
        items = [t.reference("t", ROW)]
        items += [t.named(engine.decoded(t.reference(patch, name), types[name]), name) for name in values]
        yield engine.text(t.select(items, t.positional(t.table(table.path, "t"), t.table((patch,), ""))))
    finally:
        engine.forget([patch])


def completed(engine: Engine, rows: ModelRows, found: Changes, values: str | None, before: Path | None) -> str:
    """The SELECT of one completed data set: stored values, or those of the model, or those of an earlier run's file."""
    row, base, place = (quoted((name,)) for name in (ROW, BASE, PLACE))
    joins = f"FROM ({rows.stored(engine, missing=True)}) AS s JOIN {quoted((found.index,))} AS i ON s.{row} = i.{row}"
    others = list[str]()
    if values is not None:
        joins += f" LEFT JOIN ({values}) AS n ON s.{row} = n.{row}"
        others.append("n")
    if before is not None:
        file = f"read_parquet({string_literal(one_file(before))}, hive_partitioning = false)"
        numbered = f"range(0, (SELECT count(*) FROM {file})) AS r({place}) POSITIONAL JOIN {file}"
        same = f"i.{base} = b.{place} AND i.{quoted((CHANGE,))} = '{SAME}'"
        joins += f" LEFT JOIN (SELECT * FROM {numbered}) AS b ON {same}"
        others.append("b")
    items, flags = list[str](), list[str]()
    for name, kind in rows.shape.types.items():
        column = quoted((name,))
        value = f"s.{column}"
        if name in rows.record.columns:
            known = ", ".join(["NULL", *(f"CAST({one}.{column} AS {kind})" for one in others)])
            value = f"coalesce(s.{column}, {known})"
            flags.append(f"s.{column} IS NULL AND coalesce({known}) IS NOT NULL AS {quoted((name + FLAG,))}")
        items.append(f"{f'CAST({value} AS VARCHAR)' if kind == INTERVAL else value} AS {column}")
    return f"SELECT {', '.join([*items, *sorted(flags)])} {joins} ORDER BY s.{row}"
