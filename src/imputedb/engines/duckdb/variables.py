"""Data frames in variables of the caller, read by name as in DuckDB."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import pairwise
from types import FrameType
from typing import TYPE_CHECKING, Any

import duckdb
import numpy as np

from imputedb.engines.cache import OF_STRUCTURE
from imputedb.engines.duckdb import load
from imputedb.errors import Error
from imputedb.sql.ast import Tree
from imputedb.sql.enclosed import EnclosingStatement
from imputedb.sql.expression import path_of
from imputedb.sql.items import is_table
from imputedb.sql.paths import quoted
from imputedb.sql.select import entries_of, is_recursive, name_of, query_of
from imputedb.sql.statements import Other, Query, SplitStatement, Writes
from imputedb.sql.tokens import Token, tokens, unquoted

if TYPE_CHECKING:
    from imputedb.engines.duckdb.engine import DuckDB

_OURS = __name__.partition(".")[0]


_READS = ("from", "join", "using", "pivot", "pivot_wider", "unpivot", "(", ",")
"""Tokens before the name of a table that is read."""

_DESCRIBING = ("describe", "desc", "summarize")

_READING = (*_DESCRIBING, "update", "delete", "merge", "explain", "copy")
"""First words of statements that read tables, and create nothing that would read them again."""


@dataclass(slots=True)
class Frames:
    """The data frames that a statement reads, as temporary tables of the same names.

    Attributes:
        engine: the engine that has the tables.
        paths: the tables' paths, as SQL.
    """

    engine: DuckDB
    paths: list[str]

    def drop(self) -> None:
        """Drops the tables, so that a statement may create others of the same names."""
        paths, self.paths = self.paths, []
        with suppress(duckdb.Error):  # a rollback has removed them already
            for path in paths:
                self.engine.session.rows(f"DROP TABLE IF EXISTS {path}")
        if paths:
            self.engine.session.writes.record_definition()


@contextmanager
def callers_frames(engine: DuckDB, text: str, *, statement: bool = False) -> Iterator[Frames]:
    """Makes data frames readable that a statement, or a table's name, refers to by variables of the caller.

    A single word is a table's name unless `statement` is true, as for ROLLBACK.

    A name refers to a variable where it means no table, view or WITH query: a local variable of the nearest function
    outside this package, otherwise a global one. Each frame is a temporary table of that name within the block.
    """
    frames = Frames(engine, [])
    if not engine.reads_variables:
        yield frames
        return
    found = {name: frame for name in _unknown(engine, text, statement) if (frame := _variable(name)) is not None}
    try:
        for name, frame in found.items():
            load.register(engine, name, frame, {}, replace=False)
            frames.paths.append(quoted(("temp", "main", name)))
        yield frames
    finally:
        frames.drop()


def _unknown(engine: DuckDB, text: str, statement: bool) -> Sequence[str]:
    """The names in a statement that mean nothing in the database, cached until anything but rows may have changed."""
    if not isinstance(text, str):
        return ()
    known: Sequence[str] | None = engine.recall(("unknown", text, statement))
    if known is None:
        named = [text] if text.isidentifier() and not statement else _names(engine, text)
        resolution = engine.tables.resolution
        known = [name for name in named if "." not in name and not (resolution.meant([name]) or resolution.binds(name))]
        engine.keep(("unknown", text, statement), known, len(text), OF_STRUCTURE)
    return known


def _names(engine: DuckDB, text: str) -> list[str]:
    try:
        match engine.texts.classified(text).statement:
            case Query(query) | EnclosingStatement(_, query):
                return _read(engine.texts.tree(query))
            case SplitStatement(whole):  # its tree depends on values that name its columns
                return _named(tokens(whole))
            case Other(whole) | Writes(whole):
                found = tokens(whole)
                return _named(found) if found[0].word in _READING else []
            case _:
                return []
    except Error:  # the error is raised again where the statement is answered
        return []


def _named(found: Sequence[Token]) -> list[str]:
    """The words of a statement that may name tables which it reads; those that it writes are left out."""
    first = found[0].word
    before = (*_READS, *_DESCRIBING, "copy", *(["table"] if first in _DESCRIBING else []))
    pairs = list(pairwise(found))[2 if first == "delete" else 0 :]  # DELETE FROM names what it writes
    return sorted({unquoted(name.text) for one, name in pairs if one.word in before})


def _read(tree: Tree) -> list[str]:
    """The unqualified names that a statement reads from, except WITH queries in scope."""
    found: set[str] = set()
    waiting: list[tuple[Any, frozenset[str]]] = [(tree, frozenset())]
    while waiting:  # deep trees exceed Python's recursion limit
        part, known = waiting.pop()
        if isinstance(part, dict):
            for entry in entries_of(part):
                name, query = name_of(entry), query_of(entry)
                inside = {name} if is_recursive(query) else set()
                waiting.append((query, known | inside))
                known |= {name}
            if is_table(part):
                path = path_of(part)
                found |= {path[0]} if len(path) == 1 and path[0].lower() not in known else set()
            part = [below for key, below in part.items() if key != "cte_map"]
        if isinstance(part, list):
            waiting += [(below, known) for below in part if isinstance(below, dict | list)]
    return sorted(found)


def _variable(name: str) -> Any:
    """The frame in a variable of the caller; None where there is none."""
    frame = _outside(sys._getframe())
    if frame is None:
        return None
    for scope in (frame.f_locals, frame.f_globals):
        if name in scope:
            return scope[name] if _is_frame(scope[name]) else None
    return None


def _outside(frame: FrameType | None) -> FrameType | None:
    """The nearest frame of the call stack that belongs neither to this package nor to `contextlib`."""
    while frame is not None and str(frame.f_globals.get("__name__", "")).partition(".")[0] in (_OURS, "contextlib"):
        frame = frame.f_back
    return frame


def _is_frame(value: Any) -> bool:
    """Whether a value is a table in memory: a data frame, Arrow, a relation, a result, a dictionary of columns."""
    kind = type(value)
    if isinstance(value, Mapping):
        return bool(value) and all(map(_is_column, value.values()))
    library = kind.__module__.partition(".")[0]
    if library == "pandas":
        return hasattr(value, "columns")
    return hasattr(kind, "__arrow_c_stream__") or (library == "polars" and hasattr(value, "collect"))


def _is_column(value: Any) -> bool:
    return isinstance(value, np.ndarray | list | tuple) or hasattr(value, "to_numpy")
