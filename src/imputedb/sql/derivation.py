"""Columns that are computed from others (DERIVED AS): which these are, and one of them solved for."""

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
from imputedb.sql.parse import apart, parse
from imputedb.sql.strictness import is_strict

_BEFORE = "SELECT ("
"""What an expression is parsed behind."""


class Derives(Protocol):
    """What is said of a column."""

    @property
    def derived(self) -> str | None:
        """What it is computed from others as; None where it is a column of its own."""


def parts(text: str, columns: Collection[str]) -> frozenset[str]:
    """The columns, by their own names, that an expression reads."""
    known = {name.lower(): name for name in columns}
    return frozenset(known[name] for name in _read(text) if name in known)


@lru_cache(maxsize=1024)
def _read(text: str) -> frozenset[str]:
    """What an expression reads, in lower case; parsed once, since it is asked for with each question."""
    with apart() as parser:
        return frozenset(references(parse(parser, f"{_BEFORE}{text})")["select_list"]))


def places(text: str, column: str) -> list[tuple[int, int]]:
    """Where an expression names a column: the first byte of each reference, and the one behind it."""
    with apart() as parser:
        items = parse(parser, f"{_BEFORE}{text})")["select_list"]
    found = [node for node in _nodes(items, frozenset()) if _named(node) == column.lower()]
    starts = [int(node["query_location"]) - len(_BEFORE) for node in found]
    return [(start, start + int(node["query_location_length"])) for start, node in zip(starts, found, strict=True)]


def derivations(policies: Mapping[str, Derives], columns: Collection[str]) -> dict[str, frozenset[str]]:
    """By derived column of a table the columns that it is computed from."""
    return {name: parts(policy.derived, columns) for name, policy in policies.items() if policy.derived}


def behind(policies: Mapping[str, Derives], columns: Collection[str], names: Collection[str]) -> frozenset[str]:
    """The columns of a table that some are computed from, also through others."""
    known = derivations(policies, columns)
    found, waiting = set[str](), list(names)
    while waiting:
        new = known.get(waiting.pop(), frozenset()) - found
        found |= new
        waiting += new
    return frozenset(found)


def derived_from(policies: Mapping[str, Derives], columns: Collection[str], column: str) -> frozenset[str]:
    """The columns of a table that are computed from one, also through others."""
    known = derivations(policies, columns)
    found, waiting = set[str](), [column]
    while waiting:
        one = waiting.pop()
        new = {name for name, read in known.items() if one in read} - found
        found |= new
        waiting += new
    return frozenset(found)


def cycle(known: Mapping[str, frozenset[str]], start: str) -> list[str]:
    """A way from a column back to itself through those that columns are computed from; empty where there is none."""
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
    """An expression with what stands for each of its columns, by lower-case name, in its place.

    It is NULL where one of these is: CASE and the like would answer whatever is missing.
    """

    found: Tree = _replaced(expression, meant)
    gone = any_of([is_missing(meant[name]) for name in references(expression)])
    return found if gone is None or is_strict(expression, lambda _: True) else null_where(gone, found)


def _replaced(tree: Any, meant: Mapping[str, Tree]) -> Any:
    """A tree with what stands for its columns; parameters of a lambda are none."""

    def change(node: Tree) -> Tree | None:
        if node["class"] == "LAMBDA":
            own = _parameters(node)
            return {**node, "expr": _replaced(node["expr"], {k: v for k, v in meant.items() if k not in own})}
        return meant.get(_named(node)) if is_reference(node) else None

    return rewrite(tree, change)


def references(expression: Any) -> list[str]:
    """The columns that an expression reads, each once, in lower case."""
    return list(dict.fromkeys(map(_named, _nodes(expression, frozenset()))))


def _nodes(tree: Any, local: frozenset[str]) -> Iterator[Tree]:
    """The references to columns; the parameters of lambdas are none."""
    if is_reference(tree):
        if _named(tree) not in local:
            yield tree
    elif isinstance(tree, dict) and tree.get("class") == "LAMBDA":
        yield from _nodes(tree["expr"], local | _parameters(tree))
    else:
        for part in below(tree):
            yield from _nodes(part, local)


def _parameters(node: Tree) -> frozenset[str]:
    """The names that a lambda gives what it is called with."""
    return frozenset(_named(one) for one in expressions(node["lhs"]) if is_reference(one))


def _named(node: Tree) -> str:
    return str(node["column_names"][-1]).lower()


def solved(expression: Tree, column: str, value: Tree) -> Tree | None:
    """What a column is where the expression has a value; None where it cannot be solved for it.

    It can where the column stands in it once, below sums, differences, products and ratios alone. NULL stands where a
    factor or divisor is 0.
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
