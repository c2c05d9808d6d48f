"""The life of a query: text to plan, kept while the data stands still; plan to rows."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from time import perf_counter
from typing import assert_never

import numpy as np

from imputedb import duckdb_errors
from imputedb.algebra.relation import Table
from imputedb.answers import policies
from imputedb.answers.membership import Membership, membership
from imputedb.answers.multiple import pooled as multiple
from imputedb.answers.outcome import counted
from imputedb.answers.run import (
    AIPW,
    BASE,
    BOUNDS,
    IMPUTATION,
    PLANNED,
    VERBATIM,
    Asked,
    Prepared,
    Run,
    answered,
    strategy,
    translated,
)
from imputedb.answers.unimputed.respond import WORDS, unimputed
from imputedb.answers.weights import by_weights
from imputedb.blocks.block import ANSWER
from imputedb.blocks.listings import listed_without_ours, showing
from imputedb.blocks.statement import blocks
from imputedb.diagnostics.departures import Departures, Key, swept
from imputedb.engines.cache import STRUCTURAL, Recent
from imputedb.engines.duckdb.catalog import written_out
from imputedb.engines.duckdb.engine import DuckDB
from imputedb.engines.duckdb.variables import Frames, callers_frames
from imputedb.errors import Error, QueryError, Unplanned
from imputedb.execution.plan import Watch
from imputedb.files import copied
from imputedb.imputers.protocol import Imputer, Progress
from imputedb.imputers.registry import chosen
from imputedb.inference.estimate import Estimate
from imputedb.result import Report, Result
from imputedb.sql.copy_options import switched_on
from imputedb.sql.enclosed import Keeps
from imputedb.sql.missingness import extended
from imputedb.sql.parameters import Given, by_name
from imputedb.sql.pivots import listed, unlisted
from imputedb.sql.policy_statement import PolicyStatement
from imputedb.sql.statements import Apart, Execute, Other, Query, Statement, Writes
from imputedb.sql.tokens import first_word, quoted

_PLANS_KEPT = 256


class Planner:
    """Prepares queries on an engine, and remembers those it has prepared until something is written.

    Attributes:
        cache: what holds them.
    """

    def __init__(self, engine: DuckDB) -> None:
        self._engine = engine
        self.cache: Recent[object, tuple[object, Prepared]] = Recent(
            "plans",
            "text, imputers, strategy and weights",
            f"a write to any table; {STRUCTURAL}",
            _PLANS_KEPT,
            lambda kept: self._forget(kept[1]),
        )
        self._copies: list[Table] = []

    def prepare(self, text: str, asked: Asked) -> Prepared:
        """The query with its frontier.

        Raises:
            QueryError: DuckDB rejects the query, or it is not planned yet.
        """
        wishes = (text, asked.imputers, asked.strategy, asked.always, asked.weights)
        state = self._engine.session.state()
        known = self.cache.recall(wishes)
        if known and known[0] == state:
            return known[1]
        self.release()
        found, lasting = self._prepared(text, asked)
        if lasting:
            self.cache.keep(wishes, (state, found))
        return found

    def release(self) -> None:
        """Lets go of the rows of files that were copied for a statement: its answer is there."""
        self._engine.temporary.unmake("TABLE", [table.name for table in self._copies])
        for table in self._copies:
            self._engine.tables.disown(table.name)
        self._copies = []
        adopted = self._engine.tables.adopted
        if len(adopted) > _PLANS_KEPT:  # some are of plans that were not kept
            kept = {block.name for _, (_, prepared) in self.cache.items() for block in prepared.blocks}
            for name in {table.name for table in adopted} - kept:
                self._engine.tables.disown(name)

    def _forget(self, prepared: Prepared) -> None:
        for block in prepared.blocks:
            self._engine.tables.disown(block.name)

    def _prepared(self, text: str, asked: Asked) -> tuple[Prepared, bool]:
        """The query, and whether it may be kept: files change without notice."""
        engine = self._engine
        node = engine.texts.tree(text)
        further = extended(listed_without_ours(engine, written_out(engine, node)))
        if asked.weights is not None:
            further = by_weights(engine, further, asked.weights)
        if further != node:
            node, text = further, engine.text(further)
        columns, types = engine.texts.outputs(text)
        base, always = asked.strategy == BASE, asked.always
        with engine.own_statements(text):
            found = blocks(engine, node, columns, asked.imputers, base=base, always=always)
            self._copies = found.copies
        lasting = not self._copies and not found.in_place
        if not lasting:
            engine.texts.forget_outputs(text)
            text = engine.text(found.itself) if found.itself else text
        return Prepared(text, columns, types, found.blocks, tuple(found.warnings), found.policies), lasting


def respond(
    engine: DuckDB,
    planner: Planner,
    text: str,
    asked: Asked,
    params: Given = None,
    progress: Progress | None = None,
    watch: Watch | None = None,
) -> Result:
    """The result of any statement: a query is answered; one that keeps the rows of a query keeps those of its answer;
    one about policies is followed; any other is DuckDB's."""
    try:
        with callers_frames(engine, text, statement=True) as frames:
            found = _responded(engine, planner, text, asked, params, progress, watch, frames)
            return counted(engine, text, found, _pivoted(engine, text, found))
    finally:
        planner.release()


def departing(
    engine: DuckDB,
    planner: Planner,
    text: str,
    asked: Asked,
    params: Given,
    sensitivity: Departures | None,
    progress: Progress | None,
    watch: Watch | None,
) -> Result:
    """The same, and with departures from missing at random how the answer to a query moves under them."""
    if sensitivity is None:
        return respond(engine, planner, text, asked, params, progress, watch)
    check_query(engine, planner, text, params)
    found = respond(engine, planner, text, asked, params, progress, watch)
    _ = found.estimates

    def again(one: Imputer) -> Mapping[Key, Estimate]:
        return respond(engine, planner, text, asked.by(one), params).by_group

    return found.under(swept(again, asked.imputers, sensitivity))


def _responded(
    engine: DuckDB,
    planner: Planner,
    text: str,
    asked: Asked,
    params: Given,
    progress: Progress | None,
    watch: Watch | None,
    frames: Frames,
) -> Result:
    executed = text if isinstance(engine.texts.statement(text), Execute) else None
    match understood(engine, planner, text, params):
        case PolicyStatement() as about:
            return _told(engine, asked, policies.follow(engine, about))
        case Query(query):
            with engine.own_statements():
                rows = membership(engine, query)
                if rows is not None:
                    return _rows(engine, planner, rows, asked, progress, watch)
            return _answered(engine, planner, query, asked, progress, watch, executed)
        case Keeps() as around:
            return _kept(engine, planner, around, asked, progress, frames, executed)
        case Apart() as apart:
            _check_complete(engine, apart)
            return _as_it_stands(engine, asked, apart.text, by_name(params))
        case Writes() as writing:
            return _warned_of_stored(engine, writing, _as_it_stands(engine, asked, writing.text, by_name(params)))
        case Execute() | Other() as other:
            return _as_it_stands(engine, asked, showing(other.text), by_name(params))
        case _ as never:
            assert_never(never)


def _answered(
    engine: DuckDB,
    planner: Planner,
    query: str,
    asked: Asked,
    progress: Progress | None,
    watch: Watch | None = None,
    executed: str | None = None,
) -> Result:
    """The answer to a query; where EXECUTE asks it and nothing is missing, what DuckDB's prepared statement gives."""
    began = perf_counter()
    with engine.own_statements():
        prepared = planner.prepare(query, asked)
        with engine.shared_snapshot() as changed:
            if changed:  # what it is planned by has to be what it reads
                prepared = planner.prepare(query, asked)
            if executed and not prepared.blocks:
                return _as_it_stands(engine, asked, executed)
            _check_settings(engine, executed)
            planning_ms = (perf_counter() - began) * 1e3
            with engine.own_statements(query):
                found = answer(engine, prepared, asked, planning_ms, progress, watch)
    if "json_execute" in query.lower():  # which may run a statement that writes
        engine.session.changed()
    return found


def _check_settings(engine: DuckDB, executed: str | None) -> None:
    """Refuses EXECUTE of a statement that would be read otherwise than when it was prepared.

    Raises:
        QueryError: the setting by which it was read has changed since.
    """
    statement = engine.texts.statement(executed) if executed else None
    if isinstance(statement, Execute) and not engine.session.reads_alike(statement.name):
        raise QueryError(f"integer_division was changed after PREPARE {statement.name}: prepare it again")


def _rows(
    engine: DuckDB,
    planner: Planner,
    about: Membership,
    asked: Asked,
    progress: Progress | None,
    watch: Watch | None = None,
) -> Result:
    """The rows that qualify in some draw, with the share of the draws in which they do.

    Raises:
        QueryError: no draws are asked for.
    """
    if asked.method != IMPUTATION or not asked.draws:
        raise QueryError("likelihood() is the share of the draws in which a row qualifies: ask for draws, such as m=20")
    found = _answered(engine, planner, about.text, asked, progress, watch)
    held, names, types = about.shown(engine, found.selecting, found.columns, found.report.m)
    report = replace(found.report, notes=(*found.report.notes, *about.notes))
    return Result(engine, held, names, types, report, found.blocks, found.frontier)


def understood(engine: DuckDB, planner: Planner, text: str, params: Given = None) -> Statement:
    """What a text says, with values in place of its parameters; of EXECUTE, what the prepared statement says.

    Raises:
        QueryError: it is not one statement that parses, or parameters and values do not match.
    """
    if not isinstance(text, str):
        raise QueryError(f"the query is {text!r}; it is a text of SQL")
    values = by_name(params)
    statement = engine.texts.statement(text)
    if isinstance(statement, Apart):
        written = _listed(engine, planner, statement.text)
        statement = engine.texts.statement(written) if written else statement
    if isinstance(statement, Execute):
        before = engine.texts.statement(engine.texts.prepared(statement.name))
        if not isinstance(before, Query | Keeps):
            return statement
        return engine.texts.filled(before, engine.texts.evaluated(dict(statement.values)))
    if isinstance(statement, Query | Keeps):
        return engine.texts.filled(statement, engine.texts.constants(values))
    return statement


def _mentioned(engine: DuckDB, words: frozenset[str]) -> list[str]:
    """The tables that miss values, and the views, whose names are among some words."""
    views = [str(name) for (name,) in engine.session.rows("SELECT view_name FROM duckdb_views() WHERE NOT internal")]
    tables = [table.name for table in engine.shapes() if table.name.lower() in words and engine.statistics(table).dirty]
    return sorted({*tables, *(name for name in views if name.lower() in words)})


def _warned_of_stored(engine: DuckDB, writing: Writes, result: Result) -> Result:
    """The result, with a warning where it may rest on values that are missing."""
    names = _mentioned(engine, writing.words)
    if names:
        said = (
            f"nothing is imputed in a query whose WITH writes: of {', '.join(names)} it reads what is stored, and NULL "
            "is NULL; write first, and ask then"
        )
        result.report = replace(result.report, warnings=(*result.report.warnings, said))
    return result


def _listed(engine: DuckDB, planner: Planner, text: str) -> str | None:
    """A statement whose PIVOTs list the values that name their columns; None where those cannot be had.

    A value that is declared missing names none.
    """
    asked = Asked(0.0, chosen("drop"), 0, PLANNED)
    try:
        return listed(
            text,
            unlisted(text),
            lambda query: [str(value) for (value,) in _answered(engine, planner, query, asked, None)],
        )
    except (Error, duckdb_errors.Refused):  # DuckDB's own refusal of the statement says why
        return None


def _pivoted(engine: DuckDB, text: str, result: Result) -> Result:
    """The result of a statement that DuckDB would take apart: it is silent of one that keeps rows, and of what a PIVOT
    made columns of there is a word, if they were of data that were filled in."""
    if not isinstance(engine.texts.statement(text), Apart):
        return result
    if first_word(text) in ("create", "insert", "copy"):
        held = engine.session.held("SELECT CAST(NULL AS BOOLEAN) WHERE false")
        result = Result(engine, held, ["Success"], ["BOOLEAN"], result.report, result.blocks, result.frontier)
    if result.report.strategy not in (VERBATIM, AIPW, BOUNDS):
        names = ", ".join(sorted({one.expression for one in unlisted(text)}))
        note = (
            f"PIVOT: the values of {names} that are observed are its columns; where it is missing it is filled in "
            "before, and a value that is none of them is in no column"
        )
        result.report = replace(result.report, notes=(*result.report.notes, note))
    return result


def _check_complete(engine: DuckDB, apart: Apart) -> None:
    """Refuses a query that DuckDB takes apart where a table or a view that it may read misses values."""
    if _mentioned(engine, apart.words):
        raise Unplanned("PIVOT inside a query, its columns named by the data: list them, PIVOT t ON c IN (...)")


def query_of(engine: DuckDB, planner: Planner, text: str, params: Given = None) -> str:
    """The query that a statement answers, with values in place of its parameters.

    Raises:
        QueryError: it answers none.
    """
    match understood(engine, planner, text, params):
        case Query(query) | Keeps(_, query):
            return query
        case _:
            raise Unplanned("no plan answers this statement: DuckDB runs it, or it is about policies")


def check_query(engine: DuckDB, planner: Planner, text: str, params: Given = None) -> None:
    """Refuses a statement that would be asked again and again, and is no query: each time it might write.

    Raises:
        QueryError: it is none.
    """
    if not isinstance(understood(engine, planner, text, params), Query):
        raise QueryError("this is asked several times over, so only a SELECT query will do, which writes nothing")


def _as_it_stands(engine: DuckDB, asked: Asked, text: str, values: Mapping[str, object] | None = None) -> Result:
    """What DuckDB gives for a statement."""
    began = perf_counter()
    held, columns, types = engine.session.answered(text, values)
    report = replace(_verbatim(asked), notes=engine.session.taken())
    return Result(engine, held, columns, types, _timed(report, began))


def _kept(
    engine: DuckDB,
    planner: Planner,
    around: Keeps,
    asked: Asked,
    progress: Progress | None,
    frames: Frames,
    executed: str | None = None,
) -> Result:
    """Runs a statement over the answer to its query in place of the query; as it stands where nothing is missing.

    The frames that the query reads are gone when the statement runs, which may make or mean a table of such a name.
    """
    about = membership(engine, around.query)
    if about is not None:
        inner = _rows(engine, planner, about, asked, progress)
    else:
        began = perf_counter()
        prepared = planner.prepare(around.query, asked)
        with engine.shared_snapshot(writes=True) as changed:
            if changed:
                prepared = planner.prepare(around.query, asked)
            if not prepared.blocks and not frames.paths and asked.method == IMPUTATION:
                if executed and around.target is None:
                    return _as_it_stands(engine, asked, executed)
                _check_settings(engine, executed)
                return _published(engine, around, prepared.text, asked)
            _check_settings(engine, executed)
            inner = answer(engine, prepared, asked, (perf_counter() - began) * 1e3, progress)
    frames.drop()
    found = _published(engine, around, inner.selecting, asked)
    return _around(found, inner)


def _around(found: Result, inner: Result) -> Result:
    """What a statement gives that keeps the rows of an answer, with the answer's report."""
    found.report = replace(inner.report, notes=(*inner.report.notes, *found.report.notes))
    found.blocks, found.frontier = inner.blocks, inner.frontier
    return found


def _published(engine: DuckDB, around: Keeps, query: str, asked: Asked) -> Result:
    """Runs a statement over a query; the file that it writes appears whole or not at all."""
    if around.target is None:
        return _as_it_stands(engine, asked, around.around(query))
    path, rest = _at_home(engine, around.target[0]), around.target[1]
    with copied(path, switched_on(rest)) as written:
        began = perf_counter()
        text = f"{around.before}{query}{around.after}{quoted(written)}{rest}"
        held, columns, types = engine.session.answered(text)
        shown = [_renamed(name, place, written, path) for place, name in enumerate(columns)]
        held = engine.session.held(f"SELECT {', '.join(shown)} FROM {held.source}")
        return Result(engine, held, columns, types, _timed(_verbatim(asked), began))


def _at_home(engine: DuckDB, path: str) -> str:
    """A path with the home folder in place of the ~ that it begins with, as DuckDB has it."""
    if not path.startswith("~"):
        return path
    [(home,)] = engine.session.rows("SELECT current_setting('home_directory')")
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


def _verbatim(asked: Asked) -> Report:
    return Report(asked.alpha, asked.imputer, asked.seed, VERBATIM)


def _told(engine: DuckDB, asked: Asked, rows: Sequence[Sequence[object]]) -> Result:
    """What is said of policies, as a result."""
    columns = ["table", "column", "policy"]
    arrays = {name: np.array([str(row[place]) for row in rows], object) for place, name in enumerate(columns)}
    named = engine.register(arrays)
    try:
        held = engine.session.held(f'SELECT * FROM "{named}"')
    finally:
        engine.forget([named])
    return Result(engine, held, columns, ["VARCHAR"] * 3, _verbatim(asked))


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
    report = replace(_verbatim(asked), planning_ms=planning_ms, policies=prepared.policies)
    if asked.method != IMPUTATION:
        with engine.snapshot(), translated():
            found = unimputed(engine, prepared, asked)
        report = _timed(replace(report, strategy=asked.method, warnings=found.warnings, notes=found.notes), began)
        told = [(ANSWER, WORDS[asked.method])]
        return Result(engine, found.held, found.columns, found.types, report, told, estimates=found.estimates)
    if not prepared.blocks:
        held = answered(engine, prepared.text)
        return Result(engine, held, prepared.columns, prepared.types, _timed(report, began))
    run = Run(engine, asked, progress, watch)
    with engine.snapshot():
        try:
            pooled = multiple.pooled(engine, prepared, run) if asked.draws else None
            held = pooled.held if pooled else run.through(prepared)
        finally:
            run.clear()
    columns, types = (pooled.columns, pooled.types) if pooled else (prepared.columns, prepared.types)
    report = _timed(replace(report, strategy=strategy(prepared, asked), **run.told()), began)
    report = replace(report, warnings=(*prepared.warnings, *report.warnings))
    if pooled:
        report = replace(report, m=pooled.m, warnings=(*report.warnings, *pooled.warnings))
    elif asked.draws:
        report = replace(report, notes=(*report.notes, multiple.UNPOOLED))
    estimates = pooled.estimates if pooled else None
    return Result(engine, held, columns, types, report, run.drawn, prepared.frontier, estimates)


def _timed(report: Report, began: float) -> Report:
    return replace(report, execution_ms=(perf_counter() - began) * 1e3)
