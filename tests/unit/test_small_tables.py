"""Tables of one column, of a key alone, of nothing: whatever is asked of them is done, or refused in words."""

import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import imputedb
from imputedb import Database
from imputedb.errors import DataError, Error, InternalError

TABLES = {
    "one": "SELECT CASE WHEN i % 3 > 0 THEN i * 1.0 END AS y FROM range(30) AS r(i)",
    "one_text": "SELECT CASE WHEN i % 3 > 0 THEN 'c' || i % 2 END AS y FROM range(30) AS r(i)",
    "one_date": "SELECT CASE WHEN i % 3 > 0 THEN DATE '2020-01-01' + i::INTEGER END AS y FROM range(30) AS r(i)",
    "one_list": "SELECT CASE WHEN i % 3 > 0 THEN [i] END AS y FROM range(30) AS r(i)",
    "key": "SELECT i AS y FROM range(30) AS r(i)",
    "text_key": "SELECT 'a' || i AS y FROM range(30) AS r(i)",
    "key_and_one": "SELECT i AS id, CASE WHEN i % 3 > 0 THEN i * 1.0 END AS y FROM range(30) AS r(i)",
    "complete": "SELECT i AS id, i * 2.0 AS y, 'c' || i % 2 AS c FROM range(30) AS r(i)",
    "constant": "SELECT 1 AS k, CASE WHEN i % 3 > 0 THEN 2.0 END AS y FROM range(30) AS r(i)",
    "empty": "SELECT 1 AS id, 2.0 AS y WHERE false",
    "one_row": "SELECT 1 AS id, NULL::DOUBLE AS y, 2.0 AS z",
    "unseen": "SELECT i AS id, NULL::DOUBLE AS y FROM range(9) AS r(i)",
}

CALLS: dict[str, Callable[[Database, str, Path], object]] = {
    "audit": lambda db, name, _: db.audit(name, into=f"audit_of_{name}"),
    "scan": lambda db, name, _: db.scan(name),
    "evaluate": lambda db, name, _: db.evaluate(name, imputer="tree"),
    "cells": lambda db, name, _: db.cells(name, "y"),
    "mcar": lambda db, name, _: db.mcar(name),
    "flux": lambda db, name, _: db.flux(name),
    "profile": lambda db, name, _: db.profile(name),
    "pictures": lambda db, name, _: db.pictures(name),
    "likelihood": lambda db, name, _: db.likelihood(name),
    "ampute": lambda db, name, _: db.ampute(name, f"holes_of_{name}"),
    "why": lambda db, name, _: db.why(name, "y", 0),
    "model": lambda db, name, _: db.create_model(f"model_of_{name}", name),
    "sql": lambda db, name, _: db.sql(f"SELECT count(*), count(y), min(y) FROM {name}", m=2),
    "bounds": lambda db, name, _: db.sql(f"SELECT count(y) FROM {name}", method="bounds"),
    "ml": lambda db, name, _: db.sql(f"SELECT avg(y) FROM {name}", method="ml"),
    "impute": lambda db, name, folder: db.impute(name, out=folder / "run", m=2, imputer="hotdeck"),
}


@pytest.fixture(scope="module")
def db() -> Database:
    found = imputedb.connect()
    for name, query in TABLES.items():
        found.execute(f"CREATE TABLE {name} AS {query}")
    return found


@pytest.mark.sampled(3)
@pytest.mark.parametrize("call", CALLS)
def test_a_small_table_is_answered_or_refused_in_words(db: Database, call: str, tmp_path: Path) -> None:
    for name in TABLES:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            said = _refusal(lambda name=name: CALLS[call](db, name, tmp_path / name))
        assert not said.endswith((":", ",")), (name, said)


def _refusal(work: Callable[[], object]) -> str:
    """The words of a refusal; empty where there is none."""
    try:
        work()
    except InternalError:
        raise
    except Error as error:
        return str(error).strip()
    return ""


@pytest.mark.parametrize("call", ["audit", "scan", "evaluate"])
@pytest.mark.parametrize("name", ["key", "text_key", "constant", "unseen", "one_list", "empty"])
def test_that_nothing_tells_of_others_is_said(db: Database, call: str, name: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=f"no column of {name} tells anything of others"):
        CALLS[call](db, name, tmp_path)


@pytest.mark.parametrize("temporary", [True, False])
def test_a_table_is_made_under_no_name_that_means_another(temporary: bool, tmp_path: Path) -> None:
    """A copy of a registered table under its own name was hidden by that table: no hole was seen."""
    db = imputedb.connect()
    db.register("t", {"x": np.arange(30.0), "y": np.ma.masked_array(np.arange(30.0), np.arange(30) % 3 == 0)})
    if not temporary:
        db.execute("CREATE TABLE kept AS FROM t")
    name = "t" if temporary else "kept"
    (tmp_path / f"{name}.csv").write_text("x,y\n1,2\n", encoding="utf-8")
    for call in (
        lambda: db.ampute(name, name),
        lambda: db.ampute(name, name.upper()),
        lambda: db.audit(name, into=name),
        lambda: db.load(str(tmp_path / f"{name}.csv"), replace=temporary),
    ):
        with pytest.raises(DataError, match="there is a"):
            call()
    assert db.sql(f"SELECT count(*) FROM {name}").fetchall() == [(30,)]
