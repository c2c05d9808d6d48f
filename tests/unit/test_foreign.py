"""No exception of DuckDB comes out of a closed database or a damaged run: each is one of ours."""

import importlib
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import imputedb
from imputedb import Database, InternalError, StorageError
from imputedb.border import ours, outside

CALLS: dict[str, Callable[[Database], object]] = {
    "sql": lambda db: db.sql("SELECT avg(x) FROM t"),
    "verbatim": lambda db: db.sql("SELECT 42"),
    "other statements": lambda db: db.sql("CREATE TABLE u (a INT)"),
    "explain": lambda db: db.explain("SELECT avg(x) FROM t"),
    "frontier": lambda db: db.frontier("SELECT avg(x) FROM t"),
    "execute": lambda db: db.execute("SELECT 42"),
    "why": lambda db: db.why("t", "x", 1),
    "audit": lambda db: db.audit("t", "into"),
    "evaluate": lambda db: db.evaluate("t", imputer="mean"),
    "register": lambda db: db.register("u", {"a": [1]}),
}


@pytest.mark.parametrize("call", CALLS)
def test_a_closed_database_says_so(call: str) -> None:
    db = imputedb.connect()
    db.register("t", {"id": np.arange(9), "x": np.ma.masked_array(np.arange(9.0), np.arange(9) % 3 == 0)})
    held = db.sql("SELECT x FROM t")
    db.close()
    with pytest.raises(imputedb.Error):
        CALLS[call](db)
    for read in (held.fetchall, held.fetchone, held.fetchnumpy, lambda: len(held)):
        with pytest.raises(imputedb.Error):
            read()
    db.close()


@pytest.mark.parametrize(
    "damage", [{"files": [{"file": "../../secret", "sha256": ""}] * 2}, {"m": "2"}, {"files": 5}, []]
)
def test_a_damaged_manifest_and_paths_out_of_its_folder_are_refused(tmp_path: Path, damage: object) -> None:
    with imputedb.connect() as db:
        db.register("t", {"id": np.arange(9), "x": np.ma.masked_array(np.arange(9.0), np.arange(9) % 3 == 0)})
        done = db.impute("t", tmp_path / "out", m=2, imputer="norm")
    done.files[0].write_bytes(b"no parquet")
    with pytest.raises(StorageError, match="cannot be read"):
        done.frame(1)
    manifest = done.folder / "manifest.json"
    told = json.loads(manifest.read_text())
    manifest.write_text(json.dumps({**told, **damage} if isinstance(damage, dict) else damage))
    with pytest.raises(StorageError, match="damaged"):
        imputedb.completed(tmp_path / "out")


def test_a_package_that_is_not_installed_is_named_with_its_extra() -> None:
    error = ours(ModuleNotFoundError("No module named 'statsmodels'", name="statsmodels"))
    assert str(error) == "this needs statsmodels: pip install 'imputedb[models]'"
    with pytest.raises(InternalError, match="gone"):
        outside(lambda: importlib.import_module("imputedb.gone"))
