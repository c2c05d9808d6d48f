"""What is kept of a study: every number, a table, a chart."""

import csv
import math
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.coverage.methods import METHODS
from benchmarks.coverage.study import read
from benchmarks.coverage.truths import QUANTITIES, ROWS, SETTINGS

_BY = ("truth", "mechanism", "share", "about", "quantity", "method")


def summary(rows: Sequence[Mapping[str, str]]) -> list[dict[str, Any]]:
    """A row a setting, question, quantity and method: coverage, its Monte Carlo error, bias, width."""
    groups: dict[tuple[str, ...], list[Mapping[str, str]]] = defaultdict(list)
    for row in rows:
        groups[tuple(row[name] for name in _BY)].append(row)
    found = []
    for key, group in groups.items():
        n, errors = len(group), np.array([float(row["error"]) for row in group])
        share = sum(row["covers"] == "1" for row in group) / n
        found.append(
            {
                **dict(zip(_BY, key, strict=True)),
                "simulations": n,
                "coverage": round(100 * share, 1),
                "mc_error": round(100 * math.sqrt(share * (1 - share) / n), 1),
                "bias": round(float(errors.mean()), 4),
                "sd": round(float(errors.std()), 4),
                "width": round(float(np.median([float(row["width"]) for row in group])), 4),
                "ms": round(1e3 * float(np.median([float(row["seconds"]) for row in group]))),
            }
        )
    return found


def table(found: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """The coverage in Markdown, a column a method, what lies outside 93 to 97 in bold."""
    methods = [method for method in METHODS if any(row["method"] == method for row in found)]
    cells = {tuple(str(row[name]) for name in _BY): row for row in found}
    for about in ("population", "answer"):
        yield f"\n## `{about}`\n"
        yield f"| truth, missing | quantity | {' | '.join(methods)} |"
        yield "|---|---|" + "---:|" * len(methods)
        for setting in SETTINGS:
            for name in QUANTITIES:
                key = (setting.truth, setting.mechanism, str(setting.share), about, name)
                shown = [_cell(cells.get((*key, method))) for method in methods]
                if set(shown) != {""}:
                    yield f"| {setting} | {name} | {' | '.join(shown)} |"


def _cell(row: Mapping[str, Any] | None) -> str:
    if row is None:
        return ""
    coverage = float(row["coverage"])
    return f"{coverage:.1f}" if 93 <= coverage <= 97 else f"**{coverage:.1f}**"


def write(found: Sequence[Mapping[str, Any]], out: Path, note: str) -> None:
    """The numbers, the table and the chart."""
    with (out / "coverage.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, list(found[0]))
        writer.writeheader()
        writer.writerows(found)
    report(out, note)


def report(out: Path, note: str) -> None:
    """The table and the chart, from the numbers that are kept."""
    found = read(out / "coverage.csv")
    times = {row["method"]: row["ms"] for row in found}
    numbers = {row["method"]: row["simulations"] for row in found}
    counts = ", ".join(f"{method} {numbers[method]}" for method in METHODS if method in numbers)
    text = [
        "# Coverage of 95 % intervals",
        f"\n{ROWS} rows a table; y = 2 + .5 x + .7 a + .4 (g = b) + Normal(0, 1), `curved` with .6 (a^2 - 1) beside; y "
        "missing completely at random, or by logit a + .5 x (MAR). `population`: how often the interval holds the true "
        "parameter; `answer`: how often what the query says of the complete table. Outside 93 to 97 in bold; Monte "
        f"Carlo error 0.7 points at 1,000 simulations, 1.0 at 500. Simulations: {counts}. {note}",
        *table(found),
        "\nBias, spread, widths and numbers of simulations: coverage.csv. Median processor time of one call: "
        + ", ".join(f"{method} {ms} ms" for method, ms in times.items())
        + ".",
    ]
    (out / "coverage.md").write_text("\n".join(text) + "\n")
    chart(found, out / "coverage.png")


def chart(found: Sequence[Mapping[str, Any]], path: Path) -> None:
    """Coverage by method: a dot a quantity, a panel a setting and question."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    methods = [method for method in METHODS if any(row["method"] == method for row in found)][::-1]
    marks = dict(zip(QUANTITIES, "osD^v", strict=True))
    figure, axes = plt.subplots(2, len(SETTINGS), figsize=(3 * len(SETTINGS), 6.2), sharex=True, sharey=True)
    for row_of, about in zip(axes, ("population", "answer"), strict=True):
        for panel, setting in zip(row_of, SETTINGS, strict=True):
            panel.axvspan(93, 97, color="#dfe9f3", zorder=0)
            panel.axvline(95, color="#7f8c9a", linewidth=0.8, zorder=1)
            for place, name in enumerate(QUANTITIES):
                mine = [
                    (float(row["coverage"]), methods.index(row["method"]) + 0.13 * (2 - place))
                    for row in found
                    if (row["about"], row["quantity"]) == (about, name)
                    and (row["truth"], row["mechanism"], str(row["share"]))
                    == (setting.truth, setting.mechanism, str(setting.share))
                ]
                panel.scatter(*zip(*mine, strict=True), s=26, marker=marks[name], label=name, zorder=3)
            panel.set_title(f"{setting}\n{about}", fontsize=9)
            panel.set_yticks(range(len(methods)), methods, fontsize=9)
            panel.set_xlim(-3, 103)
            panel.grid(axis="y", color="#eeeeee", zorder=0)
    axes[1][len(SETTINGS) // 2].set_xlabel("% of simulations whose 95 % interval holds what it is about", fontsize=9)
    handles, labels = axes[0][0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="lower center", ncols=len(labels), frameon=False, fontsize=9)
    figure.tight_layout(rect=(0, 0.05, 1, 1))
    figure.savefig(path, dpi=110)
    plt.close(figure)
