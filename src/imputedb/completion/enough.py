"""The number of draws: a small Monte Carlo error in relation to the standard error, planned by a pilot."""

from collections.abc import Iterator, Mapping, Sequence
from math import ceil, sqrt
from typing import Any

import numpy as np

from imputedb.algebra.column import Column
from imputedb.completion.source import Source, completed_columns
from imputedb.imputers.rows import Array

LEAST, MOST = 10, 100
"""Minimum and maximum number of draws, if a value is missing; the minimum is the pilot."""

PRECISION = 0.1
"""Allowed Monte Carlo error of a pooled estimate, in its standard errors; 0.1 makes intervals 0.5 % too wide."""

SURE = 0.8
"""Probability that the pilot's estimate of the number of draws is large enough."""

LEVELS = 30
"""Maximum number of categories of a column whose shares are considered."""


def monitored(found: Source, values: Mapping[Column, Array]) -> dict[str, list[tuple[float, float]]]:
    """The mean of each filled column in one draw, with its variance; for categories those of each indicator."""
    names = {column.name for column in values}
    return {name: _means(v) for name, v in completed_columns(found, values).items() if name in names}


def _means(values: Array) -> list[tuple[float, float]]:
    if values.dtype == object:
        there = [value for value in values if value is not None]
        indicators = [np.array([value == level for value in there], float) for level in sorted(set(there))[:LEVELS]]
    else:
        indicators = [values[np.isfinite(values)].astype(np.float64)]
    return [(float(one.mean()), float(one.var(ddof=1)) / len(one)) for one in indicators if len(one) > 1]


def sufficient_draws(records: Sequence[Mapping[str, Any]]) -> bool:
    """Whether there are as many draws as the pilot asks for, or nothing was imputed."""
    if not any(record["watched"] for record in records):
        return True
    return len(records) >= LEAST and len(records) >= needed(records[:LEAST])


def needed(pilot: Sequence[Mapping[str, Any]]) -> int:
    """The number of draws for small Monte Carlo errors of all means, from a pilot.

    1. The variance B between draws of each mean, from above: (m - 1) B / the lower quantile of chi-squared with m - 1
       degrees of freedom.
    2. The least M with B / M at most PRECISION^2 (W + (1 + 1 / M) B), W the variance within a draw (Rubin 1987).

    The two stages are those of von Hippel (2020). If draws were added until their own estimate is small enough, they
    would stop where that estimate is too small.
    """
    from scipy import special

    freedom = len(pilot) - 1
    factor = freedom / (2 * special.gammaincinv(freedom / 2, 1 - SURE))
    found = 0.0
    for between, within in _variances(pilot):
        most = factor * between
        if most:
            found = max(found, most * (1 - PRECISION**2) / (PRECISION**2 * (within + most)))
    return ceil(found)


def _variances(records: Sequence[Mapping[str, Any]]) -> Iterator[tuple[float, float]]:
    """The variance between draws, and the mean variance within draws, of each mean."""
    for name in records[0]["watched"]:
        for one in zip(*(record["watched"].get(name, []) for record in records), strict=False):
            means = np.array([mean for mean, _ in one])
            between = float(means.var(ddof=1)) if len(records) > 1 else 0.0
            yield between, float(np.mean([variance for _, variance in one]))


def error(records: Sequence[Mapping[str, Any]]) -> float:
    """The largest Monte Carlo error of a column's mean, in units of its standard error by Rubin's rules."""
    m, found = len(records), 0.0
    for between, within in _variances(records):
        total = within + (1 + 1 / m) * between
        found = max(found, sqrt(between / m / total) if total else 0.0)
    return found
