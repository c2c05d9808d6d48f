"""A process of its own that loads one large table, asks it, and prints time and memory as JSON."""

import json
import statistics
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import Any

import duckdb

from benchmarks.paper import asking
from benchmarks.paper.inputs import BASE
from imputedb.engines.duckdb import load
from imputedb.engines.duckdb.engine import DuckDB
from imputedb.engines.reading import Reading

QUERIES = {
    "average": "SELECT AVG(c0) FROM acs",
    "two predicates": "SELECT AVG(c0) FROM acs WHERE c4 >= 40 AND c11 >= 20000",
    "group": "SELECT c2, AVG(c0) FROM acs GROUP BY c2",
}
WHOLE = "CREATE OR REPLACE TEMP TABLE completed AS SELECT * FROM acs"
ENOUGH = 3
"""Times a query is asked again."""


def main(path: str) -> None:
    """Asks the table of a Parquet file."""
    engine = DuckDB(":memory:")
    began = perf_counter()
    load.load(engine, [path], "acs", {}, Reading(), replace=False)
    found: dict[str, Any] = {"load_s": perf_counter() - began, "table_mb": memory()}
    found["rows"] = int(engine.session.execute("SELECT count(*) FROM acs")[0][0])
    found["queries"] = {
        f"{name}, alpha {alpha}": _asked(engine, sql, alpha) for alpha in ("0", "1") for name, sql in QUERIES.items()
    }
    found["queries"]["full imputation"] = _measured(lambda: asking.ask(engine, WHOLE, BASE), 1)
    found["duckdb"] = {name: _measured(partial(asking.plain, engine, sql), ENOUGH) for name, sql in QUERIES.items()}
    print(json.dumps(found))


def _asked(engine: DuckDB, sql: str, alpha: str) -> dict[str, float]:
    return _measured(lambda: asking.ask(engine, sql, alpha), ENOUGH)


def _measured(work: Callable[[], object], again: int) -> dict[str, float]:
    """Seconds of the first time and of later ones, and the most memory held meanwhile."""
    memory(reset=True)
    taken = []
    for _ in range(again):
        began = perf_counter()
        work()
        taken.append(perf_counter() - began)
    return {"first_s": taken[0], "again_s": statistics.median(taken[1:] or taken), "peak_mb": memory()}


def memory(*, reset: bool = False) -> float:
    """The most memory in MB that this process has held since the last reset; elsewhere than on Linux, ever."""
    if reset and Path("/proc/self/clear_refs").exists():
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    status = Path("/proc/self/status")
    if status.exists():
        return int(status.read_text(encoding="ascii").split("VmHWM:")[1].split()[0]) / 1024
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)


if __name__ == "__main__":
    try:
        main(sys.argv[1])
    except (duckdb.Error, MemoryError) as error:
        sys.exit(f"{type(error).__name__}: {error}")
