"""An aggregating query as arrays of its rows' values and conditions, for answers without imputation."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imputedb.algebra.column import NO_COLUMNS, Column, Columns
from imputedb.algebra.query import Query
from imputedb.algebra.relation import Fill, Impute, Join, Relation, Scan
from imputedb.algebra.scalar import Scalar
from imputedb.answers.unimputed.quantity import KINDS, Aggregate, Flags, Quantity, Vector
from imputedb.engines.engine import Engine
from imputedb.errors import QueryError
from imputedb.execution.columns import ColumnCache, combined, computed_from
from imputedb.imputers.permit import barred
from imputedb.imputers.rows import Cells, Rows
from imputedb.planning.problem import Problem
from imputedb.sql import ast as t
from imputedb.sql.ast import Tree
from imputedb.sql.bind import columns_in
from imputedb.sql.expression import arguments_of, bound, filter_of, function_of, is_call, is_distinct
from imputedb.sql.generate import ROW, Generator
from imputedb.sql.select import groups_by_all, has_grouping_sets
from imputedb.statistics.table import Statistics


@dataclass(frozen=True)
class Quantities:
    """An aggregating query over stored rows.

    Attributes:
        engine: engine that holds the rows.
        problem: the query with its statistics.
        kinds: the aggregates that the method supports.
        outputs: for each output its aggregate, or the position of a group key.
    """

    engine: Engine
    problem: Problem
    kinds: Sequence[str]
    outputs: tuple[Aggregate | int, ...] = field(default=(), init=False)

    def __post_init__(self) -> None:
        query = self.problem.query
        for clause, name in ((query.having, "HAVING"), (query.qualify, "QUALIFY"), (query.distinct, "DISTINCT")):
            _refuse(clause is not None, f"{name} chooses among answers")
        _refuse(query.groups is None, "rows are not aggregated")
        _refuse(has_grouping_sets(query.grouping), "there are several grouping sets")
        for scalar in query.joins:
            _refuse(bool(self.dirty(scalar.tree)), f"the join {scalar.text} reads a column that misses values")
        for column in self.problem.columns:
            action = self.problem.statistics[column.relation].policy(column.name).action
            _refuse(action != "impute", f"the policy of {column} is {action.upper()}")
            left = bool(self.problem.statistics[column.relation].policy(column.name).below)
            _refuse(left, f"the policy of {column} is MISSING BELOW, of which only imputers tell: leave method out")
        object.__setattr__(self, "outputs", tuple(self._output(scalar) for scalar in query.outputs))

    def _output(self, scalar: Scalar) -> Aggregate | int:
        groups = [group.text for group in groups_of(self.problem.query)]
        if scalar.text in groups:
            return groups.index(scalar.text)
        tree, name = scalar.tree, function_of(scalar.tree)
        kind = KINDS.get(name, "")
        aggregates = ", ".join(one.upper() for one in self.kinds)
        _refuse(not is_call(tree) or kind not in self.kinds, f"{scalar.text} is none of {aggregates}, nor a group")
        _refuse(is_distinct(tree), f"{scalar.text} counts different values")
        return Aggregate(kind, tuple(arguments_of(tree)), filter_of(tree), scalar.text)

    # -- rows -----------------------------------------------------------------------------------------------------

    @cached_property
    def _relation(self) -> Relation:
        first, *others = self.problem.query.sources
        relation: Relation = first
        at_hand, waiting = {first.alias}, list(self.problem.query.joins)
        for scan in others:
            at_hand.add(scan.alias)
            ready = tuple(scalar for scalar in waiting if scalar.relations <= at_hand)
            waiting = [scalar for scalar in waiting if scalar not in ready]
            relation = Join(relation, scan, ready)
        return relation

    def _fetched(
        self, trees: Mapping[str, Tree], fill: Mapping[Column, Tree] | None = None
    ) -> Mapping[str, NDArray[Any]]:
        """The values of expressions in every row, in a fixed order of rows."""
        rows = {f"row of {s.alias}": bound(Column(s.alias, ROW)) for s in self.problem.query.sources}
        generator = Generator(
            lambda scan: self.engine.source(scan.table, scan.alias),
            lambda scan, column: self.engine.reading(scan.table, column.name, scan.alias),
            lambda _, column: Fill((fill or {})[column]),
            lambda _: None,
        )
        relation = Impute(self._relation, frozenset(fill), "") if fill else self._relation
        found = self.engine.arrays(generator.columns(relation, {**rows, **trees}))
        order = np.lexsort([np.ma.getdata(found[name]) for name in rows])
        return {name: array[order] for name, array in found.items()}

    @cached_property
    def _stored(self) -> Mapping[str, NDArray[Any]]:
        query = self.problem.query
        trees: dict[str, Tree] = {f"where {n}": _number(scalar.tree) for n, scalar in enumerate(query.filters)}
        for place, output in enumerate(self.outputs):
            if isinstance(output, Aggregate):
                trees |= {f"value {place} {n}": _number(one) for n, one in enumerate(output.arguments)}
                trees |= {f"filter {place}": _number(output.condition)} if output.condition else {}
        for place, group in enumerate(groups_of(query)):
            trees[f"key {place}"] = t.cast(group.tree, t.plain_type("VARCHAR"))
        return self._fetched(trees)

    @property
    def count(self) -> int:
        """The number of rows before WHERE, n."""
        return len(self._rows_of(self.problem.query.sources[0]))

    def _rows_of(self, scan: Scan) -> NDArray[np.int64]:
        return np.ma.getdata(self._stored[f"row of {scan.alias}"]).astype(np.int64, copy=False)

    def dirty(self, tree: Tree | Sequence[Tree]) -> Columns:
        """The incomplete columns that an expression reads."""
        return frozenset(c for c in columns_in(tree) if not c.stored and c.name in self._of(c).dirty)

    def _of(self, column: Column) -> Statistics:
        return self.problem.statistics[column.relation]

    def _missing(self, columns: Columns) -> Flags:
        """(n,) whether any of some columns is missing."""
        found = np.zeros(self.count, bool)
        for scan in self.problem.query.sources:
            names = [column.name for column in columns if column.relation == scan.alias]
            for cells in self._cache(scan).cells(names, self._rows_of(scan)).values() if names else ():
                found |= cells.missing
        return found

    def _cache(self, scan: Scan) -> ColumnCache:
        return ColumnCache(self.engine, scan, self.problem.statistics[scan.alias])

    # -- quantities -----------------------------------------------------------------------------------------------

    def value(self, place: int) -> Quantity | None:
        """The argument of an aggregate; None for COUNT(*).

        Raises:
            QueryError: it is NULL although all columns that it reads are observed.
        """
        output = self.outputs[place]
        assert isinstance(output, Aggregate)
        return next(iter(self.values(place)), None)

    def values(self, place: int) -> list[Quantity]:
        """The arguments of an aggregate.

        Raises:
            QueryError: one is NULL although all columns that it reads are observed.
        """
        output = self.outputs[place]
        assert isinstance(output, Aggregate)
        found = []
        for n, argument in enumerate(output.arguments):
            array, reads = self._stored[f"value {place} {n}"], self.dirty(argument)
            observed = ~self._missing(reads)
            meant = bool((np.ma.getmaskarray(array) & observed).any())
            _refuse(meant, f"{output.text} reads a NULL that means something")
            found.append(Quantity(np.ma.filled(array, np.nan), observed, reads))
        return found

    def _conditions(self, place: int) -> Mapping[str, Tree]:
        output = self.outputs[place]
        assert isinstance(output, Aggregate)
        named = {f"where {n}": scalar.tree for n, scalar in enumerate(self.problem.query.filters)}
        return {**named, f"filter {place}": output.condition} if output.condition else named

    def conditions(self, place: int) -> tuple[Flags, Quantity | None]:
        """(n,) where the conditions of WHERE and FILTER over complete columns hold; and the other conditions."""
        sure, unsure = np.ones(self.count, bool), None
        for name, tree in self._conditions(place).items():
            holds, reads = np.ma.filled(self._stored[name], 0.0), self.dirty(tree)
            if not reads:
                sure &= holds > 0
                continue
            one = Quantity(holds, ~self._missing(reads), reads)
            unsure = one if unsure is None else unsure.times(one)
        return sure, unsure

    def membership(self, place: int, settled: Callable[[Tree], tuple[Flags, Flags]]) -> tuple[Flags, Flags]:
        """(n,) the rows that certainly meet WHERE and FILTER, and those that possibly do, by three-valued logic.

        For a condition over incomplete columns, `settled` gives the rows in which it always holds, and in which it
        never does.
        """
        certain, denied = np.ones(self.count, bool), np.zeros(self.count, bool)
        for name, tree in self._conditions(place).items():
            missing = np.ma.getmaskarray(self._stored[name])
            holds = np.ma.filled(self._stored[name], 0.0) > 0
            unknown = missing & self._missing(self.dirty(tree))
            always, never = settled(tree)
            certain &= holds | (unknown & always)
            denied |= ~holds & (~unknown | never)
        return certain, ~certain & ~denied

    def filled(self, tree: Tree, values: Mapping[Column, Tree]) -> Vector:
        """(n,) the values of an expression with constants for missing cells; NaN for NULL."""
        found = self._fetched({"value": _number(tree)}, values)["value"]
        return np.ma.filled(found, np.nan)

    def cells(self, column: Column, *, joined: bool = False) -> Cells:
        """A column in all rows of its table or, if `joined`, in all rows of the query before WHERE."""
        scan = next(scan for scan in self.problem.query.sources if scan.alias == column.relation)
        return self._cache(scan).cells([column.name], self._rows_of(scan) if joined else None)[column.name]

    @cached_property
    def keys(self) -> tuple[list[tuple[str | None, ...]], NDArray[np.intp], Quantity | None]:
        """The groups as texts of their keys, the group of each row, and whether it is known (None if it always is)."""
        groups = groups_of(self.problem.query)
        reads = self.dirty([group.tree for group in groups])
        absent = self._missing(reads)
        texts = [_texts(self._stored[f"key {place}"]) for place in range(len(groups))]
        rows: list[tuple[str | None, ...]] = list(zip(*texts, strict=True)) if texts else [()] * self.count
        seen = {key for key, missing in zip(rows, absent.tolist(), strict=True) if not missing}
        nothing: list[tuple[str | None, ...]] = [()]
        found = sorted(seen, key=lambda key: [(part is not None, part or "") for part in key]) if texts else nothing
        _refuse(self.count > 0 and not found, "what it groups by is observed in no row")
        places = {key: place for place, key in enumerate(found)}
        codes = np.array([places.get(key, -1) for key in rows], np.intp)
        return found, codes, Quantity(np.ones(self.count), ~absent, reads) if reads else None

    def check_rows_stand_alone(self) -> None:
        """Refuses a join that repeats incomplete rows, since estimates assume that rows are independent.

        Raises:
            QueryError: the join repeats such rows.
        """
        for scan in self.problem.query.sources:
            incomplete = any(column.relation == scan.alias for column in self.problem.columns)
            rows = self._rows_of(scan)
            repeated = incomplete and len(np.unique(rows)) < len(rows)
            _refuse(repeated, f"the join repeats rows of {scan.alias}, which misses values: its rows depend on another")

    # -- what may predict, and what may be ------------------------------------------------------------------------

    def barred(self, column: Column, columns: Sequence[Column]) -> Columns:
        """The columns that may not predict a column by its policy, under any alias."""
        tables = {scan.alias: scan.table for scan in self.problem.query.sources}
        policy = self._of(column).policy(column.name)
        _refuse(bool(policy.before), f"{column} is predicted from earlier rows only, which this method does not")
        _refuse(
            bool(policy.order), f"{column} is PARTITION BY ... ORDER BY, which only imputers follow: leave method out"
        )
        for clause, given in (("weighted (WEIGHT)", policy.weight), ("clustered (CLUSTER)", policy.cluster)):
            _refuse(bool(given), f"{column} is {clause}, of which only imputers know: leave method out")
        same = [c for c in columns if tables[c.relation] == tables[column.relation]]
        derived = [c for c in columns if not self.engine.keeps(tables[c.relation])]
        return barred(policy, column, same, derived) | computed_from(self._of(column), column, same)

    def predictors(self, without: Columns) -> Rows:
        """The rows with all columns that may predict others, except some."""
        columns: dict[Column, Cells] = {}
        for scan in self.problem.query.sources:
            regressors = sorted(self.problem.statistics[scan.alias].regressors)
            names = [name for name in regressors if Column(scan.alias, name) not in without]
            cells = self._cache(scan).cells(names, self._rows_of(scan)) if names else {}
            columns |= {Column(scan.alias, name): cells[name] for name in names}
        keys = combined([self._cache(scan).keys(self._rows_of(scan)) for scan in self.problem.query.sources])
        kept_out = NO_COLUMNS.union(*(self.barred(column, list(columns)) for column in without))
        return Rows({c: cells for c, cells in columns.items() if c not in kept_out}, keys)

    def fillers(self, columns: Columns) -> set[str]:
        """The names of the imputers that policies give to some columns."""
        names = [self._of(column).policy(column.name).imputer for column in columns]
        return {name for name in names if name}


def groups_of(query: Query) -> Sequence[Scalar]:
    """The grouping expressions of a query; for GROUP BY ALL, the outputs without aggregates."""
    if not groups_by_all(query.grouping):
        return query.groups or ()
    return [one for one in query.outputs if not any(call.text in one.text for call in query.aggregates)]


def _texts(array: NDArray[Any]) -> list[str | None]:
    values, absent = np.ma.getdata(array).tolist(), np.ma.getmaskarray(array).tolist()
    return [None if missing else str(value) for value, missing in zip(values, absent, strict=True)]


def _number(tree: Tree) -> Tree:
    return t.cast(tree, t.plain_type("DOUBLE"))


def _refuse(wrong: bool, why: str) -> None:
    if wrong:
        raise QueryError(f"no such answer to this query: {why}")
