"""Derived columns (DERIVED AS): the columns that they are computed from, and solutions for one of these."""

from collections.abc import Collection, Iterator, Mapping
from functools import lru_cache
from typing import Any, Protocol

from imputedb.sql.ast import (
    Tree,
    any_of,
    arithmetic,
    compared,
    expressions,
    is_missing,
    is_reference,
    null_where,
    number,
    rewrite,
)
from imputedb.sql.ast import parts as below
from imputedb.sql.parse import parse, scratch_connection
from imputedb.sql.strictness import is_strict

_BEFORE = "SELECT ("
"""What an expression is parsed behind."""


class Derives(Protocol):
    """A policy, as far as derivation is concerned."""

    @property
    def derived(self) -> str | None:
        """The expression in SQL; None for a column that is not derived."""


def parts(text: str, columns: Collection[str]) -> frozenset[str]:
    """The columns, in their own spelling, that an expression reads."""
    known = {name.lower(): name for name in columns}
    return frozenset(known[name] for name in _read(text) if name in known)


@lru_cache(maxsize=1024)
def _read(text: str) -> frozenset[str]:
    """The lower-case names that an expression reads; cached."""
    with scratch_connection() as parser:
        return frozenset(references(parse(parser, f"{_BEFORE}{text})")["select_list"]))


def byte_ranges(text: str, column: str) -> list[tuple[int, int]]:
    """The byte ranges of the references to a column in an expression."""
    with scratch_connection() as parser:
        items = parse(parser, f"{_BEFORE}{text})")["select_list"]
    found = [node for node in _nodes(items, frozenset()) if _named(node) == column.lower()]
    starts = [int(node["query_location"]) - len(_BEFORE) for node in found]
    return [(start, start + int(node["query_location_length"])) for start, node in zip(starts, found, strict=True)]


def derivations(policies: Mapping[str, Derives], columns: Collection[str]) -> dict[str, frozenset[str]]:
    """The columns that each derived column of a table is computed from."""
    return {name: parts(policy.derived, columns) for name, policy in policies.items() if policy.derived}


def sources_of(policies: Mapping[str, Derives], columns: Collection[str], names: Collection[str]) -> frozenset[str]:
    """The columns of a table that some columns are computed from, directly or through others."""
    known = derivations(policies, columns)
    found, waiting = set[str](), list(names)
    while waiting:
        new = known.get(waiting.pop(), frozenset()) - found
        found |= new
        waiting += new
    return frozenset(found)


def derived_from(policies: Mapping[str, Derives], columns: Collection[str], column: str) -> frozenset[str]:
    """The columns of a table that are computed from one, directly or through others."""
    known = derivations(policies, columns)
    found, waiting = set[str](), [column]
    while waiting:
        one = waiting.pop()
        new = {name for name, read in known.items() if one in read} - found
        found |= new
        waiting += new
    return frozenset(found)


def cycle(known: Mapping[str, frozenset[str]], start: str) -> list[str]:
    """A cycle of derivations through a column; empty where there is none."""
    waiting = [[start]]
    seen: set[str] = set()
    while waiting:
        way = waiting.pop()
        for name in sorted(known.get(way[-1], ())):
            if name == start:
                return [*way, start]
            if name not in seen:
                seen.add(name)
                waiting.append([*way, name])
    return []


def with_columns(expression: Tree, meant: Mapping[str, Tree]) -> Tree:
    """An expression in which each column, by its lower-case name, is replaced by an expression.

    The result is NULL where one of these is NULL; CASE and the like might otherwise give a value.
    """

    found: Tree = _replaced(expression, meant)
    missing = any_of([is_missing(meant[name]) for name in references(expression)])
    return found if missing is None or is_strict(expression, lambda _: True) else null_where(missing, found)


def _replaced(tree: Any, meant: Mapping[str, Tree]) -> Any:
    """A tree with replaced columns; parameters of lambdas are not columns."""

    def change(node: Tree) -> Tree | None:
        if node["class"] == "LAMBDA":
            own = _parameters(node)
            return {**node, "expr": _replaced(node["expr"], {k: v for k, v in meant.items() if k not in own})}
        return meant.get(_named(node)) if is_reference(node) else None

    return rewrite(tree, change)


def references(expression: Any) -> list[str]:
    """The columns that an expression reads, without duplicates, in lower case."""
    return list(dict.fromkeys(map(_named, _nodes(expression, frozenset()))))


def _nodes(tree: Any, local: frozenset[str]) -> Iterator[Tree]:
    """The column references of a tree; parameters of lambdas are not columns."""
    if is_reference(tree):
        if _named(tree) not in local:
            yield tree
    elif isinstance(tree, dict) and tree.get("class") == "LAMBDA":
        yield from _nodes(tree["expr"], local | _parameters(tree))
    else:
        for part in below(tree):
            yield from _nodes(part, local)


def _parameters(node: Tree) -> frozenset[str]:
    """The parameter names of a lambda."""
    return frozenset(_named(one) for one in expressions(node["lhs"]) if is_reference(one))


def _named(node: Tree) -> str:
    return str(node["column_names"][-1]).lower()


def solved(expression: Tree, column: str, value: Tree) -> Tree | None:
    """The expression of a column that solves `expression = value`; None where it cannot be solved.

    It can be solved if the column occurs once, below sums, differences, products and quotients only. The solution is
    NULL where a factor or divisor is 0.
    """
    if sum(_is(node, column) for node in expressions(expression)) != 1:
        return None
    node, known = expression, value
    while not _is(node, column):
        if node.get("class") != "FUNCTION" or not node.get("is_operator") or len(node["arguments"]) not in (1, 2):
            return None
        operands = [part["expression"] for part in node["arguments"]]
        place = next(k for k, one in enumerate(operands) if any(_is(part, column) for part in expressions(one)))
        inverse = _inverse(str(node["function_name"]), place, operands, known)
        if inverse is None:
            return None
        node, known = operands[place], inverse
    return known


def _is(node: Tree, column: str) -> bool:
    return is_reference(node) and str(node["column_names"][-1]).lower() == column.lower()


def _inverse(symbol: str, place: int, operands: list[Tree], known: Tree) -> Tree | None:
    if len(operands) == 1:
        return {"-": arithmetic("-", known), "+": known}.get(symbol)
    other = operands[1 - place]
    match symbol, place:
        case "+", _:
            return arithmetic("-", known, other)
        case "-", 0:
            return arithmetic("+", known, other)
        case "-", 1:
            return arithmetic("-", other, known)
        case "*", _:
            return _ratio(known, other)
        case "/", 0:
            return arithmetic("*", known, other)
        case "/", 1:
            return _ratio(other, known)
    return None


def _ratio(above: Tree, below: Tree) -> Tree:
    return null_where(compared("COMPARE_EQUAL", below, number(0)), arithmetic("/", above, below))
