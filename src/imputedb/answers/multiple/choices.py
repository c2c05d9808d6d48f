"""Expressions that choose between one number and constants, and have the number's error."""

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

from imputedb.answers.multiple.forms import literal_value
from imputedb.answers.multiple.influence import Influence, of_group
from imputedb.sql import ast as t
from imputedb.sql.ast import Tree, without_place
from imputedb.sql.expression import (
    arguments_of,
    called_with,
    cased,
    cases_of,
    child_of,
    children_of,
    function_of,
    is_cast,
    is_null,
    kind_of,
    operation_of,
    results_of,
)

_CHOSEN = "chosen"


class NumberChoice(NamedTuple):
    """An expression that is either one number or constants.

    Attributes:
        core: the number.
        decided: condition under which the expression is that number; None where it always is.
        neutral: whether the constants are only 0 and NULL, which shares, totals and correlations may be.
    """

    core: Tree
    decided: Tree | None = None
    neutral: bool = True

    def variance(self, of_core: Tree) -> Tree:
        """The variance of the expression, from that of the number; constants have none."""
        return of_core if self.decided is None else t.where(self.decided, of_core, t.literal(0.0))

    def influence(self, of_core: Influence) -> Influence:
        """The influence of a row on the expression, from that on the number."""
        if self.decided is None:
            return of_core
        share = t.where(self.decided, t.literal(1.0), t.literal(0.0))
        value = t.arithmetic("*", of_core.value, of_group(_CHOSEN))
        return replace(of_core, numbers={**of_core.numbers, _CHOSEN: share}, value=value)


def chosen(tree: Tree) -> NumberChoice:
    """The number in an expression, inside casts and constant factors; the expression itself if it has no choice."""
    if is_cast(tree):
        inside = chosen(child_of(tree))
        return inside if inside.decided else NumberChoice(tree)
    given = arguments_of(tree)
    if (
        function_of(tree) in ("*", "/", "fdiv")
        and len(given) == 2
        and not all(literal_value(one) is None for one in given)
    ):
        insides = [chosen(one) for one in given]
        decided = [one for one in insides if one.decided]
        if not decided:
            return NumberChoice(tree)
        return NumberChoice(called_with(tree, [one.core for one in insides]), decided[0].decided, decided[0].neutral)
    case = as_case(tree)
    return _of_case(tree, case) if case else NumberChoice(tree)


def _of_case(tree: Tree, case: Tree) -> NumberChoice:
    (conditions, _), results = cases_of(case), results_of(case)
    numbers = [chosen(one) for one in results if not _is_constant(one)]
    if not numbers or len({repr(without_place(one.core)) for one in numbers}) > 1:
        return NumberChoice(tree)
    found, branches, neutral = iter(numbers), list[Tree](), all(one.neutral for one in numbers)
    for one in results:
        if _is_constant(one):
            branches.append(t.literal(False))
            neutral &= is_null(one) or literal_value(one) == 0
        else:
            branches.append(next(found).decided or t.literal(True))
    pairs = [(when, branch) for (when, _), branch in zip(conditions, branches, strict=False)]
    return NumberChoice(numbers[0].core, cased(pairs, branches[-1]), neutral)


def as_case(tree: Tree) -> Tree | None:
    """The CASE of an expression such as COALESCE, `nullif`, `greatest`, `least` or `abs`; None for any other."""
    match kind_of(tree), function_of(tree), arguments_of(tree):
        case "CASE", _, _:
            return tree
        case "OPERATOR", _, _ if operation_of(tree) == "OPERATOR_COALESCE":
            return _first_of(children_of(tree))
        case _, "ifnull", given:
            return _first_of(given)
        case _, "nullif", [one, other]:
            return cased([(t.compared("COMPARE_EQUAL", one, other), t.literal(None))], one)
        case _, ("greatest" | "least") as name, [one, *others] if others:
            rest = t.call(name, *others) if len(others) > 1 else others[0]
            comparison = f"COMPARE_{'GREATER' if name == 'greatest' else 'LESS'}THANOREQUALTO"
            first = t.any_of([t.is_missing(rest), t.compared(comparison, one, rest)])
            assert first
            return cased([(first, one)], rest)
        case _, ("abs" | "@"), [one]:
            return cased([(t.compared("COMPARE_LESSTHAN", one, t.number(0)), t.arithmetic("-", one))], one)
        case _:
            return None


def _first_of(given: Sequence[Tree]) -> Tree:
    return cased([(t.is_present(one), one) for one in given[:-1]], given[-1])


def _is_constant(tree: Tree) -> bool:
    return is_null(tree) or literal_value(tree) is not None
