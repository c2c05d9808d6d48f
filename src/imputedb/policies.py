"""Imputation policies as users state and read them."""

from collections.abc import Mapping

from imputedb.algebra.relation import Table
from imputedb.engines import declarations
from imputedb.engines.duckdb import DuckDB
from imputedb.errors import DataError
from imputedb.imputers.registry import chosen
from imputedb.sql.statements import PolicyStatement
from imputedb.statistics.policy import DEFAULT, Policy


def follow(engine: DuckDB, statement: PolicyStatement) -> list[tuple[str, str, str]]:
    """Does what a statement says; the policies that SHOW asks for, or that were made.

    Raises:
        UnknownName: a table, column or imputer is not there.
        DataError: ALTER of one that is not there.
        QueryError: DuckDB rejects a condition.
    """
    if statement.verb == "show":
        return listed(engine, statement.table)
    assert statement.table is not None
    table = engine.tables.named(statement.table)
    if statement.verb == "drop":
        for column in statement.columns or list(engine.shapes()[table].policies):
            declarations.decide(engine, table, column, None)
        return []
    for column in statement.columns:
        known = {name.lower(): policy for name, policy in engine.shapes()[table].policies.items()}.get(column.lower())
        if statement.verb == "alter" and known is None:
            raise DataError(f"{table.name}.{column} has no imputation policy to alter: create one")
        decide(engine, table, column, (known or DEFAULT) if statement.verb == "alter" else DEFAULT, statement.options)
    return listed(engine, statement.table)


def decide(engine: DuckDB, table: Table, column: str, policy: Policy, options: Mapping[str, object]) -> None:
    """Sets a column's policy to a given one with some options set anew."""
    changed = policy.changed(options)
    if changed.action != "structural":
        changed = changed.changed({"when": None})
    elif changed.when is None:
        raise DataError("structural needs a condition: where is the value not applicable?")
    if changed.imputer is not None:
        chosen(changed.imputer)
    declarations.decide(engine, table, column, changed)


def listed(engine: DuckDB, table: str | None = None) -> list[tuple[str, str, str]]:
    """Table, column and policy, of one table or of all."""
    tables = [engine.tables.named(table)] if table else list(engine.shapes())
    shapes = engine.shapes()
    return [
        (found.name, column, str(policy))
        for found in tables
        for column, policy in sorted(shapes[found].policies.items())
    ]
