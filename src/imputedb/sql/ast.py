"""DuckDB's JSON syntax trees: constructors of nodes, and traversal."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

Tree = Mapping[str, Any]
"""An expression, a table reference or a statement of DuckDB's serialized syntax tree."""

_NO_ORDER = {"type": "ORDER_MODIFIER", "orders": []}


def reference(*path: str) -> Tree:
    """A column reference by a qualified name."""
    return {"class": "COLUMN_REF", "type": "COLUMN_REF", "alias": "", "column_names": list(path)}


def number(value: int) -> Tree:
    """An integer literal."""
    return _literal("INTEGER", str(value))


def literal(value: bool | int | float | str | None) -> Tree:
    """A constant with a Python value; floats are exact."""
    match value:
        case None:
            return _literal("NULL_LITERAL", "")
        case bool():
            return _literal("BOOLEAN", str(value).lower())
        case int():
            return _literal("INTEGER", str(value))
        case float():
            return cast(_literal("STRING", repr(value)), plain_type("DOUBLE"))
        case str():
            return _literal("STRING", value)


def _literal(kind: str, text: str) -> Tree:
    return {
        "class": "CONSTANT",
        "type": "VALUE_CONSTANT",
        "alias": "",
        "literal": {"kind": kind, "text": text},
    }


def call(name: str, *arguments: Tree, where: Tree | None = None) -> Tree:
    """A function call; an aggregate may have FILTER (WHERE ...)."""
    return {
        "class": "FUNCTION",
        "type": "FUNCTION",
        "alias": "",
        "function_name": name,
        "filter": where,
        "order_bys": _NO_ORDER,
        "distinct": False,
        "is_operator": False,
        "arguments": [{"name": "", "expression": argument} for argument in arguments],
        "qualified_name": {"path": [name]},
    }


def arithmetic(symbol: str, *operands: Tree) -> Tree:
    """`left symbol right`, or `symbol operand`."""
    return {**call(symbol, *operands), "is_operator": True}


def where(condition: Tree, then: Tree, otherwise: Tree) -> Tree:
    """CASE WHEN condition THEN one expression ELSE another END."""
    return {**null_where(condition, otherwise), "case_checks": [{"when_expr": condition, "then_expr": then}]}


def operator(kind: str, *children: Tree) -> Tree:
    """An n-ary operator of DuckDB, such as OPERATOR_COALESCE, COMPARE_IN or OPERATOR_IS_NULL."""
    return {"class": "OPERATOR", "type": kind, "alias": "", "children": list(children)}


def coalesce(*children: Tree) -> Tree:
    """The first child that is not NULL."""
    return operator("OPERATOR_COALESCE", *children)


def not_refused(condition: Tree) -> Tree:
    """Whether a condition is true or NULL; a value that is no boolean is left to the condition to refuse."""
    return coalesce(try_cast(condition, plain_type("BOOLEAN")), literal(True))


def compared(kind: str, left: Tree, right: Tree) -> Tree:
    """A comparison, such as COMPARE_EQUAL."""
    return {"class": "COMPARISON", "type": kind, "alias": "", "left": left, "right": right}


def negated(child: Tree) -> Tree:
    """`NOT child`."""
    return operator("OPERATOR_NOT", child)


def is_missing(child: Tree) -> Tree:
    """`child IS NULL`."""
    return operator("OPERATOR_IS_NULL", child)


def is_present(child: Tree) -> Tree:
    """`child IS NOT NULL`."""
    return operator("OPERATOR_IS_NOT_NULL", child)


def among(child: Tree, node: Tree) -> Tree:
    """`child IN (SELECT ...)`."""
    return {
        "class": "SUBQUERY",
        "type": "SUBQUERY",
        "alias": "",
        "subquery_type": "ANY",
        "subquery": {"node": node, "named_param_map": []},
        "child": child,
        "comparison_type": "COMPARE_EQUAL",
    }


def all_of(conditions: Sequence[Tree]) -> Tree | None:
    """The conjunction of conditions; None without any."""
    return _junction("CONJUNCTION_AND", conditions)


def any_of(conditions: Sequence[Tree]) -> Tree | None:
    """The disjunction of conditions; None without any."""
    return _junction("CONJUNCTION_OR", conditions)


def _junction(kind: str, conditions: Sequence[Tree]) -> Tree | None:
    if len(conditions) < 2:
        return conditions[0] if conditions else None
    return {"class": "CONJUNCTION", "type": kind, "alias": "", "children": list(conditions)}


def null_where(condition: Tree, otherwise: Tree) -> Tree:
    """NULL where the condition holds, else the other expression."""
    return {
        "class": "CASE",
        "type": "CASE_EXPR",
        "alias": "",
        "case_checks": [{"when_expr": condition, "then_expr": literal(None)}],
        "else_expr": otherwise,
    }


def plain_type(name: str) -> Tree:
    """A type without parameters, such as DOUBLE or BIGINT."""
    return {
        "class": "TYPE",
        "type": "TYPE",
        "alias": "",
        "catalog": "",
        "schema": "",
        "type_name": name,
        "children": [],
        "qualified_name": {"path": [name]},
    }


def list_type(name: str) -> Tree:
    """The type of a list of values of a plain type."""
    return {**plain_type("list"), "children": [plain_type(name)]}


def cast(child: Tree, type_tree: Tree) -> Tree:
    """`CAST(child AS type)`."""
    return {
        "class": "CAST",
        "type": "OPERATOR_CAST",
        "alias": "",
        "child": child,
        "try_cast": False,
        "type_expr": type_tree,
    }


def try_cast(child: Tree, type_tree: Tree) -> Tree:
    """`TRY_CAST(child AS type)`: NULL where the value does not fit."""
    return {**cast(child, type_tree), "try_cast": True}


def named(child: Tree, alias: str) -> Tree:
    """The same expression with an alias."""
    return {**child, "alias": alias}


def star() -> Tree:
    """`*`: all columns."""
    return {"class": "STAR", "type": "STAR", "alias": "", "relation_name": ""}


def numbered(alias: str) -> Tree:
    """`row_number() OVER ()`: rows counted from 1 in the order in which they come."""
    return {
        "class": "WINDOW",
        "type": "WINDOW_ROW_NUMBER",
        "alias": alias,
        "function_name": "row_number",
        "start": "UNBOUNDED_PRECEDING",
        "end": "CURRENT_ROW_RANGE",
        "arguments": [],
        "qualified_name": {"path": ["row_number"]},
    }


def table(path: Sequence[str], alias: str) -> Tree:
    """A base table by its path (catalog, schema, name; leading parts may be omitted)."""
    return {
        "type": "BASE_TABLE",
        "alias": alias,
        "table_name": path[-1],
        "qualified_name": {"path": list(path)},
    }


def cross(left: Tree, right: Tree) -> Tree:
    """A cross join; not as CROSS, since DuckDB's deparser writes its comma without the parentheses that it needs."""
    return inner(left, right, literal(True))


def inner(left: Tree, right: Tree, condition: Tree) -> Tree:
    """An inner join on a condition."""
    return _join(left, right, "REGULAR", condition)


def positional(left: Tree, right: Tree) -> Tree:
    """A positional join: the n-th rows of both sides side by side."""
    return _join(left, right, "POSITIONAL", None)


def _join(left: Tree, right: Tree, kind: str, condition: Tree | None) -> Tree:
    return {
        "type": "JOIN",
        "alias": "",
        "left": left,
        "right": right,
        "condition": condition,
        "join_type": "INNER",
        "ref_type": kind,
        "using_columns": [],
    }


def subquery(node: Tree, alias: str) -> Tree:
    """A subquery in FROM."""
    return {"type": "SUBQUERY", "alias": alias, "subquery": {"node": node, "named_param_map": []}}


def select(
    outputs: Sequence[Tree],
    source: Tree | None,
    where: Tree | None = None,
    groups: Sequence[Tree] = (),
    **more: Any,
) -> Tree:
    """A SELECT node; `more` overrides other parts (having, qualify, modifiers, ...)."""
    return {
        "type": "SELECT_NODE",
        "modifiers": [],
        "cte_map": {"map": []},
        "select_list": list(outputs),
        "from_table": source or {"type": "EMPTY", "alias": ""},
        "where_clause": where,
        "group_expressions": list(groups),
        "group_sets": [list(range(len(groups)))] if groups else [],
        "aggregate_handling": "STANDARD_HANDLING",
        "having": None,
        "sample": None,
        "qualify": None,
        **more,
    }


def is_reference(tree: Any) -> bool:
    """Whether a node is a column reference."""
    return isinstance(tree, dict) and tree.get("class") == "COLUMN_REF"


def parts(tree: Any) -> Iterator[Tree]:
    """The child expressions of a node, however its fields nest them."""
    below = tree.values() if isinstance(tree, dict) else tree if isinstance(tree, list) else ()
    for part in below:
        if not part or not isinstance(part, (dict, list)):
            continue
        if isinstance(part, dict) and "class" in part:
            yield part
        else:
            yield from parts(part)


def expressions(tree: Any) -> Iterator[Tree]:
    """The expressions of a tree in preorder, the node itself first."""
    waiting: list[Any] = [tree] if isinstance(tree, dict | list) else []
    while waiting:
        part = waiting.pop()
        if type(part) is dict:
            if "class" in part:
                yield part
            part = part.values()
        for below in reversed(part):
            if below and (type(below) is dict or type(below) is list):
                waiting.append(below)  # noqa: PERF401 -- a list of them takes half as long again


def rewrite(tree: Any, change: Callable[[Tree], Tree | None]) -> Any:
    """The tree with each expression replaced for which `change` gives another, from the top down."""
    if type(tree) is dict:
        if "class" in tree and (changed := change(tree)) is not None:
            return changed
        return {
            key: rewrite(value, change) if value and (type(value) is dict or type(value) is list) else value
            for key, value in tree.items()
        }
    if type(tree) is list:
        return [rewrite(value, change) for value in tree]
    return tree


def without_place(tree: Any) -> Any:
    """A tree without the positions in the text, in which two copies of an expression may differ."""
    if isinstance(tree, dict):
        return {k: without_place(v) for k, v in tree.items() if k != "alias" and not k.startswith("query_location")}
    return [without_place(part) for part in tree] if isinstance(tree, list) else tree
