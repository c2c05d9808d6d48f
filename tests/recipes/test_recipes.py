"""Recipes run as they stand, on real tools; each of these tests fails where its recipe is emptied."""

import json
import os
import runpy
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import imputedb

ROOT = Path(__file__).resolve().parents[2]
RECIPES = ROOT / "recipes"
ENVIRONMENT = {**os.environ, "OPENBLAS_NUM_THREADS": "1"}


@pytest.fixture(scope="module")
def survey(tmp_path_factory: pytest.TempPathFactory) -> Path:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(60, 2)).cumsum(axis=1)
    folder = tmp_path_factory.mktemp("recipes")
    command = folder / "imputedb"
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m imputedb.cli "$@"\n')
    command.chmod(0o755)
    ENVIRONMENT["PATH"] = f"{folder}:{os.environ['PATH']}"
    with imputedb.connect(folder / "survey.duckdb") as db:
        gaps = {"x": np.where(rng.random(60) < 0.2, np.nan, x[:, 0]), "y": x[:, 1]}
        db.register("people", {"id": np.arange(60), **gaps}, keep=True)
        db.create_model("people", "people", ["x"], imputer="norm", draws=2).save(folder / "people.model")
    return folder


def shell(*words: object, **environment: str) -> subprocess.CompletedProcess[str]:
    """A command, `imputedb` being that of this interpreter."""
    told = {**ENVIRONMENT, **environment}
    return subprocess.run(list(map(str, words)), capture_output=True, text=True, env=told, timeout=300, check=False)


def nightly(recipe: Path, survey: Path, out: Path) -> None:
    done = shell("sh", recipe, survey / "survey.duckdb", "people", out, "3", "2", "--imputer", "norm", "--cycles", "1")
    assert done.returncode == 0, done.stderr
    assert "drawn 1-1 of 3" in done.stderr
    assert "drawn 2-3 of 3" in done.stderr
    assert imputedb.completed(out).m == 3
    imputedb.completed(out).check()


def kubernetes(recipe: Path, survey: Path, out: Path) -> None:
    """The commands of the containers, with the database and the folder of this machine."""
    jobs = [json.loads((recipe / name).read_text() or "{}") for name in ("draw.json", "publish.json")]
    assert [(job.get("apiVersion"), job.get("kind")) for job in jobs] == [("batch/v1", "Job")] * 2
    draw, publish = (job["spec"] for job in jobs)
    (container,) = draw["template"]["spec"]["containers"]
    (publisher,) = publish["template"]["spec"]["containers"]
    assert (draw["completionMode"], str(draw["completions"])) == ("Indexed", _env(container)["M"])
    assert _env(container) == _env(publisher)
    place = {"DB": str(survey / "survey.duckdb"), "OUT": str(out), "M": "2"}
    for index in range(2):
        done = shell(*container["command"], **place, JOB_COMPLETION_INDEX=str(index))
        assert done.returncode == 0, done.stderr
    assert not (out / "CURRENT").exists()
    done = shell(*publisher["command"], **place)
    assert done.returncode == 0, done.stderr
    assert imputedb.completed(out).m == 2
    for job in (draw, publish):
        rules = job["podFailurePolicy"]["rules"]
        assert rules[0] == {"action": "FailJob", "onExitCodes": {"operator": "In", "values": [1, 3]}}
        assert job["template"]["spec"]["restartPolicy"] == "Never"
    assert shell("sh", "-n", recipe / "run.sh").returncode == 0
    assert "kubectl apply -f draw.json" in (recipe / "run.sh").read_text()


def _env(container: dict[str, Any]) -> dict[str, str]:
    return {one["name"]: one["value"] for one in container["env"]}


def stream(recipe: Path, survey: Path, out: Path) -> None:
    """Two consumers, the first killed amid its work: no event is lost, none counts twice."""
    redis = pytest.importorskip("redis", reason="redis-py is not installed")
    if shutil.which("redis-server") is None:
        pytest.skip("redis-server is not installed")
    with _server(out) as port:
        queue = redis.Redis(port=port)
        command = [sys.executable, str(recipe), str(survey / "people.model"), "--url", f"redis://127.0.0.1:{port}/0"]
        first = subprocess.Popen(command, env=ENVIRONMENT, stderr=subprocess.DEVNULL)
        _send(queue, range(400))
        until = time.monotonic() + 120
        while not int(queue.hget("events:metrics", "events") or 0):
            assert time.monotonic() < until, "no event was done"
            assert first.poll() is None, "the consumer ended"
            _send(queue, range(400, 410))
            time.sleep(0.05)
        first.send_signal(signal.SIGKILL)
        first.wait()
        queue.xadd("events", {"key": "bad", "at": 1, "row": "no JSON"})
        queue.xadd("events", {"key": "bad", "at": 1, "row": json.dumps({"id": 1})})
        for at in (2, 1):  # the second is late
            queue.xadd("events", {"key": "late", "at": at, "row": json.dumps({"id": 1, "x": float(at), "y": 0.0})})
        sent = int(queue.xlen("events"))
        done = subprocess.run([*command, "--once"], env=ENVIRONMENT, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        told = {name.decode(): int(value) for name, value in queue.hgetall("events:metrics").items()}
        assert (told["events"], told["dead"]) == (sent, 2)
        assert queue.xpending("events", "imputedb")["pending"] == 0
        assert {one[b"reason"].decode().partition("(")[0][:15] for _, one in queue.xrange("events:dead")} == {
            "JSONDecodeError",
            "row 0 has no 'x",
        }
        assert told["watermark"] > 0
        assert told["lag_ms"] >= 0
        assert json.loads(queue.hget("events:feature:late", "row"))["x"] == 2
        for key in range(400):
            feature = queue.hgetall(f"events:feature:{key}")
            assert json.loads(feature[b"imputed"]) == (["x"] if key % 2 else [])
            assert isinstance(json.loads(feature[b"row"])["x"], float)
            assert feature[b"model"] == b"people@1"
        missing = subprocess.run(
            [*command[:2], "none.model"], env=ENVIRONMENT, capture_output=True, text=True, check=False
        )
        assert (missing.returncode, "error: cannot read none.model" in missing.stderr) == (1, True)


def test_an_event_that_kills_its_process_is_a_dead_letter_and_takes_no_other_along(
    survey: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A consumer that ends amid a batch, before anything is acknowledged, and is started again each time."""
    redis = pytest.importorskip("redis", reason="redis-py is not installed")
    if shutil.which("redis-server") is None:
        pytest.skip("redis-server is not installed")
    consumer = runpy.run_path(str(RECIPES / "redis_stream.py"))
    answer = consumer["answer"]

    def killed(model: Any, event: Any) -> Any:
        if any(row["y"] == 0.13 for row in event["rows"]):
            raise SystemExit
        return answer(model, event)

    monkeypatch.setitem(consumer["filled"].__globals__, "answer", killed)
    with _server(tmp_path) as port:
        queue = redis.Redis(port=port)
        _send(queue, range(30))
        url = f"redis://127.0.0.1:{port}/0"
        words = ["", str(survey / "people.model"), "--url", url, "--once", "--deliveries", "3"]
        monkeypatch.setattr(sys, "argv", words)
        for done in (0, 13, 13):
            with pytest.raises(SystemExit):
                consumer["main"]()
            assert int(queue.hget("events:metrics", "events") or 0) == done
        consumer["main"]()
        told = {name.decode(): int(value) for name, value in queue.hgetall("events:metrics").items()}
        assert (told["events"], told["dead"], told["redelivered"]) == (30, 1, 30)
        ((_, letter),) = queue.xrange("events:dead")
        assert letter[b"reason"] == b"delivered 3 times, and never done"
        assert (letter[b"key"], letter[b"deliveries"]) == (b"13", b"4")
        assert queue.xpending("events", "imputedb")["pending"] == 0
        assert sorted(int(key.rpartition(b":")[2]) for key in queue.keys("events:feature:*")) == [
            key for key in range(30) if key != 13
        ]


def _send(queue: Any, keys: range) -> None:
    batch = queue.pipeline()
    for key in keys:
        row = json.dumps({"x": None if key % 2 else 0.5, "y": key / 100})
        batch.xadd("events", {"key": key, "at": int(time.time() * 1000), "row": row})
    batch.execute()


class _server:  # noqa: N801
    """A Redis of the test's own, in memory, on a free port."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __enter__(self) -> int:
        with socket.socket() as found:
            found.bind(("127.0.0.1", 0))
            port = int(found.getsockname()[1])
        self.folder.mkdir(parents=True, exist_ok=True)
        words = ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", str(self.folder)]
        self.process = subprocess.Popen(words, stdout=subprocess.DEVNULL)
        for _ in range(200):
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
            except OSError:
                time.sleep(0.05)
            else:
                return port
        raise AssertionError("redis-server did not start")

    def __exit__(self, *_: object) -> None:
        self.process.terminate()
        self.process.wait()


HOLDS: dict[str, Callable[[Path, Path, Path], None]] = {
    "nightly.sh": nightly,
    "kubernetes": kubernetes,
    "redis_stream.py": stream,
}


@pytest.mark.parametrize("name", HOLDS)
def test_a_recipe_runs_as_it_stands(name: str, survey: Path, tmp_path: Path) -> None:
    HOLDS[name](RECIPES / name, survey, tmp_path / "out")


@pytest.mark.parametrize("name", HOLDS)
def test_an_emptied_recipe_is_noticed(name: str, survey: Path, tmp_path: Path) -> None:
    copy = tmp_path / name
    (shutil.copytree if (RECIPES / name).is_dir() else shutil.copy)(RECIPES / name, copy)
    for file in _files(copy):
        file.write_text("")
    with pytest.raises((AssertionError, KeyError, imputedb.Error)):
        HOLDS[name](copy, survey, tmp_path / "out")


def _files(path: Path) -> Iterator[Path]:
    return path.iterdir() if path.is_dir() else iter([path])


def test_every_recipe_has_a_test_and_is_listed() -> None:
    listed = (RECIPES / "README.md").read_text()
    for path in RECIPES.iterdir():
        if path.name not in ("README.md", "serverless.md"):
            assert path.name in HOLDS, path
            assert path.name in listed
