"""Speed beyond what `python -m benchmarks.paper` measures: a hundred times the rows, and start-up.

python -m benchmarks.queries [--data DIR] [--out DIR]
"""

import argparse
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import duckdb

import imputedb

TABLES = ("demo", "exams", "labs", "fcc", "gdp")


def median_ms(work: Callable[[], object], times: int = 15) -> float:
    taken = []
    for _ in range(times):
        began = time.perf_counter()
        work()
        taken.append(time.perf_counter() - began)
    return statistics.median(taken) * 1e3


def queries(folder: Path) -> list[str]:
    return [q.strip() for q in (folder / "paper_queries.sql").read_text().split(";") if q.strip()]


def hundredfold(folder: Path) -> list[list[str]]:
    """Alpha 1 on a hundred times the rows, beside DuckDB over the rows where what is read is not NULL."""
    rows = []
    with imputedb.connect() as db:
        db.load(*(str(folder / f"{name}.csv") for name in TABLES))
        for name in ("demo", "exams", "labs", "fcc"):
            key = "id" if name != "fcc" else '"index"'
            copies = f"SELECT t.* REPLACE ({key} + i * 1000000 AS {key}) FROM {name} t, range(100) r(i)"
            db.execute(f"CREATE TABLE big AS {copies}")
            db.execute(f"DROP TABLE {name}")
            db.execute(f"ALTER TABLE big RENAME TO {name}")
        for number, sql in enumerate(queries(folder), 1):
            result = db.sql(sql, alpha=1, imputer="tree")
            ours = median_ms(lambda sql=sql: db.sql(sql, alpha=1).fetchall(), 7)  # type: ignore[misc]
            reads = sorted(_reads(result))
            plain = filtered(sql, reads)
            theirs = median_ms(lambda plain=plain: db.execute(plain), 7)  # type: ignore[misc]
            rows.append([str(number), f"{ours:.1f}", f"{theirs:.1f}", f"{ours / theirs:.2f}"])
    return rows


def _reads(result: imputedb.Result) -> set[str]:
    from imputedb.algebra.relation import Drop
    from imputedb.algebra.walk import bottom_up

    assert result.relation is not None
    return {str(c) for node in bottom_up(result.relation) if isinstance(node, Drop) for c in node.columns}


def filtered(sql: str, columns: list[str]) -> str:
    present = " AND ".join(f"{column} IS NOT NULL" for column in columns)
    head, where, tail = sql.partition("WHERE")
    return f"{head}{where} {present} AND {tail}" if where else sql


def starting(folder: Path, work: Path) -> list[list[str]]:
    path = str(work / "start.duckdb")
    command = [sys.executable, "-m", "imputedb.cli"]
    subprocess.run([*command, "load", path, str(folder / "exams.csv")], check=True, capture_output=True)
    query = [*command, "query", path, "SELECT avg(height) FROM exams"]
    shots = {
        "import imputedb": [sys.executable, "-c", "import imputedb"],
        "python -c pass": [sys.executable, "-c", "pass"],
        "imputedb query": query,
        "imputedb --version": [*command, "--version"],
    }
    return [
        [name, f"{median_ms(lambda shot=shot: subprocess.run(shot, check=True, capture_output=True), 7):.0f}"]  # type: ignore[misc]
        for name, shot in shots.items()
    ]


def table(title: str, head: list[str], rows: list[list[str]]) -> str:
    lines = [f"## {title}", "", "| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    return "\n".join([*lines, *("| " + " | ".join(row) + " |" for row in rows), ""])


def main() -> None:
    import tempfile

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results"))
    options = parser.parse_args()
    if not (options.data / "demo.csv").exists():
        sys.exit(f"skipped: the real tables are not in {options.data}")
    parts = [
        "# Queries",
        "",
        f"imputedb {imputedb.__version__}, DuckDB {duckdb.__version__}, Python {platform.python_version()}, "
        f"{platform.machine()}; medians in ms.",
        "",
    ]
    head = ["query", "imputedb, alpha 1", "DuckDB, NULLs filtered", "ratio"]
    parts.append(table("A hundred times the rows", head, hundredfold(options.data)))
    with tempfile.TemporaryDirectory() as work:
        parts.append(table("Starting", ["what", "ms"], starting(options.data, Path(work))))
    options.out.mkdir(parents=True, exist_ok=True)
    text = "\n".join(parts)
    (options.out / "queries.md").write_text(text)
    print(text)


if __name__ == "__main__":
    main()
