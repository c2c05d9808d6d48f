"""What the imputer knn says that it costs and leaves unknown, beside what is measured.

python -m benchmarks.prices [--data DIR] [--out DIR]
"""

import argparse
import time
from pathlib import Path

import numpy as np

from imputedb.algebra.column import Column
from imputedb.imputers.knn import KNN
from imputedb.imputers.protocol import Work
from imputedb.imputers.rows import Cells, Rows
from imputedb.neighbours import cost
from imputedb.statistics.table import Kind


def rows_of(values: np.ndarray, gaps: np.ndarray) -> Rows:
    cells = {
        Column("t", f"c{place:02}"): Cells(np.ascontiguousarray(values[:, place]), gaps[:, place].copy(), Kind.NUMBER)
        for place in range(values.shape[1])
    }
    return Rows(cells, np.random.default_rng(7).permutation(len(values)).astype(np.uint64))


def times() -> list[str]:
    """CPU time, of two cores where there is work for both: what the clock says on a machine that is idle."""
    rng = np.random.default_rng(0)
    lines = ["| rows | columns | targets | missing | ms | estimate | ratio |", "|---|---|---|---|---|---|---|"]
    ratios = []
    for count in (100, 1000, 5000, 20_000, 60_000, 200_000):
        for width in (3, 10, 30):
            whole = rng.normal(size=(count, 3)) @ rng.normal(size=(3, width)) + 0.5 * rng.normal(size=(count, width))
            for missing in (0.05, 0.3):
                rows = rows_of(whole, rng.random((count, width)) < missing)
                for targets in sorted({1, min(3, width), width}):
                    work = Work(count, targets, width, missing, 0.5 * targets)
                    estimate = KNN().time(work)
                    if estimate > 4_000:
                        continue
                    taken = []
                    while not taken or (sum(taken) < 0.2 and len(taken) < 5):
                        began = time.process_time()
                        KNN().impute(rows, sorted(rows.columns)[:targets], 0)
                        taken.append((time.process_time() - began) / (2 if count * missing > 128 else 1))
                    ms = min(taken) * 1e3
                    ratios.append(estimate / ms)
                    figures = f"{ms:.2f} | {estimate:.2f} | {ratios[-1]:.2f}"
                    lines.append(f"| {count:,} | {width} | {targets} | {missing} | {figures} |")
                    print(lines[-1], flush=True)
    within = sum(0.5 <= ratio <= 2 for ratio in ratios) / len(ratios)
    return [*lines, "", f"Within a factor of 2: {within:.0%} of {len(ratios)}."]


def unexplained(data: Path) -> list[str]:
    """Squared errors of hidden cells over variances, of subsets of the real tables' rows and columns."""
    rng = np.random.default_rng(1)
    lines = ["| table | rows | columns | unexplained | estimate |", "|---|---|---|---|---|"]
    points = []
    for name in ("exams", "labs", "fcc"):
        whole = np.genfromtxt(data / f"{name}.csv", delimiter=",", skip_header=1)[:, 1:]
        for count in (50, 200, 1000, 4000, len(whole)):
            for width in sorted({2, 4, 8, min(16, whole.shape[1]), whole.shape[1]}):
                found = []
                for _ in range(3 if count > 1000 else 8):
                    some = whole[rng.permutation(len(whole))[:count]][:, rng.permutation(whole.shape[1])[:width]]
                    found += _errors(some, rng)
                if found:
                    mean = float(np.mean(found))
                    points.append((count, width, mean))
                    lines.append(
                        f"| {name} | {count:,} | {width} | {mean:.3f} | {cost.unexplained(count, width):.3f} |"
                    )
    logs = np.log(np.array(points))
    fit = np.linalg.lstsq(np.column_stack([np.ones(len(logs)), logs[:, :2]]), logs[:, 2], rcond=None)[0]
    lines += ["", f"Least squares of logarithms: {np.exp(fit[0]):.3g} rows^{fit[1]:.3f} columns^{fit[2]:.3f}."]
    print("\n".join(lines))
    return lines


def _errors(values: np.ndarray, rng: np.random.Generator) -> list[float]:
    gone = np.isnan(values)
    hidden = ~gone & (rng.random(values.shape) < 0.2)
    gaps = gone | hidden
    usable = [p for p in range(values.shape[1]) if (~gaps[:, p]).sum() > 4 and hidden[:, p].sum() > 1]
    rows = rows_of(np.where(gaps, 0.0, values), gaps)
    columns = sorted(rows.columns)
    filled = KNN().impute(rows, [columns[p] for p in usable], 0)
    found = []
    for place in usable:
        out = np.zeros(len(values))
        out[gaps[:, place]] = filled[columns[place]]
        variance = np.var(values[~gone[:, place], place])
        if variance > 0:
            here = hidden[:, place]
            found.append(min(2.0, float(np.mean((out[here] - values[here, place]) ** 2) / variance)))
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results"))
    options = parser.parse_args()
    lines = ["# The imputer knn: prices beside measurements", "", *times()]
    if (options.data / "exams.csv").exists():
        lines += ["", *unexplained(options.data)]
    (options.out / "neighbours_prices.md").write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
