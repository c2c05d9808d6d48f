"""The paper's other imputers, mean and hot deck: time, and answers against base tables."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from benchmarks.paper import charts, figure5, table5
from benchmarks.paper.asking import ALPHAS, SETTINGS
from benchmarks.paper.grid import Cell, Grid
from benchmarks.paper.part import Data, Part, Setting

if TYPE_CHECKING:
    from matplotlib.figure import Figure

IMPUTERS = ("mean", "hotdeck")

PAPER = {
    "mean": "The paper: 12 to 25 ms, 24 to 44 with base tables first, error 0.",
    "hotdeck": "The paper: 12 to 29 ms, 21 to 92 with base tables first, error 0 to 3 %, 24 % for query 8 at alpha 1.",
}

ABOUT = "As Figure 5 and Table 5, with the paper's two cheap imputers; the baseline is completed by the same imputer."


def measure(setting: Setting) -> Data:
    """Times and comparisons of both."""
    found: Data = {}
    for place, imputer in enumerate(IMPUTERS):

        def tell(share: float, place: int = place) -> None:
            setting.tell((place + share) / len(IMPUTERS))

        inner = replace(setting, tell=tell)
        found[imputer] = {"time": figure5.timed(inner, imputer), "answers": table5.against_base(inner, imputer)}
    return found


def tables(data: Data) -> list[Grid]:
    """Times and SMAPE side by side, a table for each imputer."""
    return [_grid(imputer, data[imputer]) for imputer in IMPUTERS]


def _grid(imputer: str, data: Data) -> Grid:
    head = ["query", *(f"alpha {a}, ms" for a in ALPHAS), "base tables, ms"]
    head += [*(f"SMAPE alpha {a}" for a in ALPHAS), *(f"count alpha {a}" for a in ALPHAS)]
    rows: list[list[Cell]] = []
    for time, answer in zip(data["time"]["queries"], data["answers"]["queries"], strict=True):
        row: list[Cell] = [time["query"], *(time[s]["total"] for s in SETTINGS)]
        row += [answer[a][what] for what in ("smape", "count_fraction") for a in ALPHAS]
        rows.append(row)
    runs, seeds = data["time"]["runs"], data["answers"]["seeds"]
    note = f"Medians of {runs} runs, means over {seeds} seeds. {PAPER[imputer]}"
    return Grid(f"mean_{imputer}", f"The imputer {imputer}", head, rows, note)


def figure(data: Data) -> Figure:
    """Time by query and setting, a panel for each imputer."""
    drawing = charts.blank(10, 3.8)
    panels = drawing.subplots(1, len(IMPUTERS), sharey=True)
    for axes, imputer in zip(panels, IMPUTERS, strict=True):
        queries = data[imputer]["time"]["queries"]
        for colour, name in zip(charts.LINES, SETTINGS, strict=False):
            numbers, totals = [q["query"] for q in queries], [q[name]["total"] for q in queries]
            axes.plot(numbers, totals, "o", color=colour, markersize=5.5)
        axes.set(title=imputer, xlabel="query", yscale="log")
        axes.set_xticks([q["query"] for q in queries])
        axes.set_yticks([2, 5, 10, 20, 50], ["2", "5", "10", "20", "50"], minor=False)
        axes.minorticks_off()
        charts.bare(axes)
    panels[0].set_ylabel("milliseconds")
    names = [*(f"alpha {a}" for a in ALPHAS), "base tables"]
    charts.key(drawing, {name: ("o", colour) for name, colour in zip(names, charts.LINES, strict=False)})
    return drawing


PART = Part("mean", "Mean and hot deck", ABOUT, measure, tables, figure)
