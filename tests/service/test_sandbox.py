"""The third wall: statements in processes of their own, what these give up, and how they are asked."""

import json
import os
import pickle
import platform
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import pytest
from starlette.testclient import TestClient

import imputedb
from imputedb.errors import InternalError, StorageError, UnknownName
from imputedb.service.configuration import load
from imputedb.service.core import Core
from imputedb.service.errors import Overdue
from imputedb.service.request import Request
from imputedb.service.sandbox import confinement, messages
from imputedb.service.sandbox.worker import Ended, Start
from tests.service.conftest import READER, asking, configuration, made
from tests.service.wire import SYNC, Client, bind, describe, door, execute, kinds, parse, rows, state

try:
    confinement.check()
except StorageError as error:
    pytest.skip(str(error), allow_module_level=True)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    found = tmp_path_factory.mktemp("sandboxed")
    made(found / "survey.duckdb", rows=60)
    return found


@pytest.fixture(scope="module")
def core(folder: Path) -> Iterator[Core]:
    """With all walls."""
    found = Core(folder / "survey.duckdb", configuration(sandbox=True, workers=1), lambda _: None)
    yield found
    found.close()


def test_answers_are_those_of_a_session(core: Core, folder: Path, tmp_path: Path) -> None:
    text = "SELECT sex, avg(weight) AS w FROM person GROUP BY sex ORDER BY sex"
    with imputedb.connect(folder / "survey.duckdb", read_only=True) as db:
        wanted = db.sql(text, m=3, seed=2)
        values, plans = [list(row) for row in wanted.fetchall()], len(list(db.frontier(text) or ()))
    with asking(core, tmp_path) as http:
        told = http.post("/v1/query", json={"sql": text, "m": 3, "seed": 2}).json()
        assert told["rows"] == values
        assert told["report"]["imputed"] == wanted.report.imputed
        assert http.post("/v1/explain", json={"sql": text}).json()["penalty"] == pytest.approx(wanted.report.penalty)
        assert len(http.post("/v1/frontier", json={"sql": text}).json()) == plans
        assert http.get("/v1/profile/person").status_code == http.get("/v1/models").status_code == 200
        assert http.post("/v1/query", json={"sql": "SELECT nix FROM person"}).json()["title"] == "UnknownName"
        _check_arrow(http)
    with door(core) as own, Client(own.port, user="ann") as wire:
        found = wire.ask(
            parse("SELECT * FROM range(12000) WHERE range >= $1"), describe("S"), bind(b"7"), execute(), SYNC
        )
        assert (kinds(found)[:4], len(rows(found))) == ("1tT2", 11993)
        assert state(wire.query("SELECT error('x')")) != ""


def _check_arrow(http: TestClient) -> None:
    ipc = pytest.importorskip("pyarrow.ipc", reason="pyarrow is not installed")
    body = {"sql": "SELECT * FROM range(5000)"}
    found = http.post("/v1/query", json=body, headers={"accept": "application/vnd.apache.arrow.stream"})
    assert ipc.open_stream(BytesIO(found.content)).read_all().num_rows == 5000


def test_what_runs_too_long_is_ended_and_a_worker_that_dies_is_replaced(core: Core) -> None:
    forever = "SELECT count(*) FROM range(100000000) a, range(100000) b"
    with pytest.raises(Overdue):
        core.answer(Request(READER, forever, seconds=0.5), lambda *_: None).future.result(20)
    run = core.answer(Request(READER, forever, seconds=20), lambda *_: None)
    last = time.monotonic() + 10
    while not core.admission.running and time.monotonic() < last:
        time.sleep(0.02)
    time.sleep(0.3)
    before = len(os.listdir("/proc/self/fd"))
    pool = core.instances._now._workers
    assert pool is not None
    for worker in pool._all:
        os.kill(worker._process.pid, signal.SIGKILL)
    with pytest.raises(Ended):
        run.future.result(20)
    again = core.answer(Request(READER, "SELECT count(*) FROM person"), lambda found, *_: found.first(1))
    answer = again.future.result(30)
    assert answer.body == [(60,)]
    answer.close()
    assert len(os.listdir("/proc/self/fd")) <= before


def test_a_job_is_done_in_a_process_that_is_confined(folder: Path) -> None:
    asked = {"sql": "SELECT avg(weight) AS w FROM person", "ways": ["mean", "norm"], "m": 2}
    told = {"kind": "compare", "request": asked, "path": str(folder / "survey.duckdb"), "memory": "200MB", "out": "/",
            "confined": 2 * 10**8}  # fmt: skip
    command = [sys.executable, "-P", "-m", "imputedb.service.jobs.work"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=home()) as process:
        assert process.stdin
        assert process.stdout
        process.stdin.write(json.dumps(told) + "\n")
        process.stdin.flush()
        last = json.loads(list(process.stdout)[-1])
    assert last["result"]["complete_cases"]["w"] > 0


def test_what_a_process_gives_up_is_given_up_for_good(tmp_path: Path) -> None:
    (tmp_path / "own.txt").write_text("mine")
    (tmp_path / "other.txt").write_text("4711")
    signals = confinement._SIGNAL[confinement._ARCHITECTURES[platform.machine()][0]]
    code = f"""
import ctypes, os, resource, signal, socket, sys
from pathlib import Path
from imputedb.service.sandbox.confinement import confine
tgkill, parent = {signals}, os.getppid()
def told(*call):
    if ctypes.CDLL(None).syscall(*call):
        raise OSError(*call)
    return 0
signal.signal(signal.SIGURG, signal.SIG_IGN)
own = Path({str(tmp_path / "own.txt")!r})
confine([own], 10**8)
print(own.read_text())
attempts = [lambda: open(own, "a"), lambda: os.truncate(own, 0), lambda: (own.parent / "other.txt").read_text(),
            lambda: (own.parent / "new.txt").write_text("x"), lambda: own.unlink(),
            lambda: own.rename(own.parent / "b"), lambda: os.listdir(own.parent),
            lambda: os.mkdir(own.parent / "c"), lambda: open("/etc/passwd"),
            lambda: open("/proc/1/environ"), lambda: socket.socket(), lambda: socket.socketpair(),
            lambda: os.execv(sys.executable, ["python"]), lambda: os.fork(), lambda: os.kill(1, 0),
            lambda: open("/dev/tty", "w"), lambda: os.symlink("/etc/passwd", own.parent / "d"),
            lambda: os.chmod(own, 0o666), lambda: os.chown(own, 1, 1), lambda: os.utime(own),
            lambda: os.setxattr(own, "user.a", b""), lambda: resource.prlimit(parent, resource.RLIMIT_NOFILE, (0, 0)),
            lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (9, 9)), lambda: os.sched_setaffinity(parent, [0]),
            lambda: os.setpriority(os.PRIO_PROCESS, parent, 1), lambda: told(tgkill, parent, parent, 0)]
for number, attempt in enumerate(attempts):
    try:
        attempt()
    except (OSError, ValueError):
        continue
    print("did", number)
signal.raise_signal(signal.SIGURG)
print(told(tgkill, os.getpid(), os.getpid(), 0), resource.getrlimit(resource.RLIMIT_CORE))
"""
    assert ran(code) == "mine\n0 (0, 0)\n"
    assert sorted(os.listdir(tmp_path)) == ["other.txt", "own.txt"]


def ran(code: str) -> str:
    """What a Python of its own says."""
    command = [sys.executable, "-P", "-c", code]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, env=home(), check=True).stdout


def home() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(Path(imputedb.__file__).parent.parent)}


def test_a_message_of_a_worker_makes_nothing_but_values() -> None:
    class Bad:
        def __reduce__(self) -> object:
            return os.getcwd, ()

    for one in (Bad(), os.system, messages.written, Start, UnknownName("x")):
        data = pickle.dumps(one)
        with pytest.raises(InternalError):
            messages.read(BytesIO(len(data).to_bytes(4) + data))
    with pytest.raises(EOFError):
        messages.read(BytesIO(b"\0\0\0\x09abc"))


def test_a_system_that_cannot_confine_says_so(monkeypatch: pytest.MonkeyPatch, served: Path) -> None:
    assert load(None, sandbox=True).sandbox
    monkeypatch.setattr(confinement, "_landlock", lambda: 0)
    with pytest.raises(StorageError, match="--sandbox needs Linux"):
        Core(served, configuration(sandbox=True), lambda _: None)
