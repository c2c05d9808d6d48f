"""The state machine of one session of the Postgres protocol."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from imputedb.errors import Error
from imputedb.service.admission import Run
from imputedb.service.core import Answer, Core
from imputedb.service.errors import Cancelled, Refusal
from imputedb.service.postgres import extended, simple
from imputedb.service.postgres.answers import Rows
from imputedb.service.postgres.formats import FRONTEND, Malformed, decode, encode, error_response
from imputedb.service.postgres.halt import Cancellation
from imputedb.service.postgres.portals import Portals
from imputedb.service.postgres.problems import problem
from imputedb.service.postgres.questions import Questions
from imputedb.service.postgres.savepoints import Savepoints
from imputedb.service.postgres.session_values import SessionValues
from imputedb.service.postgres.settings import Settings
from imputedb.service.postgres.wire import Disconnected, Wire
from imputedb.service.request import Principal

Given = TypeVar("Given")

_SHORT = 2_000
"""Number of characters up to which a text is parsed on the event loop."""


class Failed(Refusal):
    """A command in a failed transaction, which accepts only its end."""

    state = "25P02"


class FileReplaced(Refusal):
    """A database file that was replaced during a transaction."""

    state = "40001"


class Ending(Refusal):
    """A service that is about to end."""

    state = "57P01"


class Session:
    """The session of one client after the handshake.

    Attributes:
        core: answers the statements.
        number: process number that the client is sent.
        check: raises an error where the client's credential is no longer valid.
        questions: sends statements to the core or the catalog.
        wire: connection to the client.
        principal: the client.
        settings: settings of the session.
        named: prepared statements and portals.
        savepoints: savepoints of the transaction.
        status: `I` outside transactions, `T` in one, `E` in one that has failed.
        halt: cancellation of the statement under way.
        is_ending: whether the session ends after the statement under way.
    """

    def __init__(
        self,
        core: Core,
        questions: Questions,
        wire: Wire,
        principal: Principal,
        settings: Settings,
        number: int,
        check: Callable[[], None],
    ) -> None:
        self.core = core
        self.number = number
        self.check = check
        self.questions = questions
        self.wire = wire
        self.principal = principal
        self.settings = settings
        self.named = Portals()
        self.savepoints = Savepoints()
        self.status = b"I"
        self.halt = Cancellation()
        self.is_ending = False
        self.is_idle = True
        self._stamp: object = None
        self._skips = False
        self._run: Run[Any] | None = None

    async def serve(self, seconds: float) -> None:
        """Handles messages until the client disconnects, or is idle for so many seconds.

        Raises:
            Gone: the client has disconnected.
            Malformed: a message violates the protocol.
            Unauthenticated: the credential is no longer valid.
        """
        await self.ready()
        try:
            while not self.is_ending:
                self.is_idle = True
                kind, data = await self.wire.message(seconds)
                self.is_idle = False
                if kind == b"X":
                    return
                self.check()
                await self._handle(kind, data)
            raise Ending("the service has ended")
        finally:
            self.named.close_all(held=True)

    async def _handle(self, kind: bytes, data: bytes) -> None:
        if kind not in FRONTEND or kind == b"p":
            raise Malformed(f"there is no message of type {kind!r}")
        name, fields = FRONTEND[kind]
        if self._skips and name != "sync":
            return
        self.halt = Cancellation()
        self.halt.time(self.settings.seconds)
        try:
            message = decode(fields, data)
            if name == "sync":
                await self._sync()
            elif name == "query":
                await simple.query(self, message["text"])
            elif name == "flush":
                await self.wire.flush()
            elif name == "function":
                error = Malformed("functions are called in statements only")
                error.state = "0A000"
                raise error
            elif name in extended.HANDLERS:
                await extended.HANDLERS[name](self, message)
        except Disconnected:
            raise
        except Exception as error:
            self.failed(error)
            if name in ("query", "function"):
                await self.ready()
            else:
                self._skips = True
                await self.wire.flush()  # a message that needs an answer at once may be skipped after an error
        finally:
            self.halt.close()

    def failed(self, error: Exception) -> None:
        """Sends an error, after which a transaction under way has failed."""
        self.wire.put(problem(error))
        if not isinstance(error, Error):
            self.questions.remark(error)
        if self.status == b"T":
            self.status = b"E"

    async def _sync(self) -> None:
        self._skips = False
        if self.status == b"I":
            self.named.close_all(held=False)
        await self.ready()

    async def ready(self) -> None:
        """Sends ReadyForQuery."""
        self.wire.put(encode("ready", self.status))
        await self.wire.flush()

    def send_notice(self, severity: str, message: str) -> None:
        """Sends a notice, if the client's settings show this severity."""
        if self.settings.shows(severity):
            self.wire.put(error_response("notice", severity, "01000" if severity == "WARNING" else "00000", message))

    # -- transactions -------------------------------------------------------------------------------------------------

    def begin(self) -> None:
        """Begins a transaction."""
        self.status = b"T"
        self._stamp = None
        self.settings.begin()

    def end(self, *, is_kept: bool) -> None:
        """Ends the transaction."""
        before = self.settings.reports()
        self.status = b"I"
        self.savepoints.clear()
        self.settings.end(is_kept=is_kept)
        self.report(before)
        self.named.close_all(held=False)

    def check_alive(self) -> None:
        """Refuses commands in a failed transaction.

        Raises:
            Failed: the transaction has failed.
        """
        if self.status == b"E":
            raise Failed("the transaction has failed: nothing is answered until ROLLBACK or COMMIT ends it")

    def check_same(self, answer: Answer) -> None:
        """Refuses an answer from another file than earlier answers of the transaction.

        Raises:
            Swapped: the file was replaced.
        """
        stamp = answer.lease.instance.stamp
        if self.status == b"T" and self._stamp is None:
            self._stamp = stamp
        if self.status == b"T" and stamp != self._stamp:
            answer.close()
            raise FileReplaced("the database file was replaced since the transaction began: begin a new transaction")

    def values(self) -> SessionValues:
        """The session values that the next statement may read."""
        return SessionValues(self.settings.copy(), self.number, self.core.name)

    def change(self, settings: Sequence[tuple[str, str, bool]]) -> None:
        """Applies settings that a statement has changed, and reports them to the client."""
        before = self.settings.reports()
        for name, value, local in settings:
            self.settings.set(name, value, local=local)
        self.report(before)

    def report(self, before: dict[str, str]) -> None:
        """Reports changed settings to the client."""
        for name, value in self.settings.reports().items():
            if before.get(name) != value:
                self.wire.put(encode("parameter", name, value))

    # -- work ---------------------------------------------------------------------------------------------------------

    async def ended(self, run: Run[Given]) -> Given:
        """The result of a run. The run is stopped when the client disconnects or cancels.

        Raises:
            Error: the run has failed.
            Gone: the client has disconnected.
        """
        self._run = run
        if self.halt.why is not None:
            await asyncio.to_thread(run.stop, self.halt.why)
        future: asyncio.Future[Any] = asyncio.wrap_future(run.future)
        leaving: asyncio.Future[Any] = asyncio.ensure_future(self.wire.gone.wait())
        try:
            await asyncio.wait({future, leaving}, return_when=asyncio.FIRST_COMPLETED)
            if not future.done():
                await asyncio.to_thread(run.stop, Cancelled("the caller has gone"))
            found: Given = await future
            return found
        except asyncio.CancelledError:
            run.future.add_done_callback(_let_go)
            asyncio.get_running_loop().run_in_executor(None, run.stop, Cancelled("the caller has gone"))
            raise
        finally:
            leaving.cancel()
            self._run = None

    async def apart(self, text: str, work: Callable[..., Given], *given: object) -> Given:
        """The result of `work`, computed on a thread for a long text so that the event loop stays free."""
        return work(*given) if len(text) <= _SHORT else await asyncio.to_thread(work, *given)

    async def taken(self, rows: Rows, most: int) -> list[bytes]:
        """The next rows, at most so many; further ones are read on a thread.

        Raises:
            Refusal: the statement was cancelled.
        """
        self.halt.check()
        found = rows.next(most) if rows.ahead or rows.is_over else await asyncio.to_thread(rows.next, most)
        self.halt.check()
        return found

    async def sent(self) -> None:
        """Sends waiting rows, if there are many.

        Raises:
            Refusal: the statement was cancelled before the client had received them.
        """
        if self.wire.is_full:
            await self.halt.waiting(self.wire.flush())

    def cancel(self) -> None:
        """Cancels the statement under way, if there is one."""
        self.halt.request(Cancelled("the statement was cancelled"))
        run = self._run
        if run is not None:
            asyncio.get_running_loop().run_in_executor(None, run.stop, self.halt.why)


def _let_go(future: Any) -> None:
    """Closes an answer that came after its caller had disconnected."""
    if not future.cancelled() and future.exception() is None and isinstance(future.result(), Answer):
        future.result().close()
