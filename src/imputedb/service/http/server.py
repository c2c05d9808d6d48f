"""The process of the HTTP interface: timeouts of connections, signals, an orderly shutdown."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable
from math import ceil
from typing import Any

import uvicorn
from fastapi import FastAPI
from uvicorn.protocols.http.h11_impl import H11Protocol

from imputedb.service.configuration import Configuration
from imputedb.web import Server

_LAST_WORDS = 3
"""Seconds for sending errors to callers whose requests were stopped at shutdown."""


class PatientProtocol(H11Protocol):
    """HTTP/1.1 with a timeout for the head of a request; uvicorn by itself waits without limit."""

    def connection_made(self, transport: Any) -> None:
        """Starts the timeout of a new connection."""
        super().connection_made(transport)
        self._wait()

    def _wait(self) -> None:
        self.loop.call_later(float(self.timeout_keep_alive), self._look)

    def _look(self) -> None:
        if self.transport is None or self.transport.is_closing():
            return
        if self.cycle is None:  # no head has arrived yet
            self.transport.close()


def serve(
    app: FastAPI,
    configuration: Configuration,
    *,
    ready: Callable[[], None],
    ending: Callable[[], None],
    reload: Callable[[], None],
) -> None:
    """Runs the HTTP interface until SIGTERM or Ctrl-C; SIGHUP reads the credentials again."""
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
    server = Server(config, ready, ending)

    async def served() -> None:
        if hasattr(signal, "SIGHUP"):
            asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, reload)
        await server.serve()

    asyncio.run(served())
