"""The methods of `Database` for the provenance of imputed values."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from imputedb import arguments
from imputedb.engines.engine import Engine
from imputedb.imputers.knn import KNN
from imputedb.provenance import why as reasons
from imputedb.provenance.index import Lookups
from imputedb.provenance.reason import Why
from imputedb.provenance.why import AUDITED


class OpenDatabase(Protocol):
    """What these methods need of a database: its engine and its cache of indexes."""

    _engine: Engine
    _lookups: Lookups


def why(
    self: OpenDatabase, table: str, column: str, row: object, *, imputer: KNN | None = None, salt: str | None = None
) -> Why:
    """The provenance of one cell under nearest neighbours: its donors, their distances and values, and their agreement.

    An observed cell is treated as if it were missing. Indexes are cached until something is written; large ones are
    stored beside the database.

    Args:
        table: name of the table.
        column: name of the column.
        row: value of the table's key, or the rowid where it has none.
        imputer: how neighbours are found; by default `KNN()`.
        salt: key for hashing row identifiers, so that nobody can identify rows without it; None for plain identifiers.

    Raises:
        UnknownName: no table, column or row of that name.
    """
    with self._engine.callers_frames(table):
        return reasons.why(self._engine, self._lookups, table, column, row, imputer=imputer, salt=salt)


def audit(
    self: OpenDatabase,
    table: str,
    into: str,
    *,
    columns: Sequence[str] = (),
    imputer: KNN | None = None,
    limit: int = AUDITED,
    salt: str | None = None,
    seed: int = 0,
) -> int:
    """Makes a table with the provenance of each missing cell, or of a sample of them if there are more than `limit`.

    Its columns: row, column_name, value, neighbours, effective, nearest, farthest, variance, entropy, fallback.

    Args:
        table: table whose cells are explained.
        into: table to create or replace; a temporary one where the database is read-only.
        columns: columns of the cells; by default all incomplete ones.
        imputer: how neighbours are found; by default `KNN()`.
        limit: largest number of rows.
        salt: key for hashing row identifiers; None for plain identifiers.
        seed: seed of the sample.

    Returns:
        Number of missing cells.
    """
    arguments.text("into", into, example="the name of a table")
    with self._engine.callers_frames(table):
        total, rows = reasons.audit(
            self._engine, self._lookups, table, columns=columns, imputer=imputer, limit=limit, salt=salt, seed=seed
        )
    reasons.keep_audit(self._engine, into, rows)  # a registered frame of this name is replaced by the table
    return total
