"""Whether answers are the same to the last bit before and after a change: random queries, recorded and compared.

python -m benchmarks.answers record FILE [--queries 500] [--seed 0]
python -m benchmarks.answers compare FILE FILE
python -m benchmarks.answers between COMMIT [COMMIT]

`compare` shows every answer that differs, counts them by how, and how much more processor time the second file took.
`between` checks out each commit's `src` into a folder of its own and records there; without a second commit it is the
working tree. The compiled kernel of the working tree serves both, so commits with another kernel are refused: build
each, and `record` with its `src` on PYTHONPATH.
"""

import argparse
import json
import math
import os
import random
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from statistics import median
from time import process_time
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
KERNEL = "src/imputedb/kernel"
IMPUTERS = ("tree", "mean", "hotdeck", "knn", "norm", "pmm", ["mean", "tree"], "drop")
VALUES: dict[str, Callable[[random.Random], str]] = {
    "i": lambda r: str(r.randint(-5, 20)),
    "f": lambda r: f"{r.gauss(3, 2):.6f}",
    "s": lambda r: f"'{r.choice(('x', 'y', 'zoë', 'OHara'))}'".replace("O'H", "O''H"),
    "b": lambda r: r.choice(("true", "false")),
    "d": lambda r: f"DATE '20{r.randint(10, 24)}-{r.randint(1, 12):02}-{r.randint(1, 28):02}'",
}
TYPES = {"i": "INTEGER", "f": "DOUBLE", "s": "VARCHAR", "b": "BOOLEAN", "d": "DATE"}
POLICIES = (
    "CREATE IMPUTATION POLICY ON t0(i) RANGE -5 TO 20",
    "CREATE IMPUTATION POLICY ON t1(s) KEEP",
    "CREATE IMPUTATION POLICY ON t2(f) IMPUTER mean",
    "CREATE IMPUTATION POLICY ON t2(b) DROP",
)


def tables(r: random.Random, rows: int = 120) -> list[str]:
    """Statements that make three tables, a fifth of their cells missing, with values that depend on one another."""
    made = []
    for name in ("t0", "t1", "t2"):
        columns = ", ".join(f"{column} {kind}" for column, kind in TYPES.items())
        made.append(f"CREATE TABLE {name} (k INTEGER, {columns})")
        lines = []
        for row in range(rows):
            cells = {column: make(r) for column, make in VALUES.items()}
            cells["f"] = f"{0.5 * int(cells['i']) + r.gauss(0, 1):.6f}"
            shown = [cell if row < 3 or r.random() > 0.2 else "NULL" for cell in cells.values()]
            lines.append(f"({r.randint(0, rows // 3)}, {', '.join(shown)})")
        made.append(f"INSERT INTO {name} VALUES {', '.join(lines)}")
    return made


def _condition(r: random.Random, alias: str) -> str:
    name = r.choice(tuple(VALUES))
    column, value = f"{alias}.{name}", VALUES[name]
    return r.choice(
        (
            f"{column} {r.choice(('=', '<', '>=', '<>'))} {value(r)}",
            f"{column} BETWEEN {value(r)} AND {value(r)}",
            f"{column} IN ({value(r)}, {value(r)})",
            f"({column} > {value(r)} OR {alias}.i < 7)",
            f"{column} IS NOT NULL",
            f"coalesce({alias}.f, 0) > 1",
            f"CASE WHEN {column} = {value(r)} THEN {alias}.b ELSE {alias}.i > 3 END",
        )
    )


def _aggregate(r: random.Random, alias: str) -> str:
    call = r.choice(
        ("avg({0}.f)", "sum({0}.i)", "count({0}.s)", "count(*)", "min({0}.d)", "max({0}.f)", "median({0}.f)")
    )
    further = r.choice(("stddev({0}.f)", "corr({0}.f, {0}.i)", "avg({0}.f * {0}.i)", "count(DISTINCT {0}.s)"))
    kept = r.choice(("", "", f" FILTER (WHERE {_condition(r, alias)})"))
    return r.choice((call, call, further)).format(alias) + kept


def _from(r: random.Random) -> tuple[str, str]:
    """Items of FROM, and the alias that the query is about."""
    return r.choice(
        (
            ("t0 a", "a"),
            ("t1 a", "a"),
            ("t0 a JOIN t1 b ON a.k = b.k", "b"),
            ("t0 a LEFT JOIN t2 b USING (k)", "b"),
            ("t0 a, t1 b, t2 c", "c"),
            (f"(SELECT * FROM t0 x WHERE {_condition(r, 'x')}) a", "a"),
        )
    )


def query(r: random.Random) -> str:
    """One query over them."""
    source, alias = _from(r)
    joined = "a.k = b.k AND b.k = c.k" if alias == "c" else "true"
    where = f"WHERE {' AND '.join([joined, *(_condition(r, alias) for _ in range(r.randint(0, 2)))])}"
    group = f"{alias}.{r.choice('sb')}"
    shown = ", ".join(_aggregate(r, alias) for _ in range(r.randint(1, 3)))
    return r.choice(
        (
            f"SELECT {shown} FROM {source} {where}",
            f"SELECT {group}, {shown} FROM {source} {where} GROUP BY {group} ORDER BY ALL",
            f"SELECT {group}, {shown} FROM {source} {where} GROUP BY {group} HAVING count(*) > 5 ORDER BY ALL",
            f"SELECT {alias}.k, {alias}.f, upper({alias}.s) FROM {source} {where} ORDER BY ALL LIMIT 20",
            f"SELECT DISTINCT {alias}.s, {alias}.b FROM {source} {where} ORDER BY ALL",
            f"SELECT {alias}.k, avg({alias}.f) OVER (PARTITION BY {alias}.s) w FROM {source} {where} ORDER BY ALL",
            f"WITH q AS (SELECT {alias}.k k, {alias}.f f FROM {source} {where}) SELECT count(*), avg(f) FROM q",
            f"SELECT count(*) FROM {source} {where} AND {alias}.f > (SELECT avg(f) FROM t2)",
            f"SELECT {alias}.i v FROM {source} {where} UNION SELECT i FROM t2 ORDER BY ALL LIMIT 30",
        )
    )


def wishes(r: random.Random) -> dict[str, Any]:
    """How a query is asked."""
    alpha, methods = r.choice((0.0, 0.0, 0.5, 1.0)), ("aipw", "bounds", "ml")
    found: dict[str, Any] = {"seed": r.randint(0, 99), "imputer": r.choice(IMPUTERS), "alpha": alpha}
    found |= r.choice(({}, {}, {"m": 3}, {"m": 5}, {"strategy": "base"}, {"method": r.choice(methods)}))
    return found


def record(out: Path, queries: int, seed: int) -> None:
    """Writes what each query gives, a line each: its rows, or its refusal."""
    import imputedb

    r = random.Random(seed)
    with imputedb.connect() as db, out.open("w", encoding="utf-8") as lines:
        for statement in tables(r):
            db.execute(statement)
        for number in range(queries):
            if number == queries // 2:
                for statement in POLICIES:
                    db.sql(statement)
            text, how = query(r), wishes(r)
            began = process_time()
            found = _answer(db, text, how)
            spent = process_time() - began
            lines.write(json.dumps({"query": text, "how": how, "answer": found, "seconds": spent}) + "\n")


def _answer(db: Any, text: str, how: dict[str, Any]) -> Any:
    import imputedb

    try:
        found = db.sql(text, **how)
        return {"columns": found.columns, "rows": [[_exact(cell) for cell in row] for row in found.fetchall()]}
    except imputedb.Error as error:
        return {"error": type(error).__name__, "text": str(error)}


def _exact(cell: object) -> str:
    """A cell to its last bit."""
    return cell.hex() if isinstance(cell, float) else repr(cell)


def compare(first: Path, second: Path) -> int:
    """How many answers differ; each is shown."""
    before, after = ([json.loads(line) for line in path.read_text("utf-8").splitlines()] for path in (first, second))
    pairs = list(zip(before, after, strict=True))
    if any((one["query"], one["how"]) != (other["query"], other["how"]) for one, other in pairs):
        sys.exit("the files are of other queries: record both with one seed")
    apart = [(one, other) for one, other in pairs if one["answer"] != other["answer"]]
    for one, other in apart:
        print(f"{one['query']}\n  {one['how']}\n  before {one['answer']}\n  after  {other['answer']}")
    for kind, count in Counter(difference(one["answer"], other["answer"]) for one, other in apart).most_common():
        print(f"{count:5} {kind}")
    refused = sum("error" in one["answer"] for one in before)
    print(f"{len(apart)} of {len(before)} answers differ; {refused} queries are refused")
    if all("seconds" in one for one in (*before, *after)):
        ratios = [other["seconds"] / max(one["seconds"], 1e-6) for one, other in pairs]
        whole = sum(one["seconds"] for one in after) / sum(one["seconds"] for one in before)
        print(f"processor time: {whole - 1:+.1%} in all, {median(ratios) - 1:+.1%} in the median query")
    return len(apart)


def difference(before: dict[str, Any], after: dict[str, Any]) -> str:
    """How two answers to one query differ."""
    match "error" in before, "error" in after:
        case True, True:
            return "another refusal"
        case True, False:
            return "answered, and was refused"
        case False, True:
            return "refused, and was answered"
    if before["columns"] != after["columns"]:
        return "other columns"
    if len(before["rows"]) != len(after["rows"]):
        return "more or fewer rows"
    rows = zip(before["rows"], after["rows"], strict=True)
    cells = (pair for row in rows for pair in zip(*row, strict=True))
    near = all(one == other or _is_near(one, other) for one, other in cells)
    return "the last digits" if near else "other values"


def _is_near(one: str, other: str) -> bool:
    try:
        return math.isclose(float.fromhex(one), float.fromhex(other), rel_tol=1e-9)
    except ValueError:
        return False


def between(commits: list[str], queries: int, seed: int) -> int:
    """How many answers differ between two commits, or one and the working tree."""
    for commit in commits:
        changed = ["git", "diff", "--quiet", commit, "--", f":(glob){KERNEL}/**/*.cpp", f":(glob){KERNEL}/**/*.h*"]
        if subprocess.run(changed, cwd=ROOT).returncode:
            sys.exit(f"the kernel of {commit} is another one: build it, and record with its src on PYTHONPATH")
    with tempfile.TemporaryDirectory() as folder:
        files = []
        for number, commit in enumerate([*commits, None][:2]):
            source, out = ROOT / "src", Path(folder) / f"{number}.jsonl"
            if commit is not None:
                source = _checked_out(commit, Path(folder) / str(number))
            command = [sys.executable, __file__, "record", str(out), "--queries", str(queries), "--seed", str(seed)]
            subprocess.run(command, check=True, env={**os.environ, "PYTHONPATH": str(source)})
            files.append(out)
        return compare(*files)


def _checked_out(commit: str, folder: Path) -> Path:
    folder.mkdir()
    archive = subprocess.run(["git", "archive", commit, "src"], cwd=ROOT, check=True, capture_output=True).stdout
    subprocess.run(["tar", "-x", "-C", str(folder)], check=True, input=archive)
    for compiled in (ROOT / KERNEL).glob("_kernel*.so"):
        shutil.copy(compiled, folder / KERNEL)
    return folder / "src"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("action", choices=("record", "compare", "between"))
    parser.add_argument("what", nargs="+")
    parser.add_argument("--queries", type=int, default=500)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    match given.action:
        case "record":
            record(Path(given.what[0]), given.queries, given.seed)
        case "compare":
            sys.exit(bool(compare(*map(Path, given.what))))
        case _:
            sys.exit(bool(between(given.what, given.queries, given.seed)))


if __name__ == "__main__":
    main()
