"""What relational operators cost on the engine, beside the constants of planning/cost.py.

python -m benchmarks.calibrate
"""

import statistics
import time
from collections.abc import Callable

import duckdb

from imputedb.planning import cost


def median_ms(work: Callable[[], object], times: int = 7) -> float:
    taken = []
    for _ in range(times):
        began = time.perf_counter()
        work()
        taken.append(time.perf_counter() - began)
    return statistics.median(taken) * 1e3


def main() -> None:
    con = duckdb.connect()
    print("| rows | what | ms | estimate |\n|---|---|---|---|")
    for rows in (10_000, 100_000, 1_000_000):
        columns = ", ".join(f"hash(i + {c}) % 100 AS c{c}" for c in range(10))
        con.execute(f"CREATE OR REPLACE TABLE t AS SELECT i AS id, {columns} FROM range({rows}) r(i)")
        con.execute("CREATE OR REPLACE TABLE u AS FROM t")

        def run(text: str) -> Callable[[], object]:
            return lambda: con.execute(text).fetchall()

        scan = median_ms(run("SELECT count(*) FROM t"))
        filtered = median_ms(run("SELECT count(*) FROM t WHERE c0 >= 50 AND c1 >= 20")) - scan
        joined = median_ms(run("SELECT count(*) FROM t JOIN u USING (id)")) - scan
        grouped = median_ms(run("SELECT c0, avg(c1) FROM t GROUP BY c0")) - scan

        def staged() -> None:
            con.execute("CREATE OR REPLACE TEMP TABLE s AS FROM t")
            con.execute("FROM s").fetchnumpy()

        for name, ms, estimate in (
            ("two filters", filtered, cost.filtering(rows, 2)),
            ("join", joined, cost.joining(rows, rows, rows)),
            ("group", grouped, cost.answering(rows)),
            ("stage and fetch 11 columns", median_ms(staged, 5), cost.staging(rows, 11)),
        ):
            print(f"| {rows:,} | {name} | {ms:.2f} | {estimate:.2f} |")


if __name__ == "__main__":
    main()
