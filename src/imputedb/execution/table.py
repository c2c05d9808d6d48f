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
class Stored:
    """The rows of a table, in the order of their keys.

    Attributes:
        table: the table.
        statistics: what is known of it.
        rows: its columns, but those that tell nothing of others: keys, constants, values of types without a distance.
        key: the column that tells rows apart, `rowid` where there is none.
        identities: (n,) that column's values.
        permits: what policies permit of columns.
        meant: by column (n,) where a NULL means something of its own; nothing of columns of which none can.
    """

    table: Table
    statistics: Statistics
    rows: Rows
    key: str
    identities: Array
    permits: Mapping[Column, Permit]
    meant: Mapping[Column, NDArray[np.bool_]]

    def gaps(self, column: Column) -> NDArray[np.bool_]:
        """(n,) the cells of a column that are to be filled in."""
        missing = self.rows.columns[column].missing
        return missing & ~self.meant[column] if column in self.meant else missing

    def request(self, imputer: Imputer, rows: Rows, targets: Sequence[Column], seed: int) -> Request:
        """What is asked of imputers, of the same rows with more cells missing."""
        check_departures(imputer, {c: p.policy.derived for c, p in self.permits.items() if p.policy.derived})
        return Request(rows, targets, imputer, self.permits, seed_of(seed, self.statistics.content))

    def is_imputed(self, column: Column) -> bool:
        """Whether a policy lets a column's missing values be filled in."""
        return self.statistics.policy(column.name).action in ("impute", "structural")

    def at(self, places: NDArray[np.intp], barred: Columns = NO_COLUMNS) -> "Stored":
        """Some rows, in the order given, with what may be looked at."""
        rows = self.rows.at(places)
        columns = {column: cells for column, cells in rows.columns.items() if column not in barred}
        known = {column: permit.at(places) for column, permit in self.permits.items()}
        meant = {column: flags[places] for column, flags in self.meant.items()}
        return replace(
            self, rows=Rows(columns, rows.keys), identities=self.identities[places], permits=known, meant=meant
        )

    def target(self, name: str) -> Column:
        """A column that is filled in.

        Raises:
            UnknownName: there is none.
            DataError: it tells nothing of others, or its policy is never to fill it in.
        """
        column = self.column(name)
        if not self.is_imputed(column):
            policy = self.statistics.policy(column.name).action.upper()
            raise DataError(f"the policy of {self.table.name}.{column.name} is {policy}: it is not filled in")
        return column

    def column(self, name: str) -> Column:
        """A column by its name.

        Raises:
            UnknownName: there is none.
            DataError: it tells nothing of other columns, nor they of it.
        """
        found = next((c for c in self.rows.columns if c.name.lower() == name.lower()), None)
        if found is not None:
            return found
        if name.lower() in (known.lower() for known in self.statistics.columns):
            raise DataError(
                f"{self.table.name}.{name} is a key, a constant, or of a type that rows are not compared by"
            )
        raise UnknownName(f"no column {name!r} in {self.table.name}; there are {', '.join(self.statistics.columns)}")


def stored(engine: Engine, name: str, wanted: Sequence[str] = ()) -> Stored:
    """The rows of a table; columns that are wanted come even if they tell nothing of others.

    Raises:
        UnknownName: there is no such table or column.
    """
    with engine.lock:
        table = engine.named(name)
        statistics = engine.statistics(table)
        names = [column for column in statistics.columns if column in _telling(statistics, wanted)]
        cache = ColumnCache(engine, Scan(table, "t"), statistics)
        columns, keys = cache.cells(names), cache.keys()
        identity = t.named(engine.reading(table, statistics.key or ROW, "t"), "identity")
        identities = np.ma.getdata(engine.arrays(t.select([identity], engine.source(table, "t")))["identity"])
    order = np.argsort(keys, kind="stable")
    cells = {Column(table.name, name): columns[name].at(order) for name in names}
    found = {c: permit.at(order) for c, permit in permits(cache, list(cells), list(cells)).items()}
    own = [c for c in cells if statistics.policy(c.name).action in ("keep", "structural")]
    meant = {column: cache.meant(column.name)[order] for column in own}
    return Stored(
        table, statistics, Rows(cells, keys[order]), statistics.key or "rowid", identities[order], found, meant
    )


def _telling(statistics: Statistics, wanted: Sequence[str]) -> frozenset[str]:
    known = {column.lower(): column for column in statistics.columns}
    missing = [name for name in wanted if name.lower() not in known]
    if missing:
        raise UnknownName(f"no column {missing[0]!r}; there are {', '.join(statistics.columns)}")
    read = derivation.behind(statistics.policies, statistics.columns, statistics.columns)
    return statistics.regressors | read | {known[name.lower()] for name in wanted}


def shown(value: Any, cells: Cells) -> object:
    """A value of a column as a person reads it: categories as text, dates as dates."""
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
