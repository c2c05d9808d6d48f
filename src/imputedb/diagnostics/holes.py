"""The missingness of a stored table as flags and numbers, and copies of tables with cells made missing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from imputedb import arguments
from imputedb.algebra.relation import Table
from imputedb.diagnostics.mcar import McarTest, little
from imputedb.diagnostics.missing import Flags, Flux, flux
from imputedb.engines.engine import Engine
from imputedb.errors import DataError, QueryError
from imputedb.imputers.random import keyed
from imputedb.sql import ast as t
from imputedb.sql.paths import quoted
from imputedb.statistics.table import Kind

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Mechanism = Literal["mcar", "mar", "mnar"]
Vector = NDArray[np.float64]

_NUMBERS = (Kind.INTEGER, Kind.NUMBER)


@dataclass(frozen=True, slots=True)
class Holes:
    """The missing cells of a column in an amputed copy.

    Attributes:
        made: number of cells that were made missing.
        missing: number of all missing cells in the copy.
    """

    made: int
    missing: int


@dataclass(frozen=True, slots=True)
class Missing:
    """The missingness of a table.

    Attributes:
        table: the table.
        names: names of the c columns.
        flags: (n, c) whether a cell is missing.
    """

    table: Table
    names: tuple[str, ...]
    flags: Flags


def missing(engine: Engine, name: str) -> Missing:
    """The missingness of a table's rows, in the order in which they are stored.

    Raises:
        UnknownName: there is no such table.
    """
    with engine.lock:
        table = engine.named(name)
        names = tuple(engine.shape(table).types)
        outputs = [t.named(t.is_missing(engine.reading(table, one, "t")), f"c{n}") for n, one in enumerate(names)]
        found = engine.arrays(t.select(outputs, engine.source(table, "t")))
    columns = [np.ma.getdata(found[f"c{place}"]).astype(bool) for place in range(len(names))]
    return Missing(table, names, np.stack(columns, axis=1))


def numbers(engine: Engine, name: str) -> tuple[NDArray[np.float64], tuple[str, ...]]:
    """(n, c) the numeric columns of a table, NaN where missing, and their names.

    Raises:
        UnknownName: there is no such table.
        DataError: no column is numeric.
    """
    with engine.lock:
        table = engine.named(name)
        known = engine.statistics(table).columns
        names = tuple(one for one, column in known.items() if column.kind in _NUMBERS)
        if not names:
            raise DataError(f"{name} has no column of numbers")
        double = t.plain_type("DOUBLE")
        outputs = [t.named(t.cast(engine.reading(table, one, "t"), double), f"c{n}") for n, one in enumerate(names)]
        found = engine.arrays(t.select(outputs, engine.source(table, "t")))
    columns = [np.ma.filled(np.ma.asarray(found[f"c{place}"], np.float64), np.nan) for place in range(len(names))]
    return np.stack(columns, axis=1), names


def mcar(engine: Engine, name: str) -> McarTest:
    """Little's test of a table's numeric columns."""
    values, names = numbers(engine, name)
    return little(values, names)


def fluxes(engine: Engine, name: str) -> Mapping[str, Flux]:
    """The flux of each column of a table.

    Raises:
        DataError: the table has no row.
    """
    found = _rows(engine, name)
    return flux(found.flags, found.names)


def pictures(engine: Engine, name: str) -> dict[str, Figure]:
    """Pictures of a table's missingness, by name.

    Raises:
        DataError: the table has no row.
    """
    from imputedb.diagnostics.missing_pictures import pictures as drawn

    found = _rows(engine, name)
    return drawn(found.flags, found.names, found.table.name)


def _rows(engine: Engine, name: str) -> Missing:
    found = missing(engine, name)
    if not len(found.flags):
        raise DataError(f"{name} has no row: nothing is missing, and nothing is there")
    return found


def ampute(
    engine: Engine, name: str, into: str, share: float, mechanism: Mechanism, columns: Sequence[str], seed: int
) -> dict[str, Holes]:
    """Copies a table and makes cells missing; returns by column the number of these, and of all missing cells.

    The copy has NULL wherever the table has a missing value, declared ones included.

    A cell goes missing with probability expit(a + 2 z), where z is 0 under `mcar`, the mean of the row's other numeric
    columns under `mar`, and the column itself under `mnar`, standardised; a is such that the mean is the share.

    Raises:
        UnknownName: there is no such table or column.
        QueryError: the mechanism is unknown, or the share is out of range.
        DataError: a column is not numeric under `mar` or `mnar`, or the table `into` exists already.
    """
    arguments.text("into", into, example="the name of a table")
    share, seed = arguments.share("share", share, example="such as 0.2"), arguments.seed(seed)
    arguments.one_of("mechanism", mechanism, ("mcar", "mar", "mnar"))
    columns = arguments.names("columns", columns)
    with engine.lock:
        table = engine.named(name)
        if engine.found(quoted((into,))) is not None:
            raise DataError(f"there is a table or view {into} already: give the copy another name")
        types = engine.shape(table).types
        values, numeric = (None, ()) if mechanism == "mcar" else numbers(engine, name)
        wanted = [_column(name, one, types) for one in columns] or list(types if mechanism == "mcar" else numeric)
        count = int(str(engine.rows(t.select([t.call("count_star")], engine.source(table, "t")))[0][0]))
        keys = np.arange(count, dtype=np.uint64)
        absent = {one: _gone(one, values, numeric, keys, share, mechanism, seed) for one in wanted}
        before = missing(engine, name)
        _copy(engine, table, into, absent, types)
    lacking = dict(zip(before.names, before.flags.T, strict=True))
    return {
        one: Holes(int((flags & ~lacking[one]).sum()), int((flags | lacking[one]).sum()))
        for one, flags in absent.items()
    }


def _column(table: str, name: str, types: Mapping[str, str]) -> str:
    found = next((one for one in types if one.lower() == name.lower()), None)
    if found is None:
        raise QueryError(f"no column {name!r} in {table}; there are {', '.join(types)}")
    return found


def _gone(
    name: str,
    values: NDArray[np.float64] | None,
    names: Sequence[str],
    keys: NDArray[np.uint64],
    share: float,
    mechanism: Mechanism,
    seed: int,
) -> Flags:
    """(n,) the cells of a column that are made missing."""
    score = np.zeros(len(keys))
    if values is not None:
        if name not in names:
            raise DataError(f"{name} is not of numbers: under {mechanism} it takes numbers to tell who goes missing")
        own = names.index(name)
        others = [place for place in range(len(names)) if place != own] if mechanism == "mar" else [own]
        if not others:
            raise DataError(f"{name} is the only column of numbers: nothing else can tell who goes missing")
        score = _standardized(np.mean([_standardized(values[:, place]) for place in others], axis=0))
    chance = (keyed(keys, seed, "ampute", name) >> np.uint64(11)).astype(np.float64) * 2.0**-53
    return np.asarray(chance < _probabilities(2.0 * score, share))


def _standardized(values: Vector) -> Vector:
    known = np.isfinite(values)
    if not known.any():
        return np.zeros(len(values))
    centred = np.where(known, values - values[known].mean(), 0.0)
    spread = float(centred.std())
    return np.asarray(centred / spread if spread > 0 else centred)


def _probabilities(score: Vector, share: float) -> Vector:
    """The probabilities expit(a + score), with a found by bisection so that their mean is the share."""
    if not len(score):
        return score
    low, high = -60.0, 60.0
    for _ in range(80):
        middle = (low + high) / 2
        if float(np.mean(1 / (1 + np.exp(-(middle + score))))) < share:
            low = middle
        else:
            high = middle
    return np.asarray(1 / (1 + np.exp(-(low + score))))


def _copy(engine: Engine, table: Table, into: str, absent: Mapping[str, Flags], types: Mapping[str, str]) -> None:
    marks = engine.register({f"c{place}": flags for place, flags in enumerate(absent.values())})
    try:
        holes = dict(zip(absent, (f"m.c{place}" for place in range(len(absent))), strict=True))
        shown = ", ".join(
            f"CASE WHEN {holes[one]} THEN NULL ELSE s.{quoted((one,))} END AS {quoted((one,))}"
            if one in holes
            else f"s.{quoted((one,))}"
            for one in types
        )
        known = [t.named(engine.reading(table, one, "t"), one) for one in types]
        stored = engine.text(t.select(known, engine.source(table, "t")))
        source = f"({stored}) s POSITIONAL JOIN {quoted((marks,))} m"
        engine.execute(f"CREATE TABLE {quoted((into,))} AS SELECT {shown} FROM {source}", None)
    finally:
        engine.forget([marks])
