"""Thresholds of `--fail-on`: figures of an answer that are compared with a limit, for exit code 3."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from imputedb.errors import QueryError

if TYPE_CHECKING:
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


class Exceeded(Exception):
    """A figure lies beyond its threshold."""


@dataclass(frozen=True, slots=True)
class Threshold:
    """A figure's name, a sign, and what it is compared with."""

    name: str
    sign: str
    limit: float


def thresholds(text: str | None, known: Sequence[str]) -> tuple[Threshold, ...]:
    """The thresholds of an option, such as `imputed>0.2,fmi>0.5`.

    Raises:
        QueryError: one is none, or of a figure that there is not.
    """
    found = []
    for part in (text or "").split(",") if text is not None else ():
        one = _ONE.fullmatch(part)
        try:
            limit = float(one[3]) if one else math.nan
        except ValueError:
            limit = math.nan
        if one is None or math.isnan(limit):
            raise QueryError(f"--fail-on {part.strip()!r} is no threshold: give one such as {known[0]}>0.2")
        if one[1] not in known:
            raise QueryError(f"--fail-on knows no figure {one[1]!r} here; there are {', '.join(known)}")
        found.append(Threshold(one[1], one[2], limit))
    return tuple(found)


def check(wanted: Sequence[Threshold], figures: Mapping[str, float]) -> None:
    """Compares figures with thresholds; one that is not known passes none.

    Raises:
        Exceeded: one lies beyond, in words of all that do.
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
    """The figures of an answer: the largest share of a column's whole table that was imputed, the largest FMI..."""
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
    """The largest of some numbers, `none` where there is none; NaN where one is not known."""
    found = list(values)
    return math.nan if any(map(math.isnan, found)) else max(found, default=none)


def _shares(db: Database, result: Result) -> Iterator[float]:
    """By imputed column the share of its table's rows; NaN of a column whose table is not known."""
    from imputedb.algebra.walk import scans
    from imputedb.sql.paths import quoted

    plans = [plan for _, plan in result.blocks if not isinstance(plan, str)]
    read = {(scan.alias, scan.table.path) for plan in plans for scan in scans(plan)}
    for place, count in result.report.imputed.items():
        tables = {path for alias, path in read if place.startswith(f"{alias}.")}
        rows = [int(db.execute(f"SELECT count(*) FROM {quoted(path)}")[0][0]) for path in tables]
        yield count / max(min(rows), 1) if rows else math.nan


def of_pool(pool: Pool) -> dict[str, float]:
    """The largest fraction of missing information of a term."""
    return {"fmi": _largest(float(value) for value in pool.table()["fmi"])}


def of_evaluation(found: Evaluation) -> dict[str, float]:
    """The largest error and bias, and the disparity: how far apart the errors of two subgroups are at most."""
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
