"""Errors as problem documents (RFC 9457), with the name and the message of the error."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from imputedb.border import ours
from imputedb.errors import CannotImpute, DataError, Error, QueryError, StorageError, Unplanned
from imputedb.service.errors import Refusal, Unauthenticated

MEDIA = "application/problem+json"


def status_of(error: Error) -> int:
    """The HTTP status code of an error."""
    match error:
        case Refusal():
            return error.status
        case StorageError():
            return 503
        case Unplanned() | CannotImpute() | DataError():
            return 422
        case QueryError():
            return 400
        case _:
            return 500


def problem(request: Request, error: Error) -> Response:
    """An error as a problem document."""
    headers: dict[str, str] = {}
    if isinstance(error, Refusal) and error.retry_after is not None:
        headers["Retry-After"] = str(error.retry_after)
    if isinstance(error, Unauthenticated):
        headers["WWW-Authenticate"] = 'Bearer realm="imputedb"'
    status = status_of(error)
    detail = str(error) if status != 500 else "a mistake of imputedb's; the log has its place under this instance"
    return _document(request, type(error).__name__, status, detail, headers)


def of_validation(request: Request, error: RequestValidationError) -> Response:
    """The problem document of an invalid body or parameter; the value that was sent is not repeated."""
    places = "; ".join(f"{_place(one['loc'])}: {one['msg']}" for one in error.errors()[:10])
    return _document(request, "QueryError", 422, places, {})


def of_http(request: Request, error: HTTPException) -> Response:
    """The problem document of an error of the framework: an unknown path, or a method that a path does not have."""
    names = {404: "NotFound", 408: "Overdue", 413: "TooLarge"}
    headers = dict(error.headers or {})
    return _document(request, names.get(error.status_code, "QueryError"), error.status_code, str(error.detail), headers)


def of_any(request: Request, error: Exception) -> Response:
    """The problem document of any other exception."""
    return problem(request, ours(error))


def _place(path: Sequence[Any]) -> str:
    return ".".join(str(part) for part in path)


def _document(request: Request, title: str, status: int, detail: str, headers: dict[str, str]) -> Response:
    problem = {
        "type": f"urn:imputedb:problem:{title}",
        "title": title,
        "status": status,
        "detail": detail,
        "instance": f"urn:imputedb:request:{getattr(request.state, 'id', '')}",
    }
    return Response(json.dumps(problem, ensure_ascii=False), status, headers, MEDIA)
