"""A thin client of the HTTP interface, for scripts: it sends requests, and retries while the service is busy."""

from __future__ import annotations

import json
import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from ipaddress import ip_address
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import imputedb.errors
from imputedb.errors import DataError, Error, QueryError, StorageError

_BUSY = (429, 503)
"""Status codes after which a request is repeated."""

_LONGEST = 30.0
"""Maximum number of seconds between two attempts."""


@dataclass(frozen=True, slots=True)
class Client:
    """A client of one service.

    Attributes:
        url: address of the service's HTTP interface.
        token: credential that is sent; None for none.
        authority: certificates to check the service's certificate against; None for those of the system.
        patience: seconds to go on retrying while the service is busy.
        seconds: time that one answer may take.
    """

    url: str
    token: str | None = None
    authority: Path | None = None
    patience: float = 60.0
    seconds: float = 300.0

    def post(self, path: str, body: Mapping[str, Any]) -> Any:
        """The answer of the service to a POST request.

        Raises:
            QueryError, DataError: the service refuses the request; class and message are those of the service.
            StorageError: the service cannot be reached, or the answer is not that of an imputedb service.
        """
        last = time.monotonic() + self.patience
        while True:
            status, again, document = self._response(path, json.dumps(body).encode())
            if status == 200:
                return document
            left = last - time.monotonic()
            if status not in _BUSY or left <= 0:
                raise _refused(status, document)
            time.sleep(min(again, left, _LONGEST))

    def _response(self, path: str, body: bytes) -> tuple[int, float, Any]:
        """The status, the seconds to wait before another attempt, and the decoded body."""
        headers = {"Content-Type": "application/json", "Accept": "application/json, application/problem+json"}
        if self.token is not None:
            headers["Authorization"] = f"Bearer {self.token}"
        connection, before = self._connection()
        try:
            connection.request("POST", before + path, body, headers)
            answer = connection.getresponse()
            return answer.status, _seconds(answer.getheader("Retry-After")), json.loads(answer.read())
        except (OSError, HTTPException) as error:
            raise StorageError(f"{self.url} cannot be reached: {error or type(error).__name__}") from error
        except ValueError as error:
            raise StorageError(f"{self.url} does not answer as imputedb's service does") from error
        finally:
            connection.close()

    def _connection(self) -> tuple[HTTPConnection, str]:
        """A connection, and the prefix of all paths.

        Raises:
            QueryError: the address is not a URL, or a token would be sent over an unencrypted connection.
        """
        try:
            parts = urlsplit(self.url)
            host, port = parts.hostname, parts.port
        except ValueError:
            parts, host, port = urlsplit(""), None, None
        if parts.scheme not in ("http", "https") or not host:
            raise QueryError(f"the address is {self.url!r}; it is http:// or https:// and a host")
        if parts.scheme == "https":
            authority = None if self.authority is None else str(self.authority)
            try:
                context = ssl.create_default_context(cafile=authority)
            except OSError as error:
                raise StorageError(f"{authority} has no certificates (PEM): {error}") from error
            return HTTPSConnection(host, port, timeout=self.seconds, context=context), parts.path.rstrip("/")
        if self.token is not None and not _is_this_machine(host):
            raise QueryError(f"a token is not sent unencrypted to {host}: give an address that begins with https://")
        return HTTPConnection(host, port, timeout=self.seconds), parts.path.rstrip("/")


def _is_this_machine(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _seconds(header: str | None) -> float:
    return float(header) if header is not None and header.isdigit() else 1.0


def _refused(status: int, problem: Any) -> Error:
    """The error of a problem document (RFC 9457): of the class that it names, else of one that fits the status."""
    title, detail = (str(problem.get(key, "")) if isinstance(problem, dict) else "" for key in ("title", "detail"))
    kind = getattr(imputedb.errors, title, None)
    message = detail or f"the service answers with status {status}"
    if isinstance(kind, type) and issubclass(kind, Error):
        return kind(message)
    return (QueryError if 400 <= status < 500 else DataError)(f"{title}: {message}" if title else message)
