"""The methods of a database about policies, and about answers side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Literal, Protocol

from imputedb import arguments
from imputedb.answers import policies as columns_policies
from imputedb.answers import policy_file
from imputedb.answers.compare import WAYS, Comparison, answers, ways_of
from imputedb.answers.policy_file import Change
from imputedb.answers.prepare import Planner
from imputedb.engines.engine import Engine
from imputedb.imputers.protocol import Imputer
from imputedb.inference.estimate import Question
from imputedb.statistics.policy import Action, Bound, Policy, as_bound, as_text
from imputedb.statistics.policy import Measure as Taken


class Opened(Protocol):
    """What these methods need of a database: its engine and its planner."""

    _engine: Engine
    _planner: Planner


def policy(
    self: Opened,
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
    """Says how the missing values of a column are dealt with; kept with the database, replaces what was said.

    Args:
        table: its name.
        column: its name.
        action: `impute`; `drop`, so that rows which miss an examined value go; `keep`, for a NULL that means
            something; `structural`, for one that does where `when` holds.
        when: a condition over the table's columns as they are stored, in SQL.
        low: the least value that may be filled in: a number, a date or timestamp, or the text of one.
        high: the largest one.
        values: the only values that may be filled in.
        imputer: the name of an imputer of its own.
        predictors: the only columns of the table that it may be predicted from.
        exclude: columns that it may not be predicted from, such as a label.
        before: a column of times: it is predicted from rows that are earlier.
        above: the share of the column's cells in an answer, in percent, above which imputed ones are warned of.
        refuse: refuses such an answer instead.
        below: the precision, from 0 to 1, below which a missing cell stays missing (MISSING BELOW).
        measure: what its values are taken for: `nominal` categories, `ordinal` ones, which stand in the order of an
            ENUM, of `values` or of numbers, or `numeric`; what type and values say unless given.
        derived: an expression in SQL of other columns, such as `w1 - w0`, that the column is computed as.
        weight: a column of sampling weights, which models of the column mind.
        partition: columns that make groups of rows.
        order: a column that puts these in order: `previous`, `next`, `linear` and `seasonal` follow it.
        cluster: a column of clusters, whose rows are alike: `2l.norm` and `2l.pmm` give each an intercept.
        stale: what becomes of a kept model whose table has changed: `warn`, `refuse` or `refresh`.

    Raises:
        UnknownName: there is no such table, column or imputer.
        DataError: a bound or a value is none that the column can hold.
        QueryError: DuckDB rejects the condition.
    """
    low, high = (end if end is None else as_bound(end) for end in (low, high))
    texts = tuple(map(as_text, arguments.listed("values", values, example="such as [1, 2]")))
    allowed, barred = arguments.names("predictors", predictors), arguments.names("exclude", exclude)
    wanted = Policy(action, when, low, high, texts, imputer, allowed, barred, before, above, refuse, below, measure)
    said = {"derived": derived, "weight": weight, "order": order, "cluster": cluster, "stale": stale}
    wanted = wanted.changed({**said, "partition": arguments.names("partition", partition)})
    columns_policies.decide(self._engine, self._engine.named(table), column, wanted)


def policies(self: Opened, table: str | None = None) -> list[tuple[str, str, str]]:
    """Table, column and policy in the words of CREATE IMPUTATION POLICY: of one table, or of all."""
    with self._engine.lock:
        return columns_policies.listed(self._engine, table)


def declared(self: Opened, table: str | None = None) -> list[tuple[str, str, tuple[str, ...]]]:
    """Table, column and the values that are declared missing: of one table, or of all."""
    with self._engine.lock:
        return columns_policies.declared(self._engine, table)


def export_policies(self: Opened, path: str | Path | None = None) -> str:
    """All policies and declared values as TOML, which is also written to a file where a path is given.

    Raises:
        StorageError: the file cannot be written; it appears whole or not at all.
    """
    with self._engine.lock:
        if path is None:
            return policy_file.exported(self._engine)
        return policy_file.written(self._engine, arguments.path("the path", path))


def apply_policies(self: Opened, path: str | Path, *, dry_run: bool = False, exact: bool = False) -> list[Change]:
    """Makes the database say of columns what a file of `export_policies` says; what changed, by column.

    Everything is checked before anything is changed.

    Args:
        path: of the file.
        dry_run: changes nothing, and gives what would change.
        exact: columns that the file does not name lose what was said of them.

    Raises:
        StorageError: the file cannot be read, or the database cannot be written.
        DataError: the file is no such one, or says what a column cannot hold; named are line, table and column.
        UnknownName: a table, column or imputer is not there.
    """
    text = policy_file.read(arguments.path("the path", path))
    with self._engine.lock:
        return policy_file.applied(self._engine, text, str(path), dry_run=dry_run, exact=exact)


def compare(
    self: Opened,
    text: str,
    *,
    ways: Sequence[str | Imputer] = WAYS,
    shifts: Mapping[str, Sequence[float]] | None = None,
    m: int = 20,
    seed: int = 0,
    interval: Question = "population",
    level: float = 0.95,
) -> Comparison:
    """The same answer under several assumptions side by side, as a table and a forest plot.

    A way that does not suit the query says why in its line.

    Args:
        text: a query that aggregates.
        ways: names of imputers, or imputers, `aipw` and `bounds`.
        shifts: by column, sizes that its imputed values are shifted by, each one more way, of `norm`.
        m: draws of each imputer.
        seed: one seed gives one answer.
        interval: what intervals are about, as in `sql`.
        level: of their confidence.

    Raises:
        QueryError: the text is no SELECT query; nothing has run then.
    """
    found = ways_of(ways, {} if shifts is None else shifts)
    return answers(self._engine, self._planner, text, found, m, seed, interval, level)
