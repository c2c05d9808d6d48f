"""The web server of the page, on this machine only."""

from __future__ import annotations

import os
import secrets
import socket
from collections.abc import Callable
from tempfile import mkdtemp

import uvicorn
from fastapi import FastAPI

from imputedb.errors import QueryError, StorageError
from imputedb.pages.guard import Guard
from imputedb.pages.site import Site
from imputedb.web import Server

LOCAL = ("127.0.0.1", "localhost", "::1")
"""Names and addresses of this machine."""

PORT = 8085

_PATIENCE = 60.0
"""Seconds that a browser may be disconnected, as on an overloaded machine, before its state is discarded."""


def address(text: str | None) -> tuple[str, int]:
    """The host and the port of an option; port 0 stands for any free one.

    Raises:
        QueryError: the address is malformed, or is not on this machine.
    """
    if text is None:
        return LOCAL[0], PORT
    host, _, port = text.rpartition(":")
    host = host.strip("[]") or LOCAL[0]
    if not port.isdigit() or int(port) > 65_535:
        raise QueryError(f"--http {text!r} is not an address: give HOST:PORT, such as 127.0.0.1:{PORT}")
    if host not in LOCAL:
        raise QueryError(
            f"the page is for this machine, and {host} is open to others: leave --http out and reach it through a "
            "tunnel (ssh -L), or give many people `imputedb serve`"
        )
    return host, int(port)


def serve(site: Site, host: str, port: int, ready: Callable[[str], object]) -> None:
    """Serves a site until Ctrl-C or SIGTERM.

    Args:
        site: the site to serve.
        host: a name or address of this machine.
        port: port to listen on; 0 stands for any free one.
        ready: called with the link once the page can be opened.

    Raises:
        StorageError: the port is in use.
    """
    listening = _listening(host, port)
    port = listening.getsockname()[1]
    token = secrets.token_urlsafe(24)
    shown = f"[{host}]" if ":" in host else host
    hosts = [f"{shown}:{port}", f"127.0.0.1:{port}", f"localhost:{port}"]
    guarded = Guard(application(site), token, hosts, f"imputedb_{port}")
    config = uvicorn.Config(guarded, lifespan="on", log_level="warning", access_log=False, timeout_graceful_shutdown=1)

    def opened() -> None:
        ready(f"http://{shown}:{port}/?token={token}")

    try:
        Server(config, opened).run(sockets=[listening])
    finally:
        site.works.close()


def _listening(host: str, port: int) -> socket.socket:
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        return socket.create_server((host, port), family=family)
    except OSError as error:
        raise StorageError(f"cannot listen on {host}:{port} ({error.strerror}): choose another --http") from error


def application(site: Site) -> FastAPI:
    """The web application of a site; a process can have one only."""
    os.environ.setdefault("NICEGUI_STORAGE_PATH", mkdtemp(prefix="imputedb-page-"))  # not in the working directory
    from nicegui import ui

    from imputedb.pages.frame import register

    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    register(site)
    ui.run_with(
        app,
        title="imputedb",
        favicon="🧩",
        dark=None,
        language="en-US",
        tailwind=False,
        reconnect_timeout=_PATIENCE,
        show_welcome_message=False,
    )
    return app
