"""Models as SQL: what DuckDB computes is what the model gives, bit for bit, whatever is missing."""

from collections.abc import Iterator

import duckdb
import numpy as np
import pytest

from imputedb.imputers.rows import Cells, Rows
from imputedb.models.expression import expression
from imputedb.models.extent import steps
from imputedb.models.fitted import Fitted
from imputedb.models.learning import fit
from imputedb.models.target import FitSettings, Method
from imputedb.sql import ast as t
from imputedb.sql.parse import deparse
from imputedb.statistics.table import Kind
from tests.models.test_fitted import METHODS, TARGETS, B, C, X, Y, rows

NAMES = {X: "x", **{column: column.name for column in TARGETS}}
TYPES = {"x": "DOUBLE", "y": "DOUBLE", "z": "INTEGER", "c": "VARCHAR", "b": "BOOLEAN"}


@pytest.fixture(scope="module")
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as one:
        yield one


def stored(connection: duckdb.DuckDBPyConnection, given: Rows) -> None:
    """The rows as a table `t`, in their order."""
    connection.execute("CREATE OR REPLACE TABLE t (" + ", ".join(f"{n} {kind}" for n, kind in TYPES.items()) + ")")
    columns = []
    for column in NAMES:
        cells = given.columns[column]
        values = [cells.levels[v] for v in cells.values] if column == C else cells.values.tolist()
        columns.append([None if gone else v for v, gone in zip(values, cells.missing, strict=True)])
    connection.executemany("INSERT INTO t VALUES (?, ?, ?, ?, ?)", list(zip(*columns, strict=True)))


def strange(seed: int, levels: tuple[str, ...] = ("low", "mid", "top", "never seen")) -> Rows:
    """Rows with NaN, infinities, values far out, levels that no model has seen, and whatever may be missing missing."""
    given, rng = rows(500, seed=seed), np.random.default_rng([seed, 1])
    columns = dict(given.columns)
    x = columns[X].values.copy()
    x[:40] = rng.choice([np.inf, -np.inf, 1e308, -1e308, 0.0], 40)
    gone = rng.random((5, 500)) < 0.4
    columns[X] = Cells(x, gone[0], Kind.NUMBER)
    columns[C] = Cells(rng.integers(0, len(levels), 500).astype(np.int32), gone[1], Kind.CATEGORY, levels)
    for column, flags in zip(TARGETS[:2], gone[2:4], strict=True):
        columns[column] = columns[column].like(columns[column].values, flags)
    columns[B] = columns[B].like(columns[B].values, gone[4])
    return Rows(columns, given.keys)


def compared(
    connection: duckdb.DuckDBPyConnection, model: Fitted, given: Rows, complete: frozenset[int] = frozenset()
) -> int:
    """How many targets have an expression; it gives what the model gives, given which features every row has."""
    stored(connection, given)
    found, count = model.values(model.aligned(given)), 0
    for target in model.targets:
        feature = model.features[target.feature]
        tree = expression(model, target, complete=complete)
        if tree is None:
            continue
        count += 1
        node = t.select([t.named(tree, "v")], t.table(["t"], ""), t.is_missing(t.reference(feature.column.name)))
        values = [value for (value,) in connection.execute(deparse(connection, node)).fetchall()]
        wanted = found[feature.column]
        if feature.kind is Kind.CATEGORY:
            assert values == [feature.levels[int(code)] for code in wanted]
        else:
            np.testing.assert_array_equal(np.array(values, np.float64), wanted.astype(np.float64))
    return count


@pytest.mark.sampled(4)
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("complete", [False, True])
def test_sql_gives_what_the_model_gives(connection: duckdb.DuckDBPyConnection, method: Method, complete: bool) -> None:
    model = fit(rows(complete=complete), TARGETS, {}, FitSettings(method, draws=1))
    least = {"mean": 4, "norm": 4, "pmm": 2, "tree": 4}[method]
    assert compared(connection, model, rows(seed=1)) >= least
    assert compared(connection, model, strange(2)) >= least


@pytest.mark.sampled(2)
@pytest.mark.parametrize("method", METHODS)
def test_columns_that_no_row_lacks_are_not_asked_for(connection: duckdb.DuckDBPyConnection, method: Method) -> None:
    model = fit(rows(), TARGETS, {}, FitSettings(method, draws=1))
    given = rows(seed=1)
    predictors = {column: cells for column, cells in given.columns.items() if column in (X, C)}
    whole = {
        column: cells.like(cells.values, np.zeros(len(cells.values), bool)) for column, cells in predictors.items()
    }
    given = Rows({**given.columns, **whole}, given.keys)
    complete = frozenset(p for p, one in enumerate(model.features) if one.column in whole)
    assert compared(connection, model, given, complete) >= 2
    for target in model.targets:
        plain, less = expression(model, target), expression(model, target, complete=complete)
        assert (plain is None) == (less is None)
        if plain is not None:
            assert steps(target.expected, complete)[0] <= steps(target.expected)[0]
            assert method == "mean" or len(str(less)) < len(str(plain))


def test_a_category_of_countless_levels_is_not_written_out_at_each_split() -> None:
    rng = np.random.default_rng(0)
    levels = tuple(f"level {k:04}" for k in range(3000))
    codes = rng.integers(0, 3000, 4000).astype(np.int32)
    y = (codes % 7) * 1.0 + (codes > 1500) + rng.normal(size=4000)
    columns = {
        C: Cells(codes, np.zeros(4000, bool), Kind.CATEGORY, levels),
        Y: Cells(y, rng.random(4000) < 0.2, Kind.NUMBER),
    }
    model = fit(Rows(columns, np.arange(4000).astype(np.uint64)), [Y], {}, FitSettings("tree", draws=1))
    assert len(str(expression(model, model.targets[0]))) < 50_000_000
