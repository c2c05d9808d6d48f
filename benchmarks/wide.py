"""Seconds of the first query on tables of many columns: `python -m benchmarks.wide`, or this file.

Of commit fec5ec3, which gathered the statistics of every column before any query, and after; DuckDB 2.0.1, two shared
cores. Complete tables have one row, the others 100, with columns that miss every tenth value. The last three lines are
of CPU, on a loaded machine: where a plan is needed, the statistics of all columns are gathered. They took 5.7 before
columns of one type were put below each other in one statement; of 100 rows, `measured` is a fifth of what it was.

| columns | query | before | after |
|---|---|---|---|
| 100 | two of them, complete | 1.2 | 0.1 |
| 400 | two of them, complete | 17 | 0.1 |
| 5,000 | two of them, complete | no end | 0.3 |
| 400 | all, complete | not measured | 1.4 |
| 400 | two of them, one missing (tree) | not measured | 1.4 to 1.7 |
| 5,000 | two of them, all missing every tenth value (mean) | not measured | 1.3 |
| 5,000 | two of them, all missing every tenth value (tree) | not measured | 1.6 |
| 5,000 | count(*) under 5,000 ANDs, all columns missing (mean) | no end in 60 | 11.4 (DuckDB 2.7) |

A count of distinct values was a join to DuckDB, in one statement for all columns; and the quantiles' points stood in
the statement 65 times a column. The figures before were taken on another day, on tables of one row.
"""

import time

import imputedb

CASES = (
    (100, "SELECT avg(c0), max(c1) FROM w", 0, "tree"),
    (400, "SELECT avg(c0), max(c1) FROM w", 0, "tree"),
    (5000, "SELECT avg(c0), max(c1) FROM w", 0, "tree"),
    (400, "SELECT * FROM w", 0, "tree"),
    (400, "SELECT avg(c0), max(c1) FROM w", 2, "tree"),
    (5000, "SELECT avg(c0), max(c1) FROM w", 5000, "mean"),
    (5000, "SELECT avg(c0), max(c1) FROM w", 5000, "tree"),
    (5000, "SELECT count(*) FROM w WHERE " + " AND ".join(f"c{place} > -1" for place in range(5000)), 5000, "mean"),
)


def seconds(columns: int, query: str, missing: int, imputer: str) -> float:
    """What the first query takes on a fresh table, of whose columns so many miss values."""
    rows = 100 if missing else 1
    values = [f"i * {place + 1}" for place in range(columns)]
    values[:missing] = [f"CASE WHEN i % 10 > 0 THEN {value} END" for value in values[:missing]]
    items = ", ".join(f"({value})::INTEGER AS c{place}" for place, value in enumerate(values))
    with imputedb.connect() as db:
        db.execute(f"CREATE TABLE w AS SELECT {items} FROM range(1, {rows + 1}) r(i)")
        began = time.perf_counter()
        db.sql(query, imputer=imputer).fetchall()
        return time.perf_counter() - began


if __name__ == "__main__":
    for columns, query, missing, imputer in CASES:
        taken = seconds(columns, query, missing, imputer)
        print(f"{columns:>6,}  {query[:32]:32} missing={missing:<5}  {imputer}  {taken:6.2f} s")
