"""The right-hand side of a formula as a design matrix for any values of its columns."""

import ast
import tokenize
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from operator import add, eq, floordiv, ge, gt, le, lt, mod, mul, ne, sub, truediv
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imputedb.completion.formula import ELEMENTWISE, check, tokenized
from imputedb.errors import QueryError

Vector = NDArray[np.float64]
Matrix = NDArray[np.float64]

_BINARY: Mapping[type[ast.AST], Callable[[Any, Any], Any]] = {
    ast.Add: add,
    ast.Sub: sub,
    ast.Mult: mul,
    ast.Div: truediv,
    ast.Pow: np.power,
    ast.Mod: mod,
    ast.FloorDiv: floordiv,
    ast.Lt: lt,
    ast.LtE: le,
    ast.Gt: gt,
    ast.GtE: ge,
    ast.Eq: eq,
    ast.NotEq: ne,
}

Term = frozenset[str]
"""A term: the texts of its factors; none for the intercept."""

_NONE: Term = frozenset()


@dataclass(frozen=True, slots=True)
class Category:
    """A column as indicators of its values."""

    name: str
    levels: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Formula:
    """A formula of columns, their products, and elementwise functions.

    Categories have an indicator for every value, so that columns of the matrix may be linearly dependent; they span the
    same space as those of patsy and R.

    Attributes:
        text: the formula as written.
        outcome: left-hand side, a numeric expression.
        terms: terms in the order of the formula; the intercept is first, where there is one.
        factors: a numeric expression or a category, by its text.
    """

    text: str
    outcome: ast.expr
    terms: tuple[Term, ...]
    factors: Mapping[str, ast.expr | Category]

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns on the right-hand side."""
        return tuple(sorted({name for factor in self.factors.values() for name in names_of(factor)}))

    def matrix(self, values: Mapping[str, Vector], count: int) -> Matrix:
        """(count, q) the design matrix; not finite where an expression is undefined."""
        found: list[Matrix] = []
        parts = {text: _part(factor, values, count) for text, factor in self.factors.items()}
        for term in self.terms:
            block = np.ones((count, 1))
            for text in sorted(term):
                block = (block[:, :, None] * parts[text][:, None, :]).reshape(count, -1)
            found.append(block)
        return np.concatenate(found, axis=1) if found else np.zeros((count, 0))


def parsed(text: str, columns: Mapping[str, tuple[float, ...]], numbers: Collection[str]) -> Formula:
    """The parsed formula.

    Args:
        text: such as `y ~ x*z + I(x**2)`.
        columns: by column the values of its categories; empty for other columns.
        numbers: columns that are numeric unless `C(...)` is used.

    Raises:
        UnknownName: a name is neither a column nor a known function.
        QueryError: the formula is malformed, or has more than products, sums and elementwise functions of columns.
    """
    check(text, list(columns))
    left, tilde, right = text.partition("~")
    if not tilde or not left.strip() or "~" in right:
        raise QueryError(f"{text!r} has no outcome: write it as 'y ~ x*z'")
    reader = _Reader(text, columns, numbers, {})
    terms = reader.terms(_tree(text, _colons(text, right)))
    chosen = [term for term in dict.fromkeys([_NONE, *terms.kept]) if term not in terms.left_out]
    return Formula(text, _tree(text, left), tuple(chosen), reader.factors)


def names_of(factor: ast.AST | Category) -> set[str]:
    """The columns that a factor reads."""
    if isinstance(factor, Category):
        return {factor.name}
    called = {id(node.func) for node in ast.walk(factor) if isinstance(node, ast.Call)}
    plain = {node.id for node in ast.walk(factor) if isinstance(node, ast.Name) and id(node) not in called}
    constants = [node.value for node in ast.walk(factor) if isinstance(node, ast.Constant)]
    return (plain | {one for one in constants if isinstance(one, str)}) - {"np"}


def evaluated(tree: ast.expr, values: Mapping[str, Vector]) -> Any:
    """The value of an expression of columns, elementwise."""
    with np.errstate(all="ignore"):
        return _value(tree, values)


def _part(factor: ast.expr | Category, values: Mapping[str, Vector], count: int) -> Matrix:
    if isinstance(factor, Category):
        return np.asarray(values[factor.name][:, None] == np.array(factor.levels), np.float64)
    found = np.broadcast_to(np.asarray(evaluated(factor, values), np.float64), (count,))
    return np.array(found)[:, None]


def _value(tree: ast.expr, values: Mapping[str, Vector]) -> Any:
    match tree:
        case ast.Constant(value=int() | float() as number):
            return float(number)
        case ast.Name(id=name):
            return values[name]
        case ast.UnaryOp(op=ast.USub(), operand=inner):
            return -_value(inner, values)
        case ast.BinOp(left=a, op=op, right=b) if type(op) in _BINARY:
            return _BINARY[type(op)](_value(a, values), _value(b, values))
        case ast.Compare(left=a, ops=[op], comparators=[b]) if type(op) in _BINARY:
            return _BINARY[type(op)](_value(a, values), _value(b, values)) * 1.0
        case ast.Call(func=ast.Name(id="I"), args=[inner]):
            return _value(inner, values)
        case ast.Call(func=ast.Name(id="Q"), args=[ast.Constant(value=str() as name)]):
            return values[name]
        case ast.Call(func=ast.Name(id=name) | ast.Attribute(attr=name), args=args, keywords=[]) if name in ELEMENTWISE:
            return ELEMENTWISE[name](*(_value(arg, values) for arg in args))
    raise QueryError(f"{ast.unparse(tree)} is not an elementwise function of columns, such as log(x), x**2 or x*z")


def _colons(text: str, right: str) -> str:
    """The right-hand side in Python's syntax: `:` is written as `**`, which has the same precedence."""
    depth: list[bool] = []
    found: list[str] = []
    before = ""
    for token in tokenized(right):
        string = token.string
        if string == "(":
            depth.append(token.type == tokenize.OP and (before.isidentifier() or (bool(depth) and depth[-1])))
        elif string == ")" and depth:
            depth.pop()
        inside = bool(depth) and depth[-1]
        if not inside and string in ("**", "^", "/", "//", "%", "|"):
            raise QueryError(
                f"{string} in {text!r} is permitted only within a function, as in I(x**2): write products out"
            )
        found.append("**" if string == ":" and not inside else "**" if string == "^" else string)
        before = string
    return " ".join(found)


def _tree(text: str, part: str) -> ast.expr:
    try:
        return ast.parse(part.strip(), mode="eval").body
    except SyntaxError as error:
        raise QueryError(f"{text!r} is not a formula: {error.msg}") from error


@dataclass(frozen=True, slots=True)
class _Terms:
    kept: tuple[Term, ...]
    left_out: frozenset[Term] = frozenset()


@dataclass(frozen=True, slots=True)
class _Reader:
    """A parser of terms that collects their factors."""

    text: str
    columns: Mapping[str, tuple[float, ...]]
    numbers: Collection[str]
    factors: dict[str, ast.expr | Category]

    def terms(self, tree: ast.expr) -> _Terms:
        """The terms of a part of the formula."""
        match tree:
            case ast.Constant(value=1):
                return _Terms((_NONE,))
            case ast.Constant(value=0):
                return _Terms((), frozenset({_NONE}))
            case ast.BinOp(left=a, op=ast.Add(), right=b):
                one, other = self.terms(a), self.terms(b)
                return _Terms((*one.kept, *other.kept), (one.left_out - {*other.kept}) | other.left_out)
            case ast.BinOp(left=a, op=ast.Sub(), right=b):
                one, other = self.terms(a), self.terms(b)
                return _Terms(one.kept, one.left_out | frozenset(other.kept))
            case ast.BinOp(left=a, op=ast.Mult(), right=b):
                first, second = self.terms(a).kept, self.terms(b).kept
                return _Terms((*first, *second, *_products(first, second)))
            case ast.BinOp(left=a, op=ast.Pow(), right=b):
                return _Terms(_products(self.terms(a).kept, self.terms(b).kept))
        return _Terms((frozenset({self._factor(tree)}),))

    def _factor(self, tree: ast.expr) -> str:
        text = ast.unparse(tree)
        match tree:
            case ast.Name(id=name) | ast.Call(func=ast.Name(id="Q"), args=[ast.Constant(value=str() as name)]):
                self.factors[text] = tree if name in self.numbers else Category(name, self.columns[name])
            case ast.Call(func=ast.Name(id="C"), args=[ast.Name(id=name)], keywords=[]):
                if not self.columns[name]:
                    raise QueryError(f"{name} in {self.text!r} is of numbers: say AS NOMINAL in its policy for {text}")
                self.factors[text] = Category(name, self.columns[name])
            case ast.Call() | ast.Compare():
                lettered = sorted(names_of(tree).difference(self.numbers))
                if lettered:
                    raise QueryError(f"{text} in {self.text!r} computes with {lettered[0]}, which is of categories")
                sample = {name: np.ones(1) for name in names_of(tree)}
                evaluated(tree, sample)
                self.factors[text] = tree
            case _:
                raise QueryError(f"{text} in {self.text!r} is not a term: terms are columns, products, and functions")
        return text


def _products(one: Sequence[Term], other: Sequence[Term]) -> tuple[Term, ...]:
    return tuple(a | b for a, b in product(one, other))
