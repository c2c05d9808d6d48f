"""Maximum likelihood for the numeric columns of a table or a SELECT."""

from collections.abc import Sequence

import numpy as np

from imputedb import arguments
from imputedb.completion.source import read, staged
from imputedb.diagnostics.likelihood import Likelihood, likelihood
from imputedb.engines.engine import Engine
from imputedb.errors import DataError, UnknownName
from imputedb.statistics.table import Kind

_NUMBERS = (Kind.INTEGER, Kind.NUMBER, Kind.BOOLEAN)


def of_source(engine: Engine, text: str, columns: Sequence[str], level: float) -> Likelihood:
    """The likelihood of the named numeric columns, or of all of them.

    Raises:
        UnknownName: a name is not that of a numeric column.
        DataError: the likelihood has no maximum.
    """
    columns, level = arguments.names("columns", columns), arguments.share("level", level)
    with engine.lock:
        source = read(engine, staged(engine, text))
    numbers = {column.name: one.numbers() for column, one in source.rows.columns.items()}
    cells = {name: one for name, one in numbers.items() if one.kind in _NUMBERS}
    unknown = [name for name in columns if name not in cells]
    if unknown:
        raise UnknownName(f"no column {unknown[0]!r} of numbers that vary; there are {', '.join(sorted(cells))}")
    names = list(columns) or list(cells)
    if not names:
        raise DataError(f"{text} has no column of numbers that vary, which maximum likelihood needs")
    values = [np.where(cells[name].missing, np.nan, cells[name].values.astype(np.float64)) for name in names]
    return likelihood(np.column_stack(values), names, level)
