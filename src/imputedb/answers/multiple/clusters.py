"""Sampled clusters, by which intervals are computed instead of by rows."""

from collections.abc import Mapping, Sequence

from imputedb.blocks.block import Block, PlannedBlock, UnplannedBlock
from imputedb.errors import QueryError, UnknownName
from imputedb.notes import Note, NoteKind
from imputedb.planning.problem import Problem


def clusters(blocks: Sequence[Block], wanted: str | None) -> Mapping[str, str]:
    """The column of the clusters by alias of a relation of the last block.

    Args:
        blocks: blocks of a statement.
        wanted: requested column, perhaps with its alias; None for those of policies.

    Raises:
        UnknownName: no relation has the column.
        QueryError: several relations have it, policies differ, or the last block is not over tables and inner joins.
    """
    last = blocks[-1]
    if not isinstance(last, PlannedBlock):
        if wanted is not None:
            raise QueryError("clusters apply to one SELECT over tables and inner joins, which this is not")
        return {}
    if wanted is not None:
        return dict([_named(last.problem, wanted)])
    found: dict[str, str] = {}
    for alias, known in last.problem.statistics.items():
        policies = [policy for name, policy in known.policies.items() if policy.cluster and _reads(last, alias, name)]
        named = {policy.cluster for policy in policies if policy.cluster}
        if len(named) > 1:
            raise QueryError(f"policies name the clusters {', '.join(sorted(named))} of {alias}: say clusters= for one")
        found |= dict.fromkeys([alias], named.pop()) if named else {}
    return found


def unused_note(blocks: Sequence[Block]) -> list[Note]:
    """A note if policies name clusters that intervals do not use."""
    if blocks and isinstance(blocks[-1], PlannedBlock):
        blocks = blocks[:-1]
    named = {
        policy.cluster
        for block in blocks
        if not isinstance(block, UnplannedBlock)
        for known in block.problem.statistics.values()
        for policy in known.policies.values()
        if policy.cluster
    }
    if not named:
        return []
    listed = ", ".join(sorted(named))
    words = (
        f"intervals take rows for sampled one by one, though policies name clusters ({listed}): "
        "they go by clusters in one SELECT over tables and inner joins"
    )
    return [Note(NoteKind.CLUSTERS, listed, words)]


def count_of(problem: Problem, alias: str, name: str) -> int:
    """The number of clusters of a relation; rows of unknown clusters form one more."""
    known = problem.statistics[alias].columns[name]
    return max(1, int(known.distinct) + (known.missing > 0))


def _reads(block: PlannedBlock, alias: str, name: str) -> bool:
    """Whether a query reads a column."""
    query = block.problem.query
    scalars = [*query.outputs, *query.filters, *(query.groups or ()), *query.joins]
    scalars += [query.having] if query.having else []
    return any(column.relation == alias and column.name == name for scalar in scalars for column in scalar.reads)


def _named(problem: Problem, wanted: str) -> tuple[str, str]:
    wanted_name = wanted.lower()
    found = [
        (alias, name)
        for alias, known in problem.statistics.items()
        for name in known.columns
        if wanted_name in (name.lower(), f"{alias}.{name}".lower())
    ]
    if not found:
        raise UnknownName(f"no column {wanted!r} of clusters in {', '.join(sorted(problem.statistics))}")
    if len(found) > 1:
        raise QueryError(f"{wanted!r} may be {' or '.join(f'{a}.{n}' for a, n in sorted(found))}: say which")
    return found[0]
