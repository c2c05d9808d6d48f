"""Methods side by side: imputedb's imputers in m draws, and what people do instead."""

import csv
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

import imputedb
from benchmarks.coverage.design import World
from benchmarks.coverage.quantities import Estimates, database, estimates, groups, registered, statement
from benchmarks.coverage.tables import Table
from imputedb.inference.estimate import Estimate, estimated
from imputedb.notes import Question
from imputedb.result import Result

Warned = Mapping[str, Sequence[str]]


@dataclass(frozen=True, slots=True)
class Task:
    """One replication: tables t and u with holes, which the database has too, and a seed."""

    db: imputedb.Database
    world: World
    t: Table
    u: Table
    seed: int
    draws: int


@dataclass(frozen=True, slots=True)
class Found:
    """What a method says: estimates by quantity, and the warnings of its report, by what its intervals are about."""

    estimates: Estimates
    warnings: Warned = field(default_factory=dict)


Method = Callable[[Task], Found]

EVERY = 4
"""Replications of which one asks for HAVING and for the answer's warnings, each of which needs draws of its own."""


def drawn(imputer: str) -> Method:
    """Multiple imputation by an imputer."""

    def method(task: Task) -> Found:
        return _asked(task.db, task.world, task.draws, imputer, task.seed)

    return method


def _asked(db: imputedb.Database, world: World, draws: int, imputer: str, seed: int) -> Found:
    whole = [statement(world)]
    found = _results(db, [*whole, groups(world)] if seed % EVERY == 0 else whole, draws, imputer, seed, "population")
    warnings = {"population": _warnings(found)}
    if seed % EVERY == 0:
        warnings["answer"] = _warnings(_results(db, whole, draws, imputer, seed, "answer"))
    return Found(estimates(*found), warnings)


def _results(
    db: imputedb.Database, texts: Sequence[str], draws: int, imputer: str, seed: int, about: Question
) -> list[Result]:
    return [db.sql(text, m=draws, imputer=imputer, seed=seed, interval=about) for text in texts]


def _warnings(found: Sequence[Result]) -> list[str]:
    return list(dict.fromkeys(warning for result in found for warning in result.report.warnings))


def aipw(task: Task) -> Found:
    """The doubly robust form around `norm`, of what it is for; widths are compared with its."""
    text = statement(task.world, ["AVG", "SUM", "share"])
    result = task.db.sql(text, method="aipw", imputer="norm", seed=task.seed)
    said = list(result.report.warnings)
    return Found(result.estimates[0], {"population": said, "answer": said})


def complete_cases(task: Task) -> Found:
    """Rows of t with a missing value dropped, the rest taken for all there is."""
    there = ~np.isnan(task.t["y"]) & ~np.isnan(task.t["x"]) & np.array([c is not None for c in task.t["c"]])
    return Found(_of_complete(task, {name: column[there] for name, column in task.t.items()}))


def single(task: Task) -> Found:
    """One value of `norm` a cell, taken for real."""
    rows = task.db.sql("SELECT id, a, x, c, y FROM t ORDER BY id", imputer="norm", seed=task.seed).fetchall()
    columns = zip(*rows, strict=True)
    t = {n: np.array(values, object if n == "c" else None) for n, values in zip("iaxcy", columns, strict=True)}
    return Found(_of_complete(task, {"id" if name == "i" else name: column for name, column in t.items()}))


def mice(task: Task) -> Found:
    """R's mice with its defaults, its completed tables pooled as imputedb pools."""
    return Found(_pooled([_of_complete(task, t) for t in _by_mice(task)]))


def _of_complete(task: Task, t: Table) -> Estimates:
    """Estimates of complete data: the same statement, of which nothing is missing."""
    db = database("complete tables")
    registered(db, t, task.u)
    return estimates(*_results(db, [statement(task.world), groups(task.world)], 2, "norm", 0, "population"))


def _pooled(completed: Sequence[Estimates]) -> Estimates:
    """Rubin's rules over estimates of completed tables; None of what any of them lacks."""
    return {name: _one([one[name] for one in completed]) for name in completed[0]}


def _one(draws: Sequence[Estimate | None]) -> Estimate | None:
    there = [draw for draw in draws if draw is not None]
    if len(there) < len(draws):
        return None
    numbers, variances = (np.array([getattr(draw, name) for draw in there]) for name in ("estimate", "se"))
    first = there[0]
    return estimated(numbers, variances**2, first.pooled.df_complete, first.scale, "population", 0.95, 1.0, None)


_MICE = """
options(warn = -1); suppressMessages(library(mice)); args <- commandArgs(TRUE)
t <- read.csv(args[1], stringsAsFactors = TRUE, na.strings = "")
done <- mice(t[, c("a", "x", "c", "y")], m = as.integer(args[3]), seed = as.integer(args[4]), printFlag = FALSE)
write.csv(cbind(id = rep(t$id, as.integer(args[3])), complete(done, "long")), args[2], row.names = FALSE)
"""


def has_mice() -> bool:
    """Whether Rscript is there, with mice installed."""
    if shutil.which("Rscript") is None:
        return False
    asked = ["Rscript", "-e", "quit(status = !requireNamespace('mice', quietly = TRUE))"]
    return subprocess.run(asked, capture_output=True, check=False).returncode == 0


def _by_mice(task: Task) -> list[Table]:
    with tempfile.TemporaryDirectory() as folder:
        given, made = Path(folder, "t.csv"), Path(folder, "completed.csv")
        with given.open("w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(task.t)
            rows = zip(*(column.tolist() for column in task.t.values()), strict=True)
            writer.writerows(["" if cell is None or cell != cell else cell for cell in row] for row in rows)
        subprocess.run(
            ["Rscript", "-e", _MICE, str(given), str(made), str(task.draws), str(task.seed)],
            check=True,
            capture_output=True,
        )
        with made.open() as file:
            lines = list(csv.DictReader(file))
    return [_completed([line for line in lines if line[".imp"] == str(k + 1)]) for k in range(task.draws)]


def _completed(lines: Sequence[dict[str, str]]) -> Table:
    numbers = {name: np.array([float(line[name]) for line in lines]) for name in ("a", "x", "y")}
    ids = np.array([int(line["id"]) for line in lines])
    return {"id": ids, **numbers, "c": np.array([line["c"] for line in lines], object)}


BESIDE = {"aipw": aipw, "complete cases": complete_cases, "single": single, "mice": mice}
"""What imputers are compared with; only the first replications have them."""
BESIDE_REPLICATIONS = 100
NAIVE = ("complete cases", "single")
"""Methods that take what they have for real: an interval about the population is all they have, whatever is asked."""
