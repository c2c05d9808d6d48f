"""Short functions that are learnt from a sample: the columns they read, and draws that are made in SQL."""

from dataclasses import replace
from functools import cache

import numpy as np
import pytest

import imputedb
from imputedb.algebra.column import Column
from imputedb.imputers import random
from imputedb.imputers.rows import Cells, Rows
from imputedb.models import applying, chance
from imputedb.models.expression import expression
from imputedb.models.function import Scores, Sum
from imputedb.models.layers import LayeredQuery, are_drawn
from imputedb.models.on_sample import LEAVES, fit_on_sample
from imputedb.models.target import FitSettings
from imputedb.sql import ast as t
from imputedb.statistics.table import Kind

N = 4000
SALT = 2**63 + 12345
TYPES = {"a": "DOUBLE", "b": "DOUBLE", "c": "VARCHAR", "noise": "DOUBLE", "y": "DOUBLE", "k": "VARCHAR"}
KINDS = {"VARCHAR": Kind.CATEGORY, "DOUBLE": Kind.NUMBER}


@cache
def made():
    """Rows of which y and k are known by a, b and c; `noise` tells nothing."""
    dice = np.random.default_rng(0)
    a, b, c, noise = dice.normal(size=N), dice.normal(size=N), dice.integers(0, 3, N), dice.normal(size=N)
    y = 2 * a + 3 * (c == 1) + dice.normal(size=N) * 0.5
    k = np.where(dice.uniform(size=N) < 1 / (1 + np.exp(-2 * b)), 1, np.where(c == 2, 2, 0))
    values = {"a": a, "b": b, "c": c.astype(np.int32), "noise": noise, "y": y, "k": k.astype(np.int32)}
    gone = {name: np.zeros(N, bool) for name in values}
    gone["y"], gone["k"], gone["a"] = (dice.uniform(size=(3, N)) < 0.15).tolist()
    levels = {"c": ("p", "q", "r"), "k": ("none", "one", "two")}
    columns = {
        Column("t", name): Cells(values[name], np.asarray(gone[name]), KINDS[TYPES[name]], levels.get(name, ()))
        for name in values
    }
    return Rows(columns, random.mixed(np.arange(N, dtype=np.uint64)))


@cache
def fitted(target, method, draws=1):
    types = {Column("t", name): kind for name, kind in TYPES.items()}
    return fit_on_sample(made(), Column("t", target), types, FitSettings(method, draws=draws, seed=3))


@cache
def stored():
    """A database that has the rows, in their order."""
    columns = {"i": np.arange(N)}
    for column, cells in made().columns.items():
        values = np.array(cells.levels, object)[cells.values] if cells.levels else cells.values
        columns[column.name] = np.ma.MaskedArray(values, cells.missing)
    db = imputedb.connect()
    db.register("rows", columns, keep=True)
    return db


def in_sql(one, draw=None):
    """What DuckDB gives of the rows for a function, or for a draw of it."""
    (target,), rows = one.fitted.targets, t.table(("rows",), "rows")
    reads = lambda feature: t.reference("rows", feature.column.name)  # noqa: E731
    goal = one.fitted.features[target.feature].column.name
    order = [{"type": "ASCENDING", "null_order": "ORDER_DEFAULT", "expression": t.reference("rows", "i")}]
    if draw is None:
        shown = t.null_where(t.is_present(t.reference("rows", goal)), expression(one.fitted, target, reads))
    else:
        assert are_drawn(one.fitted, draw)
        layers = LayeredQuery(one.fitted, draw, rows, ["i", *(c.name for c in made().columns)], "rows", reads, "drawn")
        found = layers.of(t.reference("rows", "i"), SALT)
        shown, rows = t.reference("rows", found.drawn[goal]), found.source
    node = t.select([shown], rows, modifiers=[{"type": "ORDER_MODIFIER", "orders": order}])
    return np.array([value for (value,) in stored().execute(stored()._engine.text(node))], object)


def in_python(one, draw=None):
    """What the model gives of the rows' missing values."""
    (target,), rows = one.fitted.targets, one.fitted.aligned(replace(made(), keys=chance.keys(np.arange(N), SALT)))
    column = one.fitted.features[target.feature].column
    values, levels = one.fitted.values(rows, draw)[column], rows.columns[column].levels
    return rows.columns[column].missing, [levels[code] for code in values] if levels else values.tolist()


@pytest.mark.parametrize("method", ["tree", "norm"])
@pytest.mark.parametrize(("target", "read"), [("y", {"a", "c"}), ("k", {"b", "c"})])
def test_columns_that_tell_nothing_are_not_read(target, read, method):
    found = fitted(target, method, draws=0)
    assert {one.column.name for one in found.fitted.features} == {target, *read}
    assert found.candidate_count == 5
    assert 0 <= found.lost_share <= 0.01


def test_where_nothing_tells_the_mean_is_expected():
    rows = made()
    few = Rows({one: cells for one, cells in rows.columns.items() if one.name in ("noise", "b", "a")}, rows.keys)
    found = fit_on_sample(few, Column("t", "noise"), {}, FitSettings("tree", draws=1))
    assert found.predictor_count == 0
    (target,) = found.fitted.targets
    x = np.full((1, 3), np.nan)
    known = rows.columns[Column("t", "noise")].values
    assert applying.expected(target.expected, x, np.arange(3)) == pytest.approx(known.mean(), abs=0.05)


@pytest.mark.parametrize("method", ["tree", "norm"])
@pytest.mark.parametrize("target", ["y", "k"])
def test_values_and_draws_are_those_of_the_function(target, method):
    one = fitted(target, method, draws=2)
    sums = getattr(one.fitted.targets[0].expected, "sums", (one.fitted.targets[0].expected,))
    trees = [one.forest for one in sums if isinstance(one, Sum) and one.forest is not None]
    assert sum(int((forest.features < 0).sum()) for forest in trees) <= 1.5 * LEAVES
    found = []
    for draw in (None, 1, 2):
        gone, wanted = in_python(one, draw)
        found.append(in_sql(one, draw)[gone].tolist())
        assert found[-1] == (wanted if target == "k" or draw is None else pytest.approx(wanted, rel=1e-9))
    assert len({str(values) for values in found}) == 3


def test_drawn_numbers_spread_as_what_is_observed_does():
    cells = made().columns[Column("t", "y")]
    true = cells.values[~cells.missing]
    for method in ("tree", "norm"):
        one = fitted("y", method, draws=2)
        drawn = in_sql(one, 1)[cells.missing].astype(float)
        assert np.std(drawn) == pytest.approx(np.std(true), rel=0.08)


def test_categories_are_drawn_as_often_as_they_are_probable():
    tree = fitted("k", "tree", draws=2)
    values = in_sql(tree, 1)
    (target,) = tree.fitted.targets
    function, rows = target.drawn[0], made()
    assert isinstance(function, Scores)
    gone = rows.columns[Column("t", "k")].missing
    x = np.stack([one.encoded(rows.columns[one.column]) for one in tree.fitted.features])
    scores = np.stack([applying.summed(one, x, np.flatnonzero(gone)) for one in function.sums])
    shares = np.exp(scores) / np.exp(scores).sum(axis=0)
    names = [tree.fitted.features[target.feature].levels[code] for code in function.codes]
    for name, share in zip(names, shares, strict=True):
        spread = np.sqrt((share * (1 - share)).sum()) / len(share)
        assert abs((values[gone] == name).mean() - share.mean()) < 4 * spread
