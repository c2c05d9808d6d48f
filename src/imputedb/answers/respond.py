"""The life of a statement: one look at its text, then one `match`."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from time import perf_counter
from typing import assert_never

import numpy as np

from imputedb.answers import models, policies
from imputedb.answers.keep import kept
from imputedb.answers.limits import limited
from imputedb.answers.outcome import counted
from imputedb.answers.prepare import Planner
from imputedb.answers.query import Call, as_it_stands, verbatim
from imputedb.answers.request import AIPW, BOUNDS, VERBATIM, QueryOptions
from imputedb.answers.understand import check_query, classified, understood
from imputedb.blocks.listings import showing
from imputedb.diagnostics.departures import Departures, Key, swept
from imputedb.engines.engine import Engine
from imputedb.engines.offers import Frames
from imputedb.errors import QueryError, Unplanned
from imputedb.execution.plan import Watch
from imputedb.imputers.protocol import Imputer, Progress
from imputedb.inference.estimate import Estimate
from imputedb.notes import Note, NoteKind
from imputedb.result import Result
from imputedb.sql.budget import LimitStatement
from imputedb.sql.budget import limited as limited_text
from imputedb.sql.enclosed import Keeps
from imputedb.sql.model_statement import ModelStatement
from imputedb.sql.parameters import Given, by_name
from imputedb.sql.pivots import unlisted
from imputedb.sql.policy_statement import PolicyStatement
from imputedb.sql.statements import Apart, Classified, Execute, Other, Query, Writes


def respond(
    engine: Engine,
    planner: Planner,
    text: str,
    options: QueryOptions,
    params: Given = None,
    progress: Progress | None = None,
    watch: Watch | None = None,
) -> Result:
    """The result of any statement: a query is answered; one that keeps the rows of a query keeps those of its answer;
    one about policies is followed; any other is DuckDB's."""
    began = perf_counter()
    text, stated = limited_text(text)
    options = options.limited(stated.over(options.limits).over(planner.limits), began)
    call = Call(engine, planner, options, progress, watch)
    try:
        with engine.callers_frames(text, statement=True) as frames:
            told = classified(engine, text)
            if stated and not isinstance(told.statement, Query | Keeps | Execute):
                raise QueryError("WITHIN and ERROR stand behind a query, or behind EXECUTE of one: leave them out here")
            found = _responded(call, told, params, frames)
            return counted(engine, told, found, _pivoted(engine, told, found))
    finally:
        planner.release()


def departing(
    engine: Engine,
    planner: Planner,
    text: str,
    options: QueryOptions,
    params: Given,
    sensitivity: Departures | None,
    progress: Progress | None,
    watch: Watch | None,
) -> Result:
    """The same, and with departures from missing at random how the answer to a query moves under them."""
    if sensitivity is None:
        return respond(engine, planner, text, options, params, progress, watch)
    if options.limits or planner.limits or limited_text(text)[1]:
        raise QueryError("a query under sensitivity is asked again and again: WITHIN and ERROR are of a single answer")
    check_query(engine, planner, text, params)
    found = respond(engine, planner, text, options, params, progress, watch)
    _ = found.estimates

    def again(one: Imputer) -> Mapping[Key, Estimate]:
        return respond(engine, planner, text, options.by(one), params).by_group

    return found.under(swept(again, options.imputers, sensitivity))


def _responded(call: Call, told: Classified, params: Given, frames: Frames) -> Result:
    engine, options = call.engine, call.options
    if isinstance(told.statement, Execute):
        call = replace(call, executed=told.statement)
    match understood(engine, call.planner, told.statement, params):
        case PolicyStatement() as about:
            return _listing(engine, options, ("table", "column", "policy"), policies.follow(engine, about))
        case ModelStatement() as about:
            return _listing(engine, options, models.COLUMNS, models.follow(engine, about, call.progress))
        case LimitStatement() as about:
            call.planner.limits = about.applied(call.planner.limits)
            return _listing(engine, options, ("setting", "value"), [(f"imputedb.{about.name}", about.value)])
        case Query(query):
            return limited(replace(call, options=models.informed(engine, options)), query)
        case Keeps() as around:
            informed = replace(call, options=models.informed(engine, options))
            return limited(informed, around.query, lambda one: kept(one, around, frames))
        case Apart() as apart:
            _check_complete(engine, apart)
            return as_it_stands(engine, options, apart.text, by_name(params))
        case Writes() as writing:
            return _warned_of_stored(engine, writing, as_it_stands(engine, options, writing.text, by_name(params)))
        case Execute() | Other() as other:
            return as_it_stands(engine, options, showing(other.text), by_name(params))
        case _ as never:
            assert_never(never)


def _listing(engine: Engine, options: QueryOptions, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> Result:
    """What a statement of ours lists, as a result."""
    arrays = {name: np.array([str(row[place]) for row in rows], object) for place, name in enumerate(columns)}
    named = engine.register(arrays)
    try:
        held = engine.held(f'SELECT * FROM "{named}"')
    finally:
        engine.forget([named])
    return Result(engine, held, list(columns), ["VARCHAR"] * len(columns), verbatim(options))


def _mentioned(engine: Engine, words: frozenset[str]) -> list[str]:
    """The tables that miss values, and the views, whose names are among some words."""
    views = [str(name) for (name,) in engine.fetched("SELECT view_name FROM duckdb_views() WHERE NOT internal")]
    tables = [table.name for table in engine.shapes() if table.name.lower() in words and engine.statistics(table).dirty]
    return sorted({*tables, *(name for name in views if name.lower() in words)})


def _warned_of_stored(engine: Engine, writing: Writes, result: Result) -> Result:
    """The result, with a warning where it may rest on values that are missing."""
    names = _mentioned(engine, writing.words)
    if names:
        words = (
            f"nothing is imputed in a query whose WITH writes: of {', '.join(names)} it reads what is stored, and NULL "
            "is NULL; write first, and ask then"
        )
        said = Note(NoteKind.NOT_IMPUTED, ", ".join(names), words)
        result.report = replace(result.report, warnings=(*result.report.warnings, said))
    return result


def _check_complete(engine: Engine, apart: Apart) -> None:
    """Refuses a query that DuckDB takes apart where a table or a view that it may read misses values."""
    if _mentioned(engine, apart.words):
        raise Unplanned("PIVOT inside a query, its columns named by the data: list them, PIVOT t ON c IN (...)")


def _pivoted(engine: Engine, told: Classified, result: Result) -> Result:
    """The result of a statement that DuckDB would take apart: it is silent of one that keeps rows, and of what a PIVOT
    made columns of there is a word, if they were of data that were filled in."""
    if not isinstance(told.statement, Apart):
        return result
    if told.verb in ("create", "insert", "copy"):
        held = engine.held("SELECT CAST(NULL AS BOOLEAN) WHERE false")
        result = Result(engine, held, ["Success"], ["BOOLEAN"], result.report, result.blocks, result.frontier)
    if result.report.strategy not in (VERBATIM, AIPW, BOUNDS):
        names = ", ".join(sorted({one.expression for one in unlisted(told.statement.text)}))
        words = (
            f"PIVOT: the values of {names} that are observed are its columns; where it is missing it is filled in "
            "before, and a value that is none of them is in no column"
        )
        note = Note(NoteKind.PIVOTED, names, words)
        result.report = replace(result.report, notes=(*result.report.notes, note))
    return result
