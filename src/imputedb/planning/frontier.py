"""Pareto frontiers of plans, and the choice of a plan by alpha."""

from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from math import log
from typing import Any

from imputedb import markup
from imputedb.algebra.render import drawn
from imputedb.planning.candidate import Candidate


class Pareto:
    """Sub-plans over one set of tables that may still become part of an optimal plan.

    The penalty is an average, so it does not compose: pruning sub-plans by penalty would lose optimal plans. Sub-plans
    are compared only if operators above them add the same to both: with the same dirty columns, the same number of
    placements and the same estimated rows. In that case the smaller loss stays the smaller penalty.

    With `slack` > 0 the frontier is approximate: rows count as equal within a factor 1 + slack, and a sub-plan is not
    added if another is at most 1 + slack times as lossy and as slow. Over n joins the frontier's losses and times are
    then within (1 + slack)^(2n) of the exact ones, if imputers' times and penalties grow at most linearly with rows.
    """

    def __init__(self, slack: float = 0.0) -> None:
        self._slack = slack
        self._kept: dict[tuple[int, int, float], tuple[list[float], list[Candidate]]] = {}

    def __iter__(self) -> Iterator[Candidate]:
        for _, candidates in self._kept.values():
            yield from candidates

    def __len__(self) -> int:
        return sum(len(candidates) for _, candidates in self._kept.values())

    def add(self, candidate: Candidate) -> None:
        """Adds a sub-plan unless one in the set dominates it; removes those that it dominates."""
        times, kept = self._kept.setdefault(self._key(candidate), ([], []))
        limit = 1 + self._slack
        place = bisect_right(times, candidate.time * limit)
        if place and kept[place - 1].loss <= candidate.loss * limit:
            return
        place = bisect_right(times, candidate.time)
        end = place
        while end < len(kept) and kept[end].loss >= candidate.loss:
            end += 1
        times[place:end] = [candidate.time]
        kept[place:end] = [candidate]

    def _key(self, candidate: Candidate) -> tuple[int, int, float]:
        rows = candidate.rows
        if self._slack and rows > 0:
            rows = float(int(log(rows) / log(1 + self._slack)))
        return (candidate.dirty, candidate.placements, rows)


@dataclass(frozen=True, slots=True)
class Point:
    """A plan on the frontier with the range of alphas [low, high) that choose it; the last range is closed."""

    plan: Candidate
    low: float
    high: float

    def data(self) -> dict[str, object]:
        """The point as JSON-ready data."""
        return {
            "penalty": self.plan.penalty,
            "time_ms": self.plan.time,
            "alpha": [self.low, self.high],
            "imputes": self.plan.imputes,
            "drops": self.plan.placements - self.plan.imputes,
            "plan": drawn(self.plan.relation),
        }


class Frontier:
    """The Pareto frontier of complete plans in penalty and time, the slowest first."""

    def __init__(self, candidates: Iterator[Candidate]) -> None:
        self.plans: list[Candidate] = []
        for candidate in sorted(candidates, key=lambda plan: (plan.penalty, plan.time)):
            if not self.plans or candidate.time < self.plans[-1].time:
                self.plans.append(candidate)

    def __iter__(self) -> Iterator[Point]:
        thresholds = [plan.penalty - self.plans[0].penalty for plan in self.plans]
        ends = [*thresholds[1:], 1.0]
        for plan, low, high in zip(self.plans, thresholds, ends, strict=True):
            yield Point(plan, low, high)

    def __len__(self) -> int:
        return len(self.plans)

    def _repr_html_(self) -> str:
        """The plans as an HTML table for notebooks."""
        titles = ["penalty", "time (ms)", "picked by alpha from", "to", "imputes", "drops"]
        rows = [
            [p.plan.penalty, p.plan.time, p.low, p.high, p.plan.imputes, p.plan.placements - p.plan.imputes]
            for p in self
        ]
        return markup.table(titles, rows, title="plans that no other beats in both penalty and time")

    def _repr_mimebundle_(self, **_: object) -> dict[str, Any]:
        """The table, and a Vega-Lite chart of penalty over time for notebooks that draw it."""
        return {"text/html": self._repr_html_(), "application/vnd.vegalite.v5+json": self.vega()}

    def vega(self) -> dict[str, Any]:
        """A chart of penalty over time, with one point for each plan, as a specification of Vega-Lite 5."""
        return {
            "$schema": "https://vega.github.io/schema/vega-lite/v5.json",
            "data": {"values": [point.data() for point in self]},
            "mark": {"type": "line", "point": True, "color": markup.OBSERVED, "interpolate": "step-after"},
            "encoding": {
                "x": {"field": "time_ms", "type": "quantitative", "title": "estimated time (ms)"},
                "y": {"field": "penalty", "type": "quantitative", "title": "penalty"},
                "tooltip": [{"field": name} for name in ("penalty", "time_ms", "imputes", "drops", "plan")],
            },
        }

    def choose(self, alpha: float) -> Candidate:
        """The fastest plan whose penalty is within `alpha` of the least (paper, section 4.1)."""
        least = self.plans[0].penalty
        return next(plan for plan in reversed(self.plans) if plan.penalty - least <= alpha)
