"""Intervals of single cells: thresholds, coverage, patterns, types and refusals."""

import math
from datetime import date

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import imputedb
from imputedb import CannotImpute, Database, DataError, QueryError, UnknownName
from imputedb.statistics.conformal import needed, two_sided, upper


def table(n: int, seed: int, *, skewed: bool = False) -> dict[str, np.ndarray]:
    """Complete: y and sort by x and a, y far less certain without a."""
    rng = np.random.default_rng(seed)
    x, a = rng.normal(size=n), rng.normal(size=n)
    noise = rng.exponential(2, n) - 2 if skewed else rng.normal(size=n)
    sort = np.array(list("pqr"), object)[np.digitize(x + 0.7 * rng.normal(size=n), [-0.5, 0.7])]
    return {"id": np.arange(n) + 10, "x": x, "a": a, "sort": sort, "y": 5 + x + 3 * a + noise}


def pierced(full: dict[str, np.ndarray], column: str, seed: int, share: float = 0.3) -> dict[str, np.ndarray]:
    """The column misses a share at random; in half of those rows a is missing too."""
    rng = np.random.default_rng([seed, 1])
    gone = rng.random(len(full["x"])) < share
    also = gone & (rng.random(len(gone)) < 0.5)
    return {**full, column: np.ma.masked_array(full[column], gone), "a": np.where(also, np.nan, full["a"])}


# -- thresholds ------------------------------------------------------------------------------------------------------


def test_the_least_number_of_cells_gives_a_finite_threshold() -> None:
    assert (needed(0.9, 2), needed(0.9, 1), needed(0.95, 2), needed(0.8, 1)) == (19, 9, 39, 4)
    for level in (0.5, 0.8, 0.9, 0.95, 0.99):
        for sides in (1, 2):
            n = needed(level, sides)
            side = 1 - (1 - level) / sides
            assert math.isfinite(upper(np.arange(float(n)), side))
            assert math.isinf(upper(np.arange(float(n - 1)), side))


def test_thresholds_are_order_statistics() -> None:
    assert upper(np.arange(1.0, 100.0), 0.9) == 90  # ceil(100 * .9)
    assert two_sided(np.arange(1.0, 100.0), 0.9) == (5, 95)


@given(st.integers(0, 10_000), st.sampled_from([0.7, 0.8, 0.9]), st.integers(40, 120))
@settings(max_examples=8, deadline=None)
def test_any_errors_are_covered_as_often_as_promised(seed: int, level: float, n: int) -> None:
    """Of exchangeable errors the coverage is at least the level, and at most 2 / (n + 1) above it."""
    rng = np.random.default_rng(seed)
    held = []
    for _ in range(4000):
        errors = np.exp(rng.normal(size=n + 1)) - rng.uniform()
        low, high = two_sided(errors[:-1], level)
        held.append(low <= errors[-1] <= high)
    error = 4.5 * math.sqrt(level * (1 - level) / len(held))
    assert level - error <= np.mean(held) <= level + 2 / (n + 1) + error


# -- cells -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("imputer", ["tree", "knn", "norm", "mean", "hotdeck"])
@pytest.mark.parametrize("skewed", [False, True])
def test_intervals_hold_the_truth_as_often_as_asked_in_every_pattern(db: Database, imputer: str, skewed: bool) -> None:
    full = table(4000, 3, skewed=skewed)
    db.register("t", pierced(full, "y", 3))
    found = db.cells("t", "y", imputer=imputer)
    assert [cell.row for cell in found.cells] == [
        row for (row,) in db.execute("SELECT id FROM t WHERE y IS NULL ORDER BY id")
    ]
    truth = dict(zip(full["id"].tolist(), full["y"].tolist(), strict=True))
    assert {one.missing for one in found.patterns} == {(), ("a",)}
    for pattern in found.patterns:
        mine = [cell for cell in found.cells if cell.missing == pattern.missing]
        assert len(mine) == pattern.cells > 500
        held = np.mean([cell.low <= truth[cell.row] <= cell.high for cell in mine])  # type: ignore[operator]
        error = 4 * math.sqrt(0.09 / pattern.calibrated + 0.09 / len(mine))
        assert abs(held - 0.9) < error
        assert abs(pattern.coverage - 0.9) < 4 * math.sqrt(0.09 / pattern.calibrated + 0.09 / pattern.checked)
        assert not pattern.pooled
    assert found.checked == sum(pattern.checked for pattern in found.patterns)
    assert found.coverage == pytest.approx(sum(p.coverage * p.checked for p in found.patterns) / found.checked)


def test_a_cell_whose_row_lacks_more_has_a_wider_interval(db: Database) -> None:
    db.register("t", pierced(table(3000, 1), "y", 1))
    width = {pattern.missing: pattern.width for pattern in db.cells("t", "y").patterns}
    assert width["a",] > 1.7 * width[()]


@pytest.mark.parametrize("imputer", ["tree", "multinomial", "hotdeck"])
def test_sets_hold_the_true_category(db: Database, imputer: str) -> None:
    full = table(4000, 5)
    db.register("t", pierced(full, "sort", 5))
    found = db.cells("t", "sort", imputer=imputer)
    truth = dict(zip(full["id"].tolist(), full["sort"].tolist(), strict=True))
    held = np.mean([truth[cell.row] in cell.categories for cell in found.cells])  # type: ignore[index]
    assert held > 0.9 - 4 * math.sqrt(0.09 / len(found.cells) + 0.09 / found.checked)
    assert found.coverage > 0.9 - 4 * math.sqrt(2 * 0.09 / found.checked)
    assert all(cell.value in cell.categories and cell.low is None for cell in found.cells)
    assert {len(cell.categories) for cell in found.cells} <= {1, 2, 3}


def test_sets_are_no_larger_than_they_must_be(db: Database) -> None:
    full = table(3000, 2)
    full["sort"] = np.array(list("pqr"), object)[np.digitize(full["x"], [-0.5, 0.7])]  # x says it all
    db.register("t", pierced(full, "sort", 2))
    assert np.mean([len(cell.categories) for cell in db.cells("t", "sort", imputer="tree").cells]) < 1.2


def test_types_come_back_as_they_are(db: Database) -> None:
    rng = np.random.default_rng(0)
    n = 800
    day = np.datetime64("2020-01-01") + rng.integers(0, 900, n)
    gone = rng.random((3, n)) < 0.2
    age = rng.integers(0, 90, n)
    db.register("t", {"id": np.arange(n), "age": np.ma.masked_array(age, gone[0]), "w": age + rng.normal(size=n)})
    db.execute("ALTER TABLE t ADD COLUMN seen DATE")
    db.execute("ALTER TABLE t ADD COLUMN old BOOLEAN")
    db.execute("UPDATE t SET seen = DATE '2020-01-01' + (3 * w)::INT, old = w > 40")
    db.execute("UPDATE t SET seen = NULL WHERE hash(id) % 5 = 0")
    db.execute("UPDATE t SET old = NULL WHERE hash(id + 1) % 5 = 0")
    assert len(day) == n
    for column, kind in (("age", int), ("seen", date)):
        cell = db.cells("t", column).cells[0]
        assert type(cell.value) is type(cell.low) is type(cell.high) is kind
        assert cell.low <= cell.value <= cell.high  # type: ignore[operator]
    assert {one for cell in db.cells("t", "old").cells for one in cell.categories} == {True, False}


def test_another_column_may_be_empty(db: Database) -> None:
    db.register("t", pierced(table(800, 1), "y", 1))
    db.execute("CREATE TABLE with_empty AS SELECT *, NULL::DOUBLE AS e, NULL::VARCHAR AS f FROM t")
    assert db.cells("with_empty", "y").coverage > 0.75


def test_where_nothing_else_is_missing_there_is_one_pattern(db: Database) -> None:
    full = table(800, 1)
    db.register("t", {**pierced(full, "y", 1), "a": full["a"]})
    found = db.cells("t", "y")
    assert [(pattern.missing, pattern.cells) for pattern in found.patterns] == [((), len(found.cells))]


def test_a_table_without_a_key_has_row_ids(db: Database) -> None:
    given = pierced(table(800, 1), "y", 1)
    del given["id"]
    db.register("t", given)
    found = db.cells("t", "y")
    assert found.key == "rowid"
    assert [(cell.row,) for cell in found.cells] == db.execute("SELECT rowid FROM t WHERE y IS NULL ORDER BY rowid")


@pytest.mark.filterwarnings("error")
def test_infinite_values_leave_ends_open(db: Database) -> None:
    full = table(1500, 1)
    full["y"][::7] = math.inf
    db.register("t", pierced(full, "y", 1))
    found = db.cells("t", "y")
    assert {cell.high for cell in found.cells} == {math.inf}
    assert all(math.isfinite(cell.low) for cell in found.cells if math.isfinite(cell.value))  # type: ignore[arg-type]
    assert found.coverage > 0.9


def test_one_seed_one_answer_and_data_is_plain(db: Database) -> None:
    db.register("t", pierced(table(600, 1), "y", 1))
    one = db.cells("t", "y", seed=4)
    db.execute("SET threads = 1")
    assert one == db.cells("t", "y", seed=4)
    assert one != db.cells("t", "y", seed=5)
    assert one.data()["cells"][0]["row"] == one.cells[0].row


def test_a_rare_pattern_has_the_threshold_of_all(db: Database) -> None:
    given = pierced(table(600, 1), "y", 1)
    gone = np.zeros(600, bool)
    gone[np.flatnonzero(given["y"].mask)[:2]] = True  # type: ignore[attr-defined]
    db.register("t", {**given, "x": np.where(gone, np.nan, given["x"])})
    found = db.cells("t", "y")
    rare = [pattern for pattern in found.patterns if "x" in pattern.missing]
    assert rare
    assert all(pattern.pooled for pattern in rare)
    assert any("2 of" in note and "all patterns together" in note for note in found.notes)


def test_a_policys_range_bounds_intervals(db: Database) -> None:
    full = table(1500, 1)
    low = float(full["y"].min())
    db.register("t", pierced(full, "y", 1), keep=True)
    assert min(cell.low for cell in db.cells("t", "y", level=0.98).cells) < low  # type: ignore[type-var, operator]
    db.sql(f"CREATE IMPUTATION POLICY ON t(y) RANGE {low} TO 1000")
    assert min(cell.low for cell in db.cells("t", "y", level=0.98).cells) == low  # type: ignore[type-var]


def test_low_coverage_is_said(db: Database) -> None:
    """The intervals are learnt on one half; that the other is not covered can only be forced."""
    from imputedb.diagnostics import cell_intervals

    db.register("t", pierced(table(2000, 1), "y", 1))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cell_intervals, "two_sided", lambda *_: (-0.1, 0.1))
        found = db.cells("t", "y")
    assert found.coverage < 0.3
    assert any("were covered, not 90%" in note for note in found.notes)


def test_refusals_say_what_to_do(db: Database) -> None:
    db.register("t", pierced(table(300, 1), "y", 1))
    db.register("few", pierced(table(30, 1), "y", 1))
    for wrong, words in (
        ({"level": 1.0}, "the level is 1.0"),
        ({"level": float("nan")}, "the level is nan"),
        ({"share": 0.5}, "between 0 and 0.5"),
        ({"imputer": "drop"}, "need one imputer"),
        ({"imputer": ("tree", "knn")}, "need one imputer"),
        ({"imputer": "trees"}, "did you mean 'tree'"),
    ):
        with pytest.raises(QueryError, match=words):
            db.cells("t", "y", **wrong)  # type: ignore[arg-type]
    with pytest.raises(UnknownName, match="no column 'z'"):
        db.cells("t", "z")
    with pytest.raises(UnknownName, match="nowhere"):
        db.cells("nowhere", "z")
    with pytest.raises(DataError, match="has no missing value"):
        db.cells("t", "x")
    with pytest.raises(DataError, match=r"too few for a level of 0\.9, which needs 19"):
        db.cells("few", "y")
    with pytest.raises(imputedb.Error, match="id"):
        db.cells("t", "id")
    db.execute("CREATE TABLE nothing AS SELECT * REPLACE (NULL::DOUBLE AS y) FROM t")
    with pytest.raises(CannotImpute, match="no observed value"):
        db.cells("nothing", "y")
    db.execute("CREATE TABLE empty AS FROM t LIMIT 0")
    with pytest.raises(imputedb.Error):
        db.cells("empty", "y")
    db.execute("CREATE TABLE pupils AS SELECT * FROM t")
    db.sql("CREATE IMPUTATION POLICY ON pupils(y) KEEP")
    with pytest.raises(DataError, match="KEEP"):
        db.cells("pupils", "y")


def test_nulls_that_mean_something_have_no_interval(db: Database) -> None:
    given = pierced(table(1500, 1), "y", 1)
    sat = np.array(["yes", "no"], object)[(np.random.default_rng(2).random(1500) < 0.2).astype(int)]
    given["y"] = np.ma.masked_array(given["y"].data, given["y"].mask | (sat == "no"))  # type: ignore[attr-defined]
    db.register("t", {**given, "sat": sat}, keep=True)
    db.sql("CREATE IMPUTATION POLICY ON t(y) STRUCTURAL WHEN (sat = 'no')")
    found = db.cells("t", "y")
    wanted = db.execute("SELECT id FROM t WHERE y IS NULL AND sat = 'yes' ORDER BY id")
    assert [(cell.row,) for cell in found.cells] == wanted
    assert sum(pattern.cells for pattern in found.patterns) == len(wanted)


def test_the_columns_own_imputer_is_named(db: Database) -> None:
    db.register("t", pierced(table(1500, 1), "y", 1), keep=True)
    free = db.cells("t", "y")
    db.sql("CREATE IMPUTATION POLICY ON t(y) IMPUTER mean")
    found = db.cells("t", "y")
    assert len({cell.value for cell in found.cells}) == 1 < len({cell.value for cell in free.cells})
    assert any("y is filled by mean" in note for note in found.notes)
