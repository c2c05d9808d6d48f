"""What the command line asks, and of what: a database, files, or nothing but the files that a query names."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import click

from imputedb.cli.database import announced, opened
from imputedb.errors import QueryError, StorageError

if TYPE_CHECKING:
    from imputedb.database import Database

_FILES = (
    *(".csv", ".tsv", ".tab", ".dat", ".txt", ".gz", ".zst", ".parquet", ".json", ".jsonl", ".ndjson"),
    *(".xlsx", ".xls", ".ods", ".sav", ".por", ".dta", ".sas7bdat", ".xpt", ".rds", ".rdata"),
)
"""How files end that are loaded where a database would stand."""


@dataclass(frozen=True, slots=True)
class Question:
    """Statements, and the database or the file that they are asked of; None for none."""

    of: str | None
    texts: tuple[str, ...]

    @contextmanager
    def database(self, na: Sequence[str] | None = None) -> Iterator[tuple[Database, tuple[str, ...]]]:
        """The database, for reading only where nothing is written, and the statements as it is asked them.

        A file becomes a table of its name; so does each that a statement names in FROM where there is no database.
        """
        if self.of is not None and not _is_file(self.of):
            with opened(self.of, read_only=not any(map(_writes, self.texts))) as db:
                yield db, self.texts
            return
        with at_hand(self.of, na) as db:
            known: dict[str, str] = {}
            yield db, tuple(_with_files(db, text, known, na) for text in self.texts)


@contextmanager
def at_hand(path: str | None, na: Sequence[str] | None = None, *, create: bool = True) -> Iterator[Database]:
    """The database of a path, made if there is none, or one in memory, with the file of data that the path names."""
    data = path is not None and _is_file(path)
    with opened(":memory:" if path is None or data else path, create=create or data) as db:
        if path is not None and data:
            with announced():
                db.load(path, na=na)
        yield db


def question(db: str | None, sql: str | None, command: str | None, file: str | None) -> Question:
    """What arguments ask.

    Raises:
        QueryError: there is no statement, or more than one place says it.
    """
    stated = [one for one in (sql, command, file) if one is not None]
    if len(stated) > 1:
        raise QueryError("the statement is given twice: as an argument, by -c or by -f")
    if file is not None:
        return Question(db, _split(_read(file), file))
    if command is not None:
        return Question(db, _split(command, "-c"))
    if sql is not None:
        return Question(db, _split(sys.stdin.read(), "standard input") if sql == "-" else (sql,))
    if db is not None and not (_is_file(db) or Path(db).suffix == ".duckdb" or Path(db).is_file() or db == "-"):
        return Question(None, (db,))
    if db != "-" and sys.stdin.isatty():
        raise QueryError(
            'there is no statement: imputedb query DB "SELECT ...", -f FILE, or the statement on standard input'
        )
    return Question(None if db == "-" else db, _split(sys.stdin.read(), "standard input"))


def _split(text: str, where: str) -> tuple[str, ...]:
    from imputedb.sql.tokens import first_word, split

    found = tuple(one.strip() for one in split(text) if first_word(one))
    if not found:
        raise QueryError(f"{where} has no statement")
    return found


def _read(file: str) -> str:
    if file == "-":
        return sys.stdin.read()
    try:
        return Path(file).read_text(encoding="utf-8")
    except OSError as error:
        raise StorageError(f"cannot read {file}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise StorageError(f"{file} is no text in UTF-8") from error


def _is_file(path: str) -> bool:
    return Path(path).suffix.lower() in _FILES and Path(path).is_file()


def _writes(text: str) -> bool:
    """Whether a statement may write into the database."""
    from imputedb.sql.effects import Effect, effect
    from imputedb.sql.tokens import tokens

    found = tokens(text)
    words = {token.word for token in found if token.depth == 0}
    changes = {token.word for token in found} & {"insert", "update", "delete", "merge", "nextval"}
    return effect(found) is not Effect.ROWS or "returning" in words or bool(changes)


def _with_files(db: Database, text: str, known: dict[str, str], na: Sequence[str] | None) -> str:
    """A statement over tables of the files that it names after FROM and JOIN, each loaded once."""
    from imputedb.sql.paths import quoted
    from imputedb.sql.tokens import string_of, tokens

    found, data = tokens(text), text.encode()
    pieces, begin = [], 0
    for before, token in pairwise(found):
        path = string_of(token.text) if token.text[:1] == "'" else ""
        if before.word not in ("from", "join") or not path or not _is_file(path):
            continue
        if path not in known:
            with announced():
                (known[path],) = db.load(path, na=na)
        pieces += [data[begin : token.begin], quoted((known[path],)).encode()]
        begin = token.begin + len(token.text.encode())
    return b"".join([*pieces, data[begin:]]).decode()


def with_question(command: Callable[..., None]) -> Callable[..., None]:
    """Adds the arguments and options that say what is asked, and of what."""
    for option in (
        click.option("-f", "--file", metavar="FILE", help="Statements from a file; - for standard input."),
        click.option("-c", "--command", metavar="SQL", help="Statements, with semicolons between them."),
        click.argument("sql", required=False),
        click.argument("db", required=False),
    ):
        command = option(command)
    return command
