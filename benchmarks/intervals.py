"""What draws cost: the paper's nine queries with m = 20 beside the single best values, and their intervals.

python -m benchmarks.intervals [--data DIR] [--out DIR]
"""

import argparse
import time
from pathlib import Path
from statistics import median

import imputedb
from imputedb import Database
from imputedb.cli.output.answers import with_intervals

TABLES = ("demo", "exams", "labs", "fcc", "gdp")
IMPUTERS = ("norm", "pmm", "tree")
DRAWS = 20
SHOWN = 4  # rows of an answer


def measured(db: Database, sql: str, imputer: str, m: int, times: int) -> float:
    """Median ms of an answer, plans and columns warm."""
    db.sql(sql, imputer=imputer, m=m)
    taken = []
    for _ in range(times):
        began = time.perf_counter()
        db.sql(sql, imputer=imputer, m=m).fetchall()
        taken.append(time.perf_counter() - began)
    return median(taken) * 1e3


def costs(db: Database, queries: list[str], times: int) -> list[str]:
    lines = ["| query | " + " | ".join(f"{name} | m = {DRAWS} | ratio" for name in IMPUTERS) + " |"]
    lines.append("|---" * (1 + 3 * len(IMPUTERS)) + "|")
    for number, sql in enumerate(queries, 1):
        cells = [str(number)]
        for imputer in IMPUTERS:
            one = measured(db, sql, imputer, 1, times)
            many = measured(db, sql, imputer, DRAWS, times)
            cells += [f"{one:.1f}", f"{many:.1f}", f"{many / one:.1f}"]
        lines.append("| " + " | ".join(cells) + " |")
    return lines


def answers(db: Database, queries: list[str]) -> list[str]:
    lines = []
    for number, sql in enumerate(queries, 1):
        result = db.sql(sql, m=DRAWS, imputer="tree")
        titles, rows = with_intervals(result, result.fetchall())
        lines += [f"### {number}", "", "    " + " ".join(sql.split()), ""]
        lines += ["| " + " | ".join(titles) + " |", "|---" * len(titles) + "|"]
        lines += ["| " + " | ".join(map(str, row)) + " |" for row in rows[:SHOWN]]
        lines += [f"| {len(rows) - SHOWN} more" + " |" * len(titles)] if len(rows) > SHOWN else []
        lines.append("")
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results"))
    parser.add_argument("--times", type=int, default=7)
    given = parser.parse_args()
    queries = [q.strip() for q in (given.data / "paper_queries.sql").read_text().split(";") if q.strip()]
    with imputedb.connect() as db:
        db.load(*(str(given.data / f"{name}.csv") for name in TABLES))
        head = f"imputedb {imputedb.__version__}; alpha 0, medians in ms of {given.times} runs, plans and columns warm."
        page = ["# Draws inside the plan", "", head, "", *costs(db, queries, given.times), ""]
        page += ["## The answers, with 95 % intervals for the population (tree)", "", *answers(db, queries)]
    given.out.mkdir(parents=True, exist_ok=True)
    (given.out / "intervals.md").write_text("\n".join(page), encoding="utf-8")
    print("\n".join(page))


if __name__ == "__main__":
    main()
