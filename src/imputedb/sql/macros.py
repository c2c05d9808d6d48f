"""Calls of macros written out, so that a macro means what its text means: DuckDB puts it in its place likewise."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from imputedb.sql.asking import asks
from imputedb.sql.tree import Tree, expressions, is_reference, rewrite


@dataclass(frozen=True, slots=True)
class Macro:
    """A macro that gives one value.

    Attributes:
        parameters: their names, in lower case.
        body: the expression it stands for.
        built_in: whether it comes with DuckDB; what such a one asks about NULL is no question of the user's.
    """

    parameters: tuple[str, ...]
    body: Tree
    built_in: bool


Macros = Callable[[str, int], Macro | None]
"""The macro of a name, in lower case, and a number of arguments; None where there is none to be written out."""


def written_out(node: Tree, macros: Macros, titles: Callable[[Sequence[Tree]], list[str]]) -> Tree:
    """A statement without calls of macros; columns keep the names that DuckDB gives them.

    Args:
        node: the statement.
        macros: what stands for what.
        titles: the names of expressions without an alias.
    """

    def called(tree: Tree) -> bool:
        return any(_macro(part, macros) is not None for part in expressions(tree))

    def walk(tree: Any) -> Any:
        if isinstance(tree, list):
            return [walk(part) for part in tree]
        if not isinstance(tree, dict):
            return tree
        if isinstance(tree.get("select_list"), list):
            items = tree["select_list"]
            unnamed = [place for place, item in enumerate(items) if not item.get("alias") and called(item)]
            named = dict(zip(unnamed, titles([items[place] for place in unnamed]) if unnamed else [], strict=True))
            items = [{**item, "alias": named[place]} if place in named else item for place, item in enumerate(items)]
            tree = {**tree, "select_list": items}
        found = _macro(tree, macros) if "class" in tree else None
        if found is not None:
            return walk(_in_place(tree, found))
        return {key: walk(part) if part and isinstance(part, (dict, list)) else part for key, part in tree.items()}

    result: Tree = walk(node)
    return result


def _macro(tree: Tree, macros: Macros) -> Macro | None:
    if tree.get("class") != "FUNCTION" or tree.get("filter") or tree.get("distinct") or tree.get("schema"):
        return None
    given = tree["arguments"]
    if any(part.get("name") for part in given if isinstance(part, dict)):
        return None
    return macros(str(tree["function_name"]).lower(), len(given))


def _in_place(tree: Tree, macro: Macro) -> Tree:
    given = dict(zip(macro.parameters, (part["expression"] for part in tree["arguments"]), strict=True))
    body = _unasking(macro.body) if macro.built_in else macro.body
    made: Tree = rewrite(body, lambda part: _argument(part, given))
    return {**made, "alias": tree.get("alias", "")}


def _argument(part: Tree, given: Mapping[str, Tree]) -> Tree | None:
    if not is_reference(part) or len(part["column_names"]) != 1:
        return None
    found = given.get(str(part["column_names"][0]).lower())
    return None if found is None else {**found, "alias": ""}


def _unasking(tree: Any) -> Any:
    if isinstance(tree, list):
        return [_unasking(part) for part in tree]
    if not isinstance(tree, dict):
        return tree
    whole = {key: _unasking(part) if isinstance(part, (dict, list)) else part for key, part in tree.items()}
    return {**whole, "asks": False} if "class" in tree and asks(tree) else whole
