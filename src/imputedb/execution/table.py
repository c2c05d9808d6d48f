"""A stored table as imputers see it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imputedb.algebra.column import NO_COLUMNS, Column, Columns
from imputedb.algebra.relation import Scan, Table
from imputedb.engines.engine import Engine
from imputedb.errors import DataError, UnknownName
from imputedb.execution.columns import ColumnCache, permits
from imputedb.imputers.chained.chained import check_departures
from imputedb.imputers.permit import Permit
from imputedb.imputers.protocol import Imputer
from imputedb.imputers.random import seed_of
from imputedb.imputers.request import Request
from imputedb.imputers.rows import Array, Cells, Rows
from imputedb.sql import ast as t
from imputedb.sql import derivation
from imputedb.sql.generate import ROW
from imputedb.statistics.table import Kind, Statistics


@dataclass(frozen=True, slots=True)
class StoredRows:
    """The rows of a table in the order of their keys.

    Attributes:
        table: the table.
        statistics: statistics of the table.
        rows: its columns without keys, constants and values of types without a distance.
        key: column that identifies rows, `rowid` where there is none.
        identities: (n,) values of that column.
        permits: permits of the columns.
        meant: (n,) where a NULL has a meaning of its own, by column; columns without such NULLs are absent.
    """

    table: Table
    statistics: Statistics
    rows: Rows
    key: str
    identities: Array
    permits: Mapping[Column, Permit]
    meant: Mapping[Column, NDArray[np.bool_]]

    def gaps(self, column: Column) -> NDArray[np.bool_]:
        """(n,) the cells of a column that are to be imputed."""
        missing = self.rows.columns[column].missing
        return missing & ~self.meant[column] if column in self.meant else missing

    def request(self, imputer: Imputer, rows: Rows, targets: Sequence[Column], seed: int) -> Request:
        """The request to impute the same rows with more cells missing."""
        check_departures(imputer, {c: p.policy.derived for c, p in self.permits.items() if p.policy.derived})
        return Request(rows, targets, imputer, self.permits, seed_of(seed, self.statistics.content))

    def is_imputed(self, column: Column) -> bool:
        """Whether a policy permits imputing a column."""
        return self.statistics.policy(column.name).action in ("impute", "structural")

    def at(self, places: NDArray[np.intp], barred: Columns = NO_COLUMNS) -> "StoredRows":
        """Some rows in the given order, without columns that are barred as predictors."""
        rows = self.rows.at(places)
        columns = {column: cells for column, cells in rows.columns.items() if column not in barred}
        known = {column: permit.at(places) for column, permit in self.permits.items()}
        meant = {column: flags[places] for column, flags in self.meant.items()}
        return replace(
            self, rows=Rows(columns, rows.keys), identities=self.identities[places], permits=known, meant=meant
        )

    def check_imputable(self) -> None:
        """Refuses a table without any column that can be imputed from others or predict them.

        Raises:
            DataError: each column is a key, a constant, or of a type without a distance; or there is no row.
        """
        if not self.rows.columns:
            raise DataError(
                f"no column of {self.table.name} tells anything of others: each is a key, a constant, without any "
                "value, or of a type that rows are not compared by"
            )
        if not len(self.rows.keys):
            raise DataError(f"{self.table.name} has no row")

    def target(self, name: str) -> Column:
        """A column that can be imputed.

        Raises:
            UnknownName: there is no such column.
            DataError: it has no relation to others, or its policy forbids imputing it.
        """
        column = self.column(name)
        if not self.is_imputed(column):
            policy = self.statistics.policy(column.name).action.upper()
            raise DataError(f"the policy of {self.table.name}.{column.name} is {policy}: it is not imputed")
        return column

    def column(self, name: str) -> Column:
        """A column by its name.

        Raises:
            UnknownName: there is no such column.
            DataError: it cannot predict other columns or be predicted.
        """
        found = next((c for c in self.rows.columns if c.name.lower() == name.lower()), None)
        if found is not None:
            return found
        if name.lower() in (known.lower() for known in self.statistics.columns):
            raise DataError(
                f"{self.table.name}.{name} is a key, a constant, or of a type that rows are not compared by"
            )
        raise UnknownName(f"no column {name!r} in {self.table.name}; there are {', '.join(self.statistics.columns)}")


def stored(engine: Engine, name: str, wanted: Sequence[str] = ()) -> StoredRows:
    """The rows of a table; wanted columns are included even if they cannot predict others.

    Raises:
        UnknownName: there is no such table or column.
    """
    with engine.lock:
        table = engine.named(name)
        statistics = engine.statistics(table)
        names = [column for column in statistics.columns if column in _informative(statistics, wanted)]
        cache = ColumnCache(engine, Scan(table, "t"), statistics)
        columns, keys = cache.cells(names), cache.keys()
        identity = t.named(engine.reading(table, statistics.key or ROW, "t"), "identity")
        identities = np.ma.getdata(engine.arrays(t.select([identity], engine.source(table, "t")))["identity"])
    order = np.argsort(keys, kind="stable")
    cells = {Column(table.name, name): columns[name].at(order) for name in names}
    found = {c: permit.at(order) for c, permit in permits(cache, list(cells), list(cells)).items()}
    own = [c for c in cells if statistics.policy(c.name).action in ("keep", "structural")]
    meant = {column: cache.meaningful_nulls(column.name)[order] for column in own}
    return StoredRows(
        table, statistics, Rows(cells, keys[order]), statistics.key or "rowid", identities[order], found, meant
    )


def _informative(statistics: Statistics, wanted: Sequence[str]) -> frozenset[str]:
    known = {column.lower(): column for column in statistics.columns}
    missing = [name for name in wanted if name.lower() not in known]
    if missing:
        raise UnknownName(f"no column {missing[0]!r}; there are {', '.join(statistics.columns)}")
    read = derivation.sources_of(statistics.policies, statistics.columns, statistics.columns)
    named = {known[name.lower()] for name in wanted}
    return statistics.regressors | read | {name for name in named if statistics.columns[name].kind is not Kind.OPAQUE}


def display_value(value: Any, cells: Cells) -> object:
    """A value of a column for display: categories as text, dates as dates."""
    match cells.kind:
        case Kind.CATEGORY:
            return cells.levels[int(value)]
        case Kind.BOOLEAN:
            return bool(value)
        case Kind.DATE:
            return date(1970, 1, 1) + timedelta(days=int(value))
        case Kind.TIMESTAMP:
            return datetime(1970, 1, 1, tzinfo=UTC).replace(tzinfo=None) + timedelta(microseconds=int(value))
        case Kind.DURATION:
            return timedelta(microseconds=int(value))
        case Kind.INTEGER:
            return int(value)
        case _:
            return float(value)
