"""The process of the HTTP door: connections that are bounded in time, signals, an orderly end."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from math import ceil
from types import FrameType
from typing import Any

import uvicorn
from fastapi import FastAPI
from uvicorn.protocols.http.h11_impl import H11Protocol

from imputedb.service.configuration import Configuration

_LAST_WORDS = 3
"""Seconds that callers whose requests were ended have to be told so."""


class PatientProtocol(H11Protocol):
    """HTTP/1.1 that waits only so long for the head of a request; uvicorn itself waits for ever."""

    def connection_made(self, transport: Any) -> None:
        """A caller has connected."""
        super().connection_made(transport)
        self._wait()

    def _wait(self) -> None:
        self.loop.call_later(float(self.timeout_keep_alive), self._look)

    def _look(self) -> None:
        if self.transport is None or self.transport.is_closing():
            return
        if self.cycle is None:  # no head has come yet
            self.transport.close()


class Server(uvicorn.Server):
    """A server that tells when it begins to end, and when it is ready."""

    def __init__(self, config: uvicorn.Config, ending: Callable[[], None], ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._ending = ending
        self._ready = ready

    async def startup(self, sockets: Any = None) -> None:
        """Listens."""
        await super().startup(sockets)
        if self.started:
            self._ready()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Takes the signals that end it. They are not raised again at the end, which others have to see."""
        signals = (signal.SIGINT, signal.SIGTERM)
        before = [signal.signal(one, self.handle_exit) for one in signals]
        try:
            yield
        finally:
            for one, handler in zip(signals, before, strict=True):
                signal.signal(one, handler)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Begins to end: what runs may end first."""
        self._ending()
        super().handle_exit(sig, frame)


def serve(
    app: FastAPI,
    configuration: Configuration,
    *,
    ready: Callable[[], None],
    ending: Callable[[], None],
    reload: Callable[[], None],
) -> None:
    """Runs the door until it is asked to end by SIGTERM or Ctrl-C; SIGHUP reads credentials again."""
    host, port = configuration.address
    tls = configuration.tls
    config = uvicorn.Config(
        app,
        host=host,
        port=port,
        http=PatientProtocol,
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        limit_concurrency=configuration.connections,
        timeout_keep_alive=max(1, round(configuration.idle_seconds)),
        timeout_graceful_shutdown=ceil(configuration.drain_seconds) + _LAST_WORDS,
        ssl_certfile=tls.certificate if tls else None,
        ssl_keyfile=tls.key if tls else None,
    )
    server = Server(config, ending, ready)

    async def served() -> None:
        if hasattr(signal, "SIGHUP"):
            asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, reload)
        await server.serve()

    asyncio.run(served())
