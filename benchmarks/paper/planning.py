"""How planning grows with joins: exact and approximate, and what the approximation costs."""

from __future__ import annotations

import statistics
from collections.abc import Callable
from time import perf_counter
from typing import TYPE_CHECKING, TypeVar

from benchmarks.paper import asking, charts, inputs
from benchmarks.paper.grid import Grid
from benchmarks.paper.part import Absent, Data, Part, Setting
from imputedb.answers.prepare import Planner
from imputedb.answers.request import PLANNED, QueryOptions
from imputedb.blocks.block import PlannedBlock
from imputedb.engines.duckdb.engine import DuckDB
from imputedb.planning import search
from imputedb.planning.frontier import Frontier
from imputedb.planning.problem import Problem

if TYPE_CHECKING:
    from matplotlib.figure import Figure

DIRTY = {"demo": "income", "labs": "cholesterol", "exams": "height"}
"""The tables of the chain, and the column of each that is averaged."""
PAPER_MS = {6: (3300.0, 2500.0), 7: (14_200.0, 12_200.0), 8: (60_000.0, 49_000.0)}
"""The paper's mean planning times, exact and approximate (section 5.3); up to five joins it says under a second."""
LONG = 2_000.0
"""Milliseconds from which on a search is timed once."""

T = TypeVar("T")

ABOUT = (
    "A chain of demo, labs and exams joined on id, a missing column of each averaged, as in the paper. The "
    f"search alone, from statistics to frontier: exact, and with slack {search.SLACK:g}, which is what more "
    f"than {search.EXACT_TABLES} tables are planned with unless told otherwise. Regret: how much slower "
    "(estimated) the plan is that the approximate frontier gives than the one that the exact frontier gives at "
    "the same alpha, the worst of 101 alphas and their mean; and how much larger the least penalty is."
)


def measure(setting: Setting) -> Data:
    """Times, sizes and regret by the number of joins."""
    engine = inputs.loaded(setting)
    for place in range(len(DIRTY), setting.size.joins + 1):
        engine.session.execute(f"CREATE TABLE {_table(place)} AS FROM {list(DIRTY)[place % len(DIRTY)]}")
    found = []
    for joins in range(1, setting.size.joins + 1):
        found.append(_chain(engine, joins))
        setting.tell(joins / setting.size.joins)
    return {"slack": search.SLACK, "joins": found}


def _chain(engine: DuckDB, joins: int) -> Data:
    sql = chain(joins)
    asked = QueryOptions(0.0, asking.imputers("tree"), 0, PLANNED)
    prepared, whole = _timed(lambda: Planner(engine).prepare(sql, asked))
    block = prepared.blocks[-1]
    if not isinstance(block, PlannedBlock):
        raise Absent("a chain of joins that is planned")
    exact, exact_ms = _timed(lambda: search.plan(_problem(block), 0.0))
    approximate, approximate_ms = _timed(lambda: search.plan(_problem(block), search.SLACK))
    return {
        "joins": joins,
        "text_to_plan_ms": whole,
        "exact_ms": exact_ms,
        "approximate_ms": approximate_ms,
        "exact_size": len(exact),
        "approximate_size": len(approximate),
        **regret(exact, approximate),
    }


def _problem(block: PlannedBlock) -> Problem:
    """The block's problem with nothing computed yet."""
    return Problem(block.problem.query, block.problem.statistics, block.problem.imputers)


def _table(place: int) -> str:
    """The table at a place of the chain: one of three, from the fourth on a copy, since each is read once."""
    name, copy = list(DIRTY)[place % len(DIRTY)], place // len(DIRTY)
    return f"{name}_{copy}" if copy else name


def chain(joins: int) -> str:
    """A query of so many joins over copies of three tables."""
    source = ", ".join(f"{_table(place)} AS t{place}" for place in range(joins + 1))
    where = " AND ".join(f"t{place}.id = t{place + 1}.id" for place in range(joins))
    columns = list(DIRTY.values())
    shown = ", ".join(f"avg(t{place}.{columns[place % len(columns)]})" for place in range(joins + 1))
    return f"SELECT {shown} FROM {source} WHERE {where}"


def _timed(work: Callable[[], T]) -> tuple[T, float]:
    """What some work gives, and the median milliseconds of up to seven runs, of one where it is long."""
    taken: list[float] = []
    while True:
        began = perf_counter()
        found = work()
        taken.append((perf_counter() - began) * 1e3)
        if len(taken) == 7 or sum(taken) > LONG:
            return found, statistics.median(taken)


def regret(exact: Frontier, approximate: Frontier) -> dict[str, float]:
    """What choosing from the approximate frontier costs: time, over 101 alphas, and the least penalty."""
    ratios = [approximate.choose(a / 100).time / max(exact.choose(a / 100).time, 1e-9) for a in range(101)]
    worse = [max(ratio, 1.0) - 1.0 for ratio in ratios]
    return {
        "worst_regret": max(worse),
        "mean_regret": statistics.fmean(worse),
        "penalty_regret": max(0.0, approximate.plans[0].penalty - exact.plans[0].penalty),
    }


def tables(data: Data) -> list[Grid]:
    """A row for each number of joins."""
    head = ["joins", "exact, ms", "approximate, ms", "text to plan, ms", "exact plans", "approximate plans"]
    head += ["worst regret, %", "mean regret, %", "penalty regret", "paper exact, ms", "paper approximate, ms"]
    rows = [
        [
            one["joins"],
            one["exact_ms"],
            one["approximate_ms"],
            one["text_to_plan_ms"],
            one["exact_size"],
            one["approximate_size"],
            100 * one["worst_regret"],
            100 * one["mean_regret"],
            one["penalty_regret"],
            *PAPER_MS.get(one["joins"], (None, None)),
        ]
        for one in data["joins"]
    ]
    return [Grid("planning", "Planning by joins", head, rows)]


def figure(data: Data) -> Figure:
    """Time and frontier size against joins."""
    drawing = charts.blank(9.5, 3.8)
    left, right = drawing.subplots(1, 2)
    joins = [one["joins"] for one in data["joins"]]
    for colour, kind in zip((charts.OURS, charts.LINES[2]), ("exact", "approximate"), strict=True):
        left.plot(joins, [one[f"{kind}_ms"] for one in data["joins"]], "o-", color=colour, label=f"{kind}")
        right.plot(joins, [one[f"{kind}_size"] for one in data["joins"]], "o-", color=colour, label=kind)
    paper = [n for n in joins if n in PAPER_MS]
    left.plot(paper, [PAPER_MS[n][0] for n in paper], "D", color=charts.THEIRS, label="the paper, exact")
    left.set(yscale="log", xlabel="joins", ylabel="milliseconds", title="planning time")
    right.set(xlabel="joins", ylabel="plans", title="frontier")
    for axes in (left, right):
        axes.set_xticks(joins)
        charts.bare(axes)
        axes.legend(frameon=False, fontsize=8)
    return drawing


PART = Part("planning", "Planning by joins", ABOUT, measure, tables, figure)
