"""What is remembered is bounded, however many queries there are."""

from pathlib import Path

import pytest

import imputedb
from imputedb import Database
from imputedb.answers import prepare
from imputedb.engines import cache
from imputedb.engines.cache import LruCache, TableCache
from imputedb.engines.duckdb import statements, statistics, temporary


def test_the_one_asked_for_longest_ago_goes() -> None:
    gone: list[int] = []
    kept: LruCache[str, int] = LruCache("numbers", "letter", "nothing", 2, gone.append)
    assert kept.keep("a", 1) == 1
    kept.keep("b", 2)
    assert kept.recall("a") == 1
    kept.keep("c", 3)
    assert kept.items() == [("a", 1), ("c", 3)]
    assert kept.recall("b") is None
    assert len(kept) == 2
    kept.keep("c", 4)
    assert gone == [2, 3]
    (use,) = kept.uses()
    assert (use.name, use.entries, use.bound, use.hits, use.misses) == ("numbers", 2, 2, 1, 1)


def test_memory_counts_bytes_and_values_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache, "BOUND", 100)
    monkeypatch.setattr(cache, "MOST", 3)
    kept = TableCache(lambda _: 0)
    for _ in range(10):
        kept.keep("a", "x", 60)
    kept.keep("b", "y", 40)
    assert [kept.recall("a"), kept.recall("b")] == ["x", "y"]
    kept.keep("c", "z", 1)
    assert [kept.recall("a"), kept.recall("b"), kept.recall("c")] == [None, "y", "z"]
    for name in "defg":
        kept.keep(name, name, 1)
    assert [kept.recall(name) for name in "cdefg"] == [None, None, "e", "f", "g"]


@pytest.mark.nightly
def test_many_different_queries_are_not_all_remembered(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Every collection that a connection has is bounded, but for what is in the database."""
    for module, name, bound in ((statements, "_KEPT", 8), (prepare, "_PLANS_KEPT", 4), (cache, "MOST", 16)):
        monkeypatch.setattr(module, name, bound)
    monkeypatch.setattr(statistics, "_KEPT", 4)
    monkeypatch.setattr(temporary, "_TITLES", 8)
    (tmp_path / "f.csv").write_text("a,b\n1,2\n,3\n")
    with imputedb.connect() as db:
        db.execute("CREATE TABLE t AS SELECT range AS i, CASE WHEN range % 3 > 0 THEN range END AS x FROM range(30)")
        sizes = []
        for k in range(30):
            db.sql(f"SELECT avg(x) + {k} FROM t WHERE i > (SELECT min(i) + {k % 7} FROM t WHERE x > 1)", imputer="mean")
            db.sql(f"SELECT CAST(x AS DECIMAL({k % 30 + 8}, 2)), sum(x + {k}) OVER () FROM t", imputer="mean")
            db.sql(f"SELECT avg(a), {k} FROM (SELECT avg(a) AS a FROM '{tmp_path}/f.csv' GROUP BY b)", imputer="mean")
            db.execute(f"CREATE OR REPLACE TABLE u{k % 10} AS SELECT x FROM t; DROP TABLE IF EXISTS u{(k + 1) % 10}")
            db.sql(f"SELECT avg(x) FROM u{k % 10}", imputer="mean")
            sizes.append(_sizes(db))
        assert sizes[-1] <= max(sizes[10:20])
        assert max(sizes) < 400


def _sizes(db: Database) -> int:
    """How many values the parts of a connection have together."""
    engine = db._engine
    parts = (engine, engine.texts, engine.tables, engine.tables.resolution, engine.gathering, engine.store)
    more = (engine.slots, engine.temporary, engine.session, engine._memory, db._planner, engine.session.changes)
    held = [value for part in (*parts, *more) for value in vars(part).values()]
    held += [db._planner.cache, db._lookups.cache]
    return sum(len(one) for one in held if hasattr(one, "__len__") and not isinstance(one, str))
