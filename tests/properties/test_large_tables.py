"""Large tables: functions that are fitted to a sample stand in the statement, and no column is fetched."""

import duckdb
import numpy as np
import pytest

import imputedb
from imputedb.engines.duckdb.session import Session
from imputedb.errors import CannotImpute
from imputedb.execution import columns
from imputedb.planning import cost

ROWS = 1_200_000
TABLE = f"""
    CREATE TABLE big AS SELECT i AS id, hash(i) % 100 AS x, hash(i, 1) % 50 AS noise, 'g' || hash(i, 2) % 3 AS g,
        CASE WHEN hash(i, 3) % 10 > 0 THEN CAST(hash(i) % 100 + hash(i, 4) % 21 AS INTEGER) END AS y,
        CASE WHEN hash(i, 5) % 10 > 0 THEN hash(i) % 100 + hash(i, 6) % 40 > 70 END AS f,
        CAST(hash(i) % 100 + hash(i, 4) % 21 AS INTEGER) AS truth
    FROM range({ROWS}) t(i)
"""
VIEW = "CREATE VIEW seen AS SELECT * EXCLUDE (truth) FROM big"
EXPECTED = "SELECT g, sum(y) AS y, count(*) AS n FROM big GROUP BY g ORDER BY g"
DRAWN = "SELECT count(*) AS n, sum(x) AS x FROM big WHERE y < 15"


@pytest.fixture(scope="module")
def db():
    found = imputedb.connect()
    found.execute(TABLE)
    found.policy("big", "y", exclude=["truth"])
    found.policy("big", "f", exclude=["truth"])
    return found


@pytest.fixture
def fetched(monkeypatch):
    """The rows that came out of the engine as arrays, statement by statement."""
    counts, arrays = [], Session.arrays

    def counting(session, text):
        found = arrays(session, text)
        counts.append(max((len(one) for one in found.values()), default=0))
        return found

    monkeypatch.setattr(Session, "arrays", counting)
    return counts


def test_a_large_table_is_not_fetched(db, fetched):
    found = db.sql(EXPECTED, alpha=0, seed=3)
    assert found.report.methods == {"big.y": "sampled tree"}
    assert [note.kind.name for note in found.report.notes] == ["SAMPLED"]
    assert 0 < max(fetched) < 40_000
    truth = db.execute("SELECT sum(truth) FROM big GROUP BY g ORDER BY g")
    for (_, total, _), (true,) in zip(found.fetchall(), truth, strict=True):
        assert abs(total - true) < 0.001 * true
    assert found.report.imputed["big.y"] == db.execute("SELECT count(*) FROM big WHERE y IS NULL")[0][0]


def test_what_decides_is_drawn_in_the_statement(db, fetched):
    found = db.sql(DRAWN, alpha=0)
    assert found.report.values == {"big": "drawn"}
    assert max(fetched, default=0) < 40_000
    ((true,),) = db.execute("SELECT count(*) FROM big WHERE truth < 15")
    (count, _), *_ = found.fetchall()
    assert abs(count - true) < 0.02 * true  # what is expected would be wrong by more
    ((share,),) = db.sql("SELECT avg(CAST(f AS INTEGER)) FROM big WHERE f IS NOT NULL OR true", alpha=0).fetchall()
    ((plain,),) = db.execute("SELECT avg(CAST(f AS INTEGER)) FROM big")
    assert abs(share - plain) < 0.005


def test_an_analyzed_statement_gives_the_rows_of_the_statement_itself(db):
    for text in (DRAWN, EXPECTED):
        assert db.explain(text, alpha=0, analyze=True).result.fetchall() == db.sql(text, alpha=0).fetchall()


def test_one_seed_gives_one_answer_whatever_the_threads(db, tmp_path):
    found = [db.sql(text, alpha=0, seed=5).fetchall() for text in (EXPECTED, DRAWN)]
    other = imputedb.connect(str(tmp_path / "other.duckdb"), config={"threads": 1})
    other.execute(TABLE)
    other.policy("big", "y", exclude=["truth"])
    other.policy("big", "f", exclude=["truth"])
    assert [other.sql(text, alpha=0, seed=5).fetchall() for text in (EXPECTED, DRAWN)] == found
    assert db.sql(DRAWN, alpha=0, seed=6).fetchall() != found[1]
    renamed = "SELECT count(*) AS n, sum(b.x) AS x FROM big AS b WHERE b.y < 15"
    assert db.sql(renamed, alpha=0, seed=5).fetchall() == found[1]


def test_small_tables_are_planned_as_before(db):
    db.execute("CREATE TABLE few AS FROM big LIMIT 20000")
    for text in (EXPECTED, DRAWN):
        asked = text.replace("big", "few")
        auto, query = (db.sql(asked, alpha=0, fit=fit) for fit in ("auto", "query"))
        assert auto.report.methods == query.report.methods == {"few.y": "tree"}
        assert auto.fetchall() == query.fetchall()
        assert db.explain(asked).text == db.explain(asked, fit="query").text


def test_what_does_not_fit_is_refused_by_name(db):
    db.execute("SET memory_limit = '120MB'")
    try:
        with pytest.raises(CannotImpute, match=r"imputer 'knn' does not fit: .* GB|'knn' does not fit: .* MB"):
            db.sql(EXPECTED, alpha=0, imputer="knn")
        assert db.sql(EXPECTED, alpha=1, imputer="knn").report.dropped > 0
        assert "tree is left out: it would be handed" in db.explain(EXPECTED, alpha=0).text
        assert "sampled tree, an expression: by 1 of " in db.explain(EXPECTED, alpha=0).text
        few = db.sql("SELECT sum(y) FROM big WHERE id < 1000", alpha=0, imputer="knn")
        assert few.report.methods == {"big.y": "knn"}
    finally:
        db.execute("RESET memory_limit")


def test_a_file_answers_as_a_table_of_its_rows_does(db, tmp_path):
    db.execute(f"COPY (SELECT * EXCLUDE (truth) FROM big) TO '{tmp_path}/big.parquet'")
    apart = imputedb.connect()
    apart.execute(f"CREATE TABLE big AS FROM '{tmp_path}/big.parquet'")
    for text in (EXPECTED, DRAWN):
        asked = text.replace("FROM big", f"FROM '{tmp_path}/big.parquet' AS big")
        assert apart.sql(asked, alpha=0).fetchall() == apart.sql(text, alpha=0).fetchall()


def test_the_price_knows_which_tables_are_kept():
    assert columns.WHOLE / columns._CELL == cost.KEPT
    assert np.isfinite(duckdb.connect().sql("SELECT parse_formatted_bytes('1.8 GiB')").fetchall()[0][0])
