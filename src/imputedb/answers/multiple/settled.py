"""The branches that an expression chooses, as a number.

The delta method has no error for a change of branch: `CASE WHEN avg(x) > 5 THEN avg(x) ELSE 0 END` jumps by 5 at 5. So
the number is computed at all values that the aggregates may have (`images`).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from imputedb.answers.multiple.calls import double, plus, times
from imputedb.answers.multiple.choices import as_case
from imputedb.sql import ast as t
from imputedb.sql.ast import Tree
from imputedb.sql.expression import (
    arguments_of,
    cases_of,
    children_of,
    filter_of,
    function_of,
    is_distinct,
    is_subquery,
    is_window,
    kind_of,
    operation_of,
    results_of,
    sides_of,
)
from imputedb.sql.functions import ALL_COUNTS, SMOOTH, STRICT

_NULL_TESTS = ("OPERATOR_IS_NULL", "OPERATOR_IS_NOT_NULL")
_WIDE = 64.0


class _Undecided(Exception):  # never leaves this file
    """The variance of a condition's operands is unknown."""


@dataclass(frozen=True, slots=True)
class Settling:
    """The analysis of an expression's branches.

    Attributes:
        aggregates: names of aggregate functions.
        known: whether an expression of aggregates is a number with an error.
        whole: whether the rows that are counted are all stored ones, which no condition leaves out.
    """

    aggregates: frozenset[str]
    known: Callable[[Tree], bool]
    whole: bool

    def branch(self, tree: Tree) -> tuple[Tree | None, bool]:
        """The number of the chosen branches; and whether the errors of all deciding numbers are known.

        The number is None if the design determines all branches.
        """
        try:
            return self._branch(tree), True
        except _Undecided:
            return None, False

    def _branch(self, tree: Tree) -> Tree | None:
        case = alternatives(tree, self.aggregates)
        if case:
            return self._of_case(case)
        if _is_whole(tree, self.aggregates):
            return None
        found = [code for part in t.parts(tree) if (code := self._branch(part))]
        if not found:
            return None
        whole = found[0]
        for one in found[1:]:
            whole = plus(times(whole, t.literal(_WIDE)), one)
        return whole

    def _of_case(self, case: Tree) -> Tree | None:
        conditions, _ = cases_of(case)
        inside = [self._branch(one) for one in results_of(case)]
        certain = [self._is_certain(when) for when, _ in conditions]
        if all(certain) and not any(inside):
            return None

        def code(place: int) -> Tree:
            own, below = double(t.number(place + 1)), inside[place]
            return own if below is None else plus(own, times(below, t.literal(_WIDE)))

        one = code(len(conditions))
        for place in reversed(range(len(conditions))):
            one = t.where(conditions[place][0], code(place), one)
        return one

    def _is_certain(self, when: Tree) -> bool:
        """Whether the design determines a condition."""
        operation = operation_of(when)
        match kind_of(when):
            case "COMPARISON":
                return self._are_certain(sides_of(when))
            case "CONJUNCTION":
                parts = [self._is_certain(one) for one in children_of(when)]
                return all(parts)  # each has been looked at
            case "OPERATOR" if operation == "OPERATOR_NOT":
                return self._is_certain(children_of(when)[0])
            case "OPERATOR" if operation in _NULL_TESTS and self._is_smooth(children_of(when)[0]):
                return True
            case "BETWEEN":
                return self._are_certain([when["input"], when["lower"], when["upper"]])
            case _ if self._is_fixed(when):
                return True
            case _:
                raise _Undecided

    def _are_certain(self, sides: Sequence[Tree]) -> bool:
        open_ = [one for one in sides if not self._is_fixed(one)]
        if not all(map(self.known, open_)):
            raise _Undecided
        return not open_

    def _is_fixed(self, tree: Tree) -> bool:
        """Whether an expression has the same value in every sample: constants, keys of groups, counts of all rows."""
        if function_of(tree) in self.aggregates:
            plain = not (filter_of(tree) or is_distinct(tree) or arguments_of(tree))
            return self.whole and plain and function_of(tree) in ALL_COUNTS
        if is_subquery(tree) or is_window(tree):
            return False
        if kind_of(tree) == "FUNCTION" and function_of(tree) not in STRICT | SMOOTH:
            return False
        return all(map(self._is_fixed, t.parts(tree)))

    def _is_smooth(self, tree: Tree) -> bool:
        """Whether an expression is NULL only if its arguments are, not by a choice."""
        if function_of(tree) in self.aggregates:
            return True
        if as_case(tree) and function_of(tree) not in ("greatest", "least", "abs", "@"):
            return operation_of(tree) == "OPERATOR_COALESCE" and all(map(self._is_smooth, children_of(tree)))
        known = kind_of(tree) != "FUNCTION" or function_of(tree) in STRICT | SMOOTH
        return known and not (is_subquery(tree) or is_window(tree)) and all(map(self._is_smooth, t.parts(tree)))


def alternatives(tree: Tree, aggregates: frozenset[str]) -> Tree | None:
    """The CASE that an expression of aggregates is; None where it chooses nothing, or only where it is NULL."""
    return None if _is_whole(tree, aggregates) or function_of(tree) == "nullif" else as_case(tree)


def chooses(tree: Tree, aggregates: frozenset[str]) -> bool:
    """Whether an expression of aggregates chooses anywhere between results."""
    if alternatives(tree, aggregates):
        return True
    return not _is_whole(tree, aggregates) and any(chooses(part, aggregates) for part in t.parts(tree))


def _is_whole(tree: Tree, aggregates: frozenset[str]) -> bool:
    return function_of(tree) in aggregates or is_subquery(tree) or is_window(tree)
