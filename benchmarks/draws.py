"""Draws side by side: milliseconds of CPU of single values, of 1 draw and of 20, by imputer and table.

python -m benchmarks.draws [--data DIR] [--out DIR] [--imputer NAME ...]
"""

import argparse
import csv
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from imputedb.algebra.column import Column
from imputedb.imputers.protocol import drawn
from imputedb.imputers.registry import IMPUTERS
from imputedb.imputers.rows import Cells, Rows
from imputedb.statistics.table import Kind

IMPUTED_BY = ("norm", "pmm", "tree", "hotdeck", "logistic")
PATTERNS = 40


def made(rows: int, columns: int, incomplete: int, missing: float = 0.2) -> Rows:
    """Correlated columns; rows lack one of some 40 sets of them, as rows of real tables do."""
    rng = np.random.default_rng(rows + columns)
    x = rng.normal(size=(rows, 3)) @ rng.normal(size=(3, columns)) + rng.normal(size=(rows, columns))
    sets = rng.random((PATTERNS, incomplete)) < missing
    gone = np.zeros((rows, columns), bool)
    gone[:, :incomplete] = sets[rng.integers(0, PATTERNS, rows)]
    gone[:, 0] |= rng.random(rows) < missing / 2
    cells = {Column("t", f"c{j}"): Cells(x[:, j].copy(), gone[:, j], Kind.NUMBER) for j in range(columns)}
    yes = Cells((x[:, 1] > 0).astype(np.int32), gone[:, 1], Kind.CATEGORY, ("no", "yes"))
    return Rows(cells | {Column("t", "c1"): yes}, rng.permutation(rows).astype(np.uint64))


def read(path: Path) -> Rows:
    """The columns of a file that are numbers, and those of few categories."""
    with path.open() as file:
        table = list(csv.DictReader(file))
    cells = {}
    for name in table[0]:
        column = _cells([row[name] or None for row in table])
        if column is not None:
            cells[Column("t", name)] = column
    return Rows(cells, np.random.default_rng(0).permutation(len(table)).astype(np.uint64))


def _cells(texts: Sequence[str | None]) -> Cells | None:
    missing = np.array([text is None for text in texts])
    try:
        return Cells(np.array([float(text or 0) for text in texts]), missing, Kind.NUMBER)
    except ValueError:
        levels = tuple(sorted({text for text in texts if text is not None}))
        if len(levels) > 30:
            return None
        codes = np.array([0 if text is None else levels.index(text) for text in texts], np.int32)
        return Cells(codes, missing, Kind.CATEGORY, levels)


def milliseconds(work: Callable[[], object], patience: float = 0.6) -> float:
    """Of all threads together, the least of up to nine runs after a first: other work on the machine counts little."""
    work()
    times: list[float] = []
    while len(times) < 9 and sum(times) < patience:
        began = time.process_time()
        work()
        times.append(time.process_time() - began)
    return 1000 * min(times)


def measured(name: str, rows: Rows, targets: Sequence[Column]) -> tuple[float, float, float]:
    """Milliseconds of single values, one draw, and twenty."""
    imputer = IMPUTERS[name]()

    def draws(m: int) -> Callable[[], object]:
        return lambda: [None for _ in drawn(imputer, rows, targets, 1, range(m))]

    single = milliseconds(lambda: imputer.impute(rows, targets, 1))
    return single, milliseconds(draws(1)), milliseconds(draws(20))


def tables(data: Path) -> dict[str, tuple[Rows, list[Column]]]:
    """Tables by what they are called, each with its targets."""
    found = {}
    for rows, columns, incomplete in ((1_000, 10, 5), (10_000, 30, 10), (50_000, 40, 20)):
        given = made(rows, columns, incomplete)
        for targets in (["c0"], ["c0", "c2"]):
            found[f"{rows:,} x {columns}, {len(targets)} of {incomplete}"] = given, [Column("t", t) for t in targets]
    for path in sorted(data.glob("*.csv")):
        given = read(path)
        share = {c: float(cells.missing.mean()) for c, cells in given.columns.items()}
        targets = [c for c in share if 0.01 < share[c] < 0.6 and given.columns[c].kind is Kind.NUMBER][:1]
        if targets and len(given.columns) > 2:
            incomplete = sum(gone > 0 for gone in share.values())
            found[f"{path.stem} {len(given.keys):,} x {len(share)}, 1 of {incomplete}"] = given, targets
    return found


def main() -> None:
    """Prints the table, and keeps it where asked to."""
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--data", type=Path, default=Path(__file__).resolve().parents[2] / "shared" / "data")
    asked.add_argument("--out", type=Path)
    asked.add_argument("--imputer", nargs="*", default=IMPUTED_BY)
    given = asked.parse_args()
    lines = ["| rows x columns, targets of incomplete | imputer | single values | 1 draw | 20 draws | 20 / single |"]
    lines.append("|---|---|---|---|---|---|")
    print("\n".join(lines))
    for table, (rows, targets) in tables(given.data).items():
        for name in given.imputer:
            single, one, twenty = measured(name, rows, targets)
            line = f"| {table} | {name} | {single:.1f} | {one:.1f} | {twenty:.0f} | {twenty / single:.1f} |"
            print(line, flush=True)
            lines.append(line)
    if given.out:
        (given.out / "draws.md").write_text(
            "# Milliseconds of CPU of draws, all threads together\n\n" + "\n".join(lines) + "\n"
        )


if __name__ == "__main__":
    main()
