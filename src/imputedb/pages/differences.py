"""The comparison of two answers to one question."""

from __future__ import annotations

import math
from collections.abc import Sequence

from imputedb.inference.estimate import Estimate
from imputedb.result import Result

_ROWS = 5_000
"""Maximum number of compared rows of answers without intervals."""

Table = tuple[list[str], list[list[object]], str]
"""A table for display: titles, rows, and a caption."""


def differences(one: Result, other: Result, name: str, second: str) -> Table:
    """The differences of two answers: by number where they have intervals, else by column.

    Args:
        one: an answer.
        other: another one to the same question.
        name: name of the first answer.
        second: name of the second answer.
    """
    if one.has_estimates and other.has_estimates:
        return _of_estimates(one, other, name, second)
    return _of_rows(one, other, name, second)


def _of_estimates(one: Result, other: Result, name: str, second: str) -> Table:
    known, others = one.by_group, other.by_group
    rows: list[list[object]] = []
    for key in dict.fromkeys([*known, *others]):
        a, b = known.get(key), others.get(key)
        apart = b.estimate - a.estimate if a is not None and b is not None else None
        width = _half(a)
        beside = "" if apart is None or not width or not math.isfinite(width) else f"{abs(apart) / width:.0%}"
        group, number = key
        ends = [_shown(a), _shown(b)]
        rows.append([", ".join(group) or "all", number, *ends, apart, beside])
    titles = ["group", "number", name, second, "difference", "of half the interval"]
    return titles, rows, "The last column holds the difference against half the width of the first plan's interval."


def _half(one: Estimate | None) -> float:
    """Half the width of an interval."""
    if one is None:
        return math.nan
    low, high = one.interval()
    return (high - low) / 2


def _shown(one: Estimate | None) -> str:
    if one is None:
        return "no such group"
    low, high = one.interval()
    return f"{one.estimate:.5g} ({low:.5g} to {high:.5g})"


def _of_rows(one: Result, other: Result, name: str, second: str) -> Table:
    a, b = one.first(_ROWS), other.first(_ROWS)
    counts = f"{name} has {len(one):,} rows, {second} {len(other):,}."
    if one.columns != other.columns or len(a) != len(b):
        return [], [], f"{counts} Rows cannot be told to belong together: ask for groups, or order them by a key."
    rows: list[list[object]] = []
    for place, column in enumerate(one.columns):
        pairs = [(x[place], y[place]) for x, y in zip(a, b, strict=True) if x[place] != y[place]]
        rows.append([column, len(pairs), _largest(pairs)])
    kept = [row for row in rows if not str(row[0]).endswith("__imputed")]
    return ["column", "cells that differ", "largest difference"], kept, f"{counts} Compared row by row, in their order."


def _largest(pairs: Sequence[tuple[object, object]]) -> float | None:
    sizes = [
        abs(float(x) - float(y))
        for x, y in pairs
        if isinstance(x, int | float) and isinstance(y, int | float) and not isinstance(x, bool)
    ]
    return max(sizes, default=None)
