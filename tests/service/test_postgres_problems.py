"""Errors of ours by their SQLSTATE, each kind by its own."""

import pytest

from imputedb.errors import (
    Busy,
    CannotImpute,
    DataError,
    Error,
    InternalError,
    QueryError,
    SqlSyntaxError,
    StorageError,
    UnknownName,
    Unplanned,
)
from imputedb.service.postgres.problems import state_of


@pytest.mark.parametrize(
    ("error", "state"),
    [
        (SqlSyntaxError("a"), "42601"),
        (UnknownName("no table t"), "42P01"),
        (UnknownName("no column x"), "42703"),
        (Unplanned("a"), "0A000"),
        (CannotImpute("a"), "22004"),
        (StorageError("the disk is full"), "58030"),
        (Busy("in use"), "58030"),
        (DataError("a"), "22000"),
        (QueryError("Division by zero"), "22012"),
        (QueryError("a"), "42000"),
        (InternalError("a"), "XX000"),
    ],
)
def test_each_kind_has_its_state(error: Error, state: str) -> None:
    assert state_of(error) == state
