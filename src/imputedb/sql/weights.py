"""Weighted aggregates, in which rows count by a sampling weight (Horvitz & Thompson 1952; Hajek 1971)."""

from collections.abc import Sequence

from imputedb.errors import QueryError
from imputedb.notes import Note, NoteKind
from imputedb.sql.ast import Tree, arithmetic, call, coalesce, expressions, is_reference, number, rewrite
from imputedb.sql.functions import COUNTS, MEANS, SUMS
from imputedb.sql.subqueries import nodes

_CLAUSES = ("select_list", "having", "qualify", "modifiers")


def unweighted(node: Tree, aggregates: frozenset[str]) -> list[Note]:
    """A warning of unweighted aggregates in nested queries; empty where there are none."""
    inner = [one for one in nodes(node) if one.get("type") == "SELECT_NODE" and one is not node]
    called = (part for one in inner for clause in _CLAUSES for part in expressions(one[clause]))
    names = {str(part["function_name"]).lower() for part in called if part["class"] == "FUNCTION"} & aggregates
    listed = ", ".join(sorted(names & {*MEANS, *SUMS, *COUNTS})).replace("count_star", "count(*)")
    words = f"weights are of the outermost SELECT: {listed} of a nested query takes each row once"
    return [Note(NoteKind.UNWEIGHTED, listed, words)] if listed else []


def weighted(node: Tree, weight: Tree, aggregates: frozenset[str], titles: Sequence[str]) -> Tree:
    """A query with weighted outermost aggregates.

    AVG(x) is sum(w x) / sum(w) over rows with x; SUM(x) is sum(w x); COUNT(*) is sum(w). Their variances within a draw
    are those of linearised ratios and of totals over rows.

    Args:
        node: syntax tree of the query.
        weight: expression of the weight.
        aggregates: names of aggregate functions, in lower case.
        titles: names of its outputs, which are kept.

    Raises:
        QueryError: the query has no aggregate, or one that cannot be weighted.
    """
    if node["type"] != "SELECT_NODE":
        raise QueryError("weights apply to the aggregates of one SELECT: query each part of a set operation separately")
    found: list[str] = []

    def change(tree: Tree) -> Tree | None:
        if tree["class"] == "SUBQUERY":
            return tree
        name = str(tree.get("function_name", "")).lower()
        if tree["class"] == "WINDOW":
            raise QueryError(f"weights apply to AVG, SUM and COUNT, not to the window {name}: leave weights out")
        if tree["class"] != "FUNCTION" or name not in aggregates:
            return None
        found.append(name)
        return {**_weighted(tree, name, weight), "alias": tree.get("alias", "")}

    clauses = {key: rewrite(node[key], change) for key in _CLAUSES}
    if not found:
        raise QueryError("weights apply to AVG, SUM and COUNT, and this query has no aggregate: leave weights out")
    items = clauses["select_list"]
    named = len(titles) == len(items)
    clauses["select_list"] = [
        {**item, "alias": item.get("alias") or title} if named and not is_reference(item) else item
        for item, title in zip(items, titles if named else items, strict=True)
    ]
    return {**node, **clauses}


def _weighted(tree: Tree, name: str, weight: Tree) -> Tree:
    given = [part["expression"] for part in tree["arguments"]]
    if tree["distinct"] or (name in COUNTS and given):
        raise QueryError(f"with weights, {name} counts rows: use count(*), or count(*) FILTER (WHERE ...)")

    def total(what: Tree) -> Tree:
        return {**call("sum", what), "filter": tree["filter"]}

    if name in COUNTS:
        return coalesce(total(weight), number(0))
    if name not in MEANS | SUMS:
        raise QueryError(
            f"weights apply to AVG, SUM and COUNT, not to {name}: leave weights out, or write the weighted expression"
        )
    sums = total(arithmetic("*", weight, given[0]))
    if name in SUMS:
        return sums
    there = arithmetic("+", weight, arithmetic("*", number(0), given[0]))  # NULL where there are no values
    return arithmetic("/", sums, total(there))
