"""Table 5: how far answers are from those over tables that were completed first, and how many rows they stand on."""

from __future__ import annotations

import statistics
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from benchmarks.paper import asking, charts, inputs
from benchmarks.paper.asking import ALPHAS
from benchmarks.paper.comparing import compared, fraction, groups
from benchmarks.paper.grid import Cell, Grid
from benchmarks.paper.inputs import BASE, Original
from benchmarks.paper.part import Data, Part, Setting
from imputedb.engines.duckdb.engine import DuckDB

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

ABOUT = (
    "SMAPE as the paper has it: |a - b| / (|a| + |b|) in percent for each group of the answer, averaged over "
    "the groups that both answers have, then over seeds; on the original's own rows it gives the original's own "
    "figures to the digit. b is the answer over base tables that were completed first, by the same imputer and "
    "seed. Groups that only one answer has are not part of it: they are counted beside it. The count fraction "
    "is the number of rows that the aggregates stand on over that of base tables."
)


def measure(setting: Setting) -> Data:
    """SMAPE and count fraction by query and alpha, of the imputer tree."""
    return against_base(setting, "tree")


def against_base(setting: Setting, imputer: str) -> Data:
    """SMAPE, lost and invented groups and count fraction by query and alpha, averaged over seeds."""
    averages, counts = inputs.queries(setting), inputs.queries(setting, inputs.COUNTS)
    engine, known = inputs.loaded(setting), inputs.original(setting)
    found = []
    for number, (average, count) in enumerate(zip(averages, counts, strict=True), 1):
        seeds = [_seed(engine, average, count, imputer, seed) for seed in range(setting.size.seeds)]
        told: dict[str, Any] = {name: _mean([seed[name] for seed in seeds]) for name in ALPHAS}
        found.append({"query": number, **told, "paper": _paper(number, known)})
        setting.tell(number / len(averages))
    return {"imputer": imputer, "seeds": setting.size.seeds, "queries": found}


def _seed(engine: DuckDB, average: str, count: str, imputer: str, seed: int) -> dict[str, dict[str, float | None]]:
    base, base_count = (groups(asking.ask(engine, sql, BASE, imputer, seed).rows) for sql in (average, count))
    found = {}
    for name in ALPHAS:
        ours, our_count = (groups(asking.ask(engine, sql, name, imputer, seed).rows) for sql in (average, count))
        beside = compared(ours, base)
        found[name] = {
            "smape": beside.smape,
            "lost": float(beside.lost),
            "invented": float(beside.invented),
            "groups": float(len(base)),
            "count_fraction": fraction(our_count, base_count),
        }
    return found


def _mean(seeds: list[dict[str, float | None]]) -> dict[str, float | None]:
    told = {}
    for name in seeds[0]:
        values = [value for seed in seeds if (value := seed[name]) is not None]
        told[name] = statistics.fmean(values) if values else None
    return told


def _paper(number: int, known: Mapping[tuple[int, str], Original]) -> dict[str, dict[str, float | None]]:
    return {
        name: {"smape": one.paper_smape, "count_fraction": one.paper_count_fraction}
        for name in ALPHAS
        if (one := known.get((number, name)))
    }


def tables(data: Data) -> list[Grid]:
    """SMAPE and count fractions beside the paper's."""
    return [_grid(data, "table5", "SMAPE and count fraction against base tables")]


def _grid(data: Data, name: str, title: str) -> Grid:
    head = ["query", *(f"SMAPE alpha {a}" for a in ALPHAS), *(f"paper {a}" for a in ALPHAS)]
    head += [*(f"count alpha {a}" for a in ALPHAS), *(f"paper count {a}" for a in ALPHAS), "groups", "lost", "invented"]
    rows: list[list[Cell]] = []
    for query in data["queries"]:
        row: list[Cell] = [query["query"]]
        for what in ("smape", "count_fraction"):
            row += [query[a][what] for a in ALPHAS]
            row += [query["paper"].get(a, {}).get(what) for a in ALPHAS]
        row.append(query["0"]["groups"])
        row += [" / ".join(f"{query[a][what]:g}" for a in ALPHAS) for what in ("lost", "invented")]
        rows.append(row)
    note = (
        f"Means over {data['seeds']} seeds, imputer {data['imputer']}. Lost and invented: groups that only base "
        "tables, or only this answer, has, at alpha 0 / 0.5 / 1."
    )
    return Grid(name, title, head, rows, note)


def figure(data: Data) -> Figure:
    """SMAPE and count fraction beside the paper's, a panel for each alpha."""
    drawing = charts.blank(11, 5.6)
    panels = drawing.subplots(2, len(ALPHAS), sharex=True, sharey="row")
    for below, what in enumerate(("smape", "count_fraction")):
        for beside, alpha in enumerate(ALPHAS):
            _panel(panels[below][beside], data, what, alpha)
    panels[0][0].set_ylabel("SMAPE, %")
    panels[1][0].set_ylabel("count fraction")
    charts.key(drawing, {"imputedb": ("o", charts.OURS), "the paper": ("D", charts.THEIRS)})
    return drawing


def _panel(axes: Axes, data: Data, what: str, alpha: str) -> None:
    for query in data["queries"]:
        theirs = query["paper"].get(alpha, {}).get(what)
        if theirs is not None:
            axes.plot(query["query"], theirs, "D", color=charts.THEIRS, markersize=5)
        if query[alpha][what] is not None:
            axes.plot(query["query"], query[alpha][what], "o", color=charts.OURS, markersize=5.5)
    axes.set_xticks([query["query"] for query in data["queries"]])
    if what == "smape":
        axes.set_yscale("symlog", linthresh=0.1)
        axes.set_yticks([0, 0.1, 1, 10, 100], ["0", "0.1", "1", "10", "100"])
        axes.set_title(f"alpha {alpha}")
    else:
        axes.set_xlabel("query")
    charts.bare(axes)


PART = Part("table5", "Table 5: answers against base tables", ABOUT, measure, tables, figure)
