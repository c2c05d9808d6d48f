"""Budgets that are kept: WITHIN over random times, ERROR over random errors, and forecasts beside what queries took.

python -m benchmarks.budgets [--data DIR] [--out DIR] [--runs N]
"""

import argparse
import itertools
import math
import platform
import random
import statistics
from pathlib import Path

import duckdb

import imputedb
from benchmarks.queries import TABLES, queries, table
from imputedb.result import Budget

IMPUTERS = ("tree", "mean", "tree,mean", "knn")
LEAST, MOST = 20.0, 2000.0
"""Milliseconds that are given."""
SIZES, GIVEN = (10_000, 100_000, 1_000_000), (50.0, 100.0, 150.0, 200.0)
"""Rows of the tables that new texts are asked of, and milliseconds."""
SLACK = 1.2
"""An answer may be later than asked for by a fifth."""


def statements(folder: Path, seed: int) -> list[tuple[str, str]]:
    """The queries of the paper and some of their like, each with imputers to choose from."""
    rng = random.Random(seed)
    found = queries(folder)
    for table_name, columns in (
        ("exams", ("height", "weight", "waist_circumference", "cuff_size", "blood_pressure_systolic")),
        ("labs", ("albumin", "creatine", "cholesterol", "blood_lead")),
        ("demo", ("income", "age_yrs")),
        ("fcc", ("income", "commutetime", "studentdebtowe", "age")),
    ):
        for one, other in itertools.permutations(columns, 2):
            found.append(f"SELECT avg({one}), count(*) FROM {table_name} WHERE {other} > {rng.randint(0, 5000)}")
    return [(text, imputer) for text in found for imputer in IMPUTERS]


def kept(db: imputedb.Database, asked: list[tuple[str, str]], runs: int, seed: int) -> tuple[list[Budget], list[float]]:
    """Answers within random times, and ratios of predicted to actual times where the plan was let finish."""
    rng, found, ratios = random.Random(seed), [], []
    for _ in range(runs):
        text, imputer = rng.choice(asked)
        given = math.exp(rng.uniform(math.log(LEAST), math.log(MOST)))
        report = db.sql(text, imputer=imputer.split(","), within_ms=given).report
        if report.budget is not None:
            found.append(report.budget)
            if not report.budget.cut_over:
                ratios.append(report.estimated_ms / report.execution_ms)
    return found, ratios


def precise(db: imputedb.Database, folder: Path, runs: int, seed: int) -> tuple[int, int, int]:
    """Of answers within random errors: how many reach theirs, how many are told that none does, and all."""
    rng, reached, told = random.Random(seed), 0, 0
    for _ in range(runs):
        goal = math.exp(rng.uniform(math.log(0.002), math.log(0.2)))
        report = db.sql(rng.choice(queries(folder)[:5]), error=goal).report
        budget = report.budget
        assert budget is not None
        assert budget.reached_error is not None
        reached += budget.reached_error <= goal
        told += any("the best to be had" in one or "has an error of" in one for one in report.warnings)
    return reached, told, runs


def tables(db: imputedb.Database) -> list[str]:
    """Tables of several sizes whose columns predict each other, each looked at once."""
    names = []
    for rows in SIZES:
        names.append(f"t{rows}")
        db.execute(
            f"CREATE TABLE t{rows} AS WITH base AS (SELECT i, hash(i) % 1000 / 10.0 AS z FROM range({rows}) r(i)) "
            "SELECT CASE WHEN hash(i + 1) % 5 > 0 THEN z + hash(i + 2) % 100 END AS a, "
            "CASE WHEN hash(i + 3) % 5 > 0 THEN z / 10 + hash(i + 4) % 10 END AS b, hash(i + 5) % 6 AS g, "
            "CASE WHEN hash(i + 6) % 9 > 0 THEN 'k' || (z // 20)::INTEGER END AS c, z AS d FROM base"
        )
        db.sql(f"SELECT avg(a), avg(b), count(c) FROM t{rows}", imputer="mean")
    return names


def new_texts(db: imputedb.Database, runs: int, seed: int) -> list[tuple[str, float, Budget]]:
    """What was asked of which table within how many milliseconds, and what came of it; no text comes twice."""
    rng, found, names = random.Random(seed), [], tables(db)
    for _ in range(runs):
        name, given, x = rng.choice(names), rng.choice(GIVEN), rng.uniform(0, 90)
        text = rng.choice(
            (
                f"SELECT avg(a) FROM {name} WHERE d > {x}",
                f"SELECT avg(b), count(*) FROM {name} WHERE a > {x}",
                f"SELECT g, avg(a) FROM {name} WHERE b > {x / 10} GROUP BY g",
                f"SELECT c, sum(a) + {x} FROM {name} GROUP BY c ORDER BY 2 LIMIT 3",
                f"SELECT max(a), min(b) FROM {name} WHERE d < {x} AND g = 3",
            )
        )
        report = db.sql(text, imputer=rng.choice(IMPUTERS).split(","), within_ms=given).report
        if report.budget is not None:
            found.append((name, given, report.budget))
    return found


def size_lines(found: list[tuple[str, float, Budget]]) -> list[list[str]]:
    """By table and time: answers, those in time, those told that no plan was faster, and the other late ones."""
    rows = []
    for name, given in itertools.product([f"t{rows}" for rows in SIZES], GIVEN):
        mine = [one for table_name, asked, one in found if (table_name, asked) == (name, given)]
        in_time = sum((one.reached_ms or 0) <= given for one in mine)
        told = sum((one.reached_ms or 0) > given and one.short for one in mine)
        took = sorted((one.reached_ms or 0) for one in mine)
        count = max(len(mine), 1)
        rows.append(
            [
                f"{int(name[1:]):,}",
                f"{given:g}",
                str(len(mine)),
                f"{in_time / count:.0%}",
                f"{told / count:.0%}",
                f"{(len(mine) - in_time - told) / count:.0%}",
                f"{took[len(took) // 2]:.0f}" if took else "",
            ]
        )
    return rows


def lines(budgets: list[Budget]) -> list[list[str]]:
    rows = []
    for low, high in ((20, 63), (63, 200), (200, 632), (632, 2000)):
        mine = [one for one in budgets if low <= (one.within_ms or 0) < high]
        in_time = [one for one in mine if (one.reached_ms or 0) <= (one.within_ms or 0) * SLACK]
        strictly = [one for one in mine if (one.reached_ms or 0) <= (one.within_ms or 0)]
        cut = sum(one.cut_over for one in mine)
        count = max(len(mine), 1)
        rows.append(
            [
                f"{low} to {high}",
                str(len(mine)),
                f"{len(strictly) / count:.1%}",
                f"{len(in_time) / count:.1%}",
                f"{cut / count:.1%}",
            ]
        )
    whole = [(one.reached_ms or 0) / (one.within_ms or 1) for one in budgets]
    rows.append(
        [
            "all",
            str(len(budgets)),
            f"{sum(one <= 1 for one in whole) / len(whole):.1%}",
            f"{sum(one <= SLACK for one in whole) / len(whole):.1%}",
            f"{sum(one.cut_over for one in budgets) / len(budgets):.1%}",
        ]
    )
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results"))
    parser.add_argument("--runs", type=int, default=500)
    given = parser.parse_args()
    asked = statements(given.data, 1)
    with imputedb.connect() as db:
        db.load(*(str(given.data / f"{name}.csv") for name in TABLES))
        for name in TABLES:
            db.sql(f"SELECT count(*) FROM {name}")
        budgets, ratios = kept(db, asked, given.runs, 2)
        reached, told, all_errors = precise(db, given.data, max(given.runs // 10, 10), 3)
    versions = f"DuckDB {duckdb.__version__}, {platform.machine()}, Python {platform.python_version()}"
    text = table(
        f"Answers within a time. {given.runs} runs, times log-uniform from {LEAST:g} to {MOST:g} ms; {versions}",
        ["ms given", "answers", "in time", "within 1.2 times", "cut over"],
        lines(budgets),
    )
    near = sum(1 / 1.5 <= one <= 1.5 for one in ratios) / len(ratios)
    text += (
        f"\nPredicted beside actual times: median ratio {statistics.median(ratios):.2f}, within a factor of 1.5 in "
        f"{near:.0%} of {len(ratios)} runs.\n\nWithin an error of .2 % to 20 %: {reached} of {all_errors} answers "
        f"reach it; of {told} it is said that no plan does.\n"
    )
    with imputedb.connect() as db:
        asked_anew = new_texts(db, given.runs, 4)
    text += "\n" + table(
        f"New texts within a time, tables of three sizes. {len(asked_anew)} runs",
        ["rows", "ms given", "answers", "in time", "told that no plan is faster", "late otherwise", "median ms"],
        size_lines(asked_anew),
    )
    given.out.mkdir(parents=True, exist_ok=True)
    (given.out / "budgets.md").write_text(text)
    print(text)


if __name__ == "__main__":
    main()
