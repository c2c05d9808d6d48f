"""Large data: a table like that of the American Community Survey, and how time and memory grow with its rows."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.paper import charts, inputs
from benchmarks.paper.grid import Cell, Grid
from benchmarks.paper.part import Data, Part, Setting

if TYPE_CHECKING:
    from matplotlib.figure import Figure

CHECKOUT = Path(__file__).parents[2]
ACS = 671_153
"""Rows of the paper's table."""
PAPER = {"full imputation": 355 * 60.0, "average, alpha 0": 4.0, "average, alpha 1": 1.0}
"""Seconds in the paper (section 5.3)."""

ABOUT = (
    "make_acs_like.py writes tables of 37 integer columns, 40 % of the cells hidden. Each size is loaded and "
    "asked in a process of its own. 'First' is the first time a query is asked (the very first gathers "
    "statistics on the way), 'again' the median of the next ones: each is planned and executed anew, with "
    "columns that imputers learn from kept in memory. Full imputation completes all 37 columns into a table. "
    "Models are learnt from a bounded number of rows at every size. Memory is the most that the process held, "
    "the table included."
)


def measure(setting: Setting) -> Data:
    """Seconds and megabytes by size and query."""
    program = inputs.generator(setting)
    found = []
    for place, rows in enumerate(setting.size.rows):
        found.append(_sized(program, rows))
        setting.tell(sum(setting.size.rows[: place + 1]) / sum(setting.size.rows))
    return {"sizes": found}


def _sized(program: str, rows: int) -> dict[str, Any]:
    with tempfile.TemporaryDirectory(prefix="imputedb-bench-") as folder:
        made = subprocess.run([sys.executable, program, folder, str(rows)], capture_output=True, text=True, check=False)
        if made.returncode:
            return {"rows": rows, "failed": _reason(made.stderr)}
        path = Path(folder) / "acs_like.parquet"
        command = [sys.executable, "-m", "benchmarks.paper.growth", str(path)]
        ran = subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, check=False)
    if ran.returncode:
        return {"rows": rows, "failed": _reason(ran.stderr)}
    told: dict[str, Any] = json.loads(ran.stdout)
    return told


def _reason(said: str) -> str:
    return (said.strip().splitlines() or ["killed, out of memory perhaps"])[-1][:200]


def tables(data: Data) -> list[Grid]:
    """The paper's table; growth with rows."""
    return [*(_paper(one) for one in data["sizes"] if one["rows"] == ACS and "failed" not in one), _growth(data)]


def _paper(one: Mapping[str, Any]) -> Grid:
    head = ["query", "first, s", "again, s", "peak, MB", "the paper, s", "times faster"]
    rows: list[list[Cell]] = []
    for name, told in one["queries"].items():
        paper = PAPER.get(name)
        faster = paper / told["again_s"] if paper else None
        rows.append([name, told["first_s"], told["again_s"], told["peak_mb"], paper, faster])
    note = f"Loading took {one['load_s']:.1f} s; after it the process held {one['table_mb']:,.0f} MB at most."
    return Grid("large_acs", f"{ACS:,} rows, 37 columns", head, rows, note)


def _growth(data: Data) -> Grid:
    names = list(next((one["queries"] for one in data["sizes"] if "failed" not in one), {}))
    head = ["rows", "load, s", "table, MB", *(f"{name}, s" for name in names), *(f"{name}, peak MB" for name in names)]
    rows: list[list[Cell]] = []
    for one in data["sizes"]:
        if "failed" in one:
            rows.append([one["rows"], f"failed: {one['failed']}", *[None] * (len(head) - 2)])
            continue
        row: list[Cell] = [one["rows"], one["load_s"], one["table_mb"]]
        row += [one["queries"][name][what] for what in ("again_s", "peak_mb") for name in names]
        rows.append(row)
    return Grid("large_growth", "Growth with rows", head, rows)


def figure(data: Data) -> Figure:
    """Time and memory against rows."""
    drawing = charts.blank(11, 4.2)
    left, right = drawing.subplots(1, 2)
    sizes = [one for one in data["sizes"] if "failed" not in one]
    rows = [one["rows"] for one in sizes]
    names = list(sizes[0]["queries"]) if sizes else []
    for colour, name in zip(charts.LINES, names, strict=False):
        left.plot(
            rows, [one["queries"][name]["again_s"] for one in sizes], "o-", color=colour, label=name, markersize=4
        )
        right.plot(rows, [one["queries"][name]["peak_mb"] for one in sizes], "o-", color=colour, markersize=4)
    right.plot(rows, [one["table_mb"] for one in sizes], "--", color=charts.QUIET, label="after loading")
    for axes, what in ((left, "seconds"), (right, "peak memory, MB")):
        axes.set(xscale="log", yscale="log", xlabel="rows", ylabel=what)
        charts.bare(axes)
    handles, labels = left.get_legend_handles_labels()
    more, words = right.get_legend_handles_labels()
    drawing.legend([*handles, *more], [*labels, *words], loc="outside right upper", frameon=False, fontsize=8)
    return drawing


PART = Part("large", "Large data", ABOUT, measure, tables, figure)
