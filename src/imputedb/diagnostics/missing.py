"""Measures of joint missingness: patterns, pairs of columns, influx and outflux, and useful predictors."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Flags = NDArray[np.bool_]
Counts = NDArray[np.int64]
Matrix = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class PatternTable:
    """Numbers of rows by pattern of missingness, as in mice's md.pattern.

    Attributes:
        columns: columns by number of missing values, the most complete first.
        observed: (p, c) whether a column is observed in a pattern.
        rows: (p,) number of rows of each pattern.
        missing: (c,) number of missing values of each column.
    """

    columns: tuple[str, ...]
    observed: Flags
    rows: Counts
    missing: Counts

    @property
    def lacking(self) -> Counts:
        """(p,) the number of missing columns of each pattern."""
        return np.asarray((~self.observed).sum(axis=1))


def pattern_table(missing: Flags, names: Sequence[str]) -> PatternTable:
    """The patterns of (n, c) flags, those in which the most complete columns are observed first."""
    counts = missing.sum(axis=0)
    order = np.argsort(counts, kind="stable")
    found, rows = np.unique(missing[:, order], axis=0, return_counts=True)
    rank = np.lexsort(found.T[::-1])
    return PatternTable(tuple(names[place] for place in order), ~found[rank], rows[rank], counts[order])


@dataclass(frozen=True, slots=True, eq=False)
class Pairs:
    """Numbers of rows in which two columns are observed (r) or missing (m); (c, c), the row's column named first."""

    rr: Counts
    rm: Counts
    mr: Counts
    mm: Counts


def pairs(missing: Flags) -> Pairs:
    """The counts of pairs for (n, c) flags (van Buuren 2018, section 4.1.2)."""
    absent = missing.astype(np.int64)
    seen = 1 - absent
    return Pairs(seen.T @ seen, seen.T @ absent, absent.T @ seen, absent.T @ absent)


@dataclass(frozen=True, slots=True)
class Flux:
    """How a column's missing values connect to the other columns (van Buuren 2018, section 4.1.3).

    Attributes:
        observed: share of rows in which the column is observed.
        influx: observed values of others where it is missing, over all observed values; 0 for a complete column.
        outflux: missing values of others where it is observed, over all missing values; 1 for a complete column.
        inbound: mean share of its missing rows in which another column is observed.
        outbound: mean share of its observed rows in which another column is missing.
        incomplete: share of its observed rows in which some other column is missing.
    """

    observed: float
    influx: float
    outflux: float
    inbound: float
    outbound: float
    incomplete: float


def flux(missing: Flags, names: Sequence[str]) -> Mapping[str, Flux]:
    """The flux of every column of (n, c) flags."""
    n, c = missing.shape
    seen, absent = ~missing, missing
    counts = pairs(missing)
    all_seen, all_gone = max(int(seen.sum()), 1), int(absent.sum())
    others = ~np.eye(c, dtype=bool)
    whole = int((~absent.any(axis=1)).sum())
    found = {}
    for place, name in enumerate(names):
        other = others[place]
        mine = int(seen[:, place].sum())
        found[name] = Flux(
            mine / n,
            float(counts.mr[place].sum()) / all_seen,
            float(counts.rm[place].sum()) / all_gone if all_gone else 0.0,
            _mean_share(counts.mr[place][other], n - mine),
            _mean_share(counts.rm[place][other], mine),
            (mine - whole) / mine if mine else 0.0,
        )
    return found


def _mean_share(counts: Counts, rows: int) -> float:
    return float(np.mean(counts / rows)) if rows and len(counts) else 0.0


def predictors(
    values: Matrix, names: Sequence[str], *, correlation: float = 0.1, usable: float = 0.0
) -> Mapping[str, tuple[str, ...]]:
    """Useful predictors of each incomplete column (mice's quickpred).

    Args:
        values: (n, c) numbers, NaN where missing; categories as codes.
        names: names of the columns.
        correlation: least correlation of a predictor with the column, or with its missingness.
        usable: least share of the column's missing rows in which the predictor is observed.
    """
    missing = np.isnan(values)
    counts = pairs(missing)
    found = {}
    for place, name in enumerate(names):
        absent = missing[:, place]
        if not absent.any():
            continue
        kept = []
        for other, predictor in enumerate(names):
            share = counts.mr[place, other] / absent.sum()
            strength = max(
                abs(_correlation(values[:, place], values[:, other])),
                abs(_correlation(absent.astype(np.float64), values[:, other])),
            )
            if other != place and strength >= correlation and share >= usable:
                kept.append(predictor)
        found[name] = tuple(kept)
    return found


def _correlation(a: Matrix, b: Matrix) -> float:
    both = ~np.isnan(a) & ~np.isnan(b)
    a, b = a[both], b[both]
    if len(a) < 2 or np.ptp(a) == 0 or np.ptp(b) == 0:
        return 0.0
    return float(np.corrcoef(a, b)[0, 1])


def nelson_aalen(time: Matrix, event: Flags) -> Matrix:
    """(n,) the cumulative hazard at each row's time (Nelson 1969; Aalen 1978), a predictor for survival outcomes.

    H(t) sums over event times up to t; d tied events among n at risk add 1/n + 1/(n - 1) + ..., one after another
    (Fleming & Harrington 1984). With the event indicator it belongs into the model of a covariate, in place of the time
    itself (White & Royston 2009).
    """
    place = np.unique(time, return_inverse=True)[1]
    deaths = np.bincount(place[event], minlength=place.max() + 1)
    at_risk = np.bincount(place)[::-1].cumsum()[::-1]
    harmonic = np.concatenate([[0.0], np.cumsum(1 / np.arange(1, len(time) + 1))])
    return np.asarray(np.cumsum(harmonic[at_risk] - harmonic[at_risk - deaths])[place])
