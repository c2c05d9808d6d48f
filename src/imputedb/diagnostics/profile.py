"""The profile of a table: counts, shares and patterns of missing values."""

from dataclasses import asdict, dataclass
from typing import Any

from imputedb import markup
from imputedb.algebra.relation import Table
from imputedb.diagnostics.suspects import Suspect, suspects
from imputedb.engines.engine import Engine
from imputedb.sql import ast as t
from imputedb.statistics.measure import measured


@dataclass(frozen=True, slots=True)
class ColumnProfile:
    """One column: its type, numbers of missing and distinct values, declared missing values, and its measure.

    `taken` is `numbers`, `categories`, `ordered categories`, or the kind of other values.
    """

    name: str
    type: str
    missing: int
    share: float
    distinct: int
    codes: tuple[str, ...]
    taken: str


@dataclass(frozen=True, slots=True)
class Pattern:
    """Rows with the same columns missing."""

    rows: int
    missing: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Profile:
    """One table: its rows, its columns, its patterns of missingness, the most frequent first, and its suspects.

    Suspects are values that look like missing ones and are not declared.
    """

    table: str
    rows: int
    columns: tuple[ColumnProfile, ...]
    patterns: tuple[Pattern, ...]
    suspects: tuple[Suspect, ...] = ()

    def data(self) -> dict[str, Any]:
        """The profile as JSON-ready data."""
        return asdict(self)

    def _repr_html_(self) -> str:
        """Columns with missing shares as bars, and patterns, as HTML for notebooks."""
        return self.html()

    def html(self) -> str:
        """The profile as a fragment of HTML."""
        rows = [
            [c.name, c.type, markup.bar(c.share), c.missing, c.distinct, c.taken, ", ".join(c.codes)]
            for c in self.columns
        ]
        titles = ["column", "type", "missing", "cells", "distinct", "taken as", "means missing"]
        patterns = [[one.rows, ", ".join(one.missing) or "nothing"] for one in self.patterns]
        notes = [
            f"{one.column}: {one.rows:,} x {', '.join(one.values)} ({one.why}); {one.mend(self.table)}"
            for one in self.suspects
        ]
        whole = markup.table(titles, rows, title=f"{self.table}: {self.rows:,} rows", notes=notes, most=len(rows))
        return whole + (markup.table(["rows", "missing together"], patterns) if patterns else "")


def profiled(engine: Engine, name: str | None) -> list[Profile]:
    """The profiles of one table or of all."""
    with engine.lock:
        tables = [engine.named(name)] if name else list(engine.shapes())
        return [_profile(engine, table) for table in tables]


def _profile(engine: Engine, table: Table) -> Profile:
    statistics, shape = engine.statistics(table), engine.shape(table)
    columns = tuple(
        ColumnProfile(
            column,
            known.type,
            known.missing,
            statistics.missing_share(column),
            known.distinct,
            shape.missing.get(column, ()),
            str(measured(known, statistics.policy(column))),
        )
        for column, known in statistics.columns.items()
    )
    dirty = [column for column in shape.types if column in statistics.dirty]
    return Profile(
        engine.called(table), statistics.rows, columns, _patterns(engine, table, dirty), suspects(engine, table)
    )


def _patterns(engine: Engine, table: Table, dirty: list[str]) -> tuple[Pattern, ...]:
    if not dirty:
        return ()
    flags = [t.is_missing(engine.reading(table, column, "t")) for column in dirty]
    rows = engine.rows(t.select([t.call("count_star"), *flags], t.table(table.path, "t"), groups=flags))
    found = [
        Pattern(int(count), tuple(c for c, absent in zip(dirty, missing, strict=True) if absent))
        for count, *missing in rows
    ]
    return tuple(sorted(found, key=lambda pattern: (-pattern.rows, pattern.missing)))
