"""Requests that no client sends: the HTTP door refuses or hangs up, in time, never by a mistake of ours, and serves on.

`IMPUTEDB_FRAMES` says how many; a few hundred unless given.
"""

from __future__ import annotations

import json
import os
import random
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from tests.service.test_postgres_fuzz import WORDS, mutated
from tests.service.test_process import Process, running, written

FRAMES = int(os.environ.get("IMPUTEDB_FRAMES", "400"))
AT_ONCE = 8
BODIES: list[tuple[str, dict[str, object]]] = [
    ("/v1/query", {"sql": "SELECT avg(weight) AS w FROM person WHERE height > ?", "parameters": [170], "m": 2}),
    ("/v1/query", {"sql": "SELECT $a || 'x', 1.5e3", "parameters": {"a": "b"}, "rows": 3, "alpha": 0.5}),
    ("/v1/query", {"sql": "SELECT sex, count(*) FROM person GROUP BY 1 WITHIN 50 MS", "seconds": 2, "error": None}),
    ("/v1/explain", {"sql": "SELECT * FROM tall", "analyze": True, "imputer": ["mean", "drop"]}),
    ("/v1/frontier", {"sql": "SELECT weight FROM person, range(3) ORDER BY 1", "fit": "table"}),
    ("/v1/impute", {"model": "vitals@1", "rows": [{"id": 1, "height": 170.5, "weight": None, "sex": "f"}], "draw": 2}),
    ("/v1/jobs", {"kind": "evaluate", "table": "person"}),
]
PLAIN = [
    b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n",
    b"GET /v1/profile/person?x=%00&y HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
    b"GET /docs HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: */*\r\nConnection: close\r\n\r\n",
    b"POST /v1/query HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\nContent-Type: application/json\r\n"
    b'Transfer-Encoding: chunked\r\n\r\n11\r\n{"sql":"SELECT 1"\r\n1\r\n}\r\n0\r\n\r\n',
]


@pytest.fixture(scope="module")
def service(served: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Process]:
    told = "idle_seconds = 1.0\nlog.share = 0.0\nroles.reader.per_minute = 1000000000\nroles.reader.seconds = 5.0\n"
    with running(served, "--config", written(tmp_path_factory.mktemp("fuzz"), told)) as found:
        yield found


def frame(rng: random.Random) -> bytes:
    """A request with a mutated body, one of words at random, or one that is mutated as a whole."""
    path, body = rng.choice(BODIES)
    if rng.random() < 0.3:
        path, body = "/v1/query", {"sql": " ".join(rng.choices(" ".join(WORDS).split(" "), k=rng.randint(1, 12)))}
    data = json.dumps(body).encode()
    sent = mutated(rng, data) if rng.random() < 0.6 else data
    head = f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\nContent-Type: application/json\r\n"
    whole = head.encode() + b"Content-Length: %d\r\n\r\n" % len(sent) + sent
    return mutated(rng, rng.choice([whole, *PLAIN])) if rng.random() < 0.4 else whole


def answer(port: int, seed: int) -> tuple[bytes, bytes]:
    """A request, and what comes back until the service hangs up."""
    asked = frame(random.Random(seed))
    found = b""
    with socket.create_connection(("127.0.0.1", port), 30) as one:
        try:
            one.sendall(asked)
            while piece := one.recv(65536):
                found += piece
        except ConnectionError:
            pass
    return asked, found


def test_mutated_requests_are_answered_or_refused_in_time(service: Process) -> None:
    files = Path(f"/proc/{service.process.pid}/fd")
    assert httpx.get(f"{service.url}/healthz").text == "ok\n"
    before = len(list(files.iterdir())) if files.is_dir() else 0
    codes: set[bytes] = set()
    with ThreadPoolExecutor(AT_ONCE) as asking:
        for asked, found in asking.map(lambda seed: answer(service.port, seed), range(FRAMES)):
            code = found.split(b" ", 2)[1] if found.startswith(b"HTTP/1.1 ") else b""
            assert not code.startswith(b"5") or code in (b"503", b"504"), (asked, found)
            codes.add(code)
    assert {b"200", b"400", b"403", b"404", b"422"} <= codes
    assert service.process.poll() is None
    assert httpx.get(f"{service.url}/healthz").text == "ok\n"
    assert httpx.post(f"{service.url}/v1/query", json={"sql": "SELECT 1"}).json()["rows"] == [[1]]
    assert not before or len(list(files.iterdir())) <= before + 8
    assert not [line for line in service.log if line.get("status") == "InternalError"]
