"""The methods of a database about the reasons of imputed values."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from imputedb.engines.engine import Engine
from imputedb.imputers.knn import KNN
from imputedb.provenance import why as reasons
from imputedb.provenance.index import Lookups
from imputedb.provenance.reason import Why
from imputedb.provenance.why import AUDITED


class Opened(Protocol):
    """What these methods need of a database: its engine and its warm indexes."""

    _engine: Engine
    _lookups: Lookups


def why(
    self: Opened, table: str, column: str, row: object, *, imputer: KNN | None = None, salt: str | None = None
) -> Why:
    """What the nearest rows say of one cell: who they are, how near, what they have, and how much they agree.

    An observed cell is treated as if it were missing. Indexes stay warm until something is written; large ones are
    kept beside the database.

    Args:
        table: the table.
        column: the column.
        row: the value of the table's key, or of its rowid where it has none.
        imputer: how neighbours are found; `KNN()` unless given.
        salt: when given, rows are named by hashes, so that nobody who does not know it can say whose they are.

    Raises:
        UnknownName: no table, column or row of that name.
    """
    with self._engine.callers_frames(table):
        return reasons.why(self._engine, self._lookups, table, column, row, imputer=imputer, salt=salt)


def audit(
    self: Opened,
    table: str,
    into: str,
    *,
    columns: Sequence[str] = (),
    imputer: KNN | None = None,
    limit: int = AUDITED,
    salt: str | None = None,
    seed: int = 0,
) -> int:
    """Makes a table with a row for each missing cell, or for a sample where there are more than `limit`.

    Its columns: row, column_name, value, neighbours, effective, nearest, farthest, variance, entropy, fallback.

    Args:
        table: the table whose cells are explained.
        into: the table that is made, or made anew; a temporary one where the database is open for reading only.
        columns: whose cells; all that are missing unless given.
        imputer: how neighbours are found; `KNN()` unless given.
        limit: rows at most.
        salt: when given, rows are named by hashes.
        seed: which cells are in the sample.

    Returns:
        How many missing cells there are.
    """
    with self._engine.callers_frames(table):
        return reasons.audit(
            self._engine,
            self._lookups,
            table,
            into,
            columns=columns,
            imputer=imputer,
            limit=limit,
            salt=salt,
            seed=seed,
        )
