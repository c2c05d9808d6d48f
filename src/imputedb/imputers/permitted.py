"""Bounds of imputed values, as policies state them."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal, InvalidOperation

import numpy as np
from numpy.typing import NDArray

from imputedb.algebra.column import Column
from imputedb.errors import CannotImpute
from imputedb.imputers.rows import Array, Cells, Rows
from imputedb.notes import Note, NoteKind
from imputedb.statistics.measure import ends
from imputedb.statistics.policy import Bound, Policy
from imputedb.statistics.policy import number as as_number
from imputedb.statistics.table import Kind

Flags = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class Bounds:
    """The values that may be imputed in one column.

    Attributes:
        name: name of the column, for messages.
        cells: cells of the column.
        low: least number; -infinity for none.
        high: largest number; infinity for none.
        known: sorted list of the only numbers; None for all.
        usable: by category, whether it may be imputed; None for numbers.
    """

    name: str
    cells: Cells
    low: float
    high: float
    known: NDArray[np.float64] | None = None
    usable: Flags | None = None

    def permits(self, values: Array) -> Flags:
        """Whether each value is permitted; a number to be rounded to a known one must be near it."""
        if self.usable is not None:
            found: Flags = self.usable[values.astype(np.intp)]
            return found
        numbers = values.astype(np.float64)
        return np.asarray((numbers >= self.low) & (numbers <= self.high))

    def rounded(self, values: Array) -> Array:
        """The nearest of the known numbers."""
        if self.known is None:
            return values
        at = np.clip(np.searchsorted(self.known, values.astype(np.float64)), 1, max(1, len(self.known) - 1))
        if len(self.known) == 1:
            nearest = np.full(len(values), self.known[0])
        else:
            below, above = self.known[at - 1], self.known[at]
            numbers = values.astype(np.float64)
            nearest = np.where(numbers - below <= above - numbers, below, above)
        typed = nearest.astype(values.dtype)
        return np.ma.masked_array(typed, values.mask) if isinstance(values, np.ma.MaskedArray) else typed

    def nearest(self, values: Array) -> Array:
        """The values, with those not permitted replaced by the nearest number or the most frequent category."""
        good = self.permits(values)
        if self.usable is None:
            return self.rounded(np.where(good, values, np.clip(values, self.low, self.high)).astype(values.dtype))
        levels, counts = np.unique(self.observed, return_counts=True)
        return np.where(good, values, levels[counts.argmax()]).astype(values.dtype)

    @property
    def observed(self) -> Array:
        """The observed values that are permitted."""
        values = self.cells.values[~self.cells.missing]
        return values[self.permits(values)]


def bounds(name: str, policy: Policy, cells: Cells) -> Bounds:
    """The bounds of a column from its policy.

    Raises:
        CannotImpute: no permitted category is observed.
    """
    if cells.kind in (Kind.CATEGORY, Kind.BOOLEAN):
        levels = cells.levels if cells.kind is Kind.CATEGORY else ("false", "true")
        usable = np.array(_usable(levels, policy), bool)
        seen = cells.values[~cells.missing].astype(np.intp)
        if not usable[seen].any():
            wanted = f"of the values {', '.join(policy.values)}" if policy.values else "in its range"
            numeric = (
                ", or say AS NUMERIC to take the nearest"
                if cells.levels and not isinstance(cells.levels[0], str)
                else ""
            )
            raise CannotImpute(f"{name}: none {wanted} is observed: allow others{numeric}")
        return Bounds(name, cells, -np.inf, np.inf, usable=usable)
    low = -np.inf if policy.low is None else as_number(policy.low, cells.kind)
    high = np.inf if policy.high is None else as_number(policy.high, cells.kind)
    if np.issubdtype(cells.values.dtype, np.integer):
        low, high = np.ceil(low), np.floor(high)
    if not policy.values:
        return Bounds(name, cells, low, high)
    known = np.unique([as_number(value, cells.kind) for value in policy.values])
    known = known[(known >= low) & (known <= high)]
    if not len(known):
        raise CannotImpute(f"{name}: none of the values {', '.join(policy.values)} is in its range")
    gaps = np.diff(known) / 2 if len(known) > 1 else np.array([np.inf])
    return Bounds(name, cells, known[0] - gaps[0], known[-1] + gaps[-1], known=known)


def outside(column: Column, policy: Policy, cells: Cells) -> Note | None:
    """A note if most observed values of a column are not permitted; None otherwise.

    Columns without any permitted category are not reported, since imputing them raises an error.
    """
    observed = int(np.count_nonzero(~cells.missing))
    if not policy.bounds or not observed:
        return None
    try:
        ruled_out = observed - len(bounds(str(column), policy, cells).observed)
    except CannotImpute:
        return None
    if 2 * ruled_out <= observed:
        return None
    words = (
        f": {ruled_out:,} of its {observed:,} observed values lie outside what its policy permits ({policy}), so that "
        "what is filled in is unlike them: right of values beyond a limit of detection, else mend the policy"
    )
    return Note(NoteKind.OUTSIDE, column, column, words)


def only_permitted(rows: Rows, limits: Mapping[Column, Bounds]) -> Rows:
    """The rows, with observed values that are not permitted marked as missing."""
    permitted = {}
    for column, limit in limits.items():
        cells = rows.columns[column]
        permitted[column] = cells.like(cells.values, cells.missing | ~limit.permits(cells.values))
    return replace(rows, columns={**rows.columns, **permitted})


def _usable(levels: Sequence[object], policy: Policy) -> list[bool]:
    """Whether each category is among a policy's values and within its range, by number or by order."""
    if levels and not isinstance(levels[0], str):
        numbers = [float(str(level)) for level in levels]
        lows, highs = (_numbers(end) if end is not None else () for end in (policy.low, policy.high))
        listed = [one for value in policy.values for one in _numbers(value)]
        return [
            (not policy.values or any(_is_near(level, one) for one in listed))
            and (not lows or any(low <= number for low in lows))
            and (not highs or any(number <= high for high in highs))
            for level, number in zip(levels, numbers, strict=True)
        ]
    first, last = ends(tuple(levels), policy)
    return [
        (not policy.values or level in policy.values) and first <= place <= last for place, level in enumerate(levels)
    ]


def _numbers(bound: Bound) -> tuple[Decimal | float, ...]:
    """The numbers that a bound may stand for: itself, or days or microseconds since 1970 for the text of a time."""
    try:
        return (Decimal(str(bound)),)
    except InvalidOperation:
        return as_number(bound, Kind.DATE), as_number(bound, Kind.TIMESTAMP)


def _is_near(level: object, value: Decimal | float) -> bool:
    """Whether a level equals a value: whole numbers exactly, others up to the rounding of FLOAT."""
    if isinstance(level, int):
        return level == value
    return math.isclose(float(str(level)), value, rel_tol=1e-6)
