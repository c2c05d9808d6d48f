"""Rows of another system, in a form that DuckDB reads."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from imputedb.errors import DataError
from imputedb.notes import Note
from imputedb.sql.paths import quoted

DECIMAL_DIGITS = 38
"""Largest number of digits of a DECIMAL in DuckDB."""


@dataclass(frozen=True, slots=True)
class Rows:
    """Rows of another system.

    Attributes:
        frame: a stream of Arrow record batches.
        columns: by column, the expression that computes it from the stream's columns.
        levels: by column, its texts in order; the column becomes an ENUM.
        tried: columns of text, and the type that each is converted to if all its values can be.
        decimals: columns whose numbers come as text, and become decimals of the width they need.
        notes: notes for the user.
        close: closes the connection that the rows come from.
    """

    frame: Any
    columns: Mapping[str, str]
    levels: Mapping[str, Sequence[str]] = field(default_factory=dict)
    tried: Mapping[str, str] = field(default_factory=dict)
    decimals: Sequence[str] = ()
    notes: Sequence[Note] = ()
    close: Callable[[], object] = lambda: None


def as_they_are(frame: Any) -> Rows:
    """Rows whose columns are those of the stream."""
    names = list(frame.schema.names)
    check_distinct(names)
    return Rows(frame, {name: quoted((name,)) for name in names})


def check_distinct(names: Sequence[str]) -> None:
    """Checks that no two columns share a name.

    Raises:
        DataError: two names differ by case at most.
    """
    seen: set[str] = set()
    for name in names:
        if name.lower() in seen:
            raise DataError(f"two columns are called {name}: give one of them another name in the query")
        seen.add(name.lower())
