"""A model of a large table is learnt from rows that are fetched alone, and is the same to the last byte."""

import pytest

import imputedb
from imputedb.errors import DataError, QueryError
from imputedb.execution import columns

TABLE = """
CREATE TABLE t AS SELECT i AS id, CASE WHEN i % 5 > 0 THEN i * 1.5 + (i * 7) % 11 END AS x, hash(i, 3) % 9 AS z,
CASE WHEN hash(i) % 7 > 0 THEN 'k' || hash(i, 2) % 400 END AS c,
CASE WHEN i % 3 > 0 THEN (hash(i, 4) % 999) / 7 END AS y
FROM range(5000) r(i)
"""


def digests(monkeypatch: pytest.MonkeyPatch, whole: int, piece: int) -> list[str]:
    """Of models of a table with gaps between its row ids, of which so many bytes are held, or so many ids looked at."""
    monkeypatch.setattr(columns, "WHOLE", whole)
    monkeypatch.setattr(columns, "PIECE", piece)
    found = []
    with imputedb.connect() as db:
        db.execute(TABLE)
        db.execute("DELETE FROM t WHERE id % 13 = 0 OR id BETWEEN 1000 AND 2100")
        for using, where in (("norm", ""), ("norm", " WHERE z > 2"), ("tree", "")):
            db.sql(f"CREATE OR REPLACE IMPUTATION MODEL m ON t{where} USING {using} WITH (draws = 1, sample = 700)")
            found += [model.digest for model in db.models()]
    return found


@pytest.mark.nightly
def test_rows_that_are_fetched_alone_teach_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = digests(monkeypatch, columns.WHOLE, columns.PIECE)
    assert len(set(whole)) == 3
    assert digests(monkeypatch, 1000, columns.PIECE) == whole
    assert digests(monkeypatch, 1000, 900) == whole


QUERIES = (
    "SELECT id, x, y, c FROM t WHERE x > 100 ORDER BY id",
    "SELECT c, round(avg(y), 6) FROM t GROUP BY c ORDER BY c",
    "SELECT z, round(avg(y), 6) FROM t GROUP BY z ORDER BY z",
)


@pytest.mark.parametrize("using", ["norm", "tree"])
def test_values_made_piece_by_piece_are_those_made_at_once(using: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where row ids have gaps, a piece has no row, and a NULL means something of its own."""
    with imputedb.connect() as db:
        db.execute(TABLE)
        db.execute("DELETE FROM t WHERE id % 13 = 0 OR id BETWEEN 1000 AND 2100")
        db.sql("CREATE IMPUTATION POLICY ON t (c) STRUCTURAL WHEN (z = 3)")
        db.sql(f"CREATE IMPUTATION MODEL m ON t (x, y, c) USING {using} WITH (draws = 2, sample = 700)")
        whole = [(db.sql(text, fit="table").fetchall(), db.sql(text, fit="table").report.warnings) for text in QUERIES]
        whole += [(db.sql(QUERIES[2], fit="table", m=2).fetchall(), ())]
        monkeypatch.setattr(columns, "WHOLE", 1000)
        monkeypatch.setattr(columns, "PIECE", 700)
        db.execute("UPDATE t SET z = z")  # nothing is kept of before
        assert db.model("m").digest
        pieces = [(db.sql(text, fit="table").fetchall(), db.sql(text, fit="table").report.warnings) for text in QUERIES]
        pieces += [(db.sql(QUERIES[2], fit="table", m=2).fetchall(), ())]
        assert pieces == whole


def test_no_column_is_fetched_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(columns, "WHOLE", 1000)
    monkeypatch.setattr(columns.ColumnCache, "_whole", None)
    with imputedb.connect() as db:
        db.execute(TABLE)
        db.sql("CREATE IMPUTATION MODEL m ON t USING mean WITH (sample = 700)")
        assert db.model("m").rows == 700


def test_a_condition_that_cannot_be_or_that_no_row_satisfies_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(columns, "WHOLE", 1000)
    with imputedb.connect() as db:
        db.execute(TABLE)
        with pytest.raises(DataError, match="no row of t satisfies z > 100"):
            db.sql("CREATE IMPUTATION MODEL m ON t WHERE z > 100 WITH (sample = 700)")
        with pytest.raises(QueryError, match="WHERE nothing > 1"):
            db.sql("CREATE IMPUTATION MODEL m ON t WHERE nothing > 1 WITH (sample = 700)")
