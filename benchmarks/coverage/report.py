"""The report: verdicts and cells in Markdown, every number as CSV, and a picture."""

import csv
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.coverage.design import WORLDS
from benchmarks.coverage.judging import ENOUGH, FALSE_ALARMS, Cell, Verdict, judged, passes, verdicts
from benchmarks.coverage.methods import NAIVE
from benchmarks.coverage.quantities import NAMES
from benchmarks.coverage.study import ABOUT


def write(lines: Sequence[Mapping[str, Any]], out: Path, note: str) -> None:
    """Writes coverage_grid.md, .csv and .png into a folder."""
    cells = judged(lines)
    with (out / "coverage_grid.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, [*asdict(cells[0]), "coverage", "passes"])
        writer.writeheader()
        for cell in cells:
            row = {name: _shortened(value) for name, value in asdict(cell).items()}
            writer.writerow({**row, "coverage": round(cell.coverage, 4), "passes": int(cell.passes)})
    text = [*_head(lines, note), *_verdicts(cells), *_silent(cells), *_worlds(cells)]
    (out / "coverage_grid.md").write_text("\n".join(text) + "\n")
    chart(cells, out / "coverage_grid.png")


def _shortened(value: Any) -> Any:
    return float(f"{value:.5g}") if isinstance(value, float) else value


def _head(lines: Sequence[Mapping[str, Any]], note: str) -> Iterator[str]:
    replications = Counter((line["world"], line["method"]) for line in lines)
    worlds = sorted({world for world, _ in replications})
    yield "# Coverage of 95 % intervals over the design grid\n"
    yield f"{note}\n"
    yield (
        f"Worlds: {len(worlds)} of {len(WORLDS)} ({', '.join(map(str, worlds))}). Replications a world: "
        + ", ".join(
            f"{method} {_range([n for (_, name), n in replications.items() if name == method])}"
            for method in dict.fromkeys(line["method"] for line in lines)
        )
        + f". Draws: {', '.join(sorted({str(line['draws']) for line in lines}))}. "
        + f"Commit: {', '.join(sorted({line['commit'] or 'unknown' for line in lines}))}.\n"
    )
    fewest = min(replications.values())
    edge = next(covered for covered in range(fewest + 1) if passes(covered, fewest))
    yield f"With {fewest} replications, the fewest here, a cell passes from {edge} covered on ({edge / fewest:.0%}).\n"
    refused = Counter((line["method"], line["refused"]) for line in lines if "refused" in line)
    for (method, reason), count in refused.items():
        yield f"- {method} refused {count} replications: {reason}."
    seconds: dict[str, list[float]] = {}
    for line in lines:
        if "seconds" in line:
            seconds.setdefault(line["method"], []).append(line["seconds"])
    yield (
        "\nMean processor time of a replication: "
        + ", ".join(f"{method} {np.mean(found):.2f} s" for method, found in seconds.items())
        + "."
    )


def _range(counts: Sequence[int]) -> str:
    return str(counts[0]) if min(counts) == max(counts) else f"{min(counts)} to {max(counts)}"


def _verdicts(cells: Sequence[Cell]) -> Iterator[str]:
    yield (
        "\n## Verdicts\n\nA cell is one quantity in one world. It passes if its coverage is not below 93 % (exact "
        "binomial test, one-sided at 1 %: the fewer the replications, the more passes). Asked of what is called "
        f"proper: at least {ENOUGH:.0%} of the cells pass; no cell below 90 % is silent (its answers warn of "
        "such intervals in fewer than half of the replications, one of four of which asks about the complete table's "
        "answer); false alarms (answers that warn in worlds all of whose cells pass) "
        f"are at most {FALSE_ALARMS:.0%}. Complete cases and single values have one interval, held against both.\n"
    )
    yield (
        "| method | interval | cells | pass | below 90 % | of them silent | false alarms | above 98 % "
        "| their width / aipw's |"
    )
    yield "|---|---|---:|---:|---:|---:|---:|---:|---:|"
    for one in verdicts(cells):
        yield f"| {one.method} | {one.about} | {one.cells} | {_numbers(one)} |"


def _numbers(one: Verdict) -> str:
    passing = f"{one.passing:.0%}" if one.passing >= ENOUGH else f"**{one.passing:.0%}**"
    alarms = "" if np.isnan(one.alarms) else f"{one.alarms:.0%}"
    wider = "" if np.isnan(one.wider) else f"{one.wider:.2f}"
    return f"{passing} | {one.below} | {one.silent} | {alarms} | {one.over} | {wider}"


def _silent(cells: Sequence[Cell]) -> Iterator[str]:
    yield "\n## Cells below 90 % without a warning: coverage in %, its standard error in brackets\n"
    yield "| method | interval | world | quantities | share of replications that warned |"
    yield "|---|---|---|---|---:|"
    places: dict[tuple[str, str, int], list[Cell]] = {}
    for cell in cells:
        if cell.silent and cell.method not in NAIVE:
            places.setdefault((cell.method, cell.about, cell.world), []).append(cell)
    for (method, about, world), found in sorted(places.items()):
        shown = ", ".join(f"{cell.quantity} {_with_error(cell)}" for cell in found)
        yield f"| {method} | {about} | {world}: {WORLDS[world - 1]} | {shown} | {found[0].warned:.2f} |"


def _with_error(cell: Cell) -> str:
    error = np.sqrt(cell.coverage * (1 - cell.coverage) / cell.replications)
    return f"{100 * cell.coverage:.0f} ({100 * error:.0f})"


def _worlds(cells: Sequence[Cell]) -> Iterator[str]:
    methods = list(dict.fromkeys(cell.method for cell in cells))
    by_place = {(c.world, c.about, c.quantity, c.method): c for c in cells}
    for about in ABOUT:
        yield f"\n## `{about}`: coverage in %, bold where a cell does not pass\n"
        yield f"| world | quantity | {' | '.join(methods)} |"
        yield "|---|---|" + "---:|" * len(methods)
        for world in WORLDS:
            for name in NAMES:
                found = [by_place.get((world.number, about, name, method)) for method in methods]
                if any(found):
                    yield f"| {world.number}: {world} | {name} | {' | '.join(map(_shown, found))} |"


def _shown(cell: Cell | None) -> str:
    if cell is None:
        return ""
    text = f"{100 * cell.coverage:.1f}"
    return text if cell.passes else f"**{text}**"


def chart(cells: Sequence[Cell], path: Path) -> None:
    """Coverage by quantity: a dot a world, filled where it passes; a panel a method and question."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    methods = list(dict.fromkeys(cell.method for cell in cells))
    figure, axes = plt.subplots(
        len(ABOUT), len(methods), figsize=(2.6 * len(methods) + 1.2, 7), sharex=True, sharey=True, squeeze=False
    )
    for row_of, about in zip(axes, ABOUT, strict=True):
        for panel, method in zip(row_of, methods, strict=True):
            mine = [cell for cell in cells if (cell.method, cell.about) == (method, about)]
            panel.axvspan(93, 98, color="#dfe9f3", zorder=0)
            panel.axvline(95, color="#7f8c9a", linewidth=0.8, zorder=1)
            for good, colour in ((True, "#2b6ca3"), (False, "#c0392b")):
                some = [cell for cell in mine if cell.passes is good]
                places = [NAMES.index(c.quantity) + 0.5 * (c.world - 32.5) / 64 for c in some]
                panel.scatter([100 * c.coverage for c in some], places, s=14, color=colour, alpha=0.7, zorder=3)
            share = np.mean([cell.passes for cell in mine]) if mine else float("nan")
            panel.set_title(f"{method}, {about}\n{share:.0%} of {len(mine)} cells pass", fontsize=9)
            panel.set_yticks(range(len(NAMES)), NAMES, fontsize=9)
            panel.set_xlim(-3, 103)
            panel.grid(axis="y", color="#eeeeee", zorder=0)
    axes[0][0].invert_yaxis()
    figure.supxlabel(
        "% of replications whose 95 % interval holds what it is about; red: below 93 % at one-sided 1 %", fontsize=9
    )
    figure.tight_layout()
    figure.savefig(path, dpi=110)
    plt.close(figure)
