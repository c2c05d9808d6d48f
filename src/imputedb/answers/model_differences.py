"""Two models of a table side by side: what each would fill in, before one takes the other's place."""

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
    """How two models fill in the missing cells of one column.

    Attributes:
        column: its name.
        cells: that miss a value now; one whose NULL means something of its own misses none.
        differing: share of them that get another value, or one from one model alone; 0 where there are no cells.
        means: of the expected values where both models have one, of a column of numbers; None of others.
        index: the population stability index between both distributions of expected values; by convention .1 is little
            and .25 is much. None where no cell has a value of both.
        errors: of hidden cells, as measured when each was fitted; None where not measured.
    """

    column: str
    cells: int
    differing: float
    means: tuple[float, float] | None
    index: float | None
    errors: tuple[float | None, float | None]


def differences(engine: Engine, one: Record, other: Record) -> list[Difference]:
    """How two models differ, in each column that both fill in.

    Raises:
        DataError: they are of different tables, or one has no functions.
        UnknownName: the table does not have a column of one any more.
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
    gaps = cache.cells([name])[name].missing & ~cache.meant(name)
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
