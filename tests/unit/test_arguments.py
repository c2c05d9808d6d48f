"""What users hand in: wrong numbers, flags, names and words are refused by name in every public call."""

import inspect
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import imputedb
from imputedb import Database, arguments
from imputedb.completion.sensitivity import mean_of
from imputedb.errors import DataError, Error, QueryError
from imputedb.imputers.chained.chained import Chained
from imputedb.imputers.chained.pmm import Pmm
from imputedb.imputers.chained.shift import Shift
from imputedb.imputers.knn import KNN
from imputedb.imputers.tree import Tree

ODD = {
    "true": True,
    "true of NumPy": np.True_,
    "nan": float("nan"),
    "nan of NumPy": np.float64("nan"),
    "infinite": float("inf"),
    "negative": -1,
    "zero": 0,
    "broken": 2.5,
    "text": "x",
    "none": None,
    "list": [1],
    "huge": 10**400,
    "bytes": b"1",
    "complex": 1j,
}

Call = Callable[[Database, Path, Any], object]
ASK = "SELECT avg(x) FROM t"


def sql(name: str, **others: Any) -> Call:
    return lambda db, _, value: db.sql(ASK, **{**others, name: value})


def imputing(make: Callable[..., Any], name: str) -> Call:
    return lambda db, _, value: db.sql(ASK, imputer=make(**{name: value}))


def called(method: str, *given: Any, name: str, **others: Any) -> Call:
    return lambda db, _, value: getattr(db, method)(*given, **{**others, name: value})


def run(name: str) -> Call:
    return lambda db, path, value: db.impute("t", path, **{"m": 1, "imputer": "mean", name: value})


def swept(name: str) -> Call:
    return lambda db, _, value: db.sensitivity(
        "t", "x", **{"shifts": [0, 1], "analysis": mean_of("x"), "m": 2, name: value}
    )


def pooled(name: str) -> Call:
    return lambda _, __, value: imputedb.pool([(1.0, 0.5), (2.0, 0.5)], **{name: value})


def level(_: Database, __: Path, value: Any) -> object:
    return imputedb.pool([(1.0, 0.5), (2.0, 0.5)])["estimate"].interval(value)


chained = partial(Chained, Pmm())

CALLS: dict[str, tuple[Call, set[str]]] = {
    "sql alpha": (sql("alpha"), {"zero"}),
    "sql m": (sql("m"), {"none"}),
    "sql seed": (sql("seed"), {"zero", "negative", "huge"}),
    "sql level": (sql("level", m=2), set()),
    "sql precision": (sql("precision", m=2), set()),
    "sql deviations": (sql("deviations", method="bounds"), {"zero", "broken", "none"}),
    "sql method": (sql("method"), set()),
    "sql interval": (sql("interval"), set()),
    "sql strategy": (sql("strategy"), set()),
    "sql imputer": (sql("imputer"), set()),
    "explain alpha": (called("explain", ASK, name="alpha"), {"zero"}),
    "explain seed": (called("explain", ASK, name="seed"), {"zero", "negative", "huge"}),
    "knn k": (imputing(KNN, "k"), set()),
    "knn recall": (imputing(KNN, "recall"), set()),
    "knn metric": (imputing(KNN, "metric"), set()),
    "knn weights": (imputing(KNN, "weights"), {"none"}),
    "knn measures": (imputing(KNN, "measures"), set()),
    "knn group": (imputing(KNN, "group"), {"none", "text"}),
    "knn before": (imputing(KNN, "before"), {"none", "text"}),
    "knn fallback": (imputing(KNN, "fallback"), set()),
    "knn mode": (imputing(KNN, "mode"), set()),
    "tree cycles": (imputing(Tree, "cycles"), {"none", "zero"}),
    "tree leaves": (imputing(Tree, "leaves"), {"none"}),
    "tree min_leaf": (imputing(Tree, "min_leaf"), {"none"}),
    "tree mode": (imputing(Tree, "mode"), set()),
    "pmm donors": (imputing(Pmm, "donors"), set()),
    "pmm bootstrap": (imputing(Pmm, "bootstrap"), {"true"}),
    "chained cycles": (imputing(chained, "cycles"), {"none", "zero"}),
    "chained deltas": (imputing(chained, "deltas"), set()),
    "chained others": (imputing(chained, "others"), set()),
    "chained model": (imputing(Chained, "model"), set()),
    "shift add": (lambda _, __, value: Shift(add=value), {"zero", "negative", "broken"}),
    "shift times": (lambda _, __, value: Shift(times=value), {"zero", "negative", "broken"}),
    "shift odds": (lambda _, __, value: Shift(odds={"a": value}), {"broken"}),
    "evaluate share": (called("evaluate", "t", name="share", imputer="mean"), set()),
    "evaluate seed": (called("evaluate", "t", name="seed", imputer="mean"), {"zero", "negative", "huge"}),
    "evaluate pattern": (called("evaluate", "t", name="pattern", imputer="mean"), set()),
    "evaluate by": (called("evaluate", "t", name="by", imputer="mean"), {"none", "text"}),
    "evaluate columns": (called("evaluate", "t", name="columns", imputer="mean"), {"text"}),
    "cells level": (called("cells", "t", "x", name="level", imputer="mean"), set()),
    "cells share": (called("cells", "t", "x", name="share", imputer="mean"), set()),
    "cells seed": (called("cells", "t", "x", name="seed", imputer="mean"), {"zero", "negative", "huge"}),
    "scan ks": (called("scan", "t", name="ks"), {"list"}),
    "scan metrics": (called("scan", "t", name="metrics", ks=[3]), set()),
    "scan seed": (called("scan", "t", name="seed", ks=[3]), {"zero", "negative", "huge"}),
    "scan columns": (called("scan", "t", name="columns", ks=[3]), {"text"}),
    "scan imputer": (called("scan", "t", name="imputer", ks=[3]), {"none"}),
    "audit limit": (called("audit", "t", "made", name="limit"), {"huge"}),
    "audit seed": (called("audit", "t", "made", name="seed"), {"zero", "negative", "huge"}),
    "audit salt": (called("audit", "t", "made", name="salt"), {"none", "text"}),
    "audit columns": (called("audit", "t", "made", name="columns"), {"text"}),
    "audit imputer": (called("audit", "t", "made", name="imputer"), {"none"}),
    "audit into": (called("audit", "t", name="into"), {"text"}),
    "why salt": (called("why", "t", "x", 5, name="salt"), {"none", "text"}),
    "why imputer": (called("why", "t", "x", 5, name="imputer"), {"none"}),
    "impute m": (run("m"), set()),
    "impute_draws draws": (lambda db, path, value: db.impute_draws("t", path, [value], m=2, imputer="mean"), set()),
    "impute seed": (run("seed"), {"zero", "negative", "huge"}),
    "impute columns": (run("columns"), {"none", "text"}),
    "impute flags": (run("flags"), {"true"}),
    "impute long": (run("long"), {"true"}),
    "impute imputer": (run("imputer"), set()),
    "sensitivity shifts": (swept("shifts"), {"list"}),
    "sensitivity m": (swept("m"), set()),
    "sensitivity level": (swept("level"), set()),
    "sensitivity hypothesis": (swept("hypothesis"), {"zero", "negative", "broken"}),
    "sensitivity seed": (swept("seed"), {"zero", "negative", "huge"}),
    "sensitivity by": (swept("by"), set()),
    "sensitivity analysis": (swept("analysis"), set()),
    "compare ways": (called("compare", ASK, name="ways", m=2), set()),
    "compare m": (called("compare", ASK, name="m", ways=["mean"]), set()),
    "compare level": (called("compare", ASK, name="level", m=2, ways=["mean"]), set()),
    "compare seed": (called("compare", ASK, name="seed", m=2, ways=["mean"]), {"zero", "negative", "huge"}),
    "compare interval": (called("compare", ASK, name="interval", m=2, ways=["mean"]), set()),
    "likelihood level": (called("likelihood", "t", name="level"), set()),
    "likelihood columns": (called("likelihood", "t", name="columns"), {"text"}),
    "policy low": (called("policy", "t", "x", name="low"), {"none", "zero", "negative", "broken"}),
    "policy high": (called("policy", "t", "x", name="high"), {"none", "zero", "negative", "broken"}),
    "policy above": (called("policy", "t", "x", name="above"), {"none", "zero", "broken"}),
    "policy values": (called("policy", "t", "x", name="values"), {"list"}),
    "policy predictors": (called("policy", "t", "x", name="predictors"), {"text"}),
    "policy exclude": (called("policy", "t", "x", name="exclude"), {"text"}),
    "policy imputer": (called("policy", "t", "x", name="imputer"), {"none"}),
    "policy before": (called("policy", "t", "x", name="before"), {"none", "text"}),
    "policy when": (called("policy", "t", "x", name="when"), {"none", "text"}),
    "policy action": (called("policy", "t", "x", name="action"), set()),
    "policy refuse": (called("policy", "t", "x", name="refuse"), {"true"}),
    "pool df_complete": (pooled("df_complete"), {"none", "broken", "infinite"}),
    "pool df": (pooled("df"), set()),
    "pool terms": (pooled("terms"), {"none", "text"}),
    "interval level": (level, set()),
}


@pytest.fixture(scope="module")
def table() -> dict[str, Any]:
    rng = np.random.default_rng(0)
    x = rng.normal(10, 2, 80)
    return {"id": np.arange(80), "x": np.ma.masked_array(x, rng.random(80) < 0.3), "y": x + rng.normal(size=80)}


@pytest.mark.sampled(3)
@pytest.mark.parametrize("what", CALLS)
def test_what_is_no_such_argument_is_refused_by_name(what: str, table: dict[str, Any], tmp_path: Path) -> None:
    """Each odd value is refused in one of our sentences, and no other one is; nothing is done before that."""
    call, fine = CALLS[what]
    with imputedb.connect() as db:
        db.register("t", table)
        for name, value in ODD.items():
            if name in fine:
                continue
            with pytest.raises(Error) as refused:
                call(db, tmp_path / "run", value)
            assert isinstance(refused.value, QueryError | DataError), name
            assert "please report" not in str(refused.value)
            assert not (tmp_path / "run").exists(), name
        assert set(db.tables()) == {"t"}
        assert not db.policies()


@pytest.mark.sampled(2)
@pytest.mark.parametrize("what", [name for name, (_, fine) in CALLS.items() if fine])
def test_what_is_fine_is_answered_or_refused_for_the_data(what: str, table: dict[str, Any], tmp_path: Path) -> None:
    call, fine = CALLS[what]
    for name in fine:
        with imputedb.connect() as db:
            db.register("t", {**table, "e": np.arange(80) / 7})
            value = {"text": "y", "list": [1]}.get(name, ODD[name]) if what != "policy when" else "y > 3"
            with suppress(QueryError, DataError):  # such as a range that no value is in
                call(db, tmp_path / name, value)


GIVEN: dict[str, dict[str, Any]] = {
    "ampute": {"table": "t", "into": "holes"},
    "apply_policies": {"path": "said.toml"}, "audit": {"table": "t", "into": "made", "limit": 2},
    "cells": {"table": "t", "column": "x", "imputer": "mean", "level": 0.5, "share": 0.45},
    "complete": {"table": "t"}, "compare": {"text": ASK, "ways": ["mean"], "m": 2},
    "impute_draws": {"source": "t", "out": "out", "draws": [1], "imputer": "mean"},
    "create_model": {"name": "m", "table": "t"}, "drop_model": {"name": "m"}, "import_model": {"model": "m"},
    "compare_models": {"one": "m", "other": "m"},
    "model": {"name": "m"}, "refresh_model": {"name": "m"}, "evaluate": {"table": "t", "imputer": "mean"},
    "describe": {"text": ASK},
    "execute": {"text": "SELECT 1"}, "explain": {"text": ASK}, "export_policies": {"path": "out.toml"},
    "frontier": {"text": ASK}, "impute": {"source": "t", "out": "run", "m": 1, "imputer": "mean"},
    "likelihood": {"source": "t"}, "load": {"table": "z"}, "missing": {"table": "t", "column": "y", "values": [99]},
    "more": {"run": "none", "cycles": 1}, "repeat": {"folder": "none", "out": "again"},
    "estimate": {"source": "t", "m": 1, "imputer": "mean"},
    "increment": {"source": "t", "out": "out", "model": "m", "key": "id"},
    "policy": {"table": "t", "column": "x"}, "sql": {"text": ASK},
    "pool_scores": {"source": "t", "formula": "x ~ y", "m": 2, "folds": 2, "imputer": "mean"},
    "register": {"name": "z", "frame": {"a": [1.0]}}, "scan": {"table": "t", "ks": (1,), "metrics": ("gower",)},
    "sensitivity": {"source": "t", "column": "x", "shifts": [0], "analysis": mean_of("x"), "m": 2},
    "why": {"table": "t", "column": "x", "row": 1},
}  # fmt: skip
ODDEST = (True, 3, None, [1], {"a": 1}, b"1", 1j, np.arange(3), np.array(3), {1}, "a\ud800")
METHODS = [name for name, _ in inspect.getmembers(Database, inspect.isfunction) if name[0] != "_" and name != "close"]


@pytest.mark.parametrize("method", METHODS)
def test_no_argument_of_any_call_is_called_an_error_of_ours(
    method: str, table: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with imputedb.connect() as db:
        db.register("t", {name: values[:30] for name, values in table.items()})
        for name in list(inspect.signature(getattr(Database, method)).parameters)[1:]:
            for value in ODDEST:
                given = {**GIVEN.get(method, {}), name: value}
                files = (given.pop("files"),) if "files" in given else ()
                try:
                    getattr(db, method)(*files, **given)
                except Error as error:
                    assert not isinstance(error, imputedb.InternalError), (name, value, error)  # noqa: PT017


def test_a_list_of_numbers_keeps_them(db: Database) -> None:
    kinds: list[tuple[Any, str, list[object]]] = [
        ([np.int8(1), np.int64(2), None], "BIGINT", [1, 2, None]),
        ([np.True_, None], "BOOLEAN", [True, None]),
        ([np.longdouble(1.5), None], "DOUBLE", [1.5, None]),
        ([2**63, -1], "HUGEINT", [2**63, -1]),
        ([2.5, 1], "DOUBLE", [2.5, 1.0]),
        (np.array([np.float32(1.5), None], object), "DOUBLE", [1.5, None]),
    ]
    for values, kind, kept in kinds:
        db.register("t", {"a": values})
        assert db.tables()["t"]["a"] in (kind, kind.replace("BIGINT", "INTEGER"))
        assert [value for (value,) in db.execute("FROM t")] == kept
    for mixed in ([True, 2], [1.5, None, False], np.array([True, 0], object)):
        with pytest.raises(DataError, match="column 'a' has True or False beside numbers"):
            db.register("t", {"a": mixed})
    assert db.sql("SELECT ? + 1 AS a", [np.longdouble(1.5)]).fetchall() == [(2.5,)]


def test_numbers_of_numpy_are_numbers(table: dict[str, Any], tmp_path: Path) -> None:
    with imputedb.connect() as db:
        db.register("t", table)
        made = db.impute("t", tmp_path / "run", m=np.int64(2), seed=np.int32(3), imputer="norm")
        assert (made.m, made.manifest["seed"]) == (2, 3)
        plain = db.sql(ASK, m=2, seed=3, level=0.9).fetchall()
        assert db.sql(ASK, m=np.int8(2), seed=np.uint16(3), level=np.float64(0.9)).fetchall() == plain


def test_a_joint_test_is_of_different_terms() -> None:
    found = imputedb.pool([[1.0, 2.0], [1.1, 2.2]], [np.eye(2), np.eye(2)], terms=["a", "b"])
    for terms in ([], ["a", "a"], [1]):
        with pytest.raises(QueryError):
            found.test(terms)
    for values in ([1.0], [1.0, float("nan")], "ab"):
        with pytest.raises(QueryError):
            found.test(["a", "b"], values)
    assert found.test("a").df1 == 1
    singular = imputedb.pool([[1.0, 2.0], [1.1, 2.2]], [np.ones((2, 2))] * 2, terms=["a", "b"])
    with pytest.raises(imputedb.DataError, match="covariance of a, b is singular"):
        singular.test(["a", "b"])


def test_a_comparison_raises_what_no_way_can_mend(table: dict[str, Any]) -> None:
    with imputedb.connect() as db:
        db.register("t", table)
        with pytest.raises(imputedb.UnknownName):
            db.compare("SELECT avg(nothing) FROM t", m=2, ways=["mean", "norm"])
        with pytest.raises(imputedb.UnknownName, match="did you mean"):
            db.compare(ASK, m=2, ways=["trees"])
        with pytest.raises(QueryError, match="a way needs one imputer"):
            db.compare(ASK, m=2, ways=["drop"])


def test_what_is_shown_of_a_value_is_short() -> None:
    assert len(arguments.shown(list(range(1000)))) == 60

    class Mute:
        def __repr__(self) -> str:
            raise RuntimeError

    assert arguments.shown(Mute()) == "a value of type Mute"
