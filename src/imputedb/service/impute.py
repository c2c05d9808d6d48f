"""Rows filled in by a kept model, with what was filled in and how sure that is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isnan
from statistics import stdev
from typing import Any

from imputedb.models.model import Model

_DRAWS = 20
"""Draws that the spread is told of at most."""

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Completed:
    """Rows that a model has filled in.

    Attributes:
        model: that did.
        rows: with no cell of its columns missing.
        imputed: by row, the columns that were filled in.
        spread: by row and filled column, how much draws differ; None where it was not asked for.
    """

    model: Model
    rows: list[dict[str, Any]]
    imputed: list[list[str]]
    spread: list[dict[str, float | None]] | None

    @property
    def cells(self) -> Mapping[str, int]:
        """Filled cells by column."""
        return Counter(column for columns in self.imputed for column in columns)


def completed(
    model: Model, rows: Sequence[Row], draw: int | None, keys: Sequence[int] | None, *, spread: bool
) -> Completed:
    """Rows filled in.

    Raises: as `Model.apply`.
    """
    given = [dict(row) for row in rows]
    filled: list[dict[str, Any]] = model.apply(given, draw=draw, keys=keys)
    imputed = [
        [column for column in model.columns if _is_missing(before.get(column)) and not _is_missing(after.get(column))]
        for before, after in zip(given, filled, strict=True)
    ]
    told = _spread(model, given, filled, imputed, keys) if spread else None
    return Completed(model, filled, imputed, told)


def _is_missing(value: object) -> bool:
    return value is None or (isinstance(value, float) and isnan(value))


def _spread(
    model: Model,
    given: list[dict[str, Any]],
    filled: list[dict[str, Any]],
    imputed: list[list[str]],
    keys: Sequence[int] | None,
) -> list[dict[str, float | None]]:
    if not any(imputed):
        return [{} for _ in given]
    fitted = model.fitted
    features = [fitted.features[target.feature] for target in fitted.targets]
    named = {feature.column.name for feature in features if feature.classes}
    count = min(model.draws, _DRAWS)
    draws = [model.apply(given, draw=number, keys=keys) for number in range(count)]

    def apart(place: int, column: str) -> float | None:
        return _apart(filled[place][column], [draw[place][column] for draw in draws], named=column in named)

    return [{column: apart(place, column) for column in columns} for place, columns in enumerate(imputed)]


def _apart(value: object, drawn: Sequence[Any], *, named: bool) -> float | None:
    """How much draws differ: the standard deviation of numbers, the share of others that differ from the value."""
    if len(drawn) < 2:
        return None
    if not named and all(isinstance(one, int | float) for one in drawn):
        return float(stdev(drawn))
    differ = [one for one in drawn if one != value]
    return len(differ) / len(drawn)
