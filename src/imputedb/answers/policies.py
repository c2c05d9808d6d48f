"""Imputation policies: statements that change them, their validation and listing."""

from imputedb import arguments
from imputedb.algebra.relation import Table
from imputedb.engines.engine import Engine
from imputedb.errors import DataError, QueryError
from imputedb.imputers.registry import imputers_of
from imputedb.sql.policy_statement import PolicyStatement
from imputedb.statistics.policy import ACTIONS, DEFAULT, MEASURES, STALE, Policy


def execute_statement(engine: Engine, statement: PolicyStatement) -> list[tuple[str, str, str]]:
    """Executes a statement about policies; returns the policies that it shows or makes.

    Raises:
        UnknownName: there is no such table, column or imputer.
        DataError: ALTER or DROP of a policy that does not exist.
        QueryError: DuckDB rejects a condition.
    """
    if statement.verb == "show":
        return listed(engine, statement.table)
    assert statement.table is not None
    table = engine.named(statement.table)
    if statement.verb == "drop":
        _drop(engine, table, statement)
        return []
    for column in statement.columns:
        known = {name.lower(): policy for name, policy in engine.shape(table).policies.items()}.get(column.lower())
        if statement.verb == "alter" and known is None:
            raise DataError(f"{table.name}.{column} has no imputation policy to alter: create one")
        before = known if known and statement.verb == "alter" else DEFAULT
        anew = {"when": None} if "action" in statement.options else {}  # the old action's condition
        decide(engine, table, column, before.changed({**anew, **statement.options}))
    return listed(engine, statement.table)


def _drop(engine: Engine, table: Table, statement: PolicyStatement) -> None:
    known = {name.lower(): name for name in engine.policies(table)}
    wanted = {name.lower(): name for name in statement.columns} or known
    absent = [name for key, name in wanted.items() if key not in known]
    if not statement.if_exists and (absent or not wanted):
        place = f"{table.name}.{absent[0]}" if absent else table.name
        raise DataError(f"{place} has no imputation policy to drop: leave it out, or use DROP ... IF EXISTS")
    for column in wanted.values():
        engine.undecide(table, column)


def decide(engine: Engine, table: Table, column: str, policy: Policy) -> None:
    """Sets a column's policy.

    Raises: as `checked`.
    """
    engine.decide(table, column, checked(engine, table, column, policy))


def checked(engine: Engine, table: Table, column: str, policy: Policy) -> Policy:
    """A policy after validation.

    Raises:
        UnknownName: the table has no such column, or there is no such imputer.
        DataError: the column cannot hold a bound or a value, or a condition is missing.
        QueryError: the action is unknown, DuckDB rejects the condition, or clauses contradict each other.
    """
    policy = _checked(policy)
    if policy.action == "structural" and policy.when is None:
        raise DataError("structural needs a condition: give when, the rows in which the value is not applicable")
    if policy.action != "structural" and policy.when is not None:
        raise QueryError(f"a condition goes with action='structural', not with {policy.action!r}: leave when out")
    if policy.action in ("keep", "drop") and (idle := _unused_clauses(policy)):
        raise QueryError(f"{policy.action} imputes nothing, and {', '.join(idle)} would have no effect: leave it out")
    if policy.refuse and policy.above is None:
        raise QueryError("refuse needs above, the share in percent from which answers are refused: give both")
    if policy.imputer is not None and not imputers_of(policy.imputer):
        raise QueryError(f"{policy.imputer!r} imputes nothing: give the column the policy DROP")
    return engine.checked(table, engine.own_name(table, column), policy)


_FILLING = ("low", "high", "imputer", "predictors", "exclude", "before", "weight", "order", "above", "below")
"""The clauses that affect how values are imputed."""

_TEXTS = {
    "when": "a condition in SQL",
    "before": "a column",
    "weight": "a column",
    "order": "a column",
    "cluster": "a column",
    "imputer": "its name",
    "derived": "an expression in SQL, such as 'w1 - w0'",
}
"""An example for each clause that is a text."""


def _unused_clauses(policy: Policy) -> list[str]:
    """The clauses of a policy that only affect imputation; `values` may also state the order of observed values."""
    names = _FILLING if policy.measure else (*_FILLING, "values")
    return [name for name in names if getattr(policy, name) not in (None, ())]


def _checked(policy: Policy) -> Policy:
    """The policy with plain Python values."""
    arguments.one_of("action", policy.action, ACTIONS)
    if policy.measure is not None:
        arguments.one_of("measure", policy.measure, MEASURES)
    if policy.stale is not None:
        arguments.one_of("stale", policy.stale, STALE)
    found: dict[str, object] = {"refuse": arguments.flag("refuse", policy.refuse)}
    for name, example in _TEXTS.items():
        if (given := getattr(policy, name)) is not None:
            found[name] = arguments.text(name, given, example=example)
    for name in ("predictors", "exclude", "partition"):
        found[name] = arguments.names(name, getattr(policy, name))
    found |= _numbers(policy)
    if bool(policy.partition) != (policy.order is not None):
        raise QueryError("an order of rows needs groups: give both, PARTITION BY groups ORDER BY a column")
    if policy.before and policy.order and policy.before.lower() != policy.order.lower():
        raise QueryError(
            "BEFORE and ORDER BY have to name one column: rows that are earlier by one may be later by another"
        )
    if policy.below and policy.before:
        raise QueryError(
            "MISSING BELOW measures precision on hidden cells of all rows, later "
            "ones included: it cannot be combined with BEFORE"
        )
    if policy.derived is not None and policy != DEFAULT.changed({"derived": policy.derived}):
        raise QueryError(
            "a derived column is computed, not imputed: give the other clauses to the columns that it is derived from"
        )
    return policy.changed(found)


def _numbers(policy: Policy) -> dict[str, object]:
    """The numbers of a policy as plain Python values."""
    found: dict[str, object] = {}
    for name in ("low", "high"):
        given = getattr(policy, name)
        if given is not None and not isinstance(given, str):
            found[name] = arguments.real(name, given, example="or the text of a date")
    if policy.above is not None:
        share = arguments.real("above", policy.above, example="a share in percent")
        if not 0 <= share <= 100:
            raise QueryError(f"the share is {policy.above}; it must be from 0 to 100 %")
        found["above"] = share
    if policy.below is not None:
        found["below"] = arguments.real("missing below", policy.below, example="a precision such as 0.8")
        if not 0 <= policy.below <= 1:
            raise QueryError(f"the precision is {policy.below:g}; it must be from 0 (not known) to 1 (known exactly)")
    return found


def listed(engine: Engine, table: str | None = None) -> list[tuple[str, str, str]]:
    """Table, column and policy, of one table or of all."""
    tables = [engine.named(table)] if table else list(engine.shapes())
    return [
        (engine.called(found), column, str(policy))
        for found in tables
        for column, policy in sorted(engine.shape(found).policies.items())
    ]


def declared(engine: Engine, table: str | None = None) -> list[tuple[str, str, tuple[str, ...]]]:
    """Table, column and declared missing values, of one table or of all."""
    tables = [engine.named(table)] if table else list(engine.shapes())
    return [
        (engine.called(found), column, tuple(sorted(codes)))
        for found in tables
        for column, codes in sorted(engine.shape(found).missing.items())
        if codes
    ]
