"""Columns that are computed from others (DERIVED AS): which these are, and one of them solved for."""

from collections.abc import Collection, Mapping
from typing import Protocol

from imputedb.sql.strictness import is_strict
from imputedb.sql.tokens import tokens
from imputedb.sql.tree import (
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


class Derives(Protocol):
    """What is said of a column."""

    @property
    def derived(self) -> str | None:
        """What it is computed from others as; None where it is a column of its own."""


def parts(text: str, columns: Collection[str]) -> frozenset[str]:
    """The columns, by their own names, that an expression reads."""
    known = {name.lower(): name for name in columns}
    found = tokens(text)
    after = [token.text for token in found[1:]] + [""]
    names = {_name(token.text) for token, sign in zip(found, after, strict=True) if not sign.startswith("(")}
    return frozenset(known[name] for name in names if name in known)


def _name(text: str) -> str:
    return (text[1:-1].replace('""', '"') if text[:1] == '"' else text).lower()


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

    def change(node: Tree) -> Tree | None:
        return meant.get(str(node["column_names"][-1]).lower()) if is_reference(node) else None

    found: Tree = rewrite(expression, change)
    gone = any_of([is_missing(meant[name]) for name in references(expression)])
    return found if gone is None or is_strict(expression, lambda _: True) else null_where(gone, found)


def references(expression: Tree) -> list[str]:
    """The columns that an expression reads, each once, in lower case."""
    return list(dict.fromkeys(str(n["column_names"][-1]).lower() for n in expressions(expression) if is_reference(n)))


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
