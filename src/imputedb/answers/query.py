"""The answer to one query: prepared, then run in one snapshot of the data."""

from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from time import perf_counter

from imputedb import duckdb_errors
from imputedb.answers.membership import Membership, membership
from imputedb.answers.multiple import pooled as multiple
from imputedb.answers.pace import Pace, ahead_of, pace
from imputedb.answers.prepare import Planner
from imputedb.answers.prepared import Prepared, strategy
from imputedb.answers.request import IMPUTATION, VERBATIM, QueryOptions
from imputedb.answers.run import Run, answered, translated
from imputedb.answers.unimputed.respond import WORDS, unimputed
from imputedb.blocks.block import ANSWER
from imputedb.border import ours
from imputedb.engines.engine import Engine
from imputedb.engines.session import Session
from imputedb.errors import Error, Interrupted, OutOfTime, QueryError
from imputedb.execution.plan import Watch
from imputedb.imputers.protocol import Progress
from imputedb.planning.forecast import Forecast
from imputedb.result import Budget, Report, Result
from imputedb.sql.statements import Execute

_ENDED = 1.5
"""How much longer a plan that was ended is taken to last than it was let."""


@dataclass(frozen=True, slots=True)
class Call:
    """Where and how the statements of one call are answered.

    Attributes:
        engine: where the tables are.
        planner: what prepares queries.
        options: what is asked for along with them.
        progress: told the share of an imputer's work that is done.
        watch: told of every operator.
        executed: the statement that executes a prepared one, if it is one.
    """

    engine: Engine
    planner: Planner
    options: QueryOptions
    progress: Progress | None = None
    watch: Watch | None = None
    executed: Execute | None = field(default=None, kw_only=True)


def rows_of(call: Call, query: str) -> Result:
    """The answer to a query, which may ask for `likelihood()`."""
    with call.engine.own_statements():
        about = membership(call.engine, query)
        if about is not None:
            return likely_rows(call, about)
    return answer_to(call, query)


def answer_to(call: Call, query: str) -> Result:
    """The answer to a query; where EXECUTE asks it and nothing is missing, what DuckDB's prepared statement gives.

    Where another connection has written meanwhile, the query is asked again, in a snapshot. Beside other sessions an
    answer is of one snapshot from the start, and is never asked for twice.
    """
    session = call.engine.session
    try:
        found = _answer_to(call, query, alone=True)
    except (Error, duckdb_errors.Refused) as error:
        if not is_outdated(session, error):
            raise
        return _answer_to(call, query, alone=False)
    if not session.is_alone or not session.is_behind() or session.in_transaction:
        return found
    return _answer_to(call, query, alone=False)


def is_outdated(session: Session, error: Exception) -> bool:
    """Whether work has failed where something else has written meanwhile, so that it is to be done again."""
    return not isinstance(ours(error), Interrupted | OutOfTime) and session.is_behind() and not session.in_transaction


def _answer_to(call: Call, query: str, *, alone: bool) -> Result:
    """The answer, in a snapshot unless nobody else is thought to write."""
    engine, planner, options, began = call.engine, call.planner, call.options, perf_counter()
    with nullcontext(False) if alone else engine.shared_snapshot(always=True):
        prepared = planner.prepare(query, options)
        with engine.shared_snapshot() as changed:
            if changed:  # what it is planned by has to be what it reads
                prepared = planner.prepare(query, options)
            if call.executed and not prepared.blocks:
                return as_it_stands(engine, options, call.executed.text)
            planning_ms = (perf_counter() - began) * 1e3
            ours = prepared.blocks or options.method != IMPUTATION
            with engine.own_statements(query) if ours else nullcontext():
                found = paced(call, prepared, planning_ms)
    if "json_execute" in query.lower():  # which may run a statement that writes
        engine.session.changed()
    return found


def likely_rows(call: Call, about: Membership) -> Result:
    """The rows that qualify in some draw, with the share of the draws in which they do.

    Raises:
        QueryError: no draws are asked for.
    """
    engine, options = call.engine, call.options
    if options.method != IMPUTATION or not options.draws:
        raise QueryError("likelihood() is the share of the draws in which a row qualifies: ask for draws, such as m=20")
    found = answer_to(replace(call, executed=None), about.text)
    held, names, types = about.shown(engine, found.selecting, found.columns, found.report.m)
    report = replace(found.report, notes=(*found.report.notes, *about.notes))
    return Result(engine, held, names, types, report, found.blocks, found.frontier)


def paced(call: Call, prepared: Prepared, planning_ms: float) -> Result:
    """The result of a prepared query by the plan that its limits leave; how long it takes is learnt from.

    Raises:
        OutOfTime: it is not there in time, but another plan's may be.
    """
    engine, forecast = call.engine, call.planner.forecast
    if call.options.method != IMPUTATION or not prepared.blocks or call.watch:
        return answer(engine, prepared, call.options, planning_ms, call.progress, call.watch)
    began = perf_counter()
    found = pace(prepared, call.options, forecast)
    options = found.options
    try:
        result = answer(engine, prepared, options, planning_ms, call.progress, seconds=found.seconds)
    except OutOfTime:
        forecast.ran(found.ahead, _ENDED * 1e3 * (perf_counter() - began))
        raise
    _learn(forecast, prepared, found, result.report, 1e3 * (perf_counter() - began))
    budget = result.report.budget
    if options.limits:
        budget = replace(budget or Budget(), predicted_ms=planning_ms + found.predicted, short=found.short)
    result.report = replace(result.report, estimated_ms=found.predicted, budget=budget)
    return result


def _learn(forecast: Forecast, prepared: Prepared, found: Pace, report: Report, milliseconds: float) -> None:
    """Takes note of how long a statement took, and of the values that it has left behind."""
    options, ahead = found.options, found.ahead
    if options.m is None:
        ahead = ahead_of(prepared, replace(options, m=report.m), forecast)
    forecast.ran(ahead, milliseconds)
    forecast.has_left(ahead)


def answer(
    engine: Engine,
    prepared: Prepared,
    options: QueryOptions,
    planning_ms: float,
    progress: Progress | None = None,
    watch: Watch | None = None,
    seconds: float | None = None,
) -> Result:
    """The result of a prepared query, ended once so many seconds are over.

    Raises:
        OutOfTime: they are.
    """
    began = perf_counter()
    report = replace(verbatim(options), planning_ms=planning_ms, policies=prepared.policies)
    if options.method != IMPUTATION:
        with engine.snapshot(), translated():
            found = unimputed(engine, prepared, options)
        report = timed(replace(report, strategy=options.method, warnings=found.warnings, notes=found.notes), began)
        told = [(ANSWER, WORDS[options.method])]
        return Result(engine, found.held, found.columns, found.types, report, told, estimates=found.estimates)
    if not prepared.blocks:
        held = answered(engine, prepared.text)
        return Result(engine, held, prepared.columns, prepared.types, timed(report, began))
    run = Run(engine, options, progress, watch)
    with engine.snapshot(lazily=True):
        try:
            with nullcontext() if seconds is None else engine.session.within(seconds):
                pooled = multiple.pooled(engine, prepared, run) if options.draws else None
                held = pooled.held if pooled else run.through(prepared)
        finally:
            run.clear()
    columns, types = (pooled.columns, pooled.types) if pooled else (prepared.columns, prepared.types)
    report = timed(replace(report, strategy=strategy(prepared, options), **run.reported()), began)
    report = replace(report, warnings=(*prepared.warnings, *report.warnings))
    if pooled:
        report = replace(report, m=pooled.m, warnings=(*report.warnings, *pooled.warnings))
        if pooled.expected is not None:
            report = replace(report, budget=Budget(predicted_error=pooled.expected))
    elif options.draws:
        report = replace(report, notes=(*report.notes, multiple.UNPOOLED))
    estimates = pooled.estimates if pooled else None
    return Result(engine, held, columns, types, report, run.drawn, prepared.frontier, estimates)


def as_it_stands(
    engine: Engine, options: QueryOptions, text: str, values: Mapping[str, object] | None = None
) -> Result:
    """What DuckDB gives for a statement."""
    began = perf_counter()
    held, columns, types = engine.answered(text, values)
    report = replace(verbatim(options), notes=engine.session.taken())
    return Result(engine, held, columns, types, timed(report, began))


def verbatim(options: QueryOptions) -> Report:
    """The report of what DuckDB answers by itself."""
    return Report(options.alpha, options.imputer, options.seed, VERBATIM)


def timed(report: Report, began: float) -> Report:
    """A report with the time since something began."""
    return replace(report, execution_ms=(perf_counter() - began) * 1e3)
