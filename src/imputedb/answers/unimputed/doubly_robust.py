"""Doubly robust answers to queries with aggregates: a cross-fitted model of values, and one of being observed."""

from dataclasses import dataclass, field, replace

import numpy as np

from imputedb.algebra.column import Columns
from imputedb.answers.unimputed.crossfit import LEAST, CrossFit
from imputedb.answers.unimputed.quantity import Aggregate, Quantity
from imputedb.answers.unimputed.rows import Quantities
from imputedb.engines.engine import Engine
from imputedb.errors import DataError, QueryError
from imputedb.imputers.permitted import bounds
from imputedb.imputers.protocol import Imputer
from imputedb.imputers.registry import single_imputer
from imputedb.inference.doubly_robust import Flags, PartlyObserved, Robust, average, known, total
from imputedb.notes import Note, NoteKind, Question
from imputedb.planning.problem import Problem

KINDS = ("avg", "sum", "count")


@dataclass(frozen=True, slots=True)
class Answered:
    """The groups of a query, and an estimate for each aggregate.

    Attributes:
        keys: texts of the groups' keys; one empty key without groups.
        estimates: estimates by group and output; None where the output is a key.
        warnings: warnings for the reader.
    """

    keys: list[tuple[str | None, ...]]
    estimates: list[list[Robust | None]]
    warnings: list[Note] = field(default_factory=list)


@dataclass(eq=False)
class DoublyRobust:
    """AVG, SUM and COUNT by augmented inverse probability weighting (`inference.doubly_robust`).

    A missing value is one that the column's policy permits (RANGE, VALUES). It resembles the permitted observed values,
    given the predictors; other observed values count as they are, and are not learnt from.

    Warning: missingness must depend on the predictors only, which do not include the incomplete columns that the
    aggregate itself reads.

    Attributes:
        engine: engine that holds the rows.
        problem: query with its statistics.
        imputer: imputer for expected values, beside a regression on splines.
        question: what the intervals are about: the population or the answer.
        level: confidence level.
        seed: key of the folds.
    """

    engine: Engine
    problem: Problem
    imputer: Imputer | None
    question: Question = "population"
    level: float = 0.95
    seed: int = 0
    _fits: dict[Columns, CrossFit] = field(default_factory=dict)
    _parts: dict[tuple[int, int, str], PartlyObserved] = field(default_factory=dict)

    def answered(self) -> Answered:
        """The estimates.

        Raises:
            QueryError: the query is not supported; the message says why.
            CannotImpute: a quantity has no observed value.
            DataError: an observed value is infinite.
        """
        found = Quantities(self.engine, self.problem, KINDS)
        found.check_rows_stand_alone()
        keys, codes, grouped = found.keys
        table: list[list[Robust | None]] = [[None] * len(found.outputs) for _ in keys]
        for place, output in enumerate(found.outputs):
            if not isinstance(output, Aggregate):
                continue
            value = found.value(place)
            value = None if output.kind == "count" else value  # it was only read for its NULLs
            if value is not None and not np.isfinite(value.values[value.observed]).all():
                raise DataError(
                    f"{output.text} reads an infinite number, of which no model can be made: leave those rows out, "
                    "as by WHERE isfinite(...)"
                )
            sure, unsure = found.conditions(place)
            for group in range(len(keys)):
                mine = codes == group
                if grouped is None:
                    one = self._estimate(found, (place, -1), output.kind, value, sure & mine, unsure)
                else:
                    maybe = _product(unsure, _belongs(grouped, mine))
                    one = self._estimate(found, (place, group), output.kind, value, sure, maybe)
                table[group][place] = one
        return Answered(keys, table, list(self._warnings()))

    def _estimate(
        self,
        found: Quantities,
        name: tuple[int, int],
        kind: str,
        value: Quantity | None,
        inside: Flags,
        maybe: Quantity | None,
    ) -> Robust:
        """An aggregate over certain rows under a condition that may be unknown; its models are cached by a name."""
        both = _product(maybe, value)
        members = known(inside.astype(np.float64))
        if maybe is not None and both is not None:
            members = self._part(found, (*name, "members"), replace(both, values=maybe.values)).within(inside)
        if value is None or both is None:
            return total(members, self.question, self.level)
        part = self._part(found, (*name, "values"), both).within(inside)
        if kind == "sum":
            return total(part, self.question, self.level)
        return average(part, members, self.question, self.level)

    def _part(self, found: Quantities, name: tuple[int, int, str], of: Quantity) -> PartlyObserved:
        if name not in self._parts:
            self._parts[name] = self._fit(found, of.reads).part(of.values, of.observed, self._permitted(found, of))
        return self._parts[name]

    def _permitted(self, found: Quantities, of: Quantity) -> Flags:
        """(n,) whether a quantity has a value that a missing one may have, by RANGE and VALUES of the columns read."""
        fine = np.ones(found.count, bool)
        for column in sorted(of.reads):
            policy = self.problem.statistics[column.relation].policy(column.name)
            if not policy.bounds:
                continue
            cells = found.cells(column, joined=True)
            fine &= cells.missing | bounds(str(column), policy, cells).permits(cells.values)
        if len(of.reads) > 1 and not fine[of.observed].all():
            names = ", ".join(map(str, sorted(of.reads)))
            raise QueryError(
                f"no such answer to this query: a number is made of {names}, and RANGE or VALUES rule some out that "
                "are observed: leave method out"
            )
        return fine

    def _fit(self, found: Quantities, without: Columns) -> CrossFit:
        if without not in self._fits:
            self._fits[without] = CrossFit(found.predictors(without), self._filler(found, without), self.seed)
        return self._fits[without]

    def _filler(self, found: Quantities, of: Columns) -> Imputer | None:
        """The imputer that the policies of some columns agree on; the query's where they name none."""
        names = found.fillers(of)
        if len(names) > 1:
            raise QueryError(
                f"policies fill {', '.join(map(str, sorted(of)))} by different imputers: name one for both"
            )
        return single_imputer(names.pop(), "a column needs") if names else self.imputer

    def _warnings(self) -> list[Note]:
        clipped = max((count for fit in self._fits.values() for count in fit.clipped), default=0)
        if not clipped:
            return []
        words = (
            f"{clipped} rows had less than a chance of {LEAST} of being observed: rows like them are hardly ever, and "
            "what is said of those stands on the imputer"
        )
        return [Note(NoteKind.RARELY_OBSERVED, "", words)]


def _product(one: Quantity | None, other: Quantity | None) -> Quantity | None:
    if one is None or other is None:
        return one or other
    return one.times(other)


def _belongs(grouped: Quantity, mine: Flags) -> Quantity:
    """The membership of rows in a group."""
    return Quantity(mine.astype(np.float64), grouped.observed, grouped.reads)
