"""No two cells share their random numbers, whatever their tables, columns and imputers are."""

from collections.abc import Mapping

import numpy as np
import pytest

import imputedb
from imputedb import Database
from imputedb.execution.table import stored
from imputedb.imputers.registry import single_imputer
from imputedb.inference.estimate import Estimate

ROWS, GONE = 400, 260
DRAWN = ("tree", "norm", "pmm", "knn", "hotdeck")
CHOSEN = ("tree", "logistic", "multinomial", "hotdeck", "knn")


def _columns(seed: int, *, flags: bool = False) -> Mapping[str, object]:
    """Columns that have nothing to do with each other; those that miss values miss them in the first rows."""
    rng = np.random.default_rng(seed)
    rows = {"id": np.arange(ROWS), "z": rng.normal(size=ROWS)}
    for name in "xy":
        values = rng.normal(size=ROWS)
        rows[name] = np.ma.masked_array(values > 0 if flags else values, rows["id"] < GONE)
    return rows


def _db(**tables: Mapping[str, object]) -> Database:
    db = imputedb.connect()
    for name, columns in tables.items():
        db.register(name, columns)
    return db


def _numbers(db: Database, text: str, m: int, imputer: str) -> Mapping[str, Estimate]:
    (row,) = db.sql(text, m=m, imputer=imputer, interval="answer").estimates
    return row


@pytest.mark.sampled(2)
@pytest.mark.parametrize("imputer", DRAWN)
def test_what_two_tables_lack_is_drawn_apart(imputer: str) -> None:
    renamed = {"id": np.arange(ROWS), "w": _columns(3)["z"], "x": _columns(3)["x"]}
    with _db(a=_columns(1), b=_columns(2), c=renamed) as db:
        for other in ("b", "c AS b"):
            text = f"SELECT corr(a.x, b.x) FILTER (a.id < {GONE}) AS r FROM a LEFT JOIN {other} USING (id)"
            assert abs(_numbers(db, text, 2, imputer)["r"].estimate) < 0.4  # by chance 0.1


@pytest.mark.parametrize("imputer", CHOSEN)
def test_flags_of_two_tables_are_drawn_apart(imputer: str) -> None:
    with _db(a=_columns(1, flags=True), b=_columns(2, flags=True)) as db:
        text = f"SELECT avg((a.x = b.x)::INT) FILTER (a.id < {GONE}) AS d FROM a LEFT JOIN b USING (id)"
        assert 0.4 < _numbers(db, text, 2, imputer)["d"].estimate < 0.6


@pytest.mark.parametrize("imputer", ["tree", "norm", "pmm", "hotdeck"])
def test_models_of_two_tables_are_drawn_apart(imputer: str) -> None:
    """Means of drawn values, which follow the drawn parameters, are not correlated over draws."""
    means = []
    with _db(a=_columns(1), b=_columns(2)) as db:
        for name in "ab":
            table = stored(db._engine, name)
            x = table.column("x")
            draws = table.request(single_imputer(imputer, "a test needs"), table.rows, [x], 0).draws(range(1, 101))
            means.append([float(values[x].mean()) for values in draws])
    assert abs(np.corrcoef(means)[0, 1]) < 0.35  # by chance 0.1


POLICIES = (
    ("", ""),
    ("PREDICTORS (z)", ""),
    ("EXCLUDE (y)", "EXCLUDE (x)"),
    ("IMPUTER norm", "IMPUTER pmm"),
    ("IMPUTER tree", "PREDICTORS (z)"),
)


@pytest.mark.sampled(4)
@pytest.mark.parametrize("imputer", ["tree", "norm", "pmm", "hotdeck"])
@pytest.mark.parametrize("policies", POLICIES)
def test_what_one_row_lacks_is_drawn_apart(imputer: str, policies: tuple[str, str]) -> None:
    """Columns that miss together, filled by one imputer, by two, and one after another."""
    with _db(t=_columns(3)) as db:
        for name, policy in zip("xy", policies, strict=True):
            if policy:
                db.sql(f"CREATE IMPUTATION POLICY ON t({name}) {policy}")
        for condition in ("true",) if any(policies) else ("true", "x > -100", "y > -100"):
            text = f"SELECT corr(x, y) FILTER (id < {GONE}) AS r FROM t WHERE {condition}"
            assert abs(_numbers(db, text, 2, imputer)["r"].estimate) < 0.4, condition  # by chance 0.1


@pytest.mark.parametrize("imputer", ["tree", "norm", "pmm"])
def test_halves_of_one_table_keep_their_draws(imputer: str) -> None:
    """What chooses rows, and which columns are shown, says nothing of what is drawn."""
    with _db(t=_columns(4)) as db:
        db.execute("CREATE VIEW low AS FROM t WHERE id < 200; CREATE VIEW high AS SELECT id, x FROM t WHERE id >= 200")
        texts = [f"SELECT sum(x) AS s FROM {name}" for name in ("low", "high", "t")]
        low, high, whole = (_numbers(db, text, 3, imputer)["s"].estimate for text in texts)
        assert low + high == pytest.approx(whole)
        text = "SELECT max(abs(a.x - b.x)) AS d FROM t a JOIN t b USING (id)"
        assert _numbers(db, text, 3, imputer)["d"].estimate == 0
