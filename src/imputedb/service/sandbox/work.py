"""The program of a worker process: `python -P -m imputedb.service.sandbox.work`.

It confines itself before anything else, opens the database for reading, and answers one statement at a time, whose rows
it holds until the next. It ends when its standard input is closed, as the end of the service does.
"""

from __future__ import annotations

import os
import queue
import signal
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from imputedb.errors import Error
from imputedb.service.sandbox.confinement import confine

if TYPE_CHECKING:
    from imputedb.database import Database
    from imputedb.result import Result
    from imputedb.sql.parse import Connection


class Changed(Exception):
    """A statement that has changed settings that the next statement would run under."""


def main() -> None:
    """Answers statements until standard input is closed."""
    stream, replies = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # so that prints of libraries are not taken for replies
    from imputedb.service.sandbox import messages

    start = messages.read(stream)
    confine([Path(start["path"]), Path(start["path"] + ".wal")], start["memory"])
    from imputedb.database import connect
    from imputedb.sql import parse

    config = {"memory_limit": f"{start['memory']}B", "threads": start["threads"], "TimeZone": "UTC"}
    way = {"locked": True} if start["locked"] else {"read_only": True}
    with connect(start["path"], **way, config=config) as db:
        messages.written(replies, {"ready": True})
        _Work(db, parse.scratch_connection(), stream, replies).run()


class _Work:
    """The state of one worker, and its operations."""

    def __init__(self, db: Database, parser: Connection, stream: BinaryIO, replies: BinaryIO) -> None:
        self._db = db
        self._stream = stream
        self._replies = replies
        self._calls: queue.SimpleQueue[Mapping[str, Any]] = queue.SimpleQueue()
        self._session: Database | None = None
        self._held: Result | None = None
        self._batches: Any = None
        self._is_spent = False
        self._parser = parser
        self._settings = self._fingerprint()

    def run(self) -> None:
        threading.Thread(target=self._read, daemon=True).start()
        from imputedb.border import ours
        from imputedb.service.sandbox import messages

        while True:
            call = self._calls.get()
            try:
                found = {"found": self._done(call["work"], call["given"], call.get("named", {}))}
            except Exception as error:
                known = ours(error)
                found = {"error": type(known).__name__, "message": str(known), "changed": isinstance(error, Changed)}
            messages.written(self._replies, found)

    def _read(self) -> None:
        """Reads messages; one kind interrupts the call under way. The end of input ends the process."""
        from imputedb.service.sandbox import messages

        try:
            while True:
                call = messages.read(self._stream)
                if call["work"] != "interrupt":
                    self._calls.put(call)
                elif (session := self._session) is not None:
                    with suppress(Error):  # the statement and its session may have ended meanwhile
                        session.interrupt()
        except BaseException:
            signal.raise_signal(signal.SIGKILL)

    def _done(self, work: str, given: tuple[Any, ...], named: dict[str, Any]) -> Any:
        if work == "batch":
            return self._batch()
        if work in _READING:
            assert self._held is not None
            return _READING[work](self, self._held, *given)
        self._held = self._batches = None
        if self._session is not None and self._is_spent:
            self._session.close()
            self._session = None
        self._session = self._session or self._db.session()
        self._is_spent = not self._is_query(given[0])
        found = _KINDS[work](self, self._session, *given, **named)
        self._check()
        return found

    def _is_query(self, text: str) -> bool:
        """Whether a statement is a query, which leaves the session as it was; after any other the session is closed."""
        from imputedb.sql import parse

        try:
            return parse.is_query(self._parser, text)
        except Error:
            return False

    def _sql(self, session: Database, text: str, parameters: Any, **wishes: Any) -> Any:
        found = self._held = session.sql(text, parameters, **wishes)
        estimates = found.estimates if found.has_estimates else None
        return (len(found), found.columns, found.types, found.report, list(found.blocks), estimates)

    def _explain(self, session: Database, *given: Any, **named: Any) -> Any:
        from imputedb.answers.as_json import plain

        return plain(session.explain(*given, **named).data())

    def _describe(self, session: Database, *given: Any, **named: Any) -> Any:
        return session.describe(*given, **named)

    def _frontier(self, session: Database, *given: Any, **named: Any) -> Any:
        from imputedb.answers.as_json import plain

        return plain([point.data() for point in session.frontier(*given, **named) or ()])

    def _first(self, rows: Result, count: int, after: int, items: Sequence[str]) -> Any:
        return rows.first(count, after, items)

    def _streamed(self, rows: Result) -> bytes:
        import pyarrow

        self._batches = pyarrow.RecordBatchReader.from_stream(rows)
        return bytes(self._batches.schema.serialize())

    def _batch(self) -> bytes | None:
        batch = next(self._batches, None)
        return None if batch is None else bytes(batch.serialize())

    def _check(self) -> None:
        """Checks that the statement has not changed settings, under which the next one would run.

        Raises:
            Changed: the settings have changed.
        """
        if self._fingerprint() != self._settings:
            raise Changed("the statement has changed a setting: it is not answered, and its worker ends")

    def _fingerprint(self) -> list[tuple[Any, ...]]:
        return self._db.execute(
            "SELECT md5(string_agg(name || '=' || value, ';' ORDER BY name)) FROM duckdb_settings()"
        )


_KINDS: Mapping[str, Callable[..., Any]] = {
    "sql": _Work._sql, "explain": _Work._explain, "describe": _Work._describe, "frontier": _Work._frontier,
}  # fmt: skip


_READING: Mapping[str, Callable[..., Any]] = {"first": _Work._first, "streamed": _Work._streamed}
"""Operations on the held rows, by name."""


if __name__ == "__main__":
    main()
