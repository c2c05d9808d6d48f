"""A query answered once: by one imputer, at one alpha or with base tables first."""

from collections.abc import Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import Any

from benchmarks.paper.inputs import BASE
from imputedb.answers import request, respond
from imputedb.answers.prepare import Planner
from imputedb.answers.request import QueryOptions
from imputedb.engines.duckdb.engine import DuckDB
from imputedb.imputers.protocol import Imputer
from imputedb.imputers.registry import imputers_of
from imputedb.imputers.tree import Tree

ALPHAS = ("0", "0.5", "1")
SETTINGS = (*ALPHAS, BASE)
DRAWN = "tree, drawn"
"""The tree imputer when it fills in draws from the leaves rather than predictions."""
SEVERAL = "tree, 5 draws"
"""The tree imputer in several draws, their answers pooled."""
DRAWS = 5
ADDED = ("se", "low", "high", "fmi")
"""What an answer from several draws says of each aggregate besides its value."""


@dataclass(frozen=True, slots=True)
class Answered:
    """Rows, and the milliseconds that they took: planning, and all of it with the rows fetched."""

    rows: Sequence[tuple[Any, ...]]
    planning_ms: float
    total_ms: float


def ask(engine: DuckDB, sql: str, setting: str, imputer: str = "tree", seed: int = 0) -> Answered:
    """Answers a query at an alpha, or `base`: planned and executed anew; what is kept is statistics and columns."""
    strategy = request.BASE if setting == BASE else request.PLANNED
    m = DRAWS if imputer == SEVERAL else 1
    asked = QueryOptions(0.0 if setting == BASE else float(setting), imputers(imputer), seed, strategy, m)
    began = perf_counter()
    with engine.lock:
        result = respond.respond(engine, Planner(engine), sql, asked)
    rows = result.fetchall()
    taken = (perf_counter() - began) * 1e3
    return Answered(_own(result.columns, rows) if m > 1 else rows, result.report.planning_ms, taken)


def _own(columns: Sequence[str], rows: Sequence[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    """The columns that the query itself has."""
    added = {f"{name}_{what}" for name in columns for what in ADDED} | {"in_draws"}
    kept = [place for place, name in enumerate(columns) if name not in added]
    return [tuple(row[place] for place in kept) for row in rows]


def imputers(name: str) -> tuple[Imputer, ...]:
    """The imputer of a name, as the truth lists them."""
    if name == DRAWN:
        return (Tree(mode="draw"),)
    return imputers_of("tree" if name == SEVERAL else name)


def plain(engine: DuckDB, sql: str) -> Answered:
    """What DuckDB says by itself: NULL is NULL."""
    began = perf_counter()
    rows = engine.connection.execute(sql).fetchall()
    return Answered(rows, 0.0, (perf_counter() - began) * 1e3)
