"""Replications, and the file that keeps them: a line each, appended whole, taken up where a killed run stopped."""

import json
import math
import multiprocessing
import os
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

import imputedb
from benchmarks.coverage.design import World
from benchmarks.coverage.methods import BESIDE, BESIDE_REPLICATIONS, NAIVE, Found, Task, drawn
from benchmarks.coverage.quantities import Numbers, database, interval, numbers, population, registered
from benchmarks.coverage.tables import complete, holes, pierced
from benchmarks.paper.machine import facts

Line = Mapping[str, Any]
ABOUT = ("population", "answer")


@dataclass(frozen=True, slots=True)
class Job:
    """One replication of a world by some methods.

    Attributes:
        world: the world.
        replication: its number, from 0.
        methods: names of imputers, and of what stands beside them.
        draws: m.
        truths: of the population.
        commit: that it is made on.
    """

    world: World
    replication: int
    methods: tuple[str, ...]
    draws: int
    truths: Numbers
    commit: str = ""


def replicated(job: Job) -> list[Line]:
    """The lines of one replication, one a method; seeds come from the world and the replication alone."""
    rng = np.random.default_rng([job.world.number, 2, job.replication])
    db = database("replications")
    t, u = complete(job.world, rng)
    registered(db, t, u)
    answers = numbers(db, job.world)
    t = pierced(t, holes(job.world, t, rng))
    db.register("t", t)
    task = Task(db, job.world, t, u, job.replication, job.draws)
    truths = {"population": job.truths, "answer": answers}
    return [{**_line(task, method, truths), "commit": job.commit} for method in job.methods]


def _line(task: Task, method: str, truths: Mapping[str, Numbers]) -> Line:
    line = {"world": task.world.number, "replication": task.seed, "method": method, "draws": task.draws}
    began = time.process_time()
    try:
        found = (BESIDE.get(method) or drawn(method))(task)
    except imputedb.Error as error:
        return {**line, "refused": str(error)}
    seconds = round(time.process_time() - began, 4)
    cells = {about: _cells(found, about, truths[about], method in NAIVE) for about in ABOUT}
    return {**line, "seconds": seconds, "warnings": found.warnings, **cells}


def _cells(found: Found, about: str, truth: Numbers, naive: bool) -> dict[str, list[float] | None]:
    """By quantity [covers, error, width]; None where there is a number without an interval.

    A group that the truth has and the answer lacks is a miss without a width.
    """
    cells: dict[str, list[float] | None] = {}
    for name, true in truth.items():
        if name not in found.estimates:
            continue
        one = found.estimates[name]
        if one is None:
            cells[name] = [0, math.nan, math.nan]
            continue
        ends = interval(one, "population" if naive else about)
        if ends is None:
            cells[name] = None
            continue
        cells[name] = [int(ends[0] <= true <= ends[1]), _short(one.estimate - true), _short(ends[1] - ends[0])]
    return cells


def _short(number: float) -> float:
    return float(f"{number:.5g}")


def study(
    worlds: Sequence[World],
    replications: int,
    methods: Sequence[str],
    path: Path,
    *,
    jobs: int,
    draws: int,
    minutes: float,
) -> None:
    """Adds replications to a file until it has them all, or time is over; worlds have equally many at any moment."""
    done = {(line["world"], line["replication"], line["method"]) for line in recovered(path) if line["draws"] == draws}
    truths: dict[tuple[str, int, str], Numbers] = {}
    planned = list(_planned(worlds, replications, methods, done, draws))
    if not planned:
        return
    for world in {job.world for job in planned}:
        truths[world.number] = population(world)
    commit = facts()["commit"]
    todo = [replace(job, truths=truths[job.world.number], commit=commit) for job in planned]
    began = time.monotonic()
    with multiprocessing.get_context("spawn").Pool(jobs) as pool:
        for count, lines in enumerate(pool.imap_unordered(replicated, todo), 1):
            append(path, lines)
            spent = time.monotonic() - began
            _show(count, len(todo), spent)
            if spent > 60 * minutes:
                pool.terminate()
                return


def _planned(
    worlds: Sequence[World], replications: int, methods: Sequence[str], done: set[Any], draws: int
) -> Iterator[Job]:
    for number in range(replications):
        for world in worlds:
            wanted = [method for method in methods if method not in BESIDE or number < BESIDE_REPLICATIONS]
            left = tuple(method for method in wanted if (world.number, number, method) not in done)
            if left:
                yield Job(world, number, left, draws, {})


def _show(count: int, of: int, spent: float) -> None:
    left = spent / count * (of - count)
    sys.stderr.write(f"\r{count:,} of {of:,} replications, {spent / 60:.0f} min, {left / 60:.0f} min left ")
    sys.stderr.flush()


def append(path: Path, lines: Sequence[Line]) -> None:
    """Adds lines in one write to a file opened for appending: a kill tears one line at most, the last."""
    text = "".join(json.dumps(line) + "\n" for line in lines)
    file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    try:
        os.write(file, text.encode())
    finally:
        os.close(file)


def recovered(path: Path) -> list[Line]:
    """The lines of a file whose warnings are told by question; what a kill tore off its end is cut away.

    Lines without a question to their warnings, from before there was one, are left out: they are run again.
    """
    if not path.exists():
        return []
    text = path.read_bytes()
    whole = text[: text.rfind(b"\n") + 1]
    if len(whole) < len(text):
        os.truncate(path, len(whole))
    lines = map(json.loads, whole.splitlines())
    return [line for line in lines if "refused" in line or isinstance(line["warnings"], dict)]
