"""Thresholds of `--fail-on`: figures of a result that are compared with limits; exceeding one gives exit code 3."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from imputedb.errors import QueryError

if TYPE_CHECKING:
    from imputedb.completion.comparison import Line
    from imputedb.database import Database
    from imputedb.diagnostics.evaluation import Evaluation
    from imputedb.inference.pooling import Pool
    from imputedb.result import Result

_ONE = re.compile(r"\s*([a-z_]+)\s*(>=|>|<=|<)\s*([-+0-9.eE]+)\s*")
_SIGNS: Mapping[str, Callable[[float, float], bool]] = {
    ">": lambda a, b: a > b,
    ">=": lambda a, b: a >= b,
    "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b,
}

ANSWER = ("imputed", "dropped", "penalty", "fmi", "rhat", "warnings")
POOL = ("fmi",)
EVALUATION = ("error", "bias", "disparity")
RUNS = ("shift", "psi", "imputed")


class Exceeded(Exception):
    """A figure beyond its threshold."""


@dataclass(frozen=True, slots=True)
class Threshold:
    """The name of a figure, a comparison sign, and a limit."""

    name: str
    sign: str
    limit: float


def thresholds(text: str | None, known: Sequence[str]) -> tuple[Threshold, ...]:
    """The thresholds of an option, such as `imputed>0.2,fmi>0.5`.

    Raises:
        QueryError: a threshold is malformed, or names an unknown figure.
    """
    found = []
    for part in (text or "").split(",") if text is not None else ():
        one = _ONE.fullmatch(part)
        try:
            limit = float(one[3]) if one else math.nan
        except ValueError:
            limit = math.nan
        if one is None or math.isnan(limit):
            raise QueryError(f"--fail-on {part.strip()!r} is not a threshold: give one such as {known[0]}>0.2")
        if one[1] not in known:
            raise QueryError(f"--fail-on has no figure {one[1]!r} here; the figures are {', '.join(known)}")
        found.append(Threshold(one[1], one[2], limit))
    return tuple(found)


def check(wanted: Sequence[Threshold], figures: Mapping[str, float]) -> None:
    """Compares figures with thresholds; an unknown figure (NaN) exceeds every threshold.

    Raises:
        Exceeded: a figure is beyond its threshold; the message names all such figures.
    """
    beyond = [
        f"{one.name} is {figures[one.name]:.4g}, which is {one.sign} {one.limit:g}"
        if not math.isnan(figures[one.name])
        else f"{one.name} is not known, so that it cannot be compared with {one.limit:g}"
        for one in wanted
        if math.isnan(figures[one.name]) or _SIGNS[one.sign](figures[one.name], one.limit)
    ]
    if beyond:
        raise Exceeded("; ".join(beyond))


def of_answer(db: Database, result: Result) -> dict[str, float]:
    """The figures of an answer: the largest imputed share of a column's base table, the largest FMI, and others."""
    report = result.report
    known = [one.fmi for row in result.estimates for one in row.values() if hasattr(one, "fmi")] if (
        result.has_estimates) else []  # fmt: skip
    return {
        "imputed": _largest(_shares(db, result), 0.0),
        "dropped": float(report.dropped),
        "penalty": report.penalty,
        "fmi": _largest(known, math.nan if report.imputed else 0.0),
        "rhat": report.convergence.rhat if report.convergence else 1.0,
        "warnings": float(len(report.warnings)),
    }


def _largest(values: Iterable[float], none: float = math.nan) -> float:
    """The largest of some numbers; `none` where there are none, NaN where one is unknown."""
    found = list(values)
    return math.nan if any(map(math.isnan, found)) else max(found, default=none)


def _shares(db: Database, result: Result) -> Iterator[float]:
    """The imputed share of each imputed column's base table; NaN where the table is unknown."""
    from imputedb.algebra.walk import scans
    from imputedb.sql.paths import quoted

    plans = [plan for _, plan in result.blocks if not isinstance(plan, str)]
    read = {(scan.alias, scan.table.path) for plan in plans for scan in scans(plan)}
    for place, count in result.report.imputed.items():
        tables = {path for alias, path in read if place.startswith(f"{alias}.")}
        rows = [int(db.execute(f"SELECT count(*) FROM {quoted(path)}")[0][0]) for path in tables]
        yield count / max(min(rows), 1) if rows else math.nan


def of_pool(pool: Pool) -> dict[str, float]:
    """The largest fraction of missing information among the terms."""
    return {"fmi": _largest(float(value) for value in pool.table()["fmi"])}


def of_runs(lines: Sequence[Line]) -> dict[str, float]:
    """The largest differences of two runs: pooled means in standard errors, imputed values, imputed shares."""
    shifts = [abs(line.shift) for line in lines if line.number]
    return {
        "shift": _largest(shifts, 0.0),
        "psi": _largest((line.psi for line in lines if line.psi is not None), 0.0),
        "imputed": _largest(abs(line.imputed - line.other_imputed) for line in lines),
    }


def of_evaluation(found: Evaluation) -> dict[str, float]:
    """The largest error and bias, and the disparity: the largest difference between the errors of two subgroups."""
    whole = [score for score in found.scores if score.group is None]
    parts: dict[tuple[str, str], list[float]] = {}
    for score in found.scores:
        if score.group is not None:
            parts.setdefault((score.imputer, score.column), []).append(score.error)
    return {
        "error": _largest(score.error for score in whole),
        "bias": _largest(abs(score.bias) for score in whole if score.bias is not None),
        "disparity": _largest(_largest(errors) - min(errors) for errors in parts.values()),
    }
