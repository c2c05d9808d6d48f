"""Translation of statements from DuckDB's dialect into Spark's, by sqlglot.

Nodes and functions that are not listed here are refused by name. Listed ones were run on both engines; where Spark
gives them another meaning, they are rewritten so that results agree.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from imputedb.engines.spark import chance, values
from imputedb.engines.spark.depth import deep_recursion
from imputedb.engines.spark.kinds import Kinds, ValueSort
from imputedb.engines.spark.values import HUGE, cast_to, double, shown, skewness
from imputedb.engines.spark.wording import standard_form
from imputedb.errors import Unplanned

_CLAUSES = (
    "Alias Column CTE DataType Distinct Except From Group Having Identifier In Intersect Join Limit Null Offset Order "
    "Ordered Paren Select Star Subquery Table TableAlias Tuple Union Var Where Window WindowSpec With DataTypeParam"
)
_CONDITIONS = (
    "And Between Boolean Case Coalesce EQ Exists Filter GT GTE If Is Like ILike LT LTE NEQ Not NullSafeEQ "
    "NullSafeNEQ Nullif Or"
)
_VALUES = (
    "Abs Add ApproxDistinct BitwiseAnd BitwiseRightShift BitwiseXor Cast Ceil DPipe Div Exp Extract Floor Greatest "
    "IntDiv Interval IsInf IsNan Least Length Literal Lower Mod Mul Neg Pow Round Sign Sub Substring Trim TryCast "
    "Upper DateDiff Concat TimestampTrunc DateTrunc Year Month Day Sqrt Ln Cos"
)
_AGGREGATES = (
    "Avg Count CountIf LogicalAnd LogicalOr Max Median Min PercentileCont Skewness Stddev StddevPop StddevSamp Sum "
    "Variance VariancePop"
)
_WINDOWS = "DenseRank FirstValue Lag LastValue Lead Ntile Rank RowNumber"

KNOWN = frozenset(" ".join((_CLAUSES, _CONDITIONS, _VALUES, _AGGREGATES, _WINDOWS)).split())
"""The classes of sqlglot's nodes that are translated."""

_SAME_TYPES = ("BOOLEAN", "TINYINT", "SMALLINT", "INT", "BIGINT", "FLOAT", "DOUBLE", "DECIMAL", "DATE")

_TYPES = {
    **dict(zip(_SAME_TYPES, _SAME_TYPES, strict=True)),
    "VARCHAR": "TEXT",
    "TEXT": "TEXT",
    "TIMESTAMP": "TIMESTAMPNTZ",
    "TIMESTAMPTZ": "TIMESTAMP",
}
"""Types that values are cast to, with Spark's names."""

_WHOLE = ("TINYINT", "SMALLINT", "INT", "BIGINT")


@dataclass(frozen=True, slots=True)
class Names:
    """The meanings of names in a statement.

    Attributes:
        tables: Spark's paths of tables, by their paths in lower case, with and without optional leading parts.
        types: DuckDB's types of the columns of these tables, by name in lower case; "" where tables differ.
    """

    tables: Mapping[tuple[str, ...], tuple[str, ...]]
    types: Mapping[str, str]


def in_spark(text: str, names: Names, *, ordered: bool = True) -> str:
    """A query of DuckDB's dialect in Spark's; unless `ordered`, an outer ORDER BY ALL is left out.

    Raises:
        Unplanned: it holds something that Spark lacks, or that is not known to mean the same there.
    """
    with deep_recursion():
        return _in_spark(text, names, ordered=ordered)


def _in_spark(text: str, names: Names, *, ordered: bool) -> str:
    try:
        found = sqlglot.parse(text, dialect="duckdb")
        if len(found) != 1 or not isinstance(found[0], exp.Query):
            raise Unplanned("on Spark only one query is answered at a time")
        tree = found[0]
        if not ordered and not part(tree, "limit") and _is_by_all(part(tree, "order")):
            tree.set("order", None)
        for node in list(tree.walk()):
            plain = standard_form(node)
            if plain is not node:
                node.replace(plain)
        tree = _Translation(names, Kinds(names.types, tree)).of(tree)
        return str(tree.sql(dialect="spark", unsupported_level=sqlglot.ErrorLevel.RAISE))
    except SqlglotError as error:
        raise Unplanned(f"Spark has no equal of this: {str(error).splitlines()[0]}") from error
    except RecursionError as error:
        raise Unplanned("this is nested deeper than can be written for Spark: take it apart") from error


class _Translation:
    """The translation of one statement."""

    def __init__(self, names: Names, kinds: Kinds) -> None:
        self._names, self._kinds = names, kinds
        self._queries: set[str] = set()

    def of(self, tree: exp.Query) -> exp.Query:
        """The statement with nodes to which Spark gives the meaning that DuckDB gives to the original ones."""
        self._queries = {cte.alias.lower() for cte in tree.find_all(exp.CTE)}
        nodes = list(tree.walk())
        for node in nodes:
            _check(node)
        for node in reversed(nodes):  # inner nodes first
            changed = self._written(node)
            if changed is not node:
                self._kinds.keep(changed, node)
                if node is tree:
                    tree = changed
                else:
                    node.replace(changed)
        return tree

    def _written(self, node: exp.Expression) -> exp.Expression:
        if type(node) in values.CHANGES:
            return values.CHANGES[type(node)](self._kinds, node)
        change = _CHANGES.get(type(node))
        return change(self, node) if change else node

    # -- names --------------------------------------------------------------------------------------------------------

    def table(self, node: exp.Table) -> exp.Expression:
        path = tuple(part.name.lower() for part in node.parts)
        if len(path) == 1 and path[0] in self._queries:
            return node
        found = self._names.tables.get(path)
        if found is None:
            raise Unplanned(f"{'.'.join(path)} is not a table of Spark: a statement can only read Spark's tables")
        own = exp.table_(*(exp.to_identifier(part, quoted=True) for part in reversed(found)))
        alias = part(node, "alias") or exp.TableAlias(this=exp.to_identifier(node.name, quoted=True))
        own.set("alias", alias)
        for key in ("joins", "laterals"):
            own.set(key, node.args.get(key))
        return own

    def grouped(self, node: exp.Group) -> exp.Expression:
        if not node.args.get("all"):
            return node
        chosen = node.find_ancestor(exp.Select)
        assert chosen is not None
        places = [
            exp.Literal.number(place)
            for place, one in enumerate(chosen.expressions, 1)
            if not any(_is_of(part, chosen) for part in one.find_all(exp.AggFunc))
        ]
        _check_listed(chosen, "GROUP BY ALL")
        return exp.Group(expressions=places)

    def ordered(self, node: exp.Order) -> exp.Expression:
        if not _is_by_all(node):
            return node
        query = node.parent
        inner = query.selects if isinstance(query, exp.Query) else []
        _check_listed(query, "ORDER BY ALL")
        first = node.expressions[0]
        return exp.Order(
            expressions=[
                exp.Ordered(this=exp.Literal.number(place), desc=first.args.get("desc"), nulls_first=False)
                for place in range(1, len(inner) + 1)
            ]
        )

    def united(self, node: exp.SetOperation) -> exp.Expression:
        for one, other in zip(node.left.selects, node.right.selects, strict=False):
            kinds = {self._kinds.of(one), self._kinds.of(other)}
            if kinds == {ValueSort.WHOLE, ValueSort.DECIMAL}:
                raise Unplanned(f"{shown(node)}: whole numbers and decimals are not united in Spark: cast one of them")
        return node

    # -- values -------------------------------------------------------------------------------------------------------

    def averaged(self, node: exp.Expression) -> exp.Expression:
        kind = self._kinds.of(node.this)
        if kind not in (ValueSort.WHOLE, ValueSort.DECIMAL, ValueSort.DOUBLE):
            raise Unplanned(f"{shown(node)} has values that are not numbers, or whose type is unknown")
        inside = node.this
        if isinstance(inside, exp.Distinct):
            node.set("this", exp.Distinct(expressions=[double(one) for one in inside.expressions]))
        else:
            node.set("this", double(inside))
        return node

    def summed(self, node: exp.Sum) -> exp.Expression:
        """A sum, for whole numbers with DuckDB's range beyond BIGINT."""
        if self._kinds.of(node.this) is not ValueSort.WHOLE or not self._kinds.is_long(node.this):
            return node
        if isinstance(node.this, exp.Distinct):
            return exp.Sum(this=exp.Distinct(expressions=[cast_to(one, HUGE) for one in node.this.expressions]))
        return exp.Sum(this=cast_to(node.this, HUGE))

    def middle(self, node: exp.Expression) -> exp.Expression:
        """An interpolated quantile, which is Spark's `percentile`."""
        share = part(node, "expression") or exp.Literal.number("0.5")
        if not isinstance(share, exp.Literal) or share.is_string or not 0 <= float(share.this) <= 1:
            raise Unplanned(f"{shown(node)}: one share from 0 to 1, written as a number, is written for Spark")
        self._numbers(node)
        return exp.Anonymous(this="percentile", expressions=[node.this.copy(), share.copy()])

    def _numbers(self, node: exp.Expression) -> None:
        if self._kinds.of(node.this) not in (ValueSort.WHOLE, ValueSort.DECIMAL, ValueSort.DOUBLE):
            raise Unplanned(f"{shown(node)} has values that are not numbers, or whose type is unknown")

    def cast(self, node: exp.Cast) -> exp.Expression:
        """A cast that rounds as DuckDB does, where Spark truncates: doubles half to even, decimals half away from 0."""
        wanted, kind = node.to.this.name, self._kinds.of(node.this)
        if wanted not in _TYPES or node.to.args.get("nested"):
            raise Unplanned(f"{shown(node)}: values of type {node.to.sql('duckdb')} are not written for Spark")
        if wanted in ("VARCHAR", "TEXT") and kind not in (
            ValueSort.WHOLE,
            ValueSort.TEXT,
            ValueSort.DATE,
            ValueSort.BOOLEAN,
        ):
            raise Unplanned(f"{shown(node)}: the text of such values is another one in Spark")
        if isinstance(node, exp.TryCast) and kind is ValueSort.TEXT and wanted not in ("DOUBLE", "VARCHAR", "TEXT"):
            raise Unplanned(f"{shown(node)}: which texts can be cast is another matter in Spark")
        if wanted in _WHOLE and kind not in (ValueSort.WHOLE, ValueSort.BOOLEAN, ValueSort.TEXT):
            if kind not in (ValueSort.DOUBLE, ValueSort.DECIMAL):
                raise Unplanned(f"{shown(node)}: how it is rounded depends on a type that cannot be told")
            call = "bround" if kind is ValueSort.DOUBLE else "round"
            node.set("this", exp.Anonymous(this=call, expressions=[node.this.copy(), exp.Literal.number(0)]))
        if _TYPES[wanted] != wanted:
            node.set("to", exp.DataType.build(_TYPES[wanted]))
        return node

    def like(self, node: exp.Expression) -> exp.Expression:
        pattern = node.expression
        if not isinstance(pattern, exp.Literal) or "\\" in pattern.this:
            raise Unplanned(f"{shown(node)}: its pattern is not a text literal without backslashes")
        return node

    def cut(self, node: exp.Substring) -> exp.Expression:
        start = node.args.get("start")
        if not isinstance(start, exp.Literal) or start.is_string or int(start.this) < 1:
            raise Unplanned(f"{shown(node)}: it does not begin at a number from 1, and Spark would count otherwise")
        return node

    def days(self, node: exp.DateDiff) -> exp.Expression:
        if node.text("unit").upper() != "DAY":
            raise Unplanned(f"{shown(node)}: dates are subtracted in days alone")
        return exp.Anonymous(this="datediff", expressions=[node.this.copy(), node.expression.copy()])

    def skewed(self, node: exp.Skewness) -> exp.Expression:
        return node if isinstance(node.parent, exp.Filter) else skewness(node)

    def filtered(self, node: exp.Filter) -> exp.Expression:
        return skewness(node.this, node.expression) if isinstance(node.this, exp.Skewness) else node

    def called(self, node: exp.Anonymous) -> exp.Expression:
        written = _CALLS.get(node.name.lower())
        return written(node) if written else node


_CALLS: Mapping[str, Callable[[Any], exp.Expression]] = {
    "count_star": lambda _: exp.Count(this=exp.Star()),
    **chance.CALLS,
    **values.CALLS,
}
"""Translations of functions for which sqlglot has no class."""

_CHANGES: Mapping[type[exp.Expression], Callable[["_Translation", exp.Expression], exp.Expression]] = {
    exp.Table: _Translation.table,
    **dict.fromkeys((exp.Union, exp.Except, exp.Intersect), _Translation.united),
    exp.Group: _Translation.grouped,
    exp.Order: _Translation.ordered,
    **dict.fromkeys(
        (exp.Avg, exp.StddevSamp, exp.StddevPop, exp.Stddev, exp.Variance, exp.VariancePop), _Translation.averaged
    ),
    exp.Sum: _Translation.summed,
    exp.Skewness: _Translation.skewed,
    exp.Filter: _Translation.filtered,
    **dict.fromkeys((exp.Median, exp.PercentileCont), _Translation.middle),
    **dict.fromkeys((exp.Cast, exp.TryCast), _Translation.cast),
    **dict.fromkeys((exp.Like, exp.ILike), _Translation.like),
    exp.Substring: _Translation.cut,
    exp.DateDiff: _Translation.days,
    exp.Anonymous: _Translation.called,
}


def part(node: exp.Expression, name: str) -> Any:
    """A part of a node, or None."""
    return node.args.get(name)


def _check(node: exp.Expression) -> None:
    """Refuses nodes that are not known to mean in Spark what they mean in DuckDB."""
    name = type(node).__name__
    if isinstance(node, exp.Anonymous):
        if node.name.lower() in _CALLS or node.meta.get("ours"):
            return
        raise Unplanned(f"{node.name.lower()}() is not written for Spark yet")
    if name not in KNOWN:
        raise Unplanned(f"{shown(node)}: {name} is not written for Spark yet")
    if isinstance(node, exp.Distinct) and node.args.get("on"):
        raise Unplanned("DISTINCT ON is not written for Spark yet")
    if isinstance(node, exp.Join):
        unusual = [
            word
            for word in (node.method, node.kind)
            if word.upper() not in ("", "INNER", "CROSS", "OUTER", "SEMI", "ANTI")
        ]
        if unusual:
            raise Unplanned(f"{' '.join(unusual)} JOIN is not written for Spark yet")
    if isinstance(node, exp.With) and node.recursive:
        raise Unplanned("WITH RECURSIVE is not written for Spark yet")
    if isinstance(node, exp.SetOperation) and node.args.get("by_name"):
        raise Unplanned("UNION BY NAME is not written for Spark yet")
    for key in ("qualify", "sample", "laterals", "pivots", "match"):
        if node.args.get(key):
            raise Unplanned(f"{key.upper()} is not written for Spark yet")


def _is_by_all(order: exp.Expression | None) -> bool:
    if order is None:
        return False
    return any(isinstance(one.this, exp.Var) and one.this.name.upper() == "ALL" for one in order.expressions)


def _check_listed(query: object, words: str) -> None:
    if not isinstance(query, exp.Query) or any(one.is_star for one in query.selects):
        raise Unplanned(f"{words} over columns that are not listed is not written for Spark yet")


def _is_of(part: exp.Expression, query: exp.Select) -> bool:
    return part.find_ancestor(exp.Select) is query and not isinstance(part.parent, exp.Window)


def quoted(path: Sequence[str]) -> str:
    """A quoted path in Spark's dialect."""
    return ".".join("`" + part.replace("`", "``") + "`" for part in path)
