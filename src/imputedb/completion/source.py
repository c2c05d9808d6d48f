"""What is to be completed: a table, or the rows of a SELECT, read once into arrays."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from imputedb.algebra.column import Column
from imputedb.algebra.relation import Scan, Table
from imputedb.completion.lineage import inherited
from imputedb.engines.engine import Engine
from imputedb.errors import UnknownName
from imputedb.execution.columns import ColumnCache, permits
from imputedb.imputers.chained.chained import check_departures
from imputedb.imputers.permit import Permit
from imputedb.imputers.protocol import Imputer
from imputedb.imputers.random import seed_of
from imputedb.imputers.request import Request
from imputedb.imputers.rows import Array, Rows
from imputedb.sql import ast as t
from imputedb.sql import derivation
from imputedb.sql.ast import Tree
from imputedb.sql.paths import quoted
from imputedb.statistics.table import Kind, Statistics

STAGED = "imputedb_source"
FLAG = "__imputed"
INTERVAL = "INTERVAL"
DRAW, ROW = ".imp", ".id"
"""Columns that a long file adds."""


@dataclass(frozen=True, slots=True, eq=False)
class Source:
    """Rows to complete.

    Attributes:
        table: where they are in the engine.
        types: of its columns, in order.
        rows: targets and predictors as imputers see them, in the order of the table.
        targets: columns to fill.
        left: incomplete columns that stay so, each with its reason.
        fingerprint: a hash of the rows, their types, and the values declared missing.
        permits: what policies permit of the targets, and of what these are derived from.
        meant: by column, where a NULL means something of its own.
        missing: by target, how many cells miss a value.
        policies: of all columns, in words.
        content: what tells the rows from those of other tables.
        undetermined: what is to be said of rows that have a derived value, but not what it is derived from.
    """

    table: Table
    types: Mapping[str, str]
    rows: Rows
    targets: tuple[Column, ...]
    left: Mapping[str, str]
    fingerprint: str
    permits: Mapping[Column, Permit]
    meant: Mapping[Column, NDArray[np.bool_]]
    missing: Mapping[Column, int]
    policies: Mapping[str, str]
    content: int
    undetermined: tuple[str, ...] = ()

    def request(self, imputer: Imputer, seed: int) -> Request:
        """What is asked of imputers."""
        check_departures(imputer, {c: p.policy.derived for c, p in self.permits.items() if p.policy.derived})
        return Request(self.rows, self.targets, imputer, self.permits, seed_of(seed, self.content))

    @property
    def predictors(self) -> tuple[Column, ...]:
        """The columns that imputers learn from."""
        return tuple(sorted(self.rows.columns))


def staged(engine: Engine, text: str) -> Table:
    """The table of a name; of a view or of any other text, a temporary table of its rows.

    Raises:
        UnknownName: a single word that is no table.
        QueryError: DuckDB rejects the SELECT.
    """
    found = engine.found(text)
    if isinstance(found, Table):
        return found
    if found is None and not any(mark.isspace() for mark in text.strip()):
        return engine.named(text)
    query = f"FROM {quoted(found.path)}" if found else engine.verbatim(text)
    lineage = inherited(engine, query)
    staged = Table("temp", "main", STAGED)
    engine.stage(query, STAGED)
    engine.restate(staged, lineage.missing, lineage.policies)
    return staged


def read(engine: Engine, table: Table, wanted: Sequence[str] | None = None, *, blind: bool = False) -> Source:
    """Reads targets (all incomplete columns unless `wanted`) and predictors.

    `blind` random numbers know nothing of the values, so that none can leak by them.

    Raises:
        UnknownName: a wanted column is not there.
    """
    shape, statistics = engine.shape(table), engine.statistics(table)
    if blind:
        statistics = replace(statistics, content=0)
    for name in wanted or ():
        if name not in shape.types:
            raise UnknownName(f"no column {name!r} in {table.name}; there are {', '.join(shape.types)}")
    if wanted is not None:  # a derived column takes what it is derived from
        wanted = sorted({*wanted, *derivation.behind(statistics.policies, statistics.columns, wanted)})
    left = {name: why for name in statistics.dirty if (why := _why_left(statistics, name, wanted))}
    targets = [name for name in shape.types if name in statistics.dirty and name not in left]
    read = derivation.behind(statistics.policies, statistics.columns, targets)
    names = [name for name in shape.types if name in {*targets, *read} or name in statistics.regressors]
    columns = tuple(Column(table.name, name) for name in targets)
    cache = ColumnCache(engine, Scan(table, "t"), statistics)
    rows = Rows({Column(table.name, name): cells for name, cells in cache.cells(names).items()}, cache.keys())
    decided = [column for column in rows.columns if column in columns or column.name in read]
    own = [c for c in rows.columns if statistics.policy(c.name).action in ("keep", "structural")]
    return Source(
        table,
        dict(shape.types),
        rows,
        columns,
        dict(sorted(left.items())),
        _fingerprint(engine, table),
        permits(cache, decided, rows.columns),
        {column: cache.meant(column.name) & rows.columns[column].missing for column in own},
        {column: statistics.columns[column.name].missing for column in columns},
        statistics.said,
        statistics.content,
        tuple(engine.undetermined(table)),
    )


def _why_left(statistics: Statistics, name: str, wanted: Sequence[str] | None) -> str | None:
    known = statistics.columns[name]
    if wanted is not None and name not in wanted:
        return "not asked for"
    if known.kind is Kind.OPAQUE:
        return f"values of type {known.type} cannot be imputed"
    if statistics.policy(name).action == "drop":
        return "its policy is DROP: it is not filled in, and who analyses it drops the rows that miss it"
    return "no value of it is observed" if known.missing == statistics.rows else None


def _fingerprint(engine: Engine, table: Table) -> str:
    shape = engine.shape(table)
    everything = t.call("hash", *(t.reference("t", name) for name in shape.types))
    total = t.call("sum", t.cast(everything, t.plain_type("HUGEINT")))
    contents = engine.rows(t.select([t.call("count_star"), total], t.table(table.path, "t")))[0]
    return hashlib.sha256(shape.fingerprint(contents).encode()).hexdigest()


def _storable(value: Tree, kind: str) -> Tree:
    """A value as a file keeps it: intervals as text, of which Parquet knows no negative ones and no microseconds."""
    return t.cast(value, t.plain_type("VARCHAR")) if kind == INTERVAL else value


def completed(engine: Engine, source: Source, patch: str, filled: Sequence[Column], *, flags: bool) -> str:
    """The SELECT of the completed rows: stored values, imputed where missing; with flags, which cells were.

    A cell that stays NULL is not one of these.
    """
    outputs: list[Tree] = []
    flagged: dict[str, Tree] = {}
    names = {column.name for column in filled}
    for name, kind in source.types.items():
        stored = engine.reading(source.table, name, "t")
        if name in names:
            imputed, meaning = engine.decoded(t.reference(patch, name), kind), engine.meaning(source.table, name, "t")
            imputed = imputed if meaning is None else t.null_where(meaning, imputed)
            filled_in = t.all_of([t.is_missing(stored), t.is_present(imputed)])
            assert filled_in
            flagged[name] = filled_in
            stored = t.coalesce(stored, imputed)
        outputs.append(t.named(_storable(stored, kind), name))
    if flags:
        outputs += [t.named(flag, name + FLAG) for name, flag in sorted(flagged.items())]
    rows: Tree = t.table(source.table.path, "t")
    if filled:
        rows = t.positional(rows, t.table((patch,), ""))
    return engine.text(t.select(outputs, rows))


def completed_columns(source: Source, filled: Mapping[Column, Array]) -> dict[str, Array]:
    """By name the columns of a draw, categories as text, NaN where a number stays missing."""
    found: dict[str, Array] = {}
    for column, cells in source.rows.columns.items():
        values, gone = cells.values.copy(), cells.missing.copy()
        if column in filled:
            values[cells.missing] = np.ma.getdata(filled[column])
            gone[cells.missing] = np.ma.getmaskarray(filled[column])
        gone |= source.meant.get(column, False)
        whole = cells.like(values, gone).numbers()
        values = whole.values
        if whole.kind is Kind.CATEGORY:
            names = np.array([*cells.levels, None], dtype=object)
            found[column.name] = names[np.where(gone, len(cells.levels), values).astype(np.intp)]
        else:
            found[column.name] = np.where(gone, np.nan, values.astype(np.float64)) if gone.any() else values
    return found
