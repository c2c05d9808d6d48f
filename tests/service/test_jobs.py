"""Jobs: run by processes of their own, told of, cancelled, and taken up again after any end of the service."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import imputedb
from imputedb.service.errors import NotFound
from imputedb.service.jobs.runner import Ended, JobRunner
from imputedb.service.jobs.store import ATTEMPTS, Job, Jobs
from imputedb.service.request import Principal
from imputedb.service.side import Side

ADA = Principal("ada", "analyst")
SLOW = {"table": "person", "imputer": "pmm", "m": 1000, "cycles": 50}


class Bench:
    def __init__(self, served: Path, folder: Path) -> None:
        self.served, self.folder = served, folder
        self.side = Side(folder / "side.imputedb")
        self.jobs = Jobs(self.side)
        self.ended: list[Ended] = []
        self.runner = self.made()

    def made(self) -> JobRunner:
        runner = JobRunner(self.jobs, self.served, "500MB", self.folder / "jobs", lambda _: None)
        runner.observers.append(self.ended.append)
        return runner

    def until(self, job: Job, done: Callable[[Job], bool], seconds: float = 90) -> Job:
        last = time.monotonic() + seconds
        while time.monotonic() < last:
            found = self.runner.with_progress(self.jobs.get(job.id))
            if done(found):
                return found
            time.sleep(0.05)
        raise AssertionError(f"job stays {self.jobs.get(job.id)}")

    def over(self, job: Job) -> Job:
        return self.until(job, lambda one: one.state in ("done", "failed", "cancelled"))


@pytest.fixture
def bench(served: Path, tmp_path: Path) -> Iterator[Bench]:
    found = Bench(served, tmp_path)
    yield found
    found.runner.close()
    found.side.close()


def test_imputers_are_evaluated(bench: Bench) -> None:
    bench.runner.start()
    job = bench.jobs.add(ADA, "evaluate", {"table": "person", "imputer": ["mean", "norm"], "by": "sex", "seed": 1})
    found = bench.over(job)
    assert (found.state, found.error, found.progress) == ("done", None, 1.0)
    assert found.result["overall"]["norm"] < found.result["overall"]["mean"]
    bench.until(job, lambda _: bool(bench.ended))  # observers are told after the state is written
    (ended,) = bench.ended
    assert ended.cpu > 0
    assert ended.bytes > 10_000_000


def test_completed_copies_are_written_into_a_folder_of_the_job(bench: Bench) -> None:
    bench.runner.start()
    found = bench.over(bench.jobs.add(ADA, "impute", {"table": "person", "imputer": "norm", "m": 2}))
    assert found.state == "done"
    assert sorted(path.name for path in (bench.folder / "jobs" / found.id).rglob("*.json"))
    assert found.result["m"] == 2


def test_a_job_reaches_no_file_but_those_it_writes(bench: Bench) -> None:
    file = bench.folder / "other.csv"
    file.write_text("a,b\n1,\n2,3\n")
    path = bench.folder / "viewed.duckdb"
    with imputedb.connect(path) as db:
        db.execute(f"CREATE VIEW outside AS SELECT * FROM read_csv('{file}')")
    bench.served = path
    bench.runner = bench.made()
    bench.runner.start()
    found = bench.over(bench.jobs.add(ADA, "compare", {"sql": "SELECT avg(b) FROM outside", "m": 2}))
    assert found.state == "failed"
    assert found.error
    assert "other.csv" in found.error["detail"]


def test_answers_are_compared(bench: Bench) -> None:
    bench.runner.start()
    asked = {"sql": "SELECT avg(weight) AS w FROM person", "ways": ["norm", "pmm"], "m": 3}
    found = bench.over(bench.jobs.add(ADA, "compare", asked))
    assert (found.state, found.error) == ("done", None)
    assert len(found.result["lines"]["estimate"]) == 2
    assert found.result["complete_cases"]["w"] > 0


def test_cells_are_explained(bench: Bench) -> None:
    bench.runner.start()
    found = bench.over(bench.jobs.add(ADA, "cells", {"table": "person", "columns": ["weight"], "limit": 50, "seed": 0}))
    assert (found.state, found.error) == ("done", None)
    assert len(found.result["variance_ratios"]) == 50
    assert 0 < found.result["variance_ratios"][25] < 1


@pytest.mark.sampled(2)
@pytest.mark.parametrize(
    ("kind", "asked", "title"),
    [("evaluate", {"table": "nix"}, "UnknownName"), ("nix", {}, "QueryError"),
     ("evaluate", {"table": "person", "imputer": "nix"}, "UnknownName")],
)  # fmt: skip
def test_what_goes_wrong_is_kept_with_its_name(bench: Bench, kind: str, asked: dict[str, Any], title: str) -> None:
    bench.runner.start()
    found = bench.over(bench.jobs.add(ADA, kind, asked))
    assert found.state == "failed"
    assert found.error
    assert found.error["title"] == title


def test_what_a_job_prints_is_none_of_its_words(served: Path, tmp_path: Path) -> None:
    code = (
        "import os, imputedb.service.jobs.work as work\n"
        "def noisy(*_):\n"
        "    print('noise', flush=True)\n"
        "    os.write(1, b'more noise')\n"
        "    return 5\n"
        "work.WORK = {'noisy': noisy}\n"
        "work.main()\n"
    )
    told = {"kind": "noisy", "request": {}, "path": str(served), "memory": "100MB", "out": str(tmp_path)}
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True) as process:  # fmt: skip
        assert process.stdin
        assert process.stdout
        process.stdin.write(json.dumps(told) + "\n")
        process.stdin.flush()
        assert [json.loads(line) for line in process.stdout] == [{"result": 5}]


def test_a_job_is_cancelled_while_it_waits_and_while_it_runs(bench: Bench) -> None:
    first, second = bench.jobs.add(ADA, "impute", SLOW), bench.jobs.add(ADA, "impute", SLOW)
    bench.runner.start()
    bench.until(first, lambda one: one.state == "running")
    bench.runner.cancel(second)
    assert bench.jobs.get(second.id).state == "cancelled"
    bench.runner.cancel(first)
    assert bench.over(first).state == "cancelled"
    again = bench.jobs.requeue(bench.jobs.get(second.id))
    assert (again.state, again.attempts) == ("queued", 0)
    bench.until(again, lambda one: one.state == "running")


def test_a_process_that_is_killed_fails_its_job(bench: Bench) -> None:
    job = bench.jobs.add(ADA, "impute", SLOW)
    bench.runner.start()
    bench.until(job, lambda one: one.state == "running")
    last = time.monotonic() + 30
    while bench.runner._now is None and time.monotonic() < last:
        time.sleep(0.01)
    assert bench.runner._now
    os.kill(bench.runner._now[1].pid, signal.SIGKILL)
    found = bench.over(job)
    assert found.state == "failed"
    assert found.error
    assert "ended from outside" in found.error["detail"]


def test_a_job_under_way_at_the_end_is_taken_up_but_not_for_ever(bench: Bench) -> None:
    job = bench.jobs.add(ADA, "impute", SLOW)
    for attempt in range(1, ATTEMPTS + 1):
        bench.runner.start()
        assert bench.until(job, lambda one: one.state == "running").attempts == attempt
        bench.runner.close()
        assert bench.jobs.get(job.id).state == "running"
        bench.runner = bench.made()
    bench.runner.start()
    found = bench.over(job)
    assert found.state == "failed"
    assert found.error
    assert f"{ATTEMPTS} times" in found.error["detail"]


KILLED = """
import sys, time
from pathlib import Path
from imputedb.service.jobs.runner import JobRunner
from imputedb.service.jobs.store import Jobs
from imputedb.service.side import Side

jobs = Jobs(Side(Path(sys.argv[2]) / "side.imputedb"))
runner = JobRunner(jobs, Path(sys.argv[1]), "500MB", Path(sys.argv[2]) / "jobs", print)
runner.start()
while runner._now is None:
    time.sleep(0.01)
print(runner._now[1].pid, flush=True)
time.sleep(60)
"""


def test_after_kill_9_the_job_is_there_and_its_process_is_gone(bench: Bench) -> None:
    job = bench.jobs.add(ADA, "impute", SLOW)
    bench.side.close()
    command = [sys.executable, "-c", KILLED, str(bench.served), str(bench.folder)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout
    child = int(process.stdout.readline())
    process.kill()
    process.wait()
    process.stdout.close()
    last = time.monotonic() + 20
    while time.monotonic() < last and os.path.exists(f"/proc/{child}"):
        time.sleep(0.05)
    assert not os.path.exists(f"/proc/{child}")
    bench.side = Side(bench.folder / "side.imputedb")
    bench.jobs = Jobs(bench.side)
    bench.runner = bench.made()
    bench.runner.start()
    assert bench.until(job, lambda one: one.state == "running" and one.attempts == 2)


def test_jobs_are_seen_by_their_own_and_a_missing_one_is_told(bench: Bench) -> None:
    mine = bench.jobs.add(ADA, "evaluate", {"table": "person"})
    other = bench.jobs.add(Principal("bob", "analyst"), "evaluate", {"table": "person"})
    assert [one.id for one in bench.jobs.of(ADA)] == [mine.id]
    assert {one.id for one in bench.jobs.of(None)} == {mine.id, other.id}
    with pytest.raises(NotFound, match="no job nix"):
        bench.jobs.get("nix")
    assert threading.active_count() < 60
