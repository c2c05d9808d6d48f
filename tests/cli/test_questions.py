"""What is asked at the command line: of a database, of a file, of files that a query names; thresholds; the shell."""

import json
import math
import shutil
from pathlib import Path

import pytest

import imputedb
from imputedb.cli.shell import Shell
from imputedb.cli.thresholds import EVALUATION, Exceeded, check, of_evaluation, thresholds
from imputedb.diagnostics.evaluation import Evaluation, Score
from tests.cli.command import run


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("asked")
    lines = [f"{i},{'NA' if i % 5 == 0 else i % 70},{'fm'[i % 2]}\n" for i in range(200)]
    (path / "people.csv").write_text("id,age,sex\n" + "".join(lines))
    assert run("load", str(path / "d.duckdb"), str(path / "people.csv")).returncode == 0
    return path


def test_a_file_is_asked_without_a_database(folder: Path) -> None:
    file, counting = folder / "people.csv", "SELECT count(*) AS n FROM people"
    for asked in (
        ("-c", f"SELECT count(*) AS n FROM '{file}'"),
        ("query", f"SELECT count(*) AS n FROM '{file}' AS p"),
        ("query", f"SELECT count(*) AS n FROM '{file}' p JOIN '{file}' q USING (id)"),
        (str(file), "-c", counting),
        (str(file), "-c", f"SELECT count(*) AS n FROM '{file}'"),
        (str(file), "-c", f"SELECT count(*) AS n FROM people JOIN '{folder}/../{folder.name}/people.csv' q USING (id)"),
        ("query", str(file), f"SELECT count(*) AS n FROM '{file}'"),
        ("query", str(file), counting),
        (str(folder / "d.duckdb"), "-c", counting),
        ("query", str(folder / "d.duckdb"), counting),
    ):
        ran = run(*asked, "--format", "csv")
        assert (ran.returncode, ran.stdout) == (0, "n\n200\n"), ran
        assert ("40 of 'NA' are NULL" in ran.stderr) == ("d.duckdb" not in "".join(asked))
    ran = run("-c", f"SELECT count(*) AS n FROM '{file}' WHERE age IS NULL", "--na", "", "--format", "csv")
    assert ran.stdout == "n\n0\n"


FILES = {
    "by comma": ("SELECT count(*) AS n FROM 'a.csv' x, 'b.csv' y WHERE x.id = y.id AND y.age IS NULL", "1", "ab"),
    "in quotes of names": ('SELECT count(*) AS n FROM "b.csv" WHERE age IS NULL', "1", "b"),
    "IS DISTINCT FROM": ("SELECT count(*) AS n FROM 'a.csv' WHERE 'a.csv' IS DISTINCT FROM 'b.csv'", "3", "a"),
    "a function": ("SELECT max(trim('a.csv' FROM 'b.csv')) AS n FROM 'a.csv'", "b", "a"),
    "WITH": ("WITH q AS (FROM 'b.csv') SELECT count(*) AS n FROM q WHERE age IS NULL", "1", "b"),
    "a subquery": ("SELECT (SELECT count(*) FROM 'b.csv' WHERE age IS NULL) AS n", "1", "b"),
    "PIVOT": ("PIVOT 'b.csv' ON id IN (2) USING count(*) FILTER (age IS NULL) GROUP BY ()", None, "b"),
}


@pytest.mark.parametrize(("text", "found", "loaded"), FILES.values(), ids=FILES)
def test_files_are_loaded_where_a_query_reads_them_alone(
    text: str, found: str | None, loaded: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in "ab":
        Path(f"{name}.csv").write_text("id,age\n1,5\n2,NA\n3,7\n")
    ran = run("-c", text, "--format", "csv")
    if found is not None:
        assert (ran.returncode, ran.stdout) == (0, f"n\n{found}\n"), ran
    assert "".join(name for name in "ab" if f"note: {name}.age: 1 of 'NA'" in ran.stderr) == loaded, ran


def test_statements_around_a_query_read_files_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("é.csv").write_text("id,age\n1,5\n2,NA\n3,7\n")
    texts = "COPY (SELECT count(*) AS n FROM 'é.csv' WHERE age IS NULL) TO 'é.out.csv'; CREATE TABLE t AS FROM 'é.csv'"
    ran = run("-c", f"{texts}; EXPLAIN FROM 'é.csv'; INSERT INTO t SELECT * FROM 'é.csv'; SELECT count(age) FROM t")
    assert ran.returncode == 0, ran
    assert Path("é.out.csv").read_text() == "n\n1\n"
    ran = run("-c", "SELECT * FROM (PIVOT 'é.csv' ON id USING max(age))")
    assert (ran.returncode, "é.csv is read with PIVOT" in ran.stderr) == (1, True), ran


def test_statements_come_from_files_and_standard_input(folder: Path, tmp_path: Path) -> None:
    db, text = str(folder / "d.duckdb"), "SELECT 1 AS a; -- one\nSELECT 2 AS b;\n-- no more\n"
    (tmp_path / "q.sql").write_text(text)
    for ran in (
        run("query", db, "-f", str(tmp_path / "q.sql")),
        run("query", db, stdin=text),
        run("query", db, "-", stdin=text),
        run("query", db, "-f", "-", stdin=text),
        run("-f", str(tmp_path / "q.sql")),
    ):
        assert ran.returncode == 0, ran
        assert ran.stdout.count("nothing missing was read") == 2
    assert "standard input has no statement" in run("query", db, stdin="-- nothing\n").stderr


def test_two_may_ask_at_once_and_writing_still_works(folder: Path, tmp_path: Path) -> None:
    db = str(folder / "d.duckdb")
    with imputedb.connect(db, read_only=True) as other:
        assert run("query", db, "SELECT avg(age) FROM people").returncode == 0
        assert run("query", db, "WITH p AS (SELECT * FROM people) SELECT avg(age) FROM p").returncode == 0
        assert len(other.sql("SELECT 1")) == 1
    made = str(tmp_path / "w.duckdb")
    with imputedb.connect(made) as one:
        one.execute("CREATE TABLE t AS SELECT 1 AS x")
    for text in ("INSERT INTO t VALUES (2)", "WITH a AS (SELECT 3 AS x) INSERT INTO t FROM a RETURNING x"):
        ran = run("query", made, text)
        assert ran.returncode == 0, ran.stderr
    assert run("query", made, "SELECT count(*) AS n FROM t", "--format", "csv").stdout == "n\n3\n"


@pytest.mark.parametrize(
    ("options", "code", "said"),
    [
        (("--fail-on", "imputed>0.1"), 3, "imputed is 0.2, which is > 0.1"),
        (("--fail-on", "imputed>0.5, penalty>0.9"), 0, ""),
        (("--fail-on", "fmi>0.5"), 3, "fmi is not known"),
        (("--fail-on", "fmi>0.9,warnings>9", "--m", "5"), 0, ""),
        (("--fail-on", "fmi>0.0001", "--m", "5"), 3, "fmi is 0."),
    ],
)
def test_a_figure_beyond_its_threshold_is_exit_code_3(
    folder: Path, options: tuple[str, ...], code: int, said: str
) -> None:
    ran = run("query", str(folder / "d.duckdb"), "SELECT avg(age) AS a FROM people", *options, "--format", "csv")
    assert (ran.returncode, said in ran.stderr) == (code, True), ran
    assert ran.stdout.startswith("a")


def test_shares_are_of_the_tables_behind_aliases(tmp_path: Path) -> None:
    at = str(tmp_path / "d.duckdb")
    with imputedb.connect(at) as db:
        db.execute('CREATE TABLE t AS SELECT i, CASE WHEN i % 4 > 0 THEN i END AS "x.y" FROM range(40) r(i)')
        db.execute('CREATE SCHEMA s; CREATE TABLE s.u AS FROM t; CREATE TABLE "d.t" AS FROM t')
    for text in (
        'SELECT avg(x."x.y") AS a FROM t x JOIN t z USING (i)',
        'SELECT avg("x.y") AS a FROM s.u',
        'SELECT avg("x.y") AS a FROM "d.t"',
        'WITH q AS (SELECT "x.y" AS v FROM t) SELECT avg(p.v) AS a FROM q p',
    ):
        for strategy in ("planned", "base"):
            ran = run("query", at, text, "--fail-on", "imputed>0.2", "--strategy", strategy, "--alpha", "0")
            assert (ran.returncode, "imputed is 0.25" in ran.stderr) == (3, True), (text, strategy, ran)


def test_what_is_not_known_is_beyond_each_threshold() -> None:
    scores = [
        Score("mean", column, group, 10, error, error, wrong=False, method="mean")
        for column, group, error in (("x", None, 0.1), ("y", None, math.nan), ("x", "f", 0.1), ("x", "m", math.nan))
    ]
    figures = of_evaluation(Evaluation("t", "mcar", 40, "sex", tuple(scores), {}))
    assert [name for name, value in figures.items() if math.isnan(value)] == ["error", "bias", "disparity"]
    with pytest.raises(Exceeded, match="error is not known"):
        check(thresholds("error>0.5", EVALUATION), figures)


def test_subgroups_that_are_worse_off_are_exit_code_3(folder: Path) -> None:
    asked = ("evaluate", str(folder / "d.duckdb"), "people", "--imputer", "mean", "--by", "sex", "--fail-on")
    assert run(*asked, "disparity>5,error>5").returncode == 0
    ran = run(*asked, "disparity>=0")
    assert (ran.returncode, "disparity is" in ran.stderr) == (3, True)


def test_formats_and_rows(folder: Path, tmp_path: Path) -> None:
    db, text = str(folder / "d.duckdb"), "SELECT id, sex FROM people ORDER BY id LIMIT 3"
    assert run("query", db, text, "--format", "jsonl").stdout.splitlines()[0] == '{"id": 0, "sex": "f"}'
    assert run("query", db, text, "--format", "tsv").stdout.splitlines()[1] == "0\tf"
    assert run("query", db, text, "--format", "markdown").stdout.splitlines() == [
        "| id | sex |", "| --- | --- |", "| 0 | f |", "| 1 | m |", "| 2 | f |",
    ]  # fmt: skip
    marks = "SELECT 'a|b' || chr(10) || 'c\\d' AS \"x|y\""
    assert run("query", db, marks, "--format", "markdown").stdout.splitlines() == [
        "| x\\|y |", "| --- |", "| a\\|b<br>c\\\\d |",
    ]  # fmt: skip
    assert " id = 0\nsex = f\n\n" in run("query", db, text, "--format", "line").stdout
    shown = run("query", db, text, "--rows", "2").stdout
    assert "2 of 3 rows are shown" in shown
    assert len(shown.splitlines()) == 7
    assert run("query", db, text, "--output", str(tmp_path / "x.md")).returncode == 0
    assert (tmp_path / "x.md").read_text().startswith("| id | sex |")


def test_limits_are_options_and_in_the_environment() -> None:
    text = "SELECT current_setting('threads') AS t"
    assert run("--threads", "2", "query", text, "--format", "csv").stdout == "t\n2\n"
    assert run("query", text, "--format", "csv", IMPUTEDB_THREADS="1").stdout == "t\n1\n"
    assert "memory_limit" in run("--memory", "much", "query", text).stderr
    with imputedb.connect(config={"threads": 1, "memory_limit": "1GB"}) as db:
        assert db.execute(text) == [(1,)]
    with pytest.raises(imputedb.QueryError, match="give a dictionary"):
        imputedb.connect(config=["threads"])  # type: ignore[arg-type]
    with pytest.raises(imputedb.Error, match="no_such_setting"):
        imputedb.connect(config={"no_such_setting": 1})


def test_the_shell_reads_writes_and_times(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "q.sql").write_text("SELECT 5 AS five; -- said\n.mode csv\nSELECT 6 AS six")
    (tmp_path / "again.sql").write_text(f".read {tmp_path}/again.sql")
    said: list[str] = []
    with imputedb.connect(str(folder / "d.duckdb"), read_only=True) as db:
        shell = Shell(db, said.append)
        assert "1 table: people" in shell.greeting
        assert shell.completions("avg(ag") == ["age"]
        assert shell.completions("") == []
        shell.take(f".read {tmp_path}/q.sql")
        assert said[-1] == "six\n6"
        shell.take("-- a comment;")
        assert shell.prompt == "imputedb> "
        shell.take("SELECT 1 AS a; -- and another;")
        assert said[-1] == "a\n1"
        shell.take(f".output {tmp_path}/out.csv")
        shell.take("SELECT 2 AS b;")
        (tmp_path / "out").mkdir()
        shell.take(f".output {tmp_path}/out/gone.csv")
        shutil.rmtree(tmp_path / "out")
        with pytest.raises(imputedb.StorageError, match="cannot write"):
            shell.take("SELECT 2 AS b;")
        shell.take(".output")
        assert (tmp_path / "out.csv").read_text() == "b\n2\n"
        shell.take(".timer on")
        shell.take("SELECT 3 AS c;")
        assert said[-1].endswith(" s")
        for wrong, words in (
            (".read none.sql", "cannot read"),
            (".timer maybe", "on or off"),
            (".mode x", "no format"),
        ):
            with pytest.raises(imputedb.Error, match=words):
                shell.take(wrong)
        with pytest.raises(imputedb.QueryError, match="reads itself"):
            shell.take(f".read {tmp_path}/again.sql")


def test_a_piped_statement_that_fails_is_exit_code_1(folder: Path) -> None:
    db = str(folder / "d.duckdb")
    ran = run("shell", db, stdin="SELEC 1;\nSELECT 7 AS seven; -- fine\n")
    assert (ran.returncode, "seven" in ran.stdout, "syntax error" in ran.stderr) == (1, True, True)
    ran = run(db, stdin="SELECT 7 AS seven")
    assert (ran.returncode, "seven" in ran.stdout) == (0, True)


def test_json_says_what_intervals_are_about(folder: Path) -> None:
    ran = run(str(folder / "d.duckdb"), "-c", "SELECT avg(age) AS a FROM people", "--m", "5", "--format", "json")
    report = json.loads(ran.stdout)["report"]
    assert (report["m"], report["method"], report["interval"], report["level"]) == (5, "imputation", "population", 0.95)


@pytest.mark.parametrize("entrance", ["a path", "a link", "a pattern", "the file that is asked"])
def test_an_answer_is_not_written_over_what_it_is_read_from(tmp_path: Path, entrance: str) -> None:
    file, link = tmp_path / "in.csv", tmp_path / "link.csv"
    file.write_text("id,x\n1,2\n2,\n3,4\n", encoding="utf-8")
    link.symlink_to(file)
    told = {
        "a path": ("query", f"SELECT id, x FROM '{file}' WHERE x IS NOT NULL"),
        "a link": ("query", f"SELECT id, x FROM '{link}' WHERE x IS NOT NULL"),
        "a pattern": ("query", f"SELECT id, x FROM '{tmp_path}/i*.csv' WHERE x IS NOT NULL"),
        "the file that is asked": ("query", str(link), "SELECT id, x FROM link WHERE x IS NOT NULL"),
    }
    ran = run(*told[entrance], "--output", str(file))
    assert ran.returncode == 1
    assert "is read by the query" in ran.stderr
    assert file.read_text(encoding="utf-8").startswith("id,x\n1,2\n2,\n")


def test_the_demo_leaves_other_tables_of_its_names_alone(tmp_path: Path) -> None:
    db = str(tmp_path / "mine.duckdb")
    with imputedb.connect(db) as mine:
        mine.execute("CREATE TABLE exams AS SELECT 1 AS id, 'mine' AS note")
    ran = run("demo", db)
    assert ran.returncode == 1
    assert "another table exams" in ran.stderr
    with imputedb.connect(db) as mine:
        assert mine.execute("FROM exams") == [(1, "mine")]
