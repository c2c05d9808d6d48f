"""One answer under several assumptions."""

import math

import numpy as np
import pytest

import imputedb
from imputedb.errors import QueryError
from imputedb.sensitivity import Departures


def test_ways_side_by_side() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=300)
    y = np.ma.masked_array(x + rng.normal(size=300), rng.random(300) < 0.3)
    with imputedb.connect() as db:
        db.register("t", {"id": np.arange(300), "x": x, "y": y, "g": np.array(["a", "b"] * 150)})
        found = db.compare("SELECT g, avg(y) AS a, count(*) AS n FROM t GROUP BY g", m=4)
        lines = {(line.way, line.group, line.name): line for line in found.lines}
        assert len(lines) == 5 * 2 * 2
        for way in ("tree", "pmm", "norm"):
            (row, _) = db.sql("SELECT g, avg(y) AS a FROM t GROUP BY g ORDER BY g", m=4, imputer=way).estimates
            one = lines[way, ("a",), "a"]
            assert (one.low, one.high) == pytest.approx(row["a"].interval(), rel=0.2)
            wide = lines["bounds", ("a",), "a"]
            assert wide.low < one.low < one.estimate < one.high < wide.high
        assert math.isnan(lines["bounds", ("b",), "a"].estimate)
        assert str(found).count("\n") == 20
        assert len(found.table()["way"]) == 20
        pytest.importorskip("matplotlib")
        panels = found.forest().axes
        assert [(axes.get_title(), len(axes.lines)) for axes in panels] == [("a", 20), ("n", 20)]


def test_a_way_that_does_not_suit_says_why() -> None:
    with imputedb.connect() as db:
        db.register("t", {"id": np.arange(50), "y": np.ma.masked_array(np.arange(50.0), np.arange(50) % 5 == 0)})
        norm, robust = db.compare("SELECT median(y) AS q FROM t", ways=("norm", "aipw"), m=3).lines
        assert norm.reason is None
        assert "no such answer" in str(robust.reason)


@pytest.mark.parametrize(
    "text",
    [
        "CREATE OR REPLACE TABLE t AS SELECT avg(y) AS y FROM t",
        "INSERT INTO t SELECT 99, avg(y) FROM t",
        "WITH new AS (INSERT INTO t VALUES (99, 1) RETURNING y) SELECT avg(y) FROM new",
        "DELETE FROM t",
        "EXECUTE adds",
    ],
)
def test_what_writes_is_refused_before_it_runs(text: str) -> None:
    with imputedb.connect() as db:
        db.register("t", {"id": np.arange(50), "y": np.ma.masked_array(np.arange(50.0), np.arange(50) % 5 == 0)})
        db.sql("PREPARE adds AS INSERT INTO t SELECT 99, avg(y) FROM t")
        before = db.execute("FROM t")
        with pytest.raises(QueryError, match="only a SELECT query"):
            db.compare(text, m=3)
        with pytest.raises(QueryError, match="only a SELECT query"):
            db.sql(text, m=3, sensitivity=Departures("y", (-1,)))
        assert db.execute("FROM t") == before
