"""Work that is ended once its time is over."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import duckdb

from imputedb.border import is_interrupted
from imputedb.errors import Error, OutOfTime

_AGAIN = 0.002
"""Seconds after which a statement is ended that began after the last one was."""


class Watchdog:
    """Ends work whose time is over.

    Attributes:
        barks: whether the time of the work that is under way is over.
    """

    def __init__(self) -> None:
        self.barks = False

    @contextmanager
    def within(self, seconds: float, interrupt: Callable[[], None] | None) -> Iterator[None]:
        """Ends what the block does once so many seconds are over, its statements too if they may be interrupted.

        They may not in a transaction of the user's: a statement that is interrupted aborts it.

        Raises:
            OutOfTime: they are over.
        """
        done = threading.Event()

        def watch() -> None:
            if done.wait(max(seconds, 0.0)):
                return
            self.barks = True
            while interrupt is not None and not done.wait(_AGAIN):
                interrupt()

        thread = threading.Thread(target=watch, name="imputedb watchdog", daemon=True)
        thread.start()
        try:
            yield
        except Exception as error:
            if self.barks and (isinstance(error, Error | duckdb.Error) or is_interrupted(error)):
                raise OutOfTime("the time of a statement is over") from error
            raise
        finally:
            done.set()
            thread.join()
            self.barks = False

    def check(self) -> None:
        """Raises where the time is over.

        Raises:
            OutOfTime: it is.
        """
        if self.barks:
            raise OutOfTime("the time of a statement is over")
