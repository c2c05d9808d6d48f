"""Statements that use the rows of a query, run over its answer; files appear atomically."""

import os
from dataclasses import replace
from time import perf_counter

from imputedb import duckdb_errors
from imputedb.answers.membership import membership
from imputedb.answers.prepared import Prepared
from imputedb.answers.query import Call, is_outdated, likely_rows, run_unchanged, timed, verbatim, within_limits
from imputedb.answers.request import IMPUTATION
from imputedb.engines.engine import Engine, Held
from imputedb.engines.offers import Frames
from imputedb.errors import Error, QueryError
from imputedb.files import copied
from imputedb.result import Result
from imputedb.sql.copy_options import switched_on
from imputedb.sql.enclosed import EnclosingStatement
from imputedb.sql.paths import quoted as named
from imputedb.sql.statements import Execute
from imputedb.sql.tokens import string_literal, tokens


def keep_answer(call: Call, around: EnclosingStatement, frames: Frames) -> Result:
    """Runs a statement with its query replaced by the answer; unchanged where nothing is missing.

    Registered frames of the query are removed before the statement runs, which may create or name a table of that name.
    """
    engine, options = call.engine, call.options
    about = membership(engine, around.query)
    if about is not None:
        inner = likely_rows(call, about)
    else:
        began = perf_counter()
        prepared = _planned(call, around.query)
        with engine.shared_snapshot(writes=around.with_query(around.query), always=True) as changed:
            if changed or prepared is None:
                prepared = call.planner.prepare(around.query, options)
            if not prepared.blocks and not frames.paths and options.method == IMPUTATION:
                if call.executed and around.target is None and not call.planner.has_read:
                    return run_unchanged(engine, options, call.executed.text)
                return _published(call, around, prepared.text)
            _check_divisions(engine, call.executed, around)
            planning_ms = (perf_counter() - began) * 1e3
            if around.target is not None and prepared.blocks and options.method == IMPUTATION and not options.draws:
                return _streamed(call, prepared, around, planning_ms)
            inner = within_limits(call, prepared, planning_ms)
    frames.drop()
    found = _published(call, around, inner.selecting)
    return _with_report(found, inner)


def _streamed(call: Call, prepared: Prepared, around: EnclosingStatement, planning_ms: float) -> Result:
    """Writes the rows of a query to a file as a stream, so that they are never held as a whole."""
    written: list[tuple[Held, list[str], list[str]]] = []
    began = perf_counter()

    def take(text: str) -> Held:
        places = [f"c{place}" for place in range(len(prepared.columns))]
        shown = ", ".join(f"{c} AS {named((name,))}" for c, name in zip(places, prepared.columns, strict=True))
        written.append(_copied(call, around, f"SELECT {shown} FROM ({text}) AS held({', '.join(places)})"))
        return written[-1][0]

    inner = within_limits(replace(call, take=take), prepared, planning_ms)
    found = Result(call.engine, *written[-1], timed(verbatim(call.options), began))
    return _with_report(found, inner)


def _planned(call: Call, query: str) -> Prepared | None:
    """The prepared query; None where that failed after a write of another session, so that it must be retried.

    It is prepared before the statement's own write begins, since caches are not used afterwards.
    """
    try:
        return call.planner.prepare(query, call.options)
    except (Error, duckdb_errors.Refused) as error:
        if not is_outdated(call.engine.session, error):
            raise
        return None


def _check_divisions(engine: Engine, executed: Execute | None, around: EnclosingStatement) -> None:
    """Refuses EXECUTE where divisions outside the query would be read differently than when it was prepared.

    Raises:
        QueryError: the setting of integer division has changed since then.
    """
    beside = tokens(f"{around.before} {around.after}")
    if executed and any("/" in token.text and token.text != "//" for token in beside if token.text[:1] not in "'\""):
        [(is_read_otherwise,)] = engine.fetched("SELECT current_setting('integer_division')")
        if is_read_otherwise:
            raise QueryError(f"integer_division was changed after PREPARE {executed.name}: prepare it again")


def _with_report(found: Result, inner: Result) -> Result:
    """The result of a statement over an answer, with the answer's report."""
    found.report = replace(inner.report, notes=(*inner.report.notes, *found.report.notes))
    found.blocks, found.frontier = inner.blocks, inner.frontier
    return found


def _published(call: Call, around: EnclosingStatement, query: str) -> Result:
    """Runs a statement over a query; a file that it writes appears atomically."""
    if around.target is None:
        return run_unchanged(call.engine, call.options, around.with_query(query))
    began = perf_counter()
    return Result(call.engine, *_copied(call, around, query), timed(verbatim(call.options), began))


def _copied(call: Call, around: EnclosingStatement, query: str) -> tuple[Held, list[str], list[str]]:
    """The result of COPY of a query's rows, with the names and types of its columns."""
    assert around.target is not None  # a COPY has a target
    path, rest = _expanded(call.engine, around.target[0]), around.target[1]
    with copied(path, switched_on(rest)) as written:
        text = f"{around.before}{query}{around.after}{string_literal(written)}{rest}"
        held, columns, types = call.engine.answered(text)
        call.planner.check()
        shown = [_renamed(name, place, written, path) for place, name in enumerate(columns)]
        return call.engine.held(f"SELECT {', '.join(shown)} FROM {held.source}"), columns, types


def _expanded(engine: Engine, path: str) -> str:
    """A path with a leading ~ replaced by the home folder, as in DuckDB."""
    if not path.startswith("~"):
        return path
    [(home,)] = engine.fetched("SELECT current_setting('home_directory')")
    return (str(home or "") or os.path.expanduser("~")) + path[1:]


def _renamed(column: str, place: int, written: str, path: str) -> str:
    """A column of COPY's result, with the temporary path in file names replaced by the final one."""
    names = f"{string_literal(written)}, {string_literal(path)}"
    match column.lower():
        case "filename":
            return f"replace(c{place}, {names})"
        case "files":
            return f"list_transform(c{place}, lambda name: replace(name, {names}))"
        case _:
            return f"c{place}"
