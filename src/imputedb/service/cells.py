"""The imputed cells of an answer, counted by base table and column, whatever aliases the statement uses."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from imputedb.algebra.relation import Impute, Relation, Table
from imputedb.algebra.walk import bottom_up, scans
from imputedb.result import Result
from imputedb.sql.paths import parts_of


@dataclass(frozen=True, slots=True)
class Cells:
    """The imputed cells of one column.

    Attributes:
        tables: base tables of the column; several where one alias stands for different tables in parts of a statement.
        column: name of the column.
        count: number of cells; a cell counts as often as a join repeats its row.
        methods: imputation methods that filled in the cells.
    """

    tables: tuple[str, ...]
    column: str
    count: int
    methods: tuple[str, ...]

    @property
    def name(self) -> str:
        """Name of table and column."""
        return f"{' or '.join(self.tables)}.{self.column}"


def imputed_cells(result: Result, known: Collection[str]) -> list[Cells]:
    """The imputed cells of an answer, ordered by table and column.

    Args:
        result: the answer.
        known: names of the database's tables, as they are to be shown.
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
    """The imputed columns of a plan: name in the report, base table, and name in that table."""
    tables = {scan.alias: scan.table for scan in scans(plan)}
    imputes = (node for node in bottom_up(plan) if isinstance(node, Impute))
    return [(str(one), tables[one.relation], one.name) for node in imputes for one in node.columns]
