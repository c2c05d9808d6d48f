"""COPY into folders: all of it or nothing."""

from pathlib import Path

import pytest

import imputedb
from imputedb.engines.duckdb import fetching
from imputedb.engines.duckdb.session import Session

PARTS = "COPY (SELECT k, {} AS x FROM t) TO 'parts' (FORMAT parquet, PARTITION_BY (k){})"


@pytest.fixture
def db(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with imputedb.connect() as db:
        db.execute("CREATE TABLE t AS FROM (VALUES ('a', 1.0), ('b', NULL), ('a', 3.0), ('b', 4.0)) v(k, x)")
        yield db


def _files() -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in sorted(Path().rglob("*")) if path.is_file()}


def _count(db) -> list[tuple[object, ...]]:
    return db.execute("SELECT count(*), count(x) FROM 'parts/*/*.parquet'")


@pytest.mark.parametrize("option", [", OVERWRITE", ", OVERWRITE_OR_IGNORE", ", APPEND", ", OVERWRITE true"])
def test_a_copy_that_fails_changes_nothing_of_a_folder(db, option: str) -> None:
    db.sql(PARTS.format("x", ""))
    before = _files()
    assert _count(db) == [(4, 4)]
    with pytest.raises(imputedb.QueryError, match="halfway"):
        db.sql(PARTS.format("CASE WHEN x > 3 THEN error('halfway') ELSE x END", option))
    assert _files() == before
    assert [path.name for path in Path().iterdir()] == ["parts"]


def test_a_folder_is_replaced_added_to_or_refused(db) -> None:
    Path("parts").mkdir()
    db.sql(PARTS.format("x", ""))
    with pytest.raises(imputedb.StorageError, match="not empty"):
        db.sql(PARTS.format("x", ""))
    db.sql(PARTS.format("x", ", APPEND"))
    assert _count(db) == [(8, 8)]
    db.sql(PARTS.format("x", ", OVERWRITE_OR_IGNORE"))
    assert _count(db) == [(8, 8)]
    shown = db.sql(PARTS.format("x", ", OVERWRITE, RETURN_FILES"))
    assert _count(db) == [(4, 4)]
    assert all(name.startswith("parts/") and Path(name).is_file() for name in shown.fetchall()[0][1])
    assert [path.name for path in Path().iterdir()] == ["parts"]


@pytest.mark.parametrize(
    "text", ["COPY (SELECT error('no') FROM t) TO 'o.csv'", "COPY (SELECT x FROM t) TO 'no/o.csv'"]
)
def test_a_refused_copy_leaves_nothing(db, text: str) -> None:
    with pytest.raises(imputedb.Error):
        db.sql(text)
    assert not list(Path().iterdir())


@pytest.mark.parametrize(
    "option",
    [
        ", OVERWRITE false",
        ", OVERWRITE 0",
        ", overwrite 'False'",
        ', "OVERWRITE" (f)',
        ", APPEND false",
        ", OVERWRITE_OR_IGNORE false",
        ", FILENAME_PATTERN 'overwrite'",
    ],
)
def test_an_option_that_is_off_changes_nothing_of_a_folder(db, option: str) -> None:
    db.sql(PARTS.format("x", ""))
    before = _files()
    with pytest.raises(imputedb.StorageError, match="not empty"):
        db.sql(PARTS.format("x", option))
    assert _files() == before


def test_a_column_with_the_name_of_an_option_is_none(db) -> None:
    db.sql(PARTS.format("x", ""))
    before = _files()
    for column in ("overwrite", "append"):
        with pytest.raises(imputedb.StorageError, match="not empty"):
            db.sql(f"COPY (SELECT k AS {column}, x FROM t) TO 'parts' (FORMAT csv, PARTITION_BY ({column}))")
    assert _files() == before


@pytest.mark.parametrize("option", ["", " 1", " (true)", " 'yes'", " not false"])
def test_an_option_that_is_on_replaces_a_folder(db, option: str) -> None:
    Path("parts").mkdir()
    Path("parts/old.csv").write_text("x")
    db.sql(PARTS.format("x", f", OVERWRITE{option}"))
    assert _count(db) == [(4, 4)]
    assert not Path("parts/old.csv").exists()


def test_a_link_to_a_folder_stays_a_link(db) -> None:
    Path("real").mkdir()
    Path("real/old.csv").write_text("x")
    Path("parts").symlink_to("real")
    db.sql(PARTS.format("x", ", OVERWRITE"))
    assert Path("parts").is_symlink()
    assert _count(db) == [(4, 4)]
    assert not Path("real/old.csv").exists()
    assert sorted(path.name for path in Path().iterdir()) == ["parts", "real"]


def test_the_working_folder_is_written_to(db, tmp_path, monkeypatch) -> None:
    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    text = "COPY (SELECT k, x FROM t) TO '.' (FORMAT parquet, PARTITION_BY (k){})"
    db.sql(text.format(""))
    assert sorted(path.name for path in Path().iterdir()) == ["k=a", "k=b"]
    (here / "old.csv").write_text("x")
    db.sql(text.format(", OVERWRITE"))
    assert sorted(path.name for path in here.iterdir()) == ["k=a", "k=b"]
    assert here.samefile(Path.cwd())
    with pytest.raises(imputedb.StorageError):
        db.sql("COPY (SELECT x FROM t) TO '.' (FORMAT csv)")
    assert [path.name for path in tmp_path.iterdir()] == ["here"]


def test_a_tilde_is_the_home_folder(db, tmp_path, monkeypatch) -> None:
    home, other = tmp_path / "home", tmp_path / "other"
    home.mkdir()
    other.mkdir()
    monkeypatch.setenv("HOME", str(home))
    db.sql("COPY (SELECT x FROM t) TO '~/o.csv'")
    db.execute(f"SET home_directory = '{other}'")
    db.sql("COPY (SELECT x FROM t) TO '~/p.csv'")
    assert [path.name for path in home.iterdir()] == ["o.csv"]
    assert [path.name for path in other.iterdir()] == ["p.csv"]


def test_a_folder_takes_the_place_of_a_file_only_by_overwrite(db) -> None:
    Path("parts").write_text("old")
    with pytest.raises(imputedb.StorageError, match="it is a file, and COPY makes a folder"):
        db.sql(PARTS.format("x", ""))
    assert Path("parts").read_text() == "old"
    db.sql(PARTS.format("x", ", OVERWRITE"))
    assert len(list(Path("parts").rglob("*.parquet"))) > 1
    assert sorted(place.name for place in Path().iterdir() if place.name.startswith(".")) == []


@pytest.mark.parametrize(
    "query",
    [
        'SELECT k, x AS "the x" FROM t',
        "SELECT k, x FROM t ORDER BY x DESC, k LIMIT 3",
        "SELECT k, avg(x) AS x FROM t WHERE x > 1.5 GROUP BY k ORDER BY k DESC",
        "SELECT x FROM (SELECT x, k FROM t WHERE x > 2) s UNION ALL SELECT x FROM t ORDER BY 1",
    ],
)
@pytest.mark.parametrize("imputer", ["tree", "mean"])
def test_rows_are_written_as_they_are_shown(db, query: str, imputer: str) -> None:
    shown = db.sql(query, imputer=imputer)
    copied = db.sql(f"COPY ({query}) TO 'o.parquet'", imputer=imputer)
    assert copied.report.methods == shown.report.methods
    assert copied.report.imputed == shown.report.imputed
    assert copied.fetchall() == [(len(shown),)]
    found = db.execute("SELECT * FROM 'o.parquet'")
    assert found == shown.fetchall()
    names = [name for name, *_ in db.execute("DESCRIBE FROM 'o.parquet'")]
    assert names == shown.columns


def test_an_answer_that_is_written_is_held_nowhere(db, monkeypatch) -> None:
    held, texts = fetching.held, []

    def noting(connection, text):
        texts.append(text)
        return held(connection, text)

    monkeypatch.setattr(fetching, "held", noting)
    db.sql("SELECT k, x FROM t", imputer="mean")
    assert any("coalesce" in text.lower() for text in texts)
    texts.clear()
    db.sql("COPY (SELECT k, x FROM t) TO 'o.csv'", imputer="mean")
    assert not any("coalesce" in text.lower() for text in texts)
    assert Path("o.csv").read_text().splitlines()[1:] == ["a,1.0", "b,2.7", "a,3.0", "b,4.0"]


def test_what_is_known_of_tables_stays_where_a_file_is_written(db, monkeypatch) -> None:
    db.sql("SELECT avg(x) FROM t", imputer="mean")
    looked, statements = [], Session.rows

    def noting(session, text, *more):
        looked.append(text)
        return statements(session, text, *more)

    monkeypatch.setattr(Session, "rows", noting)
    for text in ("COPY (SELECT k, x FROM t) TO 'o.csv'", "COPY t TO 'p.csv'", "COPY (SELECT k, x FROM t) TO 'q.csv'"):
        db.sql(text, imputer="mean")
    assert not any("hash(" in text for text in looked)
    db.execute("COPY t FROM 'p.csv'")
    assert db.sql("SELECT count(x) FROM t", imputer="mean").fetchall() == [(8,)]
