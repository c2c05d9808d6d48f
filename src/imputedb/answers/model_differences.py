"""The comparison of two models of a table by the values that they impute."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imputedb.algebra.column import Column
from imputedb.algebra.relation import Scan
from imputedb.answers.model_fitting import check_columns
from imputedb.engines.engine import Engine
from imputedb.engines.record import Record
from imputedb.errors import DataError
from imputedb.execution.columns import ColumnCache
from imputedb.execution.model import ModelTable
from imputedb.execution.outcome import Outcome
from imputedb.imputers import conversion
from imputedb.models.drift import bins, counted, index
from imputedb.models.feature import Feature
from imputedb.statistics.table import Kind, Statistics


@dataclass(frozen=True, slots=True)
class Difference:
    """The difference between two models in one column.

    Attributes:
        column: name of the column.
        cells: number of missing cells; NULLs with a meaning of their own are not counted.
        differing: share of cells with different values, or with a value from one model only; 0 without cells.
        means: means of the expected values where both models have one, for numeric columns; None for others.
        index: population stability index of the two distributions of expected values; by convention .1 is small
            and .25 is large. None where no cell has a value from both.
        errors: errors on hidden cells, measured when each was fitted; None where not measured.
    """

    column: str
    cells: int
    differing: float
    means: tuple[float, float] | None
    index: float | None
    errors: tuple[float | None, float | None]


def differences(engine: Engine, one: Record, other: Record) -> list[Difference]:
    """The differences between two models, for each column that both impute.

    Raises:
        DataError: the models are of different tables, or one has no functions.
        UnknownName: a column of a model no longer exists.
    """
    if one.table != other.table:
        raise DataError(f"{one.title} is a model of {one.table.name}, {other.title} of {other.table.name}")
    for record in (one, other):
        if not record.has_functions:
            raise DataError(f"{record.title} by {record.imputer} has no functions: there is nothing to compare")
    statistics = engine.statistics(one.table)
    for record in (one, other):
        check_columns(record, statistics)
    return [_difference(engine, statistics, one, other, name) for name in one.columns if name in other.columns]


def _difference(engine: Engine, statistics: Statistics, one: Record, other: Record, name: str) -> Difference:
    scan = Scan(one.table, one.table.name)
    cache = ColumnCache(engine, scan, statistics)
    gaps = cache.cells([name])[name].missing & ~cache.meaningful_nulls(name)
    column = Column(scan.alias, name)
    first, second = (
        ModelTable(engine, scan, statistics, record).given(column, Outcome(), None)[gaps] for record in (one, other)
    )
    errors, cells = (one.error(name), other.error(name)), len(first)
    if not cells:
        return Difference(name, 0, 0.0, None, None, errors)
    lacks, also = conversion.missing(first), conversion.missing(second)
    both = ~lacks & ~also
    first, second = np.ma.getdata(first)[both], np.ma.getdata(second)[both]
    differing = float(np.count_nonzero(lacks != also) + np.count_nonzero(first != second)) / cells
    if not len(first):
        return Difference(name, cells, differing, None, None, errors)
    numbers = statistics.columns[name].kind in (Kind.NUMBER, Kind.INTEGER)
    means = (float(first.astype(np.float64).mean()), float(second.astype(np.float64).mean())) if numbers else None
    return Difference(name, cells, differing, means, _index(column, first, second), errors)


def _index(column: Column, first: NDArray[Any], second: NDArray[Any]) -> float | None:
    """The population stability index between two sets of values, in bins of the first ones."""
    levels: tuple[str, ...] = ()
    numbers = {first.dtype.kind, second.dtype.kind} <= set("iuf")
    if not numbers:
        found, codes = np.unique(np.concatenate([first, second]).astype(str), return_inverse=True)
        levels = tuple(found.tolist())
        first, second = codes[: len(first)], codes[len(first) :]
    kind = Kind.NUMBER if numbers else Kind.CATEGORY
    feature = Feature(column, "", kind, levels, False, 0.0, 0.0)
    (known,) = bins([feature], first.astype(np.float64)[None])
    return index(known.counts, counted(known, second.astype(np.float64)))
