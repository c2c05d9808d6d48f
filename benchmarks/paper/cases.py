"""Complete data to hide values of: the complete part of the paper's tables, and what each query asks of it."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from benchmarks.paper import asking, inputs
from benchmarks.paper.hiding import Values, best_driver
from benchmarks.paper.part import Setting
from imputedb.algebra.query import Query
from imputedb.answers.prepare import Planner
from imputedb.answers.request import PLANNED, QueryOptions
from imputedb.blocks.block import PlannedBlock
from imputedb.engines.duckdb.engine import DuckDB

KEPT = 0.9
"""A column that a query does not read is kept when at least this share of the complete rows so far have it."""
NOMINAL = {
    "fcc": ("countrycitizen", "gender", "attendedbootcamp"),
    "gdp": ("country",),
}
"""Columns whose integers are names, and which no query compares by order; as text they are what they mean."""

Table = dict[str, Values]


@dataclass(frozen=True, slots=True)
class Case:
    """A query over complete tables, and what is to be hidden in them.

    Attributes:
        name: what it is called.
        source: `real`, `as text` (real, names of things as text), or the kind of dependence that was generated.
        sql: a SELECT whose last two columns are an average and the rows it stands on.
        tables: complete columns by table.
        drivers: by table, the columns that are hidden, each with a complete column that decides under MAR.
    """

    name: str
    source: str
    sql: str
    tables: Mapping[str, Table]
    drivers: Mapping[str, Mapping[str, str]]


def counted(sql: str) -> str:
    """A query with the rows beside its average."""
    return re.sub(r"AVG\((\w+)\)", r"AVG(\1), COUNT(\1)", sql, count=1)


def real(setting: Setting) -> Iterator[Case]:
    """The paper's queries over the complete part of their tables; those over names of things also with these as text.

    Raises:
        Absent: a table or the queries are not there.
    """
    engine = inputs.loaded(setting)
    for number, sql in enumerate(inputs.queries(setting), 1):
        found = _complete(engine, number, sql, {})
        if found is None:
            continue
        yield found
        if any(set(found.tables[table]) & set(names) for table, names in NOMINAL.items() if table in found.tables):
            text = _complete(engine, number, sql, NOMINAL)
            if text is not None:
                yield text


def _complete(engine: DuckDB, number: int, sql: str, text: Mapping[str, Sequence[str]]) -> Case | None:
    """The case of a query; None where no row is complete, or nothing that it reads can be hidden."""
    asked = QueryOptions(0.0, asking.imputers("tree"), 0, PLANNED)
    block = Planner(engine).prepare(sql, asked).blocks[-1]
    if not isinstance(block, PlannedBlock):
        return None
    tables, drivers = {}, {}
    for scan in block.problem.query.sources:
        read = _read(block.problem.query, scan.alias)
        table = _part(engine, scan.alias, read, text.get(scan.alias, ()))
        dirty = [column.name for column in block.problem.columns if column.relation == scan.alias]
        tables[scan.alias], drivers[scan.alias] = table, _driven(table, dirty)
    if not any(drivers.values()) or not all(len(next(iter(table.values()))) for table in tables.values()):
        return None
    return Case(f"query {number}", "as text" if text else "real", counted(sql), tables, drivers)


def _read(query: Query, alias: str) -> list[str]:
    return sorted(column.name for column in query.reads if column.relation == alias)


def _part(engine: DuckDB, table: str, read: Sequence[str], text: Sequence[str]) -> Table:
    """The rows of a table that have all that is read, and the further columns that nearly all of these have."""
    names = [str(row[0]) for row in engine.session.execute(f"DESCRIBE {table}")]
    present = " AND ".join(f'"{name}" IS NOT NULL' for name in read) or "true"
    rows = _count(engine, table, present)
    others = sorted(set(names) - set(read), key=lambda n: -_count(engine, table, f'{present} AND "{n}" IS NOT NULL'))
    kept = list(read)
    for name in others:
        narrower = f'{present} AND "{name}" IS NOT NULL'
        left = _count(engine, table, narrower)
        if left >= KEPT * rows:
            present, rows = narrower, left
            kept.append(name)
    columns = ", ".join(f'"{n}"::VARCHAR AS "{n}"' if n in text else f'"{n}"' for n in names if n in kept)
    found = engine.connection.execute(f"SELECT {columns} FROM {table} WHERE {present}").fetchnumpy()
    return {name: np.asarray(values) for name, values in found.items()}


def _count(engine: DuckDB, table: str, condition: str) -> int:
    return int(engine.session.execute(f"SELECT count(*) FROM {table} WHERE {condition}")[0][0])


def _driven(table: Table, dirty: Sequence[str]) -> dict[str, str]:
    """The columns to hide with the complete column, no key, that goes most with each."""
    candidates = {
        name: values for name, values in table.items() if name not in dirty and len(np.unique(values)) < len(values)
    }
    found = {name: best_driver(table[name], candidates) for name in dirty}
    return {name: driver for name, driver in found.items() if driver is not None}
