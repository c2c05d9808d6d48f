"""The command, as somebody at a terminal meets it."""

import csv
import io
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import duckdb
import numpy as np
import pytest

import imputedb
from tests.cli.command import run


@pytest.fixture(scope="module")
def survey(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("survey")
    lines = [f"{i},{i % 70 if i % 5 else ''},{77 if i % 11 == 0 else i % 9},{'fm'[i % 2]}\n" for i in range(500)]
    (folder / "people.csv").write_text("id,age,income,sex\n" + "".join(lines))
    path = str(folder / "survey.duckdb")
    loaded = run("load", path, str(folder / "people.csv"), "--missing", "income=77")
    assert loaded.returncode == 0, loaded.stderr
    assert loaded.stdout == ""
    assert "people: 500 rows" in loaded.stderr
    return path


def test_load_takes_patterns_and_names_like_patterns(tmp_path: Path) -> None:
    for place, name in enumerate(("a.csv", "b.csv", "c[1].csv", "c1.csv")):
        (tmp_path / name).write_text("v\n" + f"{place}\n" * (place + 1))
    db = str(tmp_path / "d.duckdb")
    ran = run("load", db, str(tmp_path / "[ab].csv"))
    assert (ran.returncode, ran.stderr) == (0, "a: 1 rows\nb: 2 rows\n")
    ran = run("load", db, str(tmp_path / "*1*.csv"), "--table", "both")
    assert "both: 7 rows from" in ran.stderr
    ran = run("load", db, str(tmp_path / "c[1].csv"))
    assert "c[1]: 3 rows from" in ran.stderr
    with imputedb.connect(db) as database:
        assert database.execute('SELECT DISTINCT v FROM "c[1]"') == [(2,)]


SQL = "SELECT sex, avg(age) AS age FROM people WHERE income > 2 GROUP BY sex ORDER BY sex"


def test_json_is_a_contract(survey: str) -> None:
    ran = run("query", survey, SQL, "--alpha", "0.5", "--imputer", "mean", "--seed", "7", "--format", "json")
    assert ran.returncode == 0, ran.stderr
    data = json.loads(ran.stdout)
    assert set(data) == {"columns", "rows", "report"}
    wanted = "m method interval level "
    wanted += "alpha imputer seed penalty strategy planning_ms execution_ms plan imputed methods policies avoided "
    wanted += "dropped warnings notes convergence budget"
    assert set(data["report"]) == set(wanted.split())
    assert data["columns"] == ["sex", "age"]
    assert [row[0] for row in data["rows"]] == ["f", "m"]
    assert data["report"]["alpha"] == 0.5
    assert data["report"]["seed"] == 7
    assert data["report"]["imputer"] == "mean"
    assert data["report"]["plan"].startswith("sort by")


def test_nothing_but_data_is_drawn_into_standard_output(db: imputedb.Database) -> None:
    assert db.execute("SELECT current_setting('enable_progress_bar')") == [(False,)]


def test_formats(survey: str, tmp_path: Path) -> None:
    rows = list(csv.reader(io.StringIO(run("query", survey, SQL, "--format", "csv").stdout)))
    assert rows[0] == ["sex", "age"]
    assert len(rows) == 3
    table = run("query", survey, SQL).stdout
    assert "sex" in table
    assert "imputed" in table
    out = tmp_path / "answer.parquet"
    assert run("query", survey, SQL, "--format", "parquet", "--output", str(out)).returncode == 0
    assert [row[0] for row in duckdb.sql(f"FROM '{out}'").fetchall()] == ["f", "m"]
    assert run("query", survey, SQL, "--format", "parquet").returncode == 1
    for wish in (("--interval", "answer"), ("--level", "0.9")):
        refused = run("query", survey, SQL, *wish)
        assert refused.returncode == 1
        assert f"{wish[0]} is about intervals" in refused.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["answer.parquet"]


def test_explain_frontier_profile(survey: str) -> None:
    text = run("explain", survey, SQL, "--analyze").stdout
    assert "actual" in text
    assert "μ tree" in text
    plan = json.loads(run("explain", survey, SQL, "--format", "json").stdout)
    assert plan["plan"]["operator"] == "sort"
    assert run("explain", survey, SQL, "--format", "dot").stdout.startswith("digraph plan {")
    points = json.loads(run("frontier", survey, SQL, "--format", "json").stdout)
    assert points[0]["alpha"][0] == 0.0
    assert points[-1]["alpha"][1] == 1.0
    assert "picked by alpha" in run("frontier", survey, SQL).stdout
    profile = run("profile", survey).stdout
    assert "income" in profile
    assert "77" in profile
    assert "patterns of missingness" in profile


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["query", "{db}", "SELECT agee FROM people"], 'did you mean "age"'),
        (["query", "{db}", "SELECT age FROM peple"], 'did you mean "people"'),
        (["query", "{db}", "SELECT age FRM people"], "syntax error"),
        (["query", "{db}", SQL, "--alpha", "2"], "alpha is 2.0"),
        (["query", "{db}", SQL, "--alpha", "two"], "not a valid float"),
        (["query", "{db}", SQL, "--imputer", "forest"], "no imputer 'forest'"),
        (["query", "{db}", SQL, "--output", "/nowhere/x", "--format", "parquet"], "cannot write /nowhere/x"),
        (["query", "{db}", SQL, "--output", "/nowhere/x", "--format", "csv"], "cannot write /nowhere/x"),
        (["query", "none.duckdb", SQL], "no database none.duckdb"),
        (["query", "{db}x", SQL], "no database"),
        (["absent.csv", "-c", SQL], "no file absent.csv"),
        (["absent.csv"], "no file absent.csv"),
        (["absent.duckdb", "-c", SQL], "no database absent.duckdb"),
        (["absent.duckdb"], "no database absent.duckdb"),
        (["evaluate", "absent.csv", "people"], "no file absent.csv"),
        (["query", "{db}", SQL, "-c", SQL], "the statement is given twice"),
        (["query", "{db}", "-c", "-- nothing"], "-c has no statement"),
        (["query", "{db}", "-f", "absent.sql"], "cannot read absent.sql"),
        (
            ["query", "{db}", "-c", "SELECT 1; SELECT 2", "--format", "csv"],
            "csv holds the rows of one statement",
        ),
        (["query", "{db}", SQL, "--fail-on", "imputed"], "is not a threshold"),
        (["query", "{db}", SQL, "--fail-on", "rows>2"], "knows no figure 'rows'"),
        (["--memory", "much", "query", "{db}", SQL], "memory_limit"),
        (["query", "{db}"], "standard input has no statement"),
        (["profile", "{db}", "peple"], "did you mean 'people'"),
        (["load", "{db}", "absent.csv"], "no file absent.csv"),
        (["load", "{db}", "{csv}"], "there is a table people already"),
        (["load", "{db}", "{csv}", "--table", "x", "--missing", "agee=1"], "no column 'agee'"),
        (["load", "{db}", "{csv}", "--table", "x", "--missing", "age"], "COLUMN=VALUE"),
        (["load", "{db}", "{db}"], "kind is unknown"),
        (["evaluate", "{db}", "peple"], "did you mean 'people'"),
        (["evaluate", "{db}", "people", "--imputer", "drop"], "nothing to compare"),
        (["evaluate", "{db}", "people", "--share", "2"], "the share to hide is 2.0"),
        (["evaluate", "{db}", "people", "--by", "sexx"], "no column 'sexx'"),
        (["why", "{db}", "people", "agee", "1"], "no column 'agee'"),
        (["why", "{db}", "people", "age", "9999"], "no row of people has id 9999"),
        (["why", "{db}", "people", "age", "1", "--metric", "near"], "no metric 'near'"),
        (["why", "{db}", "people", "age", "1", "-k", "0"], "k is 0"),
        (["nonsense"], "No such command"),
    ],
)
def test_mistakes_are_one_sentence(survey: str, arguments: list[str], said: str) -> None:
    people = survey.replace("survey.duckdb", "people.csv")
    ran = run(*(text.format(db=survey, csv=people) if "{" in text else text for text in arguments))
    assert ran.returncode == 1, ran
    assert said in ran.stderr
    assert "Traceback" not in ran.stderr
    assert ran.stdout == ""


def test_evaluate(survey: str, tmp_path: Path) -> None:
    chart, drawing = tmp_path / "errors.png", tmp_path / "errors.svg"
    ran = run("evaluate", survey, "people", "--by", "sex", "--chart", str(chart))
    assert ran.returncode == 0, ran.stderr
    for said in (
        "age",
        "income",
        "tree",
        "knn",
        "hotdeck",
        "mean of columns",
        "seconds",
        "by sex",
        "cells hidden (mcar)",
    ):
        assert said in ran.stdout
    assert chart.read_bytes().startswith(b"\x89PNG")
    ran = run("evaluate", survey, "people", "--imputer", "knn,mean", "--format", "json", "--chart", str(drawing))
    data = json.loads(ran.stdout)
    assert set(data["overall"]) == {"knn", "mean"} == set(data["seconds"])
    assert {score["column"] for score in data["scores"]} == {"age", "income"}
    assert "<svg" in drawing.read_text()
    rows = list(csv.DictReader(io.StringIO(run("evaluate", survey, "people", "--format", "csv").stdout)))
    assert {row["imputer"] for row in rows} == {"tree", "knn", "mean", "hotdeck"}
    assert all(float(row["error"]) > 0 for row in rows)
    refused = run("evaluate", survey, "people", "--imputer", "mean", "--chart", str(tmp_path / "errors.bmp"))
    assert refused.returncode == 1
    assert "ends in .png or .svg" in refused.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["errors.png", "errors.svg"]


def test_why(survey: str) -> None:
    ran = run("why", survey, "people", "age", "5", "-k", "4")
    assert ran.returncode == 0, ran.stderr
    assert "people.age where id is 5:" in ran.stdout
    assert "distance (gower)" in ran.stdout
    assert "effective neighbours 4.0 of 4" in ran.stdout
    data = json.loads(run("why", survey, "people", "age", "5", "-k", "4", "--format", "json").stdout)
    assert len(data["neighbours"]) == 4
    assert data["observed"] is None
    assert data["fallback"] is None
    salted = json.loads(run("why", survey, "people", "age", "5", "--salt", "s", "--format", "json").stdout)
    assert all(len(near["row"]) == 16 for near in salted["neighbours"])


@pytest.mark.parametrize("suffix", ["csv", "parquet", "json", "xpt"])
def test_a_file_that_is_something_else_leaves_nothing(tmp_path: Path, suffix: str) -> None:
    (tmp_path / f"picture.{suffix}").write_bytes(b"\x89PNG\r\n\x1a\n\x00\x00\xff\xfe" * 99)
    ran = run("load", str(tmp_path / "new.duckdb"), str(tmp_path / f"picture.{suffix}"))
    assert ran.returncode == 1, ran
    assert ran.stderr.startswith("error: ")
    assert not (tmp_path / "new.duckdb").exists()


def test_a_good_file_beside_a_bad_one_is_not_loaded_either(survey: str, tmp_path: Path) -> None:
    copy = str(tmp_path / "copy.duckdb")
    shutil.copy(survey, copy)
    (tmp_path / "good.csv").write_text("a\n1\n")
    ran = run("load", copy, str(tmp_path / "good.csv"), "absent.csv")
    assert ran.returncode == 1
    assert "good" not in run("profile", copy).stdout


def test_locked_database(survey: str, tmp_path: Path) -> None:
    copy = str(tmp_path / "copy.duckdb")
    shutil.copy(survey, copy)
    code = f"import duckdb; held = duckdb.connect({copy!r}); print('held', flush=True); input()"
    command = [sys.executable, "-c", code]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        ran = run("query", copy, SQL)
        holder.communicate("\n", timeout=60)
    assert ran.returncode == 75
    assert "in use by another process" in ran.stderr


def test_read_only_database(survey: str) -> None:
    import imputedb

    with imputedb.connect(survey, read_only=True) as db:
        assert len(db.sql(SQL, imputer="mean")) == 2
        with pytest.raises(imputedb.StorageError, match="open for reading only"):
            db.load(survey.replace("survey.duckdb", "people.csv"), table="x")


def test_a_full_disk_while_loading_loses_nothing(survey: str, tmp_path: Path) -> None:
    copy = str(tmp_path / "copy.duckdb")
    shutil.copy(survey, copy)
    big = tmp_path / "big.csv"
    with big.open("w") as file:
        file.write("a,b\n" + "".join(f"{i * 7919 % 1000003},{i * 104729 % 999983}\n" for i in range(400_000)))
    limit = (os.path.getsize(copy) // 1024) + 900
    script = f'ulimit -f {limit}; trap "" XFSZ; "{sys.executable}" -m imputedb.cli load "{copy}" "{big}"'
    ran = subprocess.run(["bash", "-c", script], capture_output=True, text=True, timeout=120, check=False)
    assert ran.returncode == 1, ran
    assert ran.stderr.startswith("error: "), ran.stderr
    profile = run("profile", copy)
    assert "people: 500 rows" in profile.stdout
    assert "big" not in profile.stdout


def test_shell(survey: str) -> None:
    lines = [
        ".alpha 0.5",
        ".imputer mean",
        "select count(*) as n",
        "from people;",
        ".explain select avg(age) from people",
    ]
    script = "\n".join([*lines, ".tables", ".bad", ".quit", ""])
    ran = run("shell", survey, stdin=script)
    assert ran.returncode == 1  # of .bad
    for said in ("alpha 0.5", "imputer mean", "500", "μ mean(people.age)", "people"):
        assert said in ran.stdout
    assert "no command .bad" in ran.stderr


def test_shell_completes_and_keeps_settings(survey: str) -> None:
    import imputedb
    from imputedb.cli.shell import Shell

    said: list[str] = []
    with imputedb.connect(survey) as db:
        shell = Shell(db, said.append)
        assert shell.completions(".al") == [".alpha"]
        assert "people" in shell.completions("peo")
        assert "income" in shell.completions("inc")
        assert "SELECT" in shell.completions("sel")
        shell.take(".mode csv")
        shell.take(".seed 3")
        shell.take("SELECT sex,")
        assert shell.prompt == "   ...> "
        shell.take("count(*) FROM people GROUP BY sex ORDER BY sex;")
        assert said[-1] == "sex,count_star()\nf,250\nm,250"
        shell.take(".help")
        assert sum(line.startswith(".") for line in said) >= 12


def test_sas_transport(tmp_path: Path) -> None:
    pyreadstat = pytest.importorskip("pyreadstat")
    import pandas as pd

    frame = pd.DataFrame({"SEQN": [1.0, 2.0, 3.0], "AGE": [5.0, None, 7.0]})
    pyreadstat.write_xport(frame, str(tmp_path / "demo.xpt"), file_format_version=5)
    assert run("load", str(tmp_path / "s.duckdb"), str(tmp_path / "demo.xpt")).returncode == 0
    ran = run(
        "query", str(tmp_path / "s.duckdb"), "SELECT avg(AGE) AS a FROM demo", "--imputer", "mean", "--format", "json"
    )
    assert json.loads(ran.stdout)["rows"] == [[6.0]]


def test_demo_says_what_it_is_and_imputing_beats_dropping() -> None:
    ran = run("demo")
    assert ran.returncode == 0, ran.stderr
    assert "simulated: the real NHANES files are not part of imputedb" in ran.stdout
    errors = [
        float(line.split("mean error ")[1].split(",")[0])
        for line in ran.stdout.splitlines()
        if line.startswith("alpha")
    ]
    assert errors[0] < errors[2]
    assert "μ tree" in ran.stdout
    assert "The frontier" in ran.stdout


def test_import_is_light() -> None:
    heavy = ("pandas", "pyarrow", "sklearn", "sqlglot", "polars", "rich", "click", "matplotlib", "fastapi", "pydantic")
    code = f"import sys, imputedb; print([m for m in {heavy} if m in sys.modules])"
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "[]"


def test_a_line_of_the_shell_may_hold_several_statements() -> None:
    from imputedb.cli.shell import Shell

    said: list[str] = []
    with imputedb.connect() as db:
        shell = Shell(db, said.append, mode="csv")
        shell.take("CREATE TABLE t AS SELECT ';' AS x; FROM t; CREATE IMPUTATION POLICY ON t(x) KEEP;")
    assert said == ["Count\n1", "x\n;", "table,column,policy\nt,x,KEEP"]


def test_parameters_and_the_format_that_a_name_asks_for(survey: str, tmp_path: Path) -> None:
    plain = run("query", survey, SQL, "--format", "csv").stdout
    for text, given in (("?", ["2"]), ("$1", ["2"]), ("$least", ["least=2"])):
        query = SQL.replace("> 2", f"> {text}")
        options = [part for value in given for part in ("--param", value)]
        assert run("query", survey, query, "--format", "csv", *options).stdout == plain
        assert "tree(people.income)" in run("explain", survey, query, *options).stdout
    out = tmp_path / "x.parquet"
    assert run("query", survey, SQL, "--output", str(out)).returncode == 0
    assert out.read_bytes()[:4] == b"PAR1"
    assert run("query", survey, SQL, "--output", str(tmp_path / "x.csv")).returncode == 0
    assert (tmp_path / "x.csv").read_text() == plain
    refused = run("query", survey, "SELECT 1; SELECT 2", "--output", str(tmp_path / "x.xlsx"))
    assert (refused.returncode, "files end in .csv, .tsv, .json" in refused.stderr) == (1, True)
    refused = run("query", survey, SQL.replace("> 2", "> $least"), "--param", "2")
    assert (refused.returncode, "NAME=VALUE" in refused.stderr) == (1, True)


def test_policies_go_from_one_database_to_another(tmp_path: Path) -> None:
    import imputedb

    one, other, file = (str(tmp_path / name) for name in ("a.duckdb", "b.duckdb", "p.toml"))
    for path in (one, other):
        with imputedb.connect(path) as db:
            db.execute("CREATE TABLE t AS SELECT 1 AS id, NULL::DOUBLE AS x")
    with imputedb.connect(one) as db:
        db.policy("t", "x", low=0, values=["1.5", "2"])
        db.missing("t", "id", [77])
    shown = run("policy", "show", one, "--format", "json")
    assert json.loads(shown.stdout) == [
        {"table": "t", "column": "id", "policy": None, "missing": ["77"]},
        {"table": "t", "column": "x", "policy": "IMPUTE RANGE 0 TO infinity VALUES (1.5, 2)", "missing": []},
    ]
    text = run("policy", "export", one).stdout
    assert run("policy", "export", one, "--out", file).returncode == 0
    assert Path(file).read_text() == text
    tried = run("policy", "apply", other, file, "--dry-run")
    assert (tried.stdout.splitlines()[0], tried.stderr) == ('+ t.id MISSING ["77"]', "2 columns would change\n")
    assert "id" not in run("policy", "show", other, "--format", "csv").stdout
    assert run("policy", "apply", other, file).returncode == 0
    assert run("policy", "export", other).stdout == text
    Path(file).write_text(text.replace('"x"', '"z"'))
    refused = run("policy", "apply", other, file)
    assert (refused.returncode, "line 9 (t.z): no column 'z' in t" in refused.stderr) == (1, True)
    assert run("policy", "export", other).stdout == text


def test_more_cycles_of_a_run(tmp_path: Path) -> None:
    db, out = str(tmp_path / "t.duckdb"), str(tmp_path / "out")
    rng = np.random.default_rng(0)
    with imputedb.connect(db) as database:
        x, y = rng.normal(size=(2, 100))
        columns = {"x": np.where(rng.random(100) < 0.3, np.nan, x), "y": np.where(rng.random(100) < 0.3, np.nan, y)}
        database.register("t", columns, keep=True)
    assert run("impute", db, "t", "--out", out, "--m", "5", "--imputer", "norm", "--cycles", "3").returncode == 0
    more = run("more", db, out, "--cycles", "4")
    assert more.returncode == 0, more.stderr
    assert "R-hat" in more.stderr
    assert "after 7 cycles" in more.stderr
    wrong = run("impute", db, "t", "--out", out, "--cycles", "many")
    assert wrong.returncode != 0
    assert "not a number of cycles" in wrong.stderr
