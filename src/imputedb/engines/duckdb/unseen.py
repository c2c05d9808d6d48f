"""Declared values that their column never has, and that are probably mistyped."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from imputedb.algebra.relation import Table
from imputedb.notes import Note, NoteKind
from imputedb.sql.paths import quoted
from imputedb.statistics.policy import as_text

if TYPE_CHECKING:
    from imputedb.engines.duckdb.engine import DuckDB


def remark(engine: DuckDB, table: Table, column: str, values: Sequence[object]) -> None:
    """Notes the declared values that no row has in a column, unless the table is empty."""
    found = {name.lower(): (name, kind) for name, kind in engine.tables.shape(table).types.items()}
    texts = list(dict.fromkeys(map(as_text, values)))
    if column.lower() not in found or not texts:
        return
    name, kind = found[column.lower()]
    counts = ", ".join(f"count(*) FILTER (WHERE {_has_value(name, kind, place)})" for place in range(1, len(texts) + 1))
    row = engine.session.rows(f"SELECT count(*), {counts} FROM {quoted(table.path)}", texts)[0]
    missing = [repr(text) for text, count in zip(texts, row[1:], strict=True) if not count]
    if row[0] and missing:
        words = f"{table.name}.{name}: no row has {', '.join(missing)}, which is declared to mean a missing value there"
        engine.session.remarks.append(Note(NoteKind.DECLARED, f"{table.name}.{name}", words))


def _has_value(name: str, kind: str, place: int) -> str:
    """A condition that a row has the value of a parameter: as text without case and blanks, or as a number."""
    stored, value = quoted((name,)), f"${place}::VARCHAR"
    if kind != "VARCHAR":
        return f"{stored} = TRY_CAST({value} AS {kind})"
    same = f"lower(trim({stored})) = lower(trim({value}))"
    return f"({same} OR TRY_CAST({stored} AS DOUBLE) = TRY_CAST({value} AS DOUBLE))"
