"""Sums of squared influences by group and sampled unit: variances within a draw, read off the rows."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from imputedb.algebra.column import Column
from imputedb.answers.multiple.aggregation import GROUPING, Aggregation
from imputedb.answers.multiple.delta import referring
from imputedb.answers.multiple.influence import GROUP, Influence
from imputedb.sql import ast as t
from imputedb.sql.ast import Tree
from imputedb.sql.generate import DRAW, ROW, Rows
from imputedb.sql.influenced import ANSWERS, ROWS, WIDTH, Influenced, squared

Numbers = NDArray[np.float64]


class InfluenceSums:
    """The sums of squared influences of a block's outputs.

    Args:
        aggregation: aggregation of the block.
        places: column of each output in the table of draws, by name.
    """

    def __init__(self, aggregation: Aggregation, places: Mapping[str, int]) -> None:
        self._aggregation, self._places = aggregation, places
        self._squares: dict[tuple[str, ...], list[Numbers]] = {}

    def by_units(self) -> dict[tuple[str, ...], list[int]]:
        """The outputs with a variance by influences, by kind of sampled unit."""
        found: dict[tuple[str, ...], list[int]] = {}
        for place, one in enumerate(self._aggregation.outputs):
            if one.within and one.within.influence:
                for units in ways(one.within.units):
                    found.setdefault(units, []).append(place)
        return found

    def unit(self, alias: str) -> Column:
        """The identifier of a relation's sampled units: its rows, or their clusters."""
        return Column(alias, self._aggregation.clusters.get(alias, ROW))

    def selected(self, rows: Rows, units: tuple[str, ...], places: Sequence[int]) -> Tree:
        """A SELECT of the row values that influences read, and of the ids of units."""
        items = {DRAW: rows.draw or t.cast(t.number(-1), t.plain_type("INTEGER"))}
        items |= self.read(places, rows.expression)
        items |= {f"u{n}": rows.value(self.unit(alias)) for n, alias in enumerate(units)}
        return t.select([t.named(tree, name) for name, tree in items.items()], rows.source, t.all_of(rows.conditions))

    def read(self, places: Sequence[int], over: Callable[[Tree], Tree]) -> dict[str, Tree]:
        """The row values that influences read, by name, passed through `over`; keys of groups are among them."""
        items = {f"g{n}": over(tree) for n, tree in enumerate(self._aggregation.groups)}
        for place in places:
            one = self._influence(place)
            items |= {f"r{place}_{name}": over(tree) for name, tree in one.rows.items()}
            items[f"h{place}"] = over(one.held or t.literal(True))
        return items

    def _influence(self, place: int) -> Influence:
        within = self._aggregation.outputs[place].within
        assert within
        assert within.influence
        return within.influence

    def statement(self, rows: Tree, table: str, draws: str, units: tuple[str, ...]) -> Tree:
        """A SELECT of the sums of squares for the draws that were added last.

        Args:
            rows: SELECT of the row values that influences read.
            table: table of the draws.
            draws: table of the draw indices.
            units: units by which influences are summed.
        """
        outputs = [self._influenced(place) for place in self.by_units()[units]]
        ids, keys = [f"u{n}" for n in range(len(units))], [*map(self._same, range(len(self._aggregation.groups)))]
        return squared(rows, table, len(self._places), draws, keys, ids, outputs)

    def add(self, units: tuple[str, ...], columns: Sequence[Numbers]) -> None:
        """Adds the sums that the statement has returned."""
        self._squares.setdefault(units, []).append(np.column_stack(columns))

    def _influenced(self, place: int) -> Influenced:
        def change(at: str, name: str) -> Tree:
            if at == GROUP:
                return t.reference(ANSWERS, f"c{self._places[f'p{place}_{name}']}")
            return t.reference(ROWS, f"r{place}_{name}")

        one, held = self._influence(place), t.coalesce(t.reference(ROWS, f"h{place}"), t.literal(False))
        weight = referring(one.weight, change) if one.weight else t.where(held, t.literal(1.0), t.literal(0.0))
        return Influenced(str(place), referring(one.value, change), held, weight)

    def _same(self, group: int) -> Tree:
        """Whether a row belongs to an answer's group, for one key."""
        answer = t.reference(ANSWERS, f"c{group + 1}")
        same = t.compared("COMPARE_NOT_DISTINCT_FROM", answer, t.reference(ROWS, f"g{group}"))
        if not self._aggregation.sets:
            return same
        bit = t.literal(float(2 ** (len(self._aggregation.groups) - 1 - group)))
        mask = t.call("floor", t.arithmetic("/", t.reference(ANSWERS, f"c{self._places[GROUPING]}"), bit))
        rolled = t.compared("COMPARE_EQUAL", t.arithmetic("%", mask, t.literal(2.0)), t.literal(1.0))
        either = t.any_of([rolled, same])
        assert either
        return either

    def variances(self, place: int, count: int) -> tuple[Numbers, Numbers, Numbers, Numbers]:
        """Variances, degrees of freedom, skewness and units of an output, by row of the draws.

        For two kinds of units the variance is the sum of both less that of pairs (Cameron, Gelbach & Miller 2011,
        equation 2.11); for more kinds it is the plain sum, which is too large.
        """
        within = self._aggregation.outputs[place].within
        assert within
        kinds = within.units
        variance, least, skewness, units = (np.full(count, np.nan) for _ in range(4))
        for kind in ways(kinds):
            table = np.concatenate(self._squares[kind])
            mine = 1 + WIDTH * self.by_units()[kind].index(place)
            at, (n, total, square, cube, *weights) = table[:, 0].astype(np.intp), table[:, mine : mine + WIDTH].T
            one = self._variance(place, kind, n, total, square)
            sign = -1.0 if len(kinds) == 2 == len(kind) else 1.0
            variance[at] = np.where(np.isnan(variance[at]), 0.0, variance[at]) + sign * one
            least[at] = np.fmin(least[at], self._freedom(place, kind, n, *weights))
            skewness[at] = np.fmax(skewness[at], self._skewness(place, n, square, cube))
            units[at] = np.fmin(units[at], n)
        return np.maximum(variance, 0.0), least, skewness, units

    def _skewness(self, place: int, n: Numbers, square: Numbers, cube: Numbers) -> Numbers:
        """The skewness of centred influences; NaN for others, and where they do not vary."""
        if not self._influence(place).centred:
            return np.full(len(n), np.nan)
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            return np.asarray(np.abs(cube) * np.sqrt(n) / square**1.5, np.float64)

    def _freedom(self, place: int, kind: tuple[str, ...], n: Numbers, weights: Numbers, squares: Numbers) -> Numbers:
        """Units less estimated parameters; for units of unequal size, the effective number of equal ones.

        That is (sum w)^2 / sum w^2, where w is the number of rows of a unit (Carter, Schnepel & Steigerwald 2017), or
        its share in a regression line (Bell & McCaffrey 2002).
        """
        one = self._influence(place)
        if not one.centred:
            return np.full(len(n), self._size(kind) - 1.0)
        with np.errstate(divide="ignore", invalid="ignore"):
            alike = np.where(squares > 0, weights**2 / squares, np.inf)
        return np.minimum(n - one.taken, alike if one.weight else np.maximum(alike - 1, 1.0))

    def _size(self, kind: tuple[str, ...]) -> int:
        return max([self._aggregation.sizes[alias] for alias in kind], default=self._aggregation.units)

    def _variance(self, place: int, kind: tuple[str, ...], n: Numbers, total: Numbers, square: Numbers) -> Numbers:
        with np.errstate(divide="ignore", invalid="ignore"):
            if self._influence(place).centred:
                return square * n / (n - 1) if kind else np.where(n > 1, square, np.nan)
            size = self._size(kind)
            factor = size / (size - 1) if size > 1 else np.nan
            return factor * np.maximum(square - total**2 / size, 0.0)


def ways(units: tuple[str, ...]) -> list[tuple[str, ...]]:
    """The kinds of units by which influences are summed: each one, and pairs."""
    return [()] if not units else [*((one,) for one in units), *([units] if len(units) == 2 else [])]
