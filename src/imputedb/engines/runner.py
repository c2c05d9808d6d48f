"""Running statements so that Ctrl-C stops them."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from types import TracebackType
from typing import TypeVar

import duckdb

from imputedb.errors import DataError, Error, StorageError
from imputedb.sql import parse

Fetched = TypeVar("Fetched")


def is_interrupted(error: BaseException | None) -> bool:
    """Whether an error is DuckDB's word for a Ctrl-C that it met in a statement on the main thread."""
    return isinstance(error, RuntimeError) and str(error) == "Query interrupted"


class Turns:
    """A lock that threads take turns by, as often as they like.

    A Ctrl-C comes out of it as what it is, and what DuckDB raises as an error of ours when the turn is over.
    """

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._depth = 0

    def __enter__(self) -> None:
        self._lock.acquire()
        self._depth += 1

    def __exit__(self, _: type[BaseException] | None, error: BaseException | None, __: TracebackType | None) -> None:
        self._depth -= 1
        over = self._depth == 0
        self._lock.release()
        if is_interrupted(error):
            raise KeyboardInterrupt from error
        if over and isinstance(error, duckdb.Error):
            raise ours(error) from error


def ours(error: duckdb.Error) -> Error:
    """DuckDB's error as one of ours: what cannot be read or written, what memory cannot hold, or a refusal."""
    reason = (str(error).partition(": ")[2] or str(error)).partition("\n")[0]
    match error:
        case duckdb.ConnectionException():
            return StorageError("the database is closed")
        case duckdb.OutOfMemoryException():
            return DataError(f"out of memory: {reason}")
        case duckdb.IOException() | duckdb.FatalException() | duckdb.InternalException():
            return StorageError(reason)
        case _:
            return parse.translated(error)


class Runner:
    """Runs the statements of one connection on a thread of its own."""

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self._connection = connection
        self._thread = ThreadPoolExecutor(1, "imputedb")
        self._closed = False

    def run(self, text: str, fetch: Callable[[duckdb.DuckDBPyConnection], Fetched]) -> Fetched:
        """What is fetched of a statement's rows."""
        return self.do(lambda connection: fetch(connection.execute(text)))

    def do(self, work: Callable[[duckdb.DuckDBPyConnection], Fetched]) -> Fetched:
        """What some work on the connection gives.

        DuckDB looks for signals between tasks, and the thread that would look may be in the middle of an endless one.
        So the main thread waits, and another one runs.
        """
        if self._closed:
            raise StorageError("the database is closed: read results before closing it")
        if threading.current_thread() is not threading.main_thread():
            return work(self._connection)
        running = self._thread.submit(work, self._connection)
        try:
            return running.result()
        except KeyboardInterrupt:
            while not running.done():
                self._connection.interrupt()
                wait([running], timeout=0.02)
            raise

    def close(self) -> None:
        """Lets go of the thread."""
        self._closed = True
        self._thread.shutdown()
