"""SQL text of model expressions for other engines.

Each kind of node is written by name; any other is refused.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Literal

from imputedb.errors import DataError, InternalError
from imputedb.models import values
from imputedb.models.expression import by_name, expression
from imputedb.models.extent import features_read
from imputedb.models.feature import Feature
from imputedb.models.fitted import Fitted
from imputedb.models.target import Target
from imputedb.sql import ast as t
from imputedb.sql.ast import Tree
from imputedb.sql.expression import (
    arguments_of,
    cases_of,
    child_of,
    children_of,
    function_of,
    is_text,
    kind_of,
    names_of,
    operation_of,
    sides_of,
    text_of,
    type_of,
)
from imputedb.sql.tokens import string_literal
from imputedb.statistics.table import Kind

Name = Literal["duckdb", "postgres", "spark", "bigquery", "snowflake"]

TEXTS = {
    "COMPARE_EQUAL": "=",
    "COMPARE_LESSTHANOREQUALTO": "<=",
    "COMPARE_GREATERTHAN": ">",
    "CONJUNCTION_AND": "AND",
    "CONJUNCTION_OR": "OR",
}

PORTABLE = (Kind.NUMBER, Kind.INTEGER, Kind.BOOLEAN, Kind.CATEGORY, Kind.DATE)
"""Kinds that every engine has; timestamps and durations are counted differently by each."""

_LONG = ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "UTINYINT", "USMALLINT", "UINTEGER")
"""Integer types whose values fit into a BIGINT."""

_DAYS, _DAY = "days", "day"
"""Functions that stand in a tree for the days of a date since 1970, and for the date so many days after 1970-01-01."""


@dataclass(frozen=True, slots=True)
class Dialect:
    """The syntax in which an engine differs from others.

    Attributes:
        name: the engine.
        quote: the character around identifiers.
        backslash: whether a backslash escapes in string literals.
        types: the engine's names for DuckDB's types, where they differ.
        days: an expression for the days of a date {} since 1970.
        day: an expression for the date {} days after 1970-01-01, {} being a whole number.
    """

    name: Name
    quote: str
    backslash: bool
    types: dict[str, str]
    days: str
    day: str

    def type(self, name: str) -> str:
        """The engine's name for one of DuckDB's types."""
        if self.name != "bigquery" or not name.startswith("DECIMAL("):
            return self.types.get(name, name)
        width, scale = map(int, name.removeprefix("DECIMAL(").removesuffix(")").split(","))
        return f"{'DECIMAL' if scale <= 9 and width - scale <= 29 else 'BIGDECIMAL'}({width}, {scale})"

    def identifier(self, name: str) -> str:
        """A quoted identifier."""
        escaped = name.replace("\\", "\\\\").replace("`", "\\`") if self.name == "bigquery" else name
        own = escaped if self.name == "bigquery" else escaped.replace(self.quote, self.quote * 2)
        return f"{self.quote}{own}{self.quote}"

    def text(self, value: str) -> str:
        """A string literal."""
        if not self.backslash:
            return string_literal(value)
        return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"


_DIALECTS = {
    one.name: one
    for one in (
        Dialect("duckdb", '"', False, {}, "({} - DATE '1970-01-01')", "(DATE '1970-01-01' + CAST({} AS INTEGER))"),
        Dialect(
            "postgres",
            '"',
            False,
            {"DOUBLE": "DOUBLE PRECISION", "FLOAT": "REAL"},
            "({} - DATE '1970-01-01')",
            "(DATE '1970-01-01' + CAST({} AS INTEGER))",
        ),
        Dialect("spark", "`", True, {}, "datediff({}, DATE '1970-01-01')", "date_from_unix_date(CAST({} AS INTEGER))"),
        Dialect(
            "bigquery",
            "`",
            True,
            {"DOUBLE": "FLOAT64", "FLOAT": "FLOAT64", "INTEGER": "INT64", "BIGINT": "INT64", "VARCHAR": "STRING"},
            "UNIX_DATE({})",
            "DATE_FROM_UNIX_DATE(CAST({} AS INT64))",
        ),
        Dialect(
            "snowflake",
            '"',
            True,
            {},
            "DATEDIFF('day', DATE '1970-01-01', {})",
            "DATEADD('day', CAST({} AS INTEGER), DATE '1970-01-01')",
        ),
    )
}


def sql(
    model: Fitted, target: Target, dialect: Name = "duckdb", codes: Mapping[str, Sequence[str]] | None = None
) -> str:
    """The expected value of a target as SQL text, over columns named as in the model.

    A number has the column's own type where engines have it, and is a double elsewhere. A category is its name. In
    DuckDB values equal the model's to the last bit; in other engines they may differ by the rounding of sums. The text
    for BigQuery and Snowflake has not been run there.

    Args:
        model: the fitted model.
        target: one of its targets.
        dialect: the engine to write for.
        codes: by column, the texts of values declared to mean a missing one.

    Raises:
        DataError: the function has no expression; or a column that it reads or gives is of a kind that engines count
            differently, such as a timestamp.
    """
    known = _DIALECTS[dialect]
    goal = model.features[target.feature]
    for feature in (model.features[place] for place in sorted({target.feature, *features_read(target.expected)})):
        if feature.kind not in PORTABLE:
            raise DataError(f"{feature.column} is {feature.type or feature.kind.value}: no SQL is written for that yet")
    tree = expression(model, target, partial(_read, codes or {}))
    if tree is None:
        raise DataError(f"what gives {goal.column} has no expression in SQL: use `apply`, or a model of another family")
    return _Text(known).of(_typed(tree, goal))


def _typed(tree: Tree, goal: Feature) -> Tree:
    """A value cast to its column's type, where engines have that type."""
    if goal.kind is Kind.DATE:
        return t.call(_DAY, tree)
    if goal.kind is Kind.INTEGER and goal.type in _LONG:
        return t.cast(tree, t.plain_type("BIGINT"))
    own = goal.kind is Kind.NUMBER and (goal.type == "FLOAT" or goal.type.startswith("DECIMAL("))
    return t.cast(tree, t.plain_type(goal.type)) if own else tree


def _read(codes: Mapping[str, Sequence[str]], feature: Feature) -> Tree:
    """A column as a model reads it; NULL where it holds a value declared to mean a missing one."""
    value = t.call(_DAYS, by_name(feature)) if feature.kind is Kind.DATE else by_name(feature)
    stated = [_code(feature, text) for text in codes.get(feature.column.name, ())]
    return t.null_where(t.operator("COMPARE_IN", value, *stated), value) if stated else value


def _code(feature: Feature, text: str) -> Tree:
    """The literal of a value declared to mean a missing one."""
    if feature.kind is Kind.CATEGORY:
        named = not feature.levels or isinstance(feature.levels[0], str)
        return t.literal(text) if named else t.literal(int(text))
    if feature.kind is Kind.BOOLEAN:
        return t.literal(text == "true")
    number = values.number_of(feature, text)
    return t.number(int(number)) if feature.kind is Kind.DATE else t.literal(number)


class _Text:
    """A printer of syntax trees in one dialect."""

    def __init__(self, dialect: Dialect) -> None:
        self.dialect = dialect

    def of(self, tree: Tree) -> str:
        match kind_of(tree):
            case "COLUMN_REF":
                return self.dialect.identifier(names_of(tree)[-1])
            case "CONSTANT":
                return self.dialect.text(text_of(tree)) if is_text(tree) else (text_of(tree) or "NULL").upper()
            case "CAST":
                kind = type_of(tree)
                return f"CAST({self.of(child_of(tree))} AS {self.dialect.type(kind)})"
            case "COMPARISON":
                left, right = map(self.of, sides_of(tree))
                return f"({left} {TEXTS[operation_of(tree)]} {right})"
            case "CONJUNCTION":
                return "(" + f" {TEXTS[operation_of(tree)]} ".join(map(self.of, children_of(tree))) + ")"
            case "CASE":
                checks, otherwise = cases_of(tree)
                whens = " ".join(f"WHEN {self.of(when)} THEN {self.of(then)}" for when, then in checks)
                return f"CASE {whens} ELSE {self.of(otherwise)} END"
            case "OPERATOR":
                return self._operator(operation_of(tree), children_of(tree))
            case "FUNCTION":
                return self._function(function_of(tree), arguments_of(tree))
            case other:
                raise InternalError(f"a model's expression holds a {other}, which no dialect writes")

    def _operator(self, kind: str, children: list[Tree]) -> str:
        first, *others = map(self.of, children)
        match kind:
            case "OPERATOR_IS_NULL":
                return f"({first} IS NULL)"
            case "OPERATOR_NOT":
                return f"(NOT {first})"
            case "COMPARE_IN":
                return f"({first} IN ({', '.join(others)}))"
            case _:
                raise InternalError(f"a model's expression holds a {kind}, which no dialect writes")

    def _function(self, name: str, arguments: list[Tree]) -> str:
        if name == "list_extract":
            return self._largest(*arguments)
        written = list(map(self.of, arguments))
        if name in (_DAYS, _DAY):
            return (self.dialect.days if name == _DAYS else self.dialect.day).format(*written)
        if name in ("+", "-", "*"):
            return f"({written[0]} {name} {written[1]})"
        if name in ("least", "greatest", "floor", "abs"):
            return f"{name}({', '.join(written)})"
        raise InternalError(f"a model's expression calls {name}, which no dialect writes")

    def _largest(self, names: Tree, place: Tree) -> str:
        """The name with the largest score; of equal scores, the first."""
        called, scores = (self._listed(one) for one in (names, arguments_of(place)[0]))
        labels, sums = ", ".join(called), ", ".join(scores)
        match self.dialect.name:
            case "duckdb":
                return f"list_extract([{labels}], list_position([{sums}], list_max([{sums}])))"
            case "postgres":
                return f"(ARRAY[{labels}])[array_position(ARRAY[{sums}], greatest({sums}))]"
            case "spark":
                return f"element_at(array({labels}), CAST(array_position(array({sums}), greatest({sums})) AS INT))"
            case "bigquery":
                pairs = ", ".join(f"STRUCT({s} AS s, {n} AS n)" for s, n in zip(scores, called, strict=True))
                return f"(SELECT one.n FROM UNNEST([{pairs}]) AS one WITH OFFSET AS o ORDER BY one.s DESC, o LIMIT 1)"
            case "snowflake":
                place_of = f"ARRAY_POSITION(greatest({sums})::VARIANT, ARRAY_CONSTRUCT({sums}))"
                kind = "VARCHAR" if called[0][0] == "'" else "BOOLEAN" if called[0] in ("TRUE", "FALSE") else "NUMBER"
                return f"CAST(GET(ARRAY_CONSTRUCT({labels}), {place_of}) AS {kind})"

    def _listed(self, tree: Tree) -> list[str]:
        return list(map(self.of, arguments_of(tree)))
