"""The statements of a command line, and the database or files that they read."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import click

from imputedb.cli.database import FILES, announced, opened
from imputedb.errors import QueryError, StorageError

if TYPE_CHECKING:
    from imputedb.database import Database

_QUERIES = ("select", "with", "from", "values", "table")
_KEEPING = ("create", "insert", "merge", "copy", "pivot", "pivot_wider")
"""Statements with a query inside."""


@dataclass(frozen=True, slots=True)
class Question:
    """Statements, and the path of the database or file that they read; None for none."""

    of: str | None
    texts: tuple[str, ...]

    @contextmanager
    def database(self, na: Sequence[str] | None = None) -> Iterator[tuple[Database, tuple[str, ...]]]:
        """The opened database, read-only if no statement writes, and the statements to run on it.

        A file becomes a table of its name. Without a database so does every file that a query names.
        """
        if self.of is not None and not is_data(self.of):
            with opened(self.of, read_only=not any(map(_writes, self.texts))) as db:
                yield db, self.texts
            return
        with database_at(None) as db:

            @cache
            def loaded_once(path: Path) -> str:
                with announced():
                    (made,) = db.load(str(path), na=na)
                return made

            def loaded(path: str) -> str:
                return loaded_once(Path(path).resolve())

            if self.of is not None:
                loaded(self.of)
            yield db, tuple(_with_files(text, loaded) for text in self.texts)


@contextmanager
def database_at(
    path: str | None, na: Sequence[str] | None = None, *, create: bool = True, read_only: bool = False
) -> Iterator[Database]:
    """The database at a path, created where there is none, or an in-memory database with the file of data there."""
    data = path is not None and is_data(path)
    place = ":memory:" if path is None or data else path
    with opened(place, create=create or data, read_only=read_only and not data) as db:
        if path is not None and data:
            with announced():
                db.load(path, na=na)
        yield db


def question(db: str | None, sql: str | None, command: str | None, file: str | None) -> Question:
    """The statements and the path from the arguments.

    Raises:
        QueryError: there is no statement, or several arguments give one.
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
    if db is not None and not (is_path(db) or Path(db).is_file() or db == "-"):
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
        raise StorageError(f"{file} is not a text file in UTF-8") from error


def is_data(path: str) -> bool:
    """Whether a path names a file of data, rather than a database."""
    return Path(path).suffix.lower() in FILES and Path(path).is_file()


def is_path(text: str) -> bool:
    """Whether a text ends as files of data and databases do, wherever that file may be."""
    return Path(text).suffix.lower() in (*FILES, ".duckdb") and not any(map(str.isspace, text))


def _writes(text: str) -> bool:
    """Whether a statement may write into the database."""
    from imputedb.sql.effects import Effect, effect
    from imputedb.sql.tokens import tokens

    found = tokens(text)
    words = {token.word for token in found if token.depth == 0}
    changes = {token.word for token in found} & {"insert", "update", "delete", "merge", "nextval"}
    return effect(found) is not Effect.ROWS or "returning" in words or bool(changes)


def _with_files(text: str, name: Callable[[str], str]) -> str:
    """A statement in which the files of its query are replaced by tables.

    Args:
        text: the statement.
        name: loads a file, and gives the name of its table.

    Raises:
        QueryError: a PIVOT inside a query reads files.
    """
    from imputedb.sql.enclosed import copied, created, inserted, merged, pivoted
    from imputedb.sql.tokens import first_word, string_literal, tokens

    found, verb = tokens(text), first_word(text)
    if verb == "explain":
        begin = next((one.begin for one in found[1:] if one.depth == 0 and one.word in (*_QUERIES, *_KEEPING)), 0)
        data = text.encode()
        return data[:begin].decode() + _with_files(data[begin:].decode(), name) if begin else text
    if verb == "with" and any(one.word == "insert" and one.depth == 0 for one in found):
        verb = "insert"
    inside = dict(zip(_KEEPING, (created, inserted, merged, copied, pivoted, pivoted), strict=True)).get(verb)
    keeps = inside(text, found) if inside else None
    if keeps is None:
        return _query_with_files(text, name)
    whole: str = keeps.with_query(_query_with_files(keeps.query, name))
    return whole if keeps.target is None else f"{whole}{string_literal(keeps.target[0])}{keeps.target[1]}"


def _query_with_files(text: str, name: Callable[[str], str]) -> str:
    from imputedb.errors import Error
    from imputedb.sql.items import unqualified_tables
    from imputedb.sql.parse import parse, scratch_connection
    from imputedb.sql.paths import quoted
    from imputedb.sql.tokens import string_of, tokens

    found, data = tokens(text), text.encode()
    try:
        with scratch_connection() as parser:
            places = unqualified_tables(parse(parser, text))
    except Error:  # not a query, or one without a syntax tree from DuckDB
        files = [path for one in found if one.text[:1] == "'" and is_data(path := string_of(one.text))]
        if files and any(one.word in ("pivot", "unpivot") for one in found):
            raise QueryError(
                f"{files[0]} is read with PIVOT or UNPIVOT, where files are not loaded: load it first, "
                "imputedb load d.duckdb FILE, and query d.duckdb"
            ) from None
        return text
    pieces, begin = [], 0
    for token in found:
        path = places.get(token.begin, "")
        if is_data(path):
            pieces += [data[begin : token.begin], quoted((name(path),)).encode()]
            begin = token.end
    return b"".join([*pieces, data[begin:]]).decode()


def with_question(command: Callable[..., None]) -> Callable[..., None]:
    """Adds the arguments and options for statements and their database."""
    for option in (
        click.option("-f", "--file", metavar="FILE", help="File of statements; - for standard input."),
        click.option("-c", "--command", metavar="SQL", help="Statements, separated by semicolons."),
        click.argument("sql", required=False),
        click.argument("db", required=False),
    ):
        command = option(command)
    return command
