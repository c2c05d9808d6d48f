"""Conformance checks of engines (`imputedb.engines.engine.Engine`)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from imputedb.algebra.relation import Table
from imputedb.database import Database
from imputedb.engines.engine import Array, Engine
from imputedb.errors import UnknownName
from imputedb.sql import ast as t
from imputedb.sql.generate import ROW
from imputedb.sql.select import outputs_of
from imputedb.testing.border import Bordered
from imputedb.testing.check import Check, require

Tables = Mapping[str, Mapping[str, Array]]
Make = Callable[[Tables], Engine]
"""Makes an engine that holds tables of some arrays, masked where a value is missing."""

_ROWS = 60
_TYPES = {"k": "BIGINT", "x": "DOUBLE", "s": "VARCHAR"}


def check_engine(make: Make) -> None:
    """Checks that an engine has every property that queries need.

    Args:
        make: makes an engine with given tables: arrays by column, by table.

    Raises:
        ExtensionError: a property does not hold; the message has the property and the observation.
    """
    for check in engine_checks(make):
        check()


def engine_checks(make: Make) -> list[Check]:
    """The single checks of an engine, for `pytest.mark.parametrize("check", engine_checks(...), ids=str)`."""
    subject = f"engine {getattr(make, '__name__', type(make).__name__)}"
    return [Check(subject, promise, _bound(make, find)) for promise, find in PROMISES.items()]


def _bound(make: Make, find: Callable[[Engine, Table], None]) -> Callable[[], None]:
    def run() -> None:
        engine = make({"t": columns()})
        try:
            find(engine, engine.named("t"))
        finally:
            engine.session.close()

    return run


def columns() -> dict[str, Array]:
    """A key, numbers and categories, some of which are missing."""
    places = np.arange(_ROWS)
    numbers = np.ma.masked_array(places * 1.5, places % 4 == 1)
    words = np.ma.masked_array(np.array([f"w{place % 3}" for place in places], object), places % 5 == 2)
    return {"k": places, "x": numbers, "s": words}


def _missing(name: str) -> int:
    return int(np.ma.getmaskarray(np.ma.asarray(columns()[name])).sum())


def _named(engine: Engine, table: Table) -> None:
    require(table in engine.shapes(), f"{table} is none of its tables {list(engine.shapes())}")
    require(dict(engine.shape(table).types) == _TYPES, f"its columns are {dict(engine.shape(table).types)}")
    require(engine.meant(("t",)) == table, "the path t does not mean its table t")
    require(engine.meant(("nothing",)) is None, "a path that nothing is under means something")


def _unknown(engine: Engine, _: Table) -> None:
    try:
        engine.named("nothing")
    except UnknownName:
        return
    require(False, "it gives a table for a name that no table has")


def _counted(engine: Engine, table: Table) -> None:
    found = engine.statistics(table)
    require(found.rows == _ROWS, f"it counts {found.rows} rows of {_ROWS}")
    for name in _TYPES:
        seen = found.columns[name].missing
        require(seen == _missing(name), f"it counts {seen} missing values of {name}, where {_missing(name)} are")
    dirty = engine.dirty(table, ["k", "x"])
    require(dirty == {"x"}, f"of k and x it says that {dirty} miss values")


def _trees(engine: Engine, _: Table) -> None:
    text = "SELECT s, count(*) AS n FROM t WHERE k < 9 AND s >= 'w' GROUP BY s HAVING n > 1 ORDER BY s"
    rows = engine.rows(engine.tree(text))
    again = engine.rows(engine.tree(engine.text(engine.tree(text))))
    require(rows == again == [("w0", 3), ("w1", 2), ("w2", 2)], f"a query gives {rows}, and its tree as text {again}")
    outputs = engine.outputs(text)
    require(list(outputs[0]) == ["s", "n"], f"it names the outputs of a query {outputs[0]}")
    written = engine.written(outputs_of(engine.tree("SELECT k + 1 FROM t")))
    require(len(written) == 1 and "k" in written[0], f"it writes k + 1 as {written}")


def _readings(engine: Engine, table: Table) -> None:
    for name in _TYPES:
        missing = t.call("count_star", where=t.is_missing(engine.reading(table, name, "a")))
        ((seen,),) = engine.rows(t.select([missing], engine.source(table, "a")))
        require(seen == _missing(name), f"{name} reads as NULL in {seen} rows, and misses {_missing(name)} values")


def _row_ids(engine: Engine, table: Table) -> None:
    node = t.select([engine.reading(table, ROW, "a"), engine.reading(table, "k", "a")], engine.source(table, "a"))
    ids, keys = engine.arrays(node).values()
    require(len(set(ids.tolist())) == _ROWS, "row ids are not different")
    require(bool(np.all(np.diff(ids) > 0)), "row ids do not grow in the order of rows")
    require(keys.tolist() == list(range(_ROWS)), "rows are not in the order in which the table has them")


def _codes(engine: Engine, table: Table) -> None:
    for name, kind in _TYPES.items():
        value = engine.reading(table, name, "a")
        there = engine.decoded(engine.encoded(value, kind), kind)
        changed = t.call("count_star", where=t.compared("COMPARE_DISTINCT_FROM", there, value))
        ((seen,),) = engine.rows(t.select([changed], engine.source(table, "a")))
        require(seen == 0, f"{seen} values of {name} change when they are encoded and decoded")


def _arrays(engine: Engine, _: Table) -> None:
    given: dict[str, Array] = {"a": np.arange(3), "b": np.ma.masked_array([1.5, 2.5, 3.5], [False, True, False])}
    name = engine.register(given)
    node = t.select([t.reference("r", "a"), t.reference("r", "b")], t.table(("", "", name), "r"))
    found = list(engine.arrays(node).values())
    require(found[0].tolist() == [0, 1, 2], f"registered numbers are read as {found[0].tolist()}")
    require(np.ma.asarray(found[1]).tolist() == [1.5, None, 3.5], f"masked ones are read as {found[1]}")
    engine.forget([name])


def _held(engine: Engine, _: Table) -> None:
    name = engine.fresh("block")
    engine.make("TABLE", name, ["a"], "SELECT k FROM t WHERE k < 3 ORDER BY k")
    held = engine.held(f"SELECT a + 1 FROM temp.{name} ORDER BY a")
    engine.unmake("TABLE", [name])
    rows = engine.reread(f"SELECT c0 FROM {held.source}")
    require(rows == [(1,), (2,), (3,)], f"held rows are {rows} once their table is gone")
    require(engine.fresh("block") != name, "it gives one name twice")


def _complete(engine: Engine, _: Table) -> None:
    rows = _answer(engine, "SELECT k, k % 2 AS odd FROM t WHERE k < 3 ORDER BY k")
    require(rows == [(0, 0), (1, 1), (2, 0)], f"a query that reads nothing missing gives {rows}")


def _imputed(engine: Engine, _: Table) -> None:
    known = np.ma.asarray(columns()["x"]).compressed()
    ((count, mean),) = _answer(engine, "SELECT count(x), avg(x) FROM t")
    require(count == _ROWS, f"{count} of {_ROWS} values are there when missing ones are imputed")
    require(abs(mean - known.mean()) < 1e-9, f"the mean of what is there and imputed is {mean}, not {known.mean()}")
    for imputer in ("drop", "tree"):
        rows = _answer(engine, "SELECT s, avg(x) AS m FROM t GROUP BY s ORDER BY s", imputer)
        require([row[0] for row in rows] == ["w0", "w1", "w2"], f"groups by imputer {imputer} are {rows}")


def _answer(engine: Engine, text: str, imputer: str = "mean") -> list[tuple[Any, ...]]:
    """The answer to a query, over the wrapped engine."""
    return Database(Bordered(engine)).sql(text, imputer=imputer).fetchall()


PROMISES: Mapping[str, Callable[[Engine, Table], None]] = {
    "tables have their names, columns and types": _named,
    "a name of no table is refused": _unknown,
    "rows and missing values are counted": _counted,
    "a query is its tree, and the tree its text": _trees,
    "a missing value reads as NULL": _readings,
    "row ids tell rows apart, and grow in their order": _row_ids,
    "encoded values come back": _codes,
    "registered arrays are read as a table": _arrays,
    "held rows outlive what they are of": _held,
    "what misses nothing is answered as it stands": _complete,
    "missing values are imputed": _imputed,
}
