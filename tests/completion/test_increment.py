"""Incremental runs: new and corrected rows alone are handed to a kept model, and the run is that of all rows."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import imputedb
from imputedb import Completed, Database
from imputedb.completion.increment import INDEX
from imputedb.completion.publication import current
from imputedb.errors import Beyond, DataError, QueryError, UnknownName
from tests.cli.command import run


@pytest.fixture(scope="module")
def learnt(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database with a model of x and g, of rows with a number, a category, a date and an interval."""
    rng, path = np.random.default_rng(0), tmp_path_factory.mktemp("learnt") / "events.duckdb"
    z, n = rng.normal(size=300), 300
    x = np.where(rng.random(n) < 0.3, np.nan, z + rng.normal(size=n))
    g = np.where(rng.random(n) < 0.3, None, np.where(z > 0, "a", "b")).astype(object)
    with imputedb.connect(path) as db:
        db.register("events", {"id": np.arange(n), "z": z, "x": x, "g": g}, keep=True)
        db.execute("ALTER TABLE events ADD COLUMN span INTERVAL")
        db.execute("UPDATE events SET span = to_hours(CAST(id % 5 AS INT))")
        db.create_model("line", "events", ["x", "g"], imputer="norm", draws=3)
    return path


@pytest.fixture
def db(learnt: Path, tmp_path: Path) -> Iterator[Database]:
    (tmp_path / "events.duckdb").write_bytes(learnt.read_bytes())
    with imputedb.connect(tmp_path / "events.duckdb") as found:
        yield found


def contents(done: Completed) -> list[bytes]:
    return [path.read_bytes() for path in done.files]


def told(done: Completed) -> dict[str, Any]:
    found: dict[str, Any] = done.manifest["increment"]
    return {name: found[name] for name in ("new", "changed", "same", "gone", "handed")}


def changes(done: Completed) -> dict[int, str]:
    frame = imputedb.connect().execute(
        f"SELECT id, \".change\" FROM '{done.folder / INDEX}' WHERE \".change\" <> 'same'"
    )
    return dict(frame)


def test_an_incremental_run_is_that_of_all_rows(db: Database, tmp_path: Path) -> None:
    first = db.increment("events", tmp_path / "out", "line", "id")
    assert told(first) == {"new": 300, "changed": 0, "same": 0, "gone": 0, "handed": 300}
    db.execute("INSERT INTO events BY NAME SELECT 1000 AS id, 0.5 AS z UNION ALL SELECT -7, 1.5")
    db.execute("UPDATE events SET x = NULL, z = 9 WHERE id IN (4, 5)")
    db.execute("UPDATE events SET span = to_hours(99) WHERE id = 6")
    db.execute("DELETE FROM events WHERE id = 8")
    second = db.increment("events", tmp_path / "out", "line", "id")
    assert told(second) == {"new": 2, "changed": 3, "same": 296, "gone": 1, "handed": 5}
    assert second.manifest["increment"]["base"] == first.folder.name
    assert changes(second) == {1000: "new", -7: "new", 4: "changed", 5: "changed", 6: "changed", 8: "gone"}
    whole = db.increment("events", tmp_path / "whole", "line", "id")
    assert told(whole)["handed"] == 301
    assert (whole.folder.name, contents(whole)) == (second.folder.name, contents(second))
    assert current(tmp_path / "out") == second.folder.name
    frame = second.frame(2).set_index("id")
    assert frame[["x", "g"]].notna().all().all()
    assert frame.loc[1000, ["x__imputed", "g__imputed"]].all()
    before = first.frame(2).set_index("id")
    same = before.index.difference([4, 5, 6, 8])
    assert before.loc[same].equals(frame.loc[same])
    assert second.manifest["columns"]["x"]["imputed"] == frame["x__imputed"].sum()


def test_draws_are_those_of_the_model(db: Database, tmp_path: Path) -> None:
    """In another order and beside other rows, too: a key is enough."""
    done = db.increment("SELECT * FROM events ORDER BY z", tmp_path / "out", "line", ["ID"], m=2)
    rows = db.execute("SELECT id, z, x, g, span FROM events WHERE id BETWEEN 10 AND 40 ORDER BY id")
    given = [dict(zip(("id", "z", "x", "g", "span"), row, strict=True)) for row in rows]
    for draw in (0, 1):
        filled = db.model("line").apply(given, draw=draw, keys=[row["id"] for row in given])
        frame = done.frame(draw + 1).sort_values("id").set_index("id").loc[10:40]
        assert frame["x"].tolist() == [row["x"] for row in filled]
        assert frame["g"].tolist() == [row["g"] for row in filled]


def test_run_twice_it_makes_nothing(db: Database, tmp_path: Path) -> None:
    asked = ("increment", str(tmp_path / "events.duckdb"), "events", "--out", str(tmp_path / "out"), "--model", "line")
    db.close()
    once = run(*asked, "--key", "id", "--m", "2")
    assert once.returncode == 0, once.stderr
    assert "300 new, 0 changed, 0 gone, 0 the same: 300 handed to line@1" in once.stderr
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "out").rglob("*.*")}
    assert run(*asked, "--key", "id", "--m", "2").stdout == once.stdout
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "out").rglob("*.*")} == before
    for words, said in (
        (("--key", "none"), "no column 'none' for the key"),
        (("--key", "g"), "the key (g) is missing in"),
        (("--key", "span"), "has 5 values in 300 rows"),
        (("--key", "id,ID"), "a key is one column, or several different ones"),
        (("--key", "id", "--m", "4"), "has 3 draws, no draw 4"),
        (("--key", "id", "--model", "lines"), "no imputation model 'lines'"),
    ):
        refused = run(*asked, *words)
        assert (refused.returncode, said in refused.stderr) == (1, True), refused.stderr


@pytest.mark.filterwarnings("ignore:.*99")
def test_what_cannot_be_built_on_is_said_and_made_anew(db: Database, tmp_path: Path) -> None:
    out = tmp_path / "out"
    first = db.increment("events", out, "line", "id")
    db.execute("INSERT INTO events BY NAME SELECT 1000 AS id, 0.5 AS z")
    whole = contents(db.increment("events", tmp_path / "whole", "line", "id"))

    def again(*, key: Any = "id", m: int = 3) -> tuple[Completed, str]:
        done = db.increment("events", out, "line", key, m=m, beside=True)
        assert told(done)["handed"] == 301
        return done, str(done.manifest["increment"]["why"])

    assert again(key=["id", "z"])[1] == f"{first.folder.name} has the key id"
    index = (first.folder / INDEX).read_bytes()
    (first.folder / INDEX).write_bytes(b"torn")
    done, why = again()
    assert (why, contents(done)) == (f"{first.folder.name} is damaged", whole)
    (first.folder / INDEX).write_bytes(index)
    db.missing("events", "z", [99])
    assert "has other columns, types, policies or declared missing values" in again()[1]
    db.missing("events", "z", [])
    db.refresh_model("line")
    assert again()[1] == f"{first.folder.name} is of model line@1"
    plain = db.impute("events", out, m=1, imputer="mean")
    db.execute("UPDATE events SET z = 0 WHERE id = 1000")
    assert again()[1] == f"{plain.folder.name} was not made by a kept model"


def test_a_stopped_increment_goes_on(db: Database, tmp_path: Path) -> None:
    with pytest.raises(Beyond, match="1 of 3 draws are made"):
        db.increment("events", tmp_path / "out", "line", "id", budget=1e-9)
    assert current(tmp_path / "out") is None
    (part,) = (tmp_path / "out").glob(".tmp-*/m=1/part.parquet")
    written = part.stat().st_mtime_ns
    done = db.increment("events", tmp_path / "out", "line", "id")
    assert (done.m, done.files[0].stat().st_mtime_ns) == (3, written)


def test_a_schema_that_the_model_does_not_know_is_refused(db: Database, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"line@1 reads span, z, which SELECT .* does not have"):
        db.increment("SELECT id, x, g FROM events", tmp_path / "out", "line", "id")
    db.create_model("near", "events", ["x"], imputer="hotdeck")
    with pytest.raises(DataError, match="has no functions of a row"):
        db.increment("events", tmp_path / "out", "near", "id")
    with pytest.raises(UnknownName):
        db.increment("events", tmp_path / "out", "none", "id")
    with pytest.raises(QueryError, match="a key is"):
        db.increment("events", tmp_path / "out", "line", [])
    assert not (tmp_path / "out").exists()


def test_rows_unlike_those_that_were_learnt_from_are_warned_of(db: Database, tmp_path: Path) -> None:
    db.increment("events", tmp_path / "out", "line", "id", m=2)
    db.execute("INSERT INTO events BY NAME SELECT 1000 + i AS id, 50.0 AS z FROM range(250) r(i)")
    done = db.increment("events", tmp_path / "out", "line", "id", m=2)
    (note,) = done.warnings
    assert (note.kind.name, "z" in note.subject.split(", ")) == ("DRIFT", True)
    assert done.manifest["increment"]["drift"]["z"] > 1


def test_no_rows_are_a_run_of_none(db: Database, tmp_path: Path) -> None:
    done = db.increment("SELECT * FROM events WHERE false", tmp_path / "out", "line", "id")
    assert (len(done.frame(1)), told(done)["handed"]) == (0, 0)


def test_a_moment_as_the_key_is_one_in_every_time_zone(db: Database, tmp_path: Path) -> None:
    db.execute(
        "CREATE TABLE moments AS SELECT *, '2026-01-01 00:00:00+00'::TIMESTAMPTZ + to_hours(id) AS seen FROM events"
    )
    runs = []
    for place, zone in enumerate(("UTC", "Asia/Tokyo")):
        db.execute(f"SET TimeZone = '{zone}'")
        made = db.increment("SELECT seen, z, x, g, span FROM moments", tmp_path / str(place), "line", "seen")
        runs.append(made.frame(1)["x"].tolist())
    assert runs[0] == runs[1]
