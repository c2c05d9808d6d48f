"""Warnings and notes of statements that read missing values as they are stored, and text files as DuckDB does."""

from dataclasses import replace

from imputedb.algebra.relation import Table
from imputedb.engines.engine import Engine
from imputedb.errors import Unplanned
from imputedb.notes import Note, NoteKind
from imputedb.result import Result
from imputedb.sql.csv_files import named_csv_files
from imputedb.sql.read_names import read_names, reads_unnamed, renames
from imputedb.sql.statements import SplitStatement, Writes
from imputedb.sql.tokens import first_word, tokens

_READING = ("update", "delete", "merge", "set")
"""Statements of DuckDB's that may read tables."""

_READING_FILES = (*_READING, "explain", "insert")
"""Those that may read text files."""


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


def notes_of_statement(engine: Engine, text: str) -> list[Note]:
    """Notes on what a statement of DuckDB's may read; found before it runs, since it may write."""
    return [*notes_of_files(engine, text), *_notes_of_stored(engine, text)]


def notes_of_files(engine: Engine, text: str) -> list[Note]:
    """Notes on the text files that a statement of DuckDB's may read, also through views and macros."""
    verb = _verb(text)
    if verb not in _READING_FILES:
        return []
    texts = _read(engine, text)[2]
    return [
        Note(
            NoteKind.READ_AS,
            name,
            f"{name}: {verb.upper()} is DuckDB's, which reads the file alone: words such as NA are text there; load "
            "it first, or make a table of it (CREATE TABLE t AS FROM ...), and name the table",
        )
        for name in dict.fromkeys(name for one in texts for name in named_csv_files(one))
    ]


def _verb(text: str) -> str:
    """The word by which a statement begins, or by which it goes on after its WITH."""
    verb = first_word(text)
    if verb != "with":
        return verb
    return next((one.word for one in tokens(text) if one.depth == 0 and one.word in _READING_FILES), "")


def _notes_of_stored(engine: Engine, text: str) -> list[Note]:
    """Notes on the missing values that a statement of DuckDB's may read."""
    verb = _verb(text)
    if verb not in _READING:
        return []
    tables, words, (_, *others) = _read(engine, text)
    every = reads_unnamed(text) or any(map(renames, others))
    found = [
        f"{engine.called(table)}.{name}"
        for table in tables
        for name in sorted(
            engine.dirty(table, [one for one in engine.shape(table).types if every or one.lower() in words])
        )
    ]
    if not found:
        return []
    names = ", ".join(found)
    reason = (
        f"{verb.upper()} is DuckDB's, which reads what is stored: a missing value of {names} is NULL in it; to use "
        "imputed values, make a table of them first (CREATE TABLE ... AS SELECT ...), or give MERGE a query (USING "
        "(SELECT ...))"
    )
    return [Note(NoteKind.NOT_IMPUTED, names, reason)]


def _read(engine: Engine, text: str) -> tuple[list[Table], set[str], list[str]]:
    """The tables that a statement may read, all words that may be columns, and the texts of both.

    The texts are its own, and those of the views and macros that it names, themselves or through others.
    """
    tables, words, texts = list[Table](), set[str](), [text]
    for one in texts:  # which grows
        for name in read_names(one):
            words |= set(name)
            if len(name) == 1 and engine.has_macro(name[0]):
                texts += [body for body in (engine.text(engine.macros()[name[0]]),) if body not in texts]
            for most in range(1, min(len(name), 3) + 1):
                meant = engine.meant(name[:most])
                if isinstance(meant, Table):
                    tables += [meant] * (meant not in tables)
                elif meant is not None and meant.sql not in texts:
                    texts.append(meant.sql)
    return tables, words, texts


def _incomplete(engine: Engine, text: str) -> list[str]:
    """The incomplete tables that a statement may read."""
    tables, _, _ = _read(engine, text)
    return sorted({table.name for table in tables if engine.statistics(table).dirty})
