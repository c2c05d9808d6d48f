"""Kept models as users see them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imputedb import arguments
from imputedb.algebra.relation import Table
from imputedb.border import bordered, outside, public
from imputedb.engines.record import Record
from imputedb.errors import DataError, QueryError, StorageError
from imputedb.files import published
from imputedb.models import frames
from imputedb.models.dialect import Name, sql
from imputedb.models.fitted import Fitted

_MAGIC = b"imputedb model 1\n"


@public(lambda _: outside)
@dataclass(frozen=True, slots=True)
class Model:
    """One version of a kept model.

    Attributes:
        name: the name of the model.
        version: its number, from 1.
        table: the name of the table that it models.
        columns: the columns that it fills in.
        imputer: the name of the imputer that was fitted.
        where: a condition in SQL on the rows that it was fitted to; None for all rows.
        draws: the number of random draws for each missing cell.
        rows: the number of rows that it was fitted to.
        fitted_at: the time of the fit in UTC, in ISO 8601.
        fingerprint: the fingerprint of the table at the fit.
        digest: the SHA-256 of its functions; empty where it has none and its values are fitted to the table as it is.
        error: by column, the error on hidden cells: for numbers relative to their standard deviation, for categories
            the share that is wrong; empty where not measured.
        stale: whether the table has changed since the fit; None without a table at hand.
        record: the model as its database lists it.
        functions: its functions; None where it has none.
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
    record: Record = field(repr=False, compare=False)
    functions: Fitted | None = field(default=None, repr=False, compare=False)

    @property
    def fitted(self) -> Fitted:
        """The functions of the model.

        Raises:
            DataError: it has none: its values are fitted to the table as it is.
        """
        if self.functions is None:
            raise DataError(
                f"model {self.name}@{self.version} by {self.imputer} has no functions: it fills in its own table alone"
            )
        return self.functions

    def apply(
        self,
        frame: Any,
        *,
        draw: int | None = None,
        keys: Sequence[int] | NDArray[np.integer[Any]] | None = None,
    ) -> Any:
        """New rows with their missing cells filled in; no table is needed.

        The values of a row depend on that row alone. With `draw=None` they are the best values, equal to those of
        `sql(..., fit="table")` to the last bit.

        Args:
            frame: a data frame (pandas, polars), an Arrow table, a dictionary of columns or a list of dictionaries, one
                for each row. It has all columns that the model reads, with None or NaN for missing values.
            draw: the number of a draw, from 0; None for the best values.
            keys: (n,) whole numbers that draws are keyed by, one for each row; by default, the places of the rows. The
                values of the first key column of the model's table give the draws of `sql(..., fit="table")`.

        Returns: an object of the same kind.

        Raises:
            DataError: a column that the model reads is absent, or a value is not of its type.
            QueryError: the model has no draw of that number.
        """
        fitted = self.fitted
        if draw is not None and not 0 <= arguments.whole("draw", draw, 0) < self.draws:
            raise QueryError(f"model {self.name}@{self.version} has draws 0 to {self.draws - 1}, no draw {draw}")
        given = frames.columns(frame, [one.column.name for one in fitted.features])
        rows = frames.rows(fitted, given, keys, self.record.salt, dict(self.record.codes))
        values = fitted.values(rows, None if draw is None else draw + 1)
        return frames.like(frame, frames.completed(fitted, given, rows, values))

    def drift(self, frame: Any) -> dict[str, float | None]:
        """By column, how far rows have moved from those of the fit: the population stability index.

        By convention, below .1 is little and above .25 is much. Missing values and numbers out of range have bins of
        their own.

        Args:
            frame: as for `apply`.

        Raises: as `apply`.
        """
        fitted = self.fitted
        given = frames.columns(frame, [one.column.name for one in fitted.features])
        found = fitted.drift(frames.rows(fitted, given, None, self.record.salt, dict(self.record.codes)))
        return {column.name: index for column, index in found.items()}

    def sql(self, dialect: Name = "duckdb") -> dict[str, str]:
        """By column, the SQL expression of its best value, over the table's column names.

        The value has its column's type where the engine has that type. Values declared to mean a missing one count as
        missing in the columns that are read.

        Expressions for DuckDB, PostgreSQL and Spark are run in tests. Those for BigQuery and Snowflake have not been
        run.

        Raises:
            DataError: a function has no expression, such as one that matches donors or has very many trees.
            QueryError: there is no dialect of that name.
        """
        arguments.one_of("dialect", dialect, ("duckdb", "postgres", "spark", "bigquery", "snowflake"))
        fitted, codes = self.fitted, dict(self.record.codes)
        return {fitted.features[one.feature].column.name: sql(fitted, one, dialect, codes) for one in fitted.targets}

    def save(self, path: str | Path) -> None:
        """Writes the model to a file, which appears whole or not at all; `imputedb.load_model` reads it.

        Raises:
            DataError: it has no functions.
            StorageError: the file cannot be written.
        """
        content = _dumped(self)
        with published(str(arguments.path("the path", path))) as temporary:
            Path(temporary).write_bytes(content)

    def __reduce__(self) -> tuple[Any, ...]:
        """The model as `save` writes it, for pickle; `stale` is lost, since the table stays behind."""
        return _loaded, (_dumped(self), "a pickled model")


def _dumped(model: Model) -> bytes:
    """The content of a model's file."""
    content, record = model.fitted.dumped(), model.record
    table = list(record.table.path)
    head = {"name": record.name, "version": record.version, "table": table, "digest": record.digest}
    return _MAGIC + json.dumps({**head, "definition": record.dumped()}).encode() + b"\n" + content


def model(record: Record, fitted: Fitted | None, stale: bool | None) -> Model:
    """The model of a record, with its functions."""
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
        record,
        fitted,
    )


@bordered
def load_model(path: str | Path) -> Model:
    """The model that a file holds, to be applied without a database.

    Raises:
        StorageError: the file cannot be read, is no model, is damaged, or was written by a newer version.
    """
    place = arguments.path("the path", path)
    try:
        data = place.read_bytes()
    except OSError as error:
        raise StorageError(f"cannot read {place}: {error.strerror or error}") from error
    return _loaded(data, str(place))


def _loaded(data: bytes, place: str) -> Model:
    """The model in the content of a file or of a pickle."""
    if not data.startswith(_MAGIC):
        raise StorageError(f"{place} is not a model of imputedb, or is one of a newer version")
    head, _, content = data[len(_MAGIC) :].partition(b"\n")
    try:
        header = json.loads(head)
        record = Record.of(
            header["name"], header["version"], True, Table(*header["table"]), header["digest"], header["definition"]
        )
    except (ValueError, TypeError, KeyError) as error:
        raise StorageError(f"{place} is damaged: its head cannot be read") from error
    if hashlib.sha256(content).hexdigest() != record.digest:
        raise StorageError(f"{place} is damaged: its hash differs")
    return model(record, Fitted.loaded(content), None)
