"""The transactions of one connection: the user's, and imputedb's own."""

import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import duckdb

_SETTINGS = ("set", "reset", "use", "pragma", "load", "explain", "execute")
"""First words of statements after which texts may mean something else than in other sessions."""

_TEMPORARY = re.compile(r"\b(temp|temporary)\s+(macro|function|type|view)\b", re.IGNORECASE)

_TRANSACTIONS = ("begin", "start", "commit", "end", "rollback", "abort")
"""First words of statements about transactions."""


class Transactions:
    """The state of transactions on one connection.

    Attributes:
        is_users: whether the user has a transaction open.
        has_set: whether texts may mean something else here than on other connections.
    """

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self.is_users = False
        self.has_set = False
        self._connection = connection
        self._is_own = self._is_due = False

    @contextmanager
    def own(self, *, lazily: bool = False) -> Iterator[None]:
        """A transaction of imputedb's own, unless one is open; its changes are undone if the block fails.

        A lazy one begins only when it is started.
        """
        began = self._begin(lazily)
        try:
            yield
        except BaseException:
            if began and self._ended():
                with suppress(duckdb.Error):
                    self._connection.execute("ROLLBACK")
            raise
        if began and self._ended():
            self._connection.execute("COMMIT")

    def _begin(self, lazily: bool) -> bool:
        if self.is_users or self._is_own:
            return False
        self._is_own = self._is_due = True
        if not lazily:
            self.start()
        return True

    @property
    def is_any(self) -> bool:
        """Whether one is open, the user's or ours, or is due."""
        return self.is_users or self._is_own

    def start(self) -> None:
        """Begins a lazy transaction that is due."""
        if self._is_due:
            self._is_due = False
            self._connection.execute("BEGIN")

    def _ended(self) -> bool:
        """Whether a transaction of imputedb's own has to be ended; resets its state."""
        started = self._is_own and not self._is_due
        self._is_own = self._is_due = False
        return started

    def end_own(self) -> None:
        """Rolls back imputedb's own transaction that a call has left; the user's stays open."""
        if not self.is_users:
            self._is_own = self._is_due = False
            with suppress(duckdb.Error):
                self._connection.execute("ROLLBACK")

    def record(self, verb: str, text: str) -> None:
        """Records what a statement of the user's, given its first word, has begun, ended or set."""
        if verb in _TRANSACTIONS:
            self.is_users = verb in ("begin", "start")
        if verb == "explain":  # EXPLAIN ANALYZE runs what it explains
            self.is_users = self._is_open()
        if verb in _SETTINGS or (verb == "create" and _TEMPORARY.search(text)):
            self.has_set = True

    def record_failure(self, verb: str) -> bool:
        """Records the failure of a statement about transactions; returns whether a COMMIT was rolled back."""
        if verb not in _TRANSACTIONS:
            return False
        before, self.is_users = self.is_users, self._is_open()
        return before and not self.is_users

    def _is_open(self) -> bool:
        """Whether two statements share a transaction; trying BEGIN instead would abort it."""
        try:
            first, second = (self._connection.execute("SELECT txid_current()").fetchall() for _ in range(2))
        except duckdb.TransactionException:  # it was aborted
            return True
        return first == second

    def is_sound(self) -> bool:
        """Whether statements can run; in an aborted transaction none can, and COMMIT rolls it back."""
        try:
            self._connection.execute("SELECT 1").fetchall()
        except duckdb.TransactionException:
            return False
        return True
