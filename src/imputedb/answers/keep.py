"""Statements that keep the rows of a query: run over its answer, files appearing whole or not at all."""

import os
from dataclasses import replace
from time import perf_counter

from imputedb import duckdb_errors
from imputedb.answers.membership import membership
from imputedb.answers.prepared import Prepared
from imputedb.answers.query import Call, as_it_stands, is_outdated, likely_rows, paced, timed, verbatim
from imputedb.answers.request import IMPUTATION, QueryOptions
from imputedb.engines.engine import Engine
from imputedb.engines.offers import Frames
from imputedb.errors import Error, QueryError
from imputedb.files import copied
from imputedb.result import Result
from imputedb.sql.copy_options import switched_on
from imputedb.sql.enclosed import Keeps
from imputedb.sql.statements import Execute
from imputedb.sql.tokens import quoted, tokens


def kept(call: Call, around: Keeps, frames: Frames) -> Result:
    """Runs a statement over the answer to its query in place of the query; as it stands where nothing is missing.

    The frames that the query reads are gone when the statement runs, which may make or mean a table of such a name.
    """
    engine, options = call.engine, call.options
    about = membership(engine, around.query)
    if about is not None:
        inner = likely_rows(call, about)
    else:
        began = perf_counter()
        prepared = _planned(call, around.query)
        with engine.shared_snapshot(writes=around.around(around.query), always=True) as changed:
            if changed or prepared is None:
                prepared = call.planner.prepare(around.query, options)
            if not prepared.blocks and not frames.paths and options.method == IMPUTATION:
                if call.executed and around.target is None:
                    return as_it_stands(engine, options, call.executed.text)
                return _published(engine, around, prepared.text, options)
            _check_divisions(engine, call.executed, around)
            inner = paced(call, prepared, (perf_counter() - began) * 1e3)
    frames.drop()
    found = _published(engine, around, inner.selecting, options)
    return _around(found, inner)


def _planned(call: Call, query: str) -> Prepared | None:
    """The query prepared; None where that failed, and something else has written meanwhile: it has to be tried again.

    Once a write of our own is under way nothing is recalled, and so it is prepared before.
    """
    try:
        return call.planner.prepare(query, call.options)
    except (Error, duckdb_errors.Refused) as error:
        if not is_outdated(call.engine.session, error):
            raise
        return None


def _check_divisions(engine: Engine, executed: Execute | None, around: Keeps) -> None:
    """Refuses EXECUTE where a division beside the query would be read otherwise than when it was prepared.

    Raises:
        QueryError: the setting by which it was read has changed since.
    """
    beside = tokens(f"{around.before} {around.after}")
    if executed and any("/" in token.text and token.text != "//" for token in beside if token.text[:1] not in "'\""):
        [(is_read_otherwise,)] = engine.fetched("SELECT current_setting('integer_division')")
        if is_read_otherwise:
            raise QueryError(f"integer_division was changed after PREPARE {executed.name}: prepare it again")


def _around(found: Result, inner: Result) -> Result:
    """What a statement gives that keeps the rows of an answer, with the answer's report."""
    found.report = replace(inner.report, notes=(*inner.report.notes, *found.report.notes))
    found.blocks, found.frontier = inner.blocks, inner.frontier
    return found


def _published(engine: Engine, around: Keeps, query: str, options: QueryOptions) -> Result:
    """Runs a statement over a query; the file that it writes appears whole or not at all."""
    if around.target is None:
        return as_it_stands(engine, options, around.around(query))
    path, rest = _at_home(engine, around.target[0]), around.target[1]
    with copied(path, switched_on(rest)) as written:
        began = perf_counter()
        text = f"{around.before}{query}{around.after}{quoted(written)}{rest}"
        held, columns, types = engine.answered(text)
        shown = [_renamed(name, place, written, path) for place, name in enumerate(columns)]
        held = engine.held(f"SELECT {', '.join(shown)} FROM {held.source}")
        return Result(engine, held, columns, types, timed(verbatim(options), began))


def _at_home(engine: Engine, path: str) -> str:
    """A path with the home folder in place of the ~ that it begins with, as DuckDB has it."""
    if not path.startswith("~"):
        return path
    [(home,)] = engine.fetched("SELECT current_setting('home_directory')")
    return (str(home or "") or os.path.expanduser("~")) + path[1:]


def _renamed(column: str, place: int, written: str, path: str) -> str:
    """A column that COPY gives, the temporary path in names of files replaced by the one where they are to appear."""
    match column.lower():
        case "filename":
            return f"replace(c{place}, {quoted(written)}, {quoted(path)})"
        case "files":
            return f"list_transform(c{place}, lambda name: replace(name, {quoted(written)}, {quoted(path)}))"
        case _:
            return f"c{place}"
