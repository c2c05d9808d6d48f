"""A small database that is served, and services over it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import imputedb

pytest.importorskip("fastapi", reason="the extra imputedb[server] is not installed")
pytest.importorskip("httpx", reason="httpx, by which the service is asked, is not installed")

from starlette.testclient import TestClient

from imputedb.service.configuration import Configuration
from imputedb.service.core import Core
from imputedb.service.http.background import Background
from imputedb.service.http.routes import application
from imputedb.service.jobs.runner import JobRunner
from imputedb.service.jobs.store import Jobs
from imputedb.service.metrics.meter import Meter
from imputedb.service.request import Principal, Request
from imputedb.service.security.tokens import Credentials
from imputedb.service.side import Side

READER = Principal("ann", "reader")


def made(path: Path, rows: int = 300) -> Path:
    """A database with a table that misses values, a view, macros, a second schema and a kept model."""
    rng = np.random.default_rng(7)
    height = rng.normal(170, 8, rows)
    weight = np.round(height - 100 + rng.normal(0, 6, rows), 1)
    sex = np.where(rng.random(rows) < 0.5, "f", "m").astype(object)
    sex[rng.random(rows) < 0.1] = None
    gone = rng.random(rows) < 0.25
    with imputedb.connect(path) as db:
        people = {"id": np.arange(rows), "height": height, "weight": np.ma.masked_array(weight, gone), "sex": sex}
        db.register("person", people, keep=True)
        db.execute("CREATE VIEW tall AS SELECT * FROM person WHERE height > 175")
        db.execute("CREATE SCHEMA secret")
        db.execute("CREATE TABLE secret.pin AS SELECT 4711 AS pin")
        db.execute("CREATE MACRO bmi(w, h) AS w / (h / 100) ** 2")
        db.execute("CREATE MACRO taller(x) AS TABLE SELECT * FROM person WHERE height > x")
        db.execute("CREATE MACRO anything(x) AS TABLE SELECT * FROM query(x)")
        db.execute("CREATE MACRO anyfile(x) AS TABLE SELECT * FROM read_text(x)")
        db.policy("person", "height", low=30)
        db.create_model("vitals", "person", draws=5, seed=1)
    return path


@pytest.fixture(scope="session")
def served(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made(tmp_path_factory.mktemp("served") / "survey.duckdb")


def configuration(**given: Any) -> Configuration:
    return Configuration.model_validate({"memory": "500MB", **given})


@pytest.fixture
def core(served: Path) -> Iterator[Core]:
    found = Core(served, configuration(), lambda _: None)
    yield found
    found.close()


@pytest.fixture
def client(core: Core, tmp_path: Path) -> Iterator[TestClient]:
    with asking(core, tmp_path) as found:
        yield found


@contextmanager
def asking(core: Core, folder: Path) -> Iterator[TestClient]:
    """The HTTP door of a core, its jobs kept in a folder and not run."""
    credentials = Credentials(core.configuration.security, is_loopback=core.configuration.is_loopback)
    side = Side(folder / "side.imputedb")
    jobs = Jobs(side)
    runner = JobRunner(jobs, folder, "100MB", folder, lambda _: None)
    app = application(core, credentials, Meter().exposition, Background(core, jobs, runner, side))
    with TestClient(app, base_url="http://127.0.0.1") as found:
        yield found
    side.close()


@pytest.fixture
def ask(core: Core) -> Callable[..., list[tuple[Any, ...]]]:
    """Asks the core for the rows of a statement."""

    def asked(text: str, **given: Any) -> list[tuple[Any, ...]]:
        run = core.answer(Request(READER, text, **given), lambda result, count, _: result.first(count))
        answer = run.future.result(60)
        answer.close()
        found: list[tuple[Any, ...]] = answer.body
        return found

    return asked


@contextmanager
def clients(path: Path, folder: Path, **given: Any) -> Iterator[TestClient]:
    """The HTTP door of a service of its own."""
    core = Core(path, configuration(**given), lambda _: None)
    try:
        with asking(core, folder) as found:
            yield found
    finally:
        core.close()
