"""Bytes to and from one client: messages whole, in bounded size and time."""

from __future__ import annotations

import asyncio

from imputedb.service.postgres.formats import Malformed

_FULL = 256 * 1024
"""Bytes that are gathered before they are sent."""


class Gone(Exception):
    """The client has gone, or is taken to have."""


class Reader(asyncio.StreamReader):
    """A stream that tells at once when its other side has closed, read or not.

    Attributes:
        gone: whether it has.
    """

    def __init__(self) -> None:
        super().__init__(limit=_FULL)
        self.gone = asyncio.Event()

    def feed_eof(self) -> None:
        """The other side sends nothing more."""
        super().feed_eof()
        self.gone.set()

    def set_exception(self, exc: Exception) -> None:
        """The connection is lost."""
        super().set_exception(exc)
        self.gone.set()


class Wire:
    """One connection.

    Attributes:
        gone: set once the client has closed its side.
    """

    def __init__(self, reader: Reader, writer: asyncio.StreamWriter, most: int, patience: float) -> None:
        """Of messages of at most so many bytes, each of which comes and goes within some seconds."""
        self._reader = reader
        self._writer = writer
        self._most = most
        self._patience = patience
        self._waiting: list[bytes] = []
        self._size = 0
        self.gone = reader.gone

    async def first(self) -> tuple[int, bytes]:
        """The first message, which has no letter: a number, and what follows it.

        Raises:
            Gone: the client goes, or is too slow.
            Malformed: it is none.
        """
        length = int.from_bytes(await self._exactly(4, self._patience))
        if not 8 <= length <= 10_000:
            raise Malformed("this is no message of PostgreSQL's protocol")
        data = await self._exactly(length - 4, self._patience)
        return int.from_bytes(data[:4]), data[4:]

    async def message(self, seconds: float | None = None) -> tuple[bytes, bytes]:
        """The next message: its letter, and what follows the length. The first byte is waited for so many seconds.

        Raises:
            Gone: the client goes, or is too slow.
            Malformed: it is larger than is read.
        """
        kind = await self._exactly(1, self._patience if seconds is None else seconds)
        length = int.from_bytes(await self._exactly(4, self._patience), signed=True)
        if length < 4:
            raise Malformed("a message is shorter than its length")
        if length > self._most:
            error = Malformed(f"a message has {length:,} bytes; at most {self._most:,} are read")
            error.state = "54000"
            raise error
        return kind, await self._exactly(length - 4, self._patience)

    async def _exactly(self, count: int, seconds: float) -> bytes:
        try:
            async with asyncio.timeout(seconds):  # wait_for may lose a cancellation, and then nothing ends the session
                return await self._reader.readexactly(count)
        except (asyncio.IncompleteReadError, TimeoutError, OSError) as error:
            raise Gone from error

    def put(self, data: bytes) -> None:
        """Takes bytes to be sent with the next `flush`."""
        self._waiting.append(data)
        self._size += len(data)

    @property
    def is_full(self) -> bool:
        """Whether so much waits that it should be sent."""
        return self._size > _FULL

    async def flush(self) -> None:
        """Sends what waits.

        Raises:
            Gone: the client takes nothing any more.
        """
        self._writer.write(b"".join(self._waiting))
        self._waiting, self._size = [], 0
        try:
            async with asyncio.timeout(self._patience):
                await self._writer.drain()
        except (TimeoutError, OSError) as error:
            raise Gone from error

    def close(self) -> None:
        """Ends the connection; what was not sent within its buffers is lost."""
        self._writer.close()

    def abort(self) -> None:
        """Ends the connection at once."""
        self._writer.transport.abort()
