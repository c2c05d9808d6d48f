"""Settings that statements of ours rest on: how deep expressions may be, and the order of rows."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

import duckdb

from imputedb.engines.duckdb.session import Session
from imputedb.errors import QueryError
from imputedb.sql import deep

_USUAL, _DEEPEST = 1000, 3000
"""Levels that expressions of ours may have: DuckDB's default, and of long queries, each of whose may become three."""


@contextmanager
def own_statements(session: Session, text: str = "") -> Iterator[None]:
    """Statements of ours, for a text if it is long: they are deeper than the queries that users bound."""
    with session.lock:
        bound = _bound(session)
        enough = _DEEPEST if len(text) > deep.LONG else _USUAL
        if bound >= enough or not _bounded_by(session, enough):
            yield
            return
        try:
            yield
        finally:
            _bounded_by(session, bound)


def _bound(session: Session) -> int:
    """How deep expressions may be, remembered until a setting may have changed."""
    state = session.state(())
    if session.depth is None or session.depth[0] != state:
        session.depth = (state, _asked_bound(session))
    return session.depth[1]


def _asked_bound(session: Session) -> int:
    """The same, asked; where the question is too deep itself, its refusal says so."""
    try:
        return int(session.rows("SELECT current_setting('max_expression_depth')")[0][0])
    except duckdb.BinderException as error:
        found = re.search(r"depth limit of (\d+)", str(error))
        return int(found[1]) if found else _USUAL


def _is_locked(session: Session) -> bool:
    """Whether settings cannot be changed; where the question is too deep, that is to be tried."""
    try:
        return bool(session.rows("SELECT current_setting('lock_configuration')")[0][0])
    except duckdb.BinderException:
        return False


def _bounded_by(session: Session, depth: int) -> bool:
    """Sets how deep expressions may be; whether that is allowed."""
    if _is_locked(session):  # to try would end a transaction
        return False
    try:
        session.rows(f"SET max_expression_depth = {depth}")
    except duckdb.Error:
        return False
    session.depth = (session.state(()), depth)
    return True


def check_order(session: Session) -> None:
    """Refuses to read tables whose rows come in an order that is not the same each time.

    Raises:
        QueryError: a setting has it so.
    """
    if not session.rows("SELECT current_setting('preserve_insertion_order')")[0][0]:
        raise QueryError(
            "preserve_insertion_order is false: rows come in another order each time, and values would go to other "
            "rows than their own; SET preserve_insertion_order = true"
        )
