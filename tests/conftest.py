"""What tests share: the real tables where they are, databases, and a way to look into plans."""

import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from zlib import crc32

import numpy as np
import pytest

import imputedb
from imputedb import Database

SHARED = Path(__file__).resolve().parents[2] / "shared"
TABLES = ("demo", "exams", "labs", "fcc", "gdp")


@pytest.fixture(scope="session")
def shared() -> Path:
    if not (SHARED / "data" / "demo.csv").exists():
        pytest.skip("the real tables of ../shared/data are not here")
    return SHARED


@pytest.fixture(scope="session")
def reference() -> Path:
    """The values that R gave; each file is read where it is needed."""
    if not (SHARED / "reference" / "pool_scalar.json").exists():
        pytest.skip("the reference values of ../shared/reference are not here")
    return SHARED / "reference"


@pytest.fixture(scope="session")
def real(shared: Path) -> Iterator[Database]:
    with imputedb.connect() as db:
        db.load(*(str(shared / "data" / f"{name}.csv") for name in TABLES))
        yield db


@pytest.fixture
def db() -> Iterator[Database]:
    with imputedb.connect() as database:
        yield database


@pytest.fixture
def people(db: Database) -> Database:
    """Two tables of 400 people with dependent columns, some values missing."""
    rng = np.random.default_rng(1)
    n = 400
    age = rng.integers(1, 80, n)
    height = np.round(60 + 110 * np.minimum(age, 18) / 18 + rng.normal(0, 5, n), 1)
    sex = np.where(rng.random(n) < 0.5, "f", "m").astype(object)
    gone = rng.random((4, n)) < 0.2
    sex[gone[2]] = None
    db.register("person", {"id": np.arange(n), "age": np.ma.masked_array(age, gone[0]), "sex": sex})
    db.register(
        "exam",
        {
            "id": np.arange(n),
            "height": np.ma.masked_array(height, gone[1]),
            "pulse": np.ma.masked_array(rng.integers(50, 90, n), gone[3]),
        },
    )
    return db


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--update-golden", action="store_true", help="write golden files anew")
    parser.addoption("--nightly", action="store_true", help="run every test, those that take minutes too")


@pytest.fixture
def update_golden(request: pytest.FixtureRequest) -> bool:
    return bool(request.config.getoption("--update-golden"))


def pytest_configure(config: pytest.Config) -> None:
    """Marks; and Ctrl-C as at a desk: what a script starts in the background is deaf to it, tests of it would wait."""
    config.addinivalue_line("markers", "nightly: takes so long that it runs under --nightly only")
    config.addinivalue_line("markers", "sampled(n): one in n of its cases runs, and all of them under --nightly")
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leaves to the nightly run what is marked so, and most cases of what is `sampled`; a test that is named runs."""
    if config.getoption("--nightly") or any("::" in argument for argument in config.args):
        return
    cases: dict[str, list[pytest.Item]] = {}
    for item in items:
        cases.setdefault(item.nodeid.partition("[")[0], []).append(item)
    left = {item for some in cases.values() for item in _left_to_the_night(some)}
    config.hook.pytest_deselected(items=[item for item in items if item in left])
    items[:] = [item for item in items if item not in left]


MANY = 8
"""Cases of one test of which a usual run takes half, where no mark says otherwise."""


def _left_to_the_night(cases: list[pytest.Item]) -> list[pytest.Item]:
    """Cases of one test that a usual run passes over: as good as chosen by chance, and the same ones every time."""
    sampled = cases[0].get_closest_marker("sampled")
    one_in = sampled.args[0] if sampled else 2 if len(cases) > MANY else 1
    kept = -(-len(cases) // one_in)
    passed_over = sorted(cases, key=lambda item: crc32(item.nodeid.encode()))[kept:]
    return [*passed_over, *(item for item in cases if item.get_closest_marker("nightly") and item not in passed_over)]


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """One worker more than there are processors: many tests wait, for a server or a process."""
    return (os.cpu_count() or 1) + 1


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """What failed, as soon as it did: a run that is ended early has told it."""
    if report.failed and "PYTEST_XDIST_WORKER" not in os.environ:
        sys.stderr.write(f"\nFAILED {report.nodeid}\n{report.longreprtext[-3000:]}\n")
