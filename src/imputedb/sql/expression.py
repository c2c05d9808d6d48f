"""Typed questions to expressions: what rooms outside of `sql` ask of a syntax tree, with `select`."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from imputedb.algebra.column import Column
from imputedb.sql.ast import Tree, reference

# -- what it is -------------------------------------------------------------------------------------------------------


def kind_of(tree: Tree) -> str:
    """The kind of an expression as DuckDB names it, such as CONSTANT or COMPARISON; empty of what is none."""
    return str(tree.get("class", ""))


def operation_of(tree: Tree) -> str:
    """What an operator, a comparison or a conjunction does, as DuckDB names it, such as COMPARE_EQUAL."""
    return str(tree["type"])


def is_call(tree: Tree) -> bool:
    """Whether an expression calls a function."""
    return kind_of(tree) == "FUNCTION"


def is_cast(tree: Tree) -> bool:
    """Whether an expression is CAST or TRY_CAST."""
    return kind_of(tree) == "CAST"


def is_constant(tree: Tree) -> bool:
    """Whether an expression is a literal."""
    return kind_of(tree) == "CONSTANT"


def is_star(tree: Tree) -> bool:
    """Whether an expression stands for columns: `*` or COLUMNS."""
    return kind_of(tree) == "STAR"


def is_all(star: Tree) -> bool:
    """Whether a star stands for all columns, as ALL does in ORDER BY."""
    return bool(star.get("columns")) and not star.get("expr")


def renames(star: Tree) -> bool:
    """Whether a star has REPLACE or RENAME."""
    return bool(star.get("replace_list") or star.get("rename_list"))


def is_subquery(tree: Tree) -> bool:
    """Whether an expression is a query, or compares with one."""
    return kind_of(tree) == "SUBQUERY"


def is_window(tree: Tree) -> bool:
    """Whether an expression is a window function."""
    return kind_of(tree) == "WINDOW"


# -- references -------------------------------------------------------------------------------------------------------


def names_of(tree: Tree) -> list[str]:
    """The parts of the name that a reference is written by; none of any other expression."""
    return [str(part) for part in tree.get("column_names", ())]


def is_bound(tree: Tree) -> bool:
    """Whether an expression is a reference that means a column of a relation."""
    return "stored" in tree


def column_of(tree: Tree) -> Column | None:
    """The column of a relation that a bound reference means; None of a name that means something else.

    A query inside an expression has names of its own.
    """
    if not is_bound(tree):
        return None
    relation, name, *_ = names_of(tree)
    return Column(relation, name, tree["stored"])


def bound(column: Column) -> Tree:
    """A bound reference to a column of a relation: the opposite of `column_of`."""
    return {**reference(column.relation, column.name), "stored": column.stored}


@dataclass(frozen=True, slots=True)
class Origin:
    """What a resolved reference means.

    Attributes:
        number: of the source.
        name: of the source's column.
        stored: whether it is read as it is stored.
    """

    number: int
    name: str
    stored: bool


def origin_of(tree: Tree) -> Origin | None:
    """What a resolved reference means; None of any other expression, and of a name that means no column."""
    return Origin(*tree["origin"][:3]) if "origin" in tree else None


def merged_in(tree: Tree) -> list[tuple[int, str]]:
    """The sources, by number, and their columns that a reference to a column of USING means."""
    return [(number, name) for number, name in tree.get("origins", ())]


def whole_sources(tree: Tree) -> list[int]:
    """The numbers of the sources of which an expression, or an item of FROM, reads all columns."""
    return list(tree.get("reads_all", ()))


def read_as_stored(item: Any) -> None:
    """Lets a resolved output read what is stored, in place, under the name that it has."""
    item["origin"][2] = True
    item["alias"] = item["alias"] or names_of(item)[-1]


def alias_written(tree: Tree) -> str:
    """The name after AS; empty where none is written."""
    return str(tree.get("alias") or "")


# -- parts ------------------------------------------------------------------------------------------------------------


def child_of(tree: Tree) -> Tree:
    """The one expression that a cast, a collation or a subquery's comparison is made of."""
    child: Tree = tree["child"]
    return child


def compared_by(subquery: Tree) -> Tree | None:
    """What a subquery compares its rows with, as IN does; None of one that does not."""
    return subquery.get("child") or None


def children_of(tree: Tree) -> list[Tree]:
    """What an operator or a conjunction is made of, in order."""
    return list(tree["children"])


def with_children(tree: Tree, change: Callable[[Tree], Tree]) -> Tree:
    """The same operator or conjunction of changed children."""
    return {**tree, "children": [change(child) for child in children_of(tree)]}


def sides_of(comparison: Tree) -> tuple[Tree, Tree]:
    """What a comparison compares."""
    return comparison["left"], comparison["right"]


def with_parts(tree: Tree, names: tuple[str, ...], change: Callable[[Tree], Tree]) -> Tree:
    """The same expression with some of its parts, by DuckDB's names, changed."""
    return {**tree, **{name: change(tree[name]) for name in names}}


def cases_of(tree: Tree) -> tuple[list[tuple[Tree, Tree]], Tree]:
    """The conditions of a CASE with what holds under each, and what holds otherwise."""
    return [(check["when_expr"], check["then_expr"]) for check in tree["case_checks"]], tree["else_expr"]


def cased(conditions: Sequence[tuple[Tree, Tree]], otherwise: Tree) -> Tree:
    """A CASE: the opposite of `cases_of`."""
    checks = [{"when_expr": when, "then_expr": then} for when, then in conditions]
    return {"class": "CASE", "type": "CASE_EXPR", "alias": "", "case_checks": checks, "else_expr": otherwise}


def type_of(cast: Tree) -> str:
    """The name of the type that a cast is to, as it is written."""
    return str(cast["type_expr"]["qualified_name"]["path"][-1])


# -- constants --------------------------------------------------------------------------------------------------------


def text_of(tree: Tree) -> str:
    """The text of a literal, without quotes; empty of NULL and of any other expression."""
    return str(_literal(tree).get("text") or "")


def is_text(tree: Tree) -> bool:
    """Whether an expression is a literal in quotes."""
    return bool(_literal(tree).get("kind") == "STRING")


def is_null(tree: Tree) -> bool:
    """Whether an expression is the literal NULL."""
    return bool(_literal(tree).get("kind") == "NULL_LITERAL")


def _literal(tree: Tree) -> Mapping[str, Any]:
    return tree.get("literal") or {}


# -- calls ------------------------------------------------------------------------------------------------------------


def function_of(tree: Tree) -> str:
    """The name of the function that an expression, or an item of FROM, calls, in lower case; empty of any other."""
    return str(tree.get("function_name", "")).lower()


def arguments_of(call: Tree) -> list[Tree]:
    """What a function is called with, in order; nothing of any other expression."""
    return [part["expression"] for part in call.get("arguments", ())]


def options_of(call: Tree) -> list[str]:
    """The names of arguments in lower case, given as `name := value` or as `name = value`; empty of those without."""
    named = [(part["name"], names_of(part["expression"].get("left", {}))) for part in call["arguments"]]
    return [str(name or (left or [""])[-1]).lower() for name, left in named]


def called_with(call: Tree, arguments: list[Tree], **more: Any) -> Tree:
    """The same call with as many other arguments, and other parts by DuckDB's names."""
    given = [{**part, "expression": one} for part, one in zip(call["arguments"], arguments, strict=True)]
    return {**call, "arguments": given, **more}


def filter_of(call: Tree) -> Tree | None:
    """The condition in FILTER (WHERE ...)."""
    return call.get("filter") or None


def is_distinct(call: Tree) -> bool:
    """Whether a call is of different values alone (DISTINCT)."""
    return bool(call.get("distinct"))


def has_order(call: Tree) -> bool:
    """Whether an aggregate takes its rows in an order of their own."""
    return bool((call.get("order_bys") or {}).get("orders"))


def covers_partition(window: Tree) -> bool:
    """Whether a window function sees all rows of its partition, each once."""
    return (
        is_window(window)
        and not (window["orders"] or window["filter_expr"] or window["distinct"])
        and window["start"] == "UNBOUNDED_PRECEDING"
        and window["end"] in ("CURRENT_ROW_RANGE", "UNBOUNDED_FOLLOWING")
        and window["exclude_clause"] == "NO_OTHER"
    )


def path_of(item: Tree) -> list[str]:
    """The parts of the name of a table in FROM, or of a function, that are written; none of what has no name."""
    return [str(part) for part in item.get("qualified_name", {}).get("path", ()) if part]
