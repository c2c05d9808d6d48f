"""The answer to one query, prepared and run in one snapshot of the data."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from time import perf_counter

from imputedb import duckdb_errors
from imputedb.answers import remote
from imputedb.answers.membership import Membership, membership
from imputedb.answers.multiple import pooled as multiple
from imputedb.answers.pace import Pace, expected_work, pace
from imputedb.answers.prepare import Planner
from imputedb.answers.prepared import Prepared, strategy
from imputedb.answers.request import IMPUTATION, VERBATIM, QueryOptions
from imputedb.answers.run import Run, Take, answered, translated
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
"""Factor by which the time of a stopped plan is assumed to exceed the time that it had."""


@dataclass(frozen=True, slots=True)
class Call:
    """The context of one call.

    Attributes:
        engine: engine that holds the tables.
        planner: preparation of queries.
        options: options of the query.
        progress: called with the share of an imputer's work that is done.
        watch: called with every operator.
        executed: EXECUTE statement of the call; None for others.
        take: receives the last statement, instead of its rows being held.
    """

    engine: Engine
    planner: Planner
    options: QueryOptions
    progress: Progress | None = None
    watch: Watch | None = None
    executed: Execute | None = field(default=None, kw_only=True)
    take: Take | None = field(default=None, kw_only=True)


def rows_of(call: Call, query: str) -> Result:
    """The answer to a query, which may have `likelihood()`."""
    with call.engine.own_statements():
        about = membership(call.engine, query)
        if about is not None:
            return likely_rows(call, about)
    return answer_to(call, query)


def answer_to(call: Call, query: str) -> Result:
    """The answer to a query; for EXECUTE of a query without missing values, that of DuckDB's prepared statement.

    If another connection has written meanwhile, the query is repeated in a snapshot. With other sessions, an answer
    uses one snapshot from the start and is not repeated.
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
    """Whether work has failed because of a concurrent write, so that it must be repeated."""
    return not isinstance(ours(error), Interrupted | OutOfTime) and session.is_behind() and not session.in_transaction


def _answer_to(call: Call, query: str, *, alone: bool) -> Result:
    """The answer, in a snapshot unless there are no other writers."""
    engine, planner, options, began = call.engine, call.planner, call.options, perf_counter()
    with nullcontext(False) if alone else engine.shared_snapshot(always=True):
        prepared = planner.prepare(query, options)
        with engine.shared_snapshot() as changed:
            if changed:  # plans and rows must be of the same snapshot
                prepared = planner.prepare(query, options)
            if call.executed and not prepared.blocks and not planner.has_read:
                return run_unchanged(engine, options, call.executed.text)
            planning_ms = (perf_counter() - began) * 1e3
            ours = prepared.blocks or options.method != IMPUTATION
            with engine.own_statements(query) if ours else nullcontext():
                found = within_limits(call, prepared, planning_ms)
    if "json_execute" in query.lower():  # it may run a statement that writes
        engine.session.changed()
    return found


def likely_rows(call: Call, about: Membership) -> Result:
    """The rows that qualify in some draw, with the share of the draws in which they do.

    Raises:
        QueryError: there are no draws.
    """
    engine, options = call.engine, call.options
    if options.method != IMPUTATION or not options.draws:
        raise QueryError("likelihood() is the share of the draws in which a row qualifies: set m, such as m=20")
    found = answer_to(replace(call, executed=None), about.text)
    held, names, types = about.shown(engine, found.selecting, found.columns, found.report.m)
    report = replace(found.report, notes=(*found.report.notes, *about.notes))
    return Result(engine, held, names, types, report, found.blocks, found.frontier)


def within_limits(call: Call, prepared: Prepared, planning_ms: float) -> Result:
    """The result of a prepared query by the plan that its limits permit; its time improves the forecast.

    Raises:
        OutOfTime: it is not finished in time, but another plan may be.
    """
    engine, forecast = call.engine, call.planner.forecast
    if call.options.method != IMPUTATION or not prepared.blocks or call.watch:
        result = answer(engine, prepared, call.options, planning_ms, call.progress, call.watch, take=call.take)
        call.planner.check()
        return result
    began = perf_counter()
    found = pace(prepared, call.options, forecast)
    options = found.options
    try:
        result = answer(engine, prepared, options, planning_ms, call.progress, seconds=found.seconds, take=call.take)
    except OutOfTime:
        forecast.ran(found.ahead, _ENDED * 1e3 * (perf_counter() - began))
        raise
    call.planner.check()
    _learn(forecast, prepared, found, result.report, 1e3 * (perf_counter() - began))
    budget = result.report.budget
    if options.limits:
        budget = replace(budget or Budget(), predicted_ms=planning_ms + found.predicted, short=found.short)
    result.report = replace(result.report, estimated_ms=found.predicted, budget=budget)
    return result


def _learn(forecast: Forecast, prepared: Prepared, found: Pace, report: Report, milliseconds: float) -> None:
    """Records the time of a statement, and the values that it has cached."""
    options, ahead = found.options, found.ahead
    if options.m is None:
        ahead = expected_work(prepared, replace(options, m=report.m), forecast)
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
    *,
    take: Take | None = None,
) -> Result:
    """The result of a prepared query, stopped after so many seconds, or what `take` makes of its rows.

    Raises:
        OutOfTime: the time is up.
    """
    remote.check(engine, prepared, options)
    began = perf_counter()
    report = replace(verbatim(options), planning_ms=planning_ms, policies=prepared.policies)
    if options.method != IMPUTATION:
        with engine.snapshot(), translated():
            found = unimputed(engine, prepared, options)
        report = timed(replace(report, strategy=options.method, warnings=found.warnings, notes=found.notes), began)
        blocks = [(ANSWER, WORDS[options.method])]
        return Result(engine, found.held, found.columns, found.types, report, blocks, estimates=found.estimates)
    if not prepared.blocks:
        held = answered(engine, prepared.text)
        return Result(engine, held, prepared.columns, prepared.types, timed(report, began))
    run = Run(engine, options, progress, watch)
    with engine.snapshot(lazily=True), _without_place():
        try:
            with nullcontext() if seconds is None else engine.session.within(seconds):
                pooled = multiple.pooled(engine, prepared, run) if options.draws else None
                held = pooled.held if pooled else run.run_blocks(prepared, take)
        finally:
            run.release_all()
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


@contextmanager
def _without_place() -> Iterator[None]:
    """A context in which DuckDB's errors about values are raised as imputedb's, without a place in internal SQL."""
    try:
        yield
    except duckdb_errors.Unfit as error:
        reason = duckdb_errors.translated(error)
        raise type(reason)(str(reason).splitlines()[0]) from error


def run_unchanged(
    engine: Engine, options: QueryOptions, text: str, values: Mapping[str, object] | None = None
) -> Result:
    """DuckDB's result of a statement."""
    began = perf_counter()
    held, columns, types = engine.answered(text, values)
    report = replace(verbatim(options), notes=engine.session.taken())
    return Result(engine, held, columns, types, timed(report, began))


def verbatim(options: QueryOptions) -> Report:
    """The report of a statement that DuckDB runs unchanged."""
    return Report(options.alpha, options.imputer, options.seed, VERBATIM)


def timed(report: Report, began: float) -> Report:
    """A report with the time since a start time."""
    return replace(report, execution_ms=(perf_counter() - began) * 1e3)
