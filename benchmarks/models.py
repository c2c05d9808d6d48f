"""Kept models beside DuckDB itself: the nine queries of the paper, repeated, in a new text, and in many draws.

python -m benchmarks.models [--data DIR] [--out DIR] [--times N]
"""

import argparse
import platform
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import duckdb

import imputedb
from benchmarks.queries import TABLES, queries, table

HEAD = ["query", "DuckDB ms", "fit to query", "kept, repeated", "kept, new text", "alpha 1", "m = 20 / m = 1"]


Work = Callable[[int], object]


def paired(plain: Work, ours: dict[str, Work], times: int) -> tuple[float, dict[str, float]]:
    """The median time of one thing in ms, and the median ratios of others to it, each timed in turn with it."""
    base: list[float] = []
    ratios: dict[str, list[float]] = {name: [] for name in ours}
    for number in range(times):
        for name, work in ours.items():
            before = _ms(plain, number)
            ratios[name].append(_ms(work, number) / before)
            base.append(before)
    return statistics.median(base), {name: statistics.median(found) for name, found in ratios.items()}


def _ms(work: Callable[[int], object], number: int) -> float:
    began = time.perf_counter()
    work(number)
    return (time.perf_counter() - began) * 1e3


def nine(folder: Path, times: int) -> list[list[str]]:
    """The nine queries, models of all four tables fitted."""
    rows: list[list[str]] = []
    every: dict[str, list[float]] = {name: [] for name in HEAD[2:]}
    with imputedb.connect() as db:
        db.load(*(str(folder / f"{name}.csv") for name in TABLES))
        fitted = []
        for name in TABLES[:4]:
            began = time.perf_counter()
            db.sql(f"CREATE IMPUTATION MODEL {name} ON {name}")
            fitted.append(f"{name} {time.perf_counter() - began:.1f} s")
        print("fitted:", ", ".join(fitted))
        db.execute("SELECT 1")
        for number, sql in enumerate(queries(folder), 1):
            base, ratios = _query(db, sql, times)
            for name, found in ratios.items():
                every[name].append(found)
            rows.append([str(number), f"{base:.2f}", *(f"{ratios[name]:.2f}" for name in HEAD[2:])])
    rows.append(["median", "", *(f"{statistics.median(every[name]):.2f}" for name in HEAD[2:])])
    return rows


def _query(db: imputedb.Database, sql: str, times: int) -> tuple[float, dict[str, float]]:
    def kept(_: int) -> object:
        return db.sql(sql, fit="table").fetchall()

    ours: dict[str, Work] = {
        HEAD[2]: lambda _: db.sql(sql, fit="query").fetchall(),
        HEAD[3]: kept,
        HEAD[4]: lambda n: db.sql(f"{sql} -- {n}, {time.perf_counter()}", fit="table").fetchall(),
        HEAD[5]: lambda _: db.sql(sql, alpha=1).fetchall(),
    }
    for work in ours.values():
        work(-1)
    base, ratios = paired(lambda _: db.execute(sql), ours, times)
    db.sql(sql, fit="table", m=20)
    ratios[HEAD[6]] = _ratio(lambda _: db.sql(sql, fit="table", m=20).fetchall(), kept, times)
    return base, ratios


def _ratio(one: Work, other: Work, times: int) -> float:
    return statistics.median(_ms(one, 0) / _ms(other, 0) for _ in range(times))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results"))
    parser.add_argument("--times", type=int, default=15)
    given = parser.parse_args()
    versions = f"DuckDB {duckdb.__version__}, {platform.machine()}, Python {platform.python_version()}"
    head = f"Ratios to plain DuckDB, medians of {given.times}; {versions}"
    text = table(f"Kept models: the nine queries. {head}", HEAD, nine(given.data, given.times))
    given.out.mkdir(parents=True, exist_ok=True)
    (given.out / "models.md").write_text(text)
    print(text)


if __name__ == "__main__":
    main()
