"""Declarations about columns, checked against what the columns can hold."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import duckdb

from imputedb.algebra.relation import Table
from imputedb.engines.duckdb import policy_texts, profile
from imputedb.engines.entries import Shape
from imputedb.errors import DataError, QueryError, UnknownName
from imputedb.notes import Note, NoteKind, forgotten
from imputedb.sql import ast as t
from imputedb.sql import parse
from imputedb.sql.ast import Tree
from imputedb.sql.expression import names_of
from imputedb.statistics import measure
from imputedb.statistics.policy import Policy, as_text, number
from imputedb.statistics.table import Kind

if TYPE_CHECKING:
    from imputedb.engines.duckdb.engine import DuckDB


def declare(engine: DuckDB, table: Table, column: str, values: Sequence[object]) -> None:
    """Declares values of a column to mean a missing one.

    Raises:
        UnknownName: the table has no such column.
        DataError: the column cannot hold a value.
    """
    with engine.lock, engine.session.writes.writing(), engine.session.transaction():
        name = checked_codes(engine, table, column, values)
        engine.store.declare(table, name, list(dict.fromkeys(map(as_text, values))))
        engine.session.writes.record_definition()


def checked_codes(engine: DuckDB, table: Table, column: str, values: Sequence[object]) -> str:
    """A column's name in the table's spelling, after a check that it can hold values which are to mean a missing one.

    Raises:
        UnknownName: the table has no such column.
        DataError: the column cannot hold a value.
    """
    name = own_name(engine, table, column)
    for value in values:
        _check_value(engine, table, name, value)
    return name


def decide(engine: DuckDB, table: Table, column: str, policy: Policy | None) -> None:
    """Stores the policy of a column; removes it with None.

    Raises:
        UnknownName: the table has no such column.
        QueryError: DuckDB rejects a condition.
        DataError: the column cannot hold a bound or a value.
    """
    with engine.lock, engine.session.writes.writing(), engine.session.transaction():
        name = own_name(engine, table, column)
        engine.store.decide(table, name, policy and checked(engine, table, name, policy))
        engine.session.writes.record_definition()


def checked(engine: DuckDB, table: Table, column: str, policy: Policy) -> Policy:
    """A policy with columns in the table's spelling, after a check that it suits its column.

    Raises:
        UnknownName: the table has no such column.
        QueryError: DuckDB rejects a condition.
        DataError: the column cannot hold a bound or a value.
    """
    policy = replace(
        policy,
        when=policy.when and policy_texts.by_own_names(engine, table, policy.when),
        derived=policy.derived and policy_texts.by_own_names(engine, table, policy.derived),
    )
    _check(engine, table, column, policy)
    return replace(
        policy,
        predictors=tuple(own_name(engine, table, other) for other in policy.predictors),
        exclude=tuple(own_name(engine, table, other) for other in policy.exclude),
        before=policy.before and own_name(engine, table, policy.before),
        weight=policy.weight and own_name(engine, table, policy.weight),
        partition=tuple(own_name(engine, table, other) for other in policy.partition),
        order=policy.order and own_name(engine, table, policy.order),
        cluster=policy.cluster and own_name(engine, table, policy.cluster),
    )


def check_suits(table: Table, shape: Shape) -> None:
    """Raises an error for a policy that no longer suits the table, which was altered outside of imputedb.

    Raises:
        QueryError: there is such a policy; the message names it, and says what to do.
    """
    for column, policy in shape.policies.items():
        type_name = shape.types[column]
        kind, place = profile.kind_of(type_name), f"{table.name}.{column}"
        missing = [name for name in policy.columns if name not in shape.types]
        try:
            measure.check(place, type_name, kind, policy)
            if (policy.low is not None or policy.high is not None) and not measure.levels_of(type_name):
                _check_range(place, type_name, kind, policy)
            for value in policy.values if kind in _ORDERED else ():
                number(value, kind)
            why = f"{', '.join(missing)} is not there" if missing else _unsuited(shape, policy)
            if not why:
                continue
        except DataError as error:
            why = str(error)
        except (ValueError, TypeError):
            why = f"its values are not values of {place}, which is {type_name}"
        raise QueryError(
            f"the policy on {table.name}({column}), {policy}, does not suit {table.name} any more: {why}; "
            f"{policy_texts.advice(table, column)}"
        )


def _unsuited(shape: Shape, policy: Policy) -> str:
    """The columns of a policy whose types do not suit it, as text; empty where all do."""
    clocks = [name for name in (policy.before, policy.order) if name]
    wrong = [name for name in clocks if profile.kind_of(shape.types[name]) not in _ORDERED]
    wrong += [name for name in [policy.weight] if name and profile.kind_of(shape.types[name]) not in _NUMBERS]
    return ", ".join(f"{name} is {shape.types[name]}" for name in wrong)


def forget(engine: DuckDB, table: Table, column: str) -> None:
    """Removes the policy of a column, whether or not the table still has the column."""
    with engine.lock, engine.session.writes.writing():
        for name in [known for known in engine.store.policies(table) if known.lower() == column.lower()]:
            engine.store.decide(table, name, None)
        engine.session.writes.record_definition()


def prune(engine: DuckDB, table: Table, *, replaced: bool = True) -> None:
    """Removes declarations about columns that the table no longer has, or that no longer suit them.

    Notes in the session's remarks name what is removed and, for a table that replaces another, what is kept.
    """
    with engine.session.writes.writing():
        kept, missing = _pruned(engine, table)
    if kept and replaced:
        words = f"{table.name} is replaced, and keeps the policies and declared values of {', '.join(sorted(kept))}"
        engine.session.remarks.append(Note(NoteKind.REPLACED, table.name, words))
    engine.session.remarks += [forgotten(table.name, column, why) for column, why in sorted(missing.items())]


def _pruned(engine: DuckDB, table: Table) -> tuple[set[str], dict[str, str]]:
    """The columns that keep declarations, and by column the reasons why declarations are removed."""
    types, kept, missing = engine.tables.shape(table).types, set[str](), dict[str, str]()
    for column, policy in list(engine.store.policies(table).items()):
        try:
            decide(engine, table, column, policy)
            kept.add(column)
        except (DataError, QueryError) as error:
            engine.store.decide(table, column, None)
            missing[column] = str(error).partition("\n")[0]
    for column, codes in list(engine.store.missing(table).items()):
        if codes and (column not in types or not all(_holds(engine, types[column], code) for code in codes)):
            engine.store.declare(table, column, ())
            missing.setdefault(column, f"it cannot hold {', '.join(codes)}" if column in types else "it is not there")
        elif codes:
            kept.add(column)
    return kept, missing


def meaning(connection: duckdb.DuckDBPyConnection, shape: Shape, column: str, alias: str) -> Tree | None:
    """The condition, bound, under which a NULL of a column is not a missing value; None where it always is one."""
    policy = shape.policies.get(column)
    if policy is None or policy.action not in ("keep", "structural"):
        return None
    if policy.when is None:
        return t.literal(True)
    names = {name.lower(): name for name in shape.types}
    condition = parse.expression(partial(parse.parse, connection), policy.when)

    def bound(node: Tree) -> Tree | None:
        if not t.is_reference(node):
            return None
        first, *fields = names_of(node)
        own = names.get(first.lower())
        return {**t.reference(alias, own, *fields), "stored": True} if own else None

    return t.coalesce(t.rewrite(condition, bound), t.literal(False))


def own_name(engine: DuckDB, table: Table, column: str) -> str:
    """A column's name in the spelling of its table.

    Raises:
        UnknownName: the table has no such column.
    """
    types = engine.tables.shape(table).types
    name = next((known for known in types if known.lower() == column.lower()), None)
    if name is None:
        raise UnknownName(f"no column {column!r} in {table.name}; there are {', '.join(types)}")
    return name


def _check(engine: DuckDB, table: Table, column: str, policy: Policy) -> None:
    if policy.when is not None:
        policy_texts.check_condition(engine, table, policy.when)
    if policy.derived is not None:
        policy_texts.check_derived(engine, table, column, policy.derived)
    type_name = engine.tables.shape(table).types[column]
    kind, place = profile.kind_of(type_name), f"{table.name}.{column}"
    measure.check(place, type_name, kind, policy)
    if (policy.low is not None or policy.high is not None) and not measure.levels_of(type_name):
        _check_range(place, type_name, kind, policy)
    for value in policy.values:
        _check_value(engine, table, column, value)
    numbers = [number(value, kind) for value in policy.values] if kind in _ORDERED else []
    low, high = _ends(kind, policy) if numbers else (0.0, 0.0)
    if numbers and not any(low <= one <= high for one in numbers):
        raise DataError(f"none of the values of {place} is in its range")
    _check_predictors(engine, table, column, policy)
    if policy.order is not None:
        _check_series(engine, table, column, policy)
    if policy.cluster is not None:
        _check_cluster(engine, table, column, policy.cluster)
    if policy.weight is not None:
        _check_weight(engine, table, column, policy.weight)


def _check_predictors(engine: DuckDB, table: Table, column: str, policy: Policy) -> None:
    """Refuses predictors that include the column itself, and a BEFORE column that does not order rows."""
    place = f"{table.name}.{column}"
    if any(own_name(engine, table, other) == column for other in policy.predictors):
        raise DataError(f"{place} cannot be predicted from itself: PREDICTORS must name other columns")
    if policy.before is None:
        return
    clock = own_name(engine, table, policy.before)
    if profile.kind_of(engine.tables.shape(table).types[clock]) not in _ORDERED:
        raise DataError(f"{table.name}.{clock} does not put rows in order: BEFORE needs numbers, dates or timestamps")
    if clock == column:
        raise DataError(
            f"{place} cannot be predicted from rows that it is missing in the order of: BEFORE must name another column"
        )


def _check_weight(engine: DuckDB, table: Table, column: str, weight: str) -> None:
    """Refuses weights that are missing, negative, infinite or all zero."""
    name = own_name(engine, table, weight)
    place, kind = f"{table.name}.{name}", engine.tables.shape(table).types[name]
    if name == column:
        raise DataError(f"{place} cannot be its own weight")
    if profile.kind_of(kind) not in _NUMBERS:
        raise DataError(f"{place} is {kind}: weights are numbers")
    value = engine.reading(table, name, "t")
    endless = t.call("isinf", t.cast(value, t.plain_type("DOUBLE")))
    wrong = t.any_of([t.is_missing(value), t.compared("COMPARE_LESSTHAN", value, t.number(0)), endless])
    counts = [t.call("count_star", where=wrong), t.coalesce(t.call("max", value), t.number(1))]
    rows, largest = engine.rows(t.select(counts, engine.source(table, "t")))[0]
    if rows:
        raise DataError(
            f"{place} is NULL, negative or infinite in {rows} rows: a weight "
            f"is the number of rows that a row stands for"
        )
    if float(str(largest)) <= 0:
        raise DataError(f"{place} is 0 in every row, so that no row has weight: use another column")


def _check_series(engine: DuckDB, table: Table, column: str, policy: Policy) -> None:
    """Refuses groups with missing values, and an ORDER BY column that does not order rows."""
    types = engine.tables.shape(table).types
    clock = own_name(engine, table, str(policy.order))
    groups = [own_name(engine, table, one) for one in policy.partition]
    if column in (clock, *groups):
        raise DataError(
            f"{table.name}.{column} cannot be imputed in an order or in groups of its own values: name other columns"
        )
    if profile.kind_of(types[clock]) not in _ORDERED:
        raise DataError(f"{table.name}.{clock} does not put rows in order: ORDER BY needs numbers, dates or timestamps")
    for name in groups:
        if profile.kind_of(types[name]) is Kind.OPAQUE:
            raise DataError(f"{table.name}.{name} is {types[name]}, which cannot define groups")
        missing = t.call("count_star", where=t.is_missing(engine.reading(table, name, "t")))
        ((rows,),) = engine.rows(t.select([missing], engine.source(table, "t")))
        if rows:
            raise DataError(
                f"{table.name}.{name} is missing in {rows} rows, of which nobody knows the group: "
                "PARTITION BY a column that is complete"
            )


def _check_cluster(engine: DuckDB, table: Table, column: str, cluster: str) -> None:
    """Refuses clusters with missing values, and those that are all one or one for each row."""
    name = own_name(engine, table, cluster)
    place, kind = f"{table.name}.{name}", engine.tables.shape(table).types[name]
    if name == column or profile.kind_of(kind) is Kind.OPAQUE:
        raise DataError(f"{place}, which is {kind}, cannot define clusters of the rows of {table.name}.{column}")
    value = engine.reading(table, name, "t")
    distinct = {**t.call("count", value), "distinct": True}
    absent = t.call("count_star", where=t.is_missing(value))
    node = t.select([t.call("count_star"), absent, distinct], engine.source(table, "t"))
    rows, missing, clusters = (int(str(one)) for one in engine.rows(node)[0])
    if missing:
        raise DataError(f"{place} is missing in {missing} rows, whose clusters are unknown: use a complete column")
    if rows > 1 and clusters < 2:
        raise DataError(f"all rows are of one cluster by {place}: variation between clusters cannot be estimated")
    if rows > 1 and clusters == rows:
        raise DataError(
            f"each row is a cluster of its own by {place}: use a column with values that several rows share"
        )


_NUMBERS = (Kind.INTEGER, Kind.NUMBER)
_ORDERED = (*_NUMBERS, Kind.DATE, Kind.TIMESTAMP)


def _ends(kind: Kind, policy: Policy) -> tuple[float, float]:
    low = -math.inf if policy.low is None else number(policy.low, kind)
    high = math.inf if policy.high is None else number(policy.high, kind)
    return (math.ceil(low), math.floor(high)) if kind is Kind.INTEGER and math.isfinite(low + high) else (low, high)


def _check_range(place: str, type_name: str, kind: Kind, policy: Policy) -> None:
    if kind not in _ORDERED:
        raise DataError(f"a range is for numbers, dates and timestamps; {place} is {type_name}")
    for end in (policy.low, policy.high):
        try:
            fits = end is None or not math.isnan(number(end, kind))
        except (ValueError, TypeError):
            fits = False
        if not fits or (kind in (Kind.DATE, Kind.TIMESTAMP) and isinstance(end, int | float)):
            raise DataError(f"{end!r} is not a bound for {place}, which is {type_name}")
    low, high = _ends(kind, policy)
    if low > high:
        ends = f"from {policy.low} to {policy.high}"
        raise DataError(f"no value of {place} is in the range {ends}: give the lower end first")


def _check_value(engine: DuckDB, table: Table, column: str, value: object) -> None:
    kind = engine.tables.shape(table).types[column]
    text = as_text(value)
    tried = t.try_cast(t.literal(text), engine.texts.type_tree(kind))
    found = engine.rows(t.select([t.cast(tried, t.plain_type("VARCHAR"))], None))[0][0]
    if found is None or (profile.kind_of(kind) is Kind.INTEGER and float(text) != float(str(found))):
        raise DataError(f"{value!r} is not a value of {table.name}.{column}, which is {kind}")


def _holds(engine: DuckDB, type_name: str, value: str) -> bool:
    tried = t.try_cast(t.literal(value), engine.texts.type_tree(type_name))
    return engine.rows(t.select([tried], None))[0][0] is not None
