"""Signals, such as Ctrl-C, that come in the middle of a call: held back where they would leave something half done."""

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
    """The signal handlers of the process while a call is on the main thread.

    Python runs a handler between any two steps, and a handler may raise: Python's own does for Ctrl-C. While signals
    are shut out they wait. The first exception that a handler raises shuts out all others until the call is over, so
    that what tidies up is not interrupted itself.

    Attributes:
        shut: whether signals have to wait.
        raised: what a handler has raised during this call.
        over: whether the call is over, but for tidying up.
    """

    def __init__(self) -> None:
        self.shut = True
        self.raised: BaseException | None = None
        self.over = False
        self._before: dict[int, Any] = {}
        self._waiting: list[tuple[int, FrameType | None]] = []
        self._ended_by: int | None = None

    def take(self) -> None:
        """Puts itself before every handler that is a function of Python's, signals shut out."""
        self.shut, self.over, self.raised, self._ended_by = True, False, None, None
        for number in _KINDS:
            before = signal.getsignal(number)
            if callable(before) and before != self._came:
                self._before[number] = before
                signal.signal(number, self._came)

    def give_back(self) -> None:
        """Puts the handlers back, Ctrl-C's last, but for those that were replaced meanwhile; they are told what waits.

        Of a kind of signal that has ended the call nothing more is told.
        """
        self.shut = True
        for number in reversed(_KINDS):
            if number in self._before and signal.getsignal(number) == self._came:
                signal.signal(number, self._before[number])
        waiting, self._waiting = self._waiting, []
        before, self._before = self._before, {}
        for number, frame in waiting:
            if number != self._ended_by:
                before[number](number, frame)

    @contextmanager
    def held(self) -> Iterator[None]:
        """Signals wait until a block is over."""
        before, self.shut = self.shut, True
        try:
            yield
        finally:
            self.shut = before or self.raised is not None
        if not self.shut:
            self.deliver()

    def deliver(self) -> None:
        """Tells the handlers what waits; they may raise."""
        while self._waiting and self.raised is None:
            self._deliver(*self._waiting.pop(0))

    def raise_again(self) -> None:
        """Raises what a handler has raised, if it was lost: Python ignores what is raised while it frees an object."""
        if self.raised is None or self.over:
            return
        error = sys.exc_info()[1]
        while error is not None and error is not self.raised:
            error = error.__context__
        if error is None:
            raise self.raised

    def _came(self, number: int, frame: FrameType | None) -> None:
        if self.shut:
            self._waiting.append((number, frame))
        else:
            self._deliver(number, frame)

    def _deliver(self, number: int, frame: FrameType | None) -> None:
        before, self.shut = self.shut, True
        try:
            self._before[number](number, frame)
        except BaseException as error:
            self.raised, self._ended_by = error, number
            raise
        self.shut = before


def is_main() -> bool:
    """Whether this is the thread that signals come to."""
    return threading.current_thread() is threading.main_thread()
