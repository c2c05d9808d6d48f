"""A web server in its own process, with callbacks at its start and at its end."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

import uvicorn


def _nothing() -> None:
    return None


class Server(uvicorn.Server):
    """uvicorn's server with callbacks at its start and end, and without a traceback on Ctrl-C.

    Args:
        config: application and address.
        ready: called once connections are accepted.
        ending: called on a signal, before connections are closed.
    """

    def __init__(
        self, config: uvicorn.Config, ready: Callable[[], object], ending: Callable[[], object] = _nothing
    ) -> None:
        super().__init__(config)
        self._ready = ready
        self._ending = ending

    async def startup(self, sockets: Any = None) -> None:
        """Starts to listen."""
        await super().startup(sockets)
        if self.started:
            self._ready()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Handles the signals that end the server; uvicorn would raise them again at the end."""
        signals = (signal.SIGINT, signal.SIGTERM)
        before = [signal.signal(one, self.handle_exit) for one in signals]
        try:
            yield
        finally:
            for one, handler in zip(signals, before, strict=True):
                signal.signal(one, handler)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Begins the shutdown; requests under way may finish."""
        self._ending()
        super().handle_exit(sig, frame)
