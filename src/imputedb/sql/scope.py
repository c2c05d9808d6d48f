"""The tables of a FROM clause, and what a name means among them."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from imputedb.algebra.column import Column
from imputedb.algebra.relation import Scan, Table
from imputedb.errors import Unplanned
from imputedb.sql.tree import Tree, all_of, reference

Shapes = Mapping[Table, Sequence[str]]
"""The column names of every table, in order."""


@dataclass(slots=True)
class Scope:
    """The sources of a block in the order of FROM, with the conditions its joins state."""

    shapes: Shapes
    sources: dict[str, Scan] = field(default_factory=dict)
    conditions: list[Tree] = field(default_factory=list)
    merged: dict[str, Column] = field(default_factory=dict)
    hidden: set[Column] = field(default_factory=set)

    def columns(self, alias: str) -> Iterator[Column]:
        """The columns of a source, in order."""
        for name in self.shapes[self.sources[alias].table]:
            yield Column(alias, name)

    def everything(self) -> Iterator[Column]:
        """What `*` stands for: every column, those that USING or NATURAL merged only once."""
        for alias in self.sources:
            for column in self.columns(alias):
                if column not in self.hidden:
                    yield column

    def resolve(self, path: Sequence[str]) -> tuple[Column, list[str]] | None:
        """The column a reference means with the struct fields behind it; None where it is no column."""
        for start in range(len(path) - 1):
            alias = self._alias(path[start])
            column = alias and self._column(alias, path[start + 1])
            if column:
                return column, list(path[start + 2 :])
        column = self._unqualified(path[0])
        return (column, list(path[1:])) if column else None

    def _unqualified(self, name: str) -> Column | None:
        if name.lower() in self.merged:
            return self.merged[name.lower()]
        return next((c for alias in self.sources if (c := self._column(alias, name))), None)

    def _alias(self, name: str) -> str | None:
        return next((alias for alias in self.sources if alias.lower() == name.lower()), None)

    def _column(self, alias: str, name: str) -> Column | None:
        return next((c for c in self.columns(alias) if c.name.lower() == name.lower()), None)

    def is_source(self, name: str) -> bool:
        """Whether a name is that of a source, which as an expression means its whole row."""
        return self._alias(name) is not None


def scope_of(from_table: Tree, shapes: Shapes, tables: Mapping[str, Table]) -> Scope:
    """The scope of a FROM clause of base tables and inner joins.

    Args:
        from_table: DuckDB's tree of the clause.
        shapes: the columns of every table.
        tables: tables by lower-case name, bare and qualified.

    Raises:
        Unplanned: the clause holds something else, which the message names.
    """
    scope = Scope(shapes)
    _add(scope, from_table, tables)
    return scope


def _add(scope: Scope, node: Tree, tables: Mapping[str, Table]) -> None:
    match node["type"]:
        case "BASE_TABLE":
            _add_table(scope, node, tables)
        case "JOIN":
            _add_join(scope, node, tables)
        case kind:
            raise Unplanned(f"{_NAMES.get(kind, kind)} over missing values is not planned yet")


_NAMES = {
    "SUBQUERY": "a derived table",
    "TABLE_FUNCTION": "a table function in FROM",
    "EXPRESSION_LIST": "VALUES in FROM",
    "PIVOT": "PIVOT",
    "EMPTY": "SELECT without FROM",
    "COLUMN_DATA": "VALUES in FROM",
}


def _add_table(scope: Scope, node: Tree, tables: Mapping[str, Table]) -> None:
    path = [part for part in node["qualified_name"]["path"] if part]
    table = tables.get(".".join(path).lower())
    if table is None:
        raise Unplanned(
            f"{'.'.join(path)} is not a base table (a view, a file, a frame): load it as a table to plan it"
        )
    alias = node["alias"] or path[-1]
    if node["column_name_alias"] or node["sample"] or node["at_clause"]:
        raise Unplanned(f"column aliases, samples and AT on {alias} are not planned yet")
    if alias.lower() in (known.lower() for known in scope.sources):
        raise Unplanned(f"the same alias twice: {alias}")
    scope.sources[alias] = Scan(table, alias)


def _add_join(scope: Scope, node: Tree, tables: Mapping[str, Table]) -> None:
    if node["join_type"] != "INNER" or node["ref_type"] not in ("CROSS", "REGULAR", "NATURAL"):
        kind = node["join_type"] if node["join_type"] != "INNER" else node["ref_type"]
        raise Unplanned(f"{kind} JOIN over missing values is not planned yet")
    if node.get("ranking_expression"):
        raise Unplanned("NEAREST JOIN over missing values is not planned yet")
    _add(scope, node["left"], tables)
    left = list(scope.sources)
    _add(scope, node["right"], tables)
    right = [alias for alias in scope.sources if alias not in left]
    if node["condition"] is not None:
        scope.conditions.append(node["condition"])
    for name in node["using_columns"] or (_shared(scope, left, right) if node["ref_type"] == "NATURAL" else ()):
        _merge(scope, name, left, right)


def _shared(scope: Scope, left: list[str], right: list[str]) -> list[str]:
    names = {column.name.lower() for alias in right for column in scope.columns(alias)}
    return [c.name for alias in left for c in scope.columns(alias) if c.name.lower() in names]


def _merge(scope: Scope, name: str, left: list[str], right: list[str]) -> None:
    first = scope.merged.get(name.lower()) or _find(scope, name, left)
    second = _find(scope, name, right)
    equal = {
        "class": "COMPARISON",
        "type": "COMPARE_EQUAL",
        "alias": "",
        "left": reference(first.relation, first.name),
        "right": reference(second.relation, second.name),
    }
    scope.conditions.append(equal)
    scope.merged[name.lower()] = first
    scope.hidden.add(second)


def _find(scope: Scope, name: str, among: list[str]) -> Column:
    return next(c for alias in among for c in scope.columns(alias) if c.name.lower() == name.lower())


def where(scope: Scope, clause: Tree | None) -> Tree | None:
    """WHERE together with the conditions of the joins."""
    return all_of([*scope.conditions, *([clause] if clause else [])])
