"""Pooled estimates and standard errors beside those of mice, where R has it: `python -m benchmarks.mice`.

Debian's r-base-core, r-cran-mice and r-recommended are enough. Each table is imputed m times by mice (reference.R) and
by us; a cell agrees if the estimates differ by less than four Monte Carlo errors of the difference, or a tenth of a
standard error, and the standard errors by at most 15 %. Others have a star.
"""

import argparse
import csv
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imputedb.algebra.column import Column
from imputedb.imputers.chained.chained import Chained
from imputedb.imputers.registry import IMPUTERS
from imputedb.imputers.rows import Cells, Rows
from imputedb.inference.rubin import pooled
from imputedb.statistics.table import Kind

FORMULAS = {
    "nhanes2": ("bmi", ("age", "hyp", "chl")),
    "boys": ("tv", ("age", "hgt", "wgt")),
    "airquality": ("Ozone", ("Solar.R", "Wind", "Temp")),
    "mammalsleep": ("sws", ("bw", "odi")),
    "popmis": ("popular", ("sex", "texp")),
}

Values = NDArray[Any]
Quantities = Mapping[str, tuple[float, float]]


@dataclass(frozen=True, slots=True)
class Theirs:
    """A quantity by mice: its estimate, standard error and Monte Carlo error."""

    estimate: float
    error: float
    mce: float


def read(folder: Path, name: str) -> dict[str, Cells]:
    """The columns of a table that R has written."""
    table = list(csv.DictReader((folder / f"{name}.csv").open()))
    levels: dict[str, list[str]] = {}
    ordered: dict[str, bool] = {}
    if (folder / f"{name}_levels.csv").exists():
        for row in csv.DictReader((folder / f"{name}_levels.csv").open()):
            levels.setdefault(row["column"], []).append(row["level"])
            ordered[row["column"]] = row["ordered"] == "TRUE"
    return {c: _cells([row[c] for row in table], levels.get(c), ordered.get(c, False)) for c in table[0]}


def _cells(texts: list[str], levels: list[str] | None, ordered: bool) -> Cells:
    gone = np.array([text == "NA" for text in texts])
    if levels is None:
        return Cells(np.array([np.nan if text == "NA" else float(text) for text in texts]), gone, Kind.NUMBER)
    codes = np.array([0 if text == "NA" else levels.index(text) for text in texts], np.int32)
    return Cells(codes, gone, Kind.CATEGORY, tuple(levels), ordered=ordered)


def quantities(
    columns: Mapping[str, Cells], whole: Mapping[str, Values], formula: tuple[str, tuple[str, ...]]
) -> Quantities:
    """Means and shares of the columns that miss values, and the coefficients of a regression, with their variances."""
    found: dict[str, tuple[float, float]] = {}
    for column, cells in columns.items():
        if not cells.missing.any():
            continue
        n = len(cells.missing)
        if cells.kind is Kind.CATEGORY:
            for code, level in enumerate(cells.levels):
                share = float((whole[column] == code).mean())
                found[f"share({column}={level})"] = share, share * (1 - share) / n
        else:
            found[f"mean({column})"] = float(whole[column].mean()), float(whole[column].var(ddof=1) / n)
    return found | _regression(columns, whole, *formula)


def _regression(
    columns: Mapping[str, Cells], whole: Mapping[str, Values], response: str, predictors: tuple[str, ...]
) -> Quantities:
    y = whole[response].astype(float)
    names, x = ["(Intercept)"], [np.ones(len(y))]
    for name in predictors:
        if columns[name].kind is Kind.CATEGORY:
            for code, level in list(enumerate(columns[name].levels))[1:]:
                names.append(f"{name}{level}")
                x.append((whole[name] == code).astype(float))
        else:
            names.append(name)
            x.append(whole[name].astype(float))
    design = np.column_stack(x)
    beta, residual, *_ = np.linalg.lstsq(design, y, rcond=None)
    variance = np.linalg.inv(design.T @ design) * float(residual[0]) / (len(y) - design.shape[1])
    terms = zip(names, beta, np.diag(variance), strict=True)
    return {f"slope({name})": (float(b), float(v)) for name, b, v in terms}


def ours(folder: Path, name: str, method: str, m: int) -> dict[str, tuple[float, float, float]]:
    """By quantity the pooled estimate, its standard error and Monte Carlo error."""
    columns = read(folder, name)
    rows = Rows(
        {Column("t", c): cells for c, cells in columns.items()},
        np.arange(len(next(iter(columns.values())).missing), dtype=np.uint64),
    )
    targets = [column for column, cells in rows.columns.items() if cells.missing.any()]
    imputer = IMPUTERS[method]()
    assert isinstance(imputer, Chained)
    ready, draws = imputer.prepared(rows, targets), []
    for values in ready.run_many(1, range(m)):
        whole = {c: np.array(cells.values) for c, cells in columns.items()}
        for column, found in values.items():
            whole[column.name][columns[column.name].missing] = found
        draws.append(quantities(columns, whole, FORMULAS[name]))
    print(f"{name} by {method}: {ready.chains}")
    found = {}
    for quantity in draws[0]:
        one = pooled([draw[quantity][0] for draw in draws], [draw[quantity][1] for draw in draws])
        found[quantity] = one.estimate, one.se, one.mc_error
    return found


def theirs(folder: Path, name: str, method: str) -> dict[str, Theirs]:
    """By quantity what mice says."""
    table = csv.DictReader((folder / f"{name}_{method}.csv").open())
    return {row["quantity"]: Theirs(float(row["estimate"]), float(row["se"]), float(row["mce"])) for row in table}


def compared(folder: Path, name: str, method: str, m: int) -> list[str]:
    """A line a quantity."""
    known, lines = theirs(folder, name, method), []
    for quantity, (estimate, error, mce) in ours(folder, name, method, m).items():
        one = known[quantity]
        apart = abs(estimate - one.estimate)
        agrees = apart < max(4 * float(np.hypot(mce, one.mce)), 0.1 * one.error)
        ratio = error / one.error
        mark = "" if agrees and 1 / 1.15 <= ratio <= 1.15 else " *"
        lines.append(
            f"| {name} | {method} | {quantity} | {one.estimate:.4g} | {estimate:.4g} | {apart / one.error:.2f} "
            f"| {one.error:.3g} | {error:.3g} | {ratio:.2f}{mark} |"
        )
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--m", type=int, default=50)
    parser.add_argument("--cycles", type=int, default=20, help="of mice")
    parser.add_argument("--folder", type=Path, help="with what R wrote before")
    parser.add_argument("--tables", nargs="*", default=[*FORMULAS])
    parser.add_argument("--methods", nargs="*", default=["pmm", "norm"])
    asked = parser.parse_args()
    with TemporaryDirectory() as temporary:
        folder = asked.folder or Path(temporary)
        if asked.folder is None:
            if shutil.which("Rscript") is None:
                raise SystemExit("Rscript is not installed: apt-get install r-base-core r-cran-mice r-recommended")
            script = Path(__file__).with_name("reference.R")
            subprocess.run(["Rscript", script, folder, str(asked.m), str(asked.cycles), "1"], check=True)
        print("| table | method | quantity | mice | ours | apart, in se | se of mice | se of ours | ratio |")
        print("|---|---|---|---|---|---|---|---|---|")
        for method in asked.methods:
            for name in asked.tables:
                print("\n".join(compared(folder, name, method, asked.m)), flush=True)


if __name__ == "__main__":
    main()
