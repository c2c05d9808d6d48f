"""Steps in expressions of aggregates: smooth expressions, rounded ones, and those with other steps."""

from collections.abc import Sequence
from dataclasses import dataclass

from imputedb.answers.multiple.calls import double
from imputedb.answers.multiple.forms import literal_value
from imputedb.sql import ast as t
from imputedb.sql.ast import Tree, without_place
from imputedb.sql.expression import (
    arguments_of,
    called_with,
    cased,
    cases_of,
    child_of,
    children_of,
    filter_of,
    function_of,
    is_subquery,
    is_window,
    kind_of,
    operation_of,
    results_of,
    type_of,
    with_children,
    with_parts,
)
from imputedb.sql.functions import DIVIDING, ROUNDING, SMOOTH

NONE, ROUNDED, STEPPED = 0, 1, 2
"""The kinds of expressions: smooth in their aggregates, smooth except for rounding, or with other steps."""

_WHOLE = frozenset({"tinyint", "smallint", "short", "integer", "int", "signed", "bigint", "long", "oid", "hugeint"}) | {
    *("int1", "int2", "int4", "int8", "int128", "utinyint", "usmallint", "uinteger", "ubigint", "uhugeint"),
    *("uint8", "uint16", "uint32", "uint64", "uint128", "decimal", "numeric", "dec", "bignum"),
}
_FLOATING = frozenset({"double", "float", "real", "float4", "float8"})
_FINITENESS_TESTS = frozenset({"isnan", "isinf", "isfinite"})


@dataclass(frozen=True, slots=True)
class Line:
    """A sum of multiples of smooth expressions, some of them rounded.

    Attributes:
        terms: the expressions and their arguments as text, each with whether the sum increases with it.
        unit: largest change that rounding makes to the sum.
    """

    terms: frozenset[tuple[str, bool]] = frozenset()
    unit: float = 0.0


@dataclass(frozen=True, slots=True)
class Steps:
    """The analysis of steps in expressions.

    Attributes:
        aggregates: names of aggregate functions.
    """

    aggregates: frozenset[str]

    def holds(self, tree: Tree) -> bool:
        """Whether an expression contains an aggregate, a window or a subquery."""
        nodes = t.expressions(tree)
        return any(is_window(node) or is_subquery(node) or function_of(node) in self.aggregates for node in nodes)

    def nature(self, tree: Tree) -> int:
        """The kind of an expression: NONE, ROUNDED or STEPPED."""
        if self._is_smooth(tree):
            return NONE
        return STEPPED if self.line(tree) is None else ROUNDED

    def line(self, tree: Tree) -> Line | None:
        """The expression as a sum of smooth terms, except for rounding; None if it is not one."""
        if not self.holds(tree):
            return Line()
        found = None
        match kind_of(tree):
            case "FUNCTION" if function_of(tree) not in self.aggregates:
                found = self._of_call(function_of(tree), arguments_of(tree))
            case "CAST":
                nature, inner = cast_nature(tree), self.line(child_of(tree))
                found = None if nature == STEPPED else _rounded(inner, float(nature == ROUNDED))
            case "OPERATOR" if operation_of(tree) == "OPERATOR_COALESCE":
                found = self._either(children_of(tree))
            case "CASE" if self._decides(tree):
                found = self._either(results_of(tree))
        if found is None and self._is_smooth(tree):
            return Line(frozenset((repr(without_place(one)), True) for one in (tree, *self._read(tree))))
        return found

    def _of_call(self, name: str, given: Sequence[Tree]) -> Line | None:
        match name, given:
            case (("+" | "-"), [one]):
                return _scaled(self.line(one), 1.0 if name == "+" else -1.0)
            case (("+" | "add"), [left, right]):
                return _added(self.line(left), self.line(right))
            case (("-" | "subtract"), [left, right]):
                return _added(self.line(left), _scaled(self.line(right), -1.0))
            case (("*" | "multiply"), [left, right]):
                factor = literal_value(right)
                return (
                    _scaled(self.line(right), literal_value(left))
                    if factor is None
                    else _scaled(self.line(left), factor)
                )
            case (("/" | "fdiv"), [left, right]):
                divisor = literal_value(right)
                return _scaled(self.line(left), 1 / divisor) if divisor else None
        if name in DIVIDING:
            return _rounded(self.line(t.arithmetic("/", *given)), 1.0)
        if name in ROUNDING:
            one, *more = given
            digits = [literal_value(two) for two in more]
            return None if None in digits else _rounded(self.line(one), _unit(name, digits))
        return None

    def _read(self, tree: Tree) -> list[list[Tree | None]]:
        """The arguments and the FILTER of each aggregate in an expression."""
        calls = [node for node in t.expressions(tree) if function_of(node) in self.aggregates and arguments_of(node)]
        return [[*arguments_of(call), filter_of(call)] for call in calls]

    def _either(self, results: Sequence[Tree]) -> Line | None:
        """The line of whichever of several expressions is chosen."""
        lines = [line for line in map(self.line, results) if line]
        if len(lines) < len(results):
            return None
        return Line(frozenset().union(*(line.terms for line in lines)), max(line.unit for line in lines))

    def _is_smooth(self, tree: Tree) -> bool:
        if not self.holds(tree) or function_of(tree) in self.aggregates:
            return True
        match kind_of(tree):
            case "WINDOW" | "SUBQUERY":
                return True
            case "FUNCTION":
                return function_of(tree) in SMOOTH and all(map(self._is_smooth, arguments_of(tree)))
            case "CAST":
                return cast_nature(tree) == NONE and self._is_smooth(child_of(tree))
            case "OPERATOR" if operation_of(tree) == "OPERATOR_COALESCE":
                return all(map(self._is_smooth, children_of(tree)))
            case "CASE":
                return self._decides(tree) and all(map(self._is_smooth, results_of(tree)))
            case _:
                return False

    def _decides(self, case: Tree) -> bool:
        """Whether a CASE has a result with aggregates, and its conditions compare no rounded numbers."""
        conditions, _ = cases_of(case)
        return any(map(self.holds, results_of(case))) and all(self._compares(when) for when, _ in conditions)

    def _compares(self, condition: Tree) -> bool:
        """Whether the operands of a condition are smooth."""
        kind = kind_of(condition)
        tests_finiteness = function_of(condition) in _FINITENESS_TESTS
        inner = kind in ("COMPARISON", "BETWEEN", "CONJUNCTION") or tests_finiteness
        if inner or (kind == "OPERATOR" and operation_of(condition) != "OPERATOR_COALESCE"):
            return all(map(self._compares, t.parts(condition)))
        return self._is_smooth(condition)

    def unrounded(self, tree: Tree) -> Tree:
        """An expression without its rounding, as a double."""
        if not self.holds(tree) or function_of(tree) in self.aggregates:
            return tree
        match kind_of(tree):
            case "FUNCTION":
                name, given = function_of(tree), [self.unrounded(one) for one in arguments_of(tree)]
                if name in DIVIDING:
                    return t.arithmetic("/", *given)
                return given[0] if name in ROUNDING else called_with(tree, given)
            case "CAST":
                inner = self.unrounded(child_of(tree))
                return double(inner) if cast_nature(tree) == ROUNDED else with_parts(tree, ("child",), lambda _: inner)
            case "OPERATOR":
                return with_children(tree, self.unrounded)
            case "CASE":
                conditions, otherwise = cases_of(tree)
                return cased([(when, self.unrounded(then)) for when, then in conditions], self.unrounded(otherwise))
            case _:
                return tree


def function_nature(name: str) -> int:
    """The kind of a function of its arguments."""
    return NONE if name in SMOOTH else ROUNDED if name in ROUNDING else STEPPED


def cast_nature(tree: Tree) -> int:
    """The kind of a cast."""
    name = type_of(tree).lower()
    return NONE if name in _FLOATING else ROUNDED if name in _WHOLE else STEPPED


def _unit(name: str, digits: Sequence[float | None]) -> float:
    """The largest change that a rounding function makes."""
    return float(f"1e{-int(digits[0] or 0)}") if digits else 2.0 if name == "even" else 1.0


def _rounded(line: Line | None, unit: float) -> Line | None:
    return line and Line(line.terms, line.unit + unit)


def _scaled(line: Line | None, factor: float | None) -> Line | None:
    if line is None or factor is None:
        return None
    return Line(frozenset((term, grows == (factor > 0)) for term, grows in line.terms), line.unit * abs(factor))


def _added(left: Line | None, right: Line | None) -> Line | None:
    """The sum of two lines; None if a term is subtracted from its like, so that only rounding may remain."""
    if left is None or right is None:
        return None
    unit = left.unit + right.unit
    opposed = any((term, not grows) in left.terms for term, grows in right.terms)
    return None if opposed and unit else Line(left.terms | right.terms, unit)
