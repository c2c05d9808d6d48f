"""Rows of another system, as DuckDB reads them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from imputedb.errors import DataError
from imputedb.notes import Note
from imputedb.sql.paths import quoted


@dataclass(frozen=True, slots=True)
class Rows:
    """Rows of another system.

    Attributes:
        frame: a stream of Arrow's record batches.
        columns: by name of a column, the expression that makes it of the stream's columns.
        levels: by name of a column, its texts in their order; it becomes an ENUM.
        tried: columns of text, and the type that they become where each of their values is one.
        decimals: columns whose numbers come as text, and become decimals as wide as they are.
        notes: what a user must know of them.
        close: ends the connection that the rows come by.
    """

    frame: Any
    columns: Mapping[str, str]
    levels: Mapping[str, Sequence[str]] = field(default_factory=dict)
    tried: Mapping[str, str] = field(default_factory=dict)
    decimals: Sequence[str] = ()
    notes: Sequence[Note] = ()
    close: Callable[[], object] = lambda: None


def as_they_are(frame: Any) -> Rows:
    """Rows whose columns need no other expression."""
    names = list(frame.schema.names)
    check_distinct(names)
    return Rows(frame, {name: quoted((name,)) for name in names})


def check_distinct(names: Sequence[str]) -> None:
    """Checks that no two columns share a name.

    Raises:
        DataError: two do; names differ by more than upper and lower case.
    """
    seen: set[str] = set()
    for name in names:
        if name.lower() in seen:
            raise DataError(f"two columns are called {name}: give one of them another name in the query")
        seen.add(name.lower())
