"""The end of a statement under way, whether it runs or its answer is being sent."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

from imputedb.service.errors import Overdue, Refusal


class Halt:
    """What a statement is ended by: somebody asks for that, or its time is up.

    Attributes:
        why: it is to end; None while it is not.
    """

    def __init__(self) -> None:
        self.why: Refusal | None = None
        self._asked = asyncio.Event()
        self._timer: asyncio.TimerHandle | None = None

    def ask(self, why: Refusal) -> None:
        """Asks it to end; the first reason counts."""
        self.why = self.why or why
        self._asked.set()

    def time(self, seconds: float | None) -> None:
        """Takes so many seconds from now on as its time; None is any time."""
        self.close()
        if seconds is not None:
            overdue = Overdue(f"the statement took longer than the {seconds:g} seconds of statement_timeout")
            self._timer = asyncio.get_running_loop().call_later(seconds, self.ask, overdue)

    def close(self) -> None:
        """Its time counts no longer."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def check(self) -> None:
        """Ends it where it is to end.

        Raises:
            Refusal: why.
        """
        if self.why is not None:
            raise self.why

    async def waiting(self, work: Coroutine[Any, Any, None]) -> None:
        """Waits for work, which is given up where the statement is to end meanwhile.

        Raises:
            Refusal: why it is.
        """
        doing: asyncio.Future[Any] = asyncio.ensure_future(work)
        asked: asyncio.Future[Any] = asyncio.ensure_future(self._asked.wait())
        try:
            await asyncio.wait({doing, asked}, return_when=asyncio.FIRST_COMPLETED)
            if doing.done():
                await doing
            self.check()
        finally:
            asked.cancel()
            doing.cancel()
