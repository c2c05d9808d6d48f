"""The state machine of one session: messages in, messages out."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, TypeVar

from imputedb.errors import Error
from imputedb.service.admission import Run
from imputedb.service.core import Answer, Core
from imputedb.service.errors import Cancelled, Refusal
from imputedb.service.postgres import extended, simple
from imputedb.service.postgres.answers import Rows
from imputedb.service.postgres.formats import FRONTEND, Malformed, complaint, decode, encode
from imputedb.service.postgres.halt import Halt
from imputedb.service.postgres.portals import Named
from imputedb.service.postgres.problems import problem
from imputedb.service.postgres.questions import Questions
from imputedb.service.postgres.savepoints import Savepoints
from imputedb.service.postgres.settings import Settings, Unknown
from imputedb.service.postgres.wire import Gone, Wire
from imputedb.service.request import Principal

Given = TypeVar("Given")

_SHORT = 2_000
"""Characters of a text that is read within the loop."""


class Failed(Refusal):
    """Nothing is answered in a transaction that has failed, until it ends."""

    state = "25P02"


class Swapped(Refusal):
    """The database was replaced within a transaction."""

    state = "40001"


class Ending(Refusal):
    """The service is about to end."""

    state = "57P01"


class Session:
    """One client, from the end of the handshake on.

    Attributes:
        core: that answers.
        number: of the session, as clients are told it.
        check: refuses a client whose credential holds no longer.
        questions: how a statement is put to the core.
        wire: to the client.
        principal: who asks.
        settings: of the session.
        named: prepared statements and portals.
        savepoints: of the transaction.
        status: `I` outside of transactions, `T` in one, `E` in one that has failed.
        halt: of the statement under way.
        is_ending: whether it is to end after the statement under way.
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
        self.named = Named()
        self.savepoints = Savepoints()
        self.status = b"I"
        self.halt = Halt()
        self.is_ending = False
        self.is_idle = True
        self._stamp: object = None
        self._skips = False
        self._run: Run[Any] | None = None

    async def serve(self, seconds: float) -> None:
        """Answers messages until the client ends, or asks nothing for so many seconds.

        Raises:
            Gone: the client has gone.
            Malformed: what it sends is none of the protocol's.
            Unauthenticated: its credential holds no longer.
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
            raise Malformed(f"no message begins with {kind!r}")
        name, fields = FRONTEND[kind]
        if self._skips and name != "sync":
            return
        self.halt = Halt()
        self.halt.time(self.settings.seconds)
        try:
            told = decode(fields, data)
            if name == "sync":
                await self._sync()
            elif name == "query":
                await simple.query(self, told["text"])
            elif name == "flush":
                await self.wire.flush()
            elif name == "function":
                error = Malformed("functions are called in statements only")
                error.state = "0A000"
                raise error
            elif name in extended.HANDLERS:
                await extended.HANDLERS[name](self, told)
        except Gone:
            raise
        except Exception as error:
            self.failed(error)
            if name in ("query", "function"):
                await self.ready()
            else:
                self._skips = True
                await self.wire.flush()  # what wants an answer at once may be passed over
        finally:
            self.halt.close()

    def failed(self, error: Exception) -> None:
        """Tells of an error, which a transaction under way does not survive."""
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
        """Tells that the next message is waited for."""
        self.wire.put(encode("ready", self.status))
        await self.wire.flush()

    def tell(self, severity: str, said: str) -> None:
        """A notice, where the client wants to be told of what is so severe."""
        if self.settings.shows(severity):
            self.wire.put(complaint("notice", severity, "01000" if severity == "WARNING" else "00000", said))

    # -- transactions -------------------------------------------------------------------------------------------------

    def begin(self) -> None:
        """A transaction begins."""
        self.status = b"T"
        self._stamp = None
        self.settings.begin()

    def end(self, *, is_kept: bool) -> None:
        """It ends."""
        before = self.settings.reports()
        self.status = b"I"
        self.savepoints.clear()
        self.settings.end(is_kept=is_kept)
        self.report(before)
        self.named.close_all(held=False)

    def check_alive(self) -> None:
        """Refuses what comes in a transaction that has failed.

        Raises:
            Failed: it has.
        """
        if self.status == b"E":
            raise Failed("the transaction has failed: nothing is answered until ROLLBACK or COMMIT ends it")

    def check_same(self, answer: Answer) -> None:
        """Refuses an answer of another file than that of the answers before it in the transaction.

        Raises:
            Swapped: it is.
        """
        stamp = answer.lease.instance.stamp
        if self.status == b"T" and self._stamp is None:
            self._stamp = stamp
        if self.status == b"T" and stamp != self._stamp:
            answer.close()
            raise Swapped("another database was put in place of this one since the transaction began: begin anew")

    def value(self, name: str, given: list[str]) -> str | None:
        """What a statement about the session calls: `current_setting`, `set_config` and others, with their arguments.

        Raises:
            Unknown: there is no such setting, or it cannot have the value.
        """
        match name:
            case "current_setting":
                try:
                    return self.settings.get(given[0])
                except Unknown:
                    if given[1:2] in (["true"], ["t"]):
                        return None
                    raise
            case "set_config":
                self.settings.set(given[0], given[1], local=given[2:3] == ["true"])
                return given[1]
            case "pg_backend_pid":
                return str(self.number)
            case "current_catalog":
                return self.core.name
            case _:
                return self.settings.user

    def report(self, before: dict[str, str]) -> None:
        """Tells of settings that have changed."""
        for name, value in self.settings.reports().items():
            if before.get(name) != value:
                self.wire.put(encode("parameter", name, value))

    # -- work ---------------------------------------------------------------------------------------------------------

    async def ended(self, run: Run[Given]) -> Given:
        """What a run gives; it is ended where the client has gone, or asks for that.

        Raises:
            Error: what has gone wrong.
            Gone: the client has gone.
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
        """What is made of a text; of a long one by a thread beside the loop, which other sessions need meanwhile."""
        return work(*given) if len(text) <= _SHORT else await asyncio.to_thread(work, *given)

    async def taken(self, rows: Rows, most: int) -> list[bytes]:
        """The next rows, so many or fewer; further ones are read by a thread beside the loop.

        Raises:
            Refusal: the statement was to end.
        """
        self.halt.check()
        found = rows.next(most) if rows.ahead or rows.is_over else await asyncio.to_thread(rows.next, most)
        self.halt.check()
        return found

    async def sent(self) -> None:
        """Sends rows that wait, if there are many.

        Raises:
            Refusal: the statement was to end, before the client had taken what was sent.
        """
        if self.wire.is_full:
            await self.halt.waiting(self.wire.flush())

    def cancel(self) -> None:
        """Ends the statement under way, if there is one."""
        self.halt.ask(Cancelled("the statement was cancelled"))
        run = self._run
        if run is not None:
            asyncio.get_running_loop().run_in_executor(None, run.stop, self.halt.why)


def _let_go(future: Any) -> None:
    """Closes an answer that came after its caller had gone."""
    if not future.cancelled() and future.exception() is None and isinstance(future.result(), Answer):
        future.result().close()
