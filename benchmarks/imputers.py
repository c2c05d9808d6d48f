"""Imputers side by side: seconds, peak memory, error and accuracy of hidden cells, each in a process of its own.

python -m benchmarks.imputers [--data DIR] [--out DIR] [--rows N ...]     the table (Markdown, CSV) and its chart
python -m benchmarks.imputers grid                                       the kernel's time beside its estimate
"""

import argparse
import csv
import json
import platform
import runpy
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Matrix = NDArray[np.float64]
Found = dict[str, float] | str
"""Measurements, or why there are none."""
Method = Callable[[Matrix, set[int]], Callable[[], Matrix]]
PATIENCE = 300
"""Seconds a method may take before it is said to have taken longer."""


# -- methods: a matrix with NaN in and the places of its categories, the same filled in out ------------------


def kernel(matrix: Matrix, nominal: set[int]) -> Callable[[], Matrix]:
    """imputedb's kernel on the columns as the engine hands them over: 32-bit integers with flags."""
    from imputedb.kernel import Cells, fill

    gaps = [np.isnan(column) for column in matrix.T]
    whole = [np.where(gap, 0, column).astype(np.int32) for column, gap in zip(matrix.T, gaps, strict=True)]
    cells = [Cells(whole[place], gap, place in nominal) for place, gap in enumerate(gaps)]

    out = matrix.copy()  # before the clock and the memory start: what is measured is the kernel

    def run() -> Matrix:
        filled = fill(cells, [place for place, gap in enumerate(gaps) if gap.any() and not gap.all()])
        values = iter(filled.values)
        for place, gap in enumerate(gaps):
            if gap.any() and not gap.all():
                out[gap, place] = next(values)
        return out

    return run


def mean(matrix: Matrix, nominal: set[int]) -> Callable[[], Matrix]:
    """The mean, or the most frequent category."""

    def run() -> Matrix:
        centre = np.nanmean(matrix, axis=0)
        for place in nominal:
            levels, counts = np.unique(matrix[~np.isnan(matrix[:, place]), place], return_counts=True)
            centre[place] = levels[counts.argmax()]
        return np.where(np.isnan(matrix), centre, matrix)

    return run


def lightgbm_chain(matrix: Matrix, nominal: set[int]) -> Callable[[], Matrix]:
    """One tree of 64 leaves a column (a tree a class for categories), two cycles, from a random start."""
    import lightgbm

    wishes = {"num_leaves": 64, "min_data_in_leaf": 10, "learning_rate": 1.0, "verbose": -1, "num_threads": 2}

    def filled(out: Matrix, gap: NDArray[np.bool_], place: int) -> Matrix:
        others = np.delete(out, place, axis=1)
        known: Matrix = out[~gap, place]
        codes = [other - (other > place) for other in nominal if other != place]
        if place not in nominal:
            data = lightgbm.Dataset(others[~gap], known, categorical_feature=codes)
            return np.asarray(lightgbm.train(wishes, data, 1).predict(others[gap]))
        levels, classes = np.unique(known, return_inverse=True)
        data = lightgbm.Dataset(others[~gap], classes, categorical_feature=codes)
        shares = lightgbm.train({**wishes, "objective": "multiclass", "num_class": len(levels)}, data, 1)
        return np.asarray(levels[np.asarray(shares.predict(others[gap])).argmax(axis=1)])

    def run() -> Matrix:
        rng = np.random.default_rng(0)
        gaps = np.isnan(matrix)
        out = matrix.copy()
        for place in range(matrix.shape[1]):
            out[gaps[:, place], place] = rng.choice(matrix[~gaps[:, place], place], gaps[:, place].sum())
        for _ in range(2):
            for place in np.argsort(gaps.sum(axis=0)):
                if gaps[:, place].any():
                    out[gaps[:, place], place] = filled(out, gaps[:, place], int(place))
        return out

    return run


def sklearn_chain(estimator: str) -> Method:
    """Categories are codes to it: its answer is rounded to the nearest of them."""

    def method(matrix: Matrix, nominal: set[int]) -> Callable[[], Matrix]:
        from sklearn.experimental import enable_iterative_imputer  # noqa: F401
        from sklearn.impute import IterativeImputer
        from sklearn.linear_model import BayesianRidge
        from sklearn.tree import DecisionTreeRegressor

        model = {"tree": DecisionTreeRegressor(min_samples_leaf=10, random_state=0), "ridge": BayesianRidge()}[
            estimator
        ]

        def run() -> Matrix:
            out: Matrix = IterativeImputer(model, max_iter=2, random_state=0).fit_transform(matrix)
            for place in nominal:
                levels = np.unique(matrix[~np.isnan(matrix[:, place]), place])
                out[:, place] = levels[np.searchsorted((levels[1:] + levels[:-1]) / 2, out[:, place])]
            return out

        return run

    return method


def miceforest(matrix: Matrix, nominal: set[int]) -> Callable[[], Matrix]:
    import miceforest
    import pandas as pd

    frame = pd.DataFrame(matrix, columns=[f"c{place}" for place in range(matrix.shape[1])])
    frame = frame.astype({f"c{place}": "category" for place in nominal})

    def run() -> Matrix:
        imputed = miceforest.ImputationKernel(frame, num_datasets=1, random_state=0)
        imputed.mice(2)
        return np.asarray(imputed.complete_data(0), float)

    return run


METHODS: dict[str, Method] = {
    "imputedb kernel": kernel,
    "LightGBM, one tree": lightgbm_chain,
    "scikit-learn, tree": sklearn_chain("tree"),
    "scikit-learn, BayesianRidge": sklearn_chain("ridge"),
    "miceforest": miceforest,
    "mean": mean,
}


# -- tables ----------------------------------------------------------------------------------------------------------


CATEGORIES = {"fcc": ("countrycitizen", "schooldegree", "gender", "attendedbootcamp")}
"""Columns that are codes of unordered categories."""


def table(name: str, data: Path) -> tuple[Matrix, Matrix, set[int]]:
    """The table as the imputer sees it, the hidden values beside NaN, and which columns are taken for categories."""
    base, *rest = name.removesuffix(" categories").split()
    nominal: set[int] = set()
    if base == "acs":
        made = runpy.run_path(str(data / "make_acs_like.py"))
        whole = made["generate"](int(rest[0])).astype(float)
        if name.endswith("categories"):  # every third column of few levels has them shuffled
            nominal = {j for j in range(0, whole.shape[1], 3) if 3 < len(np.unique(whole[:, j])) <= 10}
        hidden = made["hide"](whole)
    else:
        whole = np.genfromtxt(data / f"{base}.csv", delimiter=",", skip_header=1)
        names = (data / f"{base}.csv").open().readline().strip().split(",")
        kept = [place for place, column in enumerate(names) if column not in ("id", "index")]
        if name.endswith("categories"):
            nominal = {place for place, column in enumerate(kept) if names[column] in CATEGORIES[base]}
        whole = whole[:, kept]
        hidden = ~np.isnan(whole) & (np.random.default_rng(1).random(whole.shape) < 0.2)
    return np.where(hidden, np.nan, whole), np.where(hidden, whole, np.nan), nominal


def error(filled: Matrix, hidden: Matrix, seen: Matrix) -> float:
    """Mean over the columns of the hidden cells' root mean squared error over the column's standard deviation."""
    errors = []
    for column, truth, known in zip(filled.T, hidden.T, seen.T, strict=True):
        here = ~np.isnan(truth)
        deviation = np.nanstd(np.where(here, truth, known))
        if here.any() and deviation > 0:
            errors.append(np.sqrt(np.mean((column[here] - truth[here]) ** 2)) / deviation)
    return float(np.mean(errors))


def accuracy(filled: Matrix, hidden: Matrix, nominal: set[int]) -> float:
    """Mean over the categories' columns of the share of hidden cells that are right."""
    shares = []
    for place in nominal:
        here = ~np.isnan(hidden[:, place])
        shares.append(np.mean(filled[here, place] == hidden[here, place]))
    return float(np.mean(shares))


def peak_bytes(*, reset: bool = False) -> int:
    """Highest resident memory of this process since the last reset (Linux)."""
    if reset:
        Path("/proc/self/clear_refs").write_text("5")
    status = Path("/proc/self/status").read_text()
    return 1024 * int(next(line for line in status.splitlines() if line.startswith("VmHWM")).split()[1])


def one(name: str, method: str, data: Path) -> dict[str, float]:
    """One method on one table: median seconds of up to seven runs, peak memory beyond the table, error or accuracy."""
    seen, hidden, nominal = table(name, data)
    run = METHODS[method](seen, nominal)
    before = peak_bytes(reset=True)
    taken: list[float] = []
    while not taken or (sum(taken) < 2 and len(taken) < 7):
        began = time.perf_counter()
        filled = run()
        taken.append(time.perf_counter() - began)
    found = {"seconds": statistics.median(taken), "megabytes": (peak_bytes() - before) / 2**20}
    if nominal:
        return {**found, "accuracy": accuracy(filled, hidden, nominal)}
    return {**found, "error": error(filled, hidden, seen)}


def hopeless(name: str, method: str, results: dict[str, dict[str, Found]]) -> str:
    """Why a method need not be tried: its pace on a smaller ACS-like table is past all patience."""
    for smaller, methods in results.items():
        if name.startswith("acs") and smaller.startswith("acs") and not name.endswith("categories"):
            before, times = methods[method], int(name.split()[1]) / int(smaller.split()[1])
            if isinstance(before, str) or before["seconds"] * times > PATIENCE:
                return f"skipped: over {PATIENCE} s at the pace of {smaller}"
    return ""


def measured(name: str, method: str, data: Path) -> Found:
    command = [sys.executable, "-m", "benchmarks.imputers", "one", name, method, "--data", str(data)]
    try:
        ran = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=False)
    except subprocess.TimeoutExpired:
        return f"over {PATIENCE} s"
    if ran.returncode:
        return f"skipped: {ran.stderr.strip().splitlines()[-1]}"
    result: dict[str, float] = json.loads(ran.stdout)
    return result


# -- reports ---------------------------------------------------------------------------------------------------------


def side_by_side(data: Path, out: Path, rows: list[int]) -> None:
    names = ["exams", "labs", "fcc", *(f"acs {count}" for count in rows)]
    names += ["fcc categories", *(f"acs {count} categories" for count in rows[:1])]
    results: dict[str, dict[str, Found]] = {}
    for name in names:
        results[name] = {method: hopeless(name, method, results) or measured(name, method, data) for method in METHODS}
    lines = [
        "# Imputers",
        "",
        f"Python {platform.python_version()}, {platform.machine()}, two cores; two cycles each. Real tables: 20 % of "
        "the observed cells hidden. ACS-like: 37 columns, 40 % hidden.",
        "Error: mean over columns of RMSE / standard deviation. Accuracy: mean over the columns of categories.",
        "",
        "| table | method | seconds | MB beyond the table | error | accuracy |",
        "|---|---|---|---|---|---|",
    ]
    records = [[name, method, *cells(found)] for name, methods in results.items() for method, found in methods.items()]
    lines += ["| " + " | ".join(record) + " |" for record in records]
    out.mkdir(parents=True, exist_ok=True)
    (out / "imputers.md").write_text("\n".join(lines) + "\n")
    with (out / "imputers.csv").open("w", newline="") as file:
        csv.writer(file).writerows([["table", "method", "seconds", "megabytes", "error", "accuracy"], *records])
    chart(results, out / "imputers.png")
    print("\n".join(lines))


def cells(found: Found) -> list[str]:
    if isinstance(found, str):
        return [found, "", "", ""]
    formats = {"seconds": ".4f", "megabytes": ".0f", "error": ".4f", "accuracy": ".4f"}
    return [format(found[what], shape) if what in found else "" for what, shape in formats.items()]


def chart(results: dict[str, dict[str, Found]], path: Path) -> None:
    """A row a table, a mark a method: seconds, and the error of hidden cells."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(1, 2, figsize=(12, 4.6), sharey=True)
    names = [name for name in results if not name.endswith("categories")]
    for number, method in enumerate(METHODS):
        colour, mark = ("#c0392b", "D") if number == 0 else (f"{0.15 * number:.2f}", "osv^P"[number - 1])
        for axis, what in zip(axes, ("seconds", "error"), strict=True):
            points = [
                (found[what], -row)
                for row, name in enumerate(names)
                if isinstance(found := results[name][method], dict)
            ]
            axis.plot(*zip(*points, strict=True), mark, color=colour, label=method, markersize=7, alpha=0.9)
    for axis, title in zip(axes, ("seconds, logarithmic", "RMSE of hidden cells / standard deviation"), strict=True):
        axis.set_title(title, loc="left", fontsize=10)
        axis.set_yticks([-row for row in range(len(names))], names)
        axis.grid(axis="y", color="0.9")
        axis.spines[["top", "right", "left"]].set_visible(False)
    axes[0].set_xscale("log")
    figure.legend(*axes[1].get_legend_handles_labels(), frameon=False, fontsize=9, ncols=6, loc="lower center")
    figure.tight_layout(rect=(0, 0.07, 1, 1))
    figure.savefig(path, dpi=110)


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
            from benchmarks.grid import grid

            grid(options.out)
        case _ if (options.data / "exams.csv").exists():
            side_by_side(options.data, options.out, options.rows)
        case _:
            sys.exit(f"skipped: the tables are not in {options.data}")


if __name__ == "__main__":
    main()
