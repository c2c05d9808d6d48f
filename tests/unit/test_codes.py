"""Whole numbers with few levels: codes of categories where the data say so, numbers where they count or rise."""

from typing import Any

import numpy as np
import pytest

import imputedb
from imputedb import Database

ROWS = 400
CODES = ("gender", "region", "race", "flag", "double")
NUMBERS = ("children", "score", "likert", "age")


def columns(seed: int = 0) -> dict[str, Any]:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=ROWS)
    region = rng.choice(4, ROWS, p=[0.4, 0.1, 0.3, 0.2])
    gender = 1 + (rng.random(ROWS) < 0.21)
    return {
        "x": x,
        "income": np.array([0.0, 2.0, -1.0, 1.0])[region] + rng.normal(size=ROWS),
        "gender": gender,
        "region": region + 1,
        "race": 1 + rng.choice(5, ROWS, p=[0.55, 0.1, 0.05, 0.25, 0.05]),
        "flag": (rng.random(ROWS) < 0.3).astype(int),
        "double": 1.0 + (rng.random(ROWS) < 0.3),
        "children": np.minimum(rng.poisson(np.exp(0.3 + 0.4 * x)), 12),
        "score": np.clip(np.round(5 + 2 * x + rng.normal(size=ROWS)), 0, 10).astype(int),
        "likert": 1 + np.digitize(x + rng.normal(size=ROWS), [-1.5, -0.5, 0.5, 1.5]),
        "age": rng.integers(18, 90, ROWS),
    }


def loaded(seed: int = 0) -> tuple[Database, dict[str, Any], dict[str, Any]]:
    values, rng = columns(seed), np.random.default_rng(seed + 100)
    gone = {name: rng.random(ROWS) < 0.3 for name in (*CODES, *NUMBERS)}
    masked = {name: np.ma.masked_array(one, gone[name]) if name in gone else one for name, one in values.items()}
    db = imputedb.connect()
    db.register("t", {"id": np.arange(ROWS), **masked})
    return db, values, gone


@pytest.mark.parametrize("seed", range(3))
def test_the_data_tell_codes_from_numbers(seed: int) -> None:
    taken = {column.name: column.taken for column in loaded(seed)[0].profile("t")[0].columns}
    assert {name: taken[name] for name in CODES} == dict.fromkeys(CODES, "categories")
    assert {name: taken[name] for name in NUMBERS} == dict.fromkeys(NUMBERS, "numbers")


@pytest.mark.parametrize("imputer", ["tree", "norm", "pmm", "knn"])
@pytest.mark.parametrize("name", ["gender", "double", "race"])
def test_a_code_takes_the_most_probable_one(name: str, imputer: str) -> None:
    db, values, gone = loaded()
    result = db.sql(f"SELECT {name} FROM t ORDER BY id", imputer=imputer)
    assert result.types == [{"double": "DOUBLE"}.get(name, "BIGINT")]
    found = np.array([value for (value,) in result.fetchall()])
    assert set(found) <= set(values[name])
    counts = np.unique(values[name], return_counts=True)[1]
    assert (found == values[name])[gone[name]].mean() > counts.max() / ROWS - 0.12
    assert any("AS NUMERIC" in note for note in result.report.notes)


@pytest.mark.parametrize(("imputer", "m"), [("tree", 5), ("norm", 5), ("pmm", 1), ("knn", 1)])
def test_averages_of_codes_stay_right(imputer: str, m: int) -> None:
    db, values, _ = loaded()
    query = f"SELECT {', '.join(f'avg({name}) AS {name}' for name in CODES)} FROM t"
    results = [db.sql(query, imputer=imputer, m=m, seed=seed) for seed in range(2 if m == 1 else 1)]  # one draw each
    rows = np.array([result.fetchall()[0][: len(CODES)] if m == 1 else result.fetchall()[0] for result in results])
    found = dict(zip(results[0].columns, rows.mean(axis=0), strict=True))
    for name in CODES:
        assert abs(found[name] - values[name].mean()) < 4 * values[name].std() * np.sqrt(0.6 / ROWS)


def test_it_can_be_told_otherwise() -> None:
    db, _, _ = loaded()
    db.sql("CREATE IMPUTATION POLICY ON t(gender) AS NUMERIC")
    db.policy("t", "likert", measure="ordinal")
    db.policy("t", "score", measure="nominal", low=2)
    taken = {column.name: column.taken for column in db.profile("t")[0].columns}
    assert (taken["gender"], taken["likert"], taken["score"]) == ("numbers", "ordered categories", "categories")
    result = db.sql("SELECT gender, likert, score FROM t", imputer="norm")
    assert not any("gender" in note for note in result.report.notes)
    low = db.sql("SELECT min(score) FROM t WHERE IMPUTED(score)", imputer="tree").fetchall()[0][0]
    assert low >= 2


def test_few_rows_say_nothing() -> None:
    db = imputedb.connect()
    db.register("t", {"id": np.arange(12), "a": np.ma.masked_array(np.arange(12) % 3, np.arange(12) == 5)})
    assert [column.taken for column in db.profile("t")[0].columns] == ["numbers", "numbers"]


def test_completed_copies_hold_numbers(tmp_path: Any) -> None:
    db, values, _ = loaded()
    run = db.impute("t", tmp_path / "run", m=2, imputer="tree")
    fitted = run.analyze("income ~ gender + region")
    assert fitted is not None
    for (value,) in db.execute(f"SELECT DISTINCT region FROM '{tmp_path}/run/*/m=1/*.parquet'"):
        assert value in set(values["region"])


PERMITTED = {
    "INTEGER": "{c}",
    "BIGINT": "9007199254740992 + {c}",
    "UBIGINT": "18446744073709551600::UBIGINT + {c}",
    "DOUBLE": "{c} / 2.0",
    "FLOAT": "{c} / 10",
    "DECIMAL(9, 2)": "{c} / 10",
    "DATE": "DATE '2020-01-01' + {c}::INTEGER",
    "TIMESTAMP": "TIMESTAMP '2020-01-01' + to_days({c}::INTEGER)",
}


@pytest.mark.sampled(4)
@pytest.mark.parametrize("kind", PERMITTED)
def test_the_values_of_a_policy_are_categories(kind: str) -> None:
    """They were taken for numbers, and predictions rounded to the nearest: a middle one that hardly anybody has."""
    rng = np.random.default_rng(2)
    x = rng.normal(size=ROWS)
    code = np.where(rng.random(ROWS) < 0.04, 5, np.where(x + rng.normal(size=ROWS) > 0, 9, 1))
    code[:6] = 3  # observed, and ruled out
    gone = (rng.random(ROWS) < 0.3) & (np.arange(ROWS) > 5)
    with imputedb.connect() as db:
        db.register("s", {"id": np.arange(ROWS), "x": x, "c": code, "gone": gone})
        value = PERMITTED[kind].format(c="c")
        db.execute(f"CREATE TABLE t AS SELECT id, x, CASE WHEN NOT gone THEN ({value})::{kind} END AS v FROM s")
        stored = f"SELECT ({value})::{kind}::VARCHAR FROM s WHERE c = "
        by_code = {c: str(db.execute(f"{stored}{c} LIMIT 1")[0][0]) for c in (1, 5, 9)}
        db.policy("t", "v", values=list(by_code.values()))
        for imputer in ("tree", "knn", "norm", "pmm", "hotdeck", "multinomial"):
            found = db.sql("SELECT v::VARCHAR FROM t WHERE IMPUTED(v)", imputer=imputer).fetchall()
            assert {name for (name,) in found} <= set(by_code.values()), imputer
            rare = f"SELECT avg((v::VARCHAR = '{by_code[5]}')::INTEGER) FROM t WHERE IMPUTED(v)"
            assert db.sql(rare, m=3, imputer=imputer).fetchall()[0][0] < 0.2, imputer


def test_values_that_hardly_any_row_has_are_the_nearest() -> None:
    rng = np.random.default_rng(3)
    x = rng.normal(size=ROWS)
    gone = rng.random(ROWS) < 0.3
    with imputedb.connect() as db:
        db.register("t", {"id": np.arange(ROWS), "x": x, "v": np.ma.masked_array(10 * x, gone)})
        db.policy("t", "v", values=[-10, 0, 10])
        found = db.sql("SELECT DISTINCT v FROM t WHERE IMPUTED(v) ORDER BY v", imputer="norm").fetchall()
    assert found == [(-10,), (0,), (10,)]


@pytest.mark.parametrize("strategy", ["planned", "base"])
@pytest.mark.parametrize(("policy", "spared"), [("", ()), ("b AS NUMERIC", ("b",)), ("c AS NUMERIC", ("c",))])
def test_the_mean_of_codes_is_the_most_frequent_one_and_says_so(
    policy: str, spared: tuple[str, ...], strategy: str
) -> None:
    rng = np.random.default_rng(0)
    flags, gone = rng.random(400) < 0.3, np.arange(400) % 3 == 0
    columns = {"b": np.ma.masked_array(flags * 1.0, gone), "c": np.ma.masked_array(flags * 1, gone)}
    with imputedb.connect() as db:
        db.register("t", {"x": rng.normal(size=400), **columns})
        if policy:
            column, _, said = policy.partition(" ")
            db.sql(f"CREATE IMPUTATION POLICY ON t({column}) {said}")
        result = db.sql("SELECT avg(b), avg(c) FROM t", imputer="mean", strategy=strategy)
        whole = float(flags[~gone].mean())
        lean = whole * (~gone).mean()
        expected = [whole if "b" in spared else lean, lean]  # a mean of integers is rounded, here to 0
        assert result.fetchall()[0] == pytest.approx(expected)
        warned = {
            name for name in "bc" for one in result.report.warnings if one.startswith(f"t.{name} is taken for codes")
        }
        assert warned == set("bc") - set(spared)


def test_no_share_at_all_is_refused_of_the_mean_too() -> None:
    with imputedb.connect() as db:
        db.register("t", {"x": np.ma.masked_array(np.arange(9.0), np.arange(9) == 2)})
        db.sql("CREATE IMPUTATION POLICY ON t(x) REFUSE ABOVE 0 %")
        for imputer in ("mean", "tree"):
            with pytest.raises(imputedb.CannotImpute, match="its policy allows 0 %"):
                db.sql("SELECT avg(x) FROM t", imputer=imputer)
