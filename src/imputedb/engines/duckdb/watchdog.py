"""Time limits on work."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import duckdb

from imputedb.border import is_interrupted
from imputedb.errors import Error, OutOfTime

_AGAIN = 0.002
"""Seconds between interruptions after the time is over, as further statements may begin."""


class Watchdog:
    """A time limit on the present work.

    Attributes:
        is_over: whether the time is over.
    """

    def __init__(self) -> None:
        self.is_over = False

    @contextmanager
    def within(self, seconds: float, interrupt: Callable[[], None] | None) -> Iterator[None]:
        """Ends a block after some seconds, and its statements too if `interrupt` is given.

        In a user's transaction it is not, since an interrupted statement aborts the transaction.

        Raises:
            OutOfTime: the time is over.
        """
        done = threading.Event()

        def watch() -> None:
            if done.wait(max(seconds, 0.0)):
                return
            self.is_over = True
            while interrupt is not None and not done.wait(_AGAIN):
                interrupt()

        thread = threading.Thread(target=watch, name="imputedb watchdog", daemon=True)
        thread.start()
        try:
            yield
        except Exception as error:
            if self.is_over and (isinstance(error, Error | duckdb.Error) or is_interrupted(error)):
                raise OutOfTime("the time of a statement is over") from error
            raise
        finally:
            done.set()
            thread.join()
            self.is_over = False

    def check(self) -> None:
        """Raises an error once the time is over.

        Raises:
            OutOfTime: the time is over.
        """
        if self.is_over:
            raise OutOfTime("the time of a statement is over")
