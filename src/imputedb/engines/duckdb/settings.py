"""Settings that statements of ours rest on: how deep expressions may be, and the order of rows."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import duckdb

from imputedb.engines.duckdb.bound import SETTING, Bound
from imputedb.engines.duckdb.session import Session
from imputedb.errors import QueryError
from imputedb.sql import ast as t
from imputedb.sql import deep
from imputedb.sql.ast import Tree
from imputedb.sql.expression import alias_written, arguments_of, function_of, is_call, text_of
from imputedb.sql.select import is_select
from imputedb.sql.titles import Titles, titled

_USUAL, _DEEPEST = 1000, 3000
"""Levels that expressions of ours may have: DuckDB's default, and of long queries, each of whose may become three."""

SHARE = 0.25
"""Share of `memory_limit` that rows which an imputer is handed may take beside it."""


@contextmanager
def own_statements(session: Session, text: str = "") -> Iterator[None]:
    """Statements of ours, for a text if it is long: they are deeper than the queries that users bound."""
    with session.lock:
        bound = _bound(session)
        enough = _DEEPEST if len(text) > deep.LONG else _USUAL
        if bound.depth >= enough or _is_locked(session):  # to try would end a transaction
            yield
            return
        session.bounds.append(bound)
        try:
            session.bounded_by(Bound(enough, is_own=True))
            yield
        finally:
            session.bounds.pop()
            if not session.bounds:
                session.owed = bound  # a signal, or a transaction that was aborted, may keep it from being set
            session.bounded_by(bound)


def _bound(session: Session) -> Bound:
    """How deep expressions may be, remembered until a setting may have changed."""
    if session.owed:
        session.bounded_by(session.owed)
    state = session.state(())
    if session.depth is None or session.depth[0] != state:
        session.depth = (state, _queried_bound(session))
    return session.depth[1]


def _queried_bound(session: Session) -> Bound:
    """The bound as the session has it; where the query itself is too deep, as its error message has it."""
    try:
        depth = int(session.rows(f"SELECT current_setting('{SETTING}')")[0][0])
        usual = depth == _USUAL or session.rows(f"SELECT scope FROM duckdb_settings() WHERE name = '{SETTING}'")
        return Bound(depth, is_own=usual == [("LOCAL",)])
    except duckdb.BinderException as error:
        found = re.search(r"depth limit of (\d+)", str(error))
        return Bound(int(found[1]) if found else _USUAL, is_own=True)


def _is_locked(session: Session) -> bool:
    """Whether settings cannot be changed; where the question is too deep, that is to be tried."""
    try:
        return bool(session.rows("SELECT current_setting('lock_configuration')")[0][0])
    except duckdb.BinderException:
        return False


def as_set(session: Session, tree: Any, titles: Titles) -> Any:
    """A statement in which the setting that is ours meanwhile has the value that the user has given it."""
    if not any(map(_reads_depth_limit, t.expressions(tree))):
        return tree
    depth = (session.bounds or [_bound(session)])[0].depth

    def change(part: Any) -> Any:
        if isinstance(part, list):
            return [change(one) for one in part]
        if not isinstance(part, dict):
            return part
        if is_select(part):
            part = titled(part, lambda item: any(map(_reads_depth_limit, t.expressions(item))), titles)
        if _reads_depth_limit(part):
            return t.named(t.cast(t.number(depth), t.plain_type("UBIGINT")), alias_written(part))
        return {key: change(below) if isinstance(below, (dict, list)) else below for key, below in part.items()}

    return change(tree)


def _reads_depth_limit(part: Tree) -> bool:
    """Whether an expression reads the setting of the greatest depth."""
    if not is_call(part) or function_of(part) != "current_setting":
        return False
    return [text_of(one).lower() for one in arguments_of(part)] == [SETTING]


def room(session: Session) -> float:
    """Bytes of rows that an imputer may be handed at once: a quarter of what DuckDB itself may take."""
    ((limit,),) = session.rows("SELECT parse_formatted_bytes(current_setting('memory_limit'))")
    return float(limit) * SHARE


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
