"""Detection of numeric codes for missing values in a new table, by their distance from all other values."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from imputedb.algebra.relation import Table
from imputedb.sql.paths import quoted
from imputedb.statistics.sentinels import LEVELS, Rest
from imputedb.statistics.words import CODES

if TYPE_CHECKING:
    from imputedb.engines.duckdb.engine import DuckDB

_CODES = ", ".join(map(str, CODES))


def found(engine: DuckDB, table: Table, columns: Sequence[str]) -> dict[str, dict[float, int]]:
    """By column, the codes that lie far from its other values, with their counts of rows."""
    if not columns:
        return {}
    ends = ", ".join(f"min({quoted((name,))}), max({quoted((name,))})" for name in columns)
    row = engine.session.rows(f"SELECT {ends} FROM {quoted(table.path)}")[0]
    at_ends = [name for place, name in enumerate(columns) if {*row[2 * place : 2 * place + 2]} & {*CODES}]
    codes = {name: _of(engine, table, name) for name in at_ends}
    return {name: counts for name, counts in codes.items() if counts}


def _of(engine: DuckDB, table: Table, column: str) -> dict[float, int]:
    name, source = quoted((column,)), quoted(table.path)
    others = f"FROM {source} WHERE {name} NOT IN ({_CODES}) AND isfinite(CAST({name} AS DOUBLE))"
    low, high, count = engine.session.rows(f"SELECT min({name}), max({name}), count(*) {others}")[0]
    if count < LEVELS:
        return {}
    counted = f"SELECT {name}, count(*) FROM {source} WHERE {name} IN ({_CODES}) GROUP BY 1"
    counts = {float(code): rows for code, rows in engine.session.rows(counted)}
    if not Rest(float(low), float(high), count).beyond(sorted(counts)):  # nor is any of fewer different values
        return {}
    levels = engine.session.rows(f"SELECT count(DISTINCT {name}) {others}")[0][0]
    beyond = Rest(float(low), float(high), levels).beyond(sorted(counts)) if levels >= LEVELS else []
    return {code: counts[code] for code in beyond if counts[code] > 1}
