"""Totals and shares among expressions: multiples of a sum, a count, a mean or a ratio."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal

from imputedb.answers.multiple.calls import Call, double
from imputedb.sql import ast as t
from imputedb.sql.ast import Tree
from imputedb.sql.expression import (
    arguments_of,
    child_of,
    filter_of,
    function_of,
    is_call,
    is_cast,
    is_distinct,
    is_null,
    kind_of,
    names_of,
    results_of,
    text_of,
)
from imputedb.sql.functions import ALL_COUNTS, COUNTS, MEANS, PAIR_COUNTS, SUMS

ANY, POSITIVE, ONES = 0, 1, 2
"""The values that a number sums up: any, none negative, or only 0 and one positive constant."""


@dataclass(frozen=True, slots=True)
class TotalForm:
    """A multiple of a total or of a share.

    Attributes:
        kind: `total`, a sum or count; `share`, a mean of values or a ratio of totals.
        factor: constant factor, such as 100 for percentages, whether it stands before the aggregate or in its argument.
        flag: aggregate that classifies the values: ANY, POSITIVE or ONES; None where they are ONES.
    """

    kind: Literal["total", "share"]
    factor: float
    flag: Tree | None


def form(tree: Tree) -> TotalForm | None:
    """The form of an expression of aggregates; None where it is not a multiple of one total, mean or ratio."""
    factor, core = without_factor(tree)
    if not factor > 0 or not is_call(core) or is_distinct(core):
        return None
    name = function_of(core)
    if name in ALL_COUNTS:
        return TotalForm("total", factor, None)
    if name in SUMS:
        return TotalForm("total", factor * _unit(core), _flag(core))
    if name in MEANS:
        flag = t.number(ANY) if _is_constant(core) else _either(_is_ones(core), ONES, t.number(ANY))
        return TotalForm("share", factor * _unit(core), flag)
    if name in ("/", "fdiv"):
        return _ratio(factor, *arguments_of(core))
    return None


def _ratio(factor: float, above: Tree, below: Tree) -> TotalForm | None:
    """A share, if the numerator counts some of the rows that the denominator counts."""
    (times, part), (per, whole) = without_factor(above), without_factor(below)
    if not (_is_total(part) and _is_total(whole) and times > 0 and per > 0):
        return None
    one, all_, units = value_of(part), value_of(whole), (_unit(part), _unit(whole))
    counted = t.any_of(
        [t.compared("COMPARE_EQUAL", one, t.literal(0.0)), t.compared("COMPARE_NOTEQUAL", all_, t.literal(0.0))]
    )
    inside = t.all_of([_is_unit(one, units[0]), _is_unit(all_, units[1]), *([counted] if counted else [])])
    assert inside
    scale = factor * times * units[0] / (per * units[1])
    return TotalForm("share", scale, _either(t.call("bool_and", inside), ONES, t.number(ANY)))


def _unit(total: Tree) -> float:
    """The positive value that a total or mean adds up beside 0, as far as constants tell; 1 for counts and others.

    It is the constant factor of the argument, times the constant of a CASE that has no other than this and 0.
    """
    if function_of(total) in ALL_COUNTS:
        return 1.0
    factor, inner = without_factor(arguments_of(total)[0])
    constants = _results(inner) - {0.0}
    if len(constants) == 1 and (only := constants.pop()) is not None:
        factor *= only
    return factor if factor > 0 else 1.0


def _is_constant(mean: Tree) -> bool:
    """Whether a mean is of one constant, as a CASE without ELSE has it: of no share, since no row counts as 0."""
    results = _results(without_factor(arguments_of(mean)[0])[1])
    return len(results) == 1 and None not in results


def _results(value: Tree) -> set[float | None]:
    """The constants that a CASE may give, None for what is not one; empty for any other value."""
    return {literal_value(one) for one in results_of(value) if not is_null(one)} if kind_of(value) == "CASE" else set()


def _flag(total: Tree) -> Tree:
    call = Call(total, t.number(1))
    least = t.compared("COMPARE_GREATERTHANOREQUALTO", call.of("min", call.argument(0)), t.number(0))
    return _either(_is_ones(total), ONES, _either(least, POSITIVE, t.number(ANY)))


def _either(condition: Tree, then: int, otherwise: Tree) -> Tree:
    return t.where(condition, t.number(then), otherwise)


def _is_ones(total: Tree) -> Tree:
    call = Call(total, t.number(1))
    return call.of("bool_and", _is_unit(call.argument(0), _unit(total)))


def _is_unit(value: Tree, unit: float) -> Tree:
    either = t.any_of([t.compared("COMPARE_EQUAL", value, t.literal(end)) for end in (0.0, unit)])
    assert either
    return either


def _is_total(tree: Tree) -> bool:
    return is_call(tree) and not is_distinct(tree) and function_of(tree) in ALL_COUNTS | SUMS


def value_of(tree: Tree) -> Tree:
    """The contribution of a row to a total."""
    call = Call(tree, t.number(1))
    value = double(t.number(1)) if function_of(tree) in ALL_COUNTS else call.argument(0)
    return double(t.where(call.held, value, t.number(0))) if call.held else value


def without_factor(tree: Tree) -> tuple[float, Tree]:
    """A constant factor and the remaining expression, inside casts."""
    if is_cast(tree):
        return without_factor(child_of(tree))
    if not is_call(tree):
        return 1.0, tree
    name, given = function_of(tree), arguments_of(tree)
    if name == "nullif" and given:
        return without_factor(given[0])
    if name in ("*", "/", "fdiv") and len(given) == 2:
        left, right = given
        number = constant(right)
        if number:
            factor, inner = without_factor(left)
            return (factor * number if name == "*" else factor / number), inner
        number = constant(left) if name == "*" else None
        if number:
            factor, inner = without_factor(right)
            return factor * number, inner
    return 1.0, tree


def constant(tree: Tree) -> float | None:
    """The value of a numeric constant; None for other expressions."""
    while is_cast(tree):
        tree = child_of(tree)
    try:
        return float(text_of(tree))
    except ValueError:
        return None


def literal_value(tree: Tree) -> float | None:
    """The value of an expression of literals; None for any other."""
    given = [literal_value(one) for one in arguments_of(tree)]
    known = [one for one in given if one is not None]
    if not given or len(known) < len(given):
        return constant(tree)
    match function_of(tree), known:
        case "-", [one]:
            return -one
        case "*", [left, right]:
            return left * right
        case "/", [left, right] if right:
            return left / right
        case _:
            return None


def counts_all(tree: Tree, never_null: Collection[tuple[str, ...]] = ()) -> bool:
    """Whether an expression counts rows without a condition of its own: of a whole table that is no estimate.

    Args:
        tree: the expression.
        never_null: columns, as they are written, that have a value in every row: counting them is counting rows.
    """
    tree = without_casts(tree)
    if not is_call(tree) or filter_of(tree) or is_distinct(tree):
        return False
    name, counted = function_of(tree), arguments_of(tree)
    return name in COUNTS | PAIR_COUNTS and all(tuple(names_of(one)) in never_null for one in counted)


def without_casts(tree: Tree) -> Tree:
    """What is inside casts."""
    while is_cast(tree):
        tree = child_of(tree)
    return tree
