"""Running the blocks of a statement: plans to rows, in the order in which they read each other."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any, Literal, get_args

from imputedb import arguments, duckdb_errors
from imputedb.algebra.column import Column, Columns
from imputedb.algebra.relation import Drop, Impute, Relation, Scan, Table
from imputedb.algebra.walk import bottom_up, scans
from imputedb.answers.multiple.measures import Measures
from imputedb.blocks.block import Block, Completed, Planned, Written
from imputedb.blocks.showing import not_imputable
from imputedb.engines.engine import Engine, Held
from imputedb.errors import CannotImpute, DataError, InternalError, QueryError
from imputedb.execution.impute import Outcome
from imputedb.execution.plan import Execution, Watch
from imputedb.imputers.chained.chains import worst
from imputedb.imputers.mean import Mean
from imputedb.imputers.protocol import Imputer, Progress
from imputedb.imputers.rows import Array
from imputedb.inference.estimate import Question
from imputedb.models.kept import PREFIX, kept
from imputedb.planning import invariant
from imputedb.planning.candidate import Candidate
from imputedb.planning.dropped_rows import considered
from imputedb.planning.frontier import Frontier
from imputedb.result import HIGH_PENALTY, MUCH_DROPPED
from imputedb.sql.ast import Tree
from imputedb.statistics.measure import is_coded
from imputedb.statistics.table import Statistics

PLANNED, BASE, VERBATIM, COMPLETED, MIXED = "planned", "base", "verbatim", "completed", "mixed"

EXPECTED, DRAWN = "expected", "drawn"

Fit = Literal["query", "table"]
"""To what imputers are fitted: to the rows that a query reads, or to whole tables, their values kept."""

IMPUTATION, AIPW, ML, BOUNDS = "imputation", "aipw", "ml", "bounds"


_EQUAL = (
    "Imputed values may be equal to others where the true ones are not: let the subquery aggregate, such as max(x), or "
    "end in LIMIT 1."
)


@dataclass(frozen=True, slots=True)
class Asked:
    """What a user asks for along with a query.

    Attributes:
        m: number of draws, None for as many as the precision needs.
        question: what intervals are about.
        level: of their confidence.
        precision: coefficient of variation of standard errors, where m is to be found.
        measures: aggregates that have a variance within a draw.
        method: `imputation`; `aipw`, doubly robust; `ml`, maximum likelihood; or `bounds`, by the worst case.
        deviations: what missing cells may hold, for bounds; None for the range that is observed.
        weights: what each row counts as, an expression in SQL; None for 1.
        clusters: the column of the clusters that were sampled; None for those that policies name.
        fit: to what imputers are fitted.
        values: `expected` or `drawn`, of imputers that are fitted to tables; None for what each statement needs.
        draw: the number of that draw.
    """

    alpha: float
    imputers: tuple[Imputer, ...]
    seed: int
    strategy: str
    m: int | None = 1
    question: Question = "population"
    level: float = 0.95
    precision: float = 0.05
    measures: Measures = field(default_factory=Measures)
    method: str = IMPUTATION
    deviations: float | None = None
    weights: str | None = None
    clusters: str | None = None
    fit: Fit = "query"
    values: str | None = None
    draw: int = 0

    def __post_init__(self) -> None:
        arguments.one_of("method", self.method, (IMPUTATION, AIPW, ML, BOUNDS))
        if self.method != IMPUTATION and self.m != 1:
            raise QueryError(f"method {self.method!r} makes no draws: leave m out")
        arguments.one_of("strategy", self.strategy, (PLANNED, BASE))
        arguments.one_of("fit", self.fit, get_args(Fit))
        arguments.one_of("interval", self.question, get_args(Question))
        if self.fit == "table":
            if self.method != IMPUTATION:
                raise QueryError(f"method {self.method!r} fits models of its own: leave fit out")
            object.__setattr__(self, "imputers", kept(self.imputers))
        checked: dict[str, object] = {  # plain numbers: NumPy's are hashed differently
            "alpha": _alpha(self.alpha),
            "seed": arguments.seed(self.seed),
            "level": arguments.share("level", self.level),
            "precision": arguments.share("precision", self.precision, example="such as 0.05"),
        }
        if self.m is not None:
            checked["m"] = arguments.draws(self.m, 1, example=", or is 'auto'; 1 has no interval")
        if self.deviations is not None:
            checked["deviations"] = self._checked_deviations(self.deviations)
        if self.weights is not None:
            checked["weights"] = arguments.text("weights", self.weights, example="a column")
        if self.clusters is not None:
            checked["clusters"] = arguments.text("clusters", self.clusters, example="a column")
            if self.m == 1:
                raise QueryError("clusters are of the intervals of draws: ask for some, such as m=20")
        for name, value in checked.items():
            object.__setattr__(self, name, value)

    def _checked_deviations(self, given: object) -> float:
        if self.method != BOUNDS:
            raise QueryError(f"deviations say what method {BOUNDS!r} takes missing numbers to be: ask for it, or none")
        found = arguments.real("deviations", given, example="of standard deviations, such as 2")
        if found < 0:
            raise QueryError(f"deviations are {given!r}; they are standard deviations, such as 2, and not negative")
        return found

    def by(self, imputer: Imputer) -> "Asked":
        """The same, of one imputer."""
        return replace(self, imputers=(imputer,))

    @property
    def imputer(self) -> str:
        """The names of the imputers."""
        return ",".join(imputer.name for imputer in self.imputers) or "drop"

    @property
    def draws(self) -> bool:
        """Whether more than the single best answer is asked for."""
        return self.m != 1

    @property
    def always(self) -> bool:
        """Whether a query is planned where nothing is missing too."""
        return self.draws or self.method != IMPUTATION


def _alpha(given: object) -> float:
    found = arguments.real("alpha", given)
    if not 0 <= found <= 1:
        raise QueryError(f"alpha is {given!r}; it goes from 0 (the best answer) to 1 (the fastest)")
    return found


@dataclass(frozen=True, slots=True)
class Prepared:
    """A query understood.

    Attributes:
        text: of the query.
        columns: the names of its output.
        types: DuckDB's.
        blocks: that answer it; none where DuckDB may run it as it stands.
        warnings: what is to be warned of.
        policies: of the tables that it reads, in words, by table and column.
    """

    text: str
    columns: list[str]
    types: list[str]
    blocks: Sequence[Block] = ()
    warnings: tuple[str, ...] = ()
    policies: Mapping[str, str] = field(default_factory=dict)

    @property
    def frontier(self) -> Frontier | None:
        """The plans of the outermost block; where it is run as it is written, of what it reads."""
        return next((block.frontier for block in reversed(self.blocks) if not isinstance(block, Written)), None)

    @property
    def is_base(self) -> bool:
        """Whether nothing but tables is completed."""
        return not any(isinstance(block, Planned) for block in self.blocks)


def chosen_plan(engine: Engine, block: Planned | Completed, asked: Asked) -> Candidate:
    """The plan that alpha picks, its invariant checked."""
    plan = block.chosen(engine, asked.alpha)
    statistics = block.problem.statistics
    invariant.check(plan.relation, lambda scan: _dirty_of(scan, statistics))
    return plan


def deciding_tables(prepared: Prepared, values: str | None = None) -> frozenset[Table]:
    """The tables of which an incomplete column decides somewhere in a statement which rows count.

    All of them where values are to be drawn, none where they are to be expected ones.
    """
    found: set[Table] = set()
    for block in prepared.blocks:
        if not isinstance(block, Written) and values is not None:
            found |= {scan.table for scan in block.problem.query.sources if values == DRAWN}
        elif not isinstance(block, Written):
            tables = {scan.alias: scan.table for scan in block.problem.query.sources}
            statistics = block.problem.statistics
            decide = block.problem.query.deciding
            found |= {tables[c.relation] for c in decide if c.name in statistics[c.relation].dirty}
    return frozenset(found)


def _dirty_of(scan: Scan, statistics: Mapping[str, Statistics]) -> Columns:
    return frozenset(Column(scan.alias, name) for name in statistics[scan.alias].dirty)


@dataclass(slots=True)
class Run:
    """The blocks of a statement, run one after the other, and what is to be said of them.

    Attributes:
        numbers: of the draws that are run together; None for the single best values.
        again_only: whether nothing is told of it, because it is told of another run.
        drawn: the plan of each block by its name.
        drawn_tables: tables of which kept values are the first draw.
    """

    engine: Engine
    asked: Asked
    progress: Progress | None = None
    watch: Watch | None = None
    numbers: tuple[int, ...] | None = None
    drawn: list[tuple[str, Relation | str]] = field(default_factory=list)
    again_only: bool = False
    drawn_tables: frozenset[Table] = frozenset()
    _names: list[str] = field(default_factory=list)
    _made: dict[str, list[str]] = field(default_factory=lambda: {"VIEW": [], "TABLE": []})
    _plans: list[Candidate] = field(default_factory=list)
    _missing: dict[str, int] = field(default_factory=dict)
    _coded: set[str] = field(default_factory=set)
    _outcome: Outcome = field(default_factory=Outcome)
    _joined: set[str] = field(default_factory=set)
    _values: dict[str, str] = field(default_factory=dict)

    def through(self, prepared: Prepared) -> Held:
        """Runs the blocks; the rows of the last one."""
        self.drawn_tables = deciding_tables(prepared, self.asked.values)
        *before, last = prepared.blocks
        self.stage(before)
        if isinstance(last, Completed):
            raise InternalError("a statement without an answer")
        return answered(self.engine, self.engine.text(self._statement(last)), imputed=True)

    def stage(self, before: Sequence[Block]) -> None:
        """Runs the blocks that others read."""
        for block in before:
            if isinstance(block, Completed):
                execution, plan = self.execution(block), self.plan(block).relation
                names, statement = execution.complete(plan, block.asked, self._outcome, row_ids=block.row_ids)
                self._made["VIEW"].append(block.name)
                with translated():
                    self.engine.make("VIEW", block.name, names, self.engine.text(statement))
            else:
                text = self.engine.text(self._statement(block))
                self._made["TABLE"].append(block.name)
                with translated(imputed=True):
                    self.engine.make("TABLE", block.name, block.columns, _ordered(block, text))

    def _statement(self, block: Planned | Written) -> Tree:
        if isinstance(block, Planned):
            return self.execution(block).run(self.plan(block).relation, self._outcome)
        return self.written(block)

    def written(self, block: Written) -> Tree:
        """The statement of a block that is not planned."""
        self._joined |= {block.name} if joins(block.node) else set()
        self.drawn.append((block.name, written_words(block)))
        return block.node

    def ready(self, block: Planned) -> tuple[Execution, Relation]:
        """A block with its imputing done, in all draws."""
        execution = self.execution(block)
        return execution, execution.ready(self.plan(block).relation, self._outcome)

    def again(self, numbers: tuple[int, ...]) -> "Run":
        """The same statement in other draws, of which nothing is told."""
        return Run(
            self.engine,
            self.asked,
            self.progress,
            numbers=numbers,
            again_only=True,
            drawn_tables=self.drawn_tables,
            _names=self._names,
            _made=self._made,
        )

    def plan(self, block: Planned | Completed) -> Candidate:
        """The plan of a block, noted down."""
        plan = chosen_plan(self.engine, block, self.asked)
        _check_imputable(plan.relation, block.problem.statistics)
        self._plans.append(plan)
        for node in bottom_up(plan.relation):
            if not isinstance(node, Impute):
                continue
            for column in node.columns:
                self._missing[str(column)] = block.problem.statistics[column.relation].columns[column.name].missing
                self._note_kept(block, node, column)
                if is_coded(block.problem.statistics[column.relation], column.name):
                    self._coded.add(str(column))
        self.drawn.append((block.name, plan.relation))
        self._count_dropped(block, plan)
        return plan

    def _note_kept(self, block: Planned | Completed, node: Impute, column: Column) -> None:
        if node.imputer.startswith(PREFIX):
            table = next(scan.table for scan in block.problem.query.sources if scan.alias == column.relation)
            drawn = self.numbers is not None or table in self.drawn_tables
            self._values[table.name] = DRAWN if drawn else EXPECTED

    def _count_dropped(self, block: Planned | Completed, plan: Candidate) -> None:
        if self.again_only:
            return
        for one in considered(plan.relation, block.problem):
            self.execution(block).count_dropped(one.rows, one.columns, self._outcome)
            if isinstance(block, Completed):
                self._outcome.unconditioned.update(scan.table.name for scan in scans(one.rows))

    def execution(self, block: Planned | Completed) -> Execution:
        """What runs its plan."""
        asked, statistics = self.asked, block.problem.statistics
        imputers = {imputer.name: imputer for imputer in asked.imputers}
        decided = block.problem.query.deciding
        return Execution(
            self.engine,
            statistics,
            imputers,
            asked.seed,
            self.progress,
            self.watch,
            self._names,
            self.numbers,
            decided,
            self.drawn_tables,
            asked.draw,
        )

    @property
    def kept(self) -> int:
        """How many sets of rows are registered for this statement."""
        return len(self._names)

    def release(self, since: int) -> None:
        """Lets go of the rows that were registered after the first so many."""
        self.engine.forget(self._names[since:])
        del self._names[since:]

    def keep(self, columns: Mapping[str, Array]) -> str:
        """Registers arrays for as long as the run lasts."""
        self._names.append(self.engine.register(columns))
        return self._names[-1]

    def gathered(self, text: str, width: int) -> str:
        """Makes a table of a query for as long as the run lasts, of the name that is returned."""
        with translated():
            name = self.engine.gather(text, width)
        self._made["TABLE"].append(name)
        return name

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
        coded = self._coded & _some(imputed)
        modes = {str(column) for column, names in self._outcome.methods.items() if Mean.name in names} & coded
        avoided = {name: missing - imputed.get(name, 0) for name, missing in sorted(self._missing.items())}
        return {
            "avoided": {name: cells for name, cells in avoided.items() if cells > 0},
            "penalty": penalty,
            "estimated_ms": sum(plan.time for plan in self._plans),
            "imputed": imputed,
            "methods": {
                str(column): ", ".join(names)
                for column, names in sorted(self._outcome.methods.items())
                if imputed.get(str(column))
            },
            "values": dict(sorted(self._values.items())),
            "dropped": self._outcome.dropped,
            "convergence": worst(self._outcome.chains),
            "warnings": (
                *_warnings(penalty, self._outcome),
                *_apart(self.drawn if self._joined else []),
                *map(_mode, sorted(modes)),
            ),
            "notes": (
                *_notes(self.drawn, self.asked),
                *dict.fromkeys(self._outcome.notes),
                *map(_codes, sorted(coded - modes)),
            ),
        }


def written_words(block: Written) -> str:
    """How a block that is not planned is answered."""
    return f"as it is written: {block.reason}" if block.reason else "as it is written, over the rows above"


def _ordered(block: Planned | Written, text: str) -> str:
    """The rows of a block in an order of their own, unless it states one: threads must not decide."""
    node = block.node if isinstance(block, Written) else None
    ordered = block.problem.query.order if isinstance(block, Planned) else node and node["modifiers"]
    return text if ordered else f"SELECT * FROM ({text}) ORDER BY ALL"


def joins(node: Tree) -> bool:
    """Whether a SELECT, or one inside it, joins what it reads."""
    if isinstance(node, dict):
        return node.get("type") == "JOIN" or any(map(joins, node.values()))
    return isinstance(node, list) and any(map(joins, node))


def _apart(drawn: Sequence[tuple[str, Relation | str]]) -> Iterator[str]:
    """What is to be said of tables that were completed below a join that is not planned."""
    for _, plan in drawn:
        if isinstance(plan, Impute):
            names = sorted({scan.table.name for scan in scans(plan)})
            columns = ", ".join(sorted(column.name for column in plan.columns))
            yield (
                f"{columns} of {', '.join(names)} were completed from columns of their own table, below the join: "
                "their relations with columns of other tables come out weaker"
            )


def _some(imputed: Mapping[str, int]) -> set[str]:
    return {name for name, cells in imputed.items() if cells}


def _codes(column: str) -> str:
    return f"{column} is imputed as codes of categories; a policy of it says AS NUMERIC where it is one of numbers"


def _mode(column: str) -> str:
    return (
        f"{column} is taken for codes of categories, and its most frequent one is filled in: averages lean to it; a "
        "policy AS NUMERIC fills in the mean"
    )


def _notes(drawn: Sequence[tuple[str, Relation | str]], asked: Asked) -> Iterator[str]:
    tables = sorted({scan.table.name for _, plan in drawn if isinstance(plan, Impute | Drop) for scan in scans(plan)})
    silent = ", where alpha drops nothing" if asked.alpha > 0 and asked.imputers else ""
    where = f"; {', '.join(tables)} completed at the scan{silent}" if tables else ""
    reasons = [plan.partition(": ")[2] for _, plan in drawn if isinstance(plan, str) and ": " in plan]
    yield from (f"not planned: {reason}{where}" for reason in reasons)
    if tables and not reasons:
        yield f"not planned: a subquery that reads the block around it{where}"


def answered(engine: Engine, text: str, *, imputed: bool = False) -> Held:
    """Runs the last statement, over imputed values if need be; its rows."""
    with translated(imputed=imputed):
        return engine.held(text)


@contextmanager
def translated(*, imputed: bool = False) -> Iterator[None]:
    """DuckDB's refusals of a statement that the user never saw as errors of ours, without the place in it."""
    try:
        yield
    except duckdb_errors.OutOfMemory as error:
        raise DataError(f"out of memory: {str(error).splitlines()[0]}") from error
    except duckdb_errors.Refused as error:
        reason = duckdb_errors.translated(error)
        message = str(reason).splitlines()[0]
        if imputed and message.startswith("More than one row returned by a subquery"):
            message += f" {_EQUAL}"
        raise type(reason)(message) from error


def _check_imputable(relation: Relation, statistics: Mapping[str, Statistics]) -> None:
    for node in bottom_up(relation):
        if isinstance(node, Impute):
            for column in sorted(node.columns):
                known = statistics[column.relation].columns[column.name]
                if known.centre is None:
                    reason = not_imputable(statistics[column.relation], column.name)
                    raise CannotImpute(
                        f"{column} has missing values and {reason}: leave it out, or drop those rows with "
                        f"imputer 'drop'"
                    )


def _warnings(penalty: float, outcome: Outcome) -> list[str]:
    found = list(outcome.warnings)
    found += [one.warning for one in outcome.chains if one.doubtful]
    if penalty >= HIGH_PENALTY:
        found.append(
            f"the plan's penalty is {penalty:.2f} of 1: much of what is missing was dropped or guessed; a smaller "
            "alpha answers better"
        )
    if outcome.examined and outcome.dropped / outcome.examined >= MUCH_DROPPED:
        share = outcome.dropped / outcome.examined
        tables = ", ".join(sorted(outcome.unconditioned))
        where = f", of {tables} before the query's conditions" if tables else ""
        found.append(
            f"{outcome.dropped:,} of {outcome.examined:,} rows ({share:.0%}) were dropped for a missing value{where}; "
            "unless values are missing completely at random, the answer is biased"
        )
    return found


def strategy(prepared: Prepared, asked: Asked) -> str:
    """The word for how a statement was answered."""
    if asked.strategy == BASE:
        return BASE
    completed = any(isinstance(block, Completed) for block in prepared.blocks)
    if not completed:
        return PLANNED
    return COMPLETED if prepared.is_base else MIXED
