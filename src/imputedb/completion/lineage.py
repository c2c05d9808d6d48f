"""Policies and declared missing values that the columns of a SELECT inherit from the table that it reads."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from imputedb import duckdb_errors
from imputedb.algebra.relation import Table
from imputedb.engines.engine import Engine
from imputedb.engines.entries import Shape
from imputedb.errors import DataError, QueryError
from imputedb.sql import ast as t
from imputedb.sql import parse
from imputedb.sql.ast import Tree
from imputedb.sql.expression import is_star, names_of, renames
from imputedb.sql.select import is_plain, outputs_of
from imputedb.statistics.policy import Policy


@dataclass(frozen=True, slots=True)
class Lineage:
    """Policies and declared missing values by output column."""

    policies: Mapping[str, Policy]
    missing: Mapping[str, tuple[str, ...]]


def inherited(engine: Engine, query: str) -> Lineage:
    """The policies and declared missing values of the columns of a query.

    A SELECT of columns from one table passes them on, under the names of its outputs. For other queries their meaning
    is undefined. A measure only describes the type, and is not passed on.

    Raises:
        DataError: the query has another form, and reads columns with policies or declared values.
    """
    tables = _mentioned(engine, query)
    shapes = {table: engine.shape(table) for table in tables}
    declared = [table for table, shape in shapes.items() if shape.policies or shape.missing]
    if not declared:
        return Lineage({}, {})
    binding = [
        table for table in declared if shapes[table].missing or any(map(_decides, shapes[table].policies.values()))
    ]
    try:
        node = engine.tree(query)
    except QueryError:
        node = {}
    if len(tables) > 1 or not is_plain(node):
        if not binding:
            return Lineage({}, {})
        raise DataError(
            f"policies or declared values of {binding[0].name} cannot be followed through this SELECT: take plain "
            "columns of that one table, or name the table itself"
        )
    return _Reading(engine, declared[0], shapes[declared[0]], node).lineage()


def _decides(policy: Policy) -> bool:
    return policy.decides


def _mentioned(engine: Engine, query: str) -> list[Table]:
    try:
        names = engine.tables_in(query)
    except duckdb_errors.Refused:
        return []  # an error of the query is raised where it runs
    found: list[Table] = []
    for name in sorted(names):
        meant = engine.found(name)
        if isinstance(meant, Table):
            found.append(meant)
        elif meant is not None:
            found += _behind(engine, meant.path)
    return found


def _behind(engine: Engine, path: Sequence[str]) -> list[Table]:
    """The base tables that a view reads."""
    text = "SELECT sql FROM duckdb_views() WHERE view_name = ? AND schema_name = ? AND database_name = ?"
    rows = engine.fetched(text, [path[-1], path[-2], path[-3]]) if len(path) > 2 else []
    query = rows[0][0].partition(" AS ")[2] if rows else ""
    return _mentioned(engine, query) if query else []


@dataclass(frozen=True, slots=True)
class _Reading:
    engine: Engine
    table: Table
    shape: Shape
    node: Tree

    def lineage(self) -> Lineage:
        reads = self._outputs()
        coded = set(self.shape.missing)
        others = [part for key, part in self.node.items() if key not in ("select_list", "from_table")]
        if touched := sorted(self._names(others) & coded):
            raise DataError(
                f"values of {self.table.name}.{touched[0]} are declared missing: it cannot be a condition here"
            )
        own = {output: next(iter(names)) for output, (names, bare) in reads.items() if bare}
        for output, (names, bare) in reads.items():
            if not bare and (touched := sorted(names & (coded | self._bound))):
                raise DataError(
                    f"{output} is computed from {self.table.name}.{touched[0]}, of which something is said "
                    "about missing values: select that column as it is"
                )
        policies = {
            output: self._carried(self.shape.policies[name], name, own, {o: names for o, (names, _) in reads.items()})
            for output, name in own.items()
            if name in self.shape.policies
        }
        return Lineage(policies, {o: self.shape.missing[name] for o, name in own.items() if name in coded})

    @property
    def _bound(self) -> set[str]:
        """The columns with policies that decide more than the measure."""
        return {name for name, policy in self.shape.policies.items() if policy.decides}

    def _outputs(self) -> dict[str, tuple[set[str], bool]]:
        """By output: the columns that it reads, and whether it is an unchanged column."""
        names, _ = self.engine.described(self.engine.text(self.node))
        found: dict[str, tuple[set[str], bool]] = {}
        items = outputs_of(self.node)
        if any(map(is_star, items)):
            if len(items) > 1 or renames(items[0]):
                raise DataError(
                    "a star with other columns, or with REPLACE, is not supported here: list the columns of the SELECT"
                )
            return {name: ({name}, True) for name in names}
        for name, item in zip(names, items, strict=True):
            found[name] = (self._names(item), t.is_reference(item))
        return found

    def _names(self, tree: Any) -> set[str]:
        """The table's columns that expressions read."""
        known = {name.lower(): name for name in self.shape.types}
        if isinstance(tree, list | tuple):
            return set().union(*map(self._names, tree)) if tree else set()
        if not isinstance(tree, dict):
            return set()
        if names_of(tree):
            last = names_of(tree)[-1].lower()
            return {known[last]} if last in known else set()
        return set().union(*map(self._names, tree.values())) if tree else set()

    def _carried(self, policy: Policy, name: str, own: Mapping[str, str], reads: Mapping[str, set[str]]) -> Policy:
        """The policy of a column with the names of the outputs."""
        outputs = {column: output for output, column in own.items()}
        for text, how in ((policy.when, "structural by"), (policy.derived, "derived from")):
            needed = self._names(parse.expression(self.engine.tree, text)) if text else ()
            lost = sorted(column for column in needed if outputs.get(column) != column)
            if lost:
                raise DataError(f"{self.table.name}.{name} is {how} {lost[0]}: select that column too, as it is")
        if policy.before and policy.before not in outputs:
            raise DataError(
                f"{self.table.name}.{name} is predicted from before {policy.before}: select that column too"
            )
        for other in (*policy.partition, *((policy.order,) if policy.order else ())):
            if other not in outputs:
                raise DataError(
                    f"{self.table.name}.{name} is filled in in the order of {other}: select that column too"
                )
        if policy.cluster and policy.cluster not in outputs:
            raise DataError(f"{self.table.name}.{name} has clusters by {policy.cluster}: select that column too")
        if policy.weight and policy.weight not in outputs:
            raise DataError(f"{self.table.name}.{name} is weighted by {policy.weight}: select that column too")
        barred = [o for o, names in reads.items() if own.get(o) != name and not all(map(policy.predicts, names))]
        return replace(
            policy,
            predictors=(),
            exclude=tuple(sorted(barred)) if policy.chooses_predictors else (),
            before=policy.before and outputs[policy.before],
            weight=policy.weight and outputs[policy.weight],
            partition=tuple(outputs[one] for one in policy.partition),
            order=policy.order and outputs[policy.order],
            cluster=policy.cluster and outputs[policy.cluster],
        )
