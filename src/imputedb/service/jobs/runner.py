"""The job runner: one job at a time, each in a process of its own that ends with the service."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from imputedb.errors import Error
from imputedb.service.jobs.store import Job, Jobs

WRITING = ("impute",)
"""Kinds of jobs that write files: their processes are not confined, and accept no statement."""

_LOOK = 0.5
"""Seconds between two looks for a queued job, unless one is added."""


@dataclass(frozen=True, slots=True)
class Ended:
    """A job that is over.

    Attributes:
        job: the job with its state and its result.
        seconds: time that it took.
        cpu: processor seconds of its process.
        bytes: peak memory of its process.
    """

    job: Job
    seconds: float
    cpu: float
    bytes: int


class JobRunner:
    """A thread that runs the queued jobs one after the other.

    Attributes:
        observers: functions that receive every job that is over.
    """

    def __init__(
        self,
        jobs: Jobs,
        path: Path,
        memory: str,
        folder: Path,
        remark: Callable[[str], None],
        confined: int | None = None,
    ) -> None:
        """A runner of the jobs of a database.

        Args:
            jobs: the queue of jobs.
            path: the database file.
            memory: memory limit of DuckDB in each process.
            folder: where jobs write their files.
            remark: receives errors that keep jobs from running.
            confined: memory limit in bytes of processes that are confined like the sandbox; None where they are not.
        """
        self._confined = confined
        self.observers: list[Callable[[Ended], None]] = []
        self._jobs = jobs
        self._path = path
        self._memory = memory
        self._folder = folder
        self._remark = remark
        self._lock = threading.Lock()
        self._wake = threading.Event()
        self._now: tuple[Job, subprocess.Popen[str]] | None = None
        self._progress = 0.0
        self._is_cancelled = False
        self._is_closed = False
        self._thread = threading.Thread(target=self._run, name="imputedb-jobs", daemon=True)

    def start(self) -> None:
        """Starts the thread; jobs that were interrupted by the end of the service run first."""
        self._jobs.requeue_interrupted()
        self._thread.start()

    def wake(self) -> None:
        """Wakes the thread after a job was added."""
        self._wake.set()

    def with_progress(self, job: Job) -> Job:
        """The job with its current progress."""
        with self._lock:
            is_now = self._now is not None and self._now[0].id == job.id and job.state == "running"
            return replace(job, progress=self._progress) if is_now else job

    def cancel(self, job: Job) -> None:
        """Cancels a job that waits or runs; a finished job stays as it is."""
        with self._lock:
            if self._now is not None and self._now[0].id == job.id:
                self._is_cancelled = True
                self._now[1].kill()
                return
            if self._jobs.get(job.id).state == "queued":
                self._jobs.end(job, "cancelled")

    def close(self) -> None:
        """Ends the thread; the running job is resumed when the service starts again."""
        with self._lock:
            self._is_closed = True
            if self._now is not None:
                self._now[1].kill()
        self._wake.set()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        while not self._is_closed:
            try:
                with self._lock:
                    job = None if self._is_closed else self._jobs.next()
                if job is not None:
                    self._one(job)
                    continue
            except Error as error:  # such as a full disk, which may pass
                self._remark(f"jobs wait: {error}")
            self._wake.wait(_LOOK)
            self._wake.clear()

    def _one(self, job: Job) -> None:
        began = time.monotonic()
        task = {
            "kind": job.kind,
            "request": dict(job.request),
            "path": str(self._path),
            "memory": self._memory,
            "out": str(self._folder / job.id),
            "confined": None if job.kind in WRITING else self._confined,
        }
        command = [sys.executable, "-P", "-m", "imputedb.service.jobs.work"]
        process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        with self._lock:
            self._now, self._progress, self._is_cancelled = (job, process), 0.0, False
            if self._is_closed:
                process.kill()
        found = self._followed(process, task)
        cpu, most = _used(process)
        with self._lock:
            self._now = None
            if self._is_closed and not self._is_cancelled and found is None:
                return
            is_cancelled = self._is_cancelled
        if is_cancelled:
            self._jobs.end(job, "cancelled")
        elif found is None:
            detail = "its process was ended from outside, such as for want of memory"
            self._jobs.end(job, "failed", error={"title": "Ended", "detail": detail})
        elif "error" in found:
            self._jobs.end(job, "failed", error=found["error"])
        else:
            self._jobs.end(job, "done", result=found["result"])
        ended = Ended(self._jobs.get(job.id), time.monotonic() - began, cpu, most)
        for observer in self.observers:
            observer(ended)

    def _followed(self, process: subprocess.Popen[str], task: Mapping[str, Any]) -> Mapping[str, Any] | None:
        """The last message of a process; None where it has ended without one."""
        assert process.stdin is not None
        assert process.stdout is not None
        last: Mapping[str, Any] | None = None
        try:
            process.stdin.write(json.dumps(task) + "\n")
            process.stdin.flush()
            for line in process.stdout:
                message = json.loads(line)
                if "progress" in message:
                    with self._lock:
                        self._progress = float(message["progress"])
                else:
                    last = message
        except (BrokenPipeError, ValueError):  # the process was ended in the middle of a line
            last = None
        return last


def _used(process: subprocess.Popen[str]) -> tuple[float, int]:
    """Processor seconds and peak memory of a process that ends."""
    import os

    try:
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        return used.ru_utime + used.ru_stime, used.ru_maxrss * 1024
    except ChildProcessError:
        process.wait()
        return 0.0, 0
    finally:
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                pipe.close()
