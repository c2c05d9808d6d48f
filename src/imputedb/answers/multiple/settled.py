"""The branches that an expression chooses, and whether another sample would choose them too.

The delta method has no error for a change of branch: `CASE WHEN avg(x) > 5 THEN avg(x) ELSE 0 END` jumps by 5 at 5.
A branch is certain if the two sides of its comparison differ by several standard errors, summed over both sides.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from imputedb.answers.multiple.calls import double, minus, plus, times
from imputedb.answers.multiple.choices import as_case
from imputedb.answers.multiple.forms import bare, fixed
from imputedb.sql import ast as t
from imputedb.sql.ast import Tree, without_place
from imputedb.sql.expression import (
    arguments_of,
    cases_of,
    children_of,
    filter_of,
    function_of,
    is_distinct,
    is_null,
    is_subquery,
    is_window,
    kind_of,
    operation_of,
    results_of,
    sides_of,
)
from imputedb.sql.functions import ALL_COUNTS, SMOOTH, STRICT, SUMS

_APART = 4
"""Standard errors between the sides of a comparison; one sample in 16,000 would reverse it."""

_NULL_TESTS = ("OPERATOR_IS_NULL", "OPERATOR_IS_NOT_NULL")
_WIDE = 64.0


class _Undecided(Exception):  # never leaves this file
    """The variance of a condition's operands is unknown."""


@dataclass(frozen=True, slots=True)
class Settling:
    """The analysis of an expression's branches.

    Attributes:
        aggregates: names of aggregate functions.
        variance: function that gives the variance of an expression of aggregates; None if unknown.
        whole: whether all stored rows are counted, without a condition.
    """

    aggregates: frozenset[str]
    variance: Callable[[Tree], Tree | None]
    whole: bool

    def branch(self, tree: Tree) -> tuple[Tree | None, bool]:
        """The number of the chosen branches, NULL where another sample might choose others; and whether this is known.

        The number is None if the design determines all branches.
        """
        try:
            return self._branch(tree), True
        except _Undecided:
            return None, False

    def _branch(self, tree: Tree) -> Tree | None:
        if function_of(tree) in self.aggregates or is_subquery(tree) or is_window(tree):
            return None
        case = None if function_of(tree) == "nullif" else as_case(tree)
        if case:
            return self._of_case(case)
        found = [code for part in t.parts(tree) if (code := self._branch(part))]
        if not found:
            return None
        whole = found[0]
        for one in found[1:]:
            whole = plus(times(whole, t.literal(_WIDE)), one)
        return whole

    def _of_case(self, case: Tree) -> Tree | None:
        conditions, _ = cases_of(case)
        results = results_of(case)
        inside = [self._branch(one) for one in results]
        certain = [self._certain(when, results) for when, _ in conditions]
        if not any(certain) and not any(inside):
            return None

        def code(place: int) -> Tree:
            own, below = double(t.number(place + 1)), inside[place]
            return own if below is None else plus(own, times(below, t.literal(_WIDE)))

        one = code(len(conditions))
        for place in reversed(range(len(conditions))):
            one = t.where(conditions[place][0], code(place), one)
            if sure := certain[place]:
                one = t.where(sure, one, t.literal(None))
        return one

    def _certain(self, when: Tree, results: list[Tree]) -> Tree | None:
        """The condition under which another sample would decide as this one does; None if the design determines it."""
        operation = operation_of(when)
        match kind_of(when):
            case "COMPARISON":
                return self._apart(*sides_of(when), results)
            case "CONJUNCTION":
                return _all(self._certain(one, results) for one in children_of(when))
            case "OPERATOR" if operation == "OPERATOR_NOT":
                return self._certain(children_of(when)[0], results)
            case "OPERATOR" if operation in _NULL_TESTS and self._is_smooth(children_of(when)[0]):
                return None
            case "BETWEEN":
                ends = [self._apart(when["input"], when[end], results) for end in ("lower", "upper")]
                return _all(ends)
            case _ if self._is_fixed(when):
                return None
            case _:
                raise _Undecided

    def _apart(self, left: Tree, right: Tree, results: list[Tree]) -> Tree | None:
        if self._is_fixed(left) and self._is_fixed(right):
            return None
        if not self._are_numbers(left, right, results):
            raise _Undecided
        errors = [self._error(one) for one in (left, right) if not self._is_fixed(one)]
        distance = t.call("abs", minus(double(left), double(right)))
        whole = errors[0] if len(errors) == 1 else plus(*errors)
        return t.compared("COMPARE_GREATERTHAN", distance, times(t.number(_APART), whole))

    def _error(self, tree: Tree) -> Tree:
        variance = self.variance(tree)
        if variance is None:
            raise _Undecided
        return t.call("sqrt", double(variance))

    def _are_numbers(self, left: Tree, right: Tree, results: list[Tree]) -> bool:
        shown = [repr(without_place(one)) for one in results]
        return any(
            (fixed(one) is not None and not is_null(one))
            or function_of(bare(one)) in ALL_COUNTS | SUMS
            or repr(without_place(one)) in shown
            for one in (left, right)
        )

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


def _all(conditions: Iterator[Tree | None] | list[Tree | None]) -> Tree | None:
    return t.all_of([one for one in conditions if one])
