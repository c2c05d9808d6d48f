"""Simulations, two at a time, and the file that keeps them."""

import csv
import multiprocessing
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

import imputedb
from benchmarks.coverage.methods import FEWER, METHODS, Task
from benchmarks.coverage.truths import SETTINGS, Setting, answers, columns, gone, population


def simulated(job: tuple[Setting, int, Mapping[str, float], Sequence[str]]) -> list[dict[str, Any]]:
    """One simulation: a row a method, question and quantity."""
    setting, number, truths, methods = job
    rng = np.random.default_rng([SETTINGS.index(setting), number])
    table = columns(setting, rng)
    complete = answers(table["y"], table)
    table["y"] = np.where(gone(setting, table, rng), np.nan, table["y"])
    db = _database()
    db.register("t", table)
    rows = []
    for method in methods:
        if method in FEWER and number % 4:
            continue
        began = time.process_time()
        found = METHODS[method](Task(db, number, table))
        seconds = time.process_time() - began
        for (about, name), (estimate, (low, high)) in found.items():
            truth = truths[name] if about == "population" else complete[name]
            rows.append(
                {
                    "truth": setting.truth,
                    "mechanism": setting.mechanism,
                    "share": setting.share,
                    "simulation": number,
                    "method": method,
                    "about": about,
                    "quantity": name,
                    "error": estimate - truth,
                    "width": high - low,
                    "covers": int(low <= truth <= high),
                    "seconds": seconds,
                }
            )
    return rows


_DATABASES: list[imputedb.Database] = []


def _database() -> imputedb.Database:
    if not _DATABASES:
        _DATABASES.append(imputedb.connect())
        _DATABASES[0].execute("SET threads = 1")
    return _DATABASES[0]


def study(simulations: int, minutes: float, methods: Sequence[str], rows: Path) -> None:
    """Adds rows to a file until all simulations are in it, or time is over; all settings have equally many."""
    done = {int(row["simulation"]) for row in read(rows)}
    truths = {setting: population(setting) for setting in SETTINGS}
    jobs = ((s, n, truths[s], methods) for n in range(simulations) if n not in done for s in SETTINGS)
    until, found = time.monotonic() + 60 * minutes, []
    with multiprocessing.Pool(2) as pool:
        for count, one in enumerate(pool.imap(simulated, jobs, chunksize=len(SETTINGS)), 1):
            found += one
            if count % len(SETTINGS):
                continue
            if found:
                _add(rows, found)
            found.clear()
            if time.monotonic() > until:
                pool.terminate()
                break


def read(path: Path) -> list[dict[str, str]]:
    """The rows of a CSV file; none where there is no file."""
    if not path.exists():
        return []
    with path.open() as file:
        return list(csv.DictReader(file))


def _add(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    new = not path.exists()
    with path.open("a", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        if new:
            writer.writeheader()
        writer.writerows(rows)
