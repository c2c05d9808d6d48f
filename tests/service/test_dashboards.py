"""Dashboards show metrics that there are, and each panel shows something of a service that is asked."""

import json
import re
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from imputedb.service.metrics.names import METRICS
from imputedb.service.security import tokens
from tests.service.test_process import Process, running, written

FOLDER = Path(__file__).resolve().parents[2] / "deploy" / "grafana"
BOARDS = {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in sorted(FOLDER.glob("*.json"))}
PANELS = [(name, one) for name, board in BOARDS.items() for one in board["panels"]]
QUERIES = [(name, one["title"], target["expr"]) for name, one in PANELS for target in one.get("targets", ())]
JOBS: list[dict[str, object]] = [
    {"kind": "evaluate", "table": "person", "by": "sex", "imputer": "mean"},
    {"kind": "compare", "sql": "SELECT avg(weight) AS w FROM person", "ways": ["mean", "norm"], "m": 2},
    {"kind": "cells", "table": "person"},
    {"kind": "compare", "sql": "SELECT avg(nix) FROM person"},
]


def test_dashboards_are_those_of_the_guides() -> None:
    assert list(BOARDS) == ["debug", "executive", "on-call"]
    for name, board in BOARDS.items():
        assert [one["id"] for one in board["panels"]] == list(range(1, len(board["panels"]) + 1))
        assert len({one["title"] for one in board["panels"]}) == len(board["panels"]), name
        for one in board["panels"]:
            assert one["type"] == "text" or one["description"].endswith("."), one["title"]


def test_panels_name_metrics_and_labels_that_there_are() -> None:
    labels = {one.name: {*one.labels, "le"} for one in METRICS}
    for name, title, text in QUERIES:
        named = [re.sub(r"_(total|bucket|count|sum)$", "", one) for one in re.findall(r"\bimputedb_[a-z_]+", text)]
        assert set(named) <= set(labels), (name, title)
        used = {label for one in re.findall(r"\bby \(([\w, ]+)\)", text) for label in re.split(r", ", one)}
        used |= {label for one in re.findall(r"\{([^}]*)\}", text) for label in re.findall(r"(\w+)[!=~]+", one)}
        assert used <= set().union(*(labels[one] for one in named)), (name, title)
        assert named or title == "Memory"
    shown = {
        re.sub(r"_(total|bucket|count|sum)$", "", one)
        for *_, text in QUERIES
        for one in re.findall(r"\bimputedb_\w+", text)
    }
    assert len(shown) > 25


@pytest.fixture(scope="module")
def service(served: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Process, str]]:
    """A service that is asked all sorts of things, with the token that it is asked by."""
    folder = tmp_path_factory.mktemp("dashboards")
    token = tokens.added(folder / "tokens.toml", "ada", "analyst")
    told = f"side = '{folder}/side'\njobs = '{folder}/jobs'\n[security]\ntokens = '{folder}/tokens.toml'\n"
    with running(served, "--config", written(folder, told)) as found:
        yield found, token


@pytest.fixture(scope="module")
def asked(service: tuple[Process, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], Any]]:
    """What a real Prometheus that reads the service answers to a query."""
    if shutil.which("prometheus") is None:
        pytest.skip("prometheus is not installed")
    process, token = service
    folder = tmp_path_factory.mktemp("prometheus")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    (folder / "prometheus.yml").write_text(
        "global: {scrape_interval: 500ms}\nscrape_configs:\n  - job_name: imputedb\n"
        f"    static_configs: [{{targets: ['127.0.0.1:{process.port}']}}]\n"
    )
    command = ["prometheus", f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={folder}/data"]
    ran = subprocess.Popen([*command, f"--web.listen-address=127.0.0.1:{port}"], stderr=subprocess.DEVNULL)
    url, http = (
        f"http://127.0.0.1:{port}/api/v1/query",
        httpx.Client(headers={"authorization": f"Bearer {token}"}, timeout=60),
    )

    def found(text: str) -> Any:
        return httpx.get(url, params={"query": text}, timeout=30).json()["data"]["result"]

    try:
        _until(lambda: found("up") and found("up")[0]["value"][1] == "1")
        _busy(http, process.url)
        _until(lambda: found("imputedb_downstream_delta") and found("imputedb_hidden_cell_error"))
        _ask(http, process.url, 4)
        yield found
    finally:
        ran.terminate()
        ran.wait(20)
        http.close()


def _busy(http: httpx.Client, url: str) -> None:
    for job in JOBS:
        http.post(f"{url}/v1/jobs", json=job).raise_for_status()
    _ask(http, url, 1)
    last = time.monotonic() + 120
    while any(job["state"] in ("waiting", "running") for job in http.get(f"{url}/v1/jobs").json()):
        assert time.monotonic() < last
        time.sleep(0.2)


def _ask(http: httpx.Client, url: str, times: int) -> None:
    for place in range(times):
        for body in (
            {"sql": "SELECT avg(weight) AS w FROM person", "m": 3},
            {"sql": f"SELECT sex, avg(weight) FROM person WHERE id > {place} GROUP BY sex", "imputer": "knn"},
            {"sql": "SELECT nix"},
        ):
            http.post(f"{url}/v1/query", json=body)
        time.sleep(0.7)


def _until(holds: Callable[[], object]) -> None:
    last = time.monotonic() + 60
    while True:
        try:
            if holds():
                return
        except (httpx.HTTPError, ValueError):
            pass
        assert time.monotonic() < last
        time.sleep(0.2)


def test_each_panel_shows_something_of_a_service_that_is_asked(asked: Callable[[str], Any]) -> None:
    for name, title, text in QUERIES:
        query = text.replace("$__rate_interval", "20s")
        values = [one["value"][1] for one in asked(query)]
        assert any(value not in ("NaN", "+Inf") for value in values), (name, title, query, values)
