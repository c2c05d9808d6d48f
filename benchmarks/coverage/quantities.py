"""Quantities, asked in one statement but for HAVING, and what is true of them."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import cache

import numpy as np

import imputedb
from benchmarks.coverage.design import DISTRIBUTIONS, World
from benchmarks.coverage.tables import THRESHOLDS, Table, complete, joined
from imputedb.inference.estimate import Estimate
from imputedb.result import Result

QUANTITIES: Mapping[str, str] = {
    "AVG": "avg(y)",
    "SUM": "sum(y)",
    "COUNT": "count(*) FILTER (WHERE y > {threshold})",
    "share": "avg((y > {threshold})::INT)",
    "quantile": "quantile_cont(y, 0.75)",
    "CORR": "corr(x, y)",
    "slope": "regr_slope(y, x)",
    "group": "avg(y) FILTER (WHERE c = 'r')",
    "difference": "avg(y) FILTER (WHERE c = 'r') - avg(y) FILTER (WHERE c = 'p')",
    "ratio": "sum(y) / sum(z)",
}
HAVING = "HAVING"
"""AVG of the category r in groups by c that HAVING keeps; where the answer lacks the group, it is a miss."""
NAMES = (*QUANTITIES, HAVING)

Numbers = Mapping[str, float]
Estimates = Mapping[str, Estimate | None]
POPULATION_ROWS = 1_000_000


def asked(world: World) -> Mapping[str, str]:
    """The quantities of a world; a quantile of an outcome with two or five values is none."""
    threshold = THRESHOLDS[world.distribution]
    discrete = world.distribution in ("rare binary", "ordinal")
    return {
        name: text.format(threshold=threshold)
        for name, text in QUANTITIES.items()
        if not (discrete and name == "quantile")
    }


def statement(world: World, only: Iterable[str] | None = None) -> str:
    """One statement for all quantities but HAVING, or for some of them."""
    items = asked(world)
    selected = ", ".join(f'{items[name]} AS "{name}"' for name in (items if only is None else only))
    return f"SELECT {selected} FROM t JOIN u ON t.id = u.tid"


def groups(world: World) -> str:
    """The statement for HAVING.

    One statement for both would be GROUPING SETS ((), (c)): draws of those are not combined, which takes five times as
    long, and their quantiles have no variance.
    """
    joins = "FROM t JOIN u ON t.id = u.tid"
    return f"SELECT c, avg(y) AS having {joins} GROUP BY c HAVING count(*) >= {joined(world) // 10}"


@cache
def database(_purpose: str) -> imputedb.Database:
    """A database of this process, kept so that texts are parsed once; one for each purpose."""
    db = imputedb.connect()
    db.execute("SET threads = 1")
    return db


def registered(db: imputedb.Database, t: Table, u: Table) -> None:
    """Puts both tables into a database."""
    db.register("t", t)
    db.register("u", u)


def numbers(db: imputedb.Database, world: World) -> Numbers:
    """What DuckDB says of complete tables, by quantity; a quantity without an answer is left out."""
    (row,) = db.execute(statement(world))
    found = dict(zip(asked(world), row, strict=True))
    found[HAVING] = dict(db.execute(groups(world))).get("r")
    return {name: float(value) for name, value in found.items() if value is not None}


def estimates(whole: Result, grouped: Result | None = None) -> Estimates:
    """The pooled numbers of answers to both statements, by quantity; None of a group that the answer lacks."""
    if grouped is None:
        return whole.estimates[0]
    kept = [row["having"] for (c, *_), row in zip(grouped.fetchall(), grouped.estimates, strict=True) if c == "r"]
    return {**whole.estimates[0], HAVING: kept[0] if kept else None}


def population(world: World) -> Numbers:
    """What is true of the population, from a million rows; totals are those of as many rows as the join has."""
    large = replace(world, join="1:1", rows=POPULATION_ROWS)
    t, u = complete(large, np.random.default_rng([DISTRIBUTIONS.index(world.distribution), 1]))
    with imputedb.connect() as db:
        registered(db, t, u)
        found = dict(numbers(db, large))
    for total in ("SUM", "COUNT"):
        found[total] *= joined(world) / POPULATION_ROWS
    return found


def interval(one: Estimate, about: str) -> tuple[float, float] | None:
    """The 95 % interval of an estimate about the population or the answer; None where it has none."""
    low, high = replace(one, question=about).interval(0.95)  # type: ignore[arg-type]
    return None if math.isnan(low) or math.isnan(high) else (low, high)
