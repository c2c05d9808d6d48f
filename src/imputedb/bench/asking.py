"""A query answered once: by one imputer, at one alpha or with base tables first."""

from collections.abc import Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import Any

from imputedb import answering, running
from imputedb.answering import Planner
from imputedb.bench.inputs import BASE
from imputedb.engines.duckdb import DuckDB
from imputedb.imputers.imputer import Imputer
from imputedb.imputers.registry import chosen
from imputedb.imputers.tree import Tree
from imputedb.running import Asked

ALPHAS = ("0", "0.5", "1")
SETTINGS = (*ALPHAS, BASE)
DRAWN = "tree, drawn"
"""The tree imputer when it fills in draws from the leaves rather than predictions."""


@dataclass(frozen=True, slots=True)
class Answered:
    """Rows, and the milliseconds that they took: planning, and all of it with the rows fetched."""

    rows: Sequence[tuple[Any, ...]]
    planning_ms: float
    total_ms: float


def ask(engine: DuckDB, sql: str, setting: str, imputer: str = "tree", seed: int = 0) -> Answered:
    """Answers a query at an alpha, or `base`: planned and executed anew; what is kept is statistics and columns."""
    strategy = running.BASE if setting == BASE else running.PLANNED
    asked = Asked(0.0 if setting == BASE else float(setting), imputers(imputer), seed, strategy)
    began = perf_counter()
    with engine.lock:
        result = answering.respond(engine, Planner(engine), sql, asked)
    rows = result.fetchall()
    return Answered(rows, result.report.planning_ms, (perf_counter() - began) * 1e3)


def imputers(name: str) -> tuple[Imputer, ...]:
    """The imputer of a name, as the truth lists them."""
    return (Tree(mode="draw"),) if name == DRAWN else chosen(name)


def plain(engine: DuckDB, sql: str) -> Answered:
    """What DuckDB says by itself: NULL is NULL."""
    began = perf_counter()
    rows = engine.connection.execute(sql).fetchall()
    return Answered(rows, 0.0, (perf_counter() - began) * 1e3)
