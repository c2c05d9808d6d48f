"""Files of text in FROM: one answer by every form of a query, what was made of them said, nothing left behind."""

import gzip
from pathlib import Path

import pytest

import imputedb
from imputedb import Database
from imputedb.engines.duckdb import text_items

LINES = "id;age;pay\n1;33;1.250,50\n2;NA;980,00\n3;Refused;1.100,25\n"

SOURCES = (
    "'s.csv'",
    "s.csv",
    "read_csv('s.csv')",
    "read_csv(['s.csv'], delim = ';', header = true)",
    "(FROM 's.csv')",
    "v",
    "made('s.csv')",
    "query('FROM ''s.csv''')",
    "query_table('s.csv')",
)


@pytest.fixture
def files(db: Database, tmp_path: Path) -> Path:
    (tmp_path / "s.csv").write_text(LINES)
    db.execute(f"SET file_search_path = '{tmp_path}'")
    db.execute("CREATE VIEW v AS FROM 's.csv'; CREATE MACRO made(p) AS TABLE FROM read_csv(p)")
    return tmp_path


@pytest.mark.usefixtures("files")
@pytest.mark.parametrize("source", SOURCES)
def test_every_form_of_a_query_finds_numbers_and_says_what_is_missing(db: Database, source: str) -> None:
    found = db.sql(f"SELECT avg(q.age), sum(q.pay), count(*) FROM {source} AS q", imputer="mean")
    assert found.fetchall() == [(33.0, 3330.75, 3)]
    assert [note.kind.name for note in found.report.notes] == ["DECLARED", "READ_AS"]
    assert "s.csv.age: 1 of 'NA', 1 of 'Refused' are NULL (read_csv('s.csv'" in found.report.notes[0]
    assert list(db._engine.adopted) == []
    assert db.execute("SELECT count(*) FROM duckdb_tables()") == [(0,)]


def test_what_is_of_tables_says_that_files_are_loaded_first(db: Database) -> None:
    for call in (db.profile, db.evaluate, db.mcar):
        with pytest.raises(imputedb.UnknownName, match="a file is loaded first"):
            call("s.csv")


@pytest.mark.usefixtures("files")
def test_what_was_said_to_undo_it_does(db: Database) -> None:
    assert db.sql("FROM read_csv('s.csv', nullstr = '')").fetchall()[1] == (2, "NA", 980.0)
    assert db.sql("FROM read_csv('s.csv', all_varchar = true)").fetchall()[1] == ("2", "NA", "980,00")
    assert db.sql("FROM read_csv('s.csv', types = {age: 'VARCHAR'})").fetchall()[1] == (2, "NA", 980.0)


def test_all_that_asks_a_query_asks_the_same_rows(db: Database, files: Path) -> None:
    query = "SELECT avg(age) AS a FROM 's.csv'"
    assert db.describe(query).types == ["DOUBLE"]
    assert "s.age" in db.explain(query).text
    assert db.sql("SELECT age FROM 's.csv'", imputer="mean", flags=True).fetchall()[1] == (33, True)
    assert db.sql(query, m=3, imputer="hotdeck").columns[:2] == ["a", "a_se"]
    db.execute("PREPARE p AS SELECT max(age) FROM 's.csv' WHERE age IS NOT NULL")
    assert db.sql("EXECUTE p").fetchall() == [(33,)]
    db.sql("CREATE TABLE kept AS SELECT age + 1 AS next FROM 's.csv' WHERE id = 1")
    assert db.execute("FROM kept") == [(34,)]
    assert db.sql("PIVOT 's.csv' ON age USING count(*)", imputer="mean").columns == ["id", "pay", "33"]
    done = db.impute("FROM 's.csv'", files / "out", m=1, imputer="mean")
    assert done.frame(1)["age"].tolist() == [33, 33, 33]
    assert "1 of 'NA', 1 of 'Refused' are NULL" in " ".join(done.warnings)


@pytest.mark.usefixtures("files")
def test_a_file_is_read_as_it_stands_where_a_query_names_what_it_hides(db: Database) -> None:
    found = db.sql("SELECT age, parse_filename(filename) FROM 's.csv'")
    assert found.fetchall()[1] == ("NA", "s.csv")
    assert "as the query names filename" in found.report.notes[0]
    assert db.sql("SELECT age FROM read_csv('s.csv', filename = true)", imputer="mean").fetchall()[1] == (33,)


@pytest.mark.usefixtures("files")
def test_a_transaction_goes_on_and_outputs_have_the_names_that_duckdb_gives_them(db: Database) -> None:
    query = "SELECT (SELECT max(id) FROM 's.csv'), count(*) FROM 's.csv' WHERE age > 30"
    for statement in ("BEGIN", "CREATE TABLE mine AS SELECT 1 AS a"):
        db.execute(statement)
    found = db.sql(query, imputer="mean")
    assert found.columns == ['(SELECT max(id) FROM "s.csv")', "count_star()"]
    assert found.fetchall() == [(3, 3)]
    db.execute("COMMIT")
    assert list(db.tables()) == ["mine"]


PARTLY = {
    "rejected": ("a,b\n1,2\nx,5\n6,7\n8,9,10\n", "ignore_errors = true, types = {a: 'INT'}", "2 lines do not fit"),
    "padded": ("a,b,c\n1,2,3\n4,5\n", "null_padding = true", "1 of the first 3 lines have fewer values"),
    "doubtful header": (
        "left,right\nright,left\nleft,right\n",
        "delim = ','",
        "its first line is taken for names",
    ),
}


@pytest.mark.parametrize("case", PARTLY.values(), ids=PARTLY)
def test_lines_that_are_left_out_filled_up_or_taken_for_names_are_said(
    db: Database, tmp_path: Path, case: tuple[str, str, str]
) -> None:
    text, options, said = case
    (tmp_path / "t.csv").write_text(text)
    assert said in db.sql(f"FROM read_csv('{tmp_path}/t.csv', {options})").report.notes[0]


@pytest.mark.parametrize("text", ["", "a,b,c\n1,2,3\n4,5\n6,7,8,9\n"])
def test_what_is_no_table_is_refused_and_leaves_nothing(db: Database, tmp_path: Path, text: str) -> None:
    (tmp_path / "t.csv").write_text(text)
    for query in (f"SELECT count(*) FROM '{tmp_path}/t.csv'", f"CREATE TABLE t AS FROM '{tmp_path}/t.csv'"):
        with pytest.raises(imputedb.DataError, match=r"is empty|different numbers of values"):
            db.sql(query)
    assert db.sql("SELECT 1").report.notes == ()
    assert db.tables() == {}


def test_a_ragged_file_is_refused_however_it_is_packed(db: Database, tmp_path: Path) -> None:
    lines = "SELECT unnest(['a,b,c', '1,2,3', '4,5', '6,7,8,9'])"
    path = tmp_path / "t.csv.zst"
    db.execute(f"COPY ({lines}) TO '{path}' (FORMAT csv, HEADER false, QUOTE '', DELIM '\x01', COMPRESSION zstd)")
    for call in (lambda: db.load(str(path)), lambda: db.sql(f"FROM '{path}'")):
        with pytest.raises(imputedb.DataError, match="line 1 has 3, line 3 has 2"):
            call()


def test_a_large_file_is_looked_at_in_part_and_read_whole(
    db: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(text_items, "WHOLE", 100)
    monkeypatch.setattr(text_items, "LOOKED_AT", 2048)
    rows = [f"{place},{place % 7}\n" for place in range(4000)]
    path = tmp_path / "t.csv"
    for last, said in (("5000,7", "told from its first 2,048 rows"), ("5000,NA", "1 of 'NA' are NULL")):
        path.write_text("".join(["id,v\n", *rows, f"{last}\n"]))
        found = db.sql(f"SELECT count(*), sum(v) > 0 FROM '{path}'", imputer="mean")
        assert found.fetchall() == [(4001, True)]
        assert [said in note for note in found.report.notes] == [True]


@pytest.mark.parametrize(
    ("lines", "what"),
    [
        ("sep=;\nid;x\n1;2\n3;4\n", "lines above"),
        ("id,x\n1,2\n3,4\n", "between values"),
        ("1;2\n3;4\n", "whether the first line"),
        ("# of 2020\nid;x\n1;2\n", "lines above"),
    ],
)
def test_files_written_in_two_ways_are_no_one_table(db: Database, tmp_path: Path, lines: str, what: str) -> None:
    (tmp_path / "s1.csv").write_text(lines)
    (tmp_path / "s2.csv").write_text("id;x\n5;6\n7;8\n9;10\n")
    db.execute(f"SET file_search_path = '{tmp_path}'")
    for names in (["s1.csv", "s2.csv"], ["s2.csv", "s1.csv"]):
        with pytest.raises(imputedb.DataError, match=rf"{names[0]} and .*{names[1]} are written in two ways .{what}"):
            db.sql(f"FROM read_csv({names})")
    with pytest.raises(imputedb.DataError, match="written in two ways"):
        db.load(tmp_path / "s[12].csv", table="ss")
    (tmp_path / "s1.csv").write_text("id;x\n1;2\n")
    assert db.sql("SELECT count(*) FROM read_csv(['s1.csv', 's2.csv'])").fetchall() == [(4,)]


@pytest.mark.parametrize(
    "option", ["strict_mode = true", "strict_mode = false", "ignore_errors = false", "null_padding = ('f'::BOOLEAN)"]
)
def test_options_that_change_nothing_switch_no_check_off(db: Database, tmp_path: Path, option: str) -> None:
    (tmp_path / "g.csv").write_text("id,x\n1,2\n3\n4,5,6\n7,8\n9,10\n")
    with pytest.raises(imputedb.DataError, match="line 1 has 2, line 3 has 1"):
        db.sql(f"FROM read_csv('{tmp_path / 'g.csv'}', {option})")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ("ignore_errors = ('t'::BOOLEAN)", "2 lines do not fit"),
        ("ignore_errors = 'yes', union_by_name = false", "2 lines do not fit"),
        ("ignore_errors = 1, union_by_name = true", "union_by_name counts none"),
    ],
)
def test_lines_left_out_are_told_however_it_is_stated(db: Database, tmp_path: Path, options: str, words: str) -> None:
    (tmp_path / "g.csv").write_text("id,x\n1,2\n3\n4,5,6\n7,8\n9,10\n")
    found = db.sql(f"FROM read_csv('{tmp_path / 'g.csv'}', {options})")
    assert (len(found.fetchall()), [words in note for note in found.report.notes]) == (3, [True])


def test_long_values_and_delimiters_are_read(db: Database, tmp_path: Path) -> None:
    long, two = tmp_path / "long.csv", tmp_path / "two.csv"
    long.write_text(f"id\n{'x' * 140_000}\n")
    assert db.sql(f"SELECT max(length(id)) FROM '{long}'").fetchall() == [(140_000,)]
    long.write_text(f'id,"{"x" * 140_000}"\n1,"{"x" * 140_000}"\n2\n')
    assert db.sql(f"SELECT count(*) FROM read_csv('{long}', null_padding = true)").fetchall() == [(2,)]
    two.write_text("id||x\n1||2\n3\n")
    found = db.sql(f"SELECT count(*) FROM read_csv('{two}', delim = '||', null_padding = true)")
    assert "1 of the first 3 lines" in found.report.notes[0]


def test_a_packed_file_that_is_cut_off_or_damaged_is_refused(db: Database, tmp_path: Path) -> None:
    path = tmp_path / "cut.csv.gz"
    packed = gzip.compress(b"id,x\n" + b"".join(b"%d,%d\n" % (row, row * 7919 % 1001) for row in range(2000)))
    for content in (packed[: len(packed) // 2], packed[:300] + bytes(300) + packed[600:], packed[:-8] + bytes(8)):
        path.write_bytes(content)
        for call in (lambda: db.sql(f"FROM '{path}'"), lambda: db.load(str(path))):
            with pytest.raises(imputedb.StorageError, match=r"cut\.csv\.gz cannot be unpacked"):
                call()


def test_messages_call_a_file_by_its_name(db: Database, files: Path) -> None:
    for query, place in (
        ("SELECT nosuch FROM 's.csv'", "nosuch"),
        ("SELECT age FROM 's.csv' WHERE s.nosuch = 1", "s."),
    ):
        with pytest.raises(imputedb.UnknownName) as refused:
            db.sql(query)
        _, line, mark = str(refused.value).splitlines()
        assert "FROM 's.csv' AS s" in line
        assert line[mark.index("^") :].startswith(place)
    assert "scan s.csv as s" in str(db.explain("SELECT avg(age) FROM 's.csv'"))
    joined = db.sql("SELECT a.age FROM 's.csv' a JOIN 's.csv' b USING (id, age)", imputer="mean")
    assert "s.csv completed at the scan" in "".join(joined.report.notes)
    with pytest.raises(imputedb.QueryError, match=r's\.csv cannot be read: .*"nosuch" for function read_csv$'):
        db.sql("FROM read_csv('s.csv', nosuch = 1)")
    (files / "w.csv").write_text("id,x\n1,2\n", encoding="utf-16")
    assert db.sql("FROM read_csv('w.csv', encoding = lower('UTF-16'))").fetchall() == [(1, 2)]


@pytest.mark.usefixtures("files")
@pytest.mark.parametrize("source", ["'s.csv'", "SELECT age FROM 's.csv'", "v", "SELECT age FROM v; -- of people"])
def test_descriptions_have_the_types_of_answers(db: Database, source: str) -> None:
    for verb in ("DESCRIBE", "SUMMARIZE"):
        found = db.sql(f"{verb} {source}")
        assert {row[0]: row[1] for row in found.fetchall()}["age"] == "BIGINT"
        assert "s.csv.age: 1 of 'NA', 1 of 'Refused' are NULL" in found.report.notes[0]
    db.execute("CREATE TABLE t(a INTEGER)")
    assert db.sql("DESCRIBE t").fetchall()[0][:2] == ("a", "INTEGER")


@pytest.mark.usefixtures("files")
@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE t SET a = s.age FROM 's.csv' s WHERE s.id = t.id",
        "DELETE FROM t WHERE a IN (SELECT age FROM s.csv)",
        "MERGE INTO t USING 's.csv' s ON t.id = s.id WHEN MATCHED THEN UPDATE SET a = s.age",
        "EXPLAIN FROM 's.csv'",
        "SET VARIABLE x = (SELECT max(age) FROM 's.csv')",
    ],
)
def test_statements_of_duckdb_say_how_they_read_files(db: Database, statement: str) -> None:
    db.execute("CREATE TABLE t AS SELECT 1 AS id, 'x' AS a")
    (note,) = db.sql(statement).report.notes
    assert note.startswith(("s.csv: ", "s: "))
    assert "words such as NA are text there" in note


@pytest.mark.usefixtures("files")
def test_options_that_say_what_columns_are_say_what_that_means(db: Database) -> None:
    typed = "columns = {id: 'INT', age: 'VARCHAR', pay: 'VARCHAR'}"
    for options in (typed, "all_varchar = true"):
        found = db.sql(f"SELECT age FROM read_csv('s.csv', {options})")
        assert found.fetchall()[1] == ("NA",)
        assert f"as {options.split()[0]} is stated" in found.report.notes[0]
    assert db.sql("SELECT age FROM read_csv('s.csv', all_varchar = true, nullstr = 'NA')").report.notes == ()
    for options in ("all_varchar = false", "compression = 'none'", "compression = 'auto'", "auto_detect = true"):
        assert db.sql(f"SELECT age FROM read_csv('s.csv', {options})", imputer="mean").fetchall()[1] == (33,)


def test_a_compression_is_taken_for_what_it_is(db: Database, tmp_path: Path) -> None:
    for name, option in (("s.csv.gz", "gzip"), ("s.txt", "gzip")):
        (tmp_path / name).write_bytes(gzip.compress(LINES.encode()))
        found = db.sql(f"SELECT age FROM read_csv('{tmp_path / name}', compression = '{option}') LIMIT 1 OFFSET 1")
        assert found.types == ["BIGINT" if name.endswith(".gz") else "VARCHAR"]
        assert ["as compression is stated" in note for note in found.report.notes].count(True) == name.endswith("txt")


def test_partitions_in_from_are_even(db: Database, tmp_path: Path) -> None:
    for folder in ("a=1/b=1", "a=2"):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / "t.csv").write_text("id,x\n1,2\n3,4\n")
    source = f"'{tmp_path}/**/*.csv'"
    with pytest.raises(imputedb.DataError, match="lie in partitions of different columns"):
        db.sql(f"SELECT count(*) FROM {source}")
    assert db.sql(f"SELECT count(*) FROM read_csv({source}, hive_partitioning = false)").fetchall() == [(4,)]


def test_folders_that_are_passed_over_are_said(db: Database, tmp_path: Path) -> None:
    for folder in ("p/a=1", "p/_tmp", "p/.git", "p/a=1/_old"):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / ("HEAD" if folder == "p/.git" else "t.csv")).write_text("id,x\n1,2\n3,4\n")
    with pytest.warns(UserWarning, match="passed over") as said:
        db.load(tmp_path / "p")
    assert db.sql("SELECT count(*) FROM p").fetchall() == [(2,)]
    folders = [str(tmp_path / "p" / name) for name in ("_tmp", "a=1/_old")]
    assert [str(one.message).split(" is ")[0] for one in said] == folders
