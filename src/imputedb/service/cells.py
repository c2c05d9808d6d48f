"""Cells that an answer has imputed, by the tables of the database that they are in, whatever these are called in it."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from imputedb.algebra.relation import Impute, Relation, Table
from imputedb.algebra.walk import bottom_up, scans
from imputedb.result import Result
from imputedb.sql.paths import parts_of


@dataclass(frozen=True, slots=True)
class Cells:
    """Cells of one column.

    Attributes:
        tables: that they are in; more than one where parts of a statement give several the same name.
        column: its name.
        count: of cells; one is counted as often as a join repeats its row.
        methods: that have filled them in.
    """

    tables: tuple[str, ...]
    column: str
    count: int
    methods: tuple[str, ...]

    @property
    def name(self) -> str:
        """Table and column."""
        return f"{' or '.join(self.tables)}.{self.column}"


def imputed_cells(result: Result, known: Collection[str]) -> list[Cells]:
    """The cells that an answer has imputed, in order of tables and columns.

    Args:
        result: the answer.
        known: names of tables, by which they are called.
    """
    called = {("main", *parts_of(name))[-2:]: name for name in known}
    sources: dict[str, tuple[set[str], str]] = {}
    for _, plan in result.blocks:
        for name, table, column in [] if isinstance(plan, str) else _columns(plan):
            path = (table.schema, table.name)
            sources.setdefault(name, (set(), column))[0].add(called.get(path, ".".join(path)))
    found: dict[tuple[tuple[str, ...], str], Cells] = {}
    for name, count in result.report.imputed.items():
        tables, column = sources[name]
        key = (tuple(sorted(tables)), column)
        before = found.get(key, Cells(*key, 0, ()))
        methods = tuple(dict.fromkeys((*before.methods, *filter(None, [result.report.methods.get(name)]))))
        found[key] = Cells(*key, before.count + count, methods)
    return [found[key] for key in sorted(found)]


def _columns(plan: Relation) -> list[tuple[str, Table, str]]:
    """Of each column that a plan imputes its name in the report, its table, and its own name."""
    tables = {scan.alias: scan.table for scan in scans(plan)}
    imputes = (node for node in bottom_up(plan) if isinstance(node, Impute))
    return [(str(one), tables[one.relation], one.name) for node in imputes for one in node.columns]
