"""Expansion of macro calls: as in DuckDB, a call is replaced by the macro's body."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from imputedb.sql.ast import Tree, expressions, is_reference, literal, operator, reference, rewrite
from imputedb.sql.missingness import tests_missingness
from imputedb.sql.titles import Titles, titled


@dataclass(frozen=True, slots=True)
class Macro:
    """A scalar macro.

    Attributes:
        parameters: names of the parameters, in lower case.
        body: expression that replaces a call.
        built_in: whether it is DuckDB's own; tests for NULL in such a macro are not the user's.
    """

    parameters: tuple[str, ...]
    body: Tree
    built_in: bool


@dataclass(frozen=True, slots=True)
class Call:
    """The form of a function call.

    Attributes:
        path: function name, after those of database and schema where they are given, in lower case.
        count: number of positional arguments.
        names: names of the other arguments, in lower case.
        closed: whether the arguments mean the same everywhere: they have no columns or queries.
    """

    path: tuple[str, ...]
    count: int
    names: frozenset[str]
    closed: bool = False

    def gives(self, parameters: Sequence[str]) -> bool:
        """Whether the arguments match a macro's parameters one to one."""
        rest = parameters[self.count :]
        return self.count <= len(parameters) and len(rest) == len(self.names) and self.names == set(rest)


OPEN = ("COLUMN_REF", "SUBQUERY", "LAMBDA", "STAR")
"""What an argument that means the same everywhere does not hold."""

Macros = Callable[[Call], Macro | None]
"""The macro that a call means; None where there is none to be written out."""


def written_out(
    node: Tree,
    macros: Macros,
    is_function: Callable[[tuple[str, ...]], bool],
    titles: Titles,
) -> Tree:
    """A statement with macro calls expanded, and method calls on columns, `x.upper()`, written as `upper(x)`.

    Columns keep DuckDB's names for them.

    Args:
        node: syntax tree of the statement.
        macros: gives the macro of a call.
        is_function: whether a name qualified by a schema or database is that of a function.
        titles: gives the names of expressions without an alias.
    """

    def called(tree: Tree) -> bool:
        return any(_macro(part, macros) or _on_column(part, is_function) for part in expressions(tree))

    def walk(tree: Any) -> Any:
        if isinstance(tree, list):
            return [walk(part) for part in tree]
        if not isinstance(tree, dict):
            return tree
        if isinstance(tree.get("select_list"), list):
            tree = titled(tree, called, titles)
        if "class" in tree:
            tree = _on_column(tree, is_function) or tree
            found = _macro(tree, macros)
            if found is not None:
                return walk(_in_place(tree, found, is_function))
        return {key: walk(part) if part and isinstance(part, (dict, list)) else part for key, part in tree.items()}

    result: Tree = walk(node)
    return result


def path_of(tree: Tree) -> tuple[str, ...]:
    """The name of the called function with its qualifiers, in lower case."""
    return tuple(str(part).lower() for part in tree["qualified_name"]["path"] if part)


def with_arguments(query: Tree, parameters: Sequence[str], call: Tree) -> Tree:
    """The query of a table macro with the arguments of a call for its parameters; `p.a` is a column of p there."""
    given = _given(parameters, call)

    def change(part: Tree) -> Tree | None:
        return _argument(part, given) if is_reference(part) and len(part["column_names"]) == 1 else None

    made: Tree = rewrite(query, change)
    return made


def call_of(tree: Tree) -> Call:
    """The form of a node's function call."""
    names = [str(part["name"]).lower() for part in tree["arguments"] if part["name"]]
    given = expressions([part["expression"] for part in tree["arguments"]])
    closed = all(part["class"] not in OPEN for part in given)
    return Call(path_of(tree), len(tree["arguments"]) - len(names), frozenset(names), closed)


def _on_column(tree: Tree, is_function: Callable[[tuple[str, ...]], bool]) -> Tree | None:
    """A method call on a column as a call with the column as first argument; None for any other call."""
    if tree.get("class") != "FUNCTION":
        return None
    *before, name = [str(part) for part in tree["qualified_name"]["path"] if part]
    if not before or len(before) > 2 or is_function(path_of(tree)):
        return None
    own = {"name": "", "expression": reference(*before)}
    plain = {"schema": "", "catalog": "", "qualified_name": {"path": [name]}}
    return {**tree, **plain, "arguments": [own, *tree["arguments"]]}


def _macro(tree: Tree, macros: Macros) -> Macro | None:
    if tree.get("class") != "FUNCTION" or tree.get("filter") or tree.get("distinct"):
        return None
    return macros(call_of(tree))


def _in_place(tree: Tree, macro: Macro, is_function: Callable[[tuple[str, ...]], bool]) -> Tree:
    given = _given(macro.parameters, tree)
    body = _without_tests(macro.body) if macro.built_in else macro.body

    def change(part: Tree) -> Tree | None:
        called = _on_column(part, is_function)
        return _argument(part, given) if called is None else rewrite(called, change)

    made: Tree = rewrite(body, change)
    return {**made, "alias": tree.get("alias", "")}


def _given(parameters: Sequence[str], call: Tree) -> dict[str, Tree]:
    arguments = call["arguments"]
    given = dict(zip(parameters, (part["expression"] for part in arguments if not part["name"]), strict=False))
    return given | {str(part["name"]).lower(): part["expression"] for part in arguments if part["name"]}


def _argument(part: Tree, given: Mapping[str, Tree]) -> Tree | None:
    """The argument of a parameter, which hides columns and tables of its name, or a field of the argument."""
    if not is_reference(part):
        return None
    parameter, *fields = (str(name) for name in part["column_names"])
    found = given.get(parameter.lower())
    if found is None:
        return None
    found = {**found, "alias": part.get("alias", "")}
    for field in fields:
        found = {**operator("STRUCT_EXTRACT", {**found, "alias": ""}, literal(field)), "alias": part.get("alias", "")}
    return found


def _without_tests(tree: Any) -> Any:
    if isinstance(tree, list):
        return [_without_tests(part) for part in tree]
    if not isinstance(tree, dict):
        return tree
    whole = {key: _without_tests(part) if isinstance(part, (dict, list)) else part for key, part in tree.items()}
    return {**whole, "tests_missingness": False} if "class" in tree and tests_missingness(tree) else whole
