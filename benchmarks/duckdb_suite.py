"""DuckDB's own tests, answered by `Database.sql` beside DuckDB itself: what is equal, imputed, wrong, refused, foreign.

python -m benchmarks.duckdb_suite FOLDER [--share 0.02] [--only PART] [--shown 20]

FOLDER is a checkout of DuckDB, or holds its `test` and `data`; nothing is fetched. A sample of the files is taken by a
hash of their names, so it is the same each time. Each file runs in a process and two databases of its own.

equal: the same names, types and rows. imputed: other rows under the same names and types, where the report counts
imputed cells or dropped rows, and the rows, or the refusal, are those of a run over tables that are completed before.
empty: a column that cannot be imputed is examined, which is refused. wrong: all others. refused: an error of ours where
DuckDB answers. foreign: an error that is none of ours. Records on connections with names, and what needs an extension
that is not there, are left out.

Two DuckDBs run beside ours: where they differ, a record has no answer of its own (times, random numbers, logs). A
statement that keeps imputed rows runs again as DuckDB runs it, so that what follows reads the same rows on all sides.
"""

import argparse
import hashlib
import json
import math
import subprocess
import sys
import tempfile
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb

import imputedb

VERDICTS = ("equal", "imputed", "empty", "wrong", "refused", "foreign")
EMPTY = ("cannot be imputed", "no value of it is observed")
OURS = (
    *("duckdb_settings", "pg_settings", "duckdb_logs", "metrics_output", "analyze", "pg_type", "pg_index"),
    *(
        "pg_attribute",
        "pg_sequence",
        "duckdb_dependencies",
        "duckdb_constraints",
        "txid_current",
        "vector_type(",
        "stats(",
    ),
)
"""What tells of the connection itself, of what ran on it and how, of numbers in the catalog, and of storage."""
PROFILES = ("metrics_output", "profiling")
"""What holds the profile of a statement, whose columns depend on how it ran."""
SECONDS = 60
CHANCE = ("random", "uuid", "nextval", "sample", "insert", "delete", "update", "now()", "current_")
TURNS = 20
"""Of a loop at most."""


@dataclass(frozen=True)
class Record:
    """A statement of a file."""

    text: str
    answers: bool


# -- reading the files ------------------------------------------------------------------------------------------------


def records(lines: list[str], names: Mapping[str, str]) -> Iterator[Record]:
    """The statements of a file, loops unrolled; it ends at what cannot be had here."""
    place = 0
    while place < len(lines):
        words = lines[place].split()
        match words:
            case ["loop" | "foreach", name, *values]:
                end = _end(lines, place)
                turns = [str(n) for n in range(int(values[0]), int(values[1]))] if words[0] == "loop" else values
                for value in turns[:TURNS]:
                    yield from records(lines[place + 1 : end], {**names, name: value})
                place = end
            case ["concurrentloop" | "concurrentforeach", *_]:
                place = _end(lines, place)
            case ["require" | "require-env" | "load" | "restart" | "mode" | "unzip" | "set" | "reconnect", *rest]:
                if words[0] != "require" or rest[0] not in ("parquet", "json", "icu", "vector_size", "noforcestorage"):
                    return
            case ["statement" | "query", kind, *more]:
                text, place = _text(lines, place + 1)
                if words[0] == "query" or (kind == "ok" and not more):
                    yield Record(_filled(text, names), words[0] == "query")
            case ["skipif" | "onlyif", *_]:
                _, place = _text(lines, place + 1)
        place += 1


def _end(lines: list[str], begin: int) -> int:
    depth = 0
    for place in range(begin, len(lines)):
        word = lines[place].split()[:1]
        depth += word in (["loop"], ["foreach"], ["concurrentloop"], ["concurrentforeach"])
        depth -= word == ["endloop"]
        if depth == 0:
            return place
    return len(lines)


def _text(lines: list[str], begin: int) -> tuple[str, int]:
    place = begin
    while place < len(lines) and lines[place].strip() and lines[place].strip() != "----":
        place += 1
    text = "\n".join(line for line in lines[begin:place] if not line.startswith("#"))
    while place < len(lines) and lines[place].strip():
        place += 1
    return text, place


def _filled(text: str, names: Mapping[str, str]) -> str:
    for name, value in names.items():
        text = text.replace("${" + name + "}", value).replace("{" + name + "}", value)
    return text


# -- one file ---------------------------------------------------------------------------------------------------------


def judged(path: Path) -> Iterator[dict[str, str]]:
    """The verdict on each statement of a file."""
    with (
        tempfile.TemporaryDirectory() as ours,
        tempfile.TemporaryDirectory() as theirs,
        tempfile.TemporaryDirectory() as twins,
    ):
        sides = [(_plain(), theirs), (_plain(), twins)]
        with imputedb.connect() as db:
            for record in records(path.read_text(errors="replace").splitlines(), {}):
                given, again = (_asked(one, _placed(record.text, folder)) for one, folder in sides)
                settled = given is not None and again is not None and _same(again, given, twins, theirs)
                certain = settled and not any(word in record.text.lower() for word in OURS)
                text = _placed(record.text, ours)
                with _inserting(db, text) as imputed:
                    verdict, reason = _verdict(db, text, given, ours, theirs, imputed, certain=certain)
                if verdict in ("equal", "empty") and _keeps(text):
                    _run_again(db, text)
                if verdict:
                    yield {"verdict": verdict, "text": record.text, "reason": reason}


def _plain() -> duckdb.DuckDBPyConnection:
    plain = duckdb.connect()
    plain.execute("SET python_enable_replacements = false")
    return plain


def _asked(plain: duckdb.DuckDBPyConnection, text: str) -> Any:
    try:
        return _given(plain.sql(text))
    except (duckdb.Error, OverflowError, ValueError):  # of values that Python cannot hold
        return None


def _keeps(text: str) -> bool:
    """Whether a statement makes a table or a file of a query's rows, some of which may be imputed."""
    words = text.lower().replace("(", " ( ").split()
    reads = words[:1] == ["create"] or words[:2] == ["copy", "("]  # COPY of a table into itself would repeat its rows
    return reads and bool({"select", "from"} & set(words))


@contextmanager
def _inserting(db: imputedb.Database, text: str) -> Iterator[list[str]]:
    """Takes an INSERT back that has kept imputed rows, whose columns are listed here, and runs it as DuckDB does."""
    imputed: list[str] = []
    words = text.lower().replace("(", " ( ").split()
    if words[:1] != ["insert"] or not {"select", "from"} & set(words) or db.in_transaction:
        yield imputed
        return
    db.execute("BEGIN")
    yield imputed
    with suppress(imputedb.Error):
        db.execute("ROLLBACK" if imputed else "COMMIT")
    if imputed:
        with suppress(imputedb.Error):
            db.execute(text)


def _run_again(db: imputedb.Database, text: str) -> None:
    """Keeps what DuckDB would in place of imputed rows."""
    first, second, *_ = text.split()
    if (first.lower(), second.lower()) == ("create", "table"):
        text = text.replace(first, "CREATE OR REPLACE", 1)
    if first.lower() == "copy" and "append" in text.lower():
        return  # its rows would be there twice
    if first.lower() == "copy" or text.lower().split()[:3] == ["create", "or", "replace"]:
        with suppress(imputedb.Error):
            db.execute(text)


def _placed(text: str, folder: str) -> str:
    for place in ("__TEST_DIR__", "{TEST_DIR}", "{TEMP_DIR}"):
        text = text.replace(place, folder)
    return text


def _given(relation: duckdb.DuckDBPyRelation | None) -> Any:
    if relation is None:
        return [], [], []
    held = relation.materialize()
    return relation.columns, [str(kind) for kind in relation.types], held.fetchall()


def _verdict(
    db: imputedb.Database, text: str, given: Any, ours: str, theirs: str, imputed: list[str], *, certain: bool
) -> tuple[str, str]:
    try:
        result = db.sql(text, imputer="mean")
        imputed.extend(result.report.imputed)
        shown = result.columns, result.types, list(result)
    except imputedb.Error as error:
        several = "one statement at a time" in str(error)
        if several:
            db.execute(text) if given is not None else None
        if given is None or several or not text.strip():
            return "", ""
        return _refusal(db, text, str(error)), str(error)
    except Exception as error:
        return "foreign", f"{type(error).__name__}: {error}"
    if given is None:
        return "", ""
    if _same(shown, given, ours, theirs):
        return "equal", ""
    if any(word in text.lower() for word in PROFILES):
        return "", ""
    if not certain and _same((*shown[:2], []), (*given[:2], []), ours, theirs):
        return "equal", ""
    report = result.report
    done = report.imputed or report.dropped or report.strategy != "verbatim"
    if not done or not _same((*shown[:2], []), (*given[:2], []), ours, theirs):
        return "wrong", f"{shown} for {given}"[:2000]
    completed = _completed(db, text)
    if completed is None or _same(shown, completed, ours, ours):
        return "imputed", ""
    return "wrong", f"{shown}, and over completed tables {completed}"[:2000]


def _refusal(db: imputedb.Database, text: str, said: str) -> str:
    """What an error of ours is where DuckDB answers: one of completed tables too, of what has no values, or neither."""
    if any(words in said for words in EMPTY):
        return "empty"
    completed = _completed(db, text)
    return "imputed" if completed is not None and completed[2] == [(said,)] else "refused"


def _completed(db: imputedb.Database, text: str) -> Any:
    """What the query gives over tables that are completed before; None of what is no query, or differs by chance."""
    words = text.lower().split()
    if (
        not words
        or words[0] not in ("select", "with", "from", "values", "(")
        or any(word in text.lower() for word in CHANCE)
    ):
        return None
    try:
        result = db.sql(text, imputer="mean", strategy="base")
    except imputedb.Error as error:
        return [], [], [(str(error),)]
    return result.columns, result.types, list(result)


def _same(shown: Any, given: Any, ours: str, theirs: str) -> bool:
    names = [[name.lower().replace(ours, theirs) for name in side[0]] for side in (shown, given)]
    if names[0] != names[1] or shown[1] != given[1]:
        return False
    mine, other = (sorted(repr(_rounded(row)) for row in rows) for rows in (shown[2], given[2]))
    return [row.replace(ours, theirs) for row in mine] == other or mine == other


def _rounded(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isnan(value) or math.isinf(value) else float(f"{value:.12g}")
    return tuple(map(_rounded, value)) if isinstance(value, tuple | list) else value


# -- all of them ------------------------------------------------------------------------------------------------------


def sampled(folder: Path, share: float, only: str) -> list[Path]:
    """The files of the sample."""
    found = sorted((folder / "test").rglob("*.test"))
    chosen = [path for path in found if only in str(path.relative_to(folder))]
    return [path for path in chosen if _number(str(path.relative_to(folder))) < share]


def _number(name: str) -> float:
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:6]) / 2**48


def ran(path: Path, folder: Path) -> list[dict[str, str]]:
    """The verdicts on a file, which runs in a process of its own."""
    command = [sys.executable, __file__, str(folder), "--file", str(path)]
    try:
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=SECONDS, check=False)
        lines, ended = done.stdout, done.returncode
    except subprocess.TimeoutExpired as error:
        lines, ended = (error.stdout or b"").decode(), 0
    found = [json.loads(line) for line in lines.splitlines() if line.startswith("{") and line.endswith("}")]
    if ended:
        last = done.stderr.splitlines()[-1:] or [f"exit code {ended}"]
        found.append({"verdict": "foreign", "text": "the process", "reason": last[0]})
    return found


def main() -> None:
    """Prints the verdicts by folder, and those that are no good."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--share", type=float, default=0.02, help="of the files")
    parser.add_argument("--only", default="", help="files whose path holds this")
    parser.add_argument("--shown", type=int, default=20, help="verdicts of a kind that are printed")
    parser.add_argument("--file", type=Path, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.file:
        for one in judged(asked.file):
            print(json.dumps(one), flush=True)
        return
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    bad: dict[str, list[str]] = defaultdict(list)
    for path in sampled(asked.folder, asked.share, asked.only):
        name = path.relative_to(asked.folder)
        for one in ran(path, asked.folder):
            counts["/".join(name.parts[1:3])][one["verdict"]] += 1
            if one["verdict"] in ("wrong", "refused", "foreign"):
                bad[one["verdict"]].append(f"{name}: {one['text'][:300]}\n    {one['reason'][:400]}")
    for verdict, listed in bad.items():
        print(f"\n{verdict}:", *listed[: asked.shown], sep="\n  ")
    print(f"\n{'':32}", *(f"{verdict:>8}" for verdict in VERDICTS))
    for name, count in [*sorted(counts.items()), ("all", sum(counts.values(), Counter()))]:
        print(f"{name:32}", *(f"{count[verdict]:8,}" for verdict in VERDICTS))


if __name__ == "__main__":
    main()
