"""The cancellation of a statement, while it runs or while its answer is sent."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

from imputedb.service.errors import Overdue, Refusal


class Cancellation:
    """The cancellation of one statement, by a cancel request or a timeout.

    Attributes:
        why: reason of the cancellation; None until there is one.
    """

    def __init__(self) -> None:
        self.why: Refusal | None = None
        self._halted = asyncio.Event()
        self._timer: asyncio.TimerHandle | None = None

    def request(self, why: Refusal) -> None:
        """Cancels the statement; the first reason counts."""
        self.why = self.why or why
        self._halted.set()

    def time(self, seconds: float | None) -> None:
        """Starts the statement's timeout; None is no timeout."""
        self.close()
        if seconds is not None:
            overdue = Overdue(f"the statement took longer than the {seconds:g} seconds of statement_timeout")
            self._timer = asyncio.get_running_loop().call_later(seconds, self.request, overdue)

    def close(self) -> None:
        """Stops the timeout."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def check(self) -> None:
        """Raises an error where the statement was cancelled.

        Raises:
            Refusal: the reason of the cancellation.
        """
        if self.why is not None:
            raise self.why

    async def waiting(self, work: Coroutine[Any, Any, None]) -> None:
        """Waits for work, which is cancelled together with the statement.

        Raises:
            Refusal: the reason of the cancellation.
        """
        doing: asyncio.Future[Any] = asyncio.ensure_future(work)
        ending: asyncio.Future[Any] = asyncio.ensure_future(self._halted.wait())
        try:
            await asyncio.wait({doing, ending}, return_when=asyncio.FIRST_COMPLETED)
            if doing.done():
                await doing
            self.check()
        finally:
            ending.cancel()
            doing.cancel()
