"""The process: it starts, drains on SIGTERM, reads tokens again on SIGHUP, ends what nobody waits for."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import httpx
import pytest

from imputedb.service.security import tokens

SLOW = {"sql": "SELECT count(*) FROM range(100000000) a, range(100000) b", "seconds": 25}


class Process:
    def __init__(self, path: Path, *more: str) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        command = [sys.executable, "-m", "imputedb.cli", "serve", str(path), "--http", f"127.0.0.1:{self.port}", *more]
        far = {**os.environ, "TZ": "America/New_York"}
        self.process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=far)
        self.log: list[dict[str, Any]] = []
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stderr
        for line in self.process.stderr:
            self.log.append(json.loads(line))

    def until(self, event: str, seconds: float = 60) -> dict[str, Any]:
        last = time.monotonic() + seconds
        while time.monotonic() < last:
            found = next((one for one in list(self.log) if one["event"] == event), None)
            if found:
                return found
            time.sleep(0.02)
        raise AssertionError(f"no {event} in {self.log}")

    def until_running(self) -> None:
        last = time.monotonic() + 60
        while time.monotonic() < last:
            if "imputedb_requests_running 1.0" in httpx.get(f"{self.url}/metrics", timeout=60).text:
                return
            time.sleep(0.05)
        raise AssertionError("nothing runs")

    def ended(self) -> int:
        code = self.process.wait(30)
        self._reader.join(10)
        return code


@contextmanager
def running(path: Path, *more: str) -> Iterator[Process]:
    found = Process(path, *more)
    try:
        found.until("ready")
        yield found
    finally:
        found.process.kill()
        found.process.wait()


def written(folder: Path, text: str) -> str:
    (folder / "service.toml").write_text(text)
    return str(folder / "service.toml")


def test_sigterm_lets_what_runs_end_and_refuses_the_rest(served: Path) -> None:
    with running(served) as service:
        found: list[httpx.Response] = []
        body = {"sql": "SELECT sum(a.range * b.range) FROM range(30000) a, range(10000) b"}
        url = f"{service.url}/v1/query"
        asking = threading.Thread(target=lambda: found.append(httpx.post(url, json=body, timeout=60)))
        asking.start()
        service.until_running()
        service.process.send_signal(signal.SIGTERM)
        asking.join(60)
        assert found[0].status_code in (200, 503)
        assert service.ended() == 0
        assert service.until("ended")


def test_at_the_end_of_its_patience_it_ends_what_runs(served: Path, tmp_path: Path) -> None:
    with running(served, "--config", written(tmp_path, "drain_seconds = 1.0")) as service:
        asking = threading.Thread(target=lambda: _quietly(service.url))
        asking.start()
        service.until_running()
        began = time.monotonic()
        service.process.send_signal(signal.SIGTERM)
        assert service.ended() == 0
        assert time.monotonic() - began < 15
        asking.join(30)


def _quietly(url: str) -> None:
    with suppress(httpx.HTTPError):
        httpx.post(f"{url}/v1/query", json=SLOW, timeout=30)


def test_a_caller_who_goes_ends_his_request(served: Path) -> None:
    with running(served) as service:
        with pytest.raises(httpx.ReadTimeout):
            httpx.post(f"{service.url}/v1/query", json=SLOW, timeout=0.5)
        last = time.monotonic() + 10
        while time.monotonic() < last and not any(one.get("status") == "Cancelled" for one in service.log):
            time.sleep(0.05)
        assert [one["status"] for one in service.log if one["event"] == "request"] == ["Cancelled"]
        assert httpx.post(f"{service.url}/v1/query", json={"sql": "SELECT 1"}).status_code == 200


def test_sighup_reads_tokens_again(served: Path, tmp_path: Path) -> None:
    file = tmp_path / "tokens.toml"
    first = tokens.added(file, "ada", "reader")
    with running(served, "--config", written(tmp_path, '[security]\ntokens = "tokens.toml"')) as service:

        def ask(text: str) -> int:
            return httpx.get(f"{service.url}/v1/tables", headers={"Authorization": f"Bearer {text}"}).status_code

        assert ask(first) == 200
        second = tokens.added(file, "bob", "reader")
        tokens.dropped(file, "ada")
        service.process.send_signal(signal.SIGHUP)
        service.until("credentials were read again")
        assert (ask(first), ask(second)) == (401, 200)
        file.write_text("broken")
        service.process.send_signal(signal.SIGHUP)
        last = time.monotonic() + 10
        while time.monotonic() < last and not any("were not read again" in one["event"] for one in service.log):
            time.sleep(0.05)
        assert ask(second) == 200
        shown = json.dumps(service.log)
        assert first not in shown
        assert second not in shown


def test_connections_that_send_nothing_or_little_are_closed(served: Path, tmp_path: Path) -> None:
    with running(served, "--config", written(tmp_path, "idle_seconds = 1.0")) as service:
        head = b"POST /v1/query HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 50\r\n\r\n{"
        for sent in (b"", b"GET /v1/tab", head):
            with socket.create_connection(("127.0.0.1", service.port), timeout=10) as caller:
                caller.sendall(sent)
                while caller.recv(65_536):
                    pass
        assert httpx.get(f"{service.url}/healthz").text == "ok\n"


def test_the_log_holds_no_value_of_the_data(served: Path) -> None:
    with running(served) as service:
        httpx.post(f"{service.url}/v1/query", json={"sql": "SELECT 'sesame' FROM person WHERE height > 4711 + ?",
                                                    "parameters": [8812]})  # fmt: skip
        httpx.post(f"{service.url}/v1/query", json={"sql": "SELECT 'sesame' + 1"})
        service.process.send_signal(signal.SIGTERM)
        service.ended()
        shown = json.dumps(service.log)
        assert '"kind": "query"' in shown
        for value in ("sesame", "4711", "8812"):
            assert value not in shown


@pytest.mark.sampled(3)
@pytest.mark.parametrize(
    ("more", "word"),
    [
        (["--http", "0.0.0.0:0"], "token add"),
        (["--http", "nowhere"], "HOST:PORT"),
        (["--config", "nix.toml"], "nix.toml"),
    ],
)
def test_what_keeps_it_from_starting_is_one_sentence(served: Path, more: list[str], word: str) -> None:
    command = [sys.executable, "-m", "imputedb.cli", "serve", str(served), *more]
    found = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert found.returncode == 1
    assert word in found.stderr
    assert "Traceback" not in found.stderr


def test_an_address_in_use_and_a_file_that_is_none_are_told(served: Path, tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        command = [sys.executable, "-m", "imputedb.cli", "serve", str(served), "--http", address]
        found = subprocess.run(command, capture_output=True, text=True, timeout=60)
        assert found.returncode == 1
        assert f"cannot listen at {address}" in found.stderr
    for path in (tmp_path / "nix.duckdb", tmp_path):
        command = [sys.executable, "-m", "imputedb.cli", "serve", str(path)]
        found = subprocess.run(command, capture_output=True, text=True, timeout=60)
        assert (found.returncode, os.path.exists(tmp_path / "nix.duckdb")) == (1, False)
        assert str(path) in found.stderr


def test_both_doors_are_open_and_end_together(served: Path) -> None:
    psycopg = pytest.importorskip("psycopg", reason="psycopg is not installed")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with (
        running(served, "--postgres", f"127.0.0.1:{port}") as service,
        psycopg.connect(host="127.0.0.1", port=port, user="ann", connect_timeout=10) as connection,
    ):
        assert connection.execute("SELECT count(*) FROM person").fetchone() == (300,)
        metrics = httpx.get(f"{service.url}/metrics", timeout=60).text
        assert 'imputedb_connections{door="postgres"} 1.0' in metrics
        assert 'imputedb_door_requests_total{door="postgres",status="ok"} 1.0' in metrics
        moment = connection.execute("SELECT CAST(TIMESTAMPTZ '2020-01-01 00:00:00+00' AS VARCHAR)").fetchone()
        assert moment == ("2020-01-01 00:00:00+00",)  # wherever the machine is
        service.process.send_signal(signal.SIGTERM)
        assert service.ended() == 0
        with pytest.raises(psycopg.OperationalError):
            connection.execute("SELECT 1")
