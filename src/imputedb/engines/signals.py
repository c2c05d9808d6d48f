"""Signals, such as Ctrl-C, during a call: deferred where they would leave work half done."""

import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

_NAMES = ("SIGINT", "SIGTERM", "SIGHUP", "SIGALRM", "SIGUSR1", "SIGUSR2", "SIGVTALRM", "SIGPROF")
_KINDS = tuple(getattr(signal, name) for name in _NAMES if hasattr(signal, name))


class Signals:
    """The signal handlers of the process during a call on the main thread.

    Python runs a handler between any two steps of a program, and a handler may raise, as Python's own does for Ctrl-C.
    Signals are deferred while `shut` is true. After the first exception that a handler raises, all further signals are
    deferred until the call is over, so that cleaning up is not interrupted itself.

    Attributes:
        deferred: whether signals are deferred.
        raised: the exception that a handler has raised during this call.
        over: whether the call is over, except for cleaning up.
    """

    def __init__(self) -> None:
        self.deferred = True
        self.raised: BaseException | None = None
        self.over = False
        self._before: dict[int, Any] = {}
        self._waiting: list[tuple[int, FrameType | None]] = []
        self._ended_by: int | None = None

    def install(self) -> None:
        """Replaces every handler that is a Python function; signals are deferred."""
        self.deferred, self.over, self.raised, self._ended_by = True, False, None, None
        for number in _KINDS:
            before = signal.getsignal(number)
            if callable(before) and before != self._handler:
                self._before[number] = before
                signal.signal(number, self._handler)

    def uninstall(self) -> None:
        """Restores the handlers, Ctrl-C's last, and delivers deferred signals to them.

        Handlers that others have replaced meanwhile stay. A signal of the kind that has ended the call is not delivered
        again.
        """
        self.deferred = True
        for number in reversed(_KINDS):
            if number in self._before and signal.getsignal(number) == self._handler:
                signal.signal(number, self._before[number])
        waiting, self._waiting = self._waiting, []
        before, self._before = self._before, {}
        for number, frame in waiting:
            if number != self._ended_by:
                before[number](number, frame)

    @contextmanager
    def deferring(self) -> Iterator[None]:
        """Defers signals until a block is over."""
        before, self.deferred = self.deferred, True
        try:
            yield
        finally:
            self.deferred = before or self.raised is not None
        if not self.deferred:
            self.deliver()

    def deliver(self) -> None:
        """Delivers deferred signals to the handlers, which may raise."""
        while self._waiting and self.raised is None:
            self._deliver(*self._waiting.pop(0))

    def raise_again(self) -> None:
        """Raises a handler's exception again if it was lost: Python ignores those raised while an object is freed."""
        if self.raised is None or self.over:
            return
        error = sys.exc_info()[1]
        while error is not None and error is not self.raised:
            error = error.__context__
        if error is None:
            raise self.raised

    def _handler(self, number: int, frame: FrameType | None) -> None:
        if self.deferred:
            self._waiting.append((number, frame))
        else:
            self._deliver(number, frame)

    def _deliver(self, number: int, frame: FrameType | None) -> None:
        before, self.deferred = self.deferred, True
        try:
            self._before[number](number, frame)
        except BaseException as error:
            self.raised, self._ended_by = error, number
            raise
        self.deferred = before


def is_main() -> bool:
    """Whether this is the main thread, which receives signals."""
    return threading.current_thread() is threading.main_thread()
