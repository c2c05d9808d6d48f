"""The request for imputed values: cells to fill in, and what policies permit for each column.

Targets with the same imputer and the same permitted predictors form a part. Parts are filled one after another, the
most restricted first, and later parts see the draws of earlier ones. Columns that are missing together therefore keep
their joint distribution whatever imputes them: p(a) p(b | a), each factor with a model of its own.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, partial

import numpy as np
from numpy.typing import NDArray

from imputedb.algebra.column import Column
from imputedb.imputers.chained.chains import Movements
from imputedb.imputers.order import by_name
from imputedb.imputers.part import TargetGroup, patched
from imputedb.imputers.permit import FREE, Permit
from imputedb.imputers.precision import imprecise
from imputedb.imputers.protocol import Imputer, Progress
from imputedb.imputers.registry import single_imputer, with_cycles_of
from imputedb.imputers.rows import Array, Cells, Rows
from imputedb.notes import Note


@dataclass(frozen=True, eq=False)
class Request:
    """Cells to fill in.

    Attributes:
        rows: the n rows, with all available columns.
        targets: columns to fill.
        imputer: imputer of targets whose policy names none.
        permits: permits by column; a column without one has no restrictions.
        seed: seed of the random numbers.
    """

    rows: Rows
    targets: Sequence[Column]
    imputer: Imputer
    permits: Mapping[Column, Permit] = field(default_factory=dict)
    seed: int = 0

    def permit(self, column: Column) -> Permit:
        """The permit of a column."""
        return self.permits.get(column, FREE)

    def filler(self, column: Column) -> Imputer:
        """The imputer of a column."""
        own = self.permit(column).policy.imputer
        if own is None or own == self.imputer.name:
            return self.imputer
        return with_cycles_of(single_imputer(own, "a column needs"), self.imputer)

    def method(self, column: Column) -> str:
        """The method of a column: the name of its imputer, or its derivation."""
        text = self.permit(column).policy.derived
        return self.filler(column).name if text is None else f"derived as {text}"

    @cached_property
    def imputed(self) -> Sequence[Column]:
        """The imputed columns: targets that are not derived, and incomplete columns that others are derived from."""
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
        gaps = cells.missing & ~self._meaningful_nulls(column)
        return action in ("impute", "structural") and bool(gaps.any()) and not cells.missing.all()

    def _meaningful_nulls(self, column: Column) -> NDArray[np.bool_]:
        """(n,) where a NULL of a column has a meaning of its own, and is not imputed."""
        meant = self.permit(column).meant
        return np.zeros(len(self.rows.keys), bool) if meant is None else meant

    @cached_property
    def _derived(self) -> list[Column]:
        """The derived targets, and the derived columns from which these are computed."""
        found, waiting = dict[Column, None](), list(self.targets)
        while waiting:
            column = waiting.pop(0)
            derivation = self.permit(column).derivation
            if derivation is not None and column not in found:
                found[column] = None
                waiting += derivation.parts
        return list(found)

    def _computed(self, filled: Mapping[Column, Array]) -> dict[Column, Array]:
        """The derived columns whose parts are all observed or filled in, in the order of their dependencies."""
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
        """The missing values of a derived column; masked where one of its parts stays missing."""
        derivation, like = self.permit(column).derivation, self.rows.columns[column]
        assert derivation is not None
        parts = {one: self.rows.columns[one] for one in derivation.parts}
        whole = {c: patched(its, known[c]) if c in known else its for c, its in parts.items()}
        stays = {c: its.like(its.values, its.missing | self._meaningful_nulls(c)) for c, its in whole.items()}
        cells = derivation(stays, like)
        values, missing = cells.values[like.missing].astype(like.values.dtype), cells.missing[like.missing]
        return np.ma.masked_array(values, missing) if missing.any() else values

    def _wanted(self, filled: Mapping[Column, Array]) -> Mapping[Column, Array]:
        return {column: filled[column] for column in self.targets if column in filled}

    def parts(self) -> list["TargetGroup"]:
        """The parts, in the order in which they are filled.

        The most restricted part comes first. Its draws are seen by all later parts with at least the same predictors,
        and it sees no draws that depend on other predictors.
        """
        groups: dict[tuple[object, ...], list[Column]] = {}
        for column in self.imputed:
            permit = self.permit(column)
            key = (permit.barred - {column}, self.filler(column), permit.policy.rests_on)
            groups.setdefault(key, []).append(column)
        missing = {column: np.count_nonzero(self.rows.columns[column].missing) for column in self.imputed}
        ordered = by_name(self.rows.columns)
        found = [
            TargetGroup(self, self.filler(some[0]), tuple(some), self.permit(some[0]).barred - {some[0]})
            for some in groups.values()
        ]
        return sorted(
            found,
            key=lambda part: (
                -len(part.barred),
                part.times is None,
                sum(int(missing[column]) for column in part.targets),
                min(map(ordered.index, part.targets)),
            ),
        )

    def values(self, progress: Progress | None = None, drawn: Collection[Column] = ()) -> "Filled":
        """The single best values of the targets' missing cells; for targets in `drawn`, a draw.

        Masked are cells without anything to predict from, cells without earlier rows under BEFORE, and cells that are
        less precise than a policy requires.
        """
        found = self.best(progress, drawn)
        return replace(found, values=self._masked(found.values))

    def best(self, progress: Progress | None = None, drawn: Collection[Column] = ()) -> "Filled":
        """The values without masks for precision."""
        filled, notes = dict[Column, Array](), list[Note]()
        for part in self.parts():
            seen = {c: values for c, values in filled.items() if c in drawn}
            values, sentences = part.values(seen, progress, [c for c in part.targets if c in drawn])
            filled |= values
            filled |= self._computed(filled)
            notes += sentences
        filled |= self._computed(filled)
        return Filled(self._wanted(filled), tuple(notes))

    def draws(
        self, numbers: Sequence[int], progress: Progress | None = None, moved: Movements | None = None
    ) -> Iterator[Mapping[Column, Array]]:
        """The draws with these numbers, one after another, masked as in `values`.

        The movement of each part's chain is added to `moved`, except for parts that depend on the draws of others.
        """
        return map(self._masked, self.drawn(numbers, progress, moved))

    def drawn(
        self, numbers: Sequence[int], progress: Progress | None = None, moved: Movements | None = None
    ) -> Iterator[Mapping[Column, Array]]:
        """The draws without masks for precision."""
        parts = self.parts()
        together = [
            None
            if part.shares_rows(self._before(parts, part))
            else part.draws(numbers, progress, None if moved is None else partial(moved.add, place))
            for place, part in enumerate(parts)
        ]
        for number in numbers:
            filled: dict[Column, Array] = {}
            for part, stream in zip(parts, together, strict=True):
                filled |= next(part.with_draws(filled).draws([number], progress) if stream is None else stream)
                filled |= self._computed(filled)
            yield self._wanted(filled | self._computed(filled))

    def _masked(self, filled: Mapping[Column, Array]) -> Mapping[Column, Array]:
        return {
            c: np.ma.masked_array(v, self.left_missing(c)) if self.left_missing(c).any() else v
            for c, v in filled.items()
        }

    def left_missing(self, column: Column) -> NDArray[np.bool_]:
        """(k,) the missing cells of a target that stay missing because they are less precise than its policy requires.

        A cell of a derived column stays missing if one of its parts does.
        """
        return self._left[column]

    @cached_property
    def _left(self) -> Mapping[Column, NDArray[np.bool_]]:
        cells = self.rows.columns
        left = {column: np.zeros(len(its.missing), bool) for column, its in cells.items()}
        for column in self.imputed:
            left[column][cells[column].missing] = imprecise(self, column)
        waiting = list(self._derived)
        while waiting:  # ends, since no column is derived from itself
            column = waiting.pop(0)
            derivation = self.permit(column).derivation
            assert derivation is not None
            if any(part in waiting for part in derivation.parts):
                waiting.append(column)
                continue
            for part in derivation.parts:
                left[column] |= left[part] & cells[column].missing
        return {column: left[column][cells[column].missing] for column in self.targets}

    def _before(self, parts: Sequence["TargetGroup"], part: "TargetGroup") -> list[Column]:
        return [column for other in parts[: parts.index(part)] for column in other.targets if part.may_use(column)]


@dataclass(frozen=True, slots=True)
class Filled:
    """Values of missing cells, in row order and in the form of `Cells.values`, and notes for readers of the answer."""

    values: Mapping[Column, Array]
    notes: tuple[Note, ...]
