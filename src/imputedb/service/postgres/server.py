"""The listener of the Postgres interface, on a thread and an event loop of its own, with its sessions."""

from __future__ import annotations

import asyncio
import ssl
import threading
from collections.abc import Callable
from functools import partial
from hmac import compare_digest

from imputedb.errors import Error, StorageError
from imputedb.service.configuration import Configuration
from imputedb.service.core import Core
from imputedb.service.errors import Overloaded
from imputedb.service.postgres.formats import encode
from imputedb.service.postgres.problems import problem
from imputedb.service.postgres.questions import Questions
from imputedb.service.postgres.session import Ending, Session
from imputedb.service.postgres.startup import Entrance, greeted, key
from imputedb.service.postgres.wire import Disconnected, Reader, Wire
from imputedb.service.security.rates import Rates
from imputedb.service.security.tokens import Credentials


class PostgresServer:
    """The listener and its sessions, each a task of one event loop.

    Attributes:
        port: the port that it listens on.
    """

    def __init__(
        self, core: Core, credentials: Credentials, configuration: Configuration, remark: Callable[[str], None]
    ) -> None:
        """A listener over a core; `remark` receives internal errors without their texts."""
        self._core = core
        self._configuration = configuration
        self._remark = remark
        self._sessions: dict[int, tuple[bytes, Session]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._loop = asyncio.new_event_loop()
        self._questions = Questions(core, lambda error: remark(type(error).__name__))
        self._entrance = Entrance(
            credentials,
            Rates(),
            configuration.security.failures_per_minute,
            _tls(configuration),
            self._cancel,
        )
        self._thread = threading.Thread(target=self._loop.run_forever, name="imputedb-postgres", daemon=True)
        self._server: asyncio.Server | None = None
        self.port = 0

    @property
    def connections(self) -> int:
        """Number of sessions."""
        return len(self._tasks)

    def open(self) -> None:
        """Starts to listen.

        Raises:
            StorageError: the address cannot be listened on.
        """
        self._thread.start()
        try:
            self.port = asyncio.run_coroutine_threadsafe(self._listening(), self._loop).result(30)
        except OSError as error:
            self.close(0)
            raise StorageError(
                f"cannot listen at {self._configuration.postgres}: the address is in use, or not of this machine"
            ) from error

    async def _listening(self) -> int:
        address = self._configuration.postgres_address
        assert address is not None  # set before the interface is opened

        def protocol() -> asyncio.StreamReaderProtocol:
            reader = Reader()
            return asyncio.StreamReaderProtocol(reader, lambda _, writer: self._taken(reader, writer), loop=self._loop)

        self._server = await self._loop.create_server(protocol, *address)
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    def _taken(self, reader: Reader, writer: asyncio.StreamWriter) -> None:
        task = self._loop.create_task(self._served(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _served(self, reader: Reader, writer: asyncio.StreamWriter) -> None:
        """One connection from its beginning to its end."""
        limits, idle = self._configuration.limits, self._configuration.idle_seconds
        wire = Wire(reader, writer, limits.body_bytes, idle)
        number, secret = key()
        try:
            if len(self._tasks) > self._configuration.connections:
                raise Overloaded(f"there are {self._configuration.connections} connections already", retry_after=5)
            async with asyncio.timeout(2 * idle):
                found = await greeted(self._entrance, wire, reader, writer)
            if found is None:
                return
            principal, settings = found
            credentials = self._entrance.credentials
            verifier = credentials.verifier(settings.user)
            check = partial(credentials.check, principal, verifier)
            session = Session(self._core, self._questions, wire, principal, settings, number, check)
            for name, value in settings.reports().items():
                wire.put(encode("parameter", name, value))
            wire.put(encode("key", number, secret))
            self._sessions[number] = (secret, session)
            await session.serve(self._configuration.session_seconds)
        except (Disconnected, TimeoutError):
            wire.abort()
        except asyncio.CancelledError:
            await _last_words(wire, Ending("the service has ended"))
            raise
        except Error as error:
            await _last_words(wire, error)
        except Exception as error:
            self._remark(type(error).__name__)
            await _last_words(wire, error)
        finally:
            self._sessions.pop(number, None)
            wire.close()

    def _cancel(self, number: int, secret: bytes) -> None:
        """Cancels the statement of the session with this number, if the key is right."""
        known, session = self._sessions.get(number, (b"", None))
        if compare_digest(known, secret) and session is not None:
            session.cancel()

    def close(self, seconds: float) -> None:
        """Stops listening. Idle sessions end at once, all others after their answer, or when the time is up."""
        if self._thread.is_alive():
            asyncio.run_coroutine_threadsafe(self._ended(seconds), self._loop).result()
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()
        self._loop.close()

    async def _ended(self, seconds: float) -> None:
        if self._server is not None:
            self._server.close()
        last = self._loop.time() + seconds
        while self._tasks and (busy := self._busy()) and self._loop.time() < last:
            for _, session in self._sessions.values():
                session.is_ending = True
            del busy
            await asyncio.sleep(0.05)
        while self._tasks:
            for task in self._tasks:
                task.cancel()
            await asyncio.wait(self._tasks, timeout=1)

    def _busy(self) -> bool:
        return any(not session.is_idle for _, session in self._sessions.values())


async def _last_words(wire: Wire, error: Exception) -> None:
    """Sends the client the reason why its connection ends."""
    try:
        wire.put(problem(error, "FATAL"))
        await wire.flush()
    except Disconnected:
        wire.abort()


def _tls(configuration: Configuration) -> ssl.SSLContext | None:
    """The TLS context of connections.

    Raises:
        StorageError: the certificate or the key cannot be read.
    """
    if configuration.tls is None:
        return None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_cert_chain(configuration.tls.certificate, configuration.tls.key)
    except OSError as error:
        raise StorageError(f"certificate or key of the PostgreSQL server cannot be read: {error}") from error
    return context
