"""Running statements so that Ctrl-C stops them."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager
from typing import TypeVar

import duckdb

Fetched = TypeVar("Fetched")


@contextmanager
def interruptible() -> Iterator[None]:
    """Ctrl-C in a statement that DuckDB runs on the main thread, which it calls an error, as KeyboardInterrupt."""
    try:
        yield
    except RuntimeError as error:
        if str(error) != "Query interrupted":
            raise
        raise KeyboardInterrupt from error


class Runner:
    """Runs the statements of one connection on a thread of its own."""

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self._connection = connection
        self._thread = ThreadPoolExecutor(1, "imputedb")

    def run(self, text: str, fetch: Callable[[duckdb.DuckDBPyConnection], Fetched]) -> Fetched:
        """What is fetched of a statement's rows.

        DuckDB looks for signals between tasks, and the thread that would look may be in the middle of an endless one.
        So the main thread waits, and another one runs.
        """
        if threading.current_thread() is not threading.main_thread():
            return fetch(self._connection.execute(text))
        running = self._thread.submit(lambda: fetch(self._connection.execute(text)))
        try:
            return running.result()
        except KeyboardInterrupt:
            while not running.done():
                self._connection.interrupt()
                wait([running], timeout=0.02)
            raise

    def close(self) -> None:
        """Lets go of the thread."""
        self._thread.shutdown()
