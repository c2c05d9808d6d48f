"""The fitting of kept models to tables."""

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from difflib import get_close_matches
from typing import get_args

import numpy as np
from numpy.typing import NDArray

from imputedb import arguments, duckdb_errors
from imputedb.algebra.column import Column
from imputedb.algebra.relation import Scan, Table
from imputedb.answers import remote
from imputedb.engines.engine import Engine
from imputedb.engines.record import Record
from imputedb.errors import CannotImpute, DataError, QueryError, UnknownName
from imputedb.execution.columns import ColumnCache, computed_from, finite
from imputedb.execution.kept import CachedTable
from imputedb.execution.outcome import Outcome
from imputedb.execution.sampled import sampled
from imputedb.imputers.permit import barred
from imputedb.imputers.protocol import Progress
from imputedb.imputers.random import seed_of
from imputedb.imputers.registry import single_imputer
from imputedb.imputers.rows import Rows
from imputedb.models.learning import fit
from imputedb.models.target import FitSettings, Method
from imputedb.sql import ast as t
from imputedb.sql.ast import Tree
from imputedb.sql.parse import expression
from imputedb.statistics.table import Statistics

MOST_ROWS = 2**31 - 1
"""The largest number of rows to learn from, or the largest seed."""

MEASURED = 20
"""Minimum number of hidden cells for the measurement of an error."""


def check_options(options: dict[str, int]) -> None:
    """Refuses invalid options of a model.

    Raises:
        QueryError: the number of rows to learn from, or of draws, is below one.
    """
    arguments.whole("sample", options["sample"], 1, MOST_ROWS)
    arguments.whole("draws", options["draws"], 1, arguments.MOST_DRAWS)
    arguments.whole("seed", options["seed"], 0, MOST_ROWS)


def targets_of(table: Table, statistics: Statistics, columns: Sequence[str]) -> tuple[str, ...]:
    """The columns that a model imputes, in the table's spelling: the given ones, or all incomplete ones.

    Raises:
        UnknownName: there is no such column.
        DataError: there is nothing to impute.
    """
    known = {name.lower(): name for name in statistics.columns}
    for column in columns:
        if column.lower() not in known:
            near = get_close_matches(column.lower(), known, 1)
            hint = f"did you mean {known[near[0]]!r}?" if near else f"there are {', '.join(statistics.columns)}"
            raise UnknownName(f"no column {column!r} in {table.name}; {hint}")
    wanted = [known[column.lower()] for column in columns] or sorted(statistics.dirty)
    barred_ones = [
        name for name in wanted if columns and statistics.policy(name).action not in ("impute", "structural")
    ]
    if barred_ones:
        action = statistics.policy(barred_ones[0]).action.upper()
        raise DataError(f"the policy of {table.name}.{barred_ones[0]} is {action}: it is not imputed")
    targets = [name for name in wanted if statistics.policy(name).action in ("impute", "structural")]
    targets = [name for name in targets if statistics.columns[name].centre is not None] if not columns else targets
    if not targets:
        raise DataError(
            f"no column of {table.name} has missing values that may be imputed: name the columns of the model"
        )
    for name in targets:
        if statistics.columns[name].centre is None:
            raise CannotImpute(
                f"{table.name}.{name} cannot be imputed: none of its values is known, or its type has no model"
            )
    return tuple(dict.fromkeys(targets))


def check_columns(record: Record, statistics: Statistics) -> None:
    """Refuses a model with columns that its table does not have any more.

    Raises:
        UnknownName: a column does not exist.
    """
    missing = [name for name in record.columns if name not in statistics.columns]
    if missing:
        raise UnknownName(
            f"model {record.title} is of {', '.join(missing)}, which {record.table.name} does not have any more: "
            f"DROP IMPUTATION MODEL {record.name}, and create one of the present columns"
        )


def fit_now(engine: Engine, record: Record, progress: Progress | None) -> tuple[Record, bytes]:
    """A record of the model fitted to the present rows, with its functions as bytes.

    Raises:
        UnknownName: a column of the model does not exist any more.
    """
    with engine.lock:
        statistics = engine.statistics(record.table)
        check_columns(record, statistics)
        now = replace(
            record,
            fitted_at=datetime.now(UTC).replace(tzinfo=None).isoformat(timespec="microseconds"),
            fingerprint=engine.fingerprint(record.table),
            rows=statistics.rows,
            digest="",
            errors=(),
            codes=tuple((name, tuple(texts)) for name, texts in sorted(engine.shape(record.table).missing.items())),
        )
        scan = Scan(record.table, record.table.name)
        if record.imputer not in get_args(Method) or not _is_plain(statistics, record):
            _check_values(record)
            remote.check_functions(engine, record)
            fitted_values = CachedTable(
                engine, scan, statistics, single_imputer(record.imputer, "a model needs"), record.seed, progress
            )
            for name in record.columns:
                fitted_values.given(Column(scan.alias, name), Outcome(), None)
            return now, b""
        with _learnable(engine, scan, record) as at_hand:
            rows = _training_rows(engine, at_hand, statistics, record)
        types = {column: statistics.columns[column.name].type for column in rows.columns}
        seed = seed_of(record.seed, record.salt)  # so that models of two tables are drawn with different random numbers
        how = FitSettings(record.imputer, record.sample, record.draws, seed)  # type: ignore[arg-type]
        model = fit(rows, [Column(scan.alias, name) for name in record.columns], types, how, progress)
    content = model.dumped()
    known = [one for one in model.targets if one.quality and one.quality.cells >= MEASURED]
    measured = {model.features[one.feature].column.name: one.quality.error for one in known if one.quality}
    errors = tuple((name, measured[name]) for name in record.columns if name in measured)
    return replace(now, rows=model.rows, digest=hashlib.sha256(content).hexdigest(), errors=errors), content


@contextmanager
def _learnable(engine: Engine, scan: Scan, record: Record) -> Iterator[Scan]:
    """The table that a model is fitted to, or a sample of it as a temporary table, under the same alias."""
    table = engine.learnable(record.table, record.sample)
    try:
        yield Scan(table, scan.alias)
    finally:
        if table != record.table:
            engine.unmake("TABLE", [table.name])
            engine.disown(table.name)


def _is_plain(statistics: Statistics, record: Record) -> bool:
    """Whether a model's columns need no treatment by policies beyond its functions."""
    policies = [statistics.policy(name) for name in record.columns]
    return all(policy.plain and not policy.leaves and policy.imputer in (None, record.imputer) for policy in policies)


def _check_values(record: Record) -> None:
    """Refuses a condition on rows for imputers without functions, which are fitted to the whole table."""
    if record.where is not None:
        raise QueryError(
            f"a model by {record.imputer}, or under policies of its columns, is fitted to the whole table: leave WHERE "
            "out"
        )


def _training_rows(engine: Engine, scan: Scan, statistics: Statistics, record: Record) -> Rows:
    """The rows that a model is fitted to, with all possible predictors of its targets."""
    names = sorted(statistics.regressors.union(record.columns))
    cache = ColumnCache(engine, scan, statistics)
    every = [Column(scan.alias, name) for name in names]
    forbidden: set[Column] = set()
    for name in record.columns:
        target = Column(scan.alias, name)
        forbidden |= barred(statistics.policy(name), target, every) | computed_from(statistics, target, every)
    kept_columns = [c for c in every if c not in forbidden or c.name in record.columns]
    known = [column.name for column in kept_columns]
    learn: NDArray[np.bool_] | None = None
    ids: NDArray[np.int64] | None = None
    with _blaming_condition(record.where):
        if scan.table != record.table or cache.is_cached or statistics.rows <= record.sample:
            cells = cache.cells(known)
            learn = None if record.where is None else _training_flags(engine, scan.table, record.where)
            none = learn is not None and not learn.any()
        else:
            condition = None if record.where is None else _condition(engine, record.where)
            ids = sampled(cache, record.salt, record.sample, condition)
            cells, none = cache.some(known, ids), not len(ids)
    if none and record.where is not None:
        raise DataError(f"no row of {record.table.name} satisfies {record.where}: there is nothing to learn from")
    keys = cache.stable_keys(record.salt, ids)
    return Rows({column: finite(cells[column.name]) for column in kept_columns}, keys, learn)


@contextmanager
def _blaming_condition(where: str | None) -> Iterator[None]:
    """A context in which an error of the engine is reported as one of the condition on rows."""
    try:
        yield
    except duckdb_errors.Refused as error:
        reason = duckdb_errors.translated(error)
        if where is None:
            raise
        raise type(reason)(f"WHERE {where}: {str(reason).splitlines()[0]}") from error


def _condition(engine: Engine, where: str) -> Tree:
    """A condition that is false where it would be NULL."""
    return t.coalesce(t.cast(expression(engine.tree, where), t.plain_type("BOOLEAN")), t.literal(False))


def _training_flags(engine: Engine, table: Table, where: str) -> NDArray[np.bool_]:
    """(n,) the rows of a table for which a condition holds, in the table's order."""
    node = t.select([t.named(_condition(engine, where), "learn")], t.table(table.path, ""))
    return np.ma.getdata(engine.arrays(node)["learn"]).astype(np.bool_)
