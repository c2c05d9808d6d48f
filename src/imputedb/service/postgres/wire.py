"""The byte stream to and from one client: whole messages, limited in size and time."""

from __future__ import annotations

import asyncio

from imputedb.service.postgres.formats import Malformed

_FULL = 256 * 1024
"""Number of bytes that are collected before they are sent."""


class Disconnected(Exception):
    """A client that has disconnected, or is taken to have."""


class Reader(asyncio.StreamReader):
    """A stream reader that reports at once when the other side has closed, even while nothing reads.

    Attributes:
        is_closed: whether the other side has closed.
    """

    def __init__(self) -> None:
        super().__init__(limit=_FULL)
        self.is_closed = asyncio.Event()

    def feed_eof(self) -> None:
        """Handles the end of the stream."""
        super().feed_eof()
        self.is_closed.set()

    def set_exception(self, exc: Exception) -> None:
        """Handles a lost connection."""
        super().set_exception(exc)
        self.is_closed.set()


class Wire:
    """One connection.

    Attributes:
        gone: set once the client has closed its side.
    """

    def __init__(self, reader: Reader, writer: asyncio.StreamWriter, most: int, patience: float) -> None:
        """A connection with a limit on the bytes of a message, and on the seconds that it takes to arrive or leave."""
        self._reader = reader
        self._writer = writer
        self._most = most
        self._patience = patience
        self._waiting: list[bytes] = []
        self._size = 0
        self.gone = reader.is_closed

    async def first(self) -> tuple[int, bytes]:
        """The first message, which has no type byte: its code and its content.

        Raises:
            Gone: the client disconnects, or is too slow.
            Malformed: the message is malformed.
        """
        length = int.from_bytes(await self._exactly(4, self._patience))
        if not 8 <= length <= 10_000:
            raise Malformed("this is not a message of PostgreSQL's protocol")
        data = await self._exactly(length - 4, self._patience)
        return int.from_bytes(data[:4]), data[4:]

    async def message(self, seconds: float | None = None) -> tuple[bytes, bytes]:
        """The next message: its type byte and its content. `seconds` is the timeout for its first byte.

        Raises:
            Gone: the client disconnects, or is too slow.
            Malformed: the message is larger than the limit.
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
            async with asyncio.timeout(seconds):  # wait_for may lose a cancellation: the session would not end
                return await self._reader.readexactly(count)
        except (asyncio.IncompleteReadError, TimeoutError, OSError) as error:
            raise Disconnected from error

    def put(self, data: bytes) -> None:
        """Appends bytes to the buffer that `flush` sends."""
        self._waiting.append(data)
        self._size += len(data)

    @property
    def is_full(self) -> bool:
        """Whether the buffer is large enough to be sent."""
        return self._size > _FULL

    async def flush(self) -> None:
        """Sends the buffer.

        Raises:
            Gone: the client no longer receives.
        """
        self._writer.write(b"".join(self._waiting))
        self._waiting, self._size = [], 0
        try:
            async with asyncio.timeout(self._patience):
                await self._writer.drain()
        except (TimeoutError, OSError) as error:
            raise Disconnected from error

    def close(self) -> None:
        """Closes the connection; unsent bytes are lost."""
        self._writer.close()

    def abort(self) -> None:
        """Closes the connection at once."""
        self._writer.transport.abort()
