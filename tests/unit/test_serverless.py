"""The handler of functions that are started on demand."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import imputedb
from imputedb import Database, serverless
from imputedb.errors import DataError, QueryError

COLD = 1.5
"""Processor seconds of a first answer, interpreter included."""


@pytest.fixture
def model(db: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> imputedb.Model:
    x = np.arange(40.0)
    db.register("t", {"x": x, "y": np.where(x % 4 == 0, np.nan, 2 * x)})
    made = db.create_model("line", "t", ["y"], imputer="norm", draws=2)
    made.save(tmp_path / "line.model")
    monkeypatch.setenv(serverless.MODEL, str(tmp_path / "line.model"))
    return made


def test_rows_are_filled_in_as_by_the_model(model: imputedb.Model) -> None:
    rows = [{"x": 3.0, "y": None}, {"x": 1.0, "y": 5.0}]
    told = serverless.handler({"rows": rows})
    assert told["rows"] == model.apply(rows)
    assert told["imputed"] == [["y"], []]
    assert (told["model"], told["digest"]) == ("line@1", model.digest)
    drawn = serverless.handler({"rows": rows, "draw": 1, "keys": [7, 8]})
    assert drawn["rows"] == model.apply(rows, draw=1, keys=[7, 8])


def test_a_proxy_gets_a_status_and_json(model: imputedb.Model, monkeypatch: pytest.MonkeyPatch) -> None:
    assert model
    done = serverless.handler({"body": json.dumps({"rows": [{"x": 3.0, "y": None}]})}, object())
    assert (done["statusCode"], json.loads(done["body"])["imputed"]) == (200, [["y"]])
    for body in ("no JSON", "[1]", "{}", json.dumps({"rows": [{"y": None}]}), None):
        refused = serverless.handler({"body": body})
        assert refused["statusCode"] == 400, body
        assert json.loads(refused["body"])["detail"]
    monkeypatch.setenv(serverless.MODEL, "none.model")
    assert serverless.handler({"body": "{}"})["statusCode"] == 503
    monkeypatch.delenv(serverless.MODEL)
    assert serverless.handler({"body": "{}"})["statusCode"] == 503


def test_a_mistake_of_ours_is_no_mistake_of_the_caller(model: imputedb.Model, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> None:
        raise imputedb.InternalError("a promise is broken")

    monkeypatch.setattr(type(model), "apply", broken)
    refused = serverless.handler({"body": json.dumps({"rows": [{"x": 3.0, "y": None}]})})
    assert (refused["statusCode"], json.loads(refused["body"])["title"]) == (500, "InternalError")


def test_mistakes_are_named_and_a_new_file_is_read(model: imputedb.Model, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(QueryError, match="no field 'row'"):
        serverless.handler({"row": []})
    with pytest.raises(DataError, match="x"):
        serverless.handler({"rows": [{"y": None}]})
    with pytest.raises(QueryError, match="are more than 10,000"):
        serverless.handler({"rows": [{}] * 10_001})
    Path(os.environ[serverless.MODEL]).write_bytes(b"something else")
    with pytest.raises(imputedb.StorageError, match="not a model"):
        serverless.handler({"rows": []})
    monkeypatch.delenv(serverless.MODEL)
    with pytest.raises(imputedb.StorageError, match="names no file"):
        serverless.handler({"rows": []})
    assert model


def test_a_cold_start_takes_less_than_it_may(model: imputedb.Model) -> None:
    """Processor time, which other programs of the machine do not add to; the least of two starts."""
    code = (
        "from imputedb.serverless import handler; handler({'rows': [{'x': 3.0, 'y': None}]}); "
        "import time; print(time.process_time())"
    )
    told = [subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True) for _ in range(2)]
    assert min(float(one.stdout) for one in told) < COLD
    assert model
