"""The study of coverage: a table, every number, and a chart.

python -m benchmarks.coverage [--simulations N] [--minutes M] [--rows FILE] [--out DIR]     the study, or more of it
python -m benchmarks.coverage --report [--rows FILE] [--out DIR]                            what there is of it
"""

import argparse
import platform
import tempfile
from pathlib import Path

import duckdb

import imputedb
from benchmarks.coverage.methods import METHODS
from benchmarks.coverage.report import summary, write
from benchmarks.coverage.study import read, study

OUT = Path(__file__).parents[1] / "results"


def main() -> None:
    parser = argparse.ArgumentParser("python -m benchmarks.coverage", description=__doc__)
    parser.add_argument("--simulations", type=int, default=1000)
    parser.add_argument("--minutes", type=float, default=20)
    parser.add_argument("--methods", nargs="*", default=list(METHODS))
    parser.add_argument(
        "--rows",
        type=Path,
        default=Path(tempfile.gettempdir()) / "imputedb_coverage.csv",
        help="taken up where it stops",
    )
    parser.add_argument("--out", type=Path, default=OUT)
    parser.add_argument("--report", action="store_true")
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    if not given.report:
        study(given.simulations, given.minutes, given.methods, given.rows)
    rows = read(given.rows)
    spent = sum({(r["simulation"], r["truth"], r["mechanism"], r["share"], r["method"]): float(r["seconds"])
                 for r in rows}.values()) / 60  # fmt: skip
    versions = f"imputedb {imputedb.__version__}, DuckDB {duckdb.__version__}"
    write(summary(rows), given.out, f"{spent:.0f} minutes of one core ({platform.machine()}); {versions}.")


if __name__ == "__main__":
    main()
