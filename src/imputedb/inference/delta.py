"""The delta method: the variance of an expression over sums, counts and averages."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from imputedb.inference.measures import double, minus, over, plus, sampled, times
from imputedb.sql import tree as t
from imputedb.sql.functions import CONDITION_COUNTS, COUNTS, MEANS, SUMS
from imputedb.sql.tree import Tree, without_place

MOST = 6
"""Sums in one expression: their covariances are as many as pairs of them."""


class _Unknown(Exception):  # never leaves this file
    """The derivative of something is not known here."""


@dataclass(slots=True)
class _Sums:
    """The sums that an expression is of: by their text a value a row, 0 where the row does not count."""

    found: dict[str, Tree] = field(default_factory=dict)

    def named(self, value: Tree) -> str:
        key = repr(without_place(value))
        self.found.setdefault(key, value)
        return key


Slopes = Mapping[str, Tree]


def variance(tree: Tree, units: Tree) -> Tree | None:
    """The variance of a differentiable expression f over sums S of a sampled row's values z; None of any other.

    sum over pairs of f_k f_l N / (N - 1) (sum z_k z_l - S_k S_l / N), f_k the derivative by S_k and N the rows that
    were sampled (Cochran 1977, section 6.3; Wolter 2007, chapter 6).
    """
    sums = _Sums()
    try:
        slopes = _slopes(tree, sums)
    except _Unknown:
        return None
    if not 0 < len(slopes) <= MOST:
        return None
    size = sampled(units)
    terms = [
        times(slopes[k], slopes[j], _covariance(sums.found[k], sums.found[j], size)) for k in slopes for j in slopes
    ]
    total = terms[0]
    for term in terms[1:]:
        total = plus(total, term)
    return over(times(total, size), minus(size, t.number(1)))


def _covariance(left: Tree, right: Tree, units: Tree) -> Tree:
    product = t.call("sum", times(left, right))
    return minus(product, over(times(t.call("sum", left), t.call("sum", right)), units))


def _slopes(tree: Tree, sums: _Sums) -> Slopes:
    """The derivatives of an expression by the sums in it."""
    match tree["class"]:
        case "CONSTANT":
            return {}
        case "CAST":
            return _slopes(tree["child"], sums)
        case "OPERATOR" if tree["type"] == "OPERATOR_COALESCE":
            return _slopes(tree["children"][0], sums)
        case "FUNCTION":
            name = str(tree["function_name"]).lower()
            given = [part["expression"] for part in tree["arguments"]]
            if tree.get("distinct"):
                raise _Unknown
            if name in COUNTS | CONDITION_COUNTS | SUMS | MEANS:
                return _of_call(tree, name, given, sums)
            return _of_function(name, given, sums)
        case _:
            raise _Unknown


def _of_call(tree: Tree, name: str, given: Sequence[Tree], sums: _Sums) -> Slopes:
    counts = _row(tree, name, given, t.number(1))
    if name in COUNTS | CONDITION_COUNTS:
        return {sums.named(counts): double(t.number(1))}
    value = _row(tree, name, given, double(given[0]))
    if name in SUMS:
        return {sums.named(value): double(t.number(1))}
    n = t.call("sum", counts)
    by_count = minus(t.number(0), over(t.call("sum", value), times(n, n)))
    return {sums.named(value): over(t.number(1), n), sums.named(counts): by_count}


def _row(tree: Tree, name: str, given: Sequence[Tree], value: Tree) -> Tree:
    """What one row adds to a sum."""
    conditions = list(given) if name in CONDITION_COUNTS else [t.is_present(one) for one in given]
    held = t.all_of([one for one in (*conditions, tree.get("filter")) if one])
    return double(t.where(held, value, t.number(0))) if held else double(value)


def _of_function(name: str, given: Sequence[Tree], sums: _Sums) -> Slopes:
    if name in ("round", "nullif"):
        return _slopes(given[0], sums)
    if len(given) == 1 and name in _SINGLE:
        return _scaled(_slopes(given[0], sums), _SINGLE[name](given[0]))
    if len(given) != 2 or name not in ("+", "-", "*", "/", "fdiv"):
        raise _Unknown
    left, right = given
    by_left, by_right = _slopes(left, sums), _slopes(right, sums)
    match name:
        case "+":
            return _added(by_left, by_right)
        case "-":
            return _added(by_left, _scaled(by_right, t.literal(-1.0)))
        case "*":
            return _added(_scaled(by_left, double(right)), _scaled(by_right, double(left)))
        case _:
            rest = minus(t.number(0), over(double(left), times(double(right), double(right))))
            return _added(_scaled(by_left, over(t.number(1), right)), _scaled(by_right, rest))


_SINGLE: Mapping[str, Callable[[Tree], Tree]] = {
    "-": lambda _: t.literal(-1.0),
    "+": lambda _: t.literal(1.0),
    "sqrt": lambda at: over(t.literal(0.5), t.call("sqrt", at)),
    "ln": lambda at: over(t.number(1), at),
    "exp": lambda at: t.call("exp", at),
}


def _scaled(slopes: Slopes, factor: Tree) -> Slopes:
    return {key: times(slope, factor) for key, slope in slopes.items()}


def _added(left: Slopes, right: Slopes) -> Slopes:
    both = {key: plus(left[key], right[key]) for key in left if key in right}
    return {**left, **right, **both}
