"""The answer to a query: its rows, its plan, and a report on the treatment of missing values."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cached_property
from importlib.util import find_spec
from itertools import islice
from typing import TYPE_CHECKING, Any

from imputedb import arguments, duckdb_errors, markup
from imputedb.algebra.render import drawn
from imputedb.border import outside, public
from imputedb.diagnostics.paragraph import Facts, paragraph
from imputedb.engines.engine import Engine, Held, Read, Rows
from imputedb.errors import DataError, QueryError
from imputedb.inference.estimate import Estimate
from imputedb.notes import Note, NoteKind, is_of
from imputedb.sql.paths import quoted
from imputedb.sql.tokens import string_literal

if TYPE_CHECKING:
    import pandas as pd
    import polars as pl
    import pyarrow as pa

    from imputedb.algebra.relation import Relation
    from imputedb.diagnostics.departures import Sensitivity
    from imputedb.diagnostics.likelihood import Likely
    from imputedb.imputers.chained.chains import Chains
    from imputedb.inference.doubly_robust import Robust
    from imputedb.planning.frontier import Frontier

HIGH_PENALTY = 0.5
MUCH_DROPPED = 0.2


@dataclass(frozen=True, slots=True)
class Budget:
    """The limits of an answer's time and error, as set, predicted and reached; None for limits that were not set.

    Attributes:
        within_ms: time limit in milliseconds, from text to answer.
        predicted_ms: predicted time of its plan.
        reached_ms: time that it took.
        cut_over: whether the plan was stopped because it took too long, and the fastest plan was run instead.
        short: whether no plan was likely to meet the time limit, so that the fastest plan was run.
        error: limit of the intervals' relative half width.
        predicted_error: that of the widest interval, predicted from the first draws; infinite without intervals.
        reached_error: relative half width of the widest interval.
    """

    within_ms: float | None = None
    predicted_ms: float | None = None
    reached_ms: float | None = None
    cut_over: bool = False
    short: bool = False
    error: float | None = None
    predicted_error: float | None = None
    reached_error: float | None = None


@dataclass(frozen=True, slots=True)
class Report:
    """How a query was answered: the treatment of missing values, and the costs.

    Attributes:
        alpha: requested trade-off; 0 for the best answer, 1 for the fastest.
        imputer: imputers that the planner could choose from; a policy may name another one (`methods`).
        seed: seed of the random numbers.
        strategy: `planned`; `completed`: the statement was run as written over tables that were completed at their
            scans; `mixed`: both; `base`: every table was completed first; `verbatim`: no missing value is read.
        penalty: estimated loss of information of the plan, from 0 to 1.
        estimated_ms: predicted time of the statement, from its plans and from earlier statements.
        planning_ms: time from text to plan, in milliseconds.
        execution_ms: time from plan to answer, in milliseconds.
        imputed: number of imputed cells by column.
        methods: imputer by column: that of its policy, or else of the plan.
        policies: policies of the tables that are read, as text, by table and column.
        values: for imputers fitted to whole tables, whether a table's values in this answer are `expected` or
            `drawn`.
        avoided: number of cells in these columns that did not have to be imputed, by column, compared with completing
            whole tables.
        dropped: number of rows that Drop operators removed.
        warnings: notes that a reader must know, each with its `kind` and `subject` (docs/notes.md).
        notes: other notes, such as reasons why a block was not planned.
        m: number of draws; 1 for single best values.
        convergence: diagnostics of the chains that have converged least; None without chains, or with a single draw.
            nothing to forget.
        budget: limits of time and error; None where alpha has chosen the plan.
        models: imputer of each kept model among `methods`, by the model's title.
    """

    alpha: float
    imputer: str
    seed: int
    strategy: str
    penalty: float = 0.0
    estimated_ms: float = 0.0
    planning_ms: float = 0.0
    execution_ms: float = 0.0
    imputed: Mapping[str, int] = field(default_factory=dict)
    methods: Mapping[str, str] = field(default_factory=dict)
    policies: Mapping[str, str] = field(default_factory=dict)
    values: Mapping[str, str] = field(default_factory=dict)
    avoided: Mapping[str, int] = field(default_factory=dict)
    dropped: int = 0
    warnings: tuple[Note, ...] = ()
    notes: tuple[Note, ...] = ()
    m: int = 1
    convergence: Chains | None = None
    budget: Budget | None = None
    models: Mapping[str, str] = field(default_factory=dict)

    def sentences(self) -> list[str]:
        """Sentences on how the query was answered, and the warnings."""
        if self.strategy == "verbatim":
            return [*self.warnings, *self.notes, "nothing missing was read"]
        cells = ", ".join(f"{count:,} of {name} by {self._method(name)}" for name, count in self.imputed.items())
        done = [f"imputed {cells}" if cells else "imputed nothing", f"dropped {self.dropped:,} rows"]
        drawn = f"pooled of {self.m} draws" if self.m > 1 else f"seed {self.seed}"
        return [*self.warnings, *self.notes, "; ".join([*done, f"penalty {self.penalty:.4f}", drawn])]

    def _method(self, name: str) -> str:
        return self.methods.get(name, self.imputer)

    def _repr_html_(self) -> str:
        """The report as HTML for notebooks."""
        shown = ("alpha", "imputer", "seed", "strategy", "penalty", "planning_ms", "execution_ms", "dropped", "m")
        rows = [[name, getattr(self, name)] for name in shown]
        return markup.table(["report", ""], rows, notes=self.sentences())


@public(lambda result: result._engine.session.reading)
class Result:
    """The rows of an answer, which can be read repeatedly, with their plan and report.

    They are held in memory outside the database, so that later writes and rollbacks do not affect them.

    Attributes:
        columns: names of the output columns.
        types: DuckDB types of the output columns.
        blocks: plan of each block by name, in the order in which they ran; a text where a block has no plan.
        frontier: plans to choose from; None where there is no plan.
        sensitivity: the answer under departures from missing at random; None unless requested.
        report: report on how the query was answered.
        changed: number of rows that a statement has written or deleted; -1 if unknown, None for a query.
    """

    def __init__(
        self,
        engine: Engine,
        held: Held,
        columns: list[str],
        types: list[str],
        report: Report,
        blocks: Sequence[tuple[str, Relation | str]] = (),
        frontier: Frontier | None = None,
        estimates: Sequence[Mapping[str, Estimate | Robust | Likely]] | None = None,
    ) -> None:
        self._engine = engine
        self._held = held
        self.columns = columns
        self.types = types
        self.report = report
        self.blocks = blocks
        self.frontier = frontier
        self._estimates = estimates
        self.sensitivity: Sensitivity | None = None
        self.changed: int | None = None
        self._left: Iterator[tuple[Any, ...]] | None = None

    @cached_property
    def plan(self) -> str:
        """The plan as a tree of text, one for each block."""
        if not self.blocks:
            return "DuckDB, the text as it stands: nothing missing is read"
        return "\n".join(_headed(name, plan) for name, plan in self.blocks)

    @property
    def relation(self) -> Relation | None:
        """The plan of the outermost planned block."""
        return next((plan for _, plan in reversed(self.blocks) if not isinstance(plan, str)), None)

    @property
    def estimates(self) -> Sequence[Mapping[str, Estimate | Robust | Likely]]:
        """The estimates of pooled numbers: row by row, by column name.

        Raises:
            QueryError: nothing was pooled; the message has the reason.
        """
        if self._estimates is None:
            unpooled = next((note for note in self.report.notes if is_of(NoteKind.UNPOOLED, note)), None)
            raise QueryError(
                unpooled or "m = 1 has no interval: one draw cannot show how much draws differ; ask for m=20"
            )
        return self._estimates

    @property
    def has_estimates(self) -> bool:
        """Whether the answer has estimates with intervals."""
        return self._estimates is not None

    @property
    def groups(self) -> list[tuple[str, ...]]:
        """The group of each row: its values, as texts, that belong to no estimate."""
        numbers = {name for row in self.estimates for name in row}
        parts = {f"{name}_{part}" for name in numbers for part in ("se", "low", "high", "fmi")} | numbers | {"in_draws"}
        places = [place for place, name in enumerate(self.columns) if name not in parts]
        return [tuple(str(row[place]) for place in places) for row in self]

    @property
    def by_group(self) -> dict[tuple[tuple[str, ...], str], Estimate]:
        """The estimates by group and name."""
        return {
            (group, name): one
            for group, row in zip(self.groups, self.estimates, strict=True)
            for name, one in row.items()
            if isinstance(one, Estimate)
        }

    def under(self, sensitivity: Sensitivity) -> Result:
        """The same result with the answer under departures from missing at random."""
        self.sensitivity = sensitivity
        self.report = replace(self.report, notes=(*self.report.notes, *sensitivity.sentences()))
        return self

    @property
    def selecting(self) -> str:
        """A SELECT of these rows, valid on the same connection as long as the result exists."""
        items = ", ".join(f"c{place} AS {quoted((name,))}" for place, name in enumerate(self.columns))
        return f"SELECT {items} FROM {self._held.source}"

    @property
    def description(self) -> list[tuple[str, str, None, None, None, None, None]]:
        """Name and DuckDB type of each column, in the form of Python's database interface (PEP 249)."""
        return [(name, kind, None, None, None, None, None) for name, kind in zip(self.columns, self.types, strict=True)]

    def _rows(self) -> list[tuple[Any, ...]]:
        return self._engine.reread(self.selecting)

    def _read(self, form: Callable[[Rows], Read]) -> Read:
        return self._engine.converted(self.selecting, form)

    def fetchall(self) -> list[tuple[Any, ...]]:
        """The rows as tuples: all of them, or those that `fetchone` and `fetchmany` have left."""
        if self._left is None:
            return self._rows()
        left = list(self._left)
        self._left = iter(left)
        return left

    def fetchone(self) -> tuple[Any, ...] | None:
        """The next row; None at the end."""
        rows = self.fetchmany(1)
        return rows[0] if rows else None

    def fetchmany(self, size: int = 1) -> list[tuple[Any, ...]]:
        """The next rows, at most `size`."""
        size = arguments.whole("size", size, 0)
        if self._left is None:
            self._left = iter(self.fetchall())
        return list(islice(self._left, size))

    def first(self, count: int, after: int = 0, items: Sequence[str] = ()) -> list[tuple[Any, ...]]:
        """At most `count` rows after the first `after`; `items` are SQL expressions over the columns c0, c1, ..."""
        cut = f"LIMIT {arguments.whole('count', count, 0)} OFFSET {arguments.whole('after', after, 0)}"
        shown = f"SELECT {', '.join(items)} FROM {self._held.source}" if items else self.selecting
        return self._engine.reread(f"{shown} {cut}")

    def __iter__(self) -> Iterator[tuple[Any, ...]]:
        return iter(self._rows())

    def __len__(self) -> int:
        counting = f"SELECT count(*) FROM {self._held.source}"
        return int(self._engine.reread(counting)[0][0])

    def df(self) -> pd.DataFrame:
        """The rows as a pandas data frame."""
        with _package("pandas"):
            frame: pd.DataFrame = self._read(lambda rows: rows.df())
            return frame

    def pl(self) -> pl.DataFrame:
        """The rows as a polars data frame."""
        with _package("polars"):
            frame: pl.DataFrame = self._read(lambda rows: rows.pl())
            return frame

    def arrow(self) -> pa.Table:
        """The rows as an Arrow table of pyarrow."""
        with _package("pyarrow"):
            table: pa.Table = self._read(lambda rows: rows.to_arrow_table())
            return table

    def fetchnumpy(self) -> dict[str, Any]:
        """The columns as NumPy arrays, masked where they hold NULL."""
        return self._read(lambda rows: rows.fetchnumpy())

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        """The rows as a stream of Arrow's C interface."""
        return outside(lambda: self._engine.streamed(self.selecting, requested_schema))

    def write(self, path: str, format: str) -> None:  # noqa: A002
        """Writes the rows to a file atomically; `format` is csv, json or parquet."""
        from imputedb.files import published

        arguments.one_of("format", format, ("csv", "json", "parquet"))
        with published(str(arguments.path("the path", path))) as temporary:
            self._engine.reread(f"COPY ({self.selecting}) TO {string_literal(temporary)} (FORMAT {format})")

    def __repr__(self) -> str:
        return self._read(str)

    def methods(self) -> str:
        """A paragraph on the treatment of missing values for the methods section of a paper, with citations."""
        one, known = self.report, [one for row in self._estimates or () for one in row.values()]
        done = (one.strategy, one.imputer, one.imputed, one.methods, one.models, one.dropped, one.m, one.seed)
        return paragraph(Facts(*done, one.warnings, one.convergence.rhat if one.convergence else None), known)

    def show(self) -> None:
        """Prints the rows, as DuckDB does, and how the query was answered."""
        print(repr(self))
        for sentence in self.report.sentences():
            print(sentence)

    def _repr_html_(self) -> str:
        """The rows as HTML for notebooks: imputed cells are tinted, intervals are drawn, the report is below."""
        return markup.answer(self.columns, self._rows(), self._estimates, self.report.sentences())


def _headed(name: str, plan: Relation | str) -> str:
    body = plan if isinstance(plan, str) else drawn(plan)
    return f"{name}:\n{body}" if name else body


@contextmanager
def _package(name: str) -> Iterator[None]:
    """Names the missing package where a form of the answer needs one."""
    try:
        yield
    except (ImportError, duckdb_errors.Unconverted) as error:
        if find_spec(name) is not None:
            raise
        raise DataError(f"this form of an answer needs one more package: pip install {name}") from error
