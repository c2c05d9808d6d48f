"""Methods: intervals by what they are about and by quantity."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

import imputedb
from benchmarks.coverage.truths import QUANTITIES, answers

Interval = tuple[float, float]
Found = Mapping[tuple[str, str], tuple[float, Interval]]

LEVEL = 0.95
ROBUST = ("mean", "proportion", "group mean")
"""What the doubly robust form is for."""


@dataclass(frozen=True)
class Task:
    """A table, in a database under the name t, and a seed."""

    db: imputedb.Database
    seed: int
    table: Mapping[str, NDArray[Any]]


Method = Callable[[Task], Found]


def multiple(imputer: str) -> Method:
    """Multiple imputation, 20 draws; the same draws say both what the population and what the answer is."""

    def method(task: Task) -> Found:
        (row,) = task.db.sql(_query(QUANTITIES), m=20, imputer=imputer, seed=task.seed).estimates
        return {
            (about, name): (one.estimate, replace(one, question=about).interval(LEVEL))
            for name, one in row.items()
            for about in ("population", "answer")
        }

    return method


def robust(task: Task) -> Found:
    """The doubly robust form, around the imputer `norm`."""
    (row,) = task.db.sql(_query(ROBUST), method="aipw", imputer="norm", seed=task.seed).estimates
    return {
        (about, name): (one.estimate, replace(one, question=about).interval(LEVEL))
        for name, one in row.items()
        for about in ("population", "answer")
    }


def complete_cases(task: Task) -> Found:
    """Rows with a missing value dropped, the rest taken for a sample of all."""
    there = ~np.isnan(task.table["y"])
    return _both(_textbook({name: column[there] for name, column in task.table.items()}))


def single(task: Task) -> Found:
    """Single values of `norm`, taken for real."""
    filled = np.array(task.db.sql("SELECT y FROM t ORDER BY id", imputer="norm", seed=task.seed).fetchall())[:, 0]
    return _both(_textbook({**task.table, "y": filled}))


def _both(found: Mapping[str, tuple[float, Interval]]) -> Found:
    return {(about, name): one for name, one in found.items() for about in ("population", "answer")}


def _textbook(table: Mapping[str, NDArray[Any]]) -> dict[str, tuple[float, Interval]]:
    """The intervals of complete data: t, Wald on the logit, least squares, Woodruff's of a quantile."""
    y, x = table["y"], table["x"]
    n, found = len(y), answers(y, table)
    p = found["proportion"]
    fit = stats.linregress(x, y)
    wide = 1.96 / math.sqrt(n * p * (1 - p))
    ends = np.quantile(y, np.clip(0.25 + np.array([-1, 1]) * 1.96 * math.sqrt(0.1875 / n), 0, 1))
    group = y[table["g"] == "b"]
    intervals = {
        "mean": stats.t.interval(LEVEL, n - 1, y.mean(), stats.sem(y)),
        "proportion": tuple(1 / (1 + math.exp(-math.log(p / (1 - p)) - side * wide)) for side in (-1, 1)),
        "slope": stats.t.interval(LEVEL, n - 2, fit.slope, fit.stderr),
        "group mean": stats.t.interval(LEVEL, len(group) - 1, group.mean(), stats.sem(group)),
        "quantile": tuple(ends),
    }
    return {name: (found[name], (float(low), float(high))) for name, (low, high) in intervals.items()}


def _query(names: Sequence[str]) -> str:
    items = ", ".join(f'{QUANTITIES[name]} AS "{name}"' for name in names)
    return f"SELECT {items} FROM t"


METHODS: Mapping[str, Method] = {
    "norm, m = 20": multiple("norm"),
    "AIPW": robust,
    "complete cases": complete_cases,
    "single": single,
    "pmm, m = 20": multiple("pmm"),
    "tree, m = 20": multiple("tree"),
}
FEWER = ("pmm, m = 20", "tree, m = 20")
"""Methods that only every fourth simulation has."""
