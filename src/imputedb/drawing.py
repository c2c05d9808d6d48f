"""One Impute at work in many draws: each sees the values that the Imputes below it gave in the same draw."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from imputedb.algebra.column import Column
from imputedb.bundle import EVERY, Drawn, stacked
from imputedb.errors import CannotImpute
from imputedb.filling import Filling, Hand, Outcome
from imputedb.imputers import features
from imputedb.imputers.imputer import Array, Cells, Imputer, Rows, drawn, is_proper
from imputedb.statistics.statistics import Kind

Places = NDArray[np.intp]
Flags = NDArray[np.bool_]


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

        All draws learn from the same rows, so that they share what is prepared: those that are the same in every
        draw, or of one table all that are stored. A row of a single draw is predicted from that draw's values.
        """
        cells = self.filling.cells(hand, targets)
        gaps = {column: self.filling.gaps(hand, column, cells[column]) for column in targets}
        wanted = [column for column in targets if gaps[column].any()]
        made = {c: _Making(hand.rows[c.relation][gaps[c]], len(self.numbers)) for c in wanted}
        for column in wanted:
            self.filling.outcome.imputed[column] = self.filling.outcome.imputed.get(column, 0) + made[column].count
            if cells[column].missing.all() and self._home_lacks(hand, column):
                made[column].centred(self._centre(column, hand.count))
        if any(one.values is None for one in made.values()):
            self._draw(hand, {c: gap for c, gap in gaps.items() if self._takes_part(hand, c, made)}, columns, made)
        return {column: made[column].done(self.numbers) for column in wanted}

    def _takes_part(self, hand: Hand, column: Column, made: Mapping[Column, "_Making"]) -> bool:
        """Whether a target is modelled: where rows differ by draw one too that no row at hand misses, as others may."""
        if column in made:
            return made[column].values is None
        return hand.draws is not None and not self.filling.has_meaning(column)

    def _home_lacks(self, hand: Hand, column: Column) -> bool:
        home = self.filling.home(hand)
        return home is None or bool(self.filling.cells(home[0], [column])[column].missing.all())

    def _draw(
        self, hand: Hand, gaps: Mapping[Column, Flags], columns: Sequence[Column], made: Mapping[Column, "_Making"]
    ) -> None:
        taught = self._taught(hand, gaps)
        if taught is None:
            for turn in range(len(self.numbers)):
                self._draw_apart(hand, gaps, columns, made, turn)
            return
        rows = self._rows(*taught, columns)
        whole, at = taught
        count = len(rows.keys)
        turns = np.full(count, EVERY)
        ids = {alias: whole.rows[alias][at] for alias in whole.rows}
        wanted = {c: np.isin(ids[c.relation], _settled(hand, c, gap)) for c, gap in gaps.items()}
        if hand.draws is not None:
            own = np.flatnonzero(np.logical_or.reduce(list(gaps.values())) & ~_shared(hand))
            mine = np.searchsorted(np.array(self.numbers), hand.draws[own])
            more, blank = self._rows(hand, own, columns, mine), self._blank(rows)
            rows = Rows(
                {c: stacked(stacked(rows.columns[c], more.columns[c]), blank.columns[c]) for c in rows.columns},
                np.concatenate([rows.keys, more.keys, blank.keys]),
                np.arange(count + len(own) + 1) < count,
            )
            turns = np.concatenate([turns, mine, [EVERY]])
            ids = {alias: np.concatenate([ids[alias], hand.rows[alias][own], [-1]]) for alias in ids}
            wanted = {column: np.concatenate([flags, gaps[column][own], [False]]) for column, flags in wanted.items()}
        for turn, column, places, given in self._values(rows, list(gaps), range(len(self.numbers))):
            usable = wanted[column][places] & ((turns[places] == EVERY) | (turns[places] == turn))
            if column in made:
                made[column].put(turn, ids[column.relation][places[usable]], given[usable])

    def _blank(self, rows: Rows) -> Rows:
        """A row that misses whatever some stored row does.

        What an imputer models, and in which order, is then the same whichever draws run together and whatever theirs
        of the rows miss.
        """
        columns = {}
        for column, cells in rows.columns.items():
            missing = self.filling.statistics[column.relation].columns[column.name].missing > 0
            columns[column] = Cells(cells.values[:1], np.array([missing]), cells.kind, cells.levels)
        return Rows(columns, rows.keys[:1])

    def _draw_apart(
        self,
        hand: Hand,
        gaps: Mapping[Column, Flags],
        columns: Sequence[Column],
        made: Mapping[Column, "_Making"],
        turn: int,
    ) -> None:
        """One draw by itself: learnt from its own rows and values.

        Raises:
            CannotImpute: in none of its rows a target is observed.
        """
        assert hand.draws is not None
        mine = _shared(hand) | (hand.draws == self.numbers[turn])
        targets = [column for column in gaps if gaps[column][mine].any()]
        for column in self._lacking(hand, targets, mine):
            raise CannotImpute(f"no value of {column} is observed in the rows of a draw: take m = 1, or imputer 'mean'")
        at = np.flatnonzero(mine)
        rows = self._rows(hand, at, columns, np.full(len(at), turn))
        for _, column, places, given in self._values(rows, targets, range(turn, turn + 1)):
            usable = gaps[column][at[places]]
            made[column].put(turn, hand.rows[column.relation][at[places[usable]]], given[usable])

    def _taught(self, hand: Hand, gaps: Mapping[Column, Flags]) -> tuple[Hand, Places] | None:
        """The rows that all draws learn from, of which hand and where; None where they observe nothing of a target.

        Rows that miss all targets teach nothing of them, and are left out unless they are to be filled.
        """
        home = self.filling.home(hand)
        if home is not None:
            whole, _ = home
            cells = self.filling.cells(whole, list(gaps))
            useful = [~cells[c].missing | np.isin(whole.rows[c.relation], _settled(hand, c, gaps[c])) for c in gaps]
            return whole, np.flatnonzero(np.logical_or.reduce(useful))
        shared = _shared(hand)
        return None if self._lacking(hand, list(gaps), shared) else (hand, np.flatnonzero(shared))

    def _lacking(self, hand: Hand, targets: Sequence[Column], rows: Flags) -> list[Column]:
        """The targets of which some rows observe nothing."""
        cells = self.filling.cells(hand, targets, np.flatnonzero(rows))
        return [column for column in targets if cells[column].missing.all()]

    def _rows(self, hand: Hand, places: Places, columns: Sequence[Column], turns: Places | None = None) -> Rows:
        """Some rows, with the values of their own draws where they are of one."""
        cells = self.filling.cells(hand, columns, places)
        if turns is not None:
            for column, one in self.known.items():
                if column in cells:
                    cells[column] = one.patched(cells[column], one.places(hand.rows[column.relation][places]), turns)
        return Rows(cells, self.filling.keys(hand, places))

    def _values(
        self, rows: Rows, targets: Sequence[Column], turns: range
    ) -> Iterator[tuple[int, Column, Places, Array]]:
        """By the position of a draw and target: the places of its missing cells, and their values."""
        filling = self.filling
        order = np.argsort(rows.keys, kind="stable")
        learn = None if rows.learn is None else rows.learn[order]
        rows = Rows({column: cells.at(order) for column, cells in rows.columns.items()}, rows.keys[order], learn)
        for imputer, usable, group in filling.apart(rows, targets):
            warned(imputer, filling.outcome)
            numbers = [self.numbers[turn] for turn in turns]
            made = drawn(imputer, usable, group, filling.seed, numbers, filling.progress)
            for turn, values in zip(turns, made, strict=True):
                for column in group:
                    cells = rows.columns[column]
                    given = features.allowed(values[column], cells, filling.policy(column))
                    yield turn, column, order[cells.missing], _named(given, cells)

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


class _Making:
    """The values of one column, draw by draw."""

    def __init__(self, rows: NDArray[np.int64], m: int) -> None:
        self.rows = np.unique(rows)
        self.m = m
        self.values: Array | None = None
        self._known = np.zeros((m, len(self.rows)), bool)

    @property
    def count(self) -> int:
        """How many cells are drawn."""
        return len(self.rows)

    def centred(self, centre: str | None) -> None:
        """The same text in every cell."""
        self.values = np.full((self.m, self.count), centre, dtype=object)
        self._known[:] = True

    def put(self, turn: int, rows: NDArray[np.int64], values: Array) -> None:
        """The values of stored rows in one draw; of a row that stands there often, the first."""
        if self.values is None:
            self.values = np.zeros((self.m, self.count), values.dtype)
        found, first = np.unique(rows, return_index=True)
        at = np.searchsorted(self.rows, found)
        self.values[turn, at] = values[first]
        self._known[turn, at] = True

    def done(self, numbers: tuple[int, ...]) -> Drawn:
        """All of them."""
        assert self.values is not None
        return Drawn(self.rows, numbers, self.values, None if self._known.all() else self._known)


def _shared(hand: Hand) -> Flags:
    """Which rows are the same in every draw."""
    return np.ones(hand.count, bool) if hand.draws is None else hand.draws == EVERY


def _settled(hand: Hand, column: Column, gap: Flags) -> NDArray[np.int64]:
    """The stored rows whose gap is to be filled in all draws."""
    return hand.rows[column.relation][gap & _shared(hand)]


def _named(values: Array, cells: Cells) -> Array:
    """Values as the engine takes them: of categories the names."""
    if cells.kind is not Kind.CATEGORY:
        return values
    names: Array = np.array(cells.levels, dtype=object)[values.astype(np.intp)]
    return names
