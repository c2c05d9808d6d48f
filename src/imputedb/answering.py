"""The life of a query: text to plan, kept while the data stands still; plan to rows."""

from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from time import perf_counter
from typing import Any

import duckdb

from imputedb import blocks, policies
from imputedb.algebra.column import Column, Columns
from imputedb.algebra.relation import Drop, Impute, Relation, Scan, Table
from imputedb.algebra.walk import bottom_up, scans
from imputedb.blocks import Block, Completed, Planned, Written
from imputedb.engines.duckdb import DuckDB
from imputedb.engines.publish import published
from imputedb.errors import CannotImpute, DataError, InternalError, QueryError, Unplanned
from imputedb.execution import Execution, Watch
from imputedb.filling import Outcome
from imputedb.imputers.imputer import Imputer, Progress
from imputedb.planning import invariant
from imputedb.planning.candidate import Candidate
from imputedb.planning.frontier import Frontier
from imputedb.result import HIGH_PENALTY, MUCH_DROPPED, Report, Result
from imputedb.sql import parse
from imputedb.sql import tree as t
from imputedb.sql.names import extended
from imputedb.sql.statements import Wrapped, is_plainly_query, pivots_inside, policy_statement, wrapped
from imputedb.statistics.statistics import Statistics

PLANNED, BASE, VERBATIM, COMPLETED, MIXED = "planned", "base", "verbatim", "completed", "mixed"
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
    """A query understood: its output, and unless DuckDB may run it as it stands, the blocks that answer it."""

    text: str
    columns: list[str]
    types: list[str]
    blocks: Sequence[Block] = ()

    @property
    def frontier(self) -> Frontier | None:
        """The plans of the outermost block; where it is run as it is written, of what it reads."""
        return next((block.frontier for block in reversed(self.blocks) if not isinstance(block, Written)), None)

    @property
    def is_base(self) -> bool:
        """Whether nothing but tables is completed."""
        return not any(isinstance(block, Planned) for block in self.blocks)


def chosen_plan(engine: DuckDB, block: Planned | Completed, asked: Asked) -> Candidate:
    """The plan that alpha picks, its invariant checked."""
    plan = block.chosen(engine, asked.alpha)
    statistics = block.problem.statistics
    invariant.check(plan.relation, lambda scan: _dirty_of(scan, statistics))
    return plan


def _dirty_of(scan: Scan, statistics: Mapping[str, Statistics]) -> Columns:
    return frozenset(Column(scan.alias, name) for name in statistics[scan.alias].dirty)


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
        key = (text, asked.imputers, asked.strategy, self._engine.state())
        found = self._kept.get(key)
        if found is None:
            self._drop_copies()
            found = self._prepared(text, asked)
            if self._copies:  # files may change without notice
                return found
            # statistics may have been gathered, and kept in the database, on the way
            self._kept[(text, asked.imputers, asked.strategy, self._engine.state())] = found
            if len(self._kept) > _PLANS_KEPT:
                self._forget(self._kept.popitem(last=False)[1])
        return found

    def _drop_copies(self) -> None:
        """Lets go of what was copied for the statement before."""
        self._engine.unmake("TABLE", [table.name for table in self._copies])
        for table in self._copies:
            self._engine.disown(table.name)
        self._copies = []

    def _forget(self, prepared: Prepared) -> None:
        for block in prepared.blocks:
            self._engine.disown(block.name)

    def _prepared(self, text: str, asked: Asked) -> Prepared:
        engine = self._engine
        node = parse.parse(engine.connection, text)
        further = extended(node)
        if further != node:
            node, text = further, engine.text(further)
        columns, types = parse.shape(engine.connection, text)
        found, self._copies = blocks.blocks(engine, node, columns, asked.imputers, base=asked.strategy == BASE)
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
    rows = engine.execute(text)
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
        rows = engine.execute(around.around(inner.selecting))
    else:
        begin, end = around.target
        with published(around.after[begin:end][1:-1].replace("''", "'")) as temporary:
            quoted = "'" + temporary.replace("'", "''") + "'"
            after = f"{around.after[:begin]}{quoted}{around.after[end:]}"
            rows = engine.execute(f"{around.before}{inner.selecting}{after}")
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
    name = engine.answer(" UNION ALL ".join(texts) or nothing, len(columns))
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
    if not prepared.blocks:
        name = _run(engine, engine.verbatim(prepared.text), len(prepared.columns))
        return Result(engine, name, prepared.columns, prepared.types, _timed(report, began))
    run = _Run(engine, asked, progress, watch)
    with engine.snapshot():
        try:
            name = run.through(prepared)
        finally:
            run.clear()
    report = replace(report, strategy=_strategy(prepared, asked), **run.told())
    return Result(engine, name, prepared.columns, prepared.types, _timed(report, began), run.drawn, prepared.frontier)


def _timed(report: Report, began: float) -> Report:
    return replace(report, execution_ms=(perf_counter() - began) * 1e3)


def _strategy(prepared: Prepared, asked: Asked) -> str:
    if asked.strategy == BASE:
        return BASE
    completed = any(isinstance(block, Completed) for block in prepared.blocks)
    if not completed:
        return PLANNED
    return COMPLETED if prepared.is_base else MIXED


@dataclass(slots=True)
class _Run:
    """The blocks of a statement, run one after the other, and what is to be said of them."""

    engine: DuckDB
    asked: Asked
    progress: Progress | None
    watch: Watch | None
    drawn: list[tuple[str, Relation | str]] = field(default_factory=list)
    _names: list[str] = field(default_factory=list)
    _made: dict[str, list[str]] = field(default_factory=lambda: {"VIEW": [], "TABLE": []})
    _plans: list[Candidate] = field(default_factory=list)
    _missing: dict[str, int] = field(default_factory=dict)
    _outcome: Outcome = field(default_factory=Outcome)

    def through(self, prepared: Prepared) -> str:
        """Runs the blocks; the name that the last one's rows are kept under."""
        for block in prepared.blocks:
            if isinstance(block, Completed):
                self._complete(block)
                continue
            if isinstance(block, Planned):
                statement = self._execution(block).run(self._plan(block).relation, self._outcome)
            else:
                statement = block.node
                self.drawn.append((block.name, written_words(block)))
            text = self.engine.text(statement)
            if block.name == blocks.ANSWER:
                return _run(self.engine, text, len(prepared.columns))
            self._made["TABLE"].append(block.name)
            self.engine.make("TABLE", block.name, block.columns, _ordered(block, text))
        raise InternalError("a statement without an answer")

    def _complete(self, block: Completed) -> None:
        names, statement = self._execution(block).complete(self._plan(block).relation, block.asked, self._outcome)
        self._made["VIEW"].append(block.name)
        self.engine.make("VIEW", block.name, names, self.engine.text(statement))

    def _plan(self, block: Planned | Completed) -> Candidate:
        plan = chosen_plan(self.engine, block, self.asked)
        _check_imputable(plan.relation, block.problem.statistics)
        self._plans.append(plan)
        for node in bottom_up(plan.relation):
            for column in node.columns if isinstance(node, Impute) else ():
                self._missing[str(column)] = block.problem.statistics[column.relation].columns[column.name].missing
        self.drawn.append((block.name, plan.relation))
        return plan

    def _execution(self, block: Planned | Completed) -> Execution:
        imputers = {imputer.name: imputer for imputer in self.asked.imputers}
        asked = self.asked
        return Execution(
            self.engine, block.problem.statistics, imputers, asked.seed, self.progress, self.watch, self._names
        )

    def clear(self) -> None:
        """Lets go of everything that was made on the way."""
        for kind, names in self._made.items():
            self.engine.unmake(kind, names)
        self.engine.forget(self._names)

    def told(self) -> dict[str, Any]:
        """What a report has of the run."""
        placements = sum(plan.placements for plan in self._plans)
        penalty = sum(plan.loss for plan in self._plans) / placements if placements else 0.0
        imputed = {str(column): cells for column, cells in sorted(self._outcome.imputed.items())}
        avoided = {name: missing - imputed.get(name, 0) for name, missing in sorted(self._missing.items())}
        return {
            "avoided": {name: cells for name, cells in avoided.items() if cells > 0},
            "penalty": penalty,
            "estimated_ms": sum(plan.time for plan in self._plans),
            "imputed": imputed,
            "dropped": self._outcome.dropped,
            "warnings": tuple(_warnings(penalty, self._outcome)),
            "notes": tuple(_notes(self.drawn)),
        }


def written_words(block: Written) -> str:
    """How a block that is not planned is answered."""
    return f"as it is written: {block.reason}" if block.reason else "as it is written, over the rows above"


def _ordered(block: Planned | Written, text: str) -> str:
    """The rows of a block in an order of their own, unless it states one: threads must not decide."""
    node = block.node if isinstance(block, Written) else None
    ordered = block.problem.query.order if isinstance(block, Planned) else node and node["modifiers"]
    return text if ordered else f"SELECT * FROM ({text}) ORDER BY ALL"


def _notes(drawn: Sequence[tuple[str, Relation | str]]) -> Iterator[str]:
    tables = sorted({scan.table.name for _, plan in drawn if isinstance(plan, Impute | Drop) for scan in scans(plan)})
    where = f"{', '.join(tables)} completed at the scan"
    reasons = [plan.partition(": ")[2] for _, plan in drawn if isinstance(plan, str) and ": " in plan]
    yield from (f"not planned: {reason}; {where}" for reason in reasons)
    if tables and not reasons:
        yield f"not planned: a subquery that reads the block around it; {where}"


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


def _warnings(penalty: float, outcome: Outcome) -> list[str]:
    found = list(outcome.warnings)
    if penalty >= HIGH_PENALTY:
        found.append(
            f"the plan's penalty is {penalty:.2f} of 1: much of what is missing was dropped or guessed; a smaller "
            "alpha answers better"
        )
    if outcome.examined and outcome.dropped / outcome.examined >= MUCH_DROPPED:
        share = outcome.dropped / outcome.examined
        found.append(
            f"{outcome.dropped:,} of {outcome.examined:,} rows ({share:.0%}) were dropped for a missing value; unless "
            "values are missing completely at random, the answer is biased"
        )
    return found
