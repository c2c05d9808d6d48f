"""Doubly robust answers to aggregating queries: a cross-fitted model of values and one of what is observed."""

from dataclasses import dataclass, field

import numpy as np

from imputedb.algebra.column import Columns
from imputedb.engines.engine import Engine
from imputedb.imputers.imputer import Imputer
from imputedb.inference.answers import Question
from imputedb.inference.crossfit import LEAST, CrossFit
from imputedb.inference.doubly_robust import Flags, Part, Robust, Vector, average, known, total
from imputedb.planning.problem import Problem
from imputedb.quantities import Aggregate, Quantities, Quantity

KINDS = ("avg", "sum", "count")


@dataclass(frozen=True, slots=True)
class Answered:
    """The groups of a query, and an estimate for each aggregate.

    Attributes:
        keys: of the groups, as texts; one empty key where nothing is grouped.
        estimates: by group and output; None where the output is a key.
        warnings: sentences that a reader of the answer must know.
    """

    keys: list[tuple[str | None, ...]]
    estimates: list[list[Robust | None]]
    warnings: list[str] = field(default_factory=list)


@dataclass(eq=False)
class DoublyRobust:
    """AVG, SUM and COUNT by augmented inverse probability weighting (`inference.doubly_robust`).

    Warning: what is missing must depend on nothing but the columns that predict, those which the aggregate itself reads
    and which miss values not among them.

    Attributes:
        engine: where rows live.
        problem: the query with its statistics.
        imputer: that says, beside a regression on curves, what values are expected.
        question: what the intervals are about.
        level: of their confidence.
        seed: what folds are keyed by.
    """

    engine: Engine
    problem: Problem
    imputer: Imputer | None
    question: Question = "population"
    level: float = 0.95
    seed: int = 0
    _fits: dict[Columns, CrossFit] = field(default_factory=dict)
    _parts: dict[int, Part] = field(default_factory=dict)

    def answered(self) -> Answered:
        """The estimates.

        Raises:
            QueryError: the query is none that this suits; the message says why.
            CannotImpute: nothing of a quantity is observed.
        """
        found = Quantities(self.engine, self.problem, KINDS)
        found.check_rows_stand_alone()
        keys, codes, grouped = found.keys
        table: list[list[Robust | None]] = [[None] * len(found.outputs) for _ in keys]
        for place, output in enumerate(found.outputs):
            if not isinstance(output, Aggregate):
                continue
            value, (sure, unsure) = found.value(place), found.conditions(place)
            for group in range(len(keys)):
                mine = codes == group
                inside, maybe = (sure & mine, unsure) if grouped is None else (sure, _both(unsure, grouped, mine))
                table[group][place] = self._estimate(found, place, output.kind, value, inside, maybe)
        return Answered(keys, table, list(self._warnings()))

    def _estimate(
        self, found: Quantities, place: int, kind: str, value: Quantity | None, inside: Flags, maybe: Quantity | None
    ) -> Robust:
        if maybe is None:
            members = known(inside.astype(np.float64))
            if kind == "count" or value is None:
                return total(members, self.question, self.level)
            if place not in self._parts:
                self._parts[place] = self._fit(found, value.reads).part(value.values, value.observed)
            part = self._parts[place].within(inside)
        else:
            both = maybe if kind == "count" or value is None else maybe.times(value)
            fit = self._fit(found, both.reads)
            members = self._part(fit, maybe.values, both.observed, inside)
            if kind == "count" or value is None:
                return total(members, self.question, self.level)
            part = self._part(fit, both.values, both.observed, inside)
        if kind == "sum":
            return total(part, self.question, self.level)
        return average(part, members, self.question, self.level)

    def _part(self, fit: CrossFit, values: Vector, observed: Flags, inside: Flags) -> Part:
        return fit.part(values, observed).within(inside)

    def _fit(self, found: Quantities, without: Columns) -> CrossFit:
        if without not in self._fits:
            self._fits[without] = CrossFit(found.predictors(without), self.imputer, self.seed)
        return self._fits[without]

    def _warnings(self) -> list[str]:
        clipped = max((count for fit in self._fits.values() for count in fit.clipped), default=0)
        if not clipped:
            return []
        return [
            f"{clipped} rows had less than a chance of {LEAST} of being observed: rows like them are hardly ever, and "
            "what is said of those stands on the imputer"
        ]


def _both(unsure: Quantity | None, grouped: Quantity, mine: Flags) -> Quantity:
    """Whether a row belongs to a group, and what else is not known of all rows."""
    group = Quantity(mine.astype(np.float64), grouped.observed, grouped.reads)
    return group if unsure is None else unsure.times(group)
