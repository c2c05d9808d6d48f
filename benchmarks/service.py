"""How fast a service answers, and whether it stays so: `python -m benchmarks.service [SECONDS [--sandbox]]`.

A table of 10,000 rows with kept models; 8 clients ask small queries, half of them imputing; beside them the same door
with plain DuckDB queries alone; one-row /v1/impute of 4 clients; then a soak with cancels and disconnects.
"""

from __future__ import annotations

import json
import random
import re
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import httpx
import numpy as np

import imputedb

PLAIN = ("SELECT count(*) FROM t WHERE id < 500", "SELECT avg(id) FROM t", "SELECT k, count(*) FROM t GROUP BY k")
IMPUTING = ("SELECT avg(x) FROM t WHERE id < 500", "SELECT k, avg(x) FROM t GROUP BY k", "SELECT max(y) FROM t")
CONFIG = "workers = 2\nqueue = 200\n[roles.reader]\nper_minute = 10000000\nseconds = 10\n[log]\nlevel = 'warning'\n"


def made(path: Path) -> None:
    """The database: 10,000 rows, a fifth of two columns missing, a kept model of both."""
    rng = np.random.default_rng(1)
    z = rng.normal(size=10_000)
    gone = rng.random((2, 10_000)) < 0.2
    columns = {
        "id": np.arange(10_000),
        "k": rng.integers(0, 5, 10_000),
        "z": z,
        "x": np.ma.masked_array(z + rng.normal(size=10_000), gone[0]),
        "y": np.ma.masked_array(2 * z + rng.normal(size=10_000), gone[1]),
    }
    with imputedb.connect(path) as db:
        db.register("t", columns, keep=True)
        db.create_model("m", "t", imputer="norm")


def load(clients: int, seconds: float, one: Callable[[httpx.Client, random.Random], None]) -> list[float]:
    """Seconds of each request of some clients that ask one after the other."""
    found: list[float] = []
    last = time.perf_counter() + seconds

    def client(number: int) -> None:
        rng = random.Random(number)
        with httpx.Client(timeout=30) as connection:
            while time.perf_counter() < last:
                began = time.perf_counter()
                one(connection, rng)
                found.append(time.perf_counter() - began)

    threads = [threading.Thread(target=client, args=(number,)) for number in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return found


def shown(name: str, times: list[float], seconds: float) -> None:
    """A line: how many a second, and how long they took."""
    ranked = sorted(times)
    p50, p95, p99 = (ranked[int(len(ranked) * share)] * 1e3 for share in (0.5, 0.95, 0.99))
    print(f"| {name} | {len(times) / seconds:.0f} | {p50:.1f} | {p95:.1f} | {p99:.1f} |", flush=True)


def resident(process: subprocess.Popen[bytes]) -> int:
    """Bytes that a process holds."""
    found = re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{process.pid}/status").read_text())
    return int(found[1]) * 1024 if found else 0


def soak(url: str, seconds: float) -> dict[str, int]:
    """Statuses of requests among which some are cancelled, cut off, or none at all."""
    counts: dict[str, int] = {}

    def one(connection: httpx.Client, rng: random.Random) -> None:
        kind = rng.random()
        if kind < 0.05:
            with suppress(httpx.HTTPError):
                connection.post(f"{url}/v1/query", json={"sql": "SELECT sum(x) FROM t, range(200000)"}, timeout=0.05)
            return
        if kind < 0.1:
            with suppress(OSError), socket.create_connection(("127.0.0.1", int(url.rpartition(":")[2]))) as raw:
                raw.sendall(rng.randbytes(200))
            return
        text = (
            rng.choice(PLAIN + IMPUTING) if kind < 0.95 else rng.choice(("SELEC", "DROP TABLE t", "SELECT nix FROM t"))
        )
        status = str(connection.post(f"{url}/v1/query", json={"sql": text}).status_code)
        counts[status] = counts.get(status, 0) + 1

    load(8, seconds, one)
    return counts


def main() -> None:
    """Runs all of it."""
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 20.0
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "bench.duckdb"
        made(path)
        (Path(folder) / "service.toml").write_text(CONFIG)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            url = f"http://127.0.0.1:{free.getsockname()[1]}"
        command = [sys.executable, "-m", "imputedb.cli", "serve", str(path), "--http", url.removeprefix("http://")]
        began = time.perf_counter()
        command += ["--config", f"{folder}/service.toml", *sys.argv[2:]]
        process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
        try:
            while True:
                with suppress(httpx.HTTPError):
                    httpx.post(f"{url}/v1/query", json={"sql": IMPUTING[0]}).raise_for_status()
                    break
                time.sleep(0.02)
            print(f"first imputed answer {time.perf_counter() - began:.2f} s after start\n")
            print("| load | a second | p50 ms | p95 ms | p99 ms |\n|---|---|---|---|---|")

            def asking(texts: tuple[str, ...]) -> Callable[[httpx.Client, random.Random], None]:
                return lambda c, rng: (
                    c.post(f"{url}/v1/query", json={"sql": rng.choice(texts)}).raise_for_status() and None
                )

            for name, texts in (("plain", PLAIN), ("half imputing", PLAIN + IMPUTING), ("all imputing", IMPUTING)):
                load(8, 2, asking(texts))
                shown(f"8 clients, {name}", load(8, seconds, asking(texts)), seconds)
            row = {"model": "m", "rows": [{"id": 1, "k": 2, "z": 0.5, "x": None, "y": None}], "spread": False}
            body = json.dumps(row).encode()
            heads = {"Content-Type": "application/json"}
            imputing = load(4, seconds, lambda c, _: c.post(f"{url}/v1/impute", content=body, headers=heads) and None)
            shown("4 clients, one row of /v1/impute", imputing, seconds)
            before = resident(process)
            print(f"\nsoak of {3 * seconds:.0f} s: {soak(url, 3 * seconds)}, ", end="")
            print(f"memory {before / 2**20:.0f} to {resident(process) / 2**20:.0f} MiB")
            light = load(1, 3, asking(PLAIN))
            print(f"p50 of a light query alone {statistics.median(light) * 1e3:.1f} ms")
        finally:
            process.terminate()
            print(f"ended with {process.wait(30)}")


if __name__ == "__main__":
    main()
