"""Settings on which imputedb's own statements depend: the depth of expressions, and the order of rows."""

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
"""Limits on the depth of imputedb's expressions: DuckDB's default, and one for long queries, which may triple."""

SHARE = 0.25
"""Share of `memory_limit` that rows given to an imputer may take in addition."""


@contextmanager
def own_statements(session: Session, text: str = "") -> Iterator[None]:
    """A block of imputedb's own statements, which may nest deeper than the user's; `text` is one, if long."""
    with session.lock:
        bound = _bound(session)
        enough = _DEEPEST if len(text) > deep.LONG else _USUAL
        if bound.depth >= enough or _is_locked(session):  # an attempt would end a transaction
            yield
            return
        session.bounds.append(bound)
        try:
            session.set_depth(Bound(enough, is_own=True))
            yield
        finally:
            session.bounds.pop()
            if not session.bounds:
                session.unrestored_bound = bound  # a signal or an aborted transaction may prevent setting it
            session.set_depth(bound)


def _bound(session: Session) -> Bound:
    """The limit on the depth of expressions, cached until a setting may have changed."""
    if session.unrestored_bound:
        session.set_depth(session.unrestored_bound)
    state = session.state(())
    if session.depth is None or session.depth[0] != state:
        session.depth = (state, _queried_bound(session))
    return session.depth[1]


def _queried_bound(session: Session) -> Bound:
    """The session's limit; taken from the error message where the query for it is too deep itself."""
    try:
        depth = int(session.rows(f"SELECT current_setting('{SETTING}')")[0][0])
        usual = depth == _USUAL or session.rows(f"SELECT scope FROM duckdb_settings() WHERE name = '{SETTING}'")
        return Bound(depth, is_own=usual == [("LOCAL",)])
    except duckdb.BinderException as error:
        found = re.search(r"depth limit of (\d+)", str(error))
        return Bound(int(found[1]) if found else _USUAL, is_own=True)


def _is_locked(session: Session) -> bool:
    """Whether settings are locked; False where the query for it is too deep itself."""
    try:
        return bool(session.rows("SELECT current_setting('lock_configuration')")[0][0])
    except duckdb.BinderException:
        return False


def as_set(session: Session, tree: Any, titles: Titles) -> Any:
    """A statement that reads the user's limit on depth, in place of the one that imputedb has set."""
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
    """Whether an expression reads the setting for the depth of expressions."""
    if not is_call(part) or function_of(part) != "current_setting":
        return False
    return [text_of(one).lower() for one in arguments_of(part)] == [SETTING]


def room(session: Session) -> float:
    """Bytes of rows that may be given to an imputer at once: a quarter of DuckDB's memory limit."""
    ((limit,),) = session.rows("SELECT parse_formatted_bytes(current_setting('memory_limit'))")
    return float(limit) * SHARE


def check_order(session: Session) -> None:
    """Raises an error where tables return their rows in a different order each time.

    Raises:
        QueryError: the setting `preserve_insertion_order` is false.
    """
    if not session.rows("SELECT current_setting('preserve_insertion_order')")[0][0]:
        raise QueryError(
            "preserve_insertion_order is false: rows come in another order each time, and values would go to other "
            "rows than their own; SET preserve_insertion_order = true"
        )
