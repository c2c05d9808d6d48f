"""Derived columns agree with what they are derived from, whatever asks and however."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import imputedb
from imputedb import Database
from imputedb.completion.completed import opened
from imputedb.completion.sensitivity import mean_of
from imputedb.diagnostics.evaluation import Pattern
from imputedb.errors import DataError, QueryError
from imputedb.imputers.chained.chained import Chained
from imputedb.imputers.chained.normal import Normal
from imputedb.imputers.chained.shift import Shift
from imputedb.notes import NoteKind

N = 500
RNG = np.random.default_rng(4)
X = RNG.normal(3, 1, size=N)
Z = X / 2 + RNG.normal(size=N)
GONE, LACKS = RNG.random(N) < 0.4, RNG.random(N) < 0.2

DERIVED = {
    "sum": ("x + z", "DOUBLE"),
    "product": ("x * z", "DOUBLE"),
    "square": ("x ** 2", "DOUBLE"),
    "ratio": ("z / (1 + abs(x))", "DOUBLE"),
    "case": ("CASE WHEN x > 3 THEN 'high' ELSE 'low' END", "VARCHAR"),
    "whole": ("CAST(round(x) AS INTEGER)", "INTEGER"),
}


def database(what: str) -> tuple[Database, str]:
    """A table whose d is missing wherever x or z is, and 10 rows more."""
    db, (text, kind) = imputedb.connect(), DERIVED[what]
    columns = {"id": np.arange(N) + 1000, "x": np.ma.masked_array(X, GONE), "z": np.ma.masked_array(Z, LACKS)}
    db.register("raw", columns)
    value = f"CASE WHEN id > 1010 AND x IS NOT NULL AND z IS NOT NULL THEN CAST({text} AS {kind}) END"
    db.execute(f"CREATE TABLE t AS SELECT *, {value} AS d FROM raw")
    db.policy("t", "d", derived=text)
    return db, text


@pytest.mark.sampled(2)
@pytest.mark.parametrize("what", DERIVED)
@pytest.mark.parametrize("strategy", ["planned", "base"])
def test_rows_agree(what: str, strategy: str) -> None:
    db, text = database(what)
    asked = {
        "table": f"SELECT count(*) FROM t WHERE d IS DISTINCT FROM ({text})",
        "shown": f"SELECT d, {text} AS e FROM t",
        "cte": f"WITH c AS (SELECT * FROM t) SELECT c.d, ({text}) FROM c",
        "join": f"SELECT a.d, ({text.replace('x', 'a.x').replace('z', 'a.z')}) FROM t a JOIN raw r ON a.id = r.id"
        if what in ("sum", "product", "square")
        else f"SELECT d, ({text}) FROM t",
    }
    rows = [row for name in ("shown", "cte", "join") for row in db.sql(asked[name], strategy=strategy).fetchall()]
    assert len(rows) == 3 * N
    for d, e in rows:
        assert d == (pytest.approx(e, rel=1e-9) if isinstance(e, float) else e)


@pytest.mark.sampled(2)
@pytest.mark.parametrize("what", DERIVED)
def test_every_draw_agrees(what: str, tmp_path: Path) -> None:
    db, text = database(what)
    groups = db.sql(
        f"SELECT id, count(*) FILTER (WHERE d = CAST(({text}) AS {DERIVED[what][1]})) AS n FROM t GROUP BY id", m=3
    )
    assert {n for _, n, *_ in groups.fetchall()} == {1.0}
    for source in ("t", "SELECT id, x, z, d FROM t"):
        db.impute(source, tmp_path / "out", m=2, imputer="norm")
        for draw in (1, 2):
            db.register("done", opened(tmp_path / "out").frame(draw))
            apart = f"SELECT count(*) FROM done WHERE d IS DISTINCT FROM CAST(({text}) AS {DERIVED[what][1]})"
            assert db.execute(apart) == [(0,)]


def test_the_mean_of_a_square_is_not_the_square_of_predictions() -> None:
    """E x^2 = 10; predictions of x, squared, have less by the variance that z does not explain, 40 % of it."""
    found = []
    for seed in range(4):
        rng = np.random.default_rng(seed)
        x, gone = rng.normal(0, 1, size=2000), rng.random(2000) < 0.5
        db = imputedb.connect()
        db.register("t", {"id": np.arange(2000), "x": np.ma.masked_array(x, gone), "z": x / 2 + rng.normal(size=2000),
                          "d": np.ma.masked_array(x * x, gone)})  # fmt: skip
        db.policy("t", "d", derived="x * x")
        found += [
            db.sql("SELECT avg(d) FROM t", imputer="norm", strategy=strategy).fetchall()[0][0] - (x * x).mean()
            for strategy in ("planned", "base")
        ]
    assert abs(np.mean(found)) < 0.1


def test_what_follows_is_known_to_everything() -> None:
    rng = np.random.default_rng(1)
    a, b = rng.integers(1, 9, size=(2, 300))
    gone = np.arange(300) % 3
    db = imputedb.connect()
    columns = {"a": np.ma.masked_array(a, gone == 0), "b": np.ma.masked_array(b, gone == 1)}
    db.register("t", {"id": np.arange(300), **columns, "d": np.ma.masked_array(a * 2 - b, gone == 2)})
    db.policy("t", "d", derived="a * 2 - b")
    rows = db.sql("SELECT a, b, d, IMPUTED(a), IMPUTED(d) FROM t ORDER BY id").fetchall()
    assert rows == [(int(x), int(y), int(2 * x - y), False, False) for x, y in zip(a, b, strict=True)]
    assert db.sql("SELECT sum(a), count(*) FROM t WHERE b = 3").fetchall() == [
        (int(a[b == 3].sum()), int((b == 3).sum()))
    ]
    with pytest.raises(DataError):
        db.evaluate("t", columns=["a"], pattern="own")


@pytest.mark.parametrize("parts", ["complete", "half"])
def test_cells_that_are_null_as_stored_and_follow_are_said(parts: str, tmp_path: Path) -> None:
    """IS NULL, IMPUTED, flags and the report had not a word of a column that is NULL everywhere as it is stored."""
    rng = np.random.default_rng(2)
    a, b = rng.normal(size=(2, 90))
    half = np.arange(90) % 2 == (0 if parts == "half" else 2)
    db = imputedb.connect()
    db.register("t", {"id": np.arange(90), "a": np.ma.masked_array(a, half), "b": b, "d": np.ma.masked_all(90)})
    db.policy("t", "d", derived="a - b")
    follow = int((~half).sum())
    for text, wanted in {
        "SELECT count(*) FROM t WHERE d IS NULL": 90 - follow,
        "SELECT count(*) FROM t WHERE IMPUTED(d)": 90 - follow,
        "SELECT COUNT_OBSERVED(d) FROM t": follow,
        "SELECT count(d) FROM t": 90,
    }.items():
        result = db.sql(text, imputer="norm")
        assert result.fetchall() == [(wanted,)]
        said = [note for note in result.report.warnings if note.kind is NoteKind.FOLLOWS]
        assert [note.subject for note in said] == ["t.d"]
        assert said[0].startswith(f"{follow:,} cells")
    flags = db.sql("SELECT id, d FROM t ORDER BY id", imputer="norm", flags=True).fetchall()
    assert [row[-1] for row in flags] == list(half)
    done = db.impute("t", out=tmp_path / "run", m=2, imputer="norm")
    assert [note.subject for note in done.warnings if note.kind is NoteKind.FOLLOWS] == ["t.d"]
    assert not [note for note in db.sql("SELECT avg(a), avg(b) FROM t").report.warnings if note.subject == "t.d"]


def test_a_column_does_not_predict_what_it_is_derived_from() -> None:
    """d tells x wherever x is missing, and is not looked at."""
    db = imputedb.connect()
    db.register("t", {"id": np.arange(N), "x": np.ma.masked_array(X, GONE), "z": RNG.normal(size=N), "d": X**3})
    known = db.sql("SELECT id, x FROM t ORDER BY id", imputer="norm").fetchall()
    db.policy("t", "d", derived="x ** 3")
    hidden = db.sql("SELECT id, x FROM t ORDER BY id", imputer="norm").fetchall()
    seen, unseen = (np.corrcoef(np.array(rows, float)[GONE, 1], X[GONE])[0, 1] for rows in (known, hidden))
    assert seen > 0.8
    assert abs(unseen) < 0.3
    assert any("need not agree" in said for said in db.sql("SELECT avg(x) FROM t").report.warnings)


def test_a_case_is_missing_where_what_it_reads_is() -> None:
    """x > 3 is unknown where x stays NULL: ELSE does not answer for it."""
    db, _ = database("case")
    db.policy("t", "x", "keep")
    for strategy in ("planned", "base"):
        rows = db.sql("SELECT x, d FROM t", strategy=strategy).fetchall()
        assert all(d is None for x, d in rows if x is None)
        assert all(d == ("high" if x > 3 else "low") for x, d in rows if x is not None)


def test_what_derived_columns_are_derived_from_may_be_derived() -> None:
    db = imputedb.connect()
    db.execute(
        "CREATE TABLE t AS SELECT i AS id, CASE WHEN i % 3 > 0 THEN i END AS a, NULL::INT AS b, NULL::INT AS c "
        "FROM range(60) r(i)"
    )
    db.policy("t", "b", derived="a + 1")
    db.policy("t", "c", derived="b * 2")
    for strategy in ("planned", "base"):
        rows = db.sql("SELECT a, b, c FROM t", strategy=strategy).fetchall()
        assert all(b == a + 1 and c == 2 * b for a, b, c in rows)
    with pytest.raises(DataError, match="itself"):
        db.policy("t", "a", derived="c - 1")


def test_whole_numbers_of_few_values_are_no_codes_where_they_are_derived(tmp_path: Path) -> None:
    """5 * 5 is in no stored row, and in rows that are filled in."""
    db = imputedb.connect()
    db.execute(
        "CREATE TABLE t AS SELECT i AS id, CASE WHEN i % 5 > 0 THEN 1 + i % 4 END AS a, 1 + i // 4 % 5 AS b, "
        "CASE WHEN i % 5 > 0 AND (1 + i % 4) * (1 + i // 4 % 5) < 15 THEN (1 + i % 4) * (1 + i // 4 % 5) END AS d "
        "FROM range(400) r(i)"
    )
    db.policy("t", "d", derived="a * b")
    db.impute("t", tmp_path / "out", m=2, imputer="pmm")
    db.register("done", opened(tmp_path / "out").frame(1))
    assert db.execute("SELECT count(*), count(d), max(d) FROM done WHERE d = a * b") == [(400, 400, 20)]


STAYS = {
    "keep": ({"action": "keep"}, 266),
    "drop": ({"action": "drop"}, 266),
    "structural": ({"action": "structural", "when": "sex = 'm'"}, 333),
    "below": ({"below": 0.95}, 266),
    "before": ({"before": "id"}, 399),
}


def parted() -> Database:
    """A table whose w2 is missing wherever w is, in 134 of 400 rows, 67 of them of men."""
    x, gone, db = np.random.default_rng(0).normal(50, 10, 400), np.arange(400) % 3 == 0, imputedb.connect()
    columns = {
        "id": np.arange(400),
        "sex": np.where(np.arange(400) % 2 == 0, "f", "m"),
        "z": x + np.sin(np.arange(400)),
    }
    db.register("t", {**columns, "w": np.ma.masked_array(x, gone), "w2": np.ma.masked_array(2 * x, gone)})
    db.policy("t", "w2", derived="w * 2")
    return db


@pytest.mark.sampled(2)
@pytest.mark.parametrize("said", STAYS)
def test_what_is_derived_from_a_cell_that_stays_stays_too(said: str, tmp_path: Path) -> None:
    options, count = STAYS[said]
    db = parted()
    db.policy("t", "w", **{**options, "below": 0.9999} if said == "below" else options)
    assert db.sql("SELECT count(w2) FROM t").fetchall() == [(count,)]
    for columns in (None, ["w2"]):
        done = db.impute("t", tmp_path / "out", m=2, columns=columns)
        for draw in (1, 2):
            frame = done.frame(draw)
            assert frame.w2.count() == count
            np.testing.assert_allclose(frame.w2, 2 * frame.w)
        told = done.manifest["columns"]["w2"]
        assert told["imputed"] == count - 266
        assert any(f"{400 - count} cells stay NULL" in note["text"] for note in told["notes"])
    cells = db.cells("t", "w2").cells
    assert sum(one.value is not None for one in cells) == count - 266
    evaluated = db.evaluate("t", imputer="mean", columns=["w2"])
    assert any("cells of w2 stay missing" in note for note in evaluated.notes)  # hidden ones among them


@pytest.mark.parametrize("text", ["w / nullif(k, 0)", "CASE WHEN k > 0 THEN w / k END"])
def test_a_derived_value_may_be_null(text: str, tmp_path: Path) -> None:
    x, k, gone = np.random.default_rng(0).normal(50, 10, 400), np.arange(400) % 5, np.arange(400) % 3 == 0
    db = imputedb.connect()
    ratio = np.ma.masked_array(x / np.maximum(k, 1), gone | (k == 0))
    db.register("t", {"id": np.arange(400), "k": k, "w": np.ma.masked_array(x, gone), "r": ratio})
    db.policy("t", "r", derived=text)
    done = db.impute("t", tmp_path / "out", m=2)
    assert done.frame(1).r.count() == 320
    assert any("80 cells stay NULL" in note["text"] for note in done.manifest["columns"]["r"]["notes"])


def test_a_derived_column_does_not_depart_by_itself(tmp_path: Path) -> None:
    db = parted()
    moved = Chained(Normal()).with_deltas({"w2": Shift(add=5)})
    asks: list[Callable[[], object]] = [
        lambda: db.sensitivity("t", "w2", [0, 5], mean_of("w2"), imputer="norm", m=2),
        lambda: db.impute("t", tmp_path / "out", m=2, imputer=moved),
        lambda: db.sql("SELECT avg(w2) FROM t", imputer=moved, m=2),
        lambda: db.evaluate("t", imputer=moved, columns=["w2"]),
    ]
    for ask in asks:
        with pytest.raises(QueryError, match="derived as"):
            ask()
    assert db.sensitivity("t", "w", [0, 5], mean_of("w2"), imputer="norm", m=2).points[1].pooled.estimate > 100


@pytest.mark.sampled(2)
@pytest.mark.parametrize("pattern", ["mcar", "own"])
@pytest.mark.parametrize("columns", [["w2"], ["w", "w2"], []])
def test_a_derived_cell_is_hidden_with_what_it_is_derived_from(pattern: Pattern, columns: list[str]) -> None:
    """The mean of w is as far off of w2 as of any column: by one standard deviation."""
    for share in (0.1, 0.4):
        found = parted().evaluate("t", imputer="mean", columns=columns, pattern=pattern, share=share)
        (score,) = (one for one in found.scores if one.column == "w2")
        assert 0.7 < score.error < 1.3
