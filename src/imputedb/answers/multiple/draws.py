"""The draws of the outermost block: a table in the engine, with a row for each group and draw."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from imputedb.algebra.relation import Aggregate, Project, Relation
from imputedb.algebra.scalar import Scalar
from imputedb.algebra.walk import bottom_up
from imputedb.answers.multiple.aggregation import GROUPING, Aggregation
from imputedb.answers.multiple.influence_sums import InfluenceSums
from imputedb.answers.prepared import Prepared
from imputedb.answers.run import Run, translated
from imputedb.blocks.block import PlannedBlock, UnplannedBlock
from imputedb.engines.engine import Engine
from imputedb.execution.plan import Execution
from imputedb.sql import ast as t
from imputedb.sql.ast import Tree
from imputedb.sql.bind import aggregate_calls
from imputedb.sql.combine import BUCKETS, bundled, resampled
from imputedb.sql.generate import DRAW
from imputedb.sql.select import grouped_by, selecting, ungrouped

CELLS = 20_000_000
"""Maximum number of imputed cells in memory, over all draws; with more, draws run one after another."""

_RESAMPLED_DRAWS = 5
_REPLICATES = 50
_ROWS = 10_000_000  # of all bootstrap samples together

Numbers = NDArray[np.float64]


class Draws:
    """The draws that have been computed.

    Attributes:
        m: number of draws.
    """

    def __init__(self, engine: Engine, prepared: Prepared, run: Run, aggregation: Aggregation) -> None:
        self.m = 0
        self._engine, self._run, self._aggregation = engine, run, aggregation
        *self._before, self._last = prepared.blocks
        self._places = {name: place for place, name in enumerate(aggregation.names)}
        self._table: str | None = None
        self._bootstrap: str | None = None
        self._sums = InfluenceSums(aggregation, self._places)
        self._counted: int | None = None
        self._read_numbers: dict[str, Numbers] | None = None

    # -- running ------------------------------------------------------------------------------------------------------

    def add(self, numbers: range) -> None:
        """Computes more draws."""
        self._read_numbers = None
        for chunk in self._chunks(numbers):
            run = replace(self._run, numbers=chunk) if self._table is None else self._run.in_other_draws(chunk)
            kept = run.kept
            run.stage(self._before)
            if isinstance(self._last, PlannedBlock):
                execution, relation = run.ready(self._last)
                below = next(node for node in bottom_up(relation) if isinstance(node, Aggregate))
                self._insert(execution, below, chunk, run)
            elif isinstance(self._last, UnplannedBlock):
                self._insert_written(run.unplanned_statement(self._last), chunk[0], run)
            run.release(kept)
        self.m += len(numbers)

    def _chunks(self, numbers: range) -> Iterator[tuple[int, ...]]:
        """Draws that are computed together: all, unless inner blocks differ by draw or there are too many cells."""
        size = 1
        if isinstance(self._last, PlannedBlock) and not self._before and not self._engine.fills_by_expression:
            problem = self._last.problem
            cells = sum(problem.statistics[c.relation].columns[c.name].missing for c in problem.columns)
            size = max(1, min(len(numbers), CELLS // max(cells, 1)))
        for begin in range(0, len(numbers), size):
            yield tuple(numbers[begin : begin + size])

    def _insert(self, execution: Execution, below: Aggregate, numbers: tuple[int, ...], run: Run) -> None:
        can_be = self._aggregation.together and not self._engine.fills_by_expression
        together = self._together(execution, below, numbers, run) if can_be else None
        if together:
            self._put([together])
            self._put_empty(execution, below, numbers)
        else:
            self._put([self._one(execution, below, number) for number in numbers])
        rows = execution.generator.rows(below.input)
        named = run.keep({DRAW: np.array(numbers, np.int32)})
        for units, places in self._sums.by_units().items():
            self._add_squares(self._sums.selected(rows, units, places), named, units)
        if self._bootstrap is None and self._resampled:
            self._bootstrap = self._resample(execution, below, numbers[:_RESAMPLED_DRAWS], run)

    @property
    def _resampled(self) -> list[int]:
        """The positions of outputs with a bootstrap: those without another variance."""
        return [n for n, one in enumerate(self._aggregation.outputs) if one.bootstrapped]

    def _put_empty(self, execution: Execution, below: Aggregate, numbers: tuple[int, ...]) -> None:
        """Adds the single row of an aggregation without groups, for draws without input rows."""
        if self._aggregation.groups:
            return
        (found,) = self._engine.numbers(f"SELECT c0 FROM temp.{self._table}")
        self._put([self._one(execution, below, number) for number in numbers if number not in set(found)])

    def _put(self, texts: Sequence[str]) -> None:
        if not texts:
            return
        before, self._counted = self._count, None
        united = " UNION ALL ".join(f"({one})" for one in texts)
        identifying = [
            DRAW,
            *(f"g{place}" for place in range(len(self._aggregation.groups))),
            *[GROUPING] * self._aggregation.sets,
        ]
        keys = ", ".join(f'"{name}"' for name in identifying)
        text = f"SELECT *, row_number() OVER (ORDER BY {keys}) + {before - 1} FROM ({united})"
        if self._table is None:
            self._table = self._run.make_table(text, len(self._places) + 1)
        else:
            with translated():
                self._engine.extend(self._table, text)

    def _together(self, execution: Execution, below: Aggregate, numbers: tuple[int, ...], run: Run) -> str | None:
        named = run.keep({DRAW: np.array(numbers, np.int32)})
        aggregation, rows = self._aggregation, execution.generator.rows(below.input)
        outputs = {f"g{place}": tree for place, tree in enumerate(aggregation.groups)} | dict(aggregation.expressions)
        calls = aggregate_calls([*outputs.values()], self._engine.functions.aggregates)
        if not self._engine.combines([rows.expression(call) for call in calls], rows.source):
            return None
        node = bundled(rows, aggregation.groups, outputs, named, calls)
        return self._engine.text(node) if node else None

    def _one(self, execution: Execution, below: Aggregate, number: int) -> str:
        """The statement of one draw."""
        outputs = [Scalar("", frozenset(), tree, name=name) for name, tree in self._items(number).items()]
        grouping = grouped_by(below.grouping, self._aggregation.groups)  # positions and aliases mean other outputs here
        relation: Relation = Project(replace(below, grouping=grouping, having=None), tuple(outputs))
        return self._engine.text(execution.generator.answer(relation, number))

    def _pooled_block(self, node: Tree, number: int) -> Tree:
        """The block with the expressions to be pooled as its outputs, if it is not planned."""
        items = [t.named(tree, name) for name, tree in self._items(number).items()]
        return selecting(grouped_by(node, self._aggregation.groups), items, having=None)

    def _items(self, number: int) -> dict[str, Tree]:
        groups = {f"g{place}": tree for place, tree in enumerate(self._aggregation.groups)}
        return {DRAW: t.cast(t.number(number), t.plain_type("INTEGER")), **groups, **self._aggregation.expressions}

    def _resample(self, execution: Execution, below: Aggregate, numbers: tuple[int, ...], run: Run) -> str:
        """A table of bootstrap samples, with a row for each group, draw and replicate."""
        aggregation, rows = self._aggregation, execution.generator.rows(below.input)
        size = max(1, execution.count(below.input))
        replicates = max(20, min(_REPLICATES, _ROWS // (size * len(numbers))))
        numbers = numbers if size * len(numbers) * replicates <= 2 * _ROWS else numbers[:1]
        within = [aggregation.outputs[n].within for n in self._resampled]
        units = {alias for one in within if one for alias in one.units}
        sources = [rows.value(self._sums.unit(alias)) for alias in execution.ranked(units or rows.columns)]
        outputs = {f"g{place}": tree for place, tree in enumerate(aggregation.groups)}
        outputs |= {f"e{n}": aggregation.expressions[f"e{n}"] for n in self._resampled}
        drawn = run.keep({DRAW: np.array(numbers, np.int32)})
        many = run.keep({"replicate": np.arange(replicates, dtype=np.int64)})
        copies = run.keep({"bucket": _copies()})
        node = resampled(rows, sources, aggregation.groups, outputs, drawn, many, copies)
        return run.make_table(self._engine.text(node), 2 + len(outputs))

    def _insert_written(self, node: Tree, number: int, run: Run) -> None:
        """Adds one draw of a block that is not planned."""
        self._put([self._engine.text(self._pooled_block(node, number))])
        named = run.keep({DRAW: np.array([number], np.int32)})
        for units, places in self._sums.by_units().items():
            read = self._sums.read(places, lambda tree: tree)
            items = {DRAW: t.cast(t.number(number), t.plain_type("INTEGER")), **read}
            shown = [t.named(tree, name) for name, tree in items.items()]
            rows = selecting(ungrouped(node), shown)
            self._add_squares(rows, named, units)

    def _add_squares(self, rows: Tree, named: str, units: tuple[str, ...]) -> None:
        """Adds the sums of squared influences of the newest draws."""
        assert self._table
        node = self._sums.statement(rows, self._table, named, units)
        with translated():
            self._sums.add(units, self._engine.numbers(self._engine.text(node)))

    @property
    def _count(self) -> int:
        """The number of rows of all draws; the last column numbers them."""
        if self._table is None:
            return 0
        if self._counted is None:
            ((count,),) = self._engine.fetched(f"SELECT count(*) FROM temp.{self._table}")
            self._counted = int(count)
        return self._counted

    # -- reading ------------------------------------------------------------------------------------------------------

    def numbers(self) -> dict[str, Numbers]:
        """The numbers of all draws by name, one for each row; `group` is the number of its group, from 1."""
        if self._read_numbers is not None:
            return self._read_numbers
        names = [DRAW, *self._aggregation.numeric]
        items = ", ".join(f"c{self._places[name]}" for name in names)
        values = self._engine.numbers(
            f"SELECT {items}, {self._group} FROM temp.{self._table} ORDER BY c{len(self._places)}"
        )
        found = dict(zip([*names, "group"], values, strict=True))
        for place, one in enumerate(self._aggregation.outputs):
            if one.within and one.within.influence:
                parts = [f"{part}{place}" for part in "vfju"]
                found |= dict(zip(parts, self._sums.variances(place, self._count), strict=True))
        self._read_numbers = found
        return found

    @property
    def _group(self) -> str:
        sets = [f"c{self._places[GROUPING]}"] if self._aggregation.sets else []
        keys = ", ".join([*(f"c{place + 1}" for place in range(len(self._aggregation.groups))), *sets])
        return f"dense_rank() OVER (ORDER BY {keys})" if keys else "1"

    def keys(self) -> str:
        """A SELECT of the outputs that are not pooled as numbers, `k0` and so on, by group number `place`.

        Grouping expressions are equal in all draws. Other outputs have their most frequent value; among equally
        frequent ones the middle one in their order.
        """
        chosen, voted = ["place"], self._voted
        for place, one in enumerate(self._aggregation.outputs):
            if not one.is_number:
                value = f"c{self._places[f'e{place}']}"
                choice = f"quantile_disc({value}, 0.5)" if one.aggregates else f"first({value})"
                if place in voted:
                    most = f"list(DISTINCT {value}) FILTER (WHERE n{place} = most{place})"
                    choice = f"list_sort({most})[(len({most}) + 1) // 2]"
                chosen.append(f"{choice} AS k{place}")
        return f"SELECT {', '.join(chosen)} FROM ({self._votes}) GROUP BY place"

    @property
    def _voted(self) -> list[int]:
        """The positions of outputs that show their most frequent value."""
        outputs = enumerate(self._aggregation.outputs)
        return [n for n, one in outputs if one.aggregates and not (one.is_number or one.in_order or one.made)]

    @property
    def _votes(self) -> str:
        """A SELECT of the draws with the frequency of each value in its group, and the largest of these."""
        same = [f"count(c{self._places[f'e{n}']}) OVER (PARTITION BY place, c{self._places[f'e{n}']}) AS n{n}"
                for n in self._voted]  # fmt: skip
        most = [f"max(n{n}) OVER (PARTITION BY place) AS most{n}" for n in self._voted]
        rows = f"SELECT *, {self._group} AS place FROM temp.{self._table}"
        return f"SELECT {', '.join(['*', *most])} FROM (SELECT {', '.join(['*', *same])} FROM ({rows}))"

    def varying_outputs(self) -> list[int]:
        """The positions of outputs with a different value in each draw of some group."""
        found = []
        for place in self._voted:
            groups = f"SELECT place FROM ({self._votes}) WHERE most{place} = 1 GROUP BY place HAVING count(*) > 1"
            found += [place for _ in self._engine.fetched(f"{groups} LIMIT 1")]
        return found

    def bootstrapped(self) -> dict[int, dict[int, float]]:
        """The variance of bootstrap replicates, averaged over draws, by group and output; subtotals have none."""
        if self._bootstrap is None:
            return {}
        wide = len(self._aggregation.groups)
        places = self._resampled
        keys = [f"c{place + 2}" for place in range(wide)]
        # in a fixed order, since the last digits of a sum depend on it
        shown = ", ".join(f"avg(v{n} ORDER BY c0) AS v{n}" for n in range(len(places)))
        within = ", ".join(f"var_samp(c{2 + wide + n} ORDER BY c1) AS v{n}" for n in range(len(places)))
        listed = "".join(f", {key}" for key in keys)
        same = " AND ".join(f"b.{key} IS NOT DISTINCT FROM d.c{n + 1}" for n, key in enumerate(keys)) or "true"
        found = ", ".join([f"{self._group} AS place", *(f"c{n + 1}" for n in range(wide))])
        if self._aggregation.sets:  # samples exist only for the finest groups
            found, same = f"{found}, c{self._places[GROUPING]} AS level", f"{same} AND d.level = 0"
        groups, *variances = self._engine.numbers(
            f"WITH d AS (SELECT DISTINCT {found} FROM temp.{self._table}), "
            f"w AS (SELECT c0{listed}, {within} FROM temp.{self._bootstrap} GROUP BY c0{listed}), "
            f"b AS (SELECT {shown}{listed} FROM w GROUP BY {', '.join(keys) or 'true'}) "
            f"SELECT d.place, {', '.join(f'b.v{n}' for n in range(len(places)))} FROM d JOIN b ON {same}"
        )
        rows = zip(*variances, strict=True)
        return {
            int(group) - 1: dict(zip(places, map(float, row), strict=True))
            for group, row in zip(groups, rows, strict=True)
        }


def _copies() -> NDArray[np.int64]:
    """The buckets, each repeated by a Poisson quantile of mean 1 at the bucket's midpoint."""
    middles = (np.arange(BUCKETS) + 0.5) / BUCKETS
    steps = np.cumsum(np.exp(-1.0) / np.array([math.factorial(n) for n in range(12)]))
    return np.repeat(np.arange(BUCKETS, dtype=np.int64), np.searchsorted(steps, middles))
