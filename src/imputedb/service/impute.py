"""Rows that a kept model fills in, with the filled cells and their spread between draws."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isnan
from statistics import stdev
from typing import Any

from imputedb.models.model import Model

_DRAWS = 20
"""Maximum number of draws from which the spread is computed."""

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Completed:
    """Rows filled in by a model.

    Attributes:
        model: the model that filled in the rows.
        rows: the rows, with no missing value in the model's columns.
        imputed: names of the columns that were filled in, by row.
        spread: difference between draws by row and filled column; None where it was not requested.
    """

    model: Model
    rows: list[dict[str, Any]]
    imputed: list[list[str]]
    spread: list[dict[str, float | None]] | None

    @property
    def cells(self) -> Mapping[str, int]:
        """Number of filled cells by column."""
        return Counter(column for columns in self.imputed for column in columns)


def completed(
    model: Model, rows: Sequence[Row], draw: int | None, keys: Sequence[int] | None, *, spread: bool
) -> Completed:
    """The rows filled in by a model.

    Raises: as `Model.apply`.
    """
    given = [dict(row) for row in rows]
    filled: list[dict[str, Any]] = model.apply(given, draw=draw, keys=keys)
    imputed = [
        [column for column in model.columns if _is_missing(before.get(column)) and not _is_missing(after.get(column))]
        for before, after in zip(given, filled, strict=True)
    ]
    spreads = _spread(model, given, filled, imputed, keys) if spread else None
    return Completed(model, filled, imputed, spreads)


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
    """The spread of draws: the standard deviation of numbers, or the share of draws that differ from a category."""
    if len(drawn) < 2:
        return None
    if not named and all(isinstance(one, int | float) for one in drawn):
        return float(stdev(drawn))
    differ = [one for one in drawn if one != value]
    return len(differ) / len(drawn)
