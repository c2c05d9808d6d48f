"""EXPLAIN and EXPLAIN ANALYZE: a plan with estimated and measured figures."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any

from imputedb import markup
from imputedb.algebra.relation import Impute, Relation, Table
from imputedb.algebra.render import as_data, dot, drawn
from imputedb.algebra.walk import bottom_up
from imputedb.answers import remote
from imputedb.answers.prepared import Prepared, chosen_plan, deciding_tables
from imputedb.answers.query import answer
from imputedb.answers.request import QueryOptions
from imputedb.answers.run import unplanned_note
from imputedb.blocks.block import UnplannedBlock
from imputedb.engines.engine import Engine
from imputedb.execution.form import form
from imputedb.execution.model import ModelTable
from imputedb.execution.on_sample import on_sample
from imputedb.execution.plan import Measurement
from imputedb.models.kept import is_stored
from imputedb.planning import room
from imputedb.planning.candidate import Candidate
from imputedb.planning.estimate import Estimate, estimates
from imputedb.planning.problem import Problem
from imputedb.result import Result


@dataclass(frozen=True, slots=True)
class Explanation:
    """A plan with its estimates and, if it was analyzed, with measurements of each operator.

    Attributes:
        blocks: plan of each block by name, in the order in which they run; a text where a block has no plan.
            Empty if DuckDB runs the text unchanged.
        alpha: alpha for which the plan was chosen.
        estimated: estimated rows, missing counts and time of each operator, by `id`.
        actual: measurements of each operator; empty unless analyzed.
        result: answer of the analyzed run.
        forms: how kept models impute, by column: as values beside the table or as an expression, with the reason.
        left_out: imputers that were no option for all rows, by name, with the reason.
    """

    blocks: Sequence[tuple[str, Candidate | str]]
    alpha: float
    estimated: Mapping[int, Estimate]
    actual: Mapping[int, Measurement]
    result: Result | None = None
    forms: Mapping[str, str] = field(default_factory=dict)
    left_out: Mapping[str, str] = field(default_factory=dict)

    @property
    def plan(self) -> Candidate | None:
        """The plan of the outermost planned block."""
        return next((plan for _, plan in reversed(self.blocks) if not isinstance(plan, str)), None)

    @property
    def text(self) -> str:
        """The plans as text, with figures."""
        if not self.blocks:
            return "DuckDB, the text as it stands: nothing missing is read"
        drawn_blocks = [self._drawn(name, plan) for name, plan in self.blocks]
        forms = [f"{column}: {form}" for column, form in self.forms.items()]
        return "\n".join([*drawn_blocks, *forms, *(f"{one} is left out: {why}" for one, why in self.left_out.items())])

    def _drawn(self, name: str, plan: Candidate | str) -> str:
        title = f"{name}: " if name else ""
        if isinstance(plan, str):
            return title + plan
        head = f"penalty {plan.penalty:.4f}, {plan.time:.2f} ms estimated, alpha {self.alpha:g}"
        return f"{title}{head}\n{drawn(plan.relation, self.note)}"

    def note(self, relation: Relation) -> str:
        """The figures of one operator in a few words."""
        estimate, actual = self.estimated.get(id(relation)), self.actual.get(id(relation))
        parts = []
        if estimate:
            parts.append(f"~{estimate.rows:,.0f} rows, ~{estimate.ms:.2f} ms")
        if actual:
            parts.append(f"actual {actual.rows:,} rows, {actual.seconds * 1e3:.2f} ms")
        return f"({'; '.join(parts)})" if parts else ""

    def data(self) -> dict[str, Any]:
        """The plan as JSON-ready data, with nested blocks and completed tables under `below`."""
        if not self.blocks:
            return {"strategy": "verbatim", "plan": None}
        *below, (_, last) = self.blocks
        found = self._data(last)
        found = {**found, "kept": dict(self.forms)} if self.forms else found
        found = {**found, "left_out": dict(self.left_out)} if self.left_out else found
        return {**found, "below": {name: self._data(plan) for name, plan in below}} if below else found

    def _data(self, plan: Candidate | str) -> dict[str, Any]:
        if isinstance(plan, str):
            return {"plan": None, "written": plan}
        return {
            "alpha": self.alpha,
            "penalty": plan.penalty,
            "estimated_ms": plan.time,
            "plan": as_data(plan.relation, self._more),
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

    def _repr_html_(self) -> str:
        """The plans as HTML for notebooks."""
        return markup.preformatted(self.text)


def explained(engine: Engine, prepared: Prepared, options: QueryOptions, *, analyze: bool) -> Explanation:
    """The explanation of a prepared query."""
    remote.check(engine, prepared, options)
    if analyze:
        remote.check_watched(engine)
    found: list[tuple[str, Candidate | str]] = []
    estimated: dict[int, Estimate] = {}
    forms: dict[str, str] = {}
    left_out: dict[str, str] = {}
    drawn_tables = deciding_tables(prepared, options.values)
    for block in prepared.blocks:
        if isinstance(block, UnplannedBlock):
            found.append((block.name, unplanned_note(block)))
            continue
        plan = chosen_plan(engine, block, options)
        found.append((block.name, plan))
        estimated |= estimates(plan.relation, block.problem)
        forms |= forms_of(engine, plan.relation, block.problem, drawn_tables, options.seed)
        left_out |= room.left_out(block.problem)
    if not analyze or not found:
        return Explanation(found, options.alpha, estimated, {}, forms=forms, left_out=left_out)
    actual: dict[int, Measurement] = {}

    def watch(node: Relation, _: Relation, seen: Measurement) -> None:
        actual[id(node)] = seen

    began = perf_counter()
    result = answer(engine, prepared, options, 0.0, watch=watch)
    below = sum(seen.seconds for seen in actual.values())
    last = found[-1][1]
    if not isinstance(last, str):
        actual[id(last.relation)] = Measurement(len(result), max(0.0, perf_counter() - began - below))
    return Explanation(found, options.alpha, estimated, actual, result, forms, left_out)


def forms_of(
    engine: Engine, plan: Relation, problem: Problem, drawn_tables: frozenset[Table], seed: int
) -> dict[str, str]:
    """How kept models and functions of samples impute in a plan, by column."""
    imputers = {one.name: one for one in problem.imputers}
    tables = {scan.alias: scan for scan in problem.query.sources}
    found = {}
    for node in bottom_up(plan):
        one = imputers.get(node.imputer) if isinstance(node, Impute) else None
        if not isinstance(node, Impute) or one is None or not is_stored(one):
            continue
        for column in sorted(node.columns):
            scan = tables[column.relation]
            record, statistics = one.model(scan.table, column.name), problem.statistics[column.relation]
            draw = 0 if scan.table in drawn_tables else None
            if record is not None and record.has_functions:
                model = ModelTable(engine, scan, statistics, record)
                found[str(column)] = f"model {record.title}, {form(model, column.name, draw).text}"
            elif one.on_sample:
                model = on_sample(engine, scan, statistics, column.name, one.base, seed, drawn=draw is not None)
                found[str(column)] = f"{one.name}, {form(model, column.name, draw).text}"
    return found
