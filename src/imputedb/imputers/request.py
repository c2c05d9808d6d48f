"""What everything that imputes asks for: cells to fill in, under what policies permit of each column.

Targets that may be predicted from the same columns by the same imputer make a part. Parts are filled one after another,
the most restricted first, and what is drawn in one is seen by those after it, so that columns which miss together keep
their joint distribution whatever fills them: p(a) p(b | a), each factor a model of its own.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from imputedb.algebra.column import NO_COLUMNS, Column, Columns
from imputedb.errors import CannotImpute
from imputedb.imputers import checked
from imputedb.imputers.chained.two_level import CLUSTERS, minds_clusters
from imputedb.imputers.earlier import CLOCK, earlier
from imputedb.imputers.order import by_name, labels
from imputedb.imputers.permitted import Bounds, bounds
from imputedb.imputers.precision import imprecise
from imputedb.imputers.protocol import Array, Cells, Imputer, Progress, Rows, averages_donors, follows_order
from imputedb.imputers.random import seed_of
from imputedb.imputers.registry import as_long, the_one
from imputedb.imputers.series import Series, lags
from imputedb.imputers.truncated import expected, within
from imputedb.imputers.weighing import WEIGHTS, weighed
from imputedb.statistics.policy import DEFAULT, Policy


class Derivation(Protocol):
    """How a column is computed from others of its row (DERIVED AS)."""

    @property
    def parts(self) -> tuple[Column, ...]:
        """The columns that it is computed from."""

    def __call__(self, cells: Mapping[Column, Cells], like: Cells) -> Cells:
        """The column, of its parts and as those cells of its own have values."""


@dataclass(frozen=True, slots=True, eq=False)
class Permit:
    """What may be done about the missing cells of one column.

    Attributes:
        policy: what was said of it.
        barred: the columns at hand that it may not be predicted from.
        times: (n,) the times of the rows; predicted is from earlier ones. None for all.
        weights: (n,) how many rows each stands for; None where all are alike.
        series: how rows stand in an order within groups; None where they stand in none.
        clusters: (n,) of which cluster each row is; None where nobody says.
        meant: (n,) where the column is NULL and that means something of its own; None where it nowhere does.
        derivation: how the column is computed; None where it is imputed.
    """

    policy: Policy = DEFAULT
    barred: Columns = NO_COLUMNS
    times: Cells | None = None
    derivation: Derivation | None = None
    weights: Cells | None = None
    series: Series | None = None
    clusters: Cells | None = None
    meant: NDArray[np.bool_] | None = None

    def at(self, places: NDArray[np.intp]) -> "Permit":
        """What is permitted in some rows, in the order given."""
        return replace(
            self,
            times=self.times and self.times.at(places),
            weights=self.weights and self.weights.at(places),
            series=self.series and self.series.at(places),
            clusters=self.clusters and self.clusters.at(places),
            meant=None if self.meant is None else self.meant[places],
        )


FREE = Permit()


@dataclass(frozen=True, eq=False)
class Request:
    """Cells to fill in.

    Attributes:
        rows: n rows, with all columns that may be looked at.
        targets: the columns to fill.
        imputer: fills those without an imputer of their own.
        permits: what is permitted of columns; of those that are not there, everything.
        seed: what random numbers are keyed by.
    """

    rows: Rows
    targets: Sequence[Column]
    imputer: Imputer
    permits: Mapping[Column, Permit] = field(default_factory=dict)
    seed: int = 0

    def permit(self, column: Column) -> Permit:
        """What is permitted of a column."""
        return self.permits.get(column, FREE)

    def filler(self, column: Column) -> Imputer:
        """What fills a column."""
        own = self.permit(column).policy.imputer
        if own is None or own == self.imputer.name:
            return self.imputer
        return as_long(the_one(own, "a column needs"), self.imputer)

    def method(self, column: Column) -> str:
        """What fills a column, in a word or as it is computed."""
        text = self.permit(column).policy.derived
        return self.filler(column).name if text is None else f"derived as {text}"

    @cached_property
    def imputed(self) -> Sequence[Column]:
        """The columns that are imputed: those targets that are not computed, and what misses of others' parts."""
        found, waiting = dict[Column, None](), list(self.targets)
        while waiting:
            column = waiting.pop(0)
            derivation, cells = self.permit(column).derivation, self.rows.columns.get(column)
            if derivation is not None:
                waiting += [one for one in derivation.parts if one not in self.targets]
            elif column in self.targets or (cells is not None and self._fillable(column, cells)):
                found[column] = None
        return list(found)

    def _fillable(self, column: Column, cells: Cells) -> bool:
        action = self.permit(column).policy.action
        gaps = cells.missing & ~self._meant(column)
        return action in ("impute", "structural") and bool(gaps.any()) and not cells.missing.all()

    def _meant(self, column: Column) -> NDArray[np.bool_]:
        """(n,) where a NULL of a column means something of its own, and so stays."""
        meant = self.permit(column).meant
        return np.zeros(len(self.rows.keys), bool) if meant is None else meant

    @cached_property
    def _derived(self) -> list[Column]:
        """The derived targets, and the derived columns that these are computed from."""
        found, waiting = dict[Column, None](), list(self.targets)
        while waiting:
            column = waiting.pop(0)
            derivation = self.permit(column).derivation
            if derivation is not None and column not in found:
                found[column] = None
                waiting += derivation.parts
        return list(found)

    def _computed(self, filled: Mapping[Column, Array]) -> dict[Column, Array]:
        """The derived columns whose parts are all known or filled in, those that others are derived from first."""
        found: dict[Column, Array] = {}
        waiting = [column for column in self._derived if column not in filled]
        while waiting:
            known = {**filled, **found}
            ready = [column for column in waiting if self._is_ready(column, known, waiting)]
            if not ready:
                break
            found |= {column: self._value(column, known) for column in ready}
            waiting = [column for column in waiting if column not in ready]
        return found

    def _is_ready(self, column: Column, known: Mapping[Column, Array], waiting: Collection[Column]) -> bool:
        derivation = self.permit(column).derivation
        assert derivation is not None
        return all(one in known or (one not in self.imputed and one not in waiting) for one in derivation.parts)

    def _value(self, column: Column, known: Mapping[Column, Array]) -> Array:
        """A derived column where it is missing; masked where that follows from a value that stays missing."""
        derivation, like = self.permit(column).derivation, self.rows.columns[column]
        assert derivation is not None
        parts = {one: self.rows.columns[one] for one in derivation.parts}
        whole = {c: patched(its, known[c]) if c in known else its for c, its in parts.items()}
        stays = {c: its.like(its.values, its.missing | self._meant(c)) for c, its in whole.items()}
        cells = derivation(stays, like)
        values, gone = cells.values[like.missing].astype(like.values.dtype), cells.missing[like.missing]
        return np.ma.masked_array(values, gone) if gone.any() else values

    def _wanted(self, filled: Mapping[Column, Array]) -> Mapping[Column, Array]:
        return {column: filled[column] for column in self.targets if column in filled}

    def parts(self) -> list["Part"]:
        """The targets by what fills them from what, in the order in which they are filled.

        What may be predicted from least comes first: it is seen by all that may see as much as it saw, and sees nothing
        that has seen more.
        """
        groups: dict[tuple[object, ...], list[Column]] = {}
        for column in self.imputed:
            permit = self.permit(column)
            key = (permit.barred - {column}, self.filler(column), permit.policy.rests_on)
            groups.setdefault(key, []).append(column)
        gone = {column: np.count_nonzero(self.rows.columns[column].missing) for column in self.imputed}
        ordered = by_name(self.rows.columns)
        found = [
            Part(self, self.filler(some[0]), tuple(some), self.permit(some[0]).barred - {some[0]})
            for some in groups.values()
        ]
        return sorted(
            found,
            key=lambda part: (
                -len(part.barred),
                part.times is None,
                sum(int(gone[column]) for column in part.targets),
                min(map(ordered.index, part.targets)),
            ),
        )

    def values(self, progress: Progress | None = None, drawn: Collection[Column] = ()) -> "Filled":
        """The single best values of the targets' missing cells; of those in `drawn` a draw.

        Masked is what nothing may be predicted for, cells of rows that no other row is earlier than, and what is not
        known as precisely as a policy asks.
        """
        found = self.best(progress, drawn)
        return replace(found, values=self._masked(found.values))

    def best(self, progress: Progress | None = None, drawn: Collection[Column] = ()) -> "Filled":
        """The same, however precise."""
        filled, said = dict[Column, Array](), list[str]()
        for part in self.parts():
            seen = {c: values for c, values in filled.items() if c in drawn}
            values, sentences = part.values(seen, progress, [c for c in part.targets if c in drawn])
            filled |= values
            filled |= self._computed(filled)
            said += sentences
        filled |= self._computed(filled)
        return Filled(self._wanted(filled), tuple(said))

    def draws(
        self, numbers: Sequence[int], progress: Progress | None = None, heard: checked.Heard | None = None
    ) -> Iterator[Mapping[Column, Array]]:
        """The draws of these numbers, one after another, as `values` has them.

        How the chains of each part moved is told to `heard`, but of those that are given other parts' draws.
        """
        return map(self._masked, self.drawn(numbers, progress, heard))

    def drawn(
        self, numbers: Sequence[int], progress: Progress | None = None, heard: checked.Heard | None = None
    ) -> Iterator[Mapping[Column, Array]]:
        """The same, however precise."""
        parts = self.parts()
        together = [
            None if part.meets(self._before(parts, part)) else part.draws(numbers, progress, heard) for part in parts
        ]
        for number in numbers:
            filled: dict[Column, Array] = {}
            for part, stream in zip(parts, together, strict=True):
                filled |= next(part.seeing(filled).draws([number], progress) if stream is None else stream)
                filled |= self._computed(filled)
            yield self._wanted(filled | self._computed(filled))

    def _masked(self, filled: Mapping[Column, Array]) -> Mapping[Column, Array]:
        return {c: np.ma.masked_array(v, self.left(c)) if self.left(c).any() else v for c, v in filled.items()}

    def left(self, column: Column) -> NDArray[np.bool_]:
        """(k,) which missing cells of a target stay so, because they are not known as precisely as its policy asks.

        Those of a derived column do where one stays so that it is computed from.
        """
        return self._left[column]

    @cached_property
    def _left(self) -> Mapping[Column, NDArray[np.bool_]]:
        cells = self.rows.columns
        left = {column: np.zeros(len(its.missing), bool) for column, its in cells.items()}
        for column in self.imputed:
            left[column][cells[column].missing] = imprecise(self, column)
        waiting = list(self._derived)
        while waiting:  # ends: no column is derived from itself
            column = waiting.pop(0)
            derivation = self.permit(column).derivation
            assert derivation is not None
            if any(part in waiting for part in derivation.parts):
                waiting.append(column)
                continue
            for part in derivation.parts:
                left[column] |= left[part] & cells[column].missing
        return {column: left[column][cells[column].missing] for column in self.targets}

    def _before(self, parts: Sequence["Part"], part: "Part") -> list[Column]:
        return [column for other in parts[: parts.index(part)] for column in other.targets if part.sees(column)]


@dataclass(frozen=True, slots=True)
class Filled:
    """Values of missing cells, in row order and as `Cells.values` has them, and sentences that a reader must know."""

    values: Mapping[Column, Array]
    said: tuple[str, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """Targets of one request that one imputer fills from the same columns.

    Attributes:
        request: theirs.
        imputer: theirs.
        targets: the columns.
        barred: the columns that they may not be predicted from.
        known: what was drawn for columns that were filled before.
    """

    request: Request
    imputer: Imputer
    targets: tuple[Column, ...]
    barred: Columns
    known: Mapping[Column, Array] = field(default_factory=dict)

    @property
    def times(self) -> Cells | None:
        """(n,) the times of the rows, None where all rows may be looked at."""
        return self.request.permit(self.targets[0]).times

    @property
    def seed(self) -> int:
        """This part's own: what two imputers draw for columns of one row has to differ."""
        called = labels(self.request.rows.columns)
        hidden = sorted(called[column] for column in self.barred if column in called)
        own = "" if self.imputer is self.request.imputer else self.imputer.name
        return seed_of(self.request.seed, own, self._before or "", *hidden)

    @property
    def _before(self) -> str | None:
        return self.request.permit(self.targets[0]).policy.before

    def sees(self, column: Column) -> bool:
        """Whether what was drawn for another target may be looked at: it has seen no more than this may."""
        other = self.request.permit(column)
        same = self._before is None or self._before == other.policy.before
        return column not in self.barred and self.barred <= other.barred | {column} and same

    def meets(self, columns: Sequence[Column]) -> bool:
        """Whether a row misses one of some columns and a target: only then does it matter what is drawn for those."""
        cells, gone = self.request.rows.columns, self._gone
        return any(bool((cells[column].missing & gone).any()) for column in columns)

    def seeing(self, filled: Mapping[Column, Array]) -> "Part":
        """The same, given what was drawn for other targets."""
        return replace(self, known={c: values for c, values in filled.items() if self.sees(c)})

    def _looks_at(self, column: Column) -> bool:
        """Whether a column predicts; one that is filled later and misses wherever these do tells nothing of them."""
        if column in self.targets or column in self.barred:
            return column in self.targets
        later = column in self.request.imputed and column not in self.known
        return not later or not bool(self.request.rows.columns[column].missing[self._gone].all())

    @property
    def _gone(self) -> NDArray[np.bool_]:
        """(n,) where a target is missing."""
        found: NDArray[np.bool_] = np.logical_or.reduce([self.request.rows.columns[c].missing for c in self.targets])
        return found

    @property
    def rows(self) -> Rows:
        """The rows with what may be looked at."""
        rows = self.request.rows
        columns = {c: cells for c, cells in rows.columns.items() if self._looks_at(c)}
        columns |= {c: patched(columns[c], values) for c, values in self.known.items() if c in columns}
        if self.times is not None:
            columns[CLOCK] = self.times
        columns |= self._series(rows)
        clusters, policy = self.request.permit(self.targets[0]).clusters, self.request.permit(self.targets[0]).policy
        if clusters is not None and minds_clusters(self.imputer):
            columns = {c: cells for c, cells in columns.items() if c.name != policy.cluster}  # no slope of its own
            columns[CLUSTERS] = clusters
        weights = self.request.permit(self.targets[0]).weights
        if weights is not None:
            columns[WEIGHTS] = weights
        return replace(rows, columns=columns)

    def _series(self, rows: Rows) -> dict[Column, Cells]:
        """How rows stand in an order, for imputers that follow it; for others what stands before and after."""
        found = self.request.permit(self.targets[0]).series
        if found is None:
            return {}
        if follows_order(self.imputer):
            return found.shown()
        return lags(rows, self.targets, found, both=self.times is None) if self.imputer.uses_predictors else {}

    @property
    def bounds(self) -> dict[Column, Bounds]:
        """What may be filled in, by target; nothing of those of which everything may."""
        return self._bounds(self.request.rows, self.targets)

    def _bounds(self, rows: Rows, targets: Sequence[Column]) -> dict[Column, Bounds]:
        policies = {column: self.request.permit(column).policy for column in targets}
        return {c: bounds(str(c), policy, self._known(rows, c)) for c, policy in policies.items() if policy.bounds}

    def _known(self, rows: Rows, column: Column) -> Cells:
        """A column's cells; where times are minded those of the rows that are learnt from."""
        cells = rows.columns[column]
        if self.times is None or rows.learn is None:
            return cells
        return cells.like(cells.values, cells.missing | ~rows.learn)

    def _permitted(self, rows: Rows, targets: Sequence[Column]) -> list[Column]:
        """The targets of which a value that may be filled in is known; where times are minded there may be others."""
        if self.times is None:
            return list(targets)
        found = []
        for column in targets:
            with suppress(CannotImpute):
                self._bounds(rows, [column])
                found.append(column)
        return found

    def values(
        self, seen: Mapping[Column, Array], progress: Progress | None, wanted: Sequence[Column]
    ) -> tuple[Mapping[Column, Array], list[str]]:
        """Single values, a draw of those that are wanted drawn, given what was drawn for other targets."""
        part, said = self.seeing(seen) if self.meets(list(seen)) else self, list[str]()

        def single(rows: Rows, targets: Sequence[Column]) -> Iterator[Mapping[Column, Array]]:
            mine = frozenset(wanted).intersection(targets)
            what = (self.request.seed, 0)
            yield weighed(rows, targets, what, lambda r, some: part._single(r, some, progress, mine, said))

        (filled,) = earlier(part.rows, part.targets, single, 1)
        return filled, said

    def _single(
        self, rows: Rows, targets: Sequence[Column], progress: Progress | None, drawn: Columns, said: list[str]
    ) -> Mapping[Column, Array]:
        """Single values of some rows, within what may be filled in."""
        targets = self._permitted(rows, targets)
        if not targets:
            return {}
        given, sentences = checked.imputed(self.imputer, rows, targets, self.seed, progress, drawn=drawn)
        said.extend(sentence for sentence in sentences if sentence not in said)
        values, limits = dict(given), self._bounds(rows, targets)
        chosen = {c: limit for c, limit in limits.items() if c in drawn}
        predicted = {c: limit for c, limit in limits.items() if c not in drawn}
        if chosen:
            mine = [column for column in targets if column in drawn]
            (kept,) = within(rows, [0], [{c: values[c] for c in mine}], self._drawing(mine), chosen, said, self.seed)
            values |= kept
        if predicted and averages_donors(self.imputer):
            values |= {c: self._by_donors(rows, c, values[c], limit, said) for c, limit in predicted.items()}
        elif predicted:
            only = {column: values[column] for column in targets if column in predicted}
            always = self.times is not None  # whether one cell is near a bound must not hang on a later one
            values |= expected(rows, only, self._drawing(list(only)), predicted, said, self.seed, always=always)
        return values

    def _by_donors(self, rows: Rows, column: Column, values: Array, limit: Bounds, said: list[str]) -> Array:
        """Single values of a column of an imputer that averages donors, of those whose value may be filled in alone."""
        cells = rows.columns[column]
        good = limit.permits(cells.values) | cells.missing
        some = cells.like(cells.values, cells.missing | ~good)
        hidden = replace(rows, columns={**rows.columns, column: some})
        if good.all() or not hidden.taught(column).any():
            return limit.nearest(values)
        given, sentences = checked.imputed(self.imputer, hidden, [column], self.seed)
        said.extend(sentence for sentence in sentences if sentence not in said)
        return limit.nearest(given[column][cells.missing[some.missing]])

    def _drawing(self, targets: Sequence[Column]) -> "_Draw":
        return _Draw(self.imputer, tuple(targets), self.seed)

    def draws(
        self, numbers: Sequence[int], progress: Progress | None = None, heard: checked.Heard | None = None
    ) -> Iterator[Mapping[Column, Array]]:
        """The draws of these numbers, one after another."""

        def each(rows: Rows, targets: Sequence[Column]) -> Iterator[Mapping[Column, Array]]:
            if WEIGHTS not in rows.columns:
                yield from some(rows, targets, numbers)
            for number in numbers if WEIGHTS in rows.columns else ():
                one = partial(some, numbers=[number])
                yield weighed(rows, targets, (self.request.seed, number), lambda r, c, one=one: next(iter(one(r, c))))  # type: ignore[misc]

        def some(rows: Rows, targets: Sequence[Column], numbers: Sequence[int]) -> Iterator[Mapping[Column, Array]]:
            targets = self._permitted(rows, targets)
            if not targets:
                return iter([{} for _ in numbers])
            draw, limits = self._drawing(targets), self._bounds(rows, targets)
            found = replace(draw, heard=heard)(rows, numbers, progress)
            return iter(within(rows, numbers, list(found), draw, limits, [], self.seed)) if limits else found

        return earlier(self.rows, self.targets, each, len(numbers))


@dataclass(frozen=True, slots=True)
class _Draw:
    """A way to draw some targets of any rows."""

    imputer: Imputer
    targets: tuple[Column, ...]
    seed: int
    heard: checked.Heard | None = None

    def __call__(
        self, rows: Rows, numbers: Sequence[int], progress: Progress | None = None
    ) -> Iterator[Mapping[Column, Array]]:
        return checked.draws(self.imputer, rows, self.targets, self.seed, numbers, progress, self.heard)


def patched(cells: Cells, values: Array) -> Cells:
    """The cells of a column with values for its missing ones, in row order; masked ones stay missing."""
    whole, left = cells.values.copy(), np.zeros(len(cells.missing), bool)
    whole[cells.missing] = np.ma.getdata(values)
    left[cells.missing] = np.ma.getmaskarray(values)
    return cells.like(whole, left)


def barred(policy: Policy, column: Column, same: Collection[Column], derived: Collection[Column] = ()) -> Columns:
    """The columns that one may not be predicted from.

    Args:
        policy: of the column.
        column: the column.
        same: the columns at hand of the table that it is of, under whatever alias.
        derived: columns at hand of rows that a query has made, of which nobody knows what they were computed from.
    """
    if not policy.chooses_predictors:
        return NO_COLUMNS
    return frozenset({c for c in same if not policy.predicts(c.name)} | set(derived)) - {column}
