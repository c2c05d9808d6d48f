"""Figure 5: how long the nine queries take, beside the original program, base tables first, and plain DuckDB."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from benchmarks.paper import asking, charts, inputs
from benchmarks.paper.asking import ALPHAS, SETTINGS
from benchmarks.paper.grid import Cell, Grid
from benchmarks.paper.part import Data, Part, Setting

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

PLAIN = "duckdb"

ABOUT = (
    "Each run plans and executes the query anew and fetches its rows, on one connection that stays open, with "
    "statistics gathered beforehand, as the original had its histograms; between runs stored columns, counts of "
    "missing rows and what DuckDB says of a text stay in memory, answers and filled-in values do not. Settings "
    "take turns, so that a disturbance of the machine meets all alike. 'Cold' is the first query on a database "
    "that has just been loaded, statistics gathered on the way. The original's figures are its own medians at "
    "ten cycles."
)


def measure(setting: Setting) -> Data:
    """Medians in milliseconds by query and setting, of the imputer tree, and the first query of a database."""
    cold = _cold(setting)
    found = timed(replace(setting, tell=lambda share: setting.tell(0.4 + 0.6 * share)), "tree")
    for query in found["queries"]:
        for name in SETTINGS:
            query[name]["cold"] = cold[query["query"], name]
    return found


def timed(setting: Setting, imputer: str) -> Data:
    """Medians in milliseconds by query and setting: planning, total, quartiles; plain DuckDB; the original."""
    texts = inputs.queries(setting)
    engine = inputs.loaded(setting)
    runs: dict[tuple[int, str], list[asking.Answered]] = {}
    for run in range(-1, setting.size.runs):
        for number, sql in enumerate(texts, 1):
            for name in SETTINGS:
                answered = asking.ask(engine, sql, name, imputer)
                if run >= 0:
                    runs.setdefault((number, name), []).append(answered)
            answered = asking.plain(engine, sql)
            if run >= 0:
                runs.setdefault((number, PLAIN), []).append(answered)
        setting.tell((run + 1) / setting.size.runs)
    known = inputs.original(setting)
    return {
        "imputer": imputer,
        "runs": setting.size.runs,
        "queries": [
            {
                "query": number,
                "sql": sql,
                PLAIN: statistics.median(one.total_ms for one in runs[number, PLAIN]),
                **{name: _told(runs[number, name]) for name in SETTINGS},
                "original": {
                    name: {"total": known[number, name].total_ms, "planning": known[number, name].planning_ms}
                    for name in SETTINGS
                    if (number, name) in known
                },
            }
            for number, sql in enumerate(texts, 1)
        ],
    }


def _cold(setting: Setting) -> dict[tuple[int, str], float]:
    """Milliseconds of the first query on a database that has just been loaded."""
    found, texts = {}, inputs.queries(setting)
    for number, sql in enumerate(texts, 1):
        for name in SETTINGS:
            taken = []
            for _ in range(setting.size.cold):
                engine = inputs.loaded(setting)
                taken.append(asking.ask(engine, sql, name).total_ms)
                engine.session.close()
            found[number, name] = statistics.median(taken)
        setting.tell(0.4 * number / len(texts))
    return found


def _told(runs: Sequence[asking.Answered]) -> dict[str, Any]:
    totals = sorted(run.total_ms for run in runs)
    low, high = (totals[round(q * (len(totals) - 1))] for q in (0.25, 0.75))
    return {
        "planning": statistics.median(run.planning_ms for run in runs),
        "total": statistics.median(totals),
        "quartiles": [low, high],
    }


def tables(data: Data) -> list[Grid]:
    """Totals beside the original's; planning; the speed-ups."""
    return [_totals(data, "figure5"), _phases(data, "figure5")]


def _totals(data: Data, name: str) -> Grid:
    head = ["query", *(f"{_word(s)}, ms" for s in SETTINGS), "DuckDB, ms"]
    head += [f"original {_word(s)}, ms" for s in SETTINGS] + [f"faster at {_word(s)}" for s in ALPHAS]
    rows: list[list[Cell]] = []
    for query in data["queries"]:
        theirs = query["original"]
        row: list[Cell] = [query["query"], *(query[s]["total"] for s in SETTINGS), query[PLAIN]]
        row += [theirs[s]["total"] if s in theirs else None for s in SETTINGS]
        row += [theirs[s]["total"] / query[s]["total"] if s in theirs else None for s in ALPHAS]
        rows.append(row)
    note = f"Medians of {data['runs']} runs, imputer {data['imputer']}, planning included."
    return Grid(f"{name}_totals", "Total time", head, rows, note)


def _phases(data: Data, name: str) -> Grid:
    head = ["query", "setting", "planning, ms", "total, ms", "lower quartile", "upper quartile", "cold, ms"]
    rows: list[list[Cell]] = [
        [query["query"], _word(s), query[s]["planning"], query[s]["total"], *query[s]["quartiles"], query[s]["cold"]]
        for query in data["queries"]
        for s in SETTINGS
    ]
    return Grid(f"{name}_phases", "Planning apart, spread, and the first query of a database", head, rows)


def _word(setting: str) -> str:
    return "base tables" if setting == inputs.BASE else f"alpha {setting}"


def figure(data: Data) -> Figure:
    """Ours and the original's time by query, a panel for each setting."""
    drawing = charts.blank(11.5, 4.6)
    panels = drawing.subplots(1, len(SETTINGS), sharey=True)
    for axes, name in zip(panels, SETTINGS, strict=True):
        _panel(axes, data["queries"], name)
    panels[0].set_ylabel("milliseconds")
    charts.key(drawing, {"imputedb": ("o", charts.OURS), "original ImputeDB": ("D", charts.THEIRS)}, "plain DuckDB")
    return drawing


def _panel(axes: Axes, queries: Sequence[Mapping[str, Any]], name: str) -> None:
    for query in queries:
        x, ours = query["query"], query[name]["total"]
        if name in query["original"]:
            theirs = query["original"][name]["total"]
            axes.plot([x, x], [ours, theirs], color=charts.QUIET, linewidth=0.8, zorder=1)
            axes.plot(x, theirs, "D", color=charts.THEIRS, markersize=5)
        axes.plot(x, ours, "o", color=charts.OURS, markersize=6)
        axes.plot(x, query[PLAIN], "_", color=charts.QUIET, markersize=10, markeredgewidth=2)
    axes.set(yscale="log", title=_word(name), xlabel="query")
    axes.set_xticks([query["query"] for query in queries])
    charts.bare(axes)


PART = Part("figure5", "Figure 5: time of the nine queries", ABOUT, measure, tables, figure)
