"""The comparison of two runs: pooled means, imputed shares, and the distributions of imputed values."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import inf, isnan, nan, sqrt

import numpy as np
from numpy.typing import NDArray

from imputedb.completion.completed import Completed
from imputedb.completion.source import FLAG
from imputedb.errors import QueryError
from imputedb.inference.pooling import pool
from imputedb.models.drift import BINS, LEVELS, index

Values = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Line:
    """The comparison of one column.

    Attributes:
        column: name of the column.
        number: whether the column is numeric in both runs.
        mean, se, fmi: pooled mean, its standard error and FMI in the baseline; NaN for columns that are not numeric.
        other_mean, other_se, other_fmi: likewise in the other run.
        shift: difference of the means over its standard error.
        imputed, other_imputed: share of rows that were imputed.
        psi: population stability index of the imputed values, in bins of the baseline; None where a run has none.
    """

    column: str
    number: bool
    mean: float
    se: float
    fmi: float
    other_mean: float
    other_se: float
    other_fmi: float
    shift: float
    imputed: float
    other_imputed: float
    psi: float | None


def compared(baseline: Completed, run: Completed) -> list[Line]:
    """The comparison of each column that both runs have filled.

    The errors of the two runs are taken to be independent. For runs over the same rows they are correlated, so that the
    standard error is too large and shifts are too small, never too large.

    Raises:
        QueryError: a run was written without flags, or the runs share no column.
        StorageError: a file is missing, or has changed since it was written.
    """
    for one in (baseline, run):
        if not one.manifest["flags"]:
            raise QueryError(f"{one.folder.name} was written without flags, which tell what was imputed")
    both = [name for name in baseline.manifest["columns"] if name in run.manifest["columns"]]
    if not both:
        raise QueryError("the runs share no column that was filled in")
    first, second = _Run.of(baseline, both), _Run.of(run, both)
    return [_line(name, first, second, baseline, run) for name in both]


@dataclass(frozen=True, slots=True)
class _Run:
    """The data of one run: names of numeric columns, mean and variance by draw, and imputed values."""

    numbers: set[str]
    means: dict[str, list[tuple[float, float]]]
    imputed: dict[str, list[object]]

    @classmethod
    def of(cls, run: Completed, columns: list[str]) -> _Run:
        means: dict[str, list[tuple[float, float]]] = {name: [] for name in columns}
        imputed: dict[str, list[object]] = {name: [] for name in columns}
        numbers = set(columns)
        for frame in run:
            for name in columns:
                values = frame[name].dropna()
                if values.dtype.kind not in "biuf":
                    numbers.discard(name)
                elif len(values) > 1:
                    floats = values.astype("float64")
                    means[name].append((float(floats.mean()), float(floats.var()) / len(floats)))
                imputed[name] += frame.loc[frame[name + FLAG], name].dropna().tolist()
        return cls(numbers, means, imputed)


def _line(name: str, first: _Run, second: _Run, one: Completed, other: Completed) -> Line:
    (mean, se, fmi), (other_mean, other_se, other_fmi) = (_pooled(run.means[name]) for run in (first, second))
    apart, spread = other_mean - mean, sqrt(se**2 + other_se**2) if not isnan(se + other_se) else nan
    shift = nan if isnan(apart) else apart / spread if spread else 0.0 if not apart else inf
    share, other_share = (float(run.manifest["columns"][name]["imputed_share"]) for run in (one, other))
    psi = _psi(first.imputed[name], second.imputed[name])
    number = name in first.numbers & second.numbers
    return Line(name, number, mean, se, fmi, other_mean, other_se, other_fmi, shift, share, other_share, psi)


def _pooled(draws: list[tuple[float, float]]) -> tuple[float, float, float]:
    """The pooled mean, its standard error and its fraction of missing information."""
    if not draws:
        return nan, nan, nan
    if len(draws) == 1:
        return draws[0][0], sqrt(draws[0][1]), nan
    found = pool([mean for mean, _ in draws], [variance for _, variance in draws])
    one = next(iter(found.pooled.values()))
    return float(one.estimate), float(one.se), float(one.fmi)


def _psi(then: list[object], now: list[object]) -> float | None:
    if not then or not now:
        return None
    return index(*_counted(then, now))


def moved(values: tuple[list[object], list[object]], missing: tuple[int, int]) -> float:
    """The population stability index between values of then and of now, missing ones in a bin of their own.

    Args:
        values: observed values of then and of now.
        missing: numbers of missing values of then and of now.
    """
    if not values[0]:
        return 0.0 if not values[1] else inf
    counts = [np.append(found, absent) for found, absent in zip(_counted(*values), missing, strict=True)]
    return index(counts[0], counts[1]) or 0.0


def _counted(then: list[object], now: list[object]) -> Iterator[NDArray[np.int64]]:
    """Numbers of values in each bin: quantile bins of `then` for numbers, one bin for each frequent value otherwise."""
    if all(isinstance(value, int | float) for value in (*then, *now)):
        edges = np.unique(np.quantile(np.array(then, np.float64), np.linspace(0, 1, BINS + 1)[1:-1]))
        for values in (then, now):
            yield np.bincount(np.searchsorted(edges, np.array(values, np.float64)), minlength=len(edges) + 1)
        return
    names, counts = np.unique(np.array(list(map(str, then)), object).astype(str), return_counts=True)
    known = {str(name): place for place, name in enumerate(names[np.argsort(-counts, kind="stable")][:LEVELS])}
    for values in (then, now):
        yield np.bincount([known.get(str(value), len(known)) for value in values], minlength=len(known) + 1)
