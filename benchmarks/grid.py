"""The kernel's time over a grid of rows x columns x targets, beside the estimate that the planner uses.

python -m benchmarks.imputers grid [--out DIR]
"""

import csv
import statistics
import time
from collections.abc import Iterator
from dataclasses import astuple, dataclass, fields, replace
from pathlib import Path

import numpy as np

from imputedb.kernel import Cells, cost, fill

ROWS = (100, 300, 1000, 3000, 10_000, 30_000, 100_000, 300_000, 1_000_000)
COLUMNS = (2, 5, 10, 20, 37, 80)


@dataclass(frozen=True)
class Table:
    """A made table: 3 hidden factors behind its columns, in whole numbers or `levels` categories."""

    rows: int
    columns: int
    levels: int = 0
    noise: float = 1.0
    unit: float = 1e-4
    missing: float = 0.3
    draw: bool = False

    def cells(self) -> list[Cells]:
        rng = np.random.default_rng(0)
        shape = (self.rows, self.columns)
        values = rng.normal(size=(self.rows, 3)) @ rng.normal(size=(3, self.columns))
        values += self.noise * rng.normal(size=shape)
        if self.levels:
            centred = values / values.std(axis=0) * self.levels / 4 + self.levels / 2
            values = np.clip(centred, 0, self.levels - 1)
        else:
            values = np.rint(values / self.unit)
        whole, gaps = values.astype(np.int32), rng.random(shape) < self.missing
        return [
            Cells(np.ascontiguousarray(column), gap.copy(), bool(self.levels))
            for column, gap in zip(whole.T, gaps.T, strict=True)
        ]


@dataclass(frozen=True)
class Run:
    table: Table
    targets: int
    measured: float
    """Milliseconds, as is the estimate."""
    estimate: float

    @property
    def ratio(self) -> float:
        return self.estimate / self.measured


def tables() -> Iterator[Table]:
    for rows in ROWS:
        for columns in COLUMNS:
            if rows * columns > 2.5e7:
                continue
            plain = Table(rows, columns)
            yield from (plain, replace(plain, noise=3.0, unit=0.1))
            if columns in (5, 10, 20, 37):
                yield replace(plain, missing=0.05)
            if columns in (5, 20, 37):
                yield from (replace(plain, draw=True), replace(plain, draw=True, noise=3.0, unit=0.1))
            if columns in (5, 20):
                yield from (replace(plain, levels=8), replace(plain, levels=25))


def runs(table: Table) -> Iterator[Run]:
    cells = table.cells()
    for targets in sorted({1, min(3, table.columns), min(10, table.columns), table.columns}):
        if table.rows * table.columns * targets > (7.5e7 if table.levels else 2.5e8):
            continue
        taken: list[float] = []
        while not taken or (sum(taken) < 0.12 and len(taken) < 7):
            began = time.perf_counter()
            fill(cells, range(targets), mode="draw" if table.draw else "predict")
            taken.append(time.perf_counter() - began)
        estimate = cost.milliseconds(
            table.rows,
            targets,
            table.columns - 1,
            missing_share=table.missing,
            nominal_levels=table.levels,
            draw=table.draw,
        )
        yield Run(table, targets, statistics.median(taken) * 1e3, estimate)


def kind(table: Table) -> str:
    return "draws" if table.draw else f"{table.levels} categories" if table.levels else "numbers"


def summary(all_runs: list[Run]) -> list[str]:
    """Per kind and number of rows: how many runs, how many within a factor of 2, and the ratio's spread."""
    lines = [
        "| kind | rows | runs | within a factor of 2 | least ratio | median | most |",
        "|---|---|---|---|---|---|---|",
    ]
    for name in dict.fromkeys(kind(run.table) for run in all_runs):
        for rows in ROWS:
            ratios = [run.ratio for run in all_runs if kind(run.table) == name and run.table.rows == rows]
            if ratios:
                spread = f"{min(ratios):.2f} | {statistics.median(ratios):.2f} | {max(ratios):.2f}"
                lines.append(f"| {name} | {rows:,} | {len(ratios)} | {within(ratios):.0%} | {spread} |")
    return lines


def within(ratios: list[float]) -> float:
    return sum(0.5 <= ratio <= 2 for ratio in ratios) / len(ratios)


def grid(out: Path) -> None:
    all_runs = [run for table in tables() for run in runs(table)]
    total = f"Within a factor of 2: {within([run.ratio for run in all_runs]):.1%} of {len(all_runs)} runs."
    lines = ["# The kernel's time beside its estimate", "", *summary(all_runs), "", total]
    out.mkdir(parents=True, exist_ok=True)
    (out / "kernel_grid.md").write_text("\n".join(lines) + "\n")
    with (out / "kernel_grid.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow([*(field.name for field in fields(Table)), "targets", "measured", "estimate"])
        for run in all_runs:
            writer.writerow([*astuple(run.table), run.targets, f"{run.measured:.4g}", f"{run.estimate:.4g}"])
    print("\n".join(lines))
