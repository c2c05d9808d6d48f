"""Middleware of every HTTP request: an identifier, limits on the body's size and time, and response headers."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from starlette.exceptions import HTTPException

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[MutableMapping[str, Any], Receive, Send], Awaitable[None]]

_HEADERS = (
    (b"x-content-type-options", b"nosniff"),
    (b"cache-control", b"no-store"),
    (b"content-security-policy", b"default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"),
    (b"referrer-policy", b"no-referrer"),
)


_CLOSE = {"Connection": "close"}
"""The connection is closed, so that the rest of the body is not read."""


class Bounds:
    """Middleware that gives each request an id, and refuses a body that is too large or too slow."""

    def __init__(self, app: App, body_bytes: int, seconds: float) -> None:
        self._app = app
        self._bytes = body_bytes
        self._seconds = seconds

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        """Passes a request on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        id_ = secrets.token_hex(8)
        scope.setdefault("state", {})["id"] = id_

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", ()), *_HEADERS, (b"x-request-id", id_.encode())]
            await send(message)

        await self._app(scope, self._bounded(scope, receive), sending)

    def _bounded(self, scope: MutableMapping[str, Any], receive: Receive) -> Receive:
        size, is_complete = 0, False
        loop = asyncio.get_running_loop()
        last = loop.time() + self._seconds
        for name, value in scope["headers"]:
            if name == b"content-length" and value.isdigit() and int(value) > self._bytes:
                return self._too_large

        async def bounded() -> Message:
            nonlocal size, is_complete
            if is_complete:
                return await receive()
            try:
                message = await asyncio.wait_for(receive(), last - loop.time())
            except TimeoutError:
                raise HTTPException(408, f"the body took longer than {self._seconds:g} seconds", _CLOSE) from None
            if message["type"] == "http.request":
                size += len(message.get("body", b""))
                is_complete = not message.get("more_body", False)
                if size > self._bytes:
                    await self._too_large()
            return message

        return bounded

    async def _too_large(self) -> Message:
        raise HTTPException(413, f"the body is larger than the {self._bytes:,} bytes that are read", _CLOSE)
