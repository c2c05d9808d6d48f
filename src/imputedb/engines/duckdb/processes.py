"""Handling of connections when their process ends or is forked."""

import atexit
import os
import weakref
from contextlib import suppress
from typing import Protocol

import duckdb


class _Connected(Protocol):
    connection: duckdb.DuckDBPyConnection

    @property
    def is_own(self) -> bool: ...


_SESSIONS: "weakref.WeakSet[_Connected]" = weakref.WeakSet()


def close_at_exit(session: _Connected) -> None:
    """Registers a session, so that its connection is closed when the process ends."""
    _SESSIONS.add(session)


def _keep_alive() -> None:
    """Keeps connections alive in a forked process, where they exist without their threads.

    Freeing them there would kill the process, or write what only the parent may write.
    """
    import ctypes

    for session in _SESSIONS:
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(session.connection))


def _close_quietly() -> None:
    for session in list(_SESSIONS):
        if session.is_own:
            with suppress(duckdb.Error):
                session.connection.close()


atexit.register(_close_quietly)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_keep_alive)
