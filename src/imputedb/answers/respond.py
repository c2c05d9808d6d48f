"""The execution of a statement: it is classified once, and dispatched by one `match`."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from time import perf_counter
from typing import assert_never

import numpy as np

from imputedb.answers import models, policies
from imputedb.answers.keep import keep_answer
from imputedb.answers.limits import limited
from imputedb.answers.outcome import counted
from imputedb.answers.prepare import Planner
from imputedb.answers.query import Call, run_unchanged, verbatim
from imputedb.answers.remote import check_keeping
from imputedb.answers.request import AIPW, BOUNDS, VERBATIM, QueryOptions
from imputedb.answers.stored import check_complete, notes_of_files, notes_of_statement, warned_of_stored
from imputedb.answers.understand import check_query, classified, described, with_values
from imputedb.blocks.listings import showing
from imputedb.diagnostics.departures import Departures, Key, swept
from imputedb.engines.engine import Engine
from imputedb.engines.offers import Frames
from imputedb.errors import QueryError
from imputedb.execution.plan import Watch
from imputedb.imputers.protocol import Imputer, Progress
from imputedb.inference.estimate import Estimate
from imputedb.notes import Note, NoteKind
from imputedb.result import Result
from imputedb.sql.budget import LimitStatement
from imputedb.sql.budget import limited as limited_text
from imputedb.sql.enclosed import EnclosingStatement
from imputedb.sql.model_statement import ModelStatement
from imputedb.sql.parameters import Given, by_name
from imputedb.sql.pivots import unlisted
from imputedb.sql.policy_statement import PolicyStatement
from imputedb.sql.statements import Classified, Execute, Other, Query, SplitStatement, Writes


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
    options = options.limited(stated.or_else(options.limits).or_else(planner.limits), began)
    call = Call(engine, planner, options, progress, watch)
    try:
        with engine.callers_frames(text, statement=True) as frames:
            parsed = classified(engine, text)
            if stated and not isinstance(parsed.statement, Query | EnclosingStatement | Execute):
                raise QueryError(
                    "WITHIN and ERROR are only permitted at the end of a query, or "
                    "of EXECUTE of one: leave them out here"
                )
            found = _responded(call, parsed, params, frames)
            found.report = replace(found.report, notes=(*dict.fromkeys(planner.remarks), *found.report.notes))
            return counted(engine, parsed, found, _pivoted(engine, parsed, found))
    finally:
        planner.release()


def with_departures(
    engine: Engine,
    planner: Planner,
    text: str,
    options: QueryOptions,
    params: Given,
    sensitivity: Departures | None,
    progress: Progress | None,
    watch: Watch | None,
) -> Result:
    """The result, with the answers under departures from missing at random."""
    if sensitivity is None:
        return respond(engine, planner, text, options, params, progress, watch)
    if options.limits or planner.limits or limited_text(text)[1]:
        raise QueryError("a query under sensitivity runs several times: WITHIN and ERROR apply to single answers only")
    check_query(engine, planner, text, params)
    found = respond(engine, planner, text, options, params, progress, watch)
    _ = found.estimates

    def again(one: Imputer) -> Mapping[Key, Estimate]:
        return respond(engine, planner, text, options.by(one), params).by_group

    return found.under(swept(again, options.imputers, sensitivity))


def _responded(call: Call, parsed: Classified, params: Given, frames: Frames) -> Result:
    engine, options = call.engine, call.options
    if isinstance(parsed.statement, Execute):
        call = replace(call, executed=parsed.statement)
    match with_values(engine, call.planner, parsed.statement, params):
        case PolicyStatement() as about:
            return _listing(engine, options, ("table", "column", "policy"), policies.execute_statement(engine, about))
        case ModelStatement() as about:
            return _listing(engine, options, models.COLUMNS, models.execute_statement(engine, about, call.progress))
        case LimitStatement() as about:
            call.planner.limits = about.applied(call.planner.limits)
            return _listing(engine, options, ("setting", "value"), [(f"imputedb.{about.name}", about.value)])
        case Query(query):
            return limited(replace(call, options=models.with_known_models(engine, call.planner, options, query)), query)
        case EnclosingStatement() as around:
            check_keeping(engine)
            informed = replace(call, options=models.with_known_models(engine, call.planner, options, around.query))
            return limited(informed, around.query, lambda one: keep_answer(one, around, frames))
        case SplitStatement() as apart:
            check_complete(engine, apart)
            return run_unchanged(engine, options, apart.text, by_name(params))
        case Writes() as writing:
            notes = notes_of_files(engine, writing.text)
            found = warned_of_stored(engine, writing, run_unchanged(engine, options, writing.text, by_name(params)))
            return _with_notes(found, notes)
        case Execute(text) as executing:
            prepared = engine.prepared(executing.name).statement
            notes = notes_of_statement(engine, prepared.text) if isinstance(prepared, Other) else []
            return _with_notes(run_unchanged(engine, options, text, by_name(params)), notes)
        case Other(text):
            text = showing(engine, described(call.planner, text))
            notes = notes_of_statement(engine, text)
            return _with_notes(run_unchanged(engine, options, text, by_name(params)), notes)
        case _ as never:
            assert_never(never)


def _with_notes(result: Result, notes: Sequence[Note]) -> Result:
    result.report = replace(result.report, notes=(*result.report.notes, *notes))
    return result


def _listing(engine: Engine, options: QueryOptions, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> Result:
    """The listing of one of imputedb's statements, as a result."""
    arrays = {name: np.array([str(row[place]) for row in rows], object) for place, name in enumerate(columns)}
    named = engine.register(arrays)
    try:
        held = engine.held(f'SELECT * FROM "{named}"')
    finally:
        engine.forget([named])
    return Result(engine, held, list(columns), ["VARCHAR"] * len(columns), verbatim(options))


def _pivoted(engine: Engine, parsed: Classified, result: Result) -> Result:
    """The result of a statement that DuckDB splits in two. One that keeps rows shows none; a PIVOT over imputed data
    has a note that its columns are the observed values."""
    if not isinstance(parsed.statement, SplitStatement):
        return result
    if parsed.verb in ("create", "insert", "copy"):
        held = engine.held("SELECT CAST(NULL AS BOOLEAN) WHERE false")
        result = Result(engine, held, ["Success"], ["BOOLEAN"], result.report, result.blocks, result.frontier)
    if result.report.strategy not in (VERBATIM, AIPW, BOUNDS):
        names = ", ".join(sorted({one.expression for one in unlisted(parsed.statement.text)}))
        words = (
            f"PIVOT: the values of {names} that are observed are its columns; where it is missing it is filled in "
            "before, and a value that is none of them is in no column"
        )
        note = Note(NoteKind.PIVOTED, names, words)
        result.report = replace(result.report, notes=(*result.report.notes, note))
    return result
