"""The routes of the HTTP interface."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import asdict, replace
from typing import Any, TypeVar
from urllib.parse import urlsplit

from fastapi import Depends, FastAPI
from fastapi import Request as Received
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response

from imputedb import __version__
from imputedb.answers.as_json import plain
from imputedb.errors import Error
from imputedb.models.model import Model
from imputedb.service.admission import Run
from imputedb.service.core import Answer, Core
from imputedb.service.errors import Cancelled, Forbidden, Overloaded, TooLarge, Unauthenticated
from imputedb.service.http import problems
from imputedb.service.http.answers import ARROW, Streamed, as_arrow, as_json
from imputedb.service.http.background import Background
from imputedb.service.http.bodies import Answered, Explain, Impute, Imputed, Planned, Problem, Query
from imputedb.service.http.middleware import Bounds
from imputedb.service.http.page import page
from imputedb.service.request import Principal, Request
from imputedb.service.security.rates import Rates
from imputedb.service.security.tokens import Credentials

Given = TypeVar("Given")

_POLL = 0.1
"""Seconds between two checks whether the caller is still connected."""

_THIS_MACHINE = ("localhost", "127.0.0.1", "::1")

OPEN_METRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"

_MODEL = ("name", "version", "table", "columns", "imputer", "where", "draws", "rows", "fitted_at", "digest", "error")


def application(
    core: Core, credentials: Credentials, exposition: Callable[[], bytes], background: Background
) -> FastAPI:
    """The application of the HTTP interface.

    Args:
        core: answers the requests.
        credentials: authenticate the callers.
        exposition: gives the metrics in the format of OpenMetrics.
        background: the routes about jobs and the audit log.
    """
    app = FastAPI(
        title="imputedb",
        version=__version__,
        description="SQL over data with missing values, answered as if nothing were missing.",
        docs_url=None,
        redoc_url=None,
        responses={code: {"model": Problem} for code in (400, 401, 403, 413, 422, 429, 499, 500, 503, 504)},
    )
    configuration = core.configuration
    app.add_middleware(Bounds, body_bytes=configuration.limits.body_bytes, seconds=configuration.idle_seconds)
    app.add_exception_handler(RequestValidationError, problems.of_validation)  # type: ignore[arg-type]
    app.add_exception_handler(HTTPException, problems.of_http)  # type: ignore[arg-type]
    app.add_exception_handler(Error, problems.of_any)
    app.add_exception_handler(Exception, problems.of_any)
    door = HttpRoutes(core, credentials, exposition)
    door.add_to(app)
    background.add_to(app, [Depends(door.caller)])
    return app


class HttpRoutes:
    """Handlers of the routes."""

    def __init__(self, core: Core, credentials: Credentials, exposition: Callable[[], bytes]) -> None:
        self._core = core
        self._credentials = credentials
        self._exposition = exposition
        self._failures = Rates()

    def add_to(self, app: FastAPI) -> None:
        """Adds the routes to an application."""
        who = [Depends(self.caller)]
        post, get = app.post, app.get
        post("/v1/query", response_model=Answered, dependencies=who, responses={200: {"content": {ARROW: {}}}})(
            self.query
        )
        post("/v1/explain", dependencies=who)(self.explain)
        post("/v1/frontier", dependencies=who)(self.frontier)
        get("/v1/tables", dependencies=who)(self.tables)
        get("/v1/profile/{table}", dependencies=who)(self.profile)
        get("/v1/models", dependencies=who)(self.models)
        post("/v1/impute", response_model=Imputed, dependencies=who)(self.impute)
        get("/healthz", response_class=PlainTextResponse)(self.health)
        get("/readyz", response_class=PlainTextResponse)(self.readiness)
        get("/metrics", response_class=PlainTextResponse)(self.metrics)
        app.add_api_route("/docs", lambda: HTMLResponse(page(app.openapi())), include_in_schema=False)

    async def query(self, received: Received, body: Query) -> Response:
        """The answer to a statement, in JSON, or as an Arrow stream if the caller accepts it."""
        request = _request(received, body)
        request = replace(request, **body.model_dump(include={"m", "interval", "level", "method", "weights",
                                                              "clusters", "rows"}))  # fmt: skip
        if ARROW in received.headers.get("accept", ""):
            answer = await self._ended(received, self._core.answer(request, as_arrow))
            return Streamed(answer, _truncation(answer.truncated))
        form = as_json(self._core.configuration.limits.answer_bytes)
        answer = await self._ended(received, self._core.answer(request, form))
        answer.close()
        return Response(answer.body, media_type="application/json", headers=_truncation(answer.truncated))

    async def explain(self, received: Received, body: Explain) -> Response:
        """The plan of a query with its estimates; with `analyze` the query runs and is measured."""
        run = self._core.explain(_request(received, body), analyze=body.analyze)
        return JSONResponse(plain((await self._ended(received, run)).data()))

    async def frontier(self, received: Received, body: Planned) -> Response:
        """The frontier: plans that no other beats in both penalty and time; empty without missing values."""
        found = await self._ended(received, self._core.frontier(_request(received, body)))
        return JSONResponse(plain([point.data() for point in found or ()]))

    async def tables(self) -> Response:
        """Columns and their types by table."""
        return JSONResponse({name: dict(columns) for name, columns in self._core.tables().items()})

    async def profile(self, received: Received, table: str) -> Response:
        """Counts, shares and patterns of missing values in a table."""
        run = self._core.profile(_request(received, None), table)
        found = await self._ended(received, run)
        return JSONResponse(plain(asdict(found)))

    async def models(self, received: Received) -> Response:
        """The current version of each kept model."""
        found = await self._ended(received, self._core.models(_request(received, None)))
        return JSONResponse([_described(model) for model in found])

    async def impute(self, received: Received, body: Impute) -> Response:
        """Rows imputed by a kept model, with the imputed columns, the spread of draws, and the model's version."""
        most = self._core.configuration.limits.impute_rows
        if len(body.rows) > most:
            raise TooLarge(f"there are {len(body.rows):,} rows; at most {most:,} are imputed at once")

        run = self._core.impute(
            _request(received, None), body.model, body.rows, body.draw, body.keys, spread=body.spread
        )
        found = await self._ended(received, run)
        model = found.model
        return JSONResponse(
            {
                "model": f"{model.name}@{model.version}",
                "digest": model.digest,
                "rows": [plain(row) for row in found.rows],
                "imputed": found.imputed,
                "spread": plain(found.spread),
            }
        )

    async def health(self, received: Received) -> str:
        """Whether the process is alive."""
        self._beyond_loopback(received)
        return "ok\n"

    async def readiness(self, received: Received) -> str:
        """Whether requests are admitted and statements can run."""
        self._beyond_loopback(received)
        if self._core.admission.is_draining:
            raise Overloaded("the service is about to end", retry_after=5)
        if not await asyncio.to_thread(self._core.instances.reopen_if_broken):
            raise Overloaded("the database cannot answer", retry_after=5)
        return "ready\n"

    async def metrics(self, received: Received) -> Response:
        """Metrics in the format of OpenMetrics, without any value of the data."""
        self._beyond_loopback(received)
        return Response(await asyncio.to_thread(self._exposition), media_type=OPEN_METRICS)

    def _beyond_loopback(self, received: Received) -> None:
        """Authenticates the caller where other machines can reach the service; elsewhere checks the Host header."""
        if not self._core.configuration.is_loopback:
            self._known(received)
        else:
            self._check_host(received)

    async def caller(self, received: Received) -> None:
        """Authenticates the caller, and counts the request against the rate limit.

        Raises:
            Refusal: the credential is unknown, or the rate limit is used up.
        """
        principal = self._known(received)
        self._core.admit(principal)
        received.state.principal = principal

    def _known(self, received: Received) -> Principal:
        """The authenticated caller. Addresses with too many failed attempts have to wait.

        Raises:
            Refusal: the credential is unknown, or too many attempts have failed.
        """
        scheme, _, text = received.headers.get("authorization", "").partition(" ")
        try:
            if scheme and scheme.lower() != "bearer":
                raise Unauthenticated("the credential must be a Bearer token")
            principal = self._credentials.principal(text.strip() if scheme else None)
        except Unauthenticated:
            if scheme:  # a right credential is accepted all the same: callers may share an address
                address = received.client.host if received.client else "?"
                most = self._core.configuration.security.failures_per_minute
                self._failures.check(address, most)
                self._failures.take(address, most)
            raise
        if not scheme:
            self._check_host(received)
        return principal

    def _check_host(self, received: Received) -> None:
        """Refuses a Host header that does not name this machine, as a foreign page sends after DNS rebinding.

        Raises:
            Forbidden: the Host header names another machine.
        """
        try:
            host = urlsplit("//" + received.headers.get("host", "")).hostname
        except ValueError:
            host = None
        own = self._core.configuration.address[0].lower()
        if host not in (*_THIS_MACHINE, own):
            raise Forbidden(f"the request is to host {host}: without a credential ask {own} or localhost")

    async def _ended(self, received: Received, run: Run[Given]) -> Given:
        """The result of a run. The run is stopped when the caller disconnects."""
        future = asyncio.wrap_future(run.future)
        try:
            while not (await asyncio.wait({future}, timeout=_POLL))[0]:
                if not run.is_stopped and await received.is_disconnected():
                    await asyncio.to_thread(run.stop, Cancelled("the caller has gone"))  # it may wait for DuckDB
        except asyncio.CancelledError:
            run.future.add_done_callback(_let_go)
            asyncio.get_running_loop().run_in_executor(None, run.stop, Cancelled("the caller has gone"))
            raise
        return future.result()


def _let_go(future: Future[Any]) -> None:
    """Closes an answer that came after its caller had disconnected."""
    if not future.cancelled() and future.exception() is None and isinstance(future.result(), Answer):
        future.result().close()


def _request(received: Received, body: Planned | None) -> Request:
    """The request for the core, made of an authenticated HTTP request."""
    principal: Principal = received.state.principal
    if body is None:
        return Request(principal, "", id=received.state.id)
    return Request(
        principal,
        body.sql,
        body.parameters,
        body.alpha,
        body.imputer,
        body.seed,
        fit=body.fit,
        within_ms=body.within_ms,
        error=body.error,
        seconds=body.seconds,
        id=received.state.id,
    )


def _truncation(truncated: bool) -> dict[str, str]:
    return {"X-Imputedb-Truncated": str(truncated).lower()}


def _described(model: Model) -> dict[str, Any]:
    return {name: plain(getattr(model, name)) for name in _MODEL}
