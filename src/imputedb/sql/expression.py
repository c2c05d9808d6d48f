"""Typed accessors of expressions in syntax trees, for code outside `sql`; `select` has those of queries."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from imputedb.algebra.column import Column
from imputedb.sql.ast import Tree, reference

# -- what it is -------------------------------------------------------------------------------------------------------


def kind_of(tree: Tree) -> str:
    """The class of an expression in DuckDB's terms, such as CONSTANT or COMPARISON; empty for other nodes."""
    return str(tree.get("class", ""))


def operation_of(tree: Tree) -> str:
    """The type of an operator, comparison or conjunction in DuckDB's terms, such as COMPARE_EQUAL."""
    return str(tree["type"])


def is_call(tree: Tree) -> bool:
    """Whether an expression is a function call."""
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
    """Whether an expression is a subquery, or a comparison with one."""
    return kind_of(tree) == "SUBQUERY"


def is_window(tree: Tree) -> bool:
    """Whether an expression is a window function."""
    return kind_of(tree) == "WINDOW"


# -- references -------------------------------------------------------------------------------------------------------


def names_of(tree: Tree) -> list[str]:
    """The parts of a column reference's name; empty for any other expression."""
    return [str(part) for part in tree.get("column_names", ())]


def is_bound(tree: Tree) -> bool:
    """Whether an expression is a reference bound to a column of a relation."""
    return "stored" in tree


def column_of(tree: Tree) -> Column | None:
    """The column of a bound reference; None for any other name.

    Queries inside an expression have names of their own.
    """
    if not is_bound(tree):
        return None
    relation, name, *_ = names_of(tree)
    return Column(relation, name, tree["stored"])


def bound(column: Column) -> Tree:
    """A bound reference to a column: the inverse of `column_of`."""
    return {**reference(column.relation, column.name), "stored": column.stored}


@dataclass(frozen=True, slots=True)
class Origin:
    """What a resolved reference refers to.

    Attributes:
        number: number of the source.
        name: own name of the source's column.
        stored: whether stored values are read.
    """

    number: int
    name: str
    stored: bool


def origin_of(tree: Tree) -> Origin | None:
    """The referent of a resolved reference; None for any other expression, and for names that are not columns."""
    return Origin(*tree["origin"][:3]) if "origin" in tree else None


def merged_in(tree: Tree) -> list[tuple[int, str]]:
    """The numbers of the sources, and their columns, that a reference to a USING column refers to."""
    return [(number, name) for number, name in tree.get("origins", ())]


def whole_sources(tree: Tree) -> list[int]:
    """The numbers of the sources all of whose columns an expression or an item of FROM reads."""
    return list(tree.get("reads_all", ()))


def read_as_stored(item: Any) -> None:
    """Makes a resolved output read stored values, in place; its name is kept."""
    item["origin"][2] = True
    item["alias"] = item["alias"] or names_of(item)[-1]


def count_rows(call: Any) -> None:
    """Turns COUNT of a column into COUNT(*), in place."""
    call.update(function_name="count_star", arguments=[], qualified_name={"path": ["count_star"]})


def alias_written(tree: Tree) -> str:
    """The alias of an expression; empty where it has none."""
    return str(tree.get("alias") or "")


# -- parts ------------------------------------------------------------------------------------------------------------


def child_of(tree: Tree) -> Tree:
    """The operand of a cast, a collation or a comparison with a subquery."""
    child: Tree = tree["child"]
    return child


def compared_by(subquery: Tree) -> Tree | None:
    """The left side of a comparison with a subquery, such as IN; None for other subqueries."""
    return subquery.get("child") or None


def children_of(tree: Tree) -> list[Tree]:
    """The operands of an operator or a conjunction."""
    return list(tree["children"])


def with_children(tree: Tree, change: Callable[[Tree], Tree]) -> Tree:
    """The same operator or conjunction with changed operands."""
    return {**tree, "children": [change(child) for child in children_of(tree)]}


def sides_of(comparison: Tree) -> tuple[Tree, Tree]:
    """The two sides of a comparison."""
    return comparison["left"], comparison["right"]


def with_parts(tree: Tree, names: tuple[str, ...], change: Callable[[Tree], Tree]) -> Tree:
    """The same expression with some parts, by DuckDB's names, changed."""
    return {**tree, **{name: change(tree[name]) for name in names}}


def cases_of(tree: Tree) -> tuple[list[tuple[Tree, Tree]], Tree]:
    """The conditions of a CASE with their results, and its ELSE."""
    return [(check["when_expr"], check["then_expr"]) for check in tree["case_checks"]], tree["else_expr"]


def results_of(case: Tree) -> list[Tree]:
    """The results of a CASE."""
    conditions, otherwise = cases_of(case)
    return [*(then for _, then in conditions), otherwise]


def cased(conditions: Sequence[tuple[Tree, Tree]], otherwise: Tree) -> Tree:
    """A CASE expression: the inverse of `cases_of`."""
    checks = [{"when_expr": when, "then_expr": then} for when, then in conditions]
    return {"class": "CASE", "type": "CASE_EXPR", "alias": "", "case_checks": checks, "else_expr": otherwise}


def with_results(case: Tree, condition: Callable[[Tree], Tree], result: Callable[[Tree], Tree]) -> Tree:
    """The same CASE of changed conditions and results."""
    conditions, otherwise = cases_of(case)
    pairs = [(condition(when), result(then)) for when, then in conditions]
    return {**cased(pairs, result(otherwise)), "alias": alias_written(case)}


def type_of(cast: Tree) -> str:
    """The name of a cast's target type, as written."""
    return str(cast["type_expr"]["qualified_name"]["path"][-1])


# -- constants --------------------------------------------------------------------------------------------------------


def text_of(tree: Tree) -> str:
    """The text of a literal, without quotes; empty of NULL and of any other expression."""
    return str(_literal(tree).get("text") or "")


def is_text(tree: Tree) -> bool:
    """Whether an expression is a string literal."""
    return bool(_literal(tree).get("kind") == "STRING")


def is_null(tree: Tree) -> bool:
    """Whether an expression is the literal NULL."""
    return bool(_literal(tree).get("kind") == "NULL_LITERAL")


def _literal(tree: Tree) -> Mapping[str, Any]:
    return tree.get("literal") or {}


# -- calls ------------------------------------------------------------------------------------------------------------


def function_of(tree: Tree) -> str:
    """The lower-case name of the function that an expression or an item of FROM calls; empty for others."""
    return str(tree.get("function_name", "")).lower()


def arguments_of(call: Tree) -> list[Tree]:
    """The arguments of a function call; empty for any other expression."""
    return [part["expression"] for part in call.get("arguments", ())]


def options_of(call: Tree) -> list[str]:
    """The lower-case names of arguments, `name := value` or `name = value`; empty for positional ones."""
    named = [(part["name"], names_of(part["expression"].get("left", {}))) for part in call["arguments"]]
    return [str(name or (left or [""])[-1]).lower() for name, left in named]


def called_with(call: Tree, arguments: list[Tree], **more: Any) -> Tree:
    """The same call with other arguments (as many), and other parts by DuckDB's names."""
    given = [{**part, "expression": one} for part, one in zip(call["arguments"], arguments, strict=True)]
    return {**call, "arguments": given, **more}


def filter_of(call: Tree) -> Tree | None:
    """The condition in FILTER (WHERE ...)."""
    return call.get("filter") or None


def is_distinct(call: Tree) -> bool:
    """Whether a call has DISTINCT."""
    return bool(call.get("distinct"))


def has_order(call: Tree) -> bool:
    """Whether an aggregate has an ORDER BY of its own."""
    return bool((call.get("order_bys") or {}).get("orders"))


def covers_partition(window: Tree) -> bool:
    """Whether a window function's frame is its whole partition."""
    return (
        is_window(window)
        and not (window["orders"] or window["filter_expr"] or window["distinct"])
        and window["start"] == "UNBOUNDED_PRECEDING"
        and window["end"] in ("CURRENT_ROW_RANGE", "UNBOUNDED_FOLLOWING")
        and window["exclude_clause"] == "NO_OTHER"
    )


def path_of(item: Tree) -> list[str]:
    """The parts of the name of a table in FROM, or of a function; empty where there is no name."""
    return [str(part) for part in item.get("qualified_name", {}).get("path", ()) if part]
