"""Imputation by neighbours beside scikit-learn, NumPy, fknni and faiss: seconds, memory and error, each on its own.

python -m benchmarks.neighbours [--out DIR] [--patience S]    the tables
python -m benchmarks.neighbours one METHOD TABLE              one measurement, as JSON
python -m benchmarks.neighbours lookups                       single rows on a warm index of 1,000,000
"""

import argparse
import json
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.imputers import peak_kilobytes

Matrix = NDArray[np.float64]
K = 5

TABLES: dict[str, tuple[int, int]] = {"10,000": (10_000, 20), "100,000": (100_000, 20), "1,000,000": (1_000_000, 5)}
"""Rows, and how many of the 20 columns lack 10 % of their values."""


def table(name: str) -> tuple[Matrix, Matrix]:
    """20 columns of 4 factors, with what is missing as NaN; and as it was before."""
    rows, lacking = TABLES[name]
    rng = np.random.default_rng(0)
    whole = rng.normal(size=(rows, 4)) @ rng.normal(size=(4, 20)) + 0.5 * rng.normal(size=(rows, 20))
    gaps = rng.random((rows, 20)) < 0.1
    gaps[:, lacking:] = False
    return np.where(gaps, np.nan, whole), whole


# -- methods ---------------------------------------------------------------------------------------------------------


def ours(search: str, metric: str = "euclidean") -> Callable[[Matrix], dict[str, float]]:
    def method(matrix: Matrix) -> dict[str, float]:
        from imputedb.imputers.random import keyed
        from imputedb.neighbours.column import Attribute
        from imputedb.neighbours.impute import fill
        from imputedb.neighbours.settings import Settings

        attributes = [Attribute(column, np.isnan(column)) for column in np.ascontiguousarray(matrix.T)]
        keys = np.arange(len(matrix), dtype=np.uint64)
        scaling = "range" if metric == "gower" else "none"
        settings = Settings(K, metric, scaling, weighting="uniform", search=search)  # type: ignore[arg-type]
        filled = fill(
            attributes, range(matrix.shape[1]), settings, lambda what: (keyed(keys, what) >> np.uint64(11)) * 2.0**-53
        )
        for place, values in filled.values.items():
            matrix[np.isnan(matrix[:, place]), place] = values
        return {} if filled.recall is None else {"recall": filled.recall}

    return method


def scikit_learn(matrix: Matrix) -> dict[str, float]:
    from sklearn.impute import KNNImputer

    matrix[:] = KNNImputer(n_neighbors=K).fit_transform(matrix)
    return {}


def fknni(matrix: Matrix) -> dict[str, float]:
    from fknni.faiss.faiss import FaissImputer

    matrix[:] = FaissImputer(n_neighbors=K, strategy="mean").fit_transform(matrix)
    return {}


def gemm(matrix: Matrix) -> dict[str, float]:
    """nan-Euclidean as two products of float32 matrices, then a partition for every column."""
    gaps = np.isnan(matrix)
    z, there = np.where(gaps, 0, matrix).astype(np.float32), (~gaps).astype(np.float32)
    right = np.hstack([z * z, there, -2 * z]).T.copy()
    columns = [np.flatnonzero(~gap) for gap in gaps.T]
    out = matrix.copy()
    rows = np.flatnonzero(gaps.any(axis=1))
    for first in range(0, len(rows), 512):
        some = rows[first : first + 512]
        apart = np.hstack([there[some], z[some] ** 2, z[some]]) @ right
        apart /= there[some] @ there.T
        for place, donors in enumerate(columns):
            wanting = np.flatnonzero(gaps[some, place])
            near = np.argpartition(apart[np.ix_(wanting, donors)], K, axis=1)[:, :K]
            out[some[wanting], place] = matrix[donors[near], place].mean(axis=1)
    matrix[:] = out
    return {}


def gower(matrix: Matrix) -> dict[str, float]:
    """Gower's distance column by column, in blocks, as VIM's kNN computes it."""
    gaps = np.isnan(matrix)
    scaled = (matrix - np.nanmin(matrix, axis=0)) / (np.nanmax(matrix, axis=0) - np.nanmin(matrix, axis=0))
    out = matrix.copy()
    rows = np.flatnonzero(gaps.any(axis=1))
    for first in range(0, len(rows), 256):
        some = rows[first : first + 256]
        total, count = np.zeros((len(some), len(matrix))), np.zeros((len(some), len(matrix)))
        for column in scaled.T:
            apart = np.abs(column[some, None] - column[None, :])
            both = ~np.isnan(apart)
            total += np.where(both, apart, 0)
            count += both
        distances = total / count
        for place in np.flatnonzero(gaps[some].any(axis=0)):
            wanting = np.flatnonzero(gaps[some, place])
            donors = np.flatnonzero(~gaps[:, place])
            near = np.argpartition(distances[np.ix_(wanting, donors)], K, axis=1)[:, :K]
            out[some[wanting], place] = matrix[donors[near], place].mean(axis=1)
    matrix[:] = out
    return {}


def faiss_ivf(probes: int) -> Callable[[Matrix], dict[str, float]]:
    """faiss on columns filled with their means, candidates re-ranked over the coordinates both rows have."""

    def method(matrix: Matrix) -> dict[str, float]:
        import faiss

        faiss.omp_set_num_threads(2)
        gaps = np.isnan(matrix)
        z = np.where(gaps, np.nanmean(matrix, axis=0), matrix).astype(np.float32)
        lists = int(2 * len(matrix) ** 0.5)
        index = faiss.IndexIVFFlat(faiss.IndexFlatL2(20), 20, lists)
        index.train(z[np.random.default_rng(0).permutation(len(z))[: 40 * lists]])
        index.add(z)
        index.nprobe = probes
        out = matrix.copy()
        rows = np.flatnonzero(gaps.any(axis=1))
        for first in range(0, len(rows), 4096):
            some = rows[first : first + 4096]
            near = index.search(z[some], 100)[1]
            off = matrix[near] - matrix[some][:, None, :]
            apart = np.nanmean(off * off, axis=2)
            for place in np.flatnonzero(gaps[some].any(axis=0)):
                wanting = np.flatnonzero(gaps[some, place])
                donors = near[wanting]
                usable = (donors >= 0) & ~gaps[donors, place]
                best = np.argsort(np.where(usable, apart[wanting], np.inf), axis=1, kind="stable")[:, :K]
                out[some[wanting], place] = matrix[np.take_along_axis(donors, best, axis=1), place].mean(axis=1)
        matrix[:] = out
        return {}

    return method


METHODS: dict[str, Callable[[Matrix], dict[str, float]]] = {
    "imputedb, exact": ours("exact"),
    "imputedb, approximate": ours("approximate"),
    "imputedb, exact, Gower": ours("exact", "gower"),
    "scikit-learn KNNImputer": scikit_learn,
    "NumPy, float32 products": gemm,
    "NumPy, Gower as in VIM": gower,
    "fknni": fknni,
    "faiss IVF, 32 probes, re-ranked": faiss_ivf(32),
    "faiss IVF, 128 probes, re-ranked": faiss_ivf(128),
}
ASKED: dict[str, list[str]] = {
    "10,000": [m for m in METHODS if not m.startswith("faiss")],
    "100,000": [m for m in METHODS if m != "NumPy, Gower as in VIM"],
    "1,000,000": ["imputedb, approximate", "fknni", *(m for m in METHODS if m.startswith("faiss"))],
}


def one(method: str, name: str) -> dict[str, float]:
    """Seconds (the best of up to five short runs), peak memory beyond the table in tables, and error.

    Memory is the first run's: later ones find what it gave back to the allocator, and would look as if they held none.
    """
    seen, whole = table(name)
    gaps = np.isnan(seen)
    METHODS[method](seen[:200].copy())  # imports and threads, once
    taken: list[float] = []
    worked: list[float] = []
    memory = 0.0
    while not taken or (sum(taken) < 3 and len(taken) < 5):
        matrix = seen.copy()
        before = 0 if taken else peak_kilobytes(reset=True)
        began, worked_before = time.perf_counter(), time.process_time()
        more = METHODS[method](matrix)
        taken.append(time.perf_counter() - began)
        worked.append(time.process_time() - worked_before)
        memory = memory if len(taken) > 1 else (peak_kilobytes() - before) * 1024 / matrix.nbytes
    seconds, cpu = min(taken), min(worked)
    off = np.where(gaps, matrix - whole, np.nan)[:, gaps.any(axis=0)]
    error = float(np.mean(np.sqrt(np.nanmean(off**2, axis=0)) / whole[:, gaps.any(axis=0)].std(axis=0)))
    return {"seconds": seconds, "cpu": cpu, "memory": memory, "error": error, **more, **checked(method, name, matrix)}


def checked(method: str, name: str, filled: Matrix, count: int = 2000) -> dict[str, float]:
    """Of a large table: the share of exact neighbours' means that are met, and the exact error, on a sample of rows."""
    if name == "10,000" or "exact" in method:
        return {}
    from imputedb.sklearn import KNNImputer

    matrix, whole = table(name)
    gaps = np.isnan(matrix)
    rows = np.random.default_rng(1).permutation(np.flatnonzero(gaps.any(axis=1)))[:count]
    exact = KNNImputer(n_neighbors=K).fit(matrix).transform(matrix[rows])
    here = gaps[rows]
    scale = whole.std(axis=0)[np.nonzero(here)[1]]

    def error(values: Matrix) -> float:
        return float(np.sqrt(np.mean(((values[here] - whole[rows][here]) / scale) ** 2)))

    same = float(np.mean(np.isclose(filled[rows][here], exact[here], rtol=1e-9)))
    return {"same": same, "sample": error(filled[rows]) / error(exact)}


def measured(method: str, name: str, patience: int) -> dict[str, float] | str:
    command = [sys.executable, "-m", "benchmarks.neighbours", "one", method, name]
    try:
        ran = subprocess.run(command, capture_output=True, text=True, timeout=patience, check=False)
    except subprocess.TimeoutExpired:
        return f"over {patience} s"
    if ran.returncode:
        reason = ran.stderr.strip().splitlines()[-1] if ran.stderr.strip() else f"exit {ran.returncode}"
        return "not installed" if "ModuleNotFoundError" in reason else f"failed: {reason[:60]}"
    found: dict[str, float] = json.loads(ran.stdout)
    return found


def report(out: Path, patience: int) -> None:
    lines = [
        "# Neighbours",
        "",
        f"Python {platform.python_version()}, {platform.machine()}, two cores. 20 columns of 4 factors, k = 5; 10 % of "
        "all columns missing, at 1,000,000 rows of 5 of them. CPU: seconds of both cores together (the machine was not "
        "idle). Memory: peak beyond the table, in its own sizes. Error: RMSE / standard deviation of missing cells. "
        "Recall as imputedb reports it. On a sample of 2,000 rows: cells with the very value of the exact search, and "
        "error / exact error.",
        "",
        "| rows | method | seconds | CPU | memory | error | recall | same cells | error / exact |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for name, methods in ASKED.items():
        for method in methods:
            found = measured(method, name, patience)
            if isinstance(found, str):
                cells = f"{found} | | | | | |"
            else:
                more = [f"{found[what]:.3f}" if what in found else "" for what in ("recall", "same", "sample")]
                figures = [f"{found[what]:.2f}" for what in ("seconds", "cpu")]
                figures += [f"{found['memory']:.1f}", f"{found['error']:.4f}"]
                cells = " | ".join([*figures, *more])
            lines.append(f"| {name} | {method} | {cells} |")
            print(lines[-1], flush=True)
    lines += ["", *lookups()]
    out.mkdir(parents=True, exist_ok=True)
    (out / "neighbours.md").write_text("\n".join(lines) + "\n")


def lookups(count: int = 1000) -> list[str]:
    """Single rows explained on a warm index of 1,000,000 rows."""
    import imputedb

    matrix, _ = table("1,000,000")
    gaps = np.isnan(matrix)
    with imputedb.connect() as db:
        columns = {f"c{place}": np.ma.masked_array(matrix[:, place], gaps[:, place]) for place in range(20)}
        db.register("t", {"id": np.arange(len(matrix)), **columns})
        began = time.perf_counter()
        first = db.why("t", "c0", 0)
        cold = time.perf_counter() - began
        taken = []
        for row in np.random.default_rng(2).permutation(np.flatnonzero(gaps[:, 0]))[:count]:
            began = time.perf_counter()
            db.why("t", "c0", int(row))
            taken.append(1e3 * (time.perf_counter() - began))
    centiles = statistics.quantiles(taken, n=100)
    line = (
        f"{count:,} single cells of the table of 1,000,000 rows on a warm index (recall {first.recall}): median "
        f"{centiles[49]:.2f} ms, 95th percentile {centiles[94]:.2f} ms; the first one, which builds it, {cold:.1f} s."
    )
    print(line)
    return [line]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", nargs="*", default=["all"])
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results"))
    parser.add_argument("--patience", type=int, default=300)
    options = parser.parse_args()
    match options.what:
        case ["one", method, name]:
            print(json.dumps(one(method, name)))
        case ["lookups"]:
            lookups()
        case _:
            report(options.out, options.patience)


if __name__ == "__main__":
    main()
