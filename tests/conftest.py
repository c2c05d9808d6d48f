"""What tests share: the real tables where they are, databases, and a way to look into plans."""

from collections.abc import Iterator
from pathlib import Path

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


@pytest.fixture
def update_golden(request: pytest.FixtureRequest) -> bool:
    return bool(request.config.getoption("--update-golden"))
