"""Kinds and integer widths of the values of expressions, inferred without an engine."""

from collections.abc import Mapping
from enum import Enum
from typing import TypeVar

from sqlglot import exp

from imputedb.engines.names import CONTENT


class ValueSort(Enum):
    """A kind of values, on which rounding, division and text depend."""

    WHOLE = "whole numbers"
    DECIMAL = "decimals"
    DOUBLE = "doubles"
    TEXT = "texts"
    DATE = "dates"
    MOMENT = "moments"
    BOOLEAN = "booleans"


_SORTS = {
    **dict.fromkeys(("TINYINT", "SMALLINT", "INT", "INTEGER", "BIGINT", "HUGEINT", "INT128"), ValueSort.WHOLE),
    **dict.fromkeys(("FLOAT", "DOUBLE"), ValueSort.DOUBLE),
    **dict.fromkeys(("VARCHAR", "TEXT"), ValueSort.TEXT),
    **dict.fromkeys(("TIMESTAMP", "TIMESTAMPNTZ", "TIMESTAMPTZ", "TIMESTAMP WITH TIME ZONE"), ValueSort.MOMENT),
    "DECIMAL": ValueSort.DECIMAL,
    "DATE": ValueSort.DATE,
    "BOOLEAN": ValueSort.BOOLEAN,
}
_LONG = ("BIGINT", "HUGEINT", "INT128")

_DOUBLES = (
    *(exp.Avg, exp.Cos, exp.Div, exp.Exp, exp.Ln, exp.Median, exp.PercentileCont, exp.Pow, exp.Quantile, exp.Sqrt),
    *(exp.Skewness, exp.Stddev, exp.StddevPop, exp.StddevSamp, exp.Variance, exp.VariancePop),
)
_COUNTS = (
    *(exp.Count, exp.CountIf, exp.DateDiff, exp.Day, exp.DenseRank, exp.Extract, exp.IntDiv, exp.Length, exp.Month),
    *(exp.Ntile, exp.Rank, exp.RowNumber, exp.Sign, exp.Year),
)
_SAME = (
    *(exp.Abs, exp.Alias, exp.FirstValue, exp.Lag, exp.LastValue, exp.Lead, exp.Max, exp.Min),
    *(exp.Neg, exp.Paren, exp.Round, exp.Sum, exp.Window, exp.Filter, exp.Nullif),
)
_TRUTHS = (exp.Predicate, exp.And, exp.Boolean, exp.Not, exp.Or, exp.IsInf, exp.LogicalAnd, exp.LogicalOr, exp.IsNan)
_TEXTS = (exp.Concat, exp.DPipe, exp.Lower, exp.Substring, exp.Trim, exp.Upper)


WIDTHS = ("TINYINT", "SMALLINT", "INT", "BIGINT", "HUGEINT")
"""Integer types, each of which holds the values of those before it."""
_WIDTHS = {**{name: name for name in WIDTHS}, "INTEGER": "INT", "INT128": "HUGEINT"}
_WIDEST = {"TINYINT": 2**7, "SMALLINT": 2**15, "INT": 2**31, "BIGINT": 2**63}

_CALLED = {
    **dict.fromkeys(("fsum", "kurtosis_pop"), ValueSort.DOUBLE),
    **dict.fromkeys((CONTENT, "count_star"), ValueSort.WHOLE),
    "isfinite": ValueSort.BOOLEAN,
}
"""Kinds of the results of functions for which sqlglot has no class, imputedb's own included."""

_BITS = (exp.BitwiseAnd, exp.BitwiseXor, exp.BitwiseRightShift)
_BY_CLASS = (
    (_DOUBLES, ValueSort.DOUBLE),
    ((*_COUNTS, *_BITS), ValueSort.WHOLE),
    (_TEXTS, ValueSort.TEXT),
    (_TRUTHS, ValueSort.BOOLEAN),
)


def sort_of(type_name: str) -> ValueSort | None:
    """The kind of values of a DuckDB type; None for types that are not supported."""
    return ValueSort.DECIMAL if type_name.startswith("DECIMAL(") else _SORTS.get(type_name)


Found = TypeVar("Found")


class Kinds:
    """The kinds of the expressions of one statement.

    Args:
        types: DuckDB's types of columns, by name in lower case; "" where unknown.
        tree: the statement, before any change.
    """

    def __init__(self, types: Mapping[str, str], tree: exp.Expression) -> None:
        self._types = dict(types)
        self._aliased: dict[str, list[exp.Expression] | None] = {}
        self._known: dict[int, ValueSort | None] = {}
        self._wide: dict[int, str | None] = {}
        for alias in tree.find_all(exp.Alias):
            name = alias.alias.lower()
            if isinstance(alias.this, exp.Column) and alias.this.name.lower() == name:
                continue
            mine = self._aliased.setdefault(name, None if name in self._types else [])
            if mine is not None:
                mine.append(alias.this)
        renamed = {one.name.lower() for alias in tree.find_all(exp.TableAlias) for one in alias.columns}
        self._aliased |= dict.fromkeys(renamed)
        self._kept = [tree.copy()]
        for node in tree.walk():
            self.of(node)
            self.width(node)

    def of(self, node: exp.Expression) -> ValueSort | None:
        """The kind of an expression's values; None where it cannot be inferred."""
        if id(node) not in self._known:
            self._known[id(node)] = None  # for an alias that refers to itself
            self._kept.append(node)  # keeps its id from being reused
            self._known[id(node)] = self._found(node)
        return self._known[id(node)]

    def width(self, node: exp.Expression) -> str | None:
        """The integer type that DuckDB gives an expression, or a wider one; None where it cannot be inferred."""
        if id(node) not in self._wide:
            self._wide[id(node)] = None  # for an alias that refers to itself
            self._kept.append(node)
            self._wide[id(node)] = self._found_width(node) if self.of(node) is ValueSort.WHOLE else None
        return self._wide[id(node)]

    def keep(self, node: exp.Expression, before: exp.Expression) -> None:
        """Gives a new node the kind and the width of the node that it replaces."""
        self._kept.append(node)
        if self.of(before) is not None:
            self._known[id(node)], self._wide[id(node)] = self.of(before), self.width(before)

    def is_long(self, node: exp.Expression) -> bool:
        """Whether the integers of an expression may exceed 32 bits."""
        columns = [self._types.get(one.name.lower(), "BIGINT") for one in node.find_all(exp.Column)]
        return any(kind in _LONG or not kind for kind in columns) or bool(list(node.find_all(exp.Mul, exp.Pow)))

    def _found(self, node: exp.Expression) -> ValueSort | None:
        match node:
            case exp.Column():
                return self._column(node.name.lower())
            case exp.Literal():
                return _literal(node)
            case exp.Cast():
                return _SORTS.get(node.to.this.name)
            case exp.Add() | exp.Sub() | exp.Mul() | exp.Mod():
                return self._arithmetic(node)
            case exp.Ceil() | exp.Floor():
                return ValueSort.DECIMAL if self.of(node.this) is ValueSort.DECIMAL else ValueSort.DOUBLE
            case exp.Case() | exp.If() | exp.Coalesce() | exp.Greatest() | exp.Least() | exp.Distinct():
                return self._common(_branches(node))
            case exp.Anonymous():
                return _CALLED.get(node.name.lower()) or node.meta.get("sort")
            case exp.Subquery() | exp.Select():
                return self._common(node.selects) if len(node.selects) == 1 else None
        sort = next((sort for kinds, sort in _BY_CLASS if isinstance(node, kinds)), None)
        return self.of(node.this) if sort is None and isinstance(node, _SAME) else sort

    def _found_width(self, node: exp.Expression) -> str | None:
        match node:
            case exp.Literal():
                return next((name for name, bound in _WIDEST.items() if int(node.this) < bound), "HUGEINT")
            case exp.Cast():
                return _WIDTHS.get(node.to.this.name)
            case exp.Column():
                name = node.name.lower()
                if name not in self._aliased:
                    return _WIDTHS.get(self._types.get(name, ""))
                return _same([self.width(one) for one in self._aliased[name] or []])
            case exp.Sum():
                return "HUGEINT"
            case exp.IntDiv() | exp.BitwiseAnd() | exp.BitwiseXor() | exp.Add() | exp.Sub() | exp.Mul() | exp.Mod():
                return self._widest([node.this, node.expression])
            case exp.Case() | exp.If() | exp.Coalesce() | exp.Greatest() | exp.Least() | exp.Distinct():
                return self._widest(_branches(node))
            case exp.Subquery() | exp.Select():
                return self._widest(node.selects)
            case exp.Neg():
                return self._widest([node.this])
        if isinstance(node, (*_SAME, exp.BitwiseRightShift)):
            return self.width(node.this)
        return "BIGINT" if isinstance(node, (*_COUNTS, exp.Anonymous)) else None

    def _widest(self, nodes: list[exp.Expression | None]) -> str | None:
        """The widest type of some expressions; for literals alone at least INT, as in DuckDB."""
        there = [one for one in nodes if one is not None and not isinstance(one.unnest(), exp.Null)]
        found = [self.width(one) for one in there]
        if not found or None in found:
            return None
        own = ["INT"] if all(isinstance(one.unnest(), exp.Literal) for one in there) else []
        return max([name for name in found if name is not None] + own, key=WIDTHS.index)

    def _column(self, name: str) -> ValueSort | None:
        if name in self._aliased:
            return _same([self.of(one) for one in self._aliased[name] or []])
        return sort_of(self._types.get(name, ""))

    def _arithmetic(self, node: exp.Binary) -> ValueSort | None:
        sides = {self.of(node.this), self.of(node.expression)}
        if sides <= {ValueSort.WHOLE, ValueSort.DECIMAL, ValueSort.DOUBLE}:
            return next(one for one in (ValueSort.DOUBLE, ValueSort.DECIMAL, ValueSort.WHOLE) if one in sides)
        if ValueSort.DATE in sides and isinstance(node.expression, exp.Interval):
            return ValueSort.MOMENT
        return (
            ValueSort.DATE
            if sides == {ValueSort.DATE, ValueSort.WHOLE}
            else ValueSort.WHOLE
            if sides == {ValueSort.DATE}
            else None
        )

    def _common(self, nodes: list[exp.Expression | None]) -> ValueSort | None:
        sorts = {self.of(one) for one in nodes if one is not None and not isinstance(one.unnest(), exp.Null)}
        if len(sorts) == 1:
            return sorts.pop()
        if sorts <= {ValueSort.WHOLE, ValueSort.DECIMAL, ValueSort.DOUBLE}:
            return next((one for one in (ValueSort.DOUBLE, ValueSort.DECIMAL, ValueSort.WHOLE) if one in sorts), None)
        return None


def _same(found: list[Found]) -> Found | None:
    """The common value of a list; None where its values differ."""
    return found[0] if len(set(found)) == 1 else None


def _branches(node: exp.Expression) -> list[exp.Expression | None]:
    """The expressions one of which a conditional expression returns."""
    match node:
        case exp.Case():
            return [*(one.args["true"] for one in node.args["ifs"]), node.args.get("default")]
        case exp.If():
            return [node.args["true"], node.args.get("false")]
        case exp.Distinct():
            return list(node.expressions[:1])
    return [node.this, *node.expressions]


def _literal(node: exp.Literal) -> ValueSort:
    if node.is_string:
        return ValueSort.TEXT
    if "e" in node.this.lower():
        return ValueSort.DOUBLE
    return ValueSort.DECIMAL if "." in node.this else ValueSort.WHOLE
