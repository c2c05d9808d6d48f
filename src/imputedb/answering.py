"""The life of a query: text to plan, kept while the data stands still; plan to rows."""

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, replace
from time import perf_counter

import duckdb

from imputedb.algebra.column import Column, Columns
from imputedb.algebra.query import Query
from imputedb.algebra.relation import Impute, Relation, Scan, Table
from imputedb.algebra.walk import bottom_up
from imputedb.engines.duckdb import DuckDB
from imputedb.errors import CannotImpute, DataError, QueryError
from imputedb.execution import Execution, Outcome, Watch
from imputedb.imputers.imputer import Imputer, Progress
from imputedb.planning import invariant, planner
from imputedb.planning.candidate import Candidate
from imputedb.planning.frontier import Frontier
from imputedb.planning.problem import Problem
from imputedb.result import HIGH_PENALTY, MUCH_DROPPED, Report, Result
from imputedb.sql import parse
from imputedb.sql.bind import bind
from imputedb.sql.tree import Tree
from imputedb.statistics.statistics import Statistics

PLANNED, BASE, VERBATIM = "planned", "base", "verbatim"
_PLANS_KEPT = 256


@dataclass(frozen=True, slots=True)
class Asked:
    """What a user asks for along with a query."""

    alpha: float
    imputers: tuple[Imputer, ...]
    seed: int
    strategy: str

    def __post_init__(self) -> None:
        if not 0 <= self.alpha <= 1:
            raise QueryError(f"alpha is {self.alpha}; it goes from 0 (the best answer) to 1 (the fastest)")
        if self.strategy not in (PLANNED, BASE):
            raise QueryError(f"no strategy {self.strategy!r}; there are {PLANNED!r} and {BASE!r}")

    @property
    def imputer(self) -> str:
        """The names of the imputers."""
        return ",".join(imputer.name for imputer in self.imputers) or "drop"


@dataclass(frozen=True, slots=True)
class Prepared:
    """A query understood: its output, and unless DuckDB may run it as it stands, the plans to choose from."""

    text: str
    columns: list[str]
    types: list[str]
    problem: Problem | None
    frontier: Frontier | None

    def chosen(self, asked: Asked) -> Candidate | None:
        """The plan that alpha picks, its invariant checked."""
        if self.frontier is None or self.problem is None:
            return None
        plan = self.frontier.choose(asked.alpha)
        statistics = self.problem.statistics
        invariant.check(plan.relation, lambda scan: _dirty_of(scan, statistics))
        return plan


def _dirty_of(scan: Scan, statistics: Mapping[str, Statistics]) -> Columns:
    return frozenset(Column(scan.alias, name) for name in statistics[scan.alias].dirty)


class Planner:
    """Prepares queries on an engine, and remembers those it has prepared until something is written."""

    def __init__(self, engine: DuckDB) -> None:
        self._engine = engine
        self._kept: OrderedDict[object, Prepared] = OrderedDict()

    def prepare(self, text: str, asked: Asked) -> Prepared:
        """The query with its frontier.

        Raises:
            QueryError: DuckDB rejects the query, or it is not planned yet.
        """
        key = (text, asked.imputers, asked.strategy, self._engine.state())
        found = self._kept.get(key)
        if found is None:
            found = self._prepared(text, asked)
            # statistics may have been gathered, and kept in the database, on the way
            self._kept[(text, asked.imputers, asked.strategy, self._engine.state())] = found
            if len(self._kept) > _PLANS_KEPT:
                self._kept.popitem(last=False)
        return found

    def _prepared(self, text: str, asked: Asked) -> Prepared:
        engine = self._engine
        node = parse.parse(engine.connection, text)
        columns, types = parse.shape(engine.connection, text)
        verbatim = Prepared(text, columns, types, None, None)
        tables = _tables_in(node, engine.names())
        if not any(engine.statistics(table).dirty for table in tables):
            return verbatim
        shapes = {table: list(shape.types) for table, shape in engine.shapes().items()}
        query = bind(node, columns, shapes, engine.names(), engine.written, engine.aggregates)
        statistics = {scan.alias: engine.statistics(scan.table) for scan in query.sources}
        problem = Problem(query, statistics, asked.imputers)
        if not _reads_missing(query, statistics):
            return verbatim
        frontier = planner.base(problem) if asked.strategy == BASE else planner.plan(problem)
        return Prepared(text, columns, types, problem, frontier)


def _reads_missing(query: Query, statistics: Mapping[str, Statistics]) -> bool:
    """Whether a value that is missing is read, completed or (where a code or NaN stands for it) stored."""
    return any(column.name in statistics[column.relation].dirty for column in query.reads)


def _tables_in(node: Tree, names: Mapping[str, Table]) -> list[Table]:
    """The base tables a statement mentions anywhere."""
    found = []

    def visit(part: object) -> None:
        if isinstance(part, Mapping):
            if part.get("type") == "BASE_TABLE":
                path = ".".join(step for step in part["qualified_name"]["path"] if step)
                if path.lower() in names:
                    found.append(names[path.lower()])
            for below in part.values():
                visit(below)
        elif isinstance(part, list):
            for below in part:
                visit(below)

    visit(node)
    return found


def answer(
    engine: DuckDB,
    prepared: Prepared,
    asked: Asked,
    planning_ms: float,
    progress: Progress | None = None,
    watch: Watch | None = None,
) -> Result:
    """The result of a prepared query."""
    began = perf_counter()
    plan = prepared.chosen(asked)
    if plan is None or prepared.problem is None:
        name = _run(engine, engine.verbatim(prepared.text), len(prepared.columns))
        report = Report(asked.alpha, asked.imputer, asked.seed, VERBATIM, planning_ms=planning_ms)
        return _result(engine, prepared, name, report, began)
    _check_imputable(plan.relation, prepared.problem.statistics)
    imputers = {imputer.name: imputer for imputer in asked.imputers}
    execution = Execution(engine, prepared.problem.statistics, imputers, asked.seed, progress, watch)
    with engine.snapshot():
        try:
            outcome = execution.run(plan.relation)
            name = _run(engine, engine.text(outcome.statement), len(prepared.columns))
        finally:
            engine.forget(execution.names)
    report = Report(
        alpha=asked.alpha,
        imputer=asked.imputer,
        seed=asked.seed,
        strategy=asked.strategy,
        penalty=plan.penalty,
        estimated_ms=plan.time,
        planning_ms=planning_ms,
        imputed={str(column): cells for column, cells in sorted(outcome.imputed.items())},
        dropped=outcome.dropped,
        warnings=tuple(_warnings(plan, outcome)),
    )
    return _result(engine, prepared, name, report, began)


def _result(engine: DuckDB, prepared: Prepared, name: str, report: Report, began: float) -> Result:
    report = replace(report, execution_ms=(perf_counter() - began) * 1e3)
    frontier = prepared.frontier
    relation = frontier.choose(report.alpha).relation if frontier else None
    return Result(engine, name, prepared.columns, prepared.types, report, relation, frontier)


def _run(engine: DuckDB, text: str, width: int) -> str:
    try:
        return engine.answer(text, width)
    except duckdb.OutOfMemoryException as error:
        raise DataError(f"out of memory: {str(error).splitlines()[0]}") from error
    except duckdb.Error as error:
        reason = parse.translated(error)
        raise type(reason)(str(reason).splitlines()[0]) from error  # the place is in a statement the user never saw


def _check_imputable(relation: Relation, statistics: Mapping[str, Statistics]) -> None:
    for node in bottom_up(relation):
        if isinstance(node, Impute):
            for column in sorted(node.columns):
                known = statistics[column.relation].columns[column.name]
                if known.centre is None:
                    reason = (
                        "no value of it is observed"
                        if known.missing == statistics[column.relation].rows
                        else f"values of type {known.type} cannot be imputed"
                    )
                    raise CannotImpute(
                        f"{column} has missing values and {reason}: leave it out, or drop those rows with "
                        f"imputer 'drop'"
                    )


def _warnings(plan: Candidate, outcome: Outcome) -> list[str]:
    found = list(outcome.warnings)
    if plan.penalty >= HIGH_PENALTY:
        found.append(
            f"the plan's penalty is {plan.penalty:.2f} of 1: much of what is missing was dropped or guessed; a smaller "
            "alpha answers better"
        )
    if outcome.examined and outcome.dropped / outcome.examined >= MUCH_DROPPED:
        share = outcome.dropped / outcome.examined
        found.append(
            f"{outcome.dropped:,} of {outcome.examined:,} rows ({share:.0%}) were dropped for a missing value; unless "
            "values are missing completely at random, the answer is biased"
        )
    return found
