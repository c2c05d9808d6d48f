"""Warnings and notes of statements that read missing values as they are stored."""

from dataclasses import replace

from imputedb.algebra.relation import Table
from imputedb.engines.engine import Engine
from imputedb.errors import Unplanned
from imputedb.notes import Note, NoteKind
from imputedb.result import Result
from imputedb.sql.read_names import read_names
from imputedb.sql.statements import Other, SplitStatement, Writes
from imputedb.sql.tokens import first_word, tokens

_READING = ("update", "delete", "merge", "set")
"""Statements of DuckDB's that may read tables."""


def warned_of_stored(engine: Engine, writing: Writes, result: Result) -> Result:
    """The result, with a warning if it may have read missing values."""
    names = _incomplete(engine, writing.text)
    if names:
        words = (
            f"nothing is imputed in a query whose WITH writes: of {', '.join(names)} it reads what is stored, and NULL "
            "is NULL; write first, and ask then"
        )
        note = Note(NoteKind.NOT_IMPUTED, ", ".join(names), words)
        result.report = replace(result.report, warnings=(*result.report.warnings, note))
    return result


def check_complete(engine: Engine, apart: SplitStatement) -> None:
    """Refuses a query that DuckDB splits into statements, if a table that it may read is incomplete."""
    if _incomplete(engine, apart.text):
        raise Unplanned("PIVOT inside a query, its columns named by the data: list them, PIVOT t ON c IN (...)")


def notes_of_stored(engine: Engine, other: Other) -> list[Note]:
    """Notes on the missing values that a statement of DuckDB's may read; found before it runs, since it may write."""
    verb = first_word(other.text)
    if verb == "with":
        verb = next((one.word for one in tokens(other.text) if one.depth == 0 and one.word in _READING), "")
    if verb not in _READING:
        return []
    tables, words = _read(engine, other.text)
    found = [
        f"{engine.called(table)}.{name}"
        for table in tables
        for name in sorted(engine.dirty(table, [one for one in engine.shape(table).types if one.lower() in words]))
    ]
    if not found:
        return []
    names = ", ".join(found)
    text = (
        f"{verb.upper()} is DuckDB's, which reads what is stored: a missing value of {names} is NULL in it; to use "
        "imputed values, make a table of them first (CREATE TABLE ... AS SELECT ...), or give MERGE a query (USING "
        "(SELECT ...))"
    )
    return [Note(NoteKind.NOT_IMPUTED, names, text)]


def _read(engine: Engine, text: str) -> tuple[list[Table], set[str]]:
    """The tables that a statement may read, also through views, and all words of both that may be columns."""
    tables, words, waiting, seen = list[Table](), set[str](), [text], {text}
    while waiting:
        for name in read_names(waiting.pop()):
            words |= set(name)
            for most in range(1, min(len(name), 3) + 1):
                meant = engine.meant(name[:most])
                if isinstance(meant, Table):
                    tables += [meant] * (meant not in tables)
                elif meant is not None and meant.sql not in seen:
                    seen.add(meant.sql)
                    waiting.append(meant.sql)
    return tables, words


def _incomplete(engine: Engine, text: str) -> list[str]:
    """The incomplete tables that a statement may read."""
    tables, _ = _read(engine, text)
    return sorted({table.name for table in tables if engine.statistics(table).dirty})
