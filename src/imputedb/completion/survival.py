"""Survival times as predictors, by their cumulative hazard."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from imputedb.algebra.column import Column
from imputedb.algebra.relation import Scan
from imputedb.completion.source import Source
from imputedb.engines.engine import Engine
from imputedb.errors import DataError, UnknownName
from imputedb.execution.columns import ColumnCache
from imputedb.imputers.rows import Cells
from imputedb.statistics.table import Kind

Vector = NDArray[np.float64]


def nelson_aalen(times: Vector, events: NDArray[np.bool_]) -> Vector:
    """(n,) the cumulative hazard at each row's time: the sum of 1 / (rows at risk) over events up to it.

    Tied events are counted one after another (Fleming & Harrington 1984), as by mice's `nelsonaalen`.

    White & Royston (2009): the cumulative hazard and the event indicator are the right predictors of covariates for a
    survival outcome; time itself, or its logarithm, biases hazard ratios towards 1.

    Args:
        times: (n,) times of events or of censoring.
        events: (n,) whether the time is that of an event.
    """
    order, places = np.unique(times, return_inverse=True)
    died = np.bincount(places, events, len(order)).astype(np.intp)
    at_risk = np.cumsum(np.bincount(places, minlength=len(order))[::-1])[::-1]
    tied = np.arange(int(died.sum())) - np.repeat(np.cumsum(died) - died, died)
    each = 1 / (np.repeat(at_risk, died) - tied)
    steps = np.bincount(np.repeat(np.arange(len(order)), died), each, len(order))
    return np.asarray(np.cumsum(steps)[places], np.float64)


def with_hazard(engine: Engine, source: Source, time: str, event: str) -> Source:
    """The rows with the cumulative hazard as a further predictor; it is missing where time or event is.

    Raises:
        UnknownName: there is no such column.
        DataError: times are not numeric, are negative or all missing, or the event is not binary (the larger value
            means that it occurred).
    """
    statistics = engine.statistics(source.table)
    for name in (time, event):
        if name not in source.types:
            raise UnknownName(f"no column {name!r} in {source.table.name}; there are {', '.join(source.types)}")
    cells = ColumnCache(engine, Scan(source.table, "t"), statistics).cells([time, event])
    when, whether = _numbers(cells[time], time), _numbers(cells[event], event)
    known = ~np.isnan(when) & ~np.isnan(whether)
    if not known.any() or (when[known] < 0).any():
        raise DataError(f"{time} has no times from 0 on with a known {event}: survival needs both")
    values = np.unique(whether[known])
    if len(values) != 2:
        raise DataError(f"{event} has {len(values)} values, and an event has happened or not: give 0 and 1")
    hazard = np.zeros(len(when))
    hazard[known] = nelson_aalen(when[known], whether[known] == values[1])
    column = Column(source.table.name, f"cumulative hazard of {time}")
    columns = {**source.rows.columns, column: Cells(hazard, ~known, Kind.NUMBER)}
    return replace(source, rows=replace(source.rows, columns=columns))


def _numbers(cells: Cells, name: str) -> Vector:
    """The numbers of a column, from codes too; NaN where missing."""
    values = np.array(cells.levels)[cells.values.astype(np.intp)] if cells.levels else cells.values
    if values.dtype.kind not in "biuf":
        raise DataError(f"{name} is not of numbers: survival needs a time, and an event as 0 and 1 or true and false")
    return np.where(cells.missing, np.nan, values.astype(np.float64))
