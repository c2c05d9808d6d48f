"""SQL texts of policies: conditions and DERIVED AS expressions, checked, run, and named in errors."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import duckdb

from imputedb.algebra.relation import Table
from imputedb.duckdb_errors import reason, translated
from imputedb.engines.duckdb import derived, profile
from imputedb.engines.duckdb.session import Session
from imputedb.engines.entries import Shape
from imputedb.errors import DataError, QueryError
from imputedb.sql import ast as t
from imputedb.sql import parse
from imputedb.sql.ast import Tree
from imputedb.sql.expression import function_of, kind_of, names_of
from imputedb.sql.paths import quoted
from imputedb.statistics.table import Kind

if TYPE_CHECKING:
    from imputedb.engines.duckdb.engine import DuckDB


def by_own_names(engine: DuckDB, table: Table, text: str) -> str:
    """A policy's text with columns unqualified, so that it survives a renaming of the table."""
    names = {name.lower() for name in engine.tables.shape(table).types}
    path = [part.lower() for part in table.path]
    one = parse.expression(engine.tree, text)

    def bare(node: Tree) -> Tree | None:
        parts = names_of(node)
        for place in range(1, len(parts)):
            if [part.lower() for part in parts[:place]] == path[-place:] and parts[place].lower() in names:
                return {**node, "column_names": parts[place:]}
        return None

    found = t.rewrite(one, bare)
    return text if found == one else parse.expression_texts(engine.connection, [found])[0]


def check_condition(engine: DuckDB, table: Table, when: str) -> None:
    """Refuses a condition that is not a repeatable boolean expression over one row."""
    types = _types_of(engine, table, when, "condition")
    if types != ["BOOLEAN"]:
        raise QueryError(f"a policy's condition is true or false; {when!r} is {', '.join(types)}")


def check_derived(engine: DuckDB, table: Table, column: str, text: str) -> None:
    """Refuses an expression that cannot be computed row by row, or has an unsuitable type for the column."""
    shape = engine.tables.shape(table)
    kind = shape.types[column]
    if profile.kind_of(kind) is Kind.OPAQUE:
        raise DataError(f"{table.name}.{column} is {kind}, a type that is not imputed: it cannot be derived")
    (found,) = _types_of(engine, table, text, "expression")
    if profile.kind_of(found) is not profile.kind_of(kind) and {profile.kind_of(found), profile.kind_of(kind)} != {
        Kind.INTEGER,
        Kind.NUMBER,
    }:
        raise DataError(f"{text!r} is {found}, and {table.name}.{column} is {kind}")
    derived.check(shape, table, column, text)


def _types_of(engine: DuckDB, table: Table, text: str, what: str) -> list[str]:
    """The types of a policy's expression, after a check that it depends on one row only and is repeatable."""
    one = parse.expression(engine.tree, text)
    for tree in t.expressions(one):
        name = function_of(tree)
        if kind_of(tree) in ("SUBQUERY", "WINDOW", "STAR", "PARAMETER"):
            raise QueryError(f"a policy's {what} is about one row; {text!r} holds a {kind_of(tree).lower()}")
        if name in engine.functions.aggregates or name in ("unnest", "unlist"):
            raise QueryError(f"a policy's {what} is about one row; {text!r} calls {name}")
        if name and _is_volatile(engine, name):
            raise QueryError(f"a policy's {what} must give the same result every time; {text!r} calls {name}")
    written = engine.text(t.select([one], t.table(table.path, "")))
    if engine.session.in_transaction:  # an error would abort it
        parse.check(engine.connection, written)
    found = parse.shape(engine.connection, written)[1]
    if not engine.session.in_transaction:
        _run(engine.session, table, text)
    return found


def _run(session: Session, table: Table, text: str) -> None:
    """Evaluates a policy's expression on every row, which may fail although DuckDB has bound it."""
    try:
        session.rows(f"SELECT count(one) FROM (SELECT ({text}) AS one FROM {quoted(table.path)})")
    except duckdb.Error as error:
        raise translated(error) from error


@contextmanager
def blaming_policy(session: Session, table: Table, shape: Shape) -> Iterator[None]:
    """A block in which errors of a statement over a table name the policy that causes them.

    Raises:
        QueryError: a policy's expression does not run over the present rows.
    """
    try:
        yield
    except duckdb.Error as error:
        texts = {column: text for column, policy in shape.policies.items() for text in policy.texts if text}
        for column, text in texts.items():
            if why := _failure(session, table, text, error):
                raise policy_error(table, column, text, why) from error
        raise


def policy_error(table: Table, column: str, text: str, why: str) -> QueryError:
    """The error for a policy whose text no longer runs over its table."""
    cause = why.partition("\n")[0].rstrip(".")
    return QueryError(
        f"the policy on {table.name}({column}) does not run any more: ({text}): {cause}; {advice(table, column)}"
    )


def advice(table: Table, column: str) -> str:
    """Advice on a policy that no longer suits its table."""
    return f"DROP IMPUTATION POLICY ON {table.name}({column}), or state it anew"


def _failure(session: Session, table: Table, text: str, error: duckdb.Error) -> str:
    """The reason why a policy's expression fails; empty where it does not.

    Nothing can be run in a transaction that has failed. The given error is then the reason.
    """
    if session.in_transaction:
        return reason(str(error)).partition("\n")[0]
    try:
        _run(session, table, text)
    except (QueryError, DataError) as own:
        return str(own).partition("\n")[0]
    return ""


def _is_volatile(engine: DuckDB, name: str) -> bool:
    text = "SELECT count(*) FROM duckdb_functions() WHERE lower(function_name) = ? AND stability = 'VOLATILE'"
    return bool(engine.session.rows(text, [name])[0][0])
