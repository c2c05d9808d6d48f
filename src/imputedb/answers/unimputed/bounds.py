"""Worst-case bounds of a query's aggregates, for any missing values and any cause of missingness."""

import itertools
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from imputedb.algebra.column import Column, Columns
from imputedb.answers.unimputed.quantity import Aggregate
from imputedb.answers.unimputed.rows import Quantities, groups_of
from imputedb.engines.engine import Engine
from imputedb.errors import CannotImpute, DataError, QueryError
from imputedb.imputers.permitted import bounds
from imputedb.inference.bounds import RowBounds, limits
from imputedb.inference.rubin import Interval
from imputedb.planning.problem import Problem
from imputedb.sql import ast as t
from imputedb.sql.ast import Tree
from imputedb.sql.bind import columns_in
from imputedb.sql.expression import arguments_of, function_of, kind_of, operation_of, sides_of, type_of
from imputedb.statistics.measure import ends
from imputedb.statistics.policy import Policy, number
from imputedb.statistics.table import Kind

KINDS = ("avg", "sum", "count", "min", "max")

MOST = 256
"""Maximum number of combinations of values for the columns of one aggregate."""

_MONOTONE = {"+", "-", "*", "/", "exp", "ln", "log", "log2", "log10", "sqrt", "round", "floor", "ceil", "greatest"}
_MONOTONE |= {"least", "sum_no_overflow", "trunc"}
_TURNING = {"VARCHAR", "TEXT", "STRING", "CHAR", "BPCHAR", "NVARCHAR", "BOOLEAN", "BOOL", "LOGICAL"}
"""Types that do not preserve the order of numbers: as texts, 100 comes before 9; as booleans, only 0 is false."""

_KEPT = {"+", "-", "greatest", "least"}
"""Functions that are monotone in each argument."""

_STEPS = {"COMPARE_LESSTHAN", "COMPARE_GREATERTHAN", "COMPARE_LESSTHANOREQUALTO", "COMPARE_GREATERTHANOREQUALTO"}

Keys = list[tuple[str | None, ...]]
Flags = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class WorstCase:
    """Bounds on AVG, SUM, COUNT, MIN and MAX (`inference.bounds`).

    An aggregate is evaluated with its missing cells at both ends of their range, and for categories at every level, so
    it must be monotone in each number. Rows belong certainly or possibly by SQL's three-valued logic.

    Warning: if an aggregate and a condition read the same incomplete column, the bounds are valid but wider than
    necessary, since each assumes its own worst case.

    Attributes:
        engine: engine that holds the rows.
        problem: query with its statistics.
        deviations: range of missing cells: the mean -+ so many standard deviations; None for the observed range. A
            range of a policy always applies.
    """

    engine: Engine
    problem: Problem
    deviations: float | None = None

    def bounds(self) -> tuple[Keys, list[list[Interval | None]]]:
        """The groups, and for each group the bounds of each output; None for a key.

        Raises:
            QueryError: the query is not supported; the message says why.
            DataError: a column has no observed value, and no range is declared.
        """
        found = Quantities(self.engine, self.problem, KINDS)
        found.check_rows_stand_alone()
        keys, codes, grouped = found.keys
        unknown = np.zeros(len(codes), bool) if grouped is None else ~grouped.observed
        table: list[list[Interval | None]] = [[None] * len(found.outputs) for _ in keys]
        reachable = self._reachable(found, codes, len(keys), bool(unknown.any()))
        for place, output in enumerate(found.outputs):
            if not isinstance(output, Aggregate):
                continue
            low, high = self._ends(found, place, output)
            certain, possible = found.membership(place, lambda tree: self._settled(found, tree))
            for group in range(len(keys)):
                mine = (codes == group) & ~unknown
                maybe = (possible & mine) | ((certain | possible) & unknown & bool(reachable[group]))
                table[group][place] = _bounds(output.kind, RowBounds(low, high, certain & mine, maybe))
        return keys, table

    def _reachable(self, found: Quantities, codes: NDArray[np.intp], count: int, unknown: bool) -> Flags:
        """By group, whether a row with a missing key may belong to it, by RANGE and VALUES of the key.

        Raises:
            QueryError: rows have an `unknown` key, and no observed group is permitted for it, so that they would be
                lost.
        """
        fine = np.ones(count, bool)
        for tree in (group.tree for group in groups_of(self.problem.query)):
            for column in found.dirty(tree) if t.is_reference(tree) else ():
                policy = self._policy(column)
                if not policy.bounds:
                    continue
                cells = found.cells(column, joined=True)
                permitted = np.zeros(found.count, bool)
                with suppress(CannotImpute):
                    permitted = bounds(str(column), policy, cells).permits(cells.values) & ~cells.missing
                fine &= np.bincount(codes[permitted & (codes >= 0)], minlength=count) > 0
                if unknown and not fine.any():
                    raise QueryError(
                        f"no bounds by {column}: no key that its policy permits ({policy}) is observed, and rows whose "
                        "key is missing would be in no group; allow others"
                    )
        return fine

    def _settled(self, found: Quantities, tree: Tree) -> tuple[Flags, Flags]:
        """(n,) where a condition holds for all permitted values of missing cells, and where it holds for none.

        Only declared ranges (RANGE, VALUES) are used, not the observed range.
        """
        reads, nowhere = found.dirty(tree), np.zeros(found.count, bool)
        is_bounded = any(self._policy(column).bounds for column in reads)
        if not is_bounded or not all(_moves_one_way(tree, column) for column in self._numbers(reads)):
            return nowhere, nowhere
        least, most = self._extremes(found, tree, reads, -1), self._extremes(found, tree, reads, 1)
        return (nowhere if least is None else least[0]), (nowhere if most is None else ~most[1])

    def _extremes(self, found: Quantities, tree: Tree, reads: Columns, side: int) -> tuple[Flags, Flags] | None:
        """(n,) where a condition holds for all possible values of missing cells, and where it holds for some.

        Cells of columns in which it is monotone are taken at the end where it holds least (-1) or most (1); those of
        others at both ends. None where such an end is not declared, or where there are too many combinations.
        """
        columns, numbers, choices = sorted(reads), self._numbers(reads), list[Sequence[Tree]]()
        for column in columns:
            if column in numbers:
                low, high = self._declared(column)
                way, known = side * _direction(tree, column), self.problem.statistics[column.relation].columns
                ends = (low, high) if not way else (low,) if way < 0 else (high,)
                choices.append(
                    [self.engine.decoded(t.literal(e), known[column.name].type) for e in ends if e is not None]
                )
                if len(choices[-1]) < len(ends):
                    return None
                continue
            policy, levels = self._policy(column), found.cells(column).levels
            if levels and not isinstance(levels[0], str) and not policy.values and None in (policy.low, policy.high):
                return None  # a declared list has other numbers between its ends
            choices.append(self._choices(found, column))
        if np.prod([float(len(choice)) for choice in choices]) > MOST:
            return None
        every, some = np.ones(found.count, bool), np.zeros(found.count, bool)
        for chosen in itertools.product(*choices):
            holds = found.filled(tree, dict(zip(columns, chosen, strict=True))) > 0
            every, some = every & holds, some | holds
        return every, some

    def _policy(self, column: Column) -> Policy:
        return self.problem.statistics[column.relation].policy(column.name)

    def _ends(self, found: Quantities, place: int, output: Aggregate) -> tuple[NDArray[np.float64], ...]:
        value = found.value(place)
        if value is None or output.kind == "count":
            nothing = np.zeros(found.count)
            return nothing, nothing
        assert output.argument is not None
        if not value.reads:
            return value.values, value.values
        self._check_monotone(output, value.reads)
        low, high = np.full(found.count, np.inf), np.full(found.count, -np.inf)
        for filled in self._fillings(found, output, value.reads):
            values = found.filled(output.argument, filled)
            if np.isnan(values).any():
                raise QueryError(f"no bounds of {output.text}: for some of its missing values it is NULL")
            low, high = np.minimum(low, values), np.maximum(high, values)
        return low, high

    def _fillings(self, found: Quantities, output: Aggregate, reads: Columns) -> Iterator[Mapping[Column, Tree]]:
        columns = sorted(reads)
        choices = [self._choices(found, column) for column in columns]
        ways = int(np.prod([len(choice) for choice in choices]))
        if ways > MOST:
            raise QueryError(f"no bounds of {output.text}: its columns can be filled in {ways} ways, more than {MOST}")
        for chosen in itertools.product(*choices):
            yield dict(zip(columns, chosen, strict=True))

    def _choices(self, found: Quantities, column: Column) -> Sequence[Tree]:
        """The values at which missing cells of a column are evaluated: both ends, or every level."""
        known, cells = self.problem.statistics[column.relation].columns[column.name], found.cells(column).numbers()
        policy = self._policy(column)
        if known.kind is Kind.CATEGORY:
            levels = self._levels(policy, [str(level) for level in cells.levels])
            return [self.engine.cast(t.literal(level), known.type) for level in levels]
        if known.kind is Kind.BOOLEAN:
            return [t.literal(False), t.literal(True)]
        seen = cells.values[~cells.missing].astype(np.float64)
        reach = limits(seen, self.deviations, *self._declared(column))
        return [self.engine.decoded(t.literal(end), known.type) for end in reach]

    def _declared(self, column: Column) -> tuple[float | None, float | None]:
        """The least and the largest number that a policy permits; None for an open end.

        Raises:
            DataError: none of its values is in its range.
        """
        known, policy = self.problem.statistics[column.relation].columns[column.name], self._policy(column)
        low, high = (None if end is None else number(end, known.kind) for end in (policy.low, policy.high))
        if known.kind is Kind.INTEGER:
            low = None if low is None else float(np.ceil(low))
            high = None if high is None else float(np.floor(high))
        if policy.values:
            least, largest = -np.inf if low is None else low, np.inf if high is None else high
            permitted = [one for value in policy.values if least <= (one := number(value, known.kind)) <= largest]
            if not permitted:
                raise DataError(f"{column}: none of the values {', '.join(policy.values)} is in its range")
            low, high = min(permitted), max(permitted)
        return low, high

    @staticmethod
    def _levels(policy: Policy, levels: Sequence[str]) -> Sequence[str]:
        """The categories that a policy permits: the listed ones, or all, within a range of ordered levels."""
        if policy.low is None and policy.high is None:
            return policy.values or levels
        first, last = ends(tuple(levels), policy)
        return [level for level in levels[first : last + 1] if not policy.values or level in policy.values]

    def _numbers(self, columns: Columns) -> list[Column]:
        """The columns that are neither categorical nor boolean."""
        known = {column: self.problem.statistics[column.relation].columns[column.name] for column in columns}
        return [column for column in sorted(columns) if known[column].kind not in (Kind.CATEGORY, Kind.BOOLEAN)]

    def _check_monotone(self, output: Aggregate, reads: Columns) -> None:
        assert output.argument is not None
        for column in self._numbers(reads):
            if not _moves_one_way(output.argument, column):
                raise QueryError(f"no bounds of {output.text}: it may not move one way with {column}")


def _bounds(kind: str, reach: RowBounds) -> Interval:
    match kind:
        case "count":
            return reach.count()
        case "sum":
            return reach.total()
        case "min":
            return reach.least()
        case "max":
            return reach.largest()
        case _:
            return reach.average()


def _direction(tree: Tree, column: Column) -> int:
    """1 where a monotone expression increases with a column, -1 where it decreases, 0 where unknown."""
    if t.is_reference(tree):
        return 1
    reading = [place for place, part in enumerate(t.parts(tree)) if column in columns_in(part)]
    if len(reading) != 1:
        return 0
    inner = list(t.parts(tree))[reading[0]]
    match kind_of(tree):
        case "COMPARISON":
            up = "GREATER" in operation_of(tree)
            sign = 1 if up == (column in columns_in(sides_of(tree)[0])) else -1
        case "OPERATOR":
            sign = -1
        case "CONJUNCTION" | "CAST":
            sign = 1
        case "FUNCTION":
            name, given = function_of(tree), arguments_of(tree)
            alone, last = len(given) == 1, given[-1] is inner
            sign = 0 if not alone and name not in _KEPT else -1 if name == "-" and last else 1
        case _:
            sign = 0
    return sign * _direction(inner, column)


def _moves_one_way(tree: Tree, column: Column) -> bool:
    """Whether an expression reads a column once, through monotone operations only."""
    if t.is_reference(tree):
        return True
    reading = [part for part in t.parts(tree) if column in columns_in(part)]
    if len(reading) != 1:
        return not reading
    (inner,) = reading
    match kind_of(tree):
        case "CAST":
            steady = type_of(tree).upper() not in _TURNING
        case "CASE" | "CONJUNCTION":
            steady = True
        case "OPERATOR":
            steady = operation_of(tree) == "OPERATOR_NOT"
        case "COMPARISON":
            steady = operation_of(tree) in _STEPS
        case "FUNCTION":
            name = function_of(tree)
            steady = name in _MONOTONE and not (name == "/" and arguments_of(tree)[-1] is inner)
        case _:
            steady = False
    return steady and _moves_one_way(inner, column)
