"""How long starting takes: the command and the import, beside importing DuckDB and NumPy alone.

`python -m benchmarks.startup` measures the installed package and prints a table; runs of all lines alternate, so that
what else the machine does falls on all of them.
"""

import statistics
import subprocess
import sys
import time

LINES = {
    "python, nothing imported": ("-c", "pass"),
    "import duckdb, numpy": ("-c", "import duckdb, numpy"),
    "import imputedb": ("-c", "import imputedb"),
    "imputedb --version": ("-m", "imputedb.cli", "--version"),
    "imputedb --help": ("-m", "imputedb.cli", "--help"),
    "a first query": ("-c", "import imputedb; imputedb.connect().sql('SELECT 42').fetchall()"),
}
RUNS = 11


def measured(runs: int = RUNS) -> dict[str, float]:
    """Median milliseconds of each line."""
    times: dict[str, list[float]] = {name: [] for name in LINES}
    for _ in range(runs):
        for name, arguments in LINES.items():
            start = time.perf_counter()
            subprocess.run([sys.executable, *arguments], check=True, stdout=subprocess.DEVNULL)
            times[name].append(1000 * (time.perf_counter() - start))
    return {name: statistics.median(found) for name, found in times.items()}


def main() -> None:
    found = measured()
    print("| started | ms |\n|---|---:|")
    for name, milliseconds in found.items():
        print(f"| {name} | {milliseconds:.0f} |")


if __name__ == "__main__":
    main()
