"""Commands about assumptions, what looks missing, holes and pictures of them, and runs of completed data sets."""

import json
import os
import re
import shlex
import shutil
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

import imputedb
from imputedb import Database
from imputedb.cli.main import main
from imputedb.diagnostics.missing_pictures import MOST_ROWS, pictures
from imputedb.errors import Error


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, list(arguments))


def data(*arguments: str) -> list[dict[str, object]]:
    ran = run(*arguments, "--format", "json")
    assert ran.exception is None, ran.exception
    found: list[dict[str, object]] = json.loads(ran.stdout)
    return found


@pytest.fixture(scope="module")
def survey(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = str(tmp_path_factory.mktemp("analysis") / "d.duckdb")
    rng = np.random.default_rng(0)
    x, z = rng.normal(50, 10, (2, 300))
    gone = rng.random(300) < 0.3
    with imputedb.connect(path) as db:
        columns = {"id": np.arange(300), "x": x, "y": np.ma.masked_array(x + rng.normal(0, 5, 300), gone), "z": z}
        db.register("t", columns, keep=True)
        db.register("w", {"x": np.ma.masked_array(x, np.arange(300) % 4 == 0), "s": ["a", "b", "c"] * 100}, keep=True)
    return path


def test_mcar_and_flux_are_those_of_arrays(survey: str) -> None:
    (little,) = data("mcar", survey, "t")
    with imputedb.connect(survey, read_only=True) as db:
        found = db.mcar("t")
        assert (little["statistic"], little["df"], little["p"]) == (found.statistic, found.df, found.p_value)
        flux = db.flux("t")
    rows = {row["column"]: row for row in data("flux", survey, "t")}
    assert (rows["y"]["influx"], rows["x"]["outflux"]) == (flux["y"].influx, flux["x"].outflux)
    assert (rows["x"]["influx"], rows["x"]["outflux"]) == (0.0, 1.0)


def test_assumptions_are_commands(survey: str, tmp_path: Path) -> None:
    sql = "SELECT avg(y) AS m FROM t"
    lines = data("compare", survey, sql, "--ways", "norm,bounds", "--shift", "y=5", "--m", "4")
    assert [line["way"] for line in lines] == ["norm", "bounds", "norm, y +5"]
    assert float(str(lines[2]["estimate"])) > float(str(lines[0]["estimate"]))
    out = tmp_path / "f.svg"
    assert run("compare", survey, sql, "--ways", "norm", "--m", "3", "--picture", str(out)).exception is None
    assert "<svg" in out.read_text()
    points = json.loads(
        run(
            "sensitivity", survey, sql, "y", "--m", "4", "--format", "json", "--crosses", "50", "--", "-10", "10"
        ).stdout
    )
    assert [point["size"] for point in points] == [-10.0, 0.0, 10.0]
    (many,) = data("how-many", survey, sql, "--pilot", "5", "--imputer", "norm")
    assert int(str(many["m"])) > 1
    assert {row["metric"] for row in data("scan", survey, "t")} >= {"gower", "euclidean"}
    ran = run("audit", "cells", survey, "t", "reasons", "--limit", "5")
    assert (ran.exception, "5 of" in ran.stderr) == (None, True)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("mcar", "{db}", "none"), "no table"),
        (("mcar", "{db}", "x", "--format", "xml"), "xml"),
        (("compare", "{db}", "SELECT avg(y) FROM t", "--shift", "y"), "not COLUMN=SIZE"),
        (("compare", "{db}", "SELECT avg(y) FROM t", "--ways", "guess"), "no imputer 'guess'"),
        (("sensitivity", "{db}", "SELECT avg(y) FROM t", "nothing", "1", "--m", "3"), "nothing"),
        (("sensitivity", "{db}", "SELECT avg(y) FROM t", "y", "0"), "besides 0"),
        (("how-many", "{db}", "SELECT avg(y) FROM t", "--pilot", "1"), "one draw"),
        (("ampute", "{db}", "t", "t2", "--share", "2"), "the share is 2.0"),
        (("ampute", "{db}", "t", "w"), "already: give the copy another name"),
        (("ampute", "{db}", "w", "w2", "--mechanism", "mar", "--columns", "s"), "not of numbers"),
        (("ampute", "{db}", "w", "w2", "--columns", "q"), "no column 'q'"),
        (("ampute", "{db}", "w", "w2", "--mechanism", "mar", "--columns", "x"), "only column of numbers"),
        (("missing", "{db}", "t", "x", "many"), "is not a value of t.x"),
        (("missing", "{db}", "t", "q", "1"), "no column 'q'"),
        (("runs", "list", "none"), "no folder none"),
        (("profile", "{db}", "t", "--pictures", "/dev/null/x"), "cannot write into"),
    ],
)
def test_mistakes_are_answered(survey: str, arguments: tuple[str, ...], words: str) -> None:
    ran = run(*(one.format(db=survey) for one in arguments))
    assert ran.exit_code != 0
    assert words in ran.stderr + str(ran.exception), (ran.stderr, ran.exception)
    assert isinstance(ran.exception, Error | SystemExit), ran.exception


@pytest.mark.parametrize("mechanism", ["mcar", "mar", "mnar"])
def test_holes_have_their_share_and_their_mechanism(db: Database, mechanism: str) -> None:
    rng = np.random.default_rng(1)
    x, noise = rng.normal(size=(2, 4000))
    db.register("t", {"x": x, "y": x + noise, "g": ["a", "b"] * 2000}, keep=True)
    made = db.ampute("t", "u", share=0.3, mechanism=mechanism, columns=["y"], seed=2)  # type: ignore[arg-type]
    assert set(made) == {"y"}
    assert abs(made["y"].made / 4000 - 0.3) < 0.03
    ((gone, seen, own, whole),) = db.execute(
        "SELECT avg(t.x) FILTER (u.y IS NULL), avg(t.x) FILTER (u.y IS NOT NULL), "
        "avg(t.y) FILTER (u.y IS NULL) - avg(t.y) FILTER (u.y IS NOT NULL), count(*) FILTER (t.x IS DISTINCT FROM u.x) "
        "FROM t POSITIONAL JOIN u"
    )
    assert whole == 0
    assert (abs(gone - seen) < 0.1) == (mechanism == "mcar")
    assert (abs(own) < 0.15) == (mechanism == "mcar")
    assert db.ampute("t", "again", share=0.3, mechanism=mechanism, columns=["y"], seed=2) == made  # type: ignore[arg-type]
    assert db.execute("SELECT count(*) FROM u POSITIONAL JOIN again WHERE u.y IS DISTINCT FROM again.y") == [(0,)]


@pytest.mark.parametrize("mechanism", ["mcar", "mar", "mnar"])
@pytest.mark.filterwarnings("error")
def test_holes_are_told_from_what_missed_before(db: Database, mechanism: str) -> None:
    db.execute(
        "CREATE TABLE t AS SELECT CASE WHEN i % 4 = 0 THEN -9 ELSE i END AS x, "
        "CASE WHEN i % 3 > 0 THEN i END AS y, NULL::DOUBLE AS z FROM range(600) r(i)"
    )
    db.missing("t", "x", [-9])
    made = db.ampute("t", "u", share=0.3, mechanism=mechanism)  # type: ignore[arg-type]
    ((codes, *missing),) = db.execute(
        "SELECT count(*) FILTER (x = -9), count(*) - count(x), count(*) - count(y), count(*) - count(z) FROM u"
    )
    assert codes == 0
    assert [made[name].missing for name in "xyz"] == missing
    assert [made[name].missing - made[name].made for name in "xyz"] == [150, 200, 600]
    assert made["x"].made > 0
    db.execute("CREATE TABLE empty AS FROM t LIMIT 0")
    assert {(one.made, one.missing) for one in db.ampute("empty", "none", mechanism=mechanism).values()} == {(0, 0)}  # type: ignore[arg-type]


SUSPECTS = {
    "codes above": ([12, 30, 25, 99, 99, 18, 22] * 5, ("99",)),
    "two codes": ([3, 5, 8, 77, 99, 77, 99] * 5, ("77", "99")),
    "codes below": ([120.5, 300, 250, -9, -9, 180, -8, -8] * 5, ("-9", "-8")),
    "zeros among large ones": ([120, 180, 150, 0, 0, 140] * 5, ("0",)),
    "zeros among small ones": ([0, 1, 2, 3, 4, 1, 0] * 5, None),
    "a hundred marks": ([97, 98, 99, 100, 88, 77, 96] * 5, None),
    "cold days": ([*range(-9, 30)] * 3, None),
    "one of a cent": ([-1, 0.5, 1.2, 2.2, 3.1, -1] * 5, None),
    "once alone": ([*range(20, 60), 999], None),
    "negative values": ([-9, -4, -1, 3, 6, -9, -7] * 5, None),
    "words": (["a", "b", "NA", "None"] * 5, ("NA", "None")),
    "numbers and a word": (["1", "2", "3", "four"] * 5, ("four",)),
    "numbers as text": (["01", "02", "03", "04"] * 5, None),
}


@pytest.mark.parametrize(("values", "found"), SUSPECTS.values(), ids=SUSPECTS)
def test_what_looks_missing_is_named_and_mended(
    db: Database, values: list[object], found: tuple[str, ...] | None
) -> None:
    db.register("t", {"id": np.arange(len(values)), "v": values})
    suspects = db.profile("t")[0].suspects
    assert (suspects[0].values if suspects else None) == found
    if found is not None:
        rows = sum(
            str(value) in found or f"{value:g}" in found if not isinstance(value, str) else value in found
            for value in values
        )
        assert suspects[0].rows == rows
        eval(suspects[0].mend("t"), {"db": db})
        assert db.profile("t")[0].columns[1].missing == rows
        assert db.profile("t")[0].suspects == ()


def test_profile_names_the_command_and_draws(tmp_path: Path) -> None:
    (tmp_path / "p.csv").write_text(
        "id,age\n" + "".join(f"{i},{999 if i % 9 == 0 else 20 + i % 40}\n" for i in range(90))
    )
    db = str(tmp_path / "d.duckdb")
    assert run("load", db, str(tmp_path / "p.csv")).exception is None
    shown = run("profile", db).stdout
    assert "age: 10 x '999', far from all other values" in shown
    command = re.search(r"imputedb (missing .*)", shown)
    assert command is not None
    assert "10 cells are missing" in run(*command[1].split()).stderr
    assert "999" not in run("profile", db).stdout.split("patterns")[1]
    assert run("missing", db, "p", "age").exception is None
    assert run("missing", db, "p", "age", "-1").exception is None
    (told,) = data("profile", db)
    assert told["table"] == "p"
    assert "<table>" in run("profile", db, "--format", "html").stdout
    assert run("profile", db, "--pictures", str(tmp_path / "out"), "--picture-format", "svg").exception is None
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"p-matrix.svg", "p-bars.svg"}


@pytest.mark.parametrize(("rows", "columns"), [(1, 1), (40, 5), (3 * MOST_ROWS, 9), (30, 60)])
def test_pictures_are_drawn_of_any_size_and_name(rows: int, columns: int, tmp_path: Path) -> None:
    flags = np.random.default_rng(0).random((rows, columns)) < 0.3
    flags[:, 0] = False
    names = [("$x^2$", "", "\n", "a" * 40, "größe")[place % 5] + str(place) for place in range(columns)]
    found = pictures(flags, names, "t$")
    assert {"matrix", "bars"} <= set(found)
    assert ("dendrogram" in found) == (columns > 2)
    for name, figure in found.items():
        figure.savefig(tmp_path / f"{name}.png")
        figure.canvas.draw()
        for axes in figure.axes:
            labels = [one.get_window_extent() for one in axes.get_yticklabels() if one.get_text()]
            tops = sorted((box.y0, box.y1) for box in labels)
            assert all(below[1] <= above[0] + 2 for below, above in pairwise(tops)), name


def test_the_command_that_is_suggested_is_one_command(tmp_path: Path) -> None:
    db, touched = str(tmp_path / "d.duckdb"), tmp_path / "touched"
    column, table = f"x; touch {touched}", "a 't'"
    with imputedb.connect(db) as made:
        made.register(table, {column: [-999 if i % 10 == 0 else 20 + i % 43 for i in range(100)]}, keep=True)
    command = re.search(r"imputedb (missing .*)", run("profile", db).stdout)
    assert command is not None
    assert shlex.split(command[1]) == ["missing", db, table, column, "-999"]
    assert "10 cells are missing" in run(*shlex.split(command[1])).stderr


def test_runs_are_listed_verified_and_pruned(survey: str, tmp_path: Path) -> None:
    out = str(tmp_path / "runs")
    for seed in ("1", "2", "3"):
        asked = ("impute", survey, "t", "--out", out, "--m", "2", "--imputer", "norm", "--seed", seed)
        assert run(*asked).exception is None
    listed = data("runs", "list", out)
    assert [row["current"] for row in listed] == [False, False, True]
    assert [row["m"] for row in listed] == [2, 2, 2]
    assert run("runs", "verify", out).exit_code == 0
    assert len(run("runs", "prune", out, "--keep", "2", "--dry-run").stdout.split()) == 1
    assert len(data("runs", "list", out)) == 3
    foreign, damaged, nested, link = (Path(out) / name for name in ("foreign", "damaged", "nested", "link"))
    for folder in (foreign, damaged):
        folder.mkdir()
    (foreign / "manifest.json").write_text('{"name": "an extension"}')
    (damaged / "manifest.json").write_text("{")
    shutil.copytree(Path(out) / str(listed[0]["run"]), nested / "of others")
    shutil.copy(nested / "of others" / "manifest.json", nested)
    (nested / "CURRENT").symlink_to("of others")
    link.symlink_to(str(listed[0]["run"]))
    for old in (foreign, damaged, nested):
        os.utime(old, (0, 0))
    pruned = run("runs", "prune", out, "--keep", "3")
    assert (pruned.exception, pruned.stdout) == (None, "")
    assert sorted(line.split()[0] for line in pruned.stderr.splitlines() if " stays: " in line) == [
        *("damaged", "foreign", "link", "nested")
    ]
    assert all(one.exists() for one in (foreign, damaged, nested / "of others", link))
    link.unlink()
    for folder in (foreign, damaged, nested):
        shutil.rmtree(folder)
    next((Path(out) / str(listed[2]["run"])).rglob("*.parquet")).write_bytes(b"nothing")
    wrong = run("runs", "verify", out)
    assert (wrong.exit_code, "1 of 3 runs are not what was written" in str(wrong.exception)) == (1, True)
    assert run("runs", "prune", out).exception is None
    assert [row["run"] for row in data("runs", "list", out)] == [one["run"] for one in listed[1:]]
