"""Conditions on which statistics can be applied, read from bound expressions."""

from datetime import UTC, date, datetime
from typing import Any

from imputedb.algebra.column import Column
from imputedb.algebra.scalar import (
    OPAQUE,
    AllOf,
    AnyOf,
    Compare,
    Condition,
    Equal,
    Negation,
    Operator,
    Unknown,
    Value,
)
from imputedb.sql.ast import Tree, is_reference

_OPERATORS: dict[str, Operator] = {
    "COMPARE_EQUAL": "=",
    "COMPARE_NOTEQUAL": "<>",
    "COMPARE_LESSTHAN": "<",
    "COMPARE_LESSTHANOREQUALTO": "<=",
    "COMPARE_GREATERTHAN": ">",
    "COMPARE_GREATERTHANOREQUALTO": ">=",
}
_MIRRORED: dict[Operator, Operator] = {"=": "=", "<>": "<>", "<": ">", "<=": ">=", ">": "<", ">=": "<="}


def condition_of(tree: Tree) -> Condition:
    """The condition of an expression; `OPAQUE` where statistics do not apply."""
    match tree["class"], tree["type"]:
        case "COMPARISON", kind if kind in _OPERATORS:
            return _comparison(_OPERATORS[kind], tree["left"], tree["right"])
        case "BETWEEN", _:
            bounds = (_comparison(">=", tree["input"], tree["lower"]), _comparison("<=", tree["input"], tree["upper"]))
            return AllOf(bounds)
        case "CONJUNCTION", "CONJUNCTION_AND":
            return AllOf(tuple(condition_of(child) for child in tree["children"]))
        case "CONJUNCTION", "CONJUNCTION_OR":
            return AnyOf(tuple(condition_of(child) for child in tree["children"]))
        case "OPERATOR", kind:
            return _operator(kind, tree["children"])
        case _:
            return OPAQUE


def _operator(kind: str, children: list[Tree]) -> Condition:
    match kind:
        case "OPERATOR_NOT":
            return Negation(condition_of(children[0]))
        case "COMPARE_IN":
            return AnyOf(tuple(_comparison("=", children[0], child) for child in children[1:]))
        case "COMPARE_NOT_IN":
            return Negation(_operator("COMPARE_IN", children))
        case "OPERATOR_IS_NULL" if _is_column(children[0]):
            return Unknown(_column(children[0]))
        case "OPERATOR_IS_NOT_NULL":
            return Negation(_operator("OPERATOR_IS_NULL", children))
        case _:
            return OPAQUE


def _comparison(operator: Operator, left: Tree, right: Tree) -> Condition:
    if _is_column(left) and _is_column(right):
        return Equal(_column(left), _column(right)) if operator == "=" else OPAQUE
    if _is_column(right):
        left, right, operator = right, left, _MIRRORED[operator]
    value = constant(right)
    return Compare(_column(left), operator, value) if _is_column(left) and value is not None else OPAQUE


def _is_column(tree: Tree) -> bool:
    """Whether a node is a bound column; a bare name is that of an output."""
    return is_reference(tree) and "stored" in tree


def _column(tree: Tree) -> Column:
    alias, name = tree["column_names"][:2]
    return Column(alias, name, bool(tree.get("stored")))


def constant(tree: Tree) -> Value | None:
    """The value of a literal as histograms have it; None for anything else."""
    if tree["class"] == "CAST":
        inner = constant(tree["child"])
        return _temporal(inner, str(tree["type_expr"]["type_name"])) if isinstance(inner, str) else inner
    if tree["class"] != "CONSTANT":
        return None
    return _literal(tree["literal"])


def _literal(literal: dict[str, Any]) -> Value | None:
    match literal["kind"]:
        case "INTEGER" | "NUMERIC":
            return float(literal["text"].replace("_", ""))
        case "STRING":
            return str(literal["text"])
        case "BOOLEAN":
            return float(literal["text"] == "true")
        case _:
            return None


def _temporal(text: str, kind: str) -> Value | None:
    try:
        match kind.upper():
            case "DATE":
                return float(date.fromisoformat(text).toordinal() - date(1970, 1, 1).toordinal())
            case name if name.startswith("TIMESTAMP"):
                return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()
            case _:
                return text
    except ValueError:
        return None
