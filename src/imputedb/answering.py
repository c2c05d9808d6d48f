"""The life of a query: text to plan, kept while the data stands still; plan to rows."""

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import replace
from time import perf_counter

from imputedb import policies, uncertainty
from imputedb.algebra.relation import Table
from imputedb.blocks.block import ANSWER
from imputedb.blocks.statement import blocks
from imputedb.engines.duckdb import DuckDB
from imputedb.engines.publish import published
from imputedb.errors import QueryError, Unplanned
from imputedb.execution import Watch
from imputedb.imputers.imputer import Progress
from imputedb.result import Report, Result
from imputedb.running import BASE, IMPUTATION, VERBATIM, Asked, Prepared, Run, answered, strategy, translated
from imputedb.sql import parse
from imputedb.sql import tree as t
from imputedb.sql.asking import extended
from imputedb.sql.statements import Wrapped, is_plainly_query, pivots_inside, policy_statement, wrapped
from imputedb.unimputed import WORDS, unimputed

_PLANS_KEPT = 256


class Planner:
    """Prepares queries on an engine, and remembers those it has prepared until something is written."""

    def __init__(self, engine: DuckDB) -> None:
        self._engine = engine
        self._kept: OrderedDict[object, Prepared] = OrderedDict()
        self._copies: list[Table] = []

    def prepare(self, text: str, asked: Asked) -> Prepared:
        """The query with its frontier.

        Raises:
            QueryError: DuckDB rejects the query, or it is not planned yet.
        """
        key = (text, asked.imputers, asked.strategy, asked.always, self._engine.session.state())
        found = self._kept.get(key)
        if found is None:
            self._drop_copies()
            found = self._prepared(text, asked)
            if self._copies:  # files may change without notice
                return found
            # statistics may have been gathered, and kept in the database, on the way
            self._kept[(text, asked.imputers, asked.strategy, asked.always, self._engine.session.state())] = found
            if len(self._kept) > _PLANS_KEPT:
                self._forget(self._kept.popitem(last=False)[1])
        return found

    def _drop_copies(self) -> None:
        """Lets go of what was copied for the statement before."""
        self._engine.temporary.unmake("TABLE", [table.name for table in self._copies])
        for table in self._copies:
            self._engine.tables.disown(table.name)
        self._copies = []

    def _forget(self, prepared: Prepared) -> None:
        for block in prepared.blocks:
            self._engine.tables.disown(block.name)

    def _prepared(self, text: str, asked: Asked) -> Prepared:
        engine = self._engine
        node = engine.texts.tree(text)
        further = extended(node)
        if further != node:
            node, text = further, engine.text(further)
        columns, types = engine.texts.outputs(text)
        base, always = asked.strategy == BASE, asked.always
        found, self._copies = blocks(engine, node, columns, asked.imputers, base=base, always=always)
        if self._copies:
            engine.texts.forget_outputs(text)
        return Prepared(text, columns, types, found)


def respond(
    engine: DuckDB,
    prepare: Planner,
    text: str,
    asked: Asked,
    progress: Progress | None = None,
    watch: Watch | None = None,
) -> Result:
    """The result of any statement: a query is answered; one that keeps the rows of a query keeps those of its answer;
    one about policies is followed; any other is DuckDB's."""
    if not isinstance(text, str):
        raise QueryError(f"the query is {text!r}; it is a text of SQL")
    if not is_plainly_query(text):
        other = _other(engine, prepare, text, asked, progress)
        if other is not None:
            return other
    began = perf_counter()
    prepared = prepare.prepare(text, asked)
    return answer(engine, prepared, asked, (perf_counter() - began) * 1e3, progress, watch)


def _other(engine: DuckDB, prepare: Planner, text: str, asked: Asked, progress: Progress | None) -> Result | None:
    """The result of a statement that is no query; None of a query."""
    about = policy_statement(text)
    if about is not None:
        return _told(engine, asked, ["table", "column", "policy"], policies.follow(engine, about))
    around = wrapped(text)
    if around is not None:
        return _kept(engine, prepare, around, asked, progress)
    if parse.is_query(engine.connection, text):
        return None
    if pivots_inside(text):
        raise Unplanned("PIVOT inside a query, its columns named by the data: list them, PIVOT t ON c IN (...)")
    rows = engine.session.execute(text)
    return _told(engine, asked, ["Count"], rows if _is_count(rows) else [])


def _is_count(rows: Sequence[Sequence[object]]) -> bool:
    """Whether a statement gave how many rows it changed, and not rows of its own."""
    return len(rows) == 1 and len(rows[0]) == 1 and isinstance(rows[0][0], int)


def _kept(engine: DuckDB, prepare: Planner, around: Wrapped, asked: Asked, progress: Progress | None) -> Result:
    """Runs a statement over the answer to its query in place of the query."""
    inner = respond(engine, prepare, around.query, asked, progress)
    if around.answers:
        name, columns, types = engine.pivoted(around.around(inner.selecting))
        return Result(engine, name, columns, types, inner.report, inner.blocks, inner.frontier)
    if around.target is None:
        rows = engine.session.execute(around.around(inner.selecting))
    else:
        begin, end = around.target
        with published(around.after[begin:end][1:-1].replace("''", "'")) as temporary:
            quoted = "'" + temporary.replace("'", "''") + "'"
            after = f"{around.after[:begin]}{quoted}{around.after[end:]}"
            rows = engine.session.execute(f"{around.before}{inner.selecting}{after}")
    told = _told(engine, asked, ["Count"], rows)
    told.report, told.blocks, told.frontier = inner.report, inner.blocks, inner.frontier
    return told


def _told(engine: DuckDB, asked: Asked, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> Result:
    """Rows that no query gave, as a result."""
    types = ["BIGINT" if name == "Count" else "VARCHAR" for name in columns]
    kinds = [t.plain_type(kind) for kind in types]
    made = [[t.cast(t.literal(str(value)), kind) for value, kind in zip(row, kinds, strict=True)] for row in rows]
    texts = [engine.text(t.select(row, None)) for row in made]
    nothing = engine.text(t.select([t.cast(t.literal(None), kind) for kind in kinds], None, t.literal(False)))
    name = engine.temporary.answer(" UNION ALL ".join(texts) or nothing, len(columns))
    return Result(engine, name, list(columns), types, Report(asked.alpha, asked.imputer, asked.seed, VERBATIM))


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
    report = Report(asked.alpha, asked.imputer, asked.seed, VERBATIM, planning_ms=planning_ms)
    if asked.method != IMPUTATION:
        with engine.snapshot(), translated():
            found = unimputed(engine, prepared, asked)
        report = _timed(replace(report, strategy=asked.method, warnings=found.warnings, notes=found.notes), began)
        told = [(ANSWER, WORDS[asked.method])]
        return Result(engine, found.name, found.columns, found.types, report, told, estimates=found.estimates)
    if not prepared.blocks:
        name = answered(engine, engine.session.verbatim(prepared.text), len(prepared.columns))
        return Result(engine, name, prepared.columns, prepared.types, _timed(report, began))
    run = Run(engine, asked, progress, watch)
    with engine.snapshot():
        try:
            pooled = uncertainty.pooled(engine, prepared, run) if asked.draws else None
            name = pooled.name if pooled else run.through(prepared)
        finally:
            run.clear()
    columns, types = (pooled.columns, pooled.types) if pooled else (prepared.columns, prepared.types)
    report = _timed(replace(report, strategy=strategy(prepared, asked), **run.told()), began)
    if pooled:
        report = replace(report, m=pooled.m, warnings=(*report.warnings, *pooled.warnings))
    elif asked.draws:
        report = replace(report, notes=(*report.notes, uncertainty.UNPOOLED))
    estimates = pooled.estimates if pooled else None
    return Result(engine, name, columns, types, report, run.drawn, prepared.frontier, estimates)


def _timed(report: Report, began: float) -> Report:
    return replace(report, execution_ms=(perf_counter() - began) * 1e3)
