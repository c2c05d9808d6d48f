"""What users say about columns, checked against what the columns can hold."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import duckdb

from imputedb.algebra.relation import Table
from imputedb.engines import profile
from imputedb.engines.engine import Shape
from imputedb.errors import DataError, UnknownName
from imputedb.sql import parse
from imputedb.sql import tree as t
from imputedb.sql.tree import Tree
from imputedb.statistics.policy import Policy
from imputedb.statistics.statistics import Kind

if TYPE_CHECKING:
    from imputedb.engines.duckdb import DuckDB


def declare(engine: DuckDB, table: Table, column: str, values: Sequence[object]) -> None:
    """Declares values of a column to mean a missing one.

    Raises:
        UnknownName: the table has no such column.
        DataError: a value is none that the column can hold.
    """
    name = _own_name(engine, table, column)
    for value in values:
        _check_value(engine, table, name, value)
    with engine.lock:
        engine.store.declare(table, name, [str(value) for value in values])
        engine.session.changed()


def decide(engine: DuckDB, table: Table, column: str, policy: Policy | None) -> None:
    """Keeps what is said about a column; forgets it with None.

    Raises:
        UnknownName: the table has no such column.
        QueryError: a condition that DuckDB rejects.
        DataError: a bound or a value that the column cannot hold.
    """
    name = _own_name(engine, table, column)
    if policy is not None:
        _check(engine, table, name, policy)
        policy = replace(
            policy,
            predictors=tuple(_own_name(engine, table, other) for other in policy.predictors),
            exclude=tuple(_own_name(engine, table, other) for other in policy.exclude),
            before=policy.before and _own_name(engine, table, policy.before),
        )
    with engine.lock:
        engine.store.decide(table, name, policy)
        engine.session.changed()


def meaning(connection: duckdb.DuckDBPyConnection, shape: Shape, column: str, alias: str) -> Tree | None:
    """The condition, bound, under which a NULL of a column means something of its own; None where it never does."""
    said = shape.policies.get(column)
    if said is None or said.action not in ("keep", "structural"):
        return None
    if said.when is None:
        return t.literal(True)
    names = {name.lower(): name for name in shape.types}
    condition = parse.parse(connection, f"SELECT ({said.when})")["select_list"][0]

    def bound(node: Tree) -> Tree | None:
        if not t.is_reference(node):
            return None
        own = [names[part.lower()] for part in node["column_names"] if part.lower() in names]
        return {**t.reference(alias, own[0]), "stored": True} if own else None

    return t.coalesce(t.rewrite(condition, bound), t.literal(False))


def _own_name(engine: DuckDB, table: Table, column: str) -> str:
    types = engine.tables.shape(table).types
    name = next((known for known in types if known.lower() == column.lower()), None)
    if name is None:
        raise UnknownName(f"no column {column!r} in {table.name}; there are {', '.join(types)}")
    return name


def _check(engine: DuckDB, table: Table, column: str, said: Policy) -> None:
    if said.when is not None:
        condition = parse.parse(engine.connection, f"SELECT CAST(({said.when}) AS BOOLEAN)")
        parse.shape(engine.connection, engine.text({**condition, "from_table": t.table(table.path, "t")}))
    kind = engine.tables.shape(table).types[column]
    ordered = profile.kind_of(kind) in (Kind.INTEGER, Kind.NUMBER)
    if (said.low is not None or said.high is not None) and not ordered:
        raise DataError(f"a range is for numbers; {table.name}.{column} is {kind}")
    for value in said.values:
        _check_value(engine, table, column, value)


def _check_value(engine: DuckDB, table: Table, column: str, value: object) -> None:
    kind = engine.tables.shape(table).types[column]
    tried = t.try_cast(t.literal(str(value)), engine.texts.type_tree(kind))
    if engine.rows(t.select([tried], None))[0][0] is None:
        raise DataError(f"{value!r} is no value of {table.name}.{column}, which is {kind}")
