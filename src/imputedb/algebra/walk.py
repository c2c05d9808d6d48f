"""Traversal of plans: inputs, order, and rebuilding from the bottom up."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import assert_never

from imputedb.algebra.column import NO_COLUMNS, Columns
from imputedb.algebra.relation import (
    Aggregate,
    Drop,
    Filter,
    Impute,
    Join,
    Limit,
    Project,
    Relation,
    Scan,
    Sort,
    Staged,
)
from imputedb.algebra.scalar import Scalar


def inputs(relation: Relation) -> tuple[Relation, ...]:
    """The relations that an operator reads, left to right."""
    match relation:
        case Scan() | Staged():
            return ()
        case Join(left, right):
            return (left, right)
        case Filter() | Impute() | Drop() | Aggregate() | Project() | Sort() | Limit():
            return (relation.input,)
        case _:
            assert_never(relation)


def bottom_up(relation: Relation) -> Iterator[Relation]:
    """All operators of a plan, each after its inputs."""
    for below in inputs(relation):
        yield from bottom_up(below)
    yield relation


def rebuild(relation: Relation, change: Callable[[Relation], Relation]) -> Relation:
    """The plan with each operator replaced by `change`, from the bottom up."""
    match relation:
        case Scan() | Staged():
            return change(relation)
        case Join(left, right):
            return change(replace(relation, left=rebuild(left, change), right=rebuild(right, change)))
        case Filter() | Impute() | Drop() | Aggregate() | Project() | Sort() | Limit():
            return change(replace(relation, input=rebuild(relation.input, change)))
        case _:
            assert_never(relation)


def scans(relation: Relation) -> Iterator[Scan]:
    """The scans of a plan, left to right."""
    return (node for node in bottom_up(relation) if isinstance(node, Scan))


def columns_read(relation: Relation) -> Columns:
    """The columns that an operator itself reads, besides those that it passes on."""
    match relation:
        case Scan() | Staged() | Limit():
            return NO_COLUMNS
        case Join(_, _, predicates) | Filter(_, predicates):
            return _read_by(predicates)
        case Impute(_, columns) | Drop(_, columns):
            return columns
        case Aggregate(_, groups, aggregates, having):
            return _read_by([*groups, *aggregates, *([having] if having else [])])
        case Project(_, outputs, qualify):
            return _read_by([*outputs, *([qualify] if qualify else [])])
        case Sort(_, keys):
            return _read_by([key.scalar for key in keys])
        case _:
            assert_never(relation)


def _read_by(scalars: Sequence[Scalar]) -> Columns:
    return NO_COLUMNS.union(*(scalar.reads for scalar in scalars))


def aliases(relation: Relation) -> frozenset[str]:
    """The aliases of the tables in a relation."""
    match relation:
        case Scan(alias=alias):
            return frozenset((alias,))
        case Staged(origin=origin):
            return aliases(origin)
        case _:
            return frozenset().union(*(aliases(below) for below in inputs(relation)))
