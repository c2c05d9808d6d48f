"""A kept model as users hold it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from imputedb.engines.record import Record
from imputedb.errors import DataError
from imputedb.models.fitted import Fitted


@dataclass(frozen=True, slots=True)
class Model:
    """One version of a kept model.

    Attributes:
        name: of the model.
        version: from 1.
        table: that it is a model of.
        columns: that it fills in.
        imputer: the name of the imputer that was fitted.
        where: the rows that it was fitted to, a condition in SQL; None for all.
        draws: how many drawn values a cell has.
        rows: that it was fitted to.
        fitted_at: the time in UTC, in ISO 8601.
        fingerprint: of the table then.
        digest: SHA-256 of its functions; empty where it has none and its values are fitted to the table as it is.
        error: by column the measured error of hidden cells, relative to the column's spread; empty where not measured.
        stale: whether the table is not what it was then; None where there is no table at hand.
    """

    name: str
    version: int
    table: str
    columns: tuple[str, ...]
    imputer: str
    where: str | None
    draws: int
    rows: int
    fitted_at: str
    fingerprint: str
    digest: str
    error: Mapping[str, float]
    stale: bool | None
    _fitted: Fitted | None = field(default=None, repr=False, compare=False)

    @property
    def fitted(self) -> Fitted:
        """Its functions.

        Raises:
            DataError: it has none: its values are fitted to the table as it is.
        """
        if self._fitted is None:
            raise DataError(
                f"model {self.name}@{self.version} by {self.imputer} has no functions: it fills in its own table alone"
            )
        return self._fitted


def model(record: Record, fitted: Fitted | None, stale: bool | None) -> Model:
    """A record with its functions, as users hold it."""
    return Model(
        record.name,
        record.version,
        record.table.name,
        record.columns,
        record.imputer,
        record.where,
        record.draws,
        record.rows,
        record.fitted_at,
        record.fingerprint,
        record.digest,
        dict(record.errors),
        stale,
        fitted,
    )
