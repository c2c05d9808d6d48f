"""BEFORE: permuting the future changes nothing of the past, whatever imputes, and whoever asks."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

import imputedb
from imputedb import Database
from imputedb.completion.completed import opened
from imputedb.errors import Error

N = 100
NOW = 60
RNG = np.random.default_rng(5)
DAY = RNG.permutation(N)
LATER = DAY > NOW
Z = RNG.normal(size=N)
X = Z + 0.3 * RNG.normal(size=N)
KIND = np.where(X + RNG.normal(size=N) > 0, "high", "low").astype(object)
KIND[RNG.random(N) < 0.2] = "middle"
GONE = RNG.random((3, N)) < 0.3

POLICIES: dict[str, dict[str, object]] = {
    "plain": {},
    "range": {"low": -0.5, "high": 0.75},
    "values": {"values": [-1, 0, 1]},
}
IMPUTERS = ("norm", "pmm", "tree", "knn", "hotdeck", "mean")


def database(future: NDArray[np.intp] | None, said: dict[str, object]) -> Database:
    """The table, its later rows in another order but for key and time: values, gaps and kinds all move."""
    place = np.arange(N)
    if future is not None:
        place[np.flatnonzero(LATER)] = np.flatnonzero(LATER)[future]
    kind = KIND[place].copy()
    kind[GONE[1][place]] = None
    db = imputedb.connect()
    columns = {"id": np.arange(N) + 1000, "day": DAY, "z": np.ma.masked_array(Z[place], GONE[2][place])}
    if future is not None:  # and it knows of things that nobody has seen before
        kind[np.flatnonzero(LATER & (kind != None))[:5]] = "new"  # noqa: E711
        columns["z"] = np.ma.masked_array(np.where(LATER, 7 * Z[place], Z), GONE[2][place])
    x = np.where(LATER, 5 * X[place], X) if future is not None else X
    db.register("t", {**columns, "x": np.ma.masked_array(x, GONE[0][place]), "kind": kind})
    db.policy("t", "x", before="day", **said)  # type: ignore[arg-type]
    db.policy("t", "kind", before="day")
    db.policy("t", "z", before="day")
    return db


def sql(db: Database, imputer: str, _: Path) -> list[tuple[object, ...]]:
    return db.sql(f"SELECT id, x, kind, z FROM t WHERE day <= {NOW} ORDER BY id", imputer=imputer).fetchall()


def grouped(db: Database, imputer: str, _: Path) -> list[tuple[object, ...]]:
    text = (
        f"SELECT kind, avg(x) AS a, count(*) AS n FROM (SELECT * FROM t WHERE day <= {NOW}) GROUP BY kind ORDER BY kind"
    )
    return db.sql(text, imputer=imputer, m=3).fetchall()


def impute(db: Database, imputer: str, out: Path) -> list[tuple[object, ...]]:
    db.impute("t", out, m=1, imputer=imputer)
    frame = opened(out).frame(1)
    frame = frame[frame["day"] <= NOW].sort_values("id")
    return [tuple(None if value != value else value for value in row) for row in frame.itertuples(index=False)]


def evaluate(db: Database, imputer: str, _: Path) -> list[tuple[object, ...]]:
    db.execute(f"ALTER TABLE t ADD COLUMN late BOOLEAN DEFAULT false; UPDATE t SET late = day > {NOW}")
    db.sql("CREATE OR REPLACE IMPUTATION POLICY ON t(late) KEEP")
    for column in ("x", "kind", "z"):
        db.sql(f"ALTER IMPUTATION POLICY ON t({column}) EXCLUDE (late)")
    found = db.evaluate("t", imputer=imputer, by="late", columns=["x", "kind"])
    whole = {column: np.std([v for (v,) in db.execute(f"SELECT {column} FROM t WHERE {column} IS NOT NULL")])
             for column in ("x",)}  # fmt: skip
    return [
        (
            score.column,
            score.cells,
            score.error * whole.get(score.column, 1),
            (score.bias or 0) * whole.get(score.column, 1),
        )
        for score in found.scores
        if score.group == "False"
    ]


def same(one: list[tuple[object, ...]], other: list[tuple[object, ...]]) -> None:
    assert len(one) == len(other) > 0
    for left, right in zip(one, other, strict=True):
        for a, b in zip(left, right, strict=True):
            assert a == b or (isinstance(a, float) and a == pytest.approx(b, rel=1e-12, abs=1e-12)), (left, right)


Asked = Callable[[Database, str, Path], list[tuple[object, ...]]]


@pytest.mark.sampled(8)
@pytest.mark.parametrize("said", POLICIES.values(), ids=POLICIES.keys())
@pytest.mark.parametrize("imputer", IMPUTERS)
@pytest.mark.parametrize("asked", [sql, grouped, impute, evaluate], ids=lambda f: f.__name__)
def test_permuting_the_future_changes_nothing(
    asked: Asked, imputer: str, said: dict[str, object], tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    slow = imputer in ("pmm", "norm") and asked in (grouped, impute)
    slow = slow or (said and (imputer == "pmm" or (imputer == "norm" and asked is not sql)))
    if slow and not request.config.getoption("--nightly"):
        pytest.skip("a model a row, drawn until it is permitted, takes a minute: in the nightly run")
    try:
        before = asked(database(None, said), imputer, tmp_path / "a")
    except Error as error:
        assert imputer in ("mean",) and asked is not sql, error  # noqa: PT018, PT017
        return
    future = np.random.default_rng(9).permutation(int(LATER.sum()))
    same(before, asked(database(future, said), imputer, tmp_path / "b"))


def test_a_scan_predicts_hidden_cells_from_earlier_rows() -> None:
    """Errors of the hidden cells of the past do not depend on what comes later, nor do scales and weights."""
    from imputedb.neighbours.column import Attribute, Measure
    from imputedb.neighbours.settings import Settings
    from imputedb.neighbours.tuning import scanned

    order = np.random.default_rng(2).permutation(N)
    future = np.random.default_rng(3)
    found = []
    for way in range(2):
        columns = [Z.copy(), X.copy(), np.sin(np.arange(N))]
        for column in columns if way else []:
            column[LATER] = future.permutation(column[LATER])
        attributes = [Attribute(column, np.zeros(N, bool), Measure.NUMERIC) for column in columns]

        def folds(_: int, hidden: NDArray[np.intp]) -> list[tuple[NDArray[np.intp], NDArray[np.intp]]]:
            return [(np.flatnonzero(row > DAY), hidden[DAY[hidden] == row]) for row in range(5, NOW)]

        found.append(scanned(attributes, [1], Settings(k=5, weights="learnt"), order, ks=(1, 5), folds=folds).errors)
    assert found[0] == pytest.approx(found[1], rel=1e-12)
    assert min(found[0].values()) < 0.8


def test_a_scan_of_a_table_minds_times() -> None:
    """A copy of the label that only later rows have is no help, and without BEFORE it is."""
    rng = np.random.default_rng(1)
    day = np.arange(N) // 2
    x = np.cumsum(rng.normal(size=N))
    db = imputedb.connect()
    db.register("t", {"id": np.arange(N) + 1000, "day": day, "x": np.ma.masked_array(x, rng.random(N) < 0.2)})
    free = db.scan("t", ks=(1,), metrics=("euclidean",)).errors
    db.policy("t", "x", before="day")
    timely = db.scan("t", ks=(1,), metrics=("euclidean",)).errors
    assert timely["euclidean", 1] > free["euclidean", 1]


@pytest.mark.parametrize("kind", ["knn", "chained", "draws", "categories"])
def test_transformers_mind_times(kind: str) -> None:
    pytest.importorskip("sklearn")
    from imputedb.sklearn import ChainedImputer, KNNImputer

    made = {
        "knn": KNNImputer(before=0),
        "chained": ChainedImputer(before=0, random_state=1),
        "draws": ChainedImputer(before=-3, mode="draw", random_state=1),
        "categories": ChainedImputer(before=0, categorical_features=[2], random_state=1),
    }[kind]
    found = []
    for factor in (1.0, 9.0):
        third = np.where(X > 0, 1.0, 2.0)
        values = np.stack([DAY.astype(float), np.where(LATER, factor * X, X), third], axis=1)
        values[LATER & (factor > 1), 2] = 3.0
        values[GONE[0], 1] = values[GONE[1], 2] = np.nan
        filled = made.fit_transform(values)
        found.append(filled[~LATER])
        late = np.isnan(filled).any(axis=1)
        assert late.sum() < 10
        assert (DAY[late] < 30).all()
    np.testing.assert_array_equal(*found)
    apart = made.fit(values[~LATER]).transform(values)
    np.testing.assert_array_equal(apart[~LATER], found[0])


def test_a_transformer_names_a_wrong_column_of_times() -> None:
    pytest.importorskip("sklearn")
    from imputedb.sklearn import KNNImputer

    for before in ("day", 7):
        with pytest.raises(ValueError, match="before"):
            KNNImputer(before=before).fit(np.zeros((5, 2)))
