"""The design grid of coverage: runs replications, or more of them, and writes what there is.

python -m benchmarks.coverage                                       64 worlds, 400 replications
python -m benchmarks.coverage --worlds release --replications 2000  twelve worlds, before a release
python -m benchmarks.coverage --report                              nothing but the report
"""

import argparse
import platform
import sys
import tempfile
from pathlib import Path

import duckdb

import imputedb
from benchmarks.coverage.design import chosen
from benchmarks.coverage.methods import BESIDE, has_mice
from benchmarks.coverage.report import write
from benchmarks.coverage.study import recovered, study

OUT = Path(__file__).parents[1] / "results"


def main() -> None:
    parser = argparse.ArgumentParser("python -m benchmarks.coverage", description=__doc__.splitlines()[0])
    parser.add_argument("--worlds", type=chosen, default="all", help="all, release, or numbers: 1,5,20-23")
    parser.add_argument("--replications", type=int, default=400, help="a world")
    parser.add_argument("--imputers", nargs="*", default=["norm", "pmm", "tree"])
    parser.add_argument("--beside", nargs="*", choices=list(BESIDE), default=list(BESIDE), help="in the first 100")
    parser.add_argument("--draws", type=int, default=20, help="m")
    parser.add_argument("--jobs", type=int, default=2, help="processes")
    parser.add_argument("--minutes", type=float, default=180, help="at most")
    parser.add_argument("--rows", type=Path, default=Path(tempfile.gettempdir()) / "imputedb_coverage.jsonl",
                        help="the file of replications; taken up where it stops")  # fmt: skip
    parser.add_argument("--out", type=Path, default=OUT, help="folder of the report")
    parser.add_argument("--report", action="store_true", help="run nothing, write what there is")
    given = parser.parse_args()
    if not given.report:
        beside = list(given.beside)
        if "mice" in beside and not has_mice():
            sys.stderr.write("mice is skipped: no Rscript with mice is installed\n")
            beside.remove("mice")
        methods = [*given.imputers, *beside]
        study(given.worlds, given.replications, methods, given.rows,
              jobs=given.jobs, draws=given.draws, minutes=given.minutes)  # fmt: skip
    lines = recovered(given.rows)
    if not lines:
        parser.error(f"{given.rows} holds no replication yet")
    given.out.mkdir(parents=True, exist_ok=True)
    spent = sum(line.get("seconds", 0) for line in lines) / 60
    versions = f"imputedb {imputedb.__version__}, DuckDB {duckdb.__version__}"
    write(lines, given.out, f"{spent:.0f} minutes of one core ({platform.machine()}); {versions}.")


if __name__ == "__main__":
    main()
