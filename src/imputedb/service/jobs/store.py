"""The table of jobs in the side file."""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from imputedb.service.errors import NotFound
from imputedb.service.request import Principal
from imputedb.service.side import Side

State = Literal["queued", "running", "done", "failed", "cancelled"]

ATTEMPTS = 3
"""Maximum number of times that a job is started; a job that ends the service each time is given up."""

_COLUMNS = "id, kind, state, principal, role, asked, created, started, ended, attempts, progress, result, error"


@dataclass(frozen=True, slots=True)
class Job:
    """One job.

    Attributes:
        id: identifier of the job.
        kind: `evaluate`, `impute`, `compare` or `cells`.
        state: `queued`, `running`, `done`, `failed` or `cancelled`.
        principal: owner of the job.
        request: the options of the job, by name.
        created, started, ended: times in UTC, in ISO 8601; None before they occur.
        attempts: number of times that the job was started.
        progress: share of the work that is done.
        result: result of the job; None until it is done.
        error: class name and message of the error; None without one.
    """

    id: str
    kind: str
    state: State
    principal: Principal
    request: Mapping[str, Any]
    created: str
    started: str | None
    ended: str | None
    attempts: int
    progress: float
    result: Any
    error: Mapping[str, str] | None

    def data(self) -> dict[str, Any]:
        """The job as JSON-ready data."""
        names = ("id", "kind", "state", "created", "started", "ended", "attempts", "progress", "result", "error")
        found = {name: getattr(self, name) for name in names}
        return {**found, "principal": self.principal.name, "asked": dict(self.request)}


class Jobs:
    """All jobs in the side file."""

    def __init__(self, side: Side) -> None:
        self._side = side

    def add(self, principal: Principal, kind: str, request: Mapping[str, Any]) -> Job:
        """A new job in the queue."""
        id_ = secrets.token_hex(8)
        values = (id_, kind, "queued", principal.name, principal.role, json.dumps(dict(request)), _now())
        text = "INSERT INTO jobs VALUES (?, ?, ?, ?, ?, ?, ?, NULL, NULL, 0, 0, NULL, NULL)"
        self._side.write([(text, values)])
        return self.get(id_)

    def get(self, id_: str) -> Job:
        """A job.

        Raises:
            NotFound: there is no job with this id.
        """
        rows = self._side.rows(f"SELECT {_COLUMNS} FROM jobs WHERE id = ?", [id_])
        if not rows:
            raise NotFound(f"there is no job {id_}")
        return _job(rows[0])

    def of(self, principal: Principal | None, count: int = 100) -> list[Job]:
        """The newest jobs of a caller, or of all callers for None."""
        where, values = ("WHERE principal = ?", [principal.name]) if principal else ("", [])
        text = f"SELECT {_COLUMNS} FROM jobs {where} ORDER BY created DESC, id LIMIT {int(count)}"
        return [_job(row) for row in self._side.rows(text, values)]

    def next(self) -> Job | None:
        """The job that has waited longest, marked as running; None where none waits."""
        rows = self._side.rows("SELECT id FROM jobs WHERE state = 'queued' ORDER BY created, id LIMIT 1")
        if not rows:
            return None
        text = "UPDATE jobs SET state = 'running', started = ?, attempts = attempts + 1 WHERE id = ?"
        self._side.write([(text, (_now(), rows[0][0]))])
        return self.get(str(rows[0][0]))

    def waiting(self) -> int:
        """Number of waiting jobs."""
        return int(self._side.rows("SELECT count(*) FROM jobs WHERE state = 'queued'")[0][0])

    def end(self, job: Job, state: State, result: Any = None, error: Mapping[str, str] | None = None) -> None:
        """Stores the end of a job with its result or error."""
        text = "UPDATE jobs SET state = ?, ended = ?, progress = ?, result = ?, error = ? WHERE id = ?"
        share = 1.0 if state == "done" else job.progress
        values = (state, _now(), share, _dumped(result), _dumped(error), job.id)
        self._side.write([(text, values)])

    def requeue(self, job: Job) -> Job:
        """Queues a finished job once more."""
        text = (
            "UPDATE jobs SET state = 'queued', started = NULL, ended = NULL, attempts = 0, progress = 0, "
            "result = NULL, error = NULL WHERE id = ?"
        )
        self._side.write([(text, (job.id,))])
        return self.get(job.id)

    def requeue_interrupted(self) -> None:
        """Queues the jobs that were running when the service ended; those started too often are marked as failed."""
        error = json.dumps({"title": "Ended", "detail": f"the service ended {ATTEMPTS} times while this job ran"})
        self._side.write(
            [
                (
                    "UPDATE jobs SET state = 'failed', ended = ?, error = ? WHERE state = 'running' AND attempts >= ?",
                    (_now(), error, ATTEMPTS),
                ),
                ("UPDATE jobs SET state = 'queued' WHERE state = 'running'", ()),
            ]
        )


def _job(row: tuple[Any, ...]) -> Job:
    id_, kind, state, name, role, request, created, started, ended, attempts, progress, result, error = row
    loaded = [None if text is None else json.loads(text) for text in (result, error)]
    owner = Principal(name, role)
    return Job(id_, kind, state, owner, json.loads(request), created, started, ended, attempts, progress, *loaded)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="microseconds")


def _dumped(value: Any) -> str | None:
    return None if value is None else json.dumps(value)
