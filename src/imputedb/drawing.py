"""One Impute at work in many draws: each sees the values that the Imputes below it gave in the same draw."""

import os
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from imputedb.algebra.column import Column
from imputedb.bundle import EVERY, Drawn
from imputedb.errors import CannotImpute
from imputedb.filling import Filling, Hand, Outcome
from imputedb.imputers import features
from imputedb.imputers.imputer import Array, Cells, Imputer, Rows, drawn, is_proper
from imputedb.imputers.threads import one_thread
from imputedb.statistics.statistics import Kind

Places = NDArray[np.intp]

AT_ONCE = min(8, os.cpu_count() or 1)
"""Draws that are made side by side where each has rows of its own; no draw knows of another."""


@dataclass(frozen=True, slots=True)
class Drawing:
    """An Impute at work.

    Attributes:
        filling: reads the rows and knows the imputer.
        numbers: of the m draws.
        known: what Imputes below have drawn.
    """

    filling: Filling
    numbers: tuple[int, ...]
    known: Mapping[Column, Drawn]

    def drawn(self, hand: Hand, targets: Sequence[Column], columns: Sequence[Column]) -> dict[Column, Drawn]:
        """What is drawn for the targets' missing cells; nothing for targets without one.

        A draw is learnt from its own rows: those that are the same in every draw, and those of its number.
        """
        cells = self.filling.cells(hand, targets)
        gaps = {column: self.filling.gaps(hand, column, cells[column]) for column in targets}
        home = self.filling.home(hand)
        if home is not None and hand.count:
            hand, gaps = _at_home(*home, gaps)
        wanted = [column for column in targets if gaps[column].any()]
        made = {c: _Making(hand.rows[c.relation], gaps[c], len(self.numbers)) for c in wanted}
        for column in list(made):
            self.filling.outcome.imputed[column] = self.filling.outcome.imputed.get(column, 0) + made[column].count
            if self.filling.cells(hand, [column])[column].missing.all():
                made[column].centred(self._centre(column, hand.count))
        missed = [column for column in wanted if made[column].values is None]
        if missed:
            self._draw(hand, missed, columns, made)
        return {column: made[column].done(self.numbers) for column in wanted}

    def _draw(
        self, hand: Hand, targets: Sequence[Column], columns: Sequence[Column], made: Mapping[Column, "_Making"]
    ) -> None:
        known = self._known(hand, targets, columns)
        order = np.argsort(self.filling.keys(hand), kind="stable")
        if hand.draws is None and not known:
            rows = Rows(self.filling.cells(hand, columns, order), self.filling.keys(hand, order))
            for turn, values in self._values(rows, targets, self.numbers):
                _put(made, values, rows, order, turn)
            return
        with one_thread(), ThreadPoolExecutor(AT_ONCE) as pool:
            for begin in range(0, len(self.numbers), AT_ONCE):
                turns = range(begin, min(begin + AT_ONCE, len(self.numbers)))
                given = [self._of_draw(hand, order, targets, columns, known, turn) for turn in turns]
                for turn, (places, rows, groups) in zip(turns, pool.map(self._drawn_of, given), strict=True):
                    for group in groups:
                        _put(made, group, rows, places, turn)
                if self.filling.progress:
                    self.filling.progress((turns[-1] + 1) / len(self.numbers))

    def _of_draw(
        self,
        hand: Hand,
        order: Places,
        targets: Sequence[Column],
        columns: Sequence[Column],
        known: Mapping[Column, tuple[Drawn, Places]],
        turn: int,
    ) -> "_OfDraw":
        """The rows that a draw has, with the values that it gave below."""
        number = self.numbers[turn]
        mine = order if hand.draws is None else order[np.isin(hand.draws[order], (EVERY, number))]
        cells = self.filling.cells(hand, columns, mine)
        cells |= {column: one.patched(cells[column], places[mine], turn) for column, (one, places) in known.items()}
        for column in targets:
            if cells[column].missing.all():
                raise CannotImpute(f"no value of {column} is observed among the rows of draw {number}: use m = 1")
        return _OfDraw(number, mine, Rows(cells, self.filling.keys(hand, mine)), targets)

    def _drawn_of(self, given: "_OfDraw") -> tuple[Places, Rows, list[Mapping[Column, Array]]]:
        values = [group for _, group in self._values(given.rows, given.targets, [given.number])]
        return given.places, given.rows, values

    def _known(
        self, hand: Hand, targets: Sequence[Column], columns: Sequence[Column]
    ) -> dict[Column, tuple[Drawn, Places]]:
        """What Imputes below have drawn for columns that predict, and where the rows at hand stand in it."""
        found = {
            column: (one, one.places(hand.rows[column.relation]))
            for column, one in self.known.items()
            if column in columns and column not in targets
        }
        return {column: pair for column, pair in found.items() if (pair[1] >= 0).any()}

    def _values(
        self, rows: Rows, targets: Sequence[Column], numbers: Sequence[int]
    ) -> Iterator[tuple[int, Mapping[Column, Array]]]:
        """By the position of a draw the values of missing cells, in row order."""
        for imputer, usable, group in self.filling.apart(rows, targets):
            warned(imputer, self.filling.outcome)
            for turn, values in enumerate(drawn(imputer, usable, group, self.filling.seed, numbers)):
                yield turn, {c: features.allowed(values[c], rows.columns[c], self.filling.policy(c)) for c in group}

    def _centre(self, column: Column, count: int) -> str | None:
        self.filling.outcome.warnings.append(
            f"no value of {column} is observed among the {count} rows at hand: "
            f"the missing ones take the centre of the whole column in every draw"
        )
        return self.filling.centre(column)


def warned(imputer: Imputer, outcome: Outcome) -> None:
    """Says of an imputer whose draws are not proper that intervals are too short."""
    said = (
        f"the draws of {imputer.name} differ less than what is unknown does: intervals are too short "
        "(Rubin 1987, section 4.2); take norm, pmm or tree"
    )
    if not is_proper(imputer) and said not in outcome.warnings:
        outcome.warnings.append(said)


class _OfDraw(NamedTuple):
    """What one draw is made from: its number, the places of its rows among those at hand, and the rows."""

    number: int
    places: Places
    rows: Rows
    targets: Sequence[Column]


class _Making:
    """The values of one column, draw by draw."""

    def __init__(self, rows: NDArray[np.int64], gaps: NDArray[np.bool_], m: int) -> None:
        self._all = rows
        self._gaps = gaps
        self._known = np.zeros((m, 0), bool)
        self.rows = np.unique(rows[gaps])
        self.m = m
        self.values: Array | None = None

    @property
    def count(self) -> int:
        """How many cells are drawn."""
        return len(self.rows)

    def centred(self, centre: str | None) -> None:
        """The same text in every cell."""
        self.values = np.full((self.m, self.count), centre, dtype=object)
        self._known = np.ones((self.m, self.count), bool)

    def put(self, turn: int, places: Places, values: Array) -> None:
        """The values of the rows at some places, in one draw; of a stored row that stands there often, the first."""
        if self.values is None:
            self.values = np.zeros((self.m, self.count), values.dtype)
            self._known = np.zeros((self.m, self.count), bool)
        wanted = np.flatnonzero(self._gaps[places])
        at, first = np.unique(np.searchsorted(self.rows, self._all[places[wanted]]), return_index=True)
        self.values[turn, at] = values[wanted[first]]
        self._known[turn, at] = True

    def done(self, numbers: tuple[int, ...]) -> Drawn:
        """All of them."""
        assert self.values is not None
        return Drawn(self.rows, numbers, self.values, None if self._known.all() else self._known)


def _at_home(
    whole: Hand, places: NDArray[np.int64], gaps: Mapping[Column, NDArray[np.bool_]]
) -> tuple[Hand, dict[Column, NDArray[np.bool_]]]:
    """All rows of the table that rows come from, of which only those at hand are filled."""
    scattered = {column: np.zeros(whole.count, bool) for column in gaps}
    for column, gap in gaps.items():
        scattered[column][places[gap]] = True
    return replace(whole, draws=None), scattered


def _put(made: Mapping[Column, _Making], values: Mapping[Column, Array], rows: Rows, order: Places, turn: int) -> None:
    for column, given in values.items():
        cells = rows.columns[column]
        made[column].put(turn, order[cells.missing], _named(given, cells))


def _named(values: Array, cells: Cells) -> Array:
    """Values as the engine takes them: of categories the names."""
    if cells.kind is not Kind.CATEGORY:
        return values
    names: Array = np.array(cells.levels, dtype=object)[values.astype(np.intp)]
    return names
