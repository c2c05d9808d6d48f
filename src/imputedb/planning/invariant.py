"""The invariant of plans: no operator examines a column that may still be missing."""

from collections.abc import Callable
from typing import assert_never

from imputedb.algebra.column import NO_COLUMNS, Columns, listed
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
from imputedb.algebra.render import label
from imputedb.algebra.walk import columns_read
from imputedb.errors import InternalError

DirtyOf = Callable[[Scan], Columns]


def check(relation: Relation, dirty_of: DirtyOf) -> Columns:
    """The columns of a relation's output that may be missing.

    Raises:
        InternalError: an operator examines a column that may be missing; the message names both.
    """
    match relation:
        case Scan():
            return dirty_of(relation)
        case Staged(origin=origin):
            return check(origin, dirty_of)
        case Drop(below, columns) | Impute(below, columns):
            return check(below, dirty_of) - columns
        case Join(left, right):
            return _examined(relation, check(left, dirty_of) | check(right, dirty_of))
        case Filter(below):
            return _examined(relation, check(below, dirty_of))
        case Aggregate(below):
            _examined(relation, check(below, dirty_of))
            return NO_COLUMNS
        case Project(below) | Sort(below) | Limit(below):
            return _examined(relation, check(below, dirty_of))
        case _:
            assert_never(relation)


def examined(relation: Relation) -> Columns:
    """The columns whose completed values an operator examines."""
    if isinstance(relation, Impute | Drop):
        return NO_COLUMNS
    return frozenset(column for column in columns_read(relation) if not column.stored)


def _examined(relation: Relation, dirty: Columns) -> Columns:
    broken = examined(relation) & dirty
    if broken:
        raise InternalError(f"{label(relation)} examines {listed(broken)}, which may be missing there")
    return dirty
