"""Data frames in variables of whoever calls, read by their names as DuckDB reads them."""

import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from types import FrameType
from typing import Any

import duckdb
import numpy as np

from imputedb.engines import load
from imputedb.engines.duckdb import DuckDB
from imputedb.engines.resolution import quoted
from imputedb.errors import Error
from imputedb.sql.nested import nodes
from imputedb.sql.statements import Keeps, Query
from imputedb.sql.tree import Tree

_OURS = __name__.partition(".")[0]


@contextmanager
def callers_frames(engine: DuckDB, text: str) -> Iterator[None]:
    """Makes frames readable that a statement, or the name of a table, means by variables of whoever calls.

    A name means a variable where it means no table, view or query of WITH: a local one of the nearest function outside
    of this package, else a global one. Each frame is a temporary table of that name for as long as this lasts.
    """
    if not engine.reads_variables:
        yield
        return
    found = {name: frame for name in _unknown(engine, text) if (frame := _variable(name)) is not None}
    made: list[str] = []
    try:
        for name, frame in found.items():
            load.register(engine, name, frame, {}, replace=False)
            made.append(quoted(("temp", "main", name)))
        yield
    finally:
        with suppress(duckdb.Error):  # a transaction that was undone has taken them already
            for path in made:
                engine.session.rows(f"DROP TABLE IF EXISTS {path}")
        if made:
            engine.session.changed()


def _unknown(engine: DuckDB, text: str) -> Sequence[str]:
    """The names in a statement that mean nothing in the database, remembered until something is written."""
    if not isinstance(text, str):
        return ()
    known: Sequence[str] | None = engine.recall(("unknown", text))
    if known is None:
        named = _names(engine, text)
        known = [name for name in named if "." not in name and not engine.tables.resolution.binds(name)]
        engine.keep(("unknown", text), known, len(text))
    return known


def _names(engine: DuckDB, text: str) -> list[str]:
    if text.isidentifier():
        return [text]
    try:
        match engine.texts.statement(text):
            case Query(query) | Keeps(_, query):
                tree = engine.texts.tree(query)
            case _:
                return []
    except Error:  # whoever answers the statement says what is wrong with it
        return []
    return _read(tree)


def _read(tree: Tree) -> list[str]:
    """The names without a schema that a statement reads from, but for those of its own queries of WITH."""
    own = {str(entry["key"]).lower() for node in nodes(tree) for entry in node.get("cte_map", {}).get("map", ())}
    paths = [node["qualified_name"]["path"] for node in nodes(tree) if node.get("type") == "BASE_TABLE"]
    names = [[part for part in path if part] for path in paths]
    return sorted({path[0] for path in names if len(path) == 1 and path[0].lower() not in own})


def _variable(name: str) -> Any:
    """The frame that a variable of whoever calls holds; None where there is none."""
    frame = _outside(sys._getframe())
    if frame is None:
        return None
    for scope in (frame.f_locals, frame.f_globals):
        if name in scope:
            return scope[name] if _is_frame(scope[name]) else None
    return None


def _outside(frame: FrameType | None) -> FrameType | None:
    """The nearest frame of the stack that is neither of this package nor of the library's context managers."""
    while frame is not None and str(frame.f_globals.get("__name__", "")).partition(".")[0] in (_OURS, "contextlib"):
        frame = frame.f_back
    return frame


def _is_frame(value: Any) -> bool:
    """Whether a value is a table in memory: a data frame, Arrow, a relation, an answer, a dictionary of columns."""
    kind = type(value)
    if isinstance(value, Mapping):
        return bool(value) and all(map(_is_column, value.values()))
    library = kind.__module__.partition(".")[0]
    if library == "pandas":
        return hasattr(value, "columns")
    return hasattr(kind, "__arrow_c_stream__") or (library == "polars" and hasattr(value, "collect"))


def _is_column(value: Any) -> bool:
    return isinstance(value, np.ndarray | list | tuple) or hasattr(value, "to_numpy")
