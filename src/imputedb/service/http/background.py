"""The HTTP routes of jobs and of the audit log."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Annotated, Any, Literal

from fastapi import Body, FastAPI
from fastapi import Request as Received
from pydantic import Field
from starlette.responses import JSONResponse, Response

from imputedb.service import audit
from imputedb.service.core import Core
from imputedb.service.errors import Forbidden, NotFound
from imputedb.service.http.bodies import Strict, Whole
from imputedb.service.jobs.runner import JobRunner
from imputedb.service.jobs.store import Job, Jobs
from imputedb.service.request import Principal
from imputedb.service.side import Side

_PAGE = 1000


class Evaluate(Strict):
    """Errors of imputers on hidden cells of a table."""

    kind: Literal["evaluate"]
    table: Annotated[str, Field(description="Name of the table.")]
    imputer: Annotated[str | list[str] | None, Field(description="Names of the imputers to compare.")] = None
    share: Annotated[float | None, Field(gt=0, lt=1, description="Share of the cells to hide.")] = None
    pattern: Annotated[
        Literal["mcar", "own"] | None, Field(description="Pattern of hidden cells: mcar, or the table's own patterns.")
    ] = None
    by: Annotated[str | None, Field(description="Column of subgroups.")] = None
    columns: Annotated[list[str] | None, Field(description="Columns to hide cells of.")] = None
    seed: Annotated[Whole, Field(description="Random seed; equal seeds hide equal cells.")] = 0


class Impute(Strict):
    """Completed copies of a table, in the folder of jobs."""

    kind: Literal["impute"]
    table: Annotated[str, Field(description="Name of the table.")]
    m: Annotated[int, Field(ge=1, le=1000, description="Number of completed data sets.")] = 20
    imputer: Annotated[str | None, Field(description="Name of the imputer.")] = None
    columns: Annotated[list[str] | None, Field(description="Columns to impute; by default all incomplete ones.")] = None
    cycles: Annotated[int | None, Field(ge=1, description="Number of cycles of chained equations.")] = None
    seed: Annotated[Whole, Field(description="Random seed; equal seeds give equal runs.")] = 0


class Compare(Strict):
    """An answer under several assumptions."""

    kind: Literal["compare"]
    sql: Annotated[str, Field(description="Query with aggregates.")]
    ways: Annotated[list[str] | None, Field(description="Methods: names of imputers, `aipw`, `bounds`.")] = None
    m: Annotated[int, Field(ge=2, le=1000, description="Number of draws of each imputer.")] = 20
    seed: Annotated[Whole, Field(description="Random seed; equal seeds give equal answers.")] = 0


class Cells(Strict):
    """The donors of a table's missing cells, by nearest neighbours."""

    kind: Literal["cells"]
    table: Annotated[str, Field(description="Name of the table.")]
    columns: Annotated[list[str] | None, Field(description="Columns of the cells; by default all incomplete ones.")] = (
        None
    )
    limit: Annotated[int, Field(ge=1, le=100_000, description="Maximum number of rows; larger tables are sampled.")] = (
        1_000
    )
    seed: Annotated[Whole, Field(description="Random seed of the sample.")] = 0


JobRequest = Annotated[Evaluate | Impute | Compare | Cells, Body(discriminator="kind")]


class Background:
    """Handlers of the routes."""

    def __init__(self, core: Core, jobs: Jobs, runner: JobRunner, side: Side) -> None:
        self._core = core
        self._jobs = jobs
        self._runner = runner
        self._side = side

    def add_to(self, app: FastAPI, who: Sequence[Any]) -> None:
        """Adds the routes to an application, with the dependencies that authenticate callers."""
        depends = list(who)
        app.post("/v1/jobs", status_code=202, dependencies=depends)(self.add)
        app.get("/v1/jobs", dependencies=depends)(self.jobs)
        app.get("/v1/jobs/{id_}", dependencies=depends)(self.job)
        app.post("/v1/jobs/{id_}/cancel", dependencies=depends)(self.cancel)
        app.post("/v1/jobs/{id_}/retry", status_code=202, dependencies=depends)(self.retry)
        app.get("/v1/audit", dependencies=depends)(self.audit)

    async def add(self, received: Received, body: JobRequest) -> Response:
        """Starts a job: evaluate, impute, compare or cells."""
        principal = _of_role(received, "analyst", "admin")
        await asyncio.to_thread(self._check, body)
        job = await asyncio.to_thread(self._jobs.add, principal, body.kind, body.model_dump(exclude={"kind"}))
        self._runner.wake()
        return JSONResponse(job.data(), 202, {"Location": f"/v1/jobs/{job.id}"})

    async def jobs(self, received: Received) -> Response:
        """The newest jobs of the caller; for an admin, of all callers."""
        principal = _of_role(received, "analyst", "admin")
        found = await asyncio.to_thread(self._jobs.of, None if principal.role == "admin" else principal)
        return JSONResponse([self._runner.with_progress(job).data() for job in found])

    async def job(self, received: Received, id_: str) -> Response:
        """A job with its state, progress and result."""
        return JSONResponse((await self._job(received, id_)).data())

    async def cancel(self, received: Received, id_: str) -> Response:
        """Cancels a queued or running job."""
        job = await self._job(received, id_)
        await asyncio.to_thread(self._runner.cancel, job)
        return JSONResponse({"id": job.id})

    async def retry(self, received: Received, id_: str) -> Response:
        """Queues a failed or cancelled job again."""
        job = await self._job(received, id_)
        if job.state not in ("failed", "cancelled"):
            raise Forbidden(f"job {job.id} is {job.state}: only failed and cancelled jobs can be retried")
        again = await asyncio.to_thread(self._jobs.requeue, job)
        self._runner.wake()
        return JSONResponse(again.data(), 202)

    async def audit(self, received: Received, after: int = 0, count: int = _PAGE) -> Response:
        """Records of the audit log after a number; for admins only."""
        _of_role(received, "admin")
        wanted = min(max(count, 0), _PAGE)
        found = await asyncio.to_thread(lambda: list(audit.entries(self._side, max(after, 0), wanted)))
        return JSONResponse([{"number": one.number, "hash": one.hash, **one.record} for one in found])

    async def _job(self, received: Received, id_: str) -> Job:
        """A job that the caller may see.

        Raises:
            NotFound: there is no such job, or it belongs to another caller.
        """
        principal = _of_role(received, "analyst", "admin")
        job = await asyncio.to_thread(self._jobs.get, id_)
        if principal.role != "admin" and job.principal.name != principal.name:
            raise NotFound(f"there is no job {id_}")
        return self._runner.with_progress(job)

    def _check(self, body: Evaluate | Impute | Compare | Cells) -> None:
        """Refuses unknown tables, and statements that do more than read."""
        lease = self._core.instances.lease()
        try:
            if isinstance(body, Compare):
                lease.instance.guard.check(body.sql)
            elif body.table not in lease.instance.tables:
                raise NotFound(f"there is no table {body.table}; /v1/tables lists the tables")
        finally:
            lease.end()


def _of_role(received: Received, *roles: str) -> Principal:
    principal: Principal = received.state.principal
    if principal.role not in roles:
        raise Forbidden(f"this needs role {' or '.join(roles)}; {principal.name} is {principal.role}")
    return principal
