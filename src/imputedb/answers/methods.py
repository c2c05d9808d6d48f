"""The methods of `Database` for policies and for comparisons of answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Literal, Protocol

from imputedb import arguments
from imputedb.answers import policies as columns_policies
from imputedb.answers import policy_file
from imputedb.answers.compare import WAYS, Comparison, answers, imputers_of_methods
from imputedb.answers.policy_file import Change
from imputedb.answers.prepare import Planner
from imputedb.engines.engine import Engine
from imputedb.imputers.protocol import Imputer
from imputedb.notes import Question
from imputedb.statistics.policy import Action, Bound, Policy, as_bound, as_text
from imputedb.statistics.policy import Measure as Taken


class OpenDatabase(Protocol):
    """What these methods need of a database: its engine and its planner."""

    _engine: Engine
    _planner: Planner


def policy(
    self: OpenDatabase,
    table: str,
    column: str,
    action: Action = "impute",
    *,
    when: str | None = None,
    low: Bound | date | None = None,
    high: Bound | date | None = None,
    values: Sequence[object] = (),
    imputer: str | None = None,
    predictors: Sequence[str] = (),
    exclude: Sequence[str] = (),
    before: str | None = None,
    above: float | None = None,
    refuse: bool = False,
    below: float | None = None,
    measure: Taken | None = None,
    derived: str | None = None,
    weight: str | None = None,
    partition: Sequence[str] = (),
    order: str | None = None,
    cluster: str | None = None,
    stale: Literal["warn", "refuse", "refresh"] | None = None,
) -> None:
    """States the policy of a column, which is stored with the database and replaces an earlier one.

    Args:
        table: name of the table.
        column: name of the column.
        action: `impute`; `drop`: rows are dropped where the value is missing and examined; `keep`: NULL has a meaning
            of its own; `structural`: it has one where `when` holds.
        when: condition over stored columns of the table, in SQL.
        low: least value that may be imputed: a number, a date or timestamp, or the text of one.
        high: largest value that may be imputed.
        values: only values that may be imputed.
        imputer: name of the column's own imputer.
        predictors: only columns of the table that may be used as predictors.
        exclude: columns that may not be used as predictors, such as a label.
        before: column of times; only earlier rows are used for prediction.
        above: share of imputed cells in an answer, in percent, above which there is a warning.
        refuse: whether there is an error instead of the warning.
        below: precision, from 0 to 1, below which a missing cell stays missing (MISSING BELOW).
        measure: level of measurement: `nominal`, `ordinal` (in the order of an ENUM, of `values` or of numbers) or
            `numeric`; by default that of type and values.
        derived: expression in SQL, such as `w1 - w0`, by which the column is computed from others.
        weight: column of sampling weights, by which models of the column weight rows.
        partition: columns that define groups of rows.
        order: column that orders these rows, for `previous`, `next`, `linear` and `seasonal`.
        cluster: column of clusters, for which `2l.norm` and `2l.pmm` have random intercepts.
        stale: reaction to a kept model whose table has changed: `warn`, `refuse` or `refresh`.

    Raises:
        UnknownName: there is no such table, column or imputer.
        DataError: the column cannot hold a bound or a value.
        QueryError: DuckDB rejects the condition.
    """
    low, high = (end if end is None else as_bound(end) for end in (low, high))
    texts = tuple(map(as_text, arguments.listed("values", values, example="such as [1, 2]")))
    allowed, barred = arguments.names("predictors", predictors), arguments.names("exclude", exclude)
    wanted = Policy(action, when, low, high, texts, imputer, allowed, barred, before, above, refuse, below, measure)
    options = {"derived": derived, "weight": weight, "order": order, "cluster": cluster, "stale": stale}
    wanted = wanted.changed({**options, "partition": arguments.names("partition", partition)})
    columns_policies.decide(self._engine, self._engine.named(table), column, wanted)


def policies(self: OpenDatabase, table: str | None = None) -> list[tuple[str, str, str]]:
    """Table, column and policy in the syntax of CREATE IMPUTATION POLICY, of one table or of all."""
    with self._engine.lock:
        return columns_policies.listed(self._engine, table)


def declared(self: OpenDatabase, table: str | None = None) -> list[tuple[str, str, tuple[str, ...]]]:
    """Table, column and declared missing values, of one table or of all."""
    with self._engine.lock:
        return columns_policies.declared(self._engine, table)


def export_policies(self: OpenDatabase, path: str | Path | None = None) -> str:
    """All policies and declared missing values as TOML; they are also written to a file if a path is given.

    Raises:
        StorageError: the file cannot be written; it is written atomically.
    """
    with self._engine.lock:
        if path is None:
            return policy_file.exported(self._engine)
        return policy_file.written(self._engine, arguments.path("the path", path))


def apply_policies(self: OpenDatabase, path: str | Path, *, dry_run: bool = False, exact: bool = False) -> list[Change]:
    """Makes policies and declared missing values those of a file of `export_policies`; returns the changes by column.

    Everything is checked before anything is changed.

    Args:
        path: path of the file.
        dry_run: whether to return the changes without making them.
        exact: whether columns that the file does not name lose their policies and declarations.

    Raises:
        StorageError: the file cannot be read, or the database cannot be written.
        DataError: the file is malformed, or a column cannot hold a value; the message names line, table and column.
        UnknownName: there is no such table, column or imputer.
    """
    text = policy_file.read(arguments.path("the path", path))
    with self._engine.lock:
        return policy_file.applied(self._engine, text, str(path), dry_run=dry_run, exact=exact)


def compare(
    self: OpenDatabase,
    text: str,
    *,
    ways: Sequence[str | Imputer] = WAYS,
    shifts: Mapping[str, Sequence[float]] | None = None,
    m: int = 20,
    seed: int = 0,
    interval: Question = "population",
    level: float = 0.95,
) -> Comparison:
    """The answers to a query under several assumptions, as a table and a forest plot.

    A method that does not support the query has the reason in its line.

    Args:
        text: a query with aggregates.
        ways: names of imputers, imputers, `aipw`, `ml` and `bounds`.
        shifts: by column, sizes by which `norm` shifts its imputed values; each is a further method.
        m: number of draws of each imputer.
        seed: seed of random numbers; equal seeds give equal answers.
        interval: what intervals are about, as in `sql`.
        level: confidence level.

    Raises:
        QueryError: the text is not a SELECT; nothing was run.
    """
    found = imputers_of_methods(ways, {} if shifts is None else shifts)
    return answers(self._engine, self._planner, text, found, m, seed, interval, level)
