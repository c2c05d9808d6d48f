"""EXPLAIN and EXPLAIN ANALYZE: a plan with what was estimated of it, and what was seen."""

from collections.abc import Mapping
from dataclasses import dataclass
from time import perf_counter
from typing import Any

from imputedb.algebra.relation import Relation
from imputedb.algebra.render import as_data, dot, drawn
from imputedb.answering import Asked, Prepared, answer
from imputedb.engines.duckdb import DuckDB
from imputedb.execution import Actual
from imputedb.planning.candidate import Candidate
from imputedb.planning.estimate import Estimate, estimates
from imputedb.result import Result


@dataclass(frozen=True, slots=True)
class Explanation:
    """A plan with its estimates and, when it was analyzed, what was measured of each operator.

    Attributes:
        plan: the chosen plan; None when DuckDB runs the text as it stands.
        alpha: what it was chosen for.
        estimated: rows, missing counts and time of each operator by its identity.
        actual: what was seen of each operator, empty unless analyzed.
        result: the answer of the analyzed run.
    """

    plan: Candidate | None
    alpha: float
    estimated: Mapping[int, Estimate]
    actual: Mapping[int, Actual]
    result: Result | None = None

    @property
    def text(self) -> str:
        """The drawn plan with its notes."""
        if self.plan is None:
            return "DuckDB, the text as it stands: nothing missing is read"
        head = f"penalty {self.plan.penalty:.4f}, {self.plan.time:.2f} ms estimated, alpha {self.alpha:g}"
        return f"{head}\n{drawn(self.plan.relation, self.note)}"

    def note(self, relation: Relation) -> str:
        """What is known of one operator, in a few words."""
        estimate, actual = self.estimated.get(id(relation)), self.actual.get(id(relation))
        parts = []
        if estimate:
            parts.append(f"~{estimate.rows:,.0f} rows, ~{estimate.ms:.2f} ms")
        if actual:
            parts.append(f"actual {actual.rows:,} rows, {actual.seconds * 1e3:.2f} ms")
        return f"({'; '.join(parts)})" if parts else ""

    def data(self) -> dict[str, Any]:
        """The plan as JSON-ready data."""
        if self.plan is None:
            return {"strategy": "verbatim", "plan": None}
        return {
            "alpha": self.alpha,
            "penalty": self.plan.penalty,
            "estimated_ms": self.plan.time,
            "plan": as_data(self.plan.relation, self._more),
        }

    def _more(self, relation: Relation) -> dict[str, Any]:
        estimate, actual = self.estimated.get(id(relation)), self.actual.get(id(relation))
        more: dict[str, Any] = {}
        if estimate:
            more |= {"estimated_rows": round(estimate.rows, 1), "estimated_ms": round(estimate.ms, 4)}
        if actual:
            more |= {"actual_rows": actual.rows, "actual_ms": round(actual.seconds * 1e3, 4)}
        return more

    def dot(self) -> str:
        """The plan in the DOT language of Graphviz."""
        return dot(self.plan.relation, self.note) if self.plan else "digraph plan {\n}"

    def __str__(self) -> str:
        return self.text


def explained(engine: DuckDB, prepared: Prepared, asked: Asked, *, analyze: bool) -> Explanation:
    """The explanation of a prepared query."""
    plan = prepared.chosen(asked)
    if plan is None or prepared.problem is None:
        return Explanation(None, asked.alpha, {}, {})
    estimated = estimates(plan.relation, prepared.problem)
    if not analyze:
        return Explanation(plan, asked.alpha, estimated, {})
    actual: dict[int, Actual] = {}

    def watch(node: Relation, _: Relation, seen: Actual) -> None:
        actual[id(node)] = seen

    began = perf_counter()
    result = answer(engine, prepared, asked, 0.0, watch=watch)
    below = sum(seen.seconds for seen in actual.values())
    actual[id(plan.relation)] = Actual(len(result), max(0.0, perf_counter() - began - below))
    return Explanation(plan, asked.alpha, estimated, actual, result)
