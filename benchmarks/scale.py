"""Tables larger than memory: what an answer, a kept model and a completed copy cost beside DuckDB's own, and in memory.

Every measure runs in a process of its own, under `memory_limit = 2GB`, over Parquet files that are made once. Sizes
that are in the table of results already are not measured again, unless `--anew` is given.

python -m benchmarks.scale [--rows N ...] [--data DIR] [--out DIR] [--times N] [--anew]
"""

import argparse
import json
import os
import platform
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb

import imputedb

LIMIT = "2GB"
SIZES = (100_000, 1_000_000, 10_000_000)
LONGEST = 600
"""Seconds that a measure may take."""

FACTS = """
    SELECT range AS id, h % 1000 AS store, (h >> 10) % 10000 AS product, 'r' || (h >> 24) % 20 AS region,
           (h >> 30) % 100 + 0.5 AS x1, CAST((h >> 37) % 1000 AS DOUBLE) AS x2, CAST((h >> 47) % 50 AS INTEGER) AS x3,
           CASE WHEN hash(range, 1) % 20 = 0 THEN NULL ELSE CAST((h >> 53) % 8 AS INTEGER) END AS incomplete,
           CASE WHEN hash(range, 2) % 10 = 0 THEN NULL
                ELSE (h >> 30) % 100 * 0.7 + (h >> 47) % 50 + CAST(hash(range, 3) % 40 AS DOUBLE) END AS amount,
           CASE WHEN hash(range, 4) % 10 = 0 THEN NULL
                ELSE CASE WHEN (h >> 37) % 1000 + hash(range, 5) % 500 > 700 THEN 'high' ELSE 'low' END END AS class
    FROM (SELECT range, hash(range) AS h FROM range({rows}))
"""
STORES = """
    SELECT range AS store, 'c' || range % 40 AS city,
           CASE WHEN hash(range, 6) % 10 = 0 THEN NULL ELSE CAST(hash(range, 7) % 900 AS DOUBLE) END AS area
    FROM range(1000)
"""
PRODUCTS = """
    SELECT range AS product, 'k' || range % 25 AS kind,
           CASE WHEN hash(range, 8) % 10 = 0 THEN NULL
                ELSE range % 90 + CAST(hash(range, 9) % 30 AS DOUBLE) END AS price
    FROM range(10000)
"""
BY_GROUP = "SELECT region, avg(amount) FROM {facts} GROUP BY region ORDER BY region"
STAR = """
    SELECT city, kind, avg(amount), count(*) FROM {facts} JOIN {stores} USING (store) JOIN {products} USING (product)
    WHERE incomplete < 3 AND price > 60 GROUP BY city, kind ORDER BY city, kind
"""
COPY = "COPY (SELECT * FROM {facts}) TO '{out}' (FORMAT parquet)"
NAMES = ("facts", "stores", "products")


@dataclass(frozen=True, slots=True)
class Case:
    """A measure.

    Attributes:
        name: of it.
        what: is asked, in words.
        beside: the name of the plain one that it is a ratio to.
        sql: what is asked.
        stored: whether tables are in a database file, rather than in Parquet.
        ask: what is asked of imputedb beside the text; None for DuckDB itself.
        model: whether the fact table has a kept model.
    """

    name: str
    what: str
    beside: str
    sql: str
    stored: bool
    ask: dict[str, object] | None = None
    model: bool = False


def cases() -> Iterator[Case]:
    """The measures, plain ones before those beside them."""
    for place, stored in (("file", False), ("table", True)):
        for what, sql in (("average by group", BY_GROUP), ("star", STAR), ("copy", COPY)):
            plain = f"{what}, {place}, DuckDB"
            yield Case(plain, what, plain, sql, stored)
            yield Case(f"{what}, {place}, alpha 1", what, plain, sql, stored, {"alpha": 1})
            yield Case(f"{what}, {place}, alpha 0", what, plain, sql, stored, {"alpha": 0})
            if stored:
                yield Case(f"{what}, {place}, kept model", what, plain, sql, stored, {"fit": "table"}, model=True)


def made(folder: Path, rows: int) -> Path:
    """A folder with the tables of a size, as files and in a database."""
    here = folder / f"scale_{rows}"
    if not (here / "done").exists():
        here.mkdir(parents=True, exist_ok=True)
        for name, text in zip(NAMES, (FACTS, STORES, PRODUCTS), strict=True):
            _plainly(here).execute(f"COPY ({text.format(rows=rows)}) TO '{here / name}.parquet' (FORMAT parquet)")
        (here / "tables.duckdb").unlink(missing_ok=True)
        with duckdb.connect(str(here / "tables.duckdb"), config={"memory_limit": LIMIT}) as connection:
            for name in NAMES:
                connection.execute(f"CREATE TABLE {name} AS FROM '{here / name}.parquet'")
        (here / "done").touch()
    return here


def _plainly(here: Path) -> duckdb.DuckDBPyConnection:
    return duckdb.connect(config={"memory_limit": LIMIT, "temp_directory": str(here / "spill")})


def measure(case: Case, here: Path, times: int) -> dict[str, object]:
    """Milliseconds of the first time and at the best of later ones, and this process's peak of memory in MB."""
    texts = {name: name if case.stored else f"'{here / name}.parquet' AS {name}" for name in NAMES}
    sql = case.sql.format(out=here / f"out_{os.getpid()}.parquet", **texts)
    found: dict[str, object] = {}
    run = _ours(case, here, found) if case.ask is not None else _plain(case, here)
    first, *rest = [_seconds(run, sql) for _ in range(times)]
    (here / f"out_{os.getpid()}.parquet").unlink(missing_ok=True)
    peak = int(re.findall(r"VmHWM:\s*(\d+)", Path("/proc/self/status").read_text())[0]) / 1024
    return found | {"first": round(first * 1e3, 1), "again": round(min(rest or [first]) * 1e3, 1), "peak": round(peak)}


def _seconds(run: Callable[[str], object], sql: str) -> float:
    began = time.perf_counter()
    run(sql)
    return time.perf_counter() - began


def _plain(case: Case, here: Path) -> Callable[[str], object]:
    connection = _plainly(here)
    if case.stored:
        connection.execute(f"ATTACH '{here / 'tables.duckdb'}' AS tables (READ_ONLY); USE tables")
    return lambda sql: connection.execute(sql).fetchall()


def _ours(case: Case, here: Path, found: dict[str, object]) -> Callable[[str], object]:
    path = str(here / "tables.duckdb") if case.stored else ":memory:"
    db = imputedb.connect(path, config={"memory_limit": LIMIT, "temp_directory": str(here / "spill")})
    if case.model:
        began = time.perf_counter()
        db.sql("CREATE OR REPLACE IMPUTATION MODEL kept ON facts USING norm")
        found["fitted"] = round((time.perf_counter() - began) * 1e3, 1)
    else:
        for name in db.models():
            db.sql(f"DROP IMPUTATION MODEL {name.name}")
    return lambda sql: db.sql(sql, **case.ask).fetchall()


def in_a_process(case: Case, here: Path, times: int) -> dict[str, object]:
    """What `measure` gives in a process that does nothing else."""
    command = [
        sys.executable,
        "-m",
        "benchmarks.scale",
        "--case",
        case.name,
        "--data",
        str(here),
        "--times",
        str(times),
    ]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=LONGEST, check=False)
    except subprocess.TimeoutExpired:
        return {"failed": f"more than {LONGEST} s"}
    if done.returncode:
        return {"failed": (done.stderr.strip().splitlines() or ["killed"])[-1][:160]}
    answer: dict[str, object] = json.loads(done.stdout.splitlines()[-1])
    return answer


Found = dict[str, dict[str, dict[str, Any]]]
"""What was measured, by rows and case."""


def report(found: Found) -> str:
    """The table of all that was measured, by case and size."""
    versions = f"DuckDB {duckdb.__version__}, {platform.machine()}, {os.cpu_count()} cores, memory_limit {LIMIT}"
    lines = [
        f"## Larger than memory. {versions}",
        "",
        "Milliseconds: of the first time, and of the best of later ones in one process; what that is to DuckDB's own;",
        "the process's peak of memory in MB.",
        "",
        "| rows | what | first | again | ratio | peak | fit of the model |",
        "|---|---|---|---|---|---|---|",
    ]
    for rows, by_case in sorted(found.items(), key=lambda one: int(one[0])):
        for case in cases():
            one = by_case.get(case.name, {})
            if "again" in one:
                ratio = one["again"] / by_case[case.beside]["again"]
                told = f"{one['first']:,.0f} | {one['again']:,.0f} | {ratio:.1f} | {one['peak']:,} | "
                told += f"{one['fitted']:,.0f}" if "fitted" in one else ""
            else:
                told = f"{one.get('failed', 'not measured')} | | | |"
            lines.append(f"| {int(rows):,} | {case.name} | {told} |")
    return "\n".join(lines) + "\n"


def chart(found: Found, path: Path) -> None:
    """Time and memory by rows, both on logarithmic scales."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(1, 3, figsize=(15, 4.5))
    for case in cases():
        points = [(int(rows), one[case.name]) for rows, one in found.items() if "again" in one.get(case.name, {})]
        points.sort(key=lambda point: point[0])
        at = [rows for rows, _ in points]
        style = ":" if case.ask is None else "-"
        place = ("average by group", "copy").index(case.what) if case.what != "star" else None
        if place is not None:
            axes[place].plot(at, [one["again"] for _, one in points], style, marker="o", label=case.name)
        axes[2].plot(at, [one["peak"] for _, one in points], style, marker="o", color="#777777")
    for axis, title in zip(axes, ("average by group, ms", "copy, ms", "peak of memory, MB, all measures"), strict=True):
        axis.set(title=title, xscale="log", yscale="log", xlabel="rows")
        axis.spines[["top", "right"]].set_visible(False)
    axes[0].legend(frameon=False, fontsize=7)
    axes[1].legend(frameon=False, fontsize=7)
    figure.tight_layout()
    figure.savefig(path, dpi=110)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, nargs="*", default=SIZES)
    parser.add_argument("--data", type=Path, default=Path(tempfile.gettempdir()) / "imputedb-scale")
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results"))
    parser.add_argument("--times", type=int, default=3)
    parser.add_argument("--anew", action="store_true")
    parser.add_argument("--case", help="measure one, in this process, over the tables in --data")
    given = parser.parse_args()
    if given.case:
        (case,) = (one for one in cases() if one.name == given.case)
        print(json.dumps(measure(case, given.data, given.times)))
        return
    kept = given.out / "scale.json"
    found: Found = json.loads(kept.read_text()) if kept.exists() and not given.anew else {}
    for rows in given.rows:
        by_case, here = found.setdefault(str(rows), {}), made(given.data, rows)
        for case in cases():
            if case.name not in by_case:
                by_case[case.name] = in_a_process(case, here, given.times)
                print(rows, case.name, by_case[case.name], flush=True)
                kept.write_text(json.dumps(found, indent=1) + "\n")
    (given.out / "scale.md").write_text(report(found))
    chart(found, given.out / "scale.png")


if __name__ == "__main__":
    main()
