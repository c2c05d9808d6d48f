"""The ways in: files that are loaded whole or refused, tables in memory of every library, transactions, locks."""

import datetime
import gzip
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

import imputedb
from imputedb import Database

FRAMES: dict[str, Any] = {
    "lists": {"v": [1.0, None, 3.0]},
    "tuples": {"v": (1.0, None, 3.0)},
    "masked": {"v": np.ma.masked_array([1.0, 2.0, 3.0], [False, True, False])},
    "records": [{"v": 1.0}, {}, {"v": 3.0}],
    "pandas": pd.DataFrame({"v": [1.0, None, 3.0]}),
    "pandas series": {"v": pd.Series([1.0, None, 3.0], index=[5, 6, 7])},
    "polars": pl.DataFrame({"v": [1.0, None, 3.0]}),
    "polars series": {"v": pl.Series([1.0, None, 3.0])},
    "arrow": pa.table({"v": [1.0, None, 3.0]}),
    "structured": np.array([(1.0,), (np.nan,), (3.0,)], [("v", "f8")]),
    "relation": duckdb.sql("SELECT unnest([1.0::DOUBLE, NULL, 3.0]) AS v"),
    "big-endian": {"v": np.array([1.0, np.nan, 3.0], ">f8")},
    "sparse": pd.DataFrame({"v": pd.arrays.SparseArray([1.0, np.nan, 3.0])}),
}


@pytest.mark.parametrize("frame", FRAMES.values(), ids=FRAMES)
def test_every_table_in_memory_is_registered(db: Database, frame: Any) -> None:
    db.register("t", frame)
    stored = [None if v is None or v != v else float(v) for (v,) in db.execute("FROM t")]
    assert stored == [1.0, None, 3.0]
    assert db.sql("SELECT sum(v) FROM t", imputer="mean").fetchall() == [(6.0,)]


def test_a_result_is_registered_again(people: Database) -> None:
    result = people.sql("SELECT id, age FROM person WHERE age > 30", imputer="mean")
    people.register("older", result)
    assert people.execute("FROM older") == result.fetchall()
    with imputedb.connect() as other:
        other.register("older", result)
        assert other.execute("FROM older") == result.fetchall()


def test_moments_of_every_unit_are_taken(db: Database) -> None:
    days = np.array(["2020-02-29", "NaT"], "datetime64[D]")
    db.register(
        "t", {"d": days, "m": days.astype("datetime64[M]"), "h": days.astype("datetime64[h]"), "s": [b"a", None]}
    )
    assert db.tables()["t"] == {"d": "DATE", "m": "DATE", "h": "TIMESTAMP", "s": "BLOB"}
    first = (datetime.date(2020, 2, 29), datetime.date(2020, 2, 1), datetime.datetime(2020, 2, 29), b"a")
    assert db.execute("FROM t") == [first, (None, None, None, None)]
    db.register("p", pd.DataFrame({"p": pd.period_range("2020-01", periods=2, freq="M")}))
    assert db.execute("SELECT p FROM p")[1] == (datetime.datetime(2020, 2, 1),)


@pytest.mark.parametrize(
    ("frame", "words"),
    [
        (np.zeros((2, 3)), "2 dimensions"),
        ({"a": [1], "b": np.zeros((2, 2))}, "'b' is an array of 2 dimensions"),
        ({"a": [1], "b": np.array([1j])}, "'b' has values of type complex128"),
        (pd.DataFrame({"a": [1], "b": [1j]}), "'b' has values of type complex128"),
        (pd.DataFrame({"a": [1, 2], "b": pd.interval_range(0, 2)}), "'b' holds intervals"),
        (pl.DataFrame({"a": [1], "b": pl.Series([object()], dtype=pl.Object)}), "'b'"),
        ({"a": [1, 2], "b": [1]}, "'a' has 2 values, and 'b' has 1"),
        ({"a": 1}, "'a' is 1"),
        ({"a": "text"}, "'a' is 'text'"),
        ({}, "no columns"),
        ([], "list of dictionaries"),
        ([1, 2], "list of dictionaries"),
        (5, "no columns"),
    ],
)
def test_what_is_no_table_is_refused_by_the_name_of_its_column(db: Database, frame: Any, words: str) -> None:
    with pytest.raises(imputedb.DataError, match=words):
        db.register("t", frame)
    assert db.tables() == {}


@pytest.mark.sampled(2)
@pytest.mark.parametrize(
    ("values", "kind"),
    [
        (["39.1", "40", "NA"], "DOUBLE"),
        (["39", "40", "NA"], "BIGINT"),
        (["0.1", "1e-7", "NA"], "DOUBLE"),
        (["12345678901234567890.12", "1", "NA"], "VARCHAR"),
        (["123456789012345678901234567890", "1", "NA"], "VARCHAR"),
        (["2020-01-01", "2020-01-02", "NA"], "DATE"),
        (["2020-01-01 10:20:30", "2020-01-02", "NA"], "TIMESTAMP"),
        (["2020-01-01 10:20:30.123456", "2020-01-02 00:00:00", "NA"], "TIMESTAMP"),
        (["2020-01-01 10:20:30.123456789", "2020-01-02 00:00:00", "NA"], "VARCHAR"),
        (["2020-01-01 10:20:30+02", "2020-01-02 00:00:00", "NA"], "VARCHAR"),
        (["true", "false", "NA"], "BOOLEAN"),
        (["1.5", "x", "NA"], "VARCHAR"),
    ],
)
def test_a_narrower_type_gives_every_value_back(db: Database, tmp_path: Path, values: list[str], kind: str) -> None:
    path = tmp_path / "t.csv"
    path.write_text("id,v\n" + "".join(f"{i},{value}\n" for i, value in enumerate(values)))
    db.load(str(path), missing={"v": ["NA"]})
    assert db.tables()["t"]["v"] == kind
    assert db.execute(f"SELECT count(*) FROM t JOIN read_csv('{path}', all_varchar = true) r ON t.id = r.id::BIGINT "
                      f"AND t.v IS NOT DISTINCT FROM TRY_CAST(r.v AS {kind})") == [(3,)]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a,b,c\n1,2,3\n4,5\n6,7,8,9\n", "line 1 has 3, line 3 has 2"),
        ("a,b\n1,2\n3,4,5\n", "line 1 has 2, line 3 has 3"),
        ("a,b,c\n1,2,3\n4,5\n6,7\n8,9\n", "line 1 has 3, line 3 has 2"),
        ("1;2;3\n4;5\n6;7\n8;9\n", "line 1 has 3, line 2 has 2"),
        ("", "is empty"),
        ("\n \n", "is empty"),
    ],
)
def test_a_file_that_is_no_table_is_refused(db: Database, tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "t.csv").write_text(text)
    with gzip.open(tmp_path / "z.csv.gz", "wt") as file:
        file.write(text)
    for name in ("t.csv", "z.csv.gz"):
        with pytest.raises(imputedb.DataError, match=words):
            db.load(str(tmp_path / name))
    assert db.tables() == {}


@pytest.mark.parametrize(
    ("text", "rows"),
    [("name\nann\nbob\n", 2), ('h\n"x, y"\nz\n', 2), ("title\n\na,b\n1,2\n3,4\n", 2), ("a;b\n1;2\n", 1)],
)
def test_a_file_that_is_one_is_loaded_whole(db: Database, tmp_path: Path, text: str, rows: int) -> None:
    with gzip.open(tmp_path / "g.csv.gz", "wt") as file:
        file.write(text)
    assert db.load(str(tmp_path / "g.csv.gz")) == ["g"]
    assert db.execute("SELECT count(*) FROM g") == [(rows,)]


@pytest.mark.parametrize("encoding", ["latin-1", "utf-16"])
def test_another_encoding_is_read_in_from_as_by_load(db: Database, tmp_path: Path, encoding: str) -> None:
    (tmp_path / "t.csv").write_bytes("name,n\nJosé,1\n".encode(encoding))
    found = db.sql(f"FROM '{tmp_path}/t.csv'")
    assert found.fetchall() == [("José", 1)]
    assert ["read as cp1252" in note for note in found.report.notes] == [True] * (encoding == "latin-1")


# -- transactions and locks -------------------------------------------------------------------------------------------


def test_what_comes_in_joins_the_transaction(people: Database, tmp_path: Path) -> None:
    (tmp_path / "f.csv").write_text("a,b\n1,2\n")
    for end, there in (("ROLLBACK", False), ("COMMIT", True)):
        people.execute("BEGIN")
        people.execute("CREATE TABLE mine AS SELECT 1 AS a")
        people.load(str(tmp_path / "f.csv"), missing={"a": [77]})
        people.register("r", {"v": [1.0, None]}, keep=True)
        people.audit("exam", "cells", limit=5)
        with pytest.raises(imputedb.DataError, match="there is a table"):
            people.load(str(tmp_path / "f.csv"))
        assert people.execute("SELECT count(*) FROM mine") == [(1,)]
        people.execute(end)
        assert ({"mine", "f", "r", "cells"} <= set(people.tables())) == there
        assert {"person", "exam"} <= set(people.tables())


@pytest.mark.sampled(3)
@pytest.mark.parametrize("imputer", ["tree", "knn", "norm", "pmm", "hotdeck", "mean"])
def test_a_locked_database_imputes(people: Database, imputer: str) -> None:
    queries = (
        "SELECT avg(height), avg(pulse) FROM exam WHERE height > 100",
        "SELECT sex, avg(height), max(pulse) FROM person JOIN exam USING (id) WHERE age > 20 GROUP BY sex ORDER BY ALL",
    )
    before = [people.sql(query, imputer=imputer).fetchall() for query in queries]
    people.execute("SET enable_external_access = false")
    people.execute("SET lock_configuration = true")
    assert [people.sql(query, imputer=imputer).fetchall() for query in queries] == before
    people.sql(queries[1], imputer=imputer, m=3)
    people.register("later", {"v": [1.0, None, 2.0]})
    assert len(people.sql("SELECT v FROM later", imputer=imputer)) == 3
    assert people.execute("SELECT view_name FROM duckdb_views() WHERE NOT internal") == []


def test_arrays_beyond_the_slots_are_shown_while_locked(db: Database) -> None:
    db.execute("SET lock_configuration = true")
    engine = db._engine
    names = [engine.register({"a": np.arange(place)}) for place in range(12)]
    assert [engine.session.rows(f'SELECT count(*) FROM "{name}"')[0][0] for name in names] == list(range(12))
    engine.forget(names)
    assert db.execute("SELECT view_name FROM duckdb_views() WHERE NOT internal") == []


def test_what_is_no_database_is_said(tmp_path: Path) -> None:
    for given in (None, 5, ""):
        with pytest.raises(imputedb.QueryError, match="the path is"):
            imputedb.connect(given)  # type: ignore[arg-type]
    path = tmp_path / "d.duckdb"
    with imputedb.connect(path) as db:
        db.execute("CREATE TABLE t AS FROM range(100000)")
    data = bytearray(path.read_bytes())
    data[20:4000] = bytes(3980)
    path.write_bytes(data)
    with pytest.raises(imputedb.StorageError) as refused:
        imputedb.connect(path)
    assert "in use" not in str(refused.value)


ODD = ("a[1]", "b*", "c?", "d{1,2}", "e[!a]", "f]", "g**", "[x]", "h[1-2]*?")


def decoys(folder: Path, suffix: str) -> list[Path]:
    """Files that the odd names would match if they were patterns."""
    return [folder / f"{name}{suffix}" for name in ("a1", "bb", "cc", "d1", "eb", "f", "gg", "x", "h1aa")]


@pytest.mark.parametrize("suffix", [".csv", ".csv.gz", ".parquet", ".json"])
def test_a_file_is_loaded_by_its_own_name(db: Database, tmp_path: Path, suffix: str) -> None:
    folder = tmp_path / "in [1]*"
    folder.mkdir()
    (tmp_path / "in 1a").mkdir()
    for place, path in enumerate([*(folder / f"{name}{suffix}" for name in ODD), *decoys(folder, suffix)]):
        if suffix.endswith(".gz"):
            path.write_bytes(gzip.compress(f"v\n{place}\n".encode()))
        else:
            db.execute(f"COPY (SELECT {place} AS v) TO '{path}'")
    for place, name in enumerate(ODD):
        assert db.load(str(folder / f"{name}{suffix}"), table="t", replace=True) == ["t"]
        assert db.execute("FROM t") == [(place,)]


def test_the_files_of_a_pattern_are_one_table_or_many(db: Database, tmp_path: Path) -> None:
    for place, name in enumerate(("x[1].csv", "x2.csv", "y.csv")):
        (tmp_path / name).write_text(f"v\n{place}\n")
    (tmp_path / "x3.json").write_text('{"v": 7}\n')
    (tmp_path / "dir.csv").mkdir()
    assert db.load(f"{tmp_path}/x*.csv", table="all") == ["all"]
    assert db.execute('FROM "all" ORDER BY v') == [(0,), (1,)]
    assert db.load(f"{tmp_path}/*.csv") == ["x2", "x[1]", "y"]
    with pytest.raises(imputedb.DataError, match="two kinds"):
        db.load(f"{tmp_path}/x*", table="both")
    (tmp_path / "more").mkdir()
    (tmp_path / "more" / "Y.csv").write_text("v\n1\n")
    with pytest.raises(imputedb.DataError, match="two of the files would be the table Y"):
        db.load(f"{tmp_path}/y.csv", f"{tmp_path}/more/Y.csv", replace=True)
    assert db.execute("FROM y") == [(2,)]


@pytest.mark.sampled(2)
@pytest.mark.parametrize("key", [("2020", "2021"), ("de", "fr")])
@pytest.mark.parametrize("suffix", ["csv", "parquet", "json", "latin-1"])
def test_partitions_are_a_column_that_misses_what_a_folder_does_not_name(
    db: Database, tmp_path: Path, suffix: str, key: tuple[str, str]
) -> None:
    for value in (*key, "__HIVE_DEFAULT_PARTITION__"):
        folder = tmp_path / "visits" / f"part={value}"
        folder.mkdir(parents=True)
        if suffix == "latin-1":
            (folder / "a.csv").write_bytes("name,v\nJosé,1\n".encode("latin-1"))
        else:
            db.execute(f"COPY (SELECT 'José' AS name, 1 AS v) TO '{folder}/a.{suffix}'")
    wanted = [(int(one) if one.isdigit() else one, 1) for one in key]
    assert db.load(str(tmp_path / "visits")) == ["visits"]
    assert db.execute("SELECT part, v FROM visits WHERE part IS NOT NULL ORDER BY part") == wanted
    assert db.execute("SELECT count(*), count(part), min(name), max(name) FROM visits") == [(3, 2, "José", "José")]
    files = f"'{tmp_path}/visits/**/*.{'csv' if suffix == 'latin-1' else suffix}'"
    assert db.sql(f"SELECT count_observed(part), count(part) FROM {files}").fetchall() == [(2, 3)]
    assert sorted(db.sql(f"SELECT part, v FROM {files}", imputer="drop").fetchall()) == wanted
    (tmp_path / "visits" / "b.csv").write_text("v\n1\n")
    with pytest.raises(imputedb.DataError, match="lies beside the partition"):
        db.load(str(tmp_path / "visits"), table="again")


@pytest.mark.parametrize(
    ("files", "words"),
    [
        (("year=2020/f.csv", "year=2021/sub/f.csv"), "in the folder sub, which is not a partition"),
        (("year=2020/f.csv", "year=2021/m=1/f.csv"), "partitions of different columns"),
        (("year=2020/f.csv", "docs/f.csv"), "in the folder docs, which is not a partition"),
        (("X=2020/f.csv", "X=2021/f.csv"), "has a column 'x', and so has its partition"),
        (("a=1/b=2/f.csv", "a=1/b=3 -> .."), "a=1/b=3 is a link"),
    ],
)
def test_a_folder_of_partitions_is_read_whole_or_refused(
    db: Database, tmp_path: Path, files: tuple[str, str], words: str
) -> None:
    for file, _, to in (one.partition(" -> ") for one in (*files, "_tool/f.csv")):
        path = tmp_path / "p" / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.symlink_to(to) if to else path.write_text("id,x\n1,2\n")
    with pytest.raises(imputedb.DataError, match=words):
        db.load(str(tmp_path / "p"))


def test_a_partition_is_no_column_of_the_header(db: Database, tmp_path: Path) -> None:
    for key in ("ä", "b"):
        (tmp_path / "p" / f"k={key}").mkdir(parents=True)
        (tmp_path / "p" / f"k={key}" / "f.csv").write_text("a,b\n1,2\n")
    assert "several columns" not in "".join(db.sql(f"FROM read_csv('{tmp_path}/p/*/*.csv')").report.notes)
    db.load(str(tmp_path / "p"))
    assert sorted(db.execute("FROM p")) == [(1, 2, "b"), (1, 2, "ä")]
    (tmp_path / "p" / "k=b" / "f.csv").write_text("k,b\n7,2\n")
    with pytest.raises(imputedb.DataError, match="has a column 'k'"):
        db.sql(f"FROM read_csv('{tmp_path}/p/k=b/*.csv')")
    assert db.sql(f"FROM read_csv('{tmp_path}/p/k=b/*.csv', hive_partitioning = 0)").fetchall() == [(7, 2)]


def test_transport_files_of_a_pattern_become_one_table(db: Database, tmp_path: Path) -> None:
    writer = pytest.importorskip("pyreadstat")
    for place, name in enumerate(("p[1].xpt", "p1.xpt", "p2.xpt")):
        frame = pd.DataFrame({"a": [float(place), np.nan], "b": ["u", "v"]})
        writer.write_xport(frame, str(tmp_path / name), file_format_version=5)
    db.load(f"{tmp_path}/p[1].xpt", table="one")
    assert db.execute("FROM one") == [(0, "u"), (None, "v")]
    db.load(f"{tmp_path}/p*.xpt", table="every")
    assert db.execute("SELECT count(*), sum(a) FROM every") == [(6, 3)]
    writer.write_xport(pd.DataFrame({"z": [1.0]}), str(tmp_path / "p3.xpt"), file_format_version=5)
    with pytest.raises(imputedb.DataError, match="have different columns: one of them has no a"):
        db.load(f"{tmp_path}/p*.xpt", table="every", replace=True)


def test_a_run_is_read_from_its_own_folder(db: Database, tmp_path: Path) -> None:
    runs = {}
    for name, low in (("r[1]", 0.0), ("r1", 50.0)):
        db.register("t", {"id": np.arange(8), "x": np.ma.masked_array(low + np.arange(8.0), np.arange(8) == 3)})
        for long in (False, True):
            runs[name, long] = db.impute("t", tmp_path / f"{name}{long}", m=2, imputer="mean", long=long)
    for (name, long), run in runs.items():
        assert run.frame(1)["x"].max() == (7 if "[" in name else 57), (name, long)


def test_a_warning_that_is_made_an_error_is_the_warning(db: Database) -> None:
    import warnings

    db.register("t", {"x": np.arange(3.0)}, keep=True)
    db.policy("t", "x", "drop")
    calls = {
        "register": lambda: db.register("t", {"x": np.arange(4.0)}, keep=True),
        "execute": lambda: db.execute("CREATE OR REPLACE TABLE t AS SELECT 5 AS x"),
        "drop": lambda: db.execute("CREATE OR REPLACE TABLE t AS SELECT 'a' AS y"),
    }
    for call in calls.values():
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            with pytest.raises(UserWarning, match=r"t (is replaced|has changed)"):
                call()
    assert db.sql("SELECT * FROM t").fetchall() == [("a",)]


def test_words_that_look_like_a_missing_number_are_missing(db: Database, tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("id,v,w,z,n\n1,1.5,a,NA,NaN\n2,NA,NA,NULL,2\n3,n/a,b,NA,inf\n4,2,7,.,3\n")
    with pytest.warns(UserWarning, match=r"a\.v: 1 of 'NA', 1 of 'n/a' are NULL") as told:
        db.load(str(path))
    assert len(told) == 3
    assert db.tables()["a"] == {"id": "BIGINT", "v": "DOUBLE", "w": "VARCHAR", "z": "VARCHAR", "n": "DOUBLE"}
    db.load(str(path), table="b", missing={"v": ["NA", "n/a"]})
    assert db.execute("SELECT v, n FROM b LIMIT 1") == [(1.5, pytest.approx(float("nan"), nan_ok=True))]
    assert db.tables()["b"]["v"] == "DOUBLE"


def test_an_enum_of_another_connection_keeps_its_order(db: imputedb.Database) -> None:
    with duckdb.connect() as other, imputedb.connect() as ours:
        made = "CREATE TYPE size AS ENUM ('small', 'it''s', 'large');"
        made += (
            "CREATE TABLE e AS SELECT i AS id, (['small', 'it''s', 'large'])[1 + i % 3]::size AS z FROM range(6) r(i)"
        )
        other.execute(made)
        ours.execute(made)
        for place, rows in enumerate([other.sql("FROM e"), ours.sql("FROM e")]):
            db.register(f"e{place}", rows)
            ((kind, largest),) = db.execute(f"SELECT DISTINCT typeof(z), (SELECT max(z) FROM e{place}) FROM e{place}")
            assert (kind, largest) == ("ENUM('small', 'it''s', 'large')", "large")


def test_numpys_bytes_are_the_text_that_they_are(db: Database) -> None:
    texts = np.array([b"a", "\u00e9".encode(), b"a", b""])
    held = np.ma.masked_array(texts, [False, False, True, False])
    records = np.array([(1, b"x"), (2, b"y")], [("i", "i4"), ("s", "S3")])
    db.register("t", {"s": held, "plain": texts, "other": np.array([b"a", b"\xff", b"", b"b"])})
    db.register("r", records)
    assert db.tables() == {
        "t": {"s": "VARCHAR", "plain": "VARCHAR", "other": "BLOB"},
        "r": {"i": "INTEGER", "s": "VARCHAR"},
    }
    assert db.execute("SELECT s FROM t") == [("a",), ("\u00e9",), (None,), ("",)]
    assert db.sql("SELECT count(s) FROM t WHERE s <> 'zz'", imputer="mean").fetchall() == [(4,)]


def test_quotes_that_come_late_in_a_file_do_not_hide_long_numbers(db: Database, tmp_path: Path) -> None:
    path = tmp_path / "late.csv"
    late = '2.5,"x, y"\n0.12345678901234567890123,z\n'
    path.write_text("a,b\n" + "1.5,x\n" * 5000 + late, encoding="utf-8")
    with pytest.warns(UserWarning, match=r"late\.a: numbers of more than 17 digits are rounded.*\(1 of"):
        db.load(str(path))
    assert db.execute("SELECT count(*), max(b) FROM late") == [(5002, "z")]


def test_an_interrupted_load_is_called_so(db: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.csv"
    path.write_text("a,b\n1,2\n", encoding="utf-8")

    def ended(*_: object) -> None:
        raise duckdb.InterruptException("Interrupted!")

    monkeypatch.setattr("imputedb.engines.duckdb.text_files._read", ended)
    with pytest.raises(imputedb.Interrupted):
        db.load(str(path))
    assert db.execute("SHOW TABLES") == []
