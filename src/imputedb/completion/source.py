"""The rows to complete: a table, or the rows of a SELECT, read once into arrays."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from imputedb.algebra.column import Column
from imputedb.algebra.relation import Scan, Table
from imputedb.blocks.read_in import read_in
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
from imputedb.notes import Note
from imputedb.sql import ast as t
from imputedb.sql import derivation
from imputedb.sql.ast import Tree
from imputedb.sql.paths import quoted
from imputedb.statistics.table import Kind, Statistics

STAGED = "imputedb_source"
FLAG = "__imputed"
INTERVAL = "INTERVAL"
DRAW, ROW = ".imp", ".id"
"""The columns that a long file adds."""


@dataclass(frozen=True, slots=True, eq=False)
class Source:
    """Rows to complete.

    Attributes:
        table: table that holds the rows in the engine.
        types: types of its columns, in order.
        rows: targets and predictors as imputers see them, in the order of the table.
        targets: columns to fill.
        left: incomplete columns that are not filled, each with the reason.
        fingerprint: a hash of the rows, their types, and the values declared missing.
        permits: permits of the targets, and of columns from which these are derived.
        meant: by column, conditions under which NULL has a meaning of its own.
        missing: number of missing cells by target.
        policies: policies of all columns as text.
        content: fingerprint of the table's content.
        notes: notes on derived columns, the columns that they are derived from, and text files.
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
    notes: tuple[Note, ...] = ()

    def request(self, imputer: Imputer, seed: int) -> Request:
        """The request to imputers."""
        check_departures(imputer, {c: p.policy.derived for c, p in self.permits.items() if p.policy.derived})
        return Request(self.rows, self.targets, imputer, self.permits, seed_of(seed, self.content))

    @property
    def predictors(self) -> tuple[Column, ...]:
        """The predictors that imputers learn from."""
        return tuple(sorted(self.rows.columns))


class Staged(NamedTuple):
    """The table whose rows are to be completed, and notes on text files that they come from."""

    table: Table
    notes: Sequence[Note] = ()


def staged(engine: Engine, text: str) -> Staged:
    """The table of this name; for a view or a SELECT, a temporary table of its rows.

    Raises:
        UnknownName: the text is a single word that is not a table.
        QueryError: DuckDB rejects the SELECT.
    """
    found = engine.found(text)
    if isinstance(found, Table):
        return Staged(found)
    if found is None and not any(mark.isspace() for mark in text.strip()):
        return Staged(engine.named(text))
    query = f"FROM {quoted(found.path)}" if found else engine.verbatim(text)
    lineage = inherited(engine, query)
    staged = Table("temp", "main", STAGED)
    whole = read_in(engine, query)
    engine.stage(whole.query, STAGED)
    whole.release(engine)
    engine.restate(staged, lineage.missing, lineage.policies)
    return Staged(staged, whole.notes)


def read(engine: Engine, staged: Staged, wanted: Sequence[str] | None = None, *, blind: bool = False) -> Source:
    """Reads targets (by default all incomplete columns) and predictors.

    With `blind` random numbers do not depend on values, so that none can leak through them.

    Raises:
        UnknownName: a wanted column does not exist.
    """
    table = staged.table
    shape, statistics = engine.shape(table), engine.statistics(table)
    if blind:
        statistics = replace(statistics, content=0)
    for name in wanted or ():
        if name not in shape.types:
            raise UnknownName(f"no column {name!r} in {table.name}; there are {', '.join(shape.types)}")
    if wanted is not None:  # a derived column needs the columns that it is derived from
        wanted = sorted({*wanted, *derivation.sources_of(statistics.policies, statistics.columns, wanted)})
    left = {name: why for name in statistics.dirty if (why := _why_left(statistics, name, wanted))}
    targets = [name for name in shape.types if name in statistics.dirty and name not in left]
    read = derivation.sources_of(statistics.policies, statistics.columns, targets)
    names = [name for name in shape.types if name in {*targets, *read} or name in statistics.regressors]
    columns = tuple(Column(table.name, name) for name in targets)
    cache = ColumnCache(engine, Scan(table, "t"), statistics)
    rows = Rows({Column(table.name, name): cells for name, cells in cache.cells(names).items()}, cache.keys())
    decided = [column for column in rows.columns if column in columns or column.name in read]
    related = engine.related(table) if wanted is None else ()
    own = [c for c in rows.columns if statistics.policy(c.name).action in ("keep", "structural")]
    return Source(
        table,
        dict(shape.types),
        rows,
        columns,
        dict(sorted(left.items())),
        fingerprint(engine, table),
        permits(cache, decided, rows.columns),
        {column: cache.meaningful_nulls(column.name) & rows.columns[column].missing for column in own},
        {column: statistics.columns[column.name].missing for column in columns},
        statistics.policy_texts,
        statistics.content,
        (*staged.notes, *engine.about_derived(table, [*targets, *related])),
    )


def _why_left(statistics: Statistics, name: str, wanted: Sequence[str] | None) -> str | None:
    known = statistics.columns[name]
    if wanted is not None and name not in wanted:
        return "not asked for"
    if known.kind is Kind.OPAQUE:
        return f"values of type {known.type} cannot be imputed"
    if statistics.policy(name).action == "drop":
        return "its policy is DROP: it is not imputed, and who analyses it drops the rows that miss it"
    return "no value of it is observed" if known.missing == statistics.rows else None


def fingerprint(engine: Engine, table: Table) -> str:
    """A hash of the rows, their types, their policies, and the values declared missing."""
    shape = engine.shape(table)
    everything = t.call("hash", *(t.reference("t", name) for name in shape.types))
    total = t.call("sum", t.cast(everything, t.plain_type("HUGEINT")))
    contents = engine.rows(t.select([t.call("count_star"), total], t.table(table.path, "t")))[0]
    return hashlib.sha256(shape.fingerprint(contents).encode()).hexdigest()


def _storable(value: Tree, kind: str) -> Tree:
    """A value as Parquet can hold it: intervals as text, since Parquet has no negative ones and no microseconds."""
    return t.cast(value, t.plain_type("VARCHAR")) if kind == INTERVAL else value


def completed(engine: Engine, source: Source, patch: str, filled: Sequence[Column], *, flags: bool) -> str:
    """The SELECT of the completed rows: stored values, or imputed ones where missing; with flags of imputed cells.

    A cell that stays NULL is not flagged.
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
    """The columns of a draw by name, categories as text, NaN where a number stays missing."""
    found: dict[str, Array] = {}
    for column, cells in source.rows.columns.items():
        values, missing = cells.values.copy(), cells.missing.copy()
        if column in filled:
            values[cells.missing] = np.ma.getdata(filled[column])
            missing[cells.missing] = np.ma.getmaskarray(filled[column])
        missing |= source.meant.get(column, False)
        whole = cells.like(values, missing).numbers()
        values = whole.values
        if whole.kind is Kind.CATEGORY:
            names = np.array([*cells.levels, None], dtype=object)
            found[column.name] = names[np.where(missing, len(cells.levels), values).astype(np.intp)]
        else:
            found[column.name] = np.where(missing, np.nan, values.astype(np.float64)) if missing.any() else values
    return found
