"""Rows of a table that a query repeats: told apart by the interval, or said; an oracle counts what DuckDB gives."""

from itertools import product

import numpy as np
import pytest

import imputedb
from imputedb import Database
from imputedb.notes import NoteKind

N = 120


@pytest.fixture(scope="module")
def table() -> Database:
    rng = np.random.default_rng(3)
    db = imputedb.connect()
    y = np.ma.masked_array(rng.normal(size=N), rng.random(N) < 0.3)
    db.register("t", {"id": np.arange(N), "g": np.arange(N) % 3, "y": y})
    db.register("d", {"g": [0, 1, 2], "w": [1.0, 2.0, 3.0]})
    db.register("e", {"g": [0, 1, 2, 2, 1, 0], "w": np.arange(6.0)})
    db.execute("CREATE VIEW twice AS SELECT id, y FROM t UNION ALL SELECT id, y FROM t")
    db.execute("CREATE MACRO copies(n) AS unnest(range(n))")
    return db


SOURCES = [
    "(SELECT id, y FROM t)",
    "(SELECT id, y, unnest([1, 2]) AS k FROM t)",
    "(SELECT id, y, copies(2) AS k FROM t)",
    "(SELECT id, y, regexp_split_to_table('a b', ' ') AS k FROM t)",
    "(SELECT t.id, t.y FROM t, unnest([1, 2]) AS u(k))",
    "(SELECT t.id, t.y FROM t, LATERAL (SELECT unnest([t.g, 1])) AS u(k))",
    "(SELECT t.id, t.y FROM t CROSS JOIN range(2))",
    "(SELECT t.id, t.y FROM t, generate_series(1, 2))",
    "(SELECT t.id, t.y FROM t, (VALUES (1), (2)) AS v(k))",
    "(SELECT t.id, t.y FROM t JOIN d USING (g))",
    "(SELECT t.id, t.y FROM t JOIN e USING (g))",
    "(SELECT t.id, t.y FROM t LEFT JOIN e ON t.g = e.g)",
    "(SELECT t.id, t.y FROM t WHERE g IN (SELECT g FROM e))",
    "(SELECT t.id, t.y FROM t SEMI JOIN e ON t.g = e.g)",
    "(SELECT id, y FROM t WHERE g = 0 LIMIT 30)",
    "(SELECT id, y FROM t UNION ALL SELECT id, y FROM main.t)",
    "(SELECT id, y FROM t UNION SELECT id, y FROM t)",
    "(SELECT y, id FROM t UNION ALL BY NAME SELECT id, y FROM t LIMIT 200)",
    "(WITH RECURSIVE r(id, y, n) AS (SELECT id, y, 1 FROM t UNION ALL SELECT id, y, 2 FROM r WHERE n = 1) FROM r)",
    "(FROM t UNPIVOT (v FOR k IN (g, id2)))",
    "(SELECT DISTINCT id, y FROM t, range(2))",
    "twice",
]
WRAPPERS = [
    "SELECT {} FROM {} AS s",
    "WITH c AS (SELECT * FROM {1} AS s) SELECT {0} FROM c",
    "SELECT {} FROM (SELECT id, y FROM {} AS s OFFSET 0)",
    "SELECT {} FROM (SELECT a.id, a.y FROM {} AS a JOIN d ON a.id % 3 = d.g)",
]


def written(wrapper: str, source: str, shown: str) -> str:
    return wrapper.format(shown, source.replace("FROM t UNPIVOT", "FROM (SELECT *, id AS id2 FROM t) UNPIVOT"))


@pytest.mark.sampled(7)
@pytest.mark.parametrize(("wrapper", "source"), [*product(WRAPPERS[:1], SOURCES), *product(WRAPPERS[1:], SOURCES[::3])])
def test_repeated_rows_are_told_apart_or_said(table: Database, wrapper: str, source: str) -> None:
    """Copies by unnest, UNION ALL and UNPIVOT counted as sampled rows, without a word."""
    counts = written(wrapper, source, "count(*), count(DISTINCT id)")
    rows, sampled = table.execute(counts)[0]
    once = "SELECT avg(y) AS a FROM t"
    result = table.sql(written(wrapper, source, "avg(y) AS a"), m=5, imputer="norm", seed=1)
    said = [note for note in result.report.warnings if note.kind is NoteKind.REPEATED]
    assert all(note.subject in note for note in said)
    if rows > sampled and not said:
        known = table.sql(once, m=5, imputer="norm", seed=1).estimates[0]["a"]
        assert result.estimates[0]["a"].se > 0.9 * known.se
    if "JOIN" not in wrapper + source and rows == sampled:
        assert not said


def test_an_interval_of_the_answer_alone_repeats_nothing(table: Database) -> None:
    result = table.sql("SELECT avg(y) FROM twice", m=5, imputer="norm", interval="answer")
    assert NoteKind.REPEATED not in [note.kind for note in result.report.warnings]
