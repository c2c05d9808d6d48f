"""Aggregates in many draws: rows that all draws share are aggregated once, and combined with each draw's own rows."""

from collections.abc import Mapping, Sequence

from imputedb.sql import ast as t
from imputedb.sql.ast import Tree, without_place
from imputedb.sql.generate import DRAW, Rows, of_draw

_SHARED = "shared"
_EVERY = t.cast(t.number(-1), t.plain_type("INTEGER"))

BUCKETS = 4096
"""What the hash of a row is taken modulo, to say how often it stands in a bootstrap sample."""

_REPLICATES = 1000  # in each draw


def bundled(
    rows: Rows,
    groups: Sequence[Tree],
    outputs: Mapping[str, Tree],
    numbers: str,
    calls: Sequence[Tree],
) -> Tree | None:
    """A SELECT of a draw's number `DRAW` and outputs, one row per group and draw; None where that is impossible.

    Args:
        rows: joined rows.
        groups: bound expressions of GROUP BY.
        outputs: bound expressions of groups and aggregates, by name.
        numbers: table with the numbers of the draws in `DRAW`.
        calls: aggregates of the outputs, whose states can be combined.
    """
    if any(node["class"] in ("SUBQUERY", "WINDOW") for tree in outputs.values() for node in t.expressions(tree)):
        return None
    draw = rows.draw or _EVERY
    inner = [t.named(draw, DRAW)]
    inner += [t.named(rows.expression(tree), f"g{place}") for place, tree in enumerate(groups)]
    inner += [{**rows.expression(tree), "alias": f"s{n}", "export_state": True} for n, tree in enumerate(calls)]
    keys = [draw, *(rows.expression(tree) for tree in groups)]
    parts = t.select(inner, rows.source, t.all_of(rows.conditions), groups=keys)
    known = [(tree, t.reference(_SHARED, f"g{place}")) for place, tree in enumerate(groups)]
    known += [
        (tree, t.call("finalize", _combined(t.reference(_SHARED, f"s{place}")))) for place, tree in enumerate(calls)
    ]
    replaced = _Replaced(known)
    over = {name: replaced.over(tree) for name, tree in outputs.items()}
    if any(map(_reads_rows, over.values())):
        return None
    number = t.reference(numbers, DRAW)
    source = t.inner(t.subquery(parts, _SHARED), t.table((numbers,), ""), of_draw(t.reference(_SHARED, DRAW), number))
    shown = [t.named(number, DRAW), *(t.named(tree, name) for name, tree in over.items())]
    by = [number, *(t.reference(_SHARED, f"g{place}") for place in range(len(groups)))]
    return t.select(shown, source, groups=by)


def _combined(state: Tree) -> Tree:
    """The combined states of a draw, that of shared rows first, since floating-point sums depend on the order."""
    key = {"type": "ORDER_DEFAULT", "null_order": "ORDER_DEFAULT", "expression": t.reference(_SHARED, DRAW)}
    return {**t.call("combine_aggr", state), "order_bys": {"type": "ORDER_MODIFIER", "orders": [key]}}


class _Replaced:
    """A substitution of expressions by others, wherever they occur."""

    def __init__(self, known: Sequence[tuple[Tree, Tree]]) -> None:
        self._known = {_key(tree): other for tree, other in known}
        self._heads = {_head(tree) for tree, _ in known}

    def over(self, tree: Tree) -> Tree:
        """The tree after the substitution."""
        result: Tree = t.rewrite(tree, self._other)
        return result

    def _other(self, node: Tree) -> Tree | None:
        return self._known.get(_key(node)) if _head(node) in self._heads else None


def _key(tree: Tree) -> str:
    return repr(without_place(tree))


def _head(tree: Tree) -> tuple[str, str]:
    """A cheap fingerprint of an expression, equal for copies, so that most others need no full comparison."""
    return str(tree["class"]), str(tree.get("function_name", ""))


def _reads_rows(tree: Tree) -> bool:
    return any(t.is_reference(node) and "stored" in node for node in t.expressions(tree))


def resampled(
    rows: Rows,
    sources: Sequence[Tree],
    groups: Sequence[Tree],
    outputs: Mapping[str, Tree],
    numbers: str,
    replicates: str,
    copies: str,
) -> Tree:
    """The same over Poisson bootstrap samples of each draw's rows: one row per group, draw and `replicate`.

    Each row is in a sample with a multiplicity from the Poisson distribution of mean 1, hashed from its row ids
    (Chamandy et al. 2012, section 2).

    Args:
        sources: row ids of the scans.
        replicates: table with the numbers in `replicate`.
        copies: table with each `bucket` of a hash as often as a row in it occurs in a sample.
    """
    replicate, number = t.reference(replicates, "replicate"), t.reference(numbers, DRAW)
    turn = t.arithmetic("+", replicate, t.arithmetic("*", number, t.number(_REPLICATES)))
    # DuckDB's hash(a, b) combines hashes too weakly to be random in both arguments
    bucket = t.arithmetic("%", t.call("hash", t.arithmetic("+", t.call("hash", *sources), turn)), t.number(BUCKETS))
    draw = rows.draw or _EVERY
    source = t.inner(rows.source, t.table((numbers,), ""), of_draw(draw, number))
    source = t.cross(source, t.table((replicates,), ""))
    source = t.inner(source, t.table((copies,), ""), t.compared("COMPARE_EQUAL", bucket, t.reference(copies, "bucket")))
    shown = [t.named(number, DRAW), t.named(replicate, "replicate")]
    shown += [t.named(rows.expression(tree), name) for name, tree in outputs.items()]
    by = [number, replicate, *(rows.expression(tree) for tree in groups)]
    return t.select(shown, source, t.all_of(rows.conditions), groups=by)
