"""The answer of many draws: each aggregate as one estimate with its error, its interval and what is missing of it."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import duckdb
import numpy as np
from numpy.typing import NDArray

from imputedb.algebra.column import Column
from imputedb.algebra.relation import Aggregate, Project, Relation, SortKey
from imputedb.algebra.scalar import Scalar
from imputedb.algebra.walk import bottom_up
from imputedb.blocks import Planned
from imputedb.engines.duckdb import DuckDB
from imputedb.execution import Execution
from imputedb.inference.answers import Estimate, estimated, unbounded
from imputedb.inference.how_many import enough
from imputedb.inference.outputs import Output, columns, output
from imputedb.running import MOST_DRAWS, Asked, Prepared, Run, answered
from imputedb.sql import tree as t
from imputedb.sql.bundled import BUCKETS, bundled, resampled
from imputedb.sql.generate import DRAW, ROW
from imputedb.sql.tree import Tree

UNPOOLED = (
    "no intervals: the outermost block is no aggregation that draws could be pooled of; these are single best values"
)

PILOT = 20
"""Draws that tell how many are needed (von Hippel 2020)."""

CELLS = 20_000_000
"""Imputed cells that are held at once, in all draws; of more, draws run one after the other."""

_RESAMPLED_DRAWS = 5
_REPLICATES = 50
_ROWS = 10_000_000  # of all bootstrap samples together

_PARTS = ("se", "low", "high", "fmi")


class Pooled(NamedTuple):
    """An answer that was pooled.

    Attributes:
        name: what its rows are kept under.
        columns: their names.
        types: DuckDB's.
        estimates: row by row, by the name of the output.
        m: draws.
        warnings: sentences a reader must know.
    """

    name: str
    columns: list[str]
    types: list[str]
    estimates: Sequence[Mapping[str, Estimate]]
    m: int
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Block:
    """The block that answers: what it groups by, what it shows, and beyond the outputs what it is ordered by."""

    groups: Sequence[Tree]
    outputs: Sequence[Output]
    shown: int
    having: Tree | None
    order: Sequence[tuple[int, SortKey]]
    limit: Tree | None
    sets: bool


def pooled(engine: DuckDB, prepared: Prepared, run: Run) -> Pooled | None:
    """The pooled answer; None where the outermost block is not one whose draws could be pooled."""
    last = prepared.blocks[-1]
    block = _block(engine, last, prepared, run.asked) if isinstance(last, Planned) else None
    if block is None or not isinstance(last, Planned):
        return None
    draws = _Draws(engine, prepared, run, block)
    asked = run.asked
    draws.add(range(asked.m or PILOT))
    found = draws.estimates()
    warnings: tuple[str, ...] = ()
    if asked.m is None:
        need = enough(
            [one.fmi for row in found for one in row.values() if one.fmi > 0] or [0.0], PILOT, cv=asked.precision
        )
        if need.m > MOST_DRAWS:
            warnings = (f"{need.m:,} draws would be needed for standard errors within {asked.precision:.0%}; "
                        f"{MOST_DRAWS:,} were made",)  # fmt: skip
        if need.m > PILOT:
            draws.add(range(PILOT, min(need.m, MOST_DRAWS)))
            found = draws.estimates()
    return draws.answer(found, warnings)


def _block(engine: DuckDB, last: Planned, prepared: Prepared, asked: Asked) -> _Block | None:
    query = last.problem.query
    if query.groups is None or query.qualify or query.distinct:
        return None
    aggregates = engine.functions.aggregates
    units = t.number(max(int(one.rows) for one in last.problem.statistics.values()) if last.problem.statistics else 1)

    def known(scalar: Scalar, kind: str) -> Output:
        return output(scalar.name, kind, scalar.tree, aggregates, asked.measures, units)

    outputs = [known(scalar, kind) for scalar, kind in zip(query.outputs, prepared.types, strict=True)]
    order = []
    for key in query.order:
        place = _place(key.scalar, query.outputs)
        if place is None:
            place = len(outputs)
            outputs.append(known(key.scalar, "DOUBLE" if _is_aggregate(key.scalar, query.aggregates) else "ANY"))
        order.append((place, key))
    sets = len(query.grouping["group_sets"]) > 1
    having = query.having.tree if query.having else None
    limit = query.limit[1] if query.limit else None
    groups = [group.tree for group in query.groups]
    if query.grouping["aggregate_handling"] == "FORCE_AGGREGATES":  # GROUP BY ALL
        groups = [one.tree for one in outputs[: len(query.outputs)] if not one.aggregates]
    return _Block(groups, outputs, len(query.outputs), having, order, limit, sets)


def _is_aggregate(scalar: Scalar, aggregates: Sequence[Scalar]) -> bool:
    return any(one.text in scalar.text for one in aggregates)


def _place(scalar: Scalar, outputs: Sequence[Scalar]) -> int | None:
    """Which output an ORDER BY key means: by its position, its name or its text."""
    if scalar.tree["class"] == "CONSTANT" and scalar.text.isdigit():
        return int(scalar.text) - 1
    name = scalar.text.strip('"').lower()
    named = [place for place, one in enumerate(outputs) if not scalar.reads and one.name.lower() == name]
    same = [place for place, one in enumerate(outputs) if one.text == scalar.text]
    return next(iter([*named, *same]), None)


class _Draws:
    """The draws of one block: a table of them in the engine, a row a group and draw."""

    def __init__(self, engine: DuckDB, prepared: Prepared, run: Run, block: _Block) -> None:
        self.engine, self.prepared, self.run, self.block = engine, prepared, run, block
        self.last = prepared.blocks[-1]
        self.asked = columns(block.outputs)
        self.names = [DRAW, *(f"g{place}" for place in range(len(block.groups))), *self.asked]
        self.m = 0
        self._table: str | None = None
        self._bootstrap: str | None = None

    # -- running ------------------------------------------------------------------------------------------------------

    def add(self, numbers: range) -> None:
        """Runs more draws."""
        for chunk in self._chunks(numbers):
            run = replace(self.run, numbers=chunk) if self._table is None else self.run.again(chunk)
            run.stage(self.prepared.blocks[:-1])
            assert isinstance(self.last, Planned)
            execution, relation = run.ready(self.last)
            below = next(node for node in bottom_up(relation) if isinstance(node, Aggregate))
            self._insert(execution, below, chunk, run)
        self.m += len(numbers)

    def _chunks(self, numbers: range) -> Iterator[tuple[int, ...]]:
        """Draws that run together: all, unless blocks below differ by draw or there are too many cells."""
        assert isinstance(self.last, Planned)
        statistics = self.last.problem.statistics
        cells = sum(statistics[c.relation].columns[c.name].missing for c in self.last.problem.columns)
        size = len(numbers) if len(self.prepared.blocks) == 1 else 1
        size = max(1, min(size, CELLS // max(cells, 1)))
        for begin in range(0, len(numbers), size):
            yield tuple(numbers[begin : begin + size])

    def _insert(self, execution: Execution, below: Aggregate, numbers: tuple[int, ...], run: Run) -> None:
        together = None if self.block.sets else self._together(execution, below, numbers, run)
        texts = [together] if together else [self._one(execution, below, number) for number in numbers]
        try:
            self._put(texts)
        except duckdb.Error:  # an aggregate whose state cannot be combined
            if not together:
                raise
            self._put([self._one(execution, below, number) for number in numbers])
        if self._bootstrap is None and any(one.bootstrapped for one in self.block.outputs):
            self._bootstrap = self._resample(execution, below, numbers[:_RESAMPLED_DRAWS], run)

    def _put(self, texts: Sequence[str]) -> None:
        text = " UNION ALL ".join(f"({one})" for one in texts)
        if self._table is None:
            self._table = answered(self.engine, text, len(self.names))
        else:
            self.engine.execute(f"INSERT INTO temp.{self._table} {text}")

    def _together(self, execution: Execution, below: Aggregate, numbers: tuple[int, ...], run: Run) -> str | None:
        named = run.keep({DRAW: np.array(numbers, np.int32)})
        rows = execution.generator.rows(below.input)
        groups = {f"g{place}": tree for place, tree in enumerate(self.block.groups)}
        aggregates = self.engine.functions.aggregates
        node = bundled(rows, self.block.groups, {**groups, **self.asked}, self.block.having, named, aggregates)
        return self.engine.text(node) if node else None

    def _one(self, execution: Execution, below: Aggregate, number: int) -> str:
        """The statement of one draw."""
        groups = [Scalar("", frozenset(), tree, name=f"g{place}") for place, tree in enumerate(self.block.groups)]
        asked = [Scalar("", frozenset(), tree, name=name) for name, tree in self.asked.items()]
        draw = Scalar("", frozenset(), t.cast(t.number(number), t.plain_type("INTEGER")), name=DRAW)
        relation: Relation = Project(below, (draw, *groups, *asked))
        return self.engine.text(execution.generator.answer(relation, number))

    def _resample(self, execution: Execution, below: Aggregate, numbers: tuple[int, ...], run: Run) -> str:
        """A table of bootstrap samples, a row a group, draw and replicate."""
        rows = execution.generator.rows(below.input)
        size = max(1, execution.count(below.input))
        replicates = max(20, min(_REPLICATES, _ROWS // (size * len(numbers))))
        numbers = numbers if size * len(numbers) * replicates <= 2 * _ROWS else numbers[:1]
        sources = [rows.value(Column(alias, ROW)) for alias in sorted(rows.columns)]
        outputs = {f"g{place}": tree for place, tree in enumerate(self.block.groups)}
        outputs |= {f"e{n}": self.asked[f"e{n}"] for n, one in enumerate(self.block.outputs) if one.bootstrapped}
        drawn = run.keep({DRAW: np.array(numbers, np.int32)})
        many = run.keep({"replicate": np.arange(replicates, dtype=np.int64)})
        copies = run.keep({"bucket": _copies()})
        node = resampled(rows, sources, self.block.groups, outputs, drawn, many, copies)
        return answered(self.engine, self.engine.text(node), 2 + len(outputs))

    # -- pooling ------------------------------------------------------------------------------------------------------

    def estimates(self) -> list[dict[str, Estimate]]:
        """Group by group, in the order of what they are grouped by, each number that is pooled."""
        arrays = self._arrays()
        groups, draws = arrays["group"].astype(np.intp), arrays[DRAW]
        count = int(groups.max()) if len(groups) else 0
        order = np.lexsort((draws, groups))
        bounds = np.searchsorted(groups[order], np.arange(1, count + 2))
        resampled_variances = self._resampled_variances()
        found = []
        for group in range(count):
            mine = order[bounds[group] : bounds[group + 1]]
            found.append(
                {
                    self._key(place): one
                    for place, asked in enumerate(self.block.outputs)
                    if asked.is_number and (one := self._estimate(place, arrays, mine, group, resampled_variances))
                }
            )
        return found

    def _key(self, place: int) -> str:
        return self.block.outputs[place].name if place < self.block.shown else f" {place}"

    def _estimate(
        self,
        place: int,
        arrays: Mapping[str, NDArray[np.float64]],
        mine: NDArray[np.intp],
        group: int,
        bootstrap: Mapping[tuple[int, int], float],
    ) -> Estimate | None:
        asked, out = self.run.asked, self.block.outputs[place]
        numbers = arrays[f"e{place}"][mine]
        has = ~np.isnan(numbers)
        if not has.any():
            return None
        share = float(has.sum()) / self.m
        if np.isinf(numbers).any():
            return unbounded(numbers[has], asked.question, asked.level, share)
        variances, df = None, math.inf
        if out.within:
            df = float(np.nanmean(arrays[f"f{place}"][mine][has]))
            variances = np.full(int(has.sum()), bootstrap.get((place, group), math.nan))
            if out.within.variance:
                variances = arrays[f"v{place}"][mine][has]
        return estimated(numbers[has], variances, df, out.scale, asked.question, asked.level, share, out.reason)

    def _arrays(self) -> dict[str, NDArray[np.float64]]:
        """The numbers of all draws, and the number of each one's group, counted from 1."""
        places = {name: place for place, name in enumerate(self.names) if name[0] in "evf" or name == DRAW}
        places = {name: place for name, place in places.items() if name == DRAW or self._is_number(name)}
        items = ", ".join(f"c{place}" for place in places.values())
        values = self.engine.numbers(f"SELECT {items}, {self._group()} FROM temp.{self._table}")
        return dict(zip([*places, "group"], values, strict=True))

    def _is_number(self, name: str) -> bool:
        return self.block.outputs[int(name[1:])].is_number

    def _group(self) -> str:
        keys = ", ".join(f"c{place + 1}" for place in range(len(self.block.groups)))
        return f"dense_rank() OVER (ORDER BY {keys})" if keys else "1"

    def _resampled_variances(self) -> dict[tuple[int, int], float]:
        """By output and group the variance of its bootstrap replicates, the mean over draws."""
        if self._bootstrap is None:
            return {}
        wide = len(self.block.groups)
        places = [place for place, one in enumerate(self.block.outputs) if one.bootstrapped]
        keys = [f"c{place + 2}" for place in range(wide)]
        shown = ", ".join(f"avg(v{n}) AS v{n}" for n in range(len(places)))
        within = ", ".join(f"var_samp(c{2 + wide + n}) AS v{n}" for n in range(len(places)))
        listed = "".join(f", {key}" for key in keys)
        same = " AND ".join(f"b.{key} IS NOT DISTINCT FROM d.c{n + 1}" for n, key in enumerate(keys)) or "true"
        found = ", ".join([f"{self._group()} AS place", *(f"c{n + 1}" for n in range(wide))])
        values = self.engine.numbers(
            f"WITH d AS (SELECT DISTINCT {found} FROM temp.{self._table}), "
            f"w AS (SELECT c0{listed}, {within} FROM temp.{self._bootstrap} GROUP BY c0{listed}), "
            f"b AS (SELECT {shown}{listed} FROM w GROUP BY {', '.join(keys) or 'true'}) "
            f"SELECT d.place, {', '.join(f'b.v{n}' for n in range(len(places)))} FROM d JOIN b ON {same}"
        )
        groups, *variances = values
        return {
            (place, int(group) - 1): float(one)
            for place, column in zip(places, variances, strict=True)
            for group, one in zip(groups, column, strict=True)
        }

    # -- answering ----------------------------------------------------------------------------------------------------

    def answer(self, found: Sequence[Mapping[str, Estimate]], warnings: tuple[str, ...]) -> Pooled:
        """The rows of the answer, pooled, in the order and up to the limit that the query asks for."""
        shown = list(enumerate(self.block.outputs[: self.block.shown]))
        items, names, types = [], [], []
        for place, out in shown:
            items.append(self._pooled_item(place))
            names.append(out.name)
            types.append("DOUBLE" if out.is_number else out.type)
            for part in _PARTS if out.is_number else ():
                items.append(t.reference("r", f"{part}{place}"))
                names.append(f"{out.name}_{part}")
                types.append("DOUBLE")
        if self.block.groups:
            items.append(t.reference("r", "share"))
            names.append("in_draws")
            types.append("DOUBLE")
        name = answered(self.engine, self._final([*items, t.reference("r", "group")], found), len(items) + 1)
        rows = [int(row) - 1 for row in self.engine.numbers(f"SELECT c{len(items)} FROM temp.{name}")[0]]
        pooled_rows = [{key: one for key, one in found[row].items() if not key.startswith(" ")} for row in rows]
        return Pooled(
            name,
            names,
            types,
            pooled_rows,
            self.m,
            (*warnings, *_reasons(self.block.outputs[: self.block.shown], self.run.asked)),
        )

    def _pooled_item(self, place: int) -> Tree:
        out = self.block.outputs[place]
        if out.is_number:
            return t.reference("r", f"e{place}")
        return t.reference("k", f"k{place}")

    def _final(self, items: Sequence[Tree], found: Sequence[Mapping[str, Estimate]]) -> str:
        assert self._table
        numbers = self.run.keep(self._pooled_columns(found))
        keys = [place for place, out in enumerate(self.block.outputs) if not out.is_number]
        chosen = ", ".join(["place", *(self._one_of(place) for place in keys)])
        numbered = f"SELECT *, {self._group()} AS place FROM temp.{self._table}"
        orders = [
            {"type": key.direction, "null_order": key.nulls, "expression": self._pooled_item(place)}
            for place, key in self.block.order
        ]
        orders.append({"type": "ASCENDING", "null_order": "ORDER_DEFAULT", "expression": t.reference("r", "group")})
        modifiers: list[Tree] = [{"type": "ORDER_MODIFIER", "orders": orders}]
        modifiers += [self.block.limit] if self.block.limit else []
        source = t.inner(t.table(("imputedb_pooled_keys",), "k"), t.table((numbers,), "r"),
                         t.compared("COMPARE_EQUAL", t.reference("k", "place"), t.reference("r", "group")))  # fmt: skip
        node = t.select(items, source, modifiers=modifiers)
        grouped = f"SELECT {chosen} FROM ({numbered}) GROUP BY place"
        return f"WITH imputedb_pooled_keys AS ({grouped}) {self.engine.text(node)}"

    def _one_of(self, place: int) -> str:
        """Of the draws' values of an output that is no number: what tells groups is the same in all of them."""
        choice = "mode" if self.block.outputs[place].aggregates else "first"
        return f"{choice}(c{self.names.index(f'e{place}')}) AS k{place}"

    def _pooled_columns(self, found: Sequence[Mapping[str, Estimate]]) -> dict[str, NDArray[np.generic]]:
        made: dict[str, NDArray[np.generic]] = {"group": np.arange(1, len(found) + 1)}
        arrays = self._arrays()
        counts = np.bincount(arrays["group"].astype(np.intp), minlength=len(found) + 1)[1:]
        made["share"] = counts / self.m
        for place, out in enumerate(self.block.outputs):
            if not out.is_number:
                continue
            cells = [row.get(self._key(place)) for row in found]
            made[f"e{place}"] = _column([one.estimate if one else math.nan for one in cells])
            intervals = [one.interval() if one else (math.nan, math.nan) for one in cells]
            made[f"se{place}"] = _column([one.se if one else math.nan for one in cells])
            made[f"low{place}"] = _column([low for low, _ in intervals])
            made[f"high{place}"] = _column([high for _, high in intervals])
            made[f"fmi{place}"] = _column([one.fmi if one else math.nan for one in cells])
        return made


def _column(values: Sequence[float]) -> NDArray[np.float64]:
    """Numbers as a column, NULL where there is none."""
    array = np.array(values, np.float64)
    return np.ma.masked_array(array, np.isnan(array))


def _reasons(outputs: Sequence[Output], asked: Asked) -> Iterator[str]:
    for out in outputs:
        if out.reason and (asked.question == "population" or not out.is_number):
            yield f"{out.name}: {out.reason}"


def _copies() -> NDArray[np.int64]:
    """Each bucket as often as a Poisson variable of mean 1 says at the bucket's middle."""
    middles = (np.arange(BUCKETS) + 0.5) / BUCKETS
    steps = np.cumsum(np.exp(-1.0) / np.array([math.factorial(n) for n in range(12)]))
    return np.repeat(np.arange(BUCKETS, dtype=np.int64), np.searchsorted(steps, middles))
