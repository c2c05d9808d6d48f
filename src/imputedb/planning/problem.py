"""A query with its statistics, numbered for the planner: sets of columns and of tables are integers, a bit each."""

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from imputedb.algebra.column import Column, Columns
from imputedb.algebra.query import Query
from imputedb.algebra.relation import Scan, Table
from imputedb.algebra.scalar import AllOf, Scalar
from imputedb.imputers import checked
from imputedb.imputers.protocol import Imputer, Work, fills_in_sql
from imputedb.imputers.registry import the_one
from imputedb.models.kept import is_kept
from imputedb.planning import cost
from imputedb.statistics.cardinality import dropped
from imputedb.statistics.selectivity import selectivity
from imputedb.statistics.table import ColumnStatistics, Statistics


@dataclass(frozen=True)
class Source:
    """A source of the query: its rows, its filters with their selectivity, and what is dirty in it."""

    scan: Scan
    rows: float
    filters: tuple[Scalar, ...]
    selectivity: float
    examined: int
    dirty: int
    attributes: int


@dataclass(frozen=True)
class JoinPredicate:
    """A predicate over two or more sources: their bits, the dirty columns it examines, its selectivity."""

    scalar: Scalar
    sources: int
    examined: int
    selectivity: float


@dataclass(frozen=True)
class Problem:
    """What the planner is asked: a query over sources whose statistics are known, and the imputers it may use."""

    query: Query
    statistics: Mapping[str, Statistics]
    imputers: Sequence[Imputer]

    @cached_property
    def columns(self) -> tuple[Column, ...]:
        """The dirty columns that the query examines, by bit."""
        places = {scan.alias: place for place, scan in enumerate(self.query.sources)}  # aliases decide nothing
        dirty = (c for c in self.query.reads if not c.stored and c.name in self.statistics[c.relation].dirty)
        return tuple(sorted(dirty, key=lambda c: (places[c.relation], c.name)))

    @cached_property
    def _bits(self) -> Mapping[Column, int]:
        return {column: 1 << place for place, column in enumerate(self.columns)}

    @cached_property
    def _sets(self) -> dict[int, Columns]:
        return {}

    def mask(self, columns: Columns) -> int:
        """The dirty ones of some columns, as bits."""
        return sum(self._bits.get(column, 0) for column in columns)

    def columns_of(self, mask: int) -> Columns:
        """The columns of a mask."""
        found = self._sets.get(mask)
        if found is None:
            found = frozenset(column for column, bit in self._bits.items() if bit & mask)
            self._sets[mask] = found
        return found

    @cached_property
    def sources(self) -> tuple[Source, ...]:
        """The sources, by bit."""
        return tuple(self._source(scan) for scan in self.query.sources)

    def _source(self, scan: Scan) -> Source:
        statistics = self.statistics[scan.alias]
        filters = self.query.filters_of(scan.alias)
        dirty = frozenset(column for column in self.columns if column.relation == scan.alias)
        return Source(
            scan,
            float(statistics.rows),
            filters,
            self._selectivity(filters),
            self.mask(frozenset().union(*(f.reads for f in filters))),
            self.mask(dirty),
            max(1, len(statistics.predictors)),
        )

    @cached_property
    def joins(self) -> tuple[JoinPredicate, ...]:
        """The join predicates."""
        bits = {scan.alias: 1 << place for place, scan in enumerate(self.query.sources)}
        return tuple(
            JoinPredicate(
                scalar,
                sum(bits[alias] for alias in scalar.relations),
                self.mask(scalar.reads),
                self._selectivity((scalar,)),
            )
            for scalar in self.query.joins
        )

    def _selectivity(self, predicates: Sequence[Scalar]) -> float:
        return selectivity(AllOf(tuple(p.condition for p in predicates)), self.lookup)

    def passing(self, predicate: Scalar) -> float:
        """Estimated share of the rows for which a condition is not false, whatever is missing."""
        known = 1.0
        for column in predicate.reads:
            known *= 1 - self.lookup(column)[1]
        return 1 - known * (1 - self._selectivity((predicate,)))

    def lookup(self, column: Column) -> tuple[ColumnStatistics, float]:
        """A column's statistics, and the share of the rows where it is missing."""
        statistics = self.statistics[column.relation]
        return statistics.columns[column.name], statistics.missing_share(column.name)

    @cached_property
    def dropped_only(self) -> int:
        """The columns whose rows go when they are missing: they are never filled in."""
        return self.mask(
            frozenset(c for c in self.columns if self.statistics[c.relation].policy(c.name).action == "drop")
        )

    def own(self, columns: Columns) -> tuple[tuple[Column, str], ...]:
        """The columns that a policy gives an imputer of their own, with its name."""
        named = ((c, self.statistics[c.relation].policy(c.name).imputer) for c in sorted(columns))
        return tuple((column, name) for column, name in named if name is not None)

    @cached_property
    def read_as_stored(self) -> int:
        """The columns whose missingness is asked about too: rows that miss them must not go, or the question would."""
        return self.mask(frozenset(column._replace(stored=False) for column in self.query.reads if column.stored))

    @cached_property
    def answering(self) -> int:
        """The dirty columns read above the joins."""
        return self.mask(self.query.answering)

    @cached_property
    def shares(self) -> Mapping[int, float]:
        """The missing share of each column, by its bit."""
        return {bit: self.statistics[c.relation].missing_share(c.name) for c, bit in self._bits.items()}

    def drop(self, mask: int, rows: float) -> tuple[float, float]:
        """Rows that a Drop leaves, and its time."""
        columns = self.columns_of(mask)
        largest = max(self.statistics[c.relation].missing_share(c.name) for c in columns)
        return dropped(rows, (largest,)), cost.filtering(rows, len(columns))

    @cached_property
    def _prices(self) -> dict[tuple[int, int, float, int], tuple[float, float]]:
        return {}

    def suits(self, imputer: int, mask: int) -> bool:
        """Whether the imputer of that number can fill in some columns: kept models alone fill in what they cover."""
        one = self.imputers[imputer]
        return not is_kept(one) or one.suits((self._tables[c.relation], c.name) for c in self.columns_of(mask))

    @cached_property
    def _tables(self) -> Mapping[str, Table]:
        return {scan.alias: scan.table for scan in self.query.sources}

    @cached_property
    def _measured(self) -> Mapping[Column, float]:
        """The errors on hidden cells of columns that kept models cover: what there is to be known of them."""
        models = next((one for one in self.imputers if is_kept(one)), None)
        found = {}
        for column in self.columns if models else ():
            record = models.model(self._tables[column.relation], column.name) if models else None
            error = record.error(column.name) if record else None
            if error is not None:
                found[column] = min(max(error, 1e-6), 0.99)
        return found

    def impute(self, imputer: int, mask: int, rows: float, attributes: int) -> tuple[float, float]:
        """Penalty and time of an Impute by the imputer of that number."""
        key = (imputer, mask, rows, attributes)
        found = self._prices.get(key)
        if found is None:
            found = self._prices[key] = self.priced(self.imputers[imputer], self.columns_of(mask), rows, attributes)
        return found

    def priced(self, imputer: Imputer, columns: Columns, rows: float, attributes: int) -> tuple[float, float]:
        """Penalty and time of an Impute of some columns by an imputer; of those with one of their own, by that one.

        Parts that several imputers fill in take the sum of their times; their penalties count by their columns.
        """
        own = dict(self.own(columns))
        parts: dict[str, set[Column]] = {}
        for column in columns:
            parts.setdefault(own.get(column, imputer.name), set()).add(column)
        penalty = time = 0.0
        for name, part in sorted(parts.items()):
            one = imputer if name == imputer.name else the_one(name, "a column needs")
            lost, taken = price(one, self._work(part, rows, attributes))
            if one.uses_predictors:
                errors = [self._measured.get(column, lost) for column in part]
                lost = math.fsum(errors) / len(errors)
            penalty, time = penalty + lost * len(part) / len(columns), time + taken
        return penalty, time

    def _work(self, columns: Collection[Column], rows: float, attributes: int) -> Work:
        shares = sorted(self.statistics[c.relation].missing_share(c.name) for c in columns)
        spread = math.fsum(self.statistics[c.relation].columns[c.name].spread for c in columns)
        return Work(rows, len(columns), max(attributes, len(columns) + 1), sum(shares) / len(shares), spread)


def price(imputer: Imputer, work: Work) -> tuple[float, float]:
    """Penalty and time of an Impute: the imputer's own, and what it takes to bring it the rows."""
    penalty, time = checked.priced(imputer, work)
    if not (fills_in_sql(imputer) or is_kept(imputer)):
        time += cost.staging(work.rows, work.attributes)
    return penalty, time
