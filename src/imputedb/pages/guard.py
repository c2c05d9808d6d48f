"""Access control of the page: requests from this machine that have the page's token."""

from __future__ import annotations

import secrets
from collections.abc import Collection, MutableMapping
from html import escape
from typing import Any
from urllib.parse import urlencode, urlsplit

from starlette.datastructures import MutableHeaders
from starlette.requests import HTTPConnection
from starlette.responses import HTMLResponse, PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

REFUSED = "This page is for whoever started it: open the link that `imputedb ui` printed, with its token.\n"

_POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval' blob:; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data: blob:; font-src 'self' data:; connect-src 'self' {}; object-src 'none'; "
    "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
"""Content security policy: nothing is loaded from or sent to other hosts, and no other page may embed this one. Vue
compiles its templates, hence `unsafe-eval`. The braces are for this host's WebSocket addresses.
"""


_ONWARD = '<!doctype html><title>imputedb</title><meta http-equiv="refresh" content="0; url={}">'
"""A page that forwards to an address; after a redirect from a foreign link, browsers withhold a SameSite cookie."""


class Guard:
    """Middleware that admits requests with this host's name and the token, first from the link and later from a cookie.

    A foreign page can make a browser send requests here. They lack the cookie, which is SameSite, and after DNS
    rebinding they have another host's name.
    """

    def __init__(self, app: ASGIApp, token: str, hosts: Collection[str], cookie: str) -> None:
        self._app = app
        self._token = token
        self._hosts = frozenset(hosts)
        self._cookie = cookie
        self._policy = _POLICY.format(" ".join(sorted(f"ws://{host}" for host in hosts)))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers a request, or passes it on."""
        match scope:
            case {"type": "http" | "websocket"}:
                await self._answer(scope, receive, send)
            case _:
                await self._app(scope, receive, send)

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = HTTPConnection(scope)
        headers = request.headers
        if headers.get("host") not in self._hosts or not all(map(self._is_own, headers.getlist("origin"))):
            await PlainTextResponse(REFUSED, 403)(scope, receive, send)
            return
        given = request.query_params.get("token")
        if given is not None and self._is_token(given):
            rest = urlencode([one for one in request.query_params.multi_items() if one[0] != "token"])
            answer = HTMLResponse(_ONWARD.format(escape(request.url.path + (f"?{rest}" if rest else ""))))
            answer.set_cookie(self._cookie, self._token, httponly=True, samesite="strict")
            await answer(scope, receive, self._with_headers(send))
        elif self._is_token(request.cookies.get(self._cookie, "")):
            await self._app(scope, receive, self._with_headers(send))
        else:
            await PlainTextResponse(REFUSED, 403)(scope, receive, send)

    def _is_token(self, given: str) -> bool:
        return secrets.compare_digest(given.encode(), self._token.encode())

    def _is_own(self, origin: str) -> bool:
        """Whether an Origin header is that of this page."""
        return urlsplit(origin).netloc in self._hosts

    def _with_headers(self, send: Send) -> Send:
        """A `send` that adds security headers."""

        async def sent(message: MutableMapping[str, Any]) -> None:
            match message:
                case {"type": "http.response.start"}:
                    headers = MutableHeaders(raw=message["headers"])
                    headers["Content-Security-Policy"] = self._policy
                    headers["Referrer-Policy"] = "no-referrer"
                    headers["X-Content-Type-Options"] = "nosniff"
                case _:
                    pass
            await send(message)

        return sent
