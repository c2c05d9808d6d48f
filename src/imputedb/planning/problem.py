"""The planner's input: a query with statistics, in which sets of columns and of tables are bit masks."""

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
from imputedb.imputers.registry import single_imputer
from imputedb.models.kept import StoredImputer, is_stored
from imputedb.planning import cost
from imputedb.statistics.cardinality import dropped
from imputedb.statistics.selectivity import selectivity
from imputedb.statistics.table import ColumnStatistics, Statistics


@dataclass(frozen=True)
class Source:
    """A source of the query: rows, filters with their selectivity, and dirty columns."""

    scan: Scan
    rows: float
    filters: tuple[Scalar, ...]
    selectivity: float
    examined: int
    dirty: int
    attributes: int


@dataclass(frozen=True)
class JoinPredicate:
    """A predicate over two or more sources: their bits, the dirty columns that it examines, and its selectivity."""

    scalar: Scalar
    sources: int
    examined: int
    selectivity: float


@dataclass(frozen=True)
class Problem:
    """The planner's input: a query, statistics of its sources, and imputers."""

    query: Query
    statistics: Mapping[str, Statistics]
    imputers: Sequence[Imputer]
    room: float = math.inf
    """Bytes of rows that an imputer may be handed at once."""

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
        """The mask of the dirty columns among some columns."""
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
        """The join predicates of the query."""
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
        """Estimated share of the rows for which a condition is true or unknown."""
        known = 1.0
        for column in predicate.reads:
            known *= 1 - self.lookup(column)[1]
        return 1 - known * (1 - self._selectivity((predicate,)))

    def lookup(self, column: Column) -> tuple[ColumnStatistics, float]:
        """The statistics of a column, and its share of missing values."""
        statistics = self.statistics[column.relation]
        return statistics.columns[column.name], statistics.missing_share(column.name)

    @cached_property
    def dropped_only(self) -> int:
        """The columns that policies never impute: rows in which they are missing are dropped."""
        return self.mask(
            frozenset(c for c in self.columns if self.statistics[c.relation].policy(c.name).action == "drop")
        )

    def own(self, columns: Columns) -> tuple[tuple[Column, str], ...]:
        """The columns whose policy names an imputer, with its name."""
        named = ((c, self.statistics[c.relation].policy(c.name).imputer) for c in sorted(columns))
        return tuple((column, name) for column, name in named if name is not None)

    @cached_property
    def read_as_stored(self) -> int:
        """The columns whose missingness is also tested, so that rows must not be dropped for them."""
        return self.mask(frozenset(column._replace(stored=False) for column in self.query.reads if column.stored))

    @cached_property
    def answering(self) -> int:
        """The dirty columns that operators above the joins read."""
        return self.mask(self.query.answering)

    @cached_property
    def shares(self) -> Mapping[int, float]:
        """The share of missing values of each column, by its bit."""
        return {bit: self.statistics[c.relation].missing_share(c.name) for c, bit in self._bits.items()}

    def drop(self, mask: int, rows: float) -> tuple[float, float]:
        """Rows left by a Drop, and its time."""
        columns = self.columns_of(mask)
        largest = max(self.statistics[c.relation].missing_share(c.name) for c in columns)
        return dropped(rows, (largest,)), cost.filtering(rows, len(columns))

    @cached_property
    def _prices(self) -> dict[tuple[int, int, float, int], tuple[float, float]]:
        return {}

    def suits(self, imputer: int, mask: int) -> bool:
        """Whether an imputer, given by its position, can impute some columns.

        Kept models impute the columns that they cover; functions of a sample suit large tables.
        """
        one = self.imputers[imputer]
        if not is_stored(one):
            return True
        if one.on_sample:
            columns = self.columns_of(mask)
            return all(map(self._has_function, columns)) and any(self._is_large(one, c.relation) for c in columns)
        return one.suits((self._tables[c.relation], c.name) for c in self.columns_of(mask))

    def _has_function(self, column: Column) -> bool:
        """Whether a column can be imputed by a function of a row: it has a centre, and no policy asks for more."""
        policy, known = self.statistics[column.relation].policy(column.name), self.lookup(column)[0]
        plain = policy.plain and not policy.leaves and policy.action == "impute"
        return plain and policy.imputer is None and policy.measure is None and known.centre is not None

    def _is_large(self, one: StoredImputer, alias: str) -> bool:
        """Whether imputing a table by functions of a sample is estimated to be faster than by handing over all rows."""
        found = self._large.get((one.name, alias))
        if found is None:
            statistics = self.statistics[alias]
            columns = [Column(alias, name) for name in statistics.dirty]
            work = self._work(columns, statistics.rows, max(1, len(statistics.predictors)))
            handed = price(one.base, work, anew=self._is_fetched_anew[alias])[1]
            found = self._large[one.name, alias] = price(one, work)[1] < handed
        return found

    @cached_property
    def _is_fetched_anew(self) -> Mapping[str, bool]:
        """By alias, whether a table has too many cells for the column cache."""
        return {alias: known.rows * len(known.columns) > cost.KEPT for alias, known in self.statistics.items()}

    def fits(self, imputer: int, mask: int, rows: float, attributes: int) -> bool:
        """Whether the rows for an imputer, given by its position, fit in memory; if not, their size is recorded."""
        one = self.imputers[imputer]
        columns = self.columns_of(mask)
        size = 8.0 * rows * (attributes if one.uses_predictors else len(columns))
        if size <= self.room or not self._needs_rows(one, columns):
            return True
        self.too_large[one.name] = min(size, self.too_large.get(one.name, math.inf))
        return False

    def _needs_rows(self, one: Imputer, columns: Columns) -> bool:
        """Whether an imputer needs rows as arrays to impute some columns."""
        if is_stored(one):
            covered = (one.model(self._tables[c.relation], c.name) for c in columns)
            return not (one.on_sample or all(record is not None and record.has_functions for record in covered))
        return not fills_in_sql(one) or any(self.statistics[c.relation].policy(c.name).restricts for c in columns)

    @cached_property
    def too_large(self) -> dict[str, float]:
        """Imputers whose rows do not fit in memory, with the least number of bytes that they would take."""
        return {}

    @cached_property
    def _large(self) -> dict[tuple[str, str], bool]:
        return {}

    @cached_property
    def _tables(self) -> Mapping[str, Table]:
        return {scan.alias: scan.table for scan in self.query.sources}

    @cached_property
    def _measured(self) -> Mapping[Column, float]:
        """Errors on hidden cells of columns that kept models cover."""
        models = next((one for one in self.imputers if is_stored(one)), None)
        found = {}
        for column in self.columns if models else ():
            record = models.model(self._tables[column.relation], column.name) if models else None
            error = record.error(column.name) if record else None
            if error is not None:
                found[column] = min(max(error, 1e-6), 0.99)
        return found

    def impute(self, imputer: int, mask: int, rows: float, attributes: int) -> tuple[float, float]:
        """Penalty and time of an Impute by an imputer, given by its position."""
        key = (imputer, mask, rows, attributes)
        found = self._prices.get(key)
        if found is None:
            found = self._prices[key] = self.priced(self.imputers[imputer], self.columns_of(mask), rows, attributes)
        return found

    def priced(self, imputer: Imputer, columns: Columns, rows: float, attributes: int) -> tuple[float, float]:
        """Penalty and time of an Impute of some columns; columns whose policy names an imputer are imputed by that one.

        The times of several imputers are added; their penalties are averaged over columns.
        """
        own = dict(self.own(columns))
        parts: dict[str, set[Column]] = {}
        for column in columns:
            parts.setdefault(own.get(column, imputer.name), set()).add(column)
        penalty = time = 0.0
        for name, part in sorted(parts.items()):
            one = imputer if name == imputer.name else single_imputer(name, "a column needs")
            anew = any(self._is_fetched_anew[column.relation] for column in part)
            lost, taken = price(one, self._work(part, rows, attributes), anew=anew)
            if one.uses_predictors:
                errors = [self._measured.get(column, lost) for column in part]
                lost = math.fsum(errors) / len(errors)
            penalty, time = penalty + lost * len(part) / len(columns), time + taken
        return penalty, time

    def _work(self, columns: Collection[Column], rows: float, attributes: int) -> Work:
        shares = sorted(self.statistics[c.relation].missing_share(c.name) for c in columns)
        spread = math.fsum(self.statistics[c.relation].columns[c.name].spread for c in columns)
        return Work(rows, len(columns), max(attributes, len(columns) + 1), sum(shares) / len(shares), spread)


def price(imputer: Imputer, work: Work, *, anew: bool = False) -> tuple[float, float]:
    """Penalty and time of an Impute: those of the imputer, and the time to fetch the rows."""
    penalty, time = checked.priced(imputer, work)
    if not (fills_in_sql(imputer) or is_stored(imputer)):
        time += cost.staging(work.rows, work.attributes, anew=anew)
    return penalty, time
