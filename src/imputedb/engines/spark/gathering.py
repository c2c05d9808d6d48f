"""Statistics of Spark's tables: counts by one job for each table, distributions from a collected sample."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Protocol

from imputedb.algebra.relation import Table
from imputedb.engines.duckdb import profile
from imputedb.engines.duckdb.statistics import Gathering
from imputedb.engines.duckdb.value_texts import literal
from imputedb.engines.entries import Shape
from imputedb.engines.spark.mirror import Mirror
from imputedb.engines.spark.remote import Remote
from imputedb.sql import ast as t
from imputedb.sql.ast import Tree
from imputedb.statistics.table import ColumnStatistics, Kind, Statistics

SAMPLE = profile.SAMPLE
"""Largest number of rows that are collected; a smaller table is collected whole, and nothing is estimated."""

LIKE_A_KEY = 0.8
"""Share of distinct rows by a sketch above which they are counted exactly."""


class Reading(Protocol):
    """What gathering needs of an engine: to run SELECT nodes, and to hold collected rows."""

    def rows(self, node: Tree) -> list[tuple[Any, ...]]:
        """The rows of a small SELECT."""

    def collected(self, rows: Any, columns: Mapping[str, str]) -> Table:
        """A temporary local table of collected rows, with given types."""

    def unmake(self, kind: str, names: Sequence[str]) -> None:
        """Drops such tables or views."""


class RemoteGathering(Gathering):
    """The statistics of Spark's tables that one session has seen.

    Attributes:
        engine: the engine.
        remote: the session of Spark that has the rows.
        mirror: the empty tables.
    """

    engine: Reading
    remote: Remote
    mirror: Mirror

    def profiled(self, table: Table, shape: Shape) -> Statistics:
        """The statistics of a table's present rows."""
        if table not in self.mirror.seen:
            return super().profiled(table, shape)
        source, readings, meanings = self._readings(table, shape, list(shape.types))
        rows = int(self.engine.rows(t.select([t.call("count_star")], source))[0][0])
        share = 1.0 if rows <= SAMPLE else 0.9 * SAMPLE / rows
        collected = self.remote.sample(self.mirror.seen[table].path, list(shape.types), share, SAMPLE)
        sample = self.engine.collected(collected, shape.types)
        try:
            found = super().profiled(sample, shape)
        finally:
            self.engine.unmake("TABLE", [sample.name])
        if rows <= SAMPLE:
            return found
        counts = self._counted(source, readings, meanings, shape)
        columns = {name: self._scaled(one, name, rows, counts) for name, one in found.columns.items()}
        columns |= self._with_keys_counted(source, readings, rows, columns)
        return replace(found, rows=rows, columns=columns)

    def _fingerprint(self, table: Table, shape: Shape) -> str:
        seen = self.mirror.seen.get(table)
        return super()._fingerprint(table, shape) if seen is None else shape.fingerprint([seen.state])

    def _rows(self, node: Tree) -> list[tuple[object, ...]]:
        return self.engine.rows(node)

    def _counted(
        self, source: Tree, readings: Mapping[str, Tree], meanings: Mapping[str, Tree | None], shape: Shape
    ) -> dict[str, Any]:
        """Counts over all rows, by one statement."""
        calls: dict[str, Tree] = {}
        for name, value in readings.items():
            kind = profile.kind_of(shape.types[name])
            calls[f"known {name}"] = t.call("count", value)
            if kind in (Kind.INTEGER, Kind.CATEGORY, Kind.DATE, Kind.TIMESTAMP):
                calls[f"distinct {name}"] = t.call("approx_count_distinct", value)
            if kind in (Kind.NUMBER, Kind.INTEGER):
                calls[f"mean {name}"] = t.call("avg", value)
            if shape.types[name] in ("FLOAT", "DOUBLE"):
                calls[f"nan {name}"] = t.call("count_star", where=t.call("isnan", t.reference("t", name)))
            meaning = meanings.get(name)
            if meaning is not None:
                missing = t.all_of([t.is_missing(value), meaning])
                calls[f"meant {name}"] = t.call("count_star", where=missing)
        (found,) = self.engine.rows(t.select(list(calls.values()), source))
        return dict(zip(calls, found, strict=True))

    def _scaled(self, known: ColumnStatistics, name: str, rows: int, counts: Mapping[str, Any]) -> ColumnStatistics:
        """The statistics of a sampled column, with counts and mean over all rows."""
        observed, meant = int(counts[f"known {name}"]), int(counts.get(f"meant {name}", 0))
        mean, centre = counts.get(f"mean {name}"), known.centre
        like_all = known.distinct > LIKE_A_KEY * SAMPLE * observed / rows
        if mean is not None and not known.coded:
            centre = literal(float(mean), known.kind, known.type)
        return replace(
            known,
            missing=rows - observed - meant,
            meant=meant,
            distinct=min(int(counts.get(f"distinct {name}", observed if like_all else known.distinct)), observed),
            centre=centre,
            nan=bool(counts.get(f"nan {name}", 0)),
        )

    def _with_keys_counted(
        self, source: Tree, readings: Mapping[str, Tree], rows: int, columns: Mapping[str, ColumnStatistics]
    ) -> dict[str, ColumnStatistics]:
        """The columns that may be keys, with exact numbers of distinct values."""
        like = [
            name
            for name, one in columns.items()
            if one.distinct > LIKE_A_KEY * rows and not one.missing + one.meant and one.kind is not Kind.NUMBER
        ]
        if not like:
            return {}
        counts = [{**t.call("count", readings[name]), "distinct": True} for name in like]
        (found,) = self.engine.rows(t.select(counts, source))
        return {name: replace(columns[name], distinct=int(n)) for name, n in zip(like, found, strict=True)}
