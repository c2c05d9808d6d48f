"""Figure 6: the frontiers of all queries, and the plan that each alpha picks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from benchmarks.paper import asking, charts, inputs
from benchmarks.paper.asking import ALPHAS
from benchmarks.paper.grid import Cell, Grid
from benchmarks.paper.part import Data, Part, Setting
from imputedb.answers.prepare import Planner
from imputedb.answers.request import PLANNED, QueryOptions

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

ABOUT = (
    "Every plan that no other beats in both penalty (the estimated loss of information) and estimated time, imputer "
    "tree. Alpha picks the fastest plan whose penalty is within alpha of the least. The figure shows penalties from 0 "
    "to 1 and, where several alphas pick one plan, one mark for all of them."
)


def measure(setting: Setting) -> Data:
    """The points of each query's frontier."""
    texts, engine = inputs.queries(setting), inputs.loaded(setting)
    found = []
    for number, sql in enumerate(texts, 1):
        asked = QueryOptions(0.0, asking.imputers("tree"), 0, PLANNED)
        frontier = Planner(engine).prepare(sql, asked).frontier
        found.append({"query": number, "points": [point.data() for point in frontier or ()]})
        setting.tell(number / len(texts))
    return {"imputer": "tree", "queries": found}


def tables(data: Data) -> list[Grid]:
    """All plans, a row each."""
    head = ["query", "penalty", "time, ms", "picked by alpha from", "to", "imputes", "drops", "of"]
    rows: list[list[Cell]] = [
        [
            query["query"],
            point["penalty"],
            point["time_ms"],
            *point["alpha"],
            point["imputes"],
            point["drops"],
            ", ".join(_picked(point)),
        ]
        for query in data["queries"]
        for point in query["points"]
    ]
    return [
        Grid("figure6", "The frontiers", head, rows, "Estimates, the slowest plan first; 'of': the alphas measured.")
    ]


def _picked(point: Mapping[str, Any]) -> list[str]:
    """Which of the alphas that are measured pick a plan."""
    low, high = point["alpha"]
    return [alpha for alpha in ALPHAS if low <= float(alpha) < high or float(alpha) == high == 1.0]


def figure(data: Data) -> Figure:
    """A panel for each query: estimated time against penalty."""
    across = min(3, len(data["queries"]))
    down = -(-len(data["queries"]) // across)
    drawing = charts.blank(3.7 * across, 2.7 * down)
    panels = drawing.subplots(down, across, squeeze=False).ravel()
    for axes, query in zip(panels, data["queries"], strict=False):
        _panel(axes, query)
    for axes in panels[len(data["queries"]) :]:
        axes.set_axis_off()
    return drawing


def _panel(axes: Axes, query: Mapping[str, Any]) -> None:
    points = query["points"]
    x, y = [p["penalty"] for p in points], [p["time_ms"] for p in points]
    axes.step(x, y, where="post", color=charts.QUIET, linewidth=0.9)
    axes.plot(x, y, "o", color=charts.QUIET, markersize=3.5)
    for point in points:
        picked = _picked(point)
        if not picked:
            continue
        axes.plot(point["penalty"], point["time_ms"], "o", color=charts.OURS, markersize=7)
        left = point["penalty"] > 0.6
        side, away = ("right", -5) if left else ("left", 5)
        text = "α = " + ", ".join(picked)
        at = (point["penalty"], point["time_ms"])
        axes.annotate(text, at, (away, 7), textcoords="offset points", ha=side, fontsize=8)
    axes.set(title=f"query {query['query']}", xlabel="penalty", ylabel="estimated ms", xlim=(-0.05, 1.05))
    axes.set_ylim(0, 1.25 * max(y, default=1.0))
    charts.bare(axes)
    axes.xaxis.label.set_fontsize(8)
    axes.yaxis.label.set_fontsize(8)


PART = Part("figure6", "Figure 6: frontiers", ABOUT, measure, tables, figure)
