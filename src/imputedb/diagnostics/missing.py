"""What is missing together with what: patterns, pairs, influx and outflux, predictors worth having."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Flags = NDArray[np.bool_]
Counts = NDArray[np.int64]
Matrix = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class PatternTable:
    """Rows by what they lack, as mice's md.pattern has them.

    Attributes:
        columns: by their missing count, the fullest first.
        observed: (p, c) whether a column is observed in a pattern.
        rows: (p,) rows of each.
        missing: (c,) missing values of each column.
    """

    columns: tuple[str, ...]
    observed: Flags
    rows: Counts
    missing: Counts

    @property
    def lacking(self) -> Counts:
        """(p,) how many columns each pattern lacks."""
        return np.asarray((~self.observed).sum(axis=1))


def pattern_table(missing: Flags, names: Sequence[str]) -> PatternTable:
    """The patterns of (n, c) flags, in the order of their columns: those that have the fullest columns first."""
    counts = missing.sum(axis=0)
    order = np.argsort(counts, kind="stable")
    found, rows = np.unique(missing[:, order], axis=0, return_counts=True)
    rank = np.lexsort(found.T[::-1])
    return PatternTable(tuple(names[place] for place in order), ~found[rank], rows[rank], counts[order])


@dataclass(frozen=True, slots=True, eq=False)
class Pairs:
    """Rows by what is observed (r) or missing (m) of two columns; all (c, c), the row's column named first."""

    rr: Counts
    rm: Counts
    mr: Counts
    mm: Counts


def pairs(missing: Flags) -> Pairs:
    """The counts of (n, c) flags (van Buuren 2018, section 4.1.2)."""
    gone = missing.astype(np.int64)
    seen = 1 - gone
    return Pairs(seen.T @ seen, seen.T @ gone, gone.T @ seen, gone.T @ gone)


@dataclass(frozen=True, slots=True)
class Flux:
    """How a column's missing values connect to the other columns (van Buuren 2018, section 4.1.3).

    Attributes:
        observed: share of the rows where it is observed.
        influx: how far others are observed where it is missing, of all observed values; 0 for a complete column.
        outflux: how far it is observed where others are missing, of all missing values; 1 for a complete column.
        inbound: mean share of its missing rows that another column can help with.
        outbound: mean share of its observed rows that are of use to another column.
        incomplete: share of its observed rows that lack something else.
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
    seen, gone = ~missing, missing
    counts = pairs(missing)
    all_seen, all_gone = max(int(seen.sum()), 1), int(gone.sum())
    others = ~np.eye(c, dtype=bool)
    whole = int((~gone.any(axis=1)).sum())
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
    """Which columns are worth having in the model of each incomplete one (mice's quickpred).

    Args:
        values: (n, c) numbers, NaN where missing; categories as codes.
        names: of the columns.
        correlation: a predictor correlates at least so with the column, or with whether it is missing.
        usable: the share of the rows lacking the column where the predictor must be observed.
    """
    missing = np.isnan(values)
    counts = pairs(missing)
    found = {}
    for place, name in enumerate(names):
        gone = missing[:, place]
        if not gone.any():
            continue
        kept = []
        for other, predictor in enumerate(names):
            share = counts.mr[place, other] / gone.sum()
            strength = max(
                abs(_correlation(values[:, place], values[:, other])),
                abs(_correlation(gone.astype(np.float64), values[:, other])),
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
    """(n,) the cumulative hazard at each row's time (Nelson 1969; Aalen 1978): what a survival outcome predicts by.

    H(t) sums over event times up to t; d deaths at once among n at risk add 1/n + 1/(n - 1) + ..., one after another
    (Fleming & Harrington 1984). It, with the event, belongs into the model of a covariate rather than the time itself
    (White & Royston 2009).
    """
    place = np.unique(time, return_inverse=True)[1]
    deaths = np.bincount(place[event], minlength=place.max() + 1)
    at_risk = np.bincount(place)[::-1].cumsum()[::-1]
    harmonic = np.concatenate([[0.0], np.cumsum(1 / np.arange(1, len(time) + 1))])
    return np.asarray(np.cumsum(harmonic[at_risk] - harmonic[at_risk - deaths])[place])
