"""Imputers side by side: seconds, peak memory and error of hidden cells, each in a process of its own.

python -m benchmarks.imputers [--data DIR] [--out DIR] [--rows N ...]     the table and its chart
python -m benchmarks.imputers grid                                       the kernel's time beside its estimate
"""

import argparse
import importlib.util
import json
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import numpy as np
from numpy.typing import NDArray

Matrix = NDArray[np.float64]
PATIENCE = 120
"""Seconds a method may take before it is said to have taken longer."""


# -- methods: a matrix with NaN in, the same filled in out -----------------------------------------------------------


def kernel(matrix: Matrix) -> Callable[[], Matrix]:
    """imputedb's kernel on the columns as the engine hands them over: 32-bit integers with flags."""
    from imputedb.kernel import Cells, fill

    gaps = [np.isnan(column) for column in matrix.T]
    cells = [Cells(np.where(gap, 0, column).astype(np.int32), gap) for column, gap in zip(matrix.T, gaps, strict=True)]

    def run() -> Matrix:
        filled = fill(cells, [place for place, gap in enumerate(gaps) if gap.any() and not gap.all()])
        out = matrix  # in place, so that memory is the kernel's
        values = iter(filled.values)
        for place, gap in enumerate(gaps):
            if gap.any() and not gap.all():
                out[gap, place] = next(values)
        return out

    return run


def mean(matrix: Matrix) -> Callable[[], Matrix]:
    return lambda: np.where(np.isnan(matrix), np.nanmean(matrix, axis=0), matrix)


def lightgbm_chain(matrix: Matrix) -> Callable[[], Matrix]:
    """One tree of 64 leaves a column, two cycles, from a random start."""
    import lightgbm

    def run() -> Matrix:
        rng = np.random.default_rng(0)
        gaps = np.isnan(matrix)
        out = matrix.copy()
        for place in range(matrix.shape[1]):
            out[gaps[:, place], place] = rng.choice(matrix[~gaps[:, place], place], gaps[:, place].sum())
        wishes = {"num_leaves": 64, "min_data_in_leaf": 10, "learning_rate": 1.0, "verbose": -1, "num_threads": 2}
        for _ in range(2):
            for place in np.argsort(gaps.sum(axis=0)):
                gap = gaps[:, place]
                if not gap.any():
                    continue
                others = np.delete(out, place, axis=1)
                data = lightgbm.Dataset(others[~gap], out[~gap, place])
                out[gap, place] = lightgbm.train(wishes, data, 1).predict(others[gap])
        return out

    return run


def sklearn_chain(estimator: str) -> Callable[[Matrix], Callable[[], Matrix]]:
    def method(matrix: Matrix) -> Callable[[], Matrix]:
        from sklearn.experimental import enable_iterative_imputer  # noqa: F401
        from sklearn.impute import IterativeImputer
        from sklearn.linear_model import BayesianRidge
        from sklearn.tree import DecisionTreeRegressor

        model = {"tree": DecisionTreeRegressor(min_samples_leaf=10, random_state=0), "ridge": BayesianRidge()}[
            estimator
        ]
        return lambda: IterativeImputer(model, max_iter=2, random_state=0).fit_transform(matrix)

    return method


def miceforest(matrix: Matrix) -> Callable[[], Matrix]:
    import miceforest
    import pandas as pd

    frame = pd.DataFrame(matrix, columns=[f"c{place}" for place in range(matrix.shape[1])])

    def run() -> Matrix:
        imputed = miceforest.ImputationKernel(frame, num_datasets=1, random_state=0)
        imputed.mice(2)
        return imputed.complete_data(0).to_numpy(float)

    return run


METHODS: dict[str, Callable[[Matrix], Callable[[], Matrix]]] = {
    "imputedb kernel": kernel,
    "LightGBM, one tree": lightgbm_chain,
    "scikit-learn, tree": sklearn_chain("tree"),
    "scikit-learn, BayesianRidge": sklearn_chain("ridge"),
    "miceforest": miceforest,
    "mean": mean,
}


# -- tables ----------------------------------------------------------------------------------------------------------


def table(name: str, data: Path) -> tuple[Matrix, Matrix]:
    """The table as the imputer sees it, and the hidden values beside NaN."""
    if name.startswith("acs"):
        made = acs(data)
        whole = made.generate(int(name.split()[1])).astype(float)
        gaps = made.hide(whole)
        return np.where(gaps, np.nan, whole), np.where(gaps, whole, np.nan)
    whole = np.genfromtxt(data / f"{name}.csv", delimiter=",", skip_header=1)
    names = (data / f"{name}.csv").open().readline().strip().split(",")
    whole = whole[:, [place for place, column in enumerate(names) if column not in ("id", "index")]]
    hidden = ~np.isnan(whole) & (np.random.default_rng(1).random(whole.shape) < 0.2)
    return np.where(hidden, np.nan, whole), np.where(hidden, whole, np.nan)


def acs(data: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location("make_acs_like", data / "make_acs_like.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def error(filled: Matrix, hidden: Matrix, seen: Matrix) -> float:
    """Mean over the columns of the hidden cells' root mean squared error over the column's standard deviation."""
    errors = []
    for column, truth, known in zip(filled.T, hidden.T, seen.T, strict=True):
        here = ~np.isnan(truth)
        deviation = np.nanstd(np.where(here, truth, known))
        if here.any() and deviation > 0:
            errors.append(np.sqrt(np.mean((column[here] - truth[here]) ** 2)) / deviation)
    return float(np.mean(errors))


def one(name: str, method: str, data: Path) -> dict[str, float]:
    """One method on one table: median seconds of up to seven runs, peak memory beyond the table, error."""
    seen, hidden = table(name, data)
    run = METHODS[method](seen.copy())
    before = peak_kilobytes(reset=True)
    taken = []
    while not taken or (sum(taken) < 2 and len(taken) < 7):
        began = time.perf_counter()
        filled = run()
        taken.append(time.perf_counter() - began)
    peak = peak_kilobytes() - before
    return {"seconds": statistics.median(taken), "megabytes": peak / 1024, "error": error(filled, hidden, seen)}


def peak_kilobytes(*, reset: bool = False) -> int:
    """The most memory this process has held since the last reset (Linux)."""
    if reset:
        Path("/proc/self/clear_refs").write_text("5")
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0])


def measured(name: str, method: str, data: Path) -> dict[str, float] | str:
    command = [sys.executable, "-m", "benchmarks.imputers", "one", name, method, "--data", str(data)]
    try:
        ran = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=False)
    except subprocess.TimeoutExpired:
        return f"over {PATIENCE} s"
    if ran.returncode:
        reason = ran.stderr.strip().splitlines()[-1] if ran.stderr.strip() else "no reason given"
        return "not installed" if reason.startswith("ModuleNotFoundError") else f"failed: {reason[:70]}"
    result: dict[str, float] = json.loads(ran.stdout)
    return result


# -- reports ---------------------------------------------------------------------------------------------------------


def side_by_side(data: Path, out: Path, rows: list[int]) -> None:
    """Measures every method on every table; the slow way to `report`."""
    names = [*("exams", "labs", "fcc"), *(f"acs {count}" for count in rows)]
    report({name: {method: measured(name, method, data) for method in METHODS} for name in names}, out)


def report(results: dict[str, dict[str, dict[str, float] | str]], out: Path) -> None:
    """Writes the table, its numbers and its chart."""
    lines = [
        "# Imputers",
        "",
        f"Python {platform.python_version()}, {platform.machine()}, two cores. Real tables: 20 % of the observed cells "
        "hidden. ACS-like: 37 columns, 40 % hidden. Error: mean over columns of RMSE / standard deviation.",
        "",
        "| table | method | seconds | MB beyond the table | error |",
        "|---|---|---|---|---|",
    ]
    for name, methods in results.items():
        for method, found in methods.items():
            cells = (
                f"{found['seconds']:.4f} | {found['megabytes']:.0f} | {found['error']:.4f}"
                if isinstance(found, dict)
                else f"{found} | |"
            )
            lines.append(f"| {name} | {method} | {cells} |")
    out.mkdir(parents=True, exist_ok=True)
    (out / "imputers.md").write_text("\n".join(lines) + "\n")
    (out / "imputers.json").write_text(json.dumps(results, indent=1))
    chart(results, out / "imputers.png")
    print("\n".join(lines))


def chart(results: dict[str, dict[str, dict[str, float] | str]], path: Path) -> None:
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, (left, right) = pyplot.subplots(1, 2, figsize=(13, 5))
    for place, method in enumerate(METHODS):
        at = [n + (place - 2.5) / 8 for n in range(len(results))]
        for axis, what in ((left, "seconds"), (right, "error")):
            values = [r[method][what] if isinstance(r[method], dict) else 0.0 for r in results.values()]  # type: ignore[index]
            axis.bar(at, values, width=0.12, label=method)
    for axis, title in ((left, "seconds (log scale)"), (right, "RMSE of hidden cells / standard deviation")):
        axis.set_xticks(range(len(results)), list(results))
        axis.set_title(title)
        axis.spines[["top", "right"]].set_visible(False)
    left.set_yscale("log")
    left.legend(frameon=False, fontsize=8, loc="upper left")
    figure.tight_layout()
    figure.savefig(path, dpi=110)


def grid(out: Path) -> None:
    """Time of `fill` over rows x columns x targets, beside the estimate that the planner uses."""
    from imputedb.kernel import Cells, cost, fill

    rng = np.random.default_rng(0)
    head = "| rows | columns | targets | ms | estimate | ratio |"
    lines = ["# The kernel's time beside its estimate", "", head, "|---|---|---|---|---|---|"]
    ratios = []
    for rows in (100, 1000, 10_000, 100_000, 1_000_000):
        for columns in (3, 10, 30):
            factors = rng.normal(size=(rows, 3))
            loads = rng.normal(size=(3, columns))
            table = np.rint(20 * (factors @ loads + rng.normal(size=(rows, columns)))).astype(np.int32)
            gaps = rng.random((rows, columns)) < 0.3
            cells = [Cells(np.ascontiguousarray(table[:, c]), gaps[:, c].copy()) for c in range(columns)]
            for targets in sorted({1, min(3, columns), columns}):
                if rows * columns * targets > 3e8:
                    continue
                taken = []
                while not taken or (sum(taken) < 0.3 and len(taken) < 9):
                    began = time.perf_counter()
                    fill(cells, range(targets))
                    taken.append(time.perf_counter() - began)
                ms = statistics.median(taken) * 1e3
                estimate = cost.milliseconds(rows, targets, columns - 1, missing_share=0.3)
                ratios.append(estimate / ms)
                lines.append(f"| {rows:,} | {columns} | {targets} | {ms:.2f} | {estimate:.2f} | {estimate / ms:.2f} |")
    within = sum(0.5 <= ratio <= 2 for ratio in ratios) / len(ratios)
    lines += ["", f"Within a factor of 2: {within:.0%} of {len(ratios)}."]
    out.mkdir(parents=True, exist_ok=True)
    (out / "kernel_grid.md").write_text("\n".join(lines) + "\n")
    print("\n".join(lines))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", nargs="*", default=["all"])
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results"))
    parser.add_argument("--rows", type=int, nargs="*", default=[10_000, 100_000, 671_153])
    options = parser.parse_args()
    match options.what:
        case ["one", name, method]:
            print(json.dumps(one(name, method, options.data)))
        case ["grid"]:
            grid(options.out)
        case _ if (options.data / "exams.csv").exists():
            side_by_side(options.data, options.out, options.rows)
        case _:
            sys.exit(f"skipped: the tables are not in {options.data}")


if __name__ == "__main__":
    main()
