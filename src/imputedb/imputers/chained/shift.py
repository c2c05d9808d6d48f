"""Departures from missing at random: differences between missing values and a model's predictions."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from imputedb import arguments
from imputedb.algebra.column import Column
from imputedb.errors import CannotImpute, QueryError, UnknownName
from imputedb.imputers.chained.column_model import Matrix, Vector
from imputedb.imputers.chained.crossproducts import Delta
from imputedb.imputers.chained.design import Design
from imputedb.imputers.rows import Rows
from imputedb.statistics.table import Kind

Amount = float | Mapping[object, float]
"""One number for all rows, or one for each group; groups that are not named get none."""


@dataclass(frozen=True, slots=True)
class Shift:
    """The difference between imputed and observed values that agree in all other columns (van Buuren 2018, section
    9.2).

    Attributes:
        add: number that is added to an imputed number, in its units, or one number for each group of `by`.
        times: factor by which it is multiplied first.
        odds: for categories, factors of the odds by level, likewise; for booleans by True and False.
        by: complete column of the same table that defines the groups, such as a trial's arms.
    """

    add: Amount = 0.0
    times: float = 1.0
    odds: Mapping[object, Amount] = field(default_factory=dict)
    by: str | None = None

    def __post_init__(self) -> None:
        if self.by is None and any(isinstance(one, Mapping) for one in (self.add, *self.odds.values())):
            raise QueryError("a shift by group needs by=, the column whose values are the groups")
        for add in _amounts(self.add):
            arguments.real("a shift", add, example="in the column's units")
        arguments.real("a factor", self.times, example="such as 1.1")
        for level, odds in self.odds.items():
            for one in _amounts(odds):
                arguments.positive(f"the odds of {level!r}", one, example="such as 2")

    def __hash__(self) -> int:
        odds = sorted(((str(level), _hashable(one)) for level, one in self.odds.items()), key=lambda pair: pair[0])
        return hash((_hashable(self.add), self.times, tuple(odds), self.by))

    def __str__(self) -> str:
        odds = [f"odds of {level} times {self._shown(one)}" for level, one in self.odds.items()]
        times = [f"times {self.times:g}"] if self.times != 1 else []
        return " and ".join([*odds, *times, *([self._shown(self.add, "+")] if self.add or not (odds or times) else [])])

    def _shown(self, amount: Amount, sign: str = "") -> str:
        if isinstance(amount, Mapping):
            return ", ".join(f"{one:{sign}.4g} in {self.by} {name}" for name, one in amount.items())
        return f"{amount:{sign}.4g}"

    def scaled(self, size: float) -> "Shift":
        """The same departure multiplied by a size; for odds, raised to that power."""
        return Shift(
            _each(self.add, lambda one: size * one),
            1 + size * (self.times - 1),
            {level: _each(one, lambda odds: odds**size) for level, one in self.odds.items()},
            self.by,
        )

    def delta(self, column: Column, rows: Rows, made: Design) -> Delta:
        """The departure of a standardised column: times (y - centre) / scale, and a linear form of a row.

        Raises:
            UnknownName: the column has no such group.
            CannotImpute: the groups are incomplete, or too many.
        """
        part = made.parts[column]
        shift = np.zeros(made.x.shape[1])
        shift[0] = (self.times - 1) * part.centre / part.scale
        if isinstance(self.add, Mapping):
            return Delta(self.times, shift + self._groups(column, rows).form(self.add, made) / part.scale)
        shift[0] += self.add / part.scale
        return Delta(self.times, shift)

    def log_odds(self, column: Column, rows: Rows, classes: int) -> Matrix | None:
        """(n or 1, classes) the terms to add to the log-odds, row by row; None where there are none.

        Raises:
            UnknownName: there is no such level or group.
            CannotImpute: the groups are incomplete.
        """
        if not self.odds or not classes:
            return None
        known = list(rows.columns[column].levels) or [False, True]
        found = np.zeros((len(rows.keys) if self.by else 1, classes))
        for level, odds in self.odds.items():
            if level not in known:
                raise UnknownName(f"no level {level!r} in {column}; there are {', '.join(map(str, known))}")
            by_row = self._groups(column, rows).of_rows(odds) if isinstance(odds, Mapping) else odds
            found[:, known.index(level)] = np.log(by_row)
        return found

    def _groups(self, column: Column, rows: Rows) -> "_Groups":
        by = Column(column.relation, str(self.by))
        if by not in rows.columns or by == column:
            there = ", ".join(sorted(c.name for c in rows.columns if c.relation == column.relation and c != column))
            raise UnknownName(f"no column {self.by!r} that groups {column}; there are {there}")
        return _Groups(by, rows)


@dataclass(frozen=True, slots=True)
class _Groups:
    """The groups of rows, by a complete column."""

    by: Column
    rows: Rows

    def __post_init__(self) -> None:
        missing = int(np.count_nonzero(self.rows.columns[self.by].missing))
        if missing:
            raise CannotImpute(f"{self.by} misses {missing:,} values: a column that groups shifts has to be complete")

    def _codes(self, amounts: Mapping[object, float]) -> tuple[list[object], Sequence[object]]:
        """The groups, and their representation among the cells' values."""
        cells = self.rows.columns[self.by]
        codes = np.unique(cells.values).tolist()
        names = [cells.levels[code] for code in codes] if cells.kind is Kind.CATEGORY else codes
        unknown = [one for one in amounts if one not in names]
        if unknown:
            raise UnknownName(f"no group {unknown[0]!r} in {self.by}; there are {', '.join(map(str, names[:20]))}")
        return names, codes

    def of_rows(self, amounts: Mapping[object, float]) -> Vector:
        """(n,) the odds factor of each row's group, 1 for groups that are not named."""
        names, codes = self._codes(amounts)
        found = np.ones(len(self.rows.keys))
        for name, code in zip(names, codes, strict=True):
            found[self.rows.columns[self.by].values == code] = amounts.get(name, 1.0)
        return found

    def form(self, amounts: Mapping[object, float], made: Design) -> Vector:
        """(q,) the linear form of a design's row that gives its group's amount."""
        names, codes = self._codes(amounts)
        part, form = made.parts[self.by], np.zeros(made.x.shape[1])
        wanted = np.array([float(amounts.get(name, 0.0)) for name in names])
        encoded = np.concatenate([np.ones((len(codes), 1)), part.encoded(np.array(codes, np.float64))], axis=1)
        solved = np.linalg.lstsq(encoded, wanted, rcond=None)[0]
        if np.abs(encoded @ solved - wanted).max() > 1e-9 * (np.abs(wanted).max() or 1.0):
            way = "take fewer groups" if part.classes else f"make it text, as CAST({self.by.name} AS VARCHAR)"
            raise CannotImpute(f"{self.by} has {len(codes):,} groups, which a linear model does not tell apart: {way}")
        form[0], form[part.places] = solved[0], solved[1:]
        return form


def changes(shift: Shift) -> bool:
    """Whether a shift changes any value: not if every addition is 0 and every factor is 1."""
    added = any(add != 0 for add in _amounts(shift.add))
    return added or shift.times != 1 or any(one != 1 for odds in shift.odds.values() for one in _amounts(odds))


def _amounts(amount: Amount) -> Collection[object]:
    return amount.values() if isinstance(amount, Mapping) else (amount,)


def _each(amount: Amount, change: Callable[[float], float]) -> Amount:
    return {name: change(one) for name, one in amount.items()} if isinstance(amount, Mapping) else change(amount)


def _hashable(amount: Amount) -> object:
    return tuple(sorted((str(k), v) for k, v in amount.items())) if isinstance(amount, Mapping) else amount


UNSHIFTED = Shift()
