"""The imputed values of a column in each draw, beside its observed values."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imputedb.database import Database
from imputedb.errors import DataError
from imputedb.imputers.protocol import Progress
from imputedb.pages.names import column_in_sql, in_sql

DRAWS = 5
"""Maximum number of draws that are shown."""

_BINS = 24
_LEVELS = 12


@dataclass(frozen=True, slots=True, eq=False)
class Drawn:
    """The observed and the imputed values of a column.

    Attributes:
        observed: observed values.
        draws: imputed values of each draw.
        methods: methods that have imputed them.
    """

    observed: Sequence[Any]
    draws: Sequence[Sequence[Any]]
    methods: str

    @property
    def is_numeric(self) -> bool:
        """Whether the values are numbers."""
        return all(isinstance(one, int | float) and not isinstance(one, bool) for one in self.observed)

    def densities(self) -> list[tuple[str, list[tuple[float, float]], bool]]:
        """Density estimates of observed and imputed values on common bins."""
        every = np.array([*self.observed, *(one for draw in self.draws for one in draw)], np.float64)
        low, high = every.min(), every.max()
        half = max(abs(low), 2.0) / 4
        edges = np.linspace(low, high, _BINS + 1) if low < high else np.array([low - half, low + half])
        named = [("observed", self.observed, False)]
        named += [(f"draw {number}", draw, True) for number, draw in enumerate(self.draws, start=1)]
        return [(name, _density(np.array(values, np.float64), edges), imputed) for name, values, imputed in named]

    def shares(self) -> tuple[list[str], list[float], list[float]]:
        """The most frequent categories, with their shares among observed and imputed values."""
        seen, drawn = Counter(map(str, self.observed)), Counter(str(one) for draw in self.draws for one in draw)
        names = [name for name, _ in (seen + drawn).most_common(_LEVELS)]
        return names, *([count[name] / max(count.total(), 1) for name in names] for count in (seen, drawn))  # type: ignore[return-value]


def _density(values: NDArray[np.float64], edges: NDArray[np.float64]) -> list[tuple[float, float]]:
    counts = np.histogram(values, edges)[0] / max(len(values), 1) / np.diff(edges)
    return list(zip((edges[:-1] + np.diff(edges) / 2).tolist(), counts.tolist(), strict=True))


def drawn(db: Database, table: str, column: str, imputer: str, progress: Progress) -> Drawn:
    """The draws of a column's missing cells, by an imputer that is fitted to the whole table.

    Raises:
        DataError: the column has no missing value, or no observed one.
    """
    text = f"SELECT {column_in_sql(column)} IS NULL FROM {in_sql(table)}"
    missing = [bool(row[0]) for row in db.sql(text).fetchall()]
    if not any(missing) or all(missing):
        raise DataError(f"{column} has {'no observed' if missing and all(missing) else 'no missing'} value to compare")
    draws, observed, methods = [], list[Any](), ""
    for number in range(DRAWS):
        progress(number / DRAWS)
        result = db.complete(table, values="drawn", draw=number, imputer=imputer)
        place = result.columns.index(column)
        values = [row[0] for row in result.first(len(missing), items=[f"c{place}"])]
        draws.append([one for one, absent in zip(values, missing, strict=True) if absent and one is not None])
        observed = [one for one, absent in zip(values, missing, strict=True) if not absent]
        methods = ", ".join(sorted({name for key, name in result.report.methods.items() if key.endswith(column)}))
    return Drawn(observed, draws, methods or imputer)
