"""A kept model as users hold it."""

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
        error: by column the measured error of hidden cells: of numbers relative to their standard deviation, of
            categories the share that is wrong; empty where not measured.
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
    record: Record = field(repr=False, compare=False)
    functions: Fitted | None = field(default=None, repr=False, compare=False)

    @property
    def fitted(self) -> Fitted:
        """Its functions.

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

        A value is a function of its own row: with `draw=None` the best one, to the last bit that of
        `sql(..., fit="table")`.

        Args:
            frame: a data frame (pandas, polars), an Arrow table, a dictionary of columns or a list of dictionaries,
                one a row; it has all columns that the model reads, None or NaN where a value is missing.
            draw: the number of a draw, from 0; None for the best values.
            keys: (n,) whole numbers that draws are keyed by, one a row; the places of the rows unless given. By those
                in the first key column of the model's table they are the draws of `sql(..., fit="table")`.

        Returns: the same kind of object.

        Raises:
            DataError: a column that the model reads is absent, or a value is none of its type.
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
        """By column how far rows have moved from those that were learnt from: the population stability index.

        Below .1 little, above .25 much, by convention. Missing values and numbers out of range have bins of their own.

        Args:
            frame: as for `apply`.

        Raises: as `apply`.
        """
        fitted = self.fitted
        given = frames.columns(frame, [one.column.name for one in fitted.features])
        found = fitted.drift(frames.rows(fitted, given, None, self.record.salt, dict(self.record.codes)))
        return {column.name: index for column, index in found.items()}

    def sql(self, dialect: Name = "duckdb") -> dict[str, str]:
        """By column the SQL expression of its best value, over columns of the table's names.

        It is in the type of its column, as far as engines have that. Values that are declared to mean a missing one
        count as missing in the columns that are read.

        What DuckDB, PostgreSQL and Spark are given is run in tests; what BigQuery and Snowflake are given was not run.

        Raises:
            DataError: a function has no expression, such as one of donors or of very many trees.
            QueryError: no dialect of that name.
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
        """A model is pickled as what `save` writes; whether it is stale is left behind with its table."""
        return _loaded, (_dumped(self), "a pickled model")


def _dumped(model: Model) -> bytes:
    """What a file of a model holds."""
    content, record = model.fitted.dumped(), model.record
    table = list(record.table.path)
    head = {"name": record.name, "version": record.version, "table": table, "digest": record.digest}
    return _MAGIC + json.dumps({**head, "definition": record.dumped()}).encode() + b"\n" + content


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
    """The model of what a file, or a pickle, holds."""
    if not data.startswith(_MAGIC):
        raise StorageError(f"{place} is no model of imputedb, or one of a newer version")
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
