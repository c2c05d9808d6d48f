"""Kept models as users create, read and drop them."""

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from difflib import get_close_matches
from typing import get_args

import numpy as np
from numpy.typing import NDArray

from imputedb import duckdb_errors
from imputedb.algebra.column import Column
from imputedb.algebra.relation import Scan, Table
from imputedb.answers.request import Asked
from imputedb.engines.engine import Engine
from imputedb.engines.record import Record
from imputedb.errors import CannotImpute, DataError, QueryError, UnknownName
from imputedb.execution.columns import Shelf, computed_from
from imputedb.execution.impute import Outcome
from imputedb.execution.kept import KeptTable
from imputedb.imputers.permit import barred
from imputedb.imputers.protocol import Progress
from imputedb.imputers.registry import the_one
from imputedb.imputers.rows import Rows
from imputedb.models.fitted import Fitted
from imputedb.models.kept import with_models
from imputedb.models.learning import fit
from imputedb.models.model import Model, model
from imputedb.models.target import How, Method
from imputedb.sql.model_statement import ModelStatement
from imputedb.sql.paths import quoted
from imputedb.statistics.table import MANY_LEVELS, Kind, Statistics

COLUMNS = (
    "model",
    "version",
    "current",
    "on",
    "columns",
    "imputer",
    "where",
    "draws",
    "rows",
    "fitted_at",
    "stale",
    "error",
)
"""What SHOW IMPUTATION MODELS tells of each."""

SAMPLE, DRAWS = 50_000, 20
"""Rows that a model is fitted to at most, and draws, unless they are given."""


def follow(engine: Engine, statement: ModelStatement, progress: Progress | None = None) -> list[tuple[object, ...]]:
    """Does what a statement says; what there is to show of the models that it is about.

    Raises:
        UnknownName: there is no such model, table, column or imputer.
        DataError: a model of the name is there already.
        StorageError: the database is open for reading only.
    """
    models = engine.models
    match statement.verb:
        case "create":
            return listed(engine, [create(engine, statement, progress)])
        case "refresh":
            return listed(engine, [refresh(engine, statement.name, progress)])
        case "drop":
            drop(engine, statement.name, statement.version, if_exists=statement.if_exists)
            return []
        case "alter" if statement.renamed is not None:
            rename(engine, statement.name, statement.renamed)
            return listed(engine, models.versions(statement.renamed))
        case "alter":
            models.make_current(models.named(statement.name, statement.version))
            return listed(engine, models.versions(statement.name))
        case "describe":
            versions = [models.named(statement.name, statement.version)] if statement.version else None
            return listed(engine, versions or models.versions(models.named(statement.name).name))
        case _:
            return listed(engine, models.current())


def listed(engine: Engine, records: Sequence[Record]) -> list[tuple[object, ...]]:
    """What SHOW tells of models."""
    return [
        (
            one.name,
            one.version,
            one.is_current,
            one.table.name,
            ", ".join(one.columns),
            one.imputer,
            one.where or "",
            one.draws,
            one.rows,
            one.fitted_at,
            is_stale(engine, one),
            ", ".join(f"{column} {error:.3f}" for column, error in one.errors),
        )
        for one in records
    ]


def held(engine: Engine, record: Record) -> Model:
    """A model as users hold it.

    Raises:
        StorageError: its functions are damaged.
    """
    fitted = Fitted.loaded(engine.models.content(record)) if record.has_functions else None
    return model(record, fitted, is_stale(engine, record))


def is_stale(engine: Engine, record: Record) -> bool:
    """Whether the table of a model is not what it was when the model was fitted, or is gone."""
    if record.table not in engine.shapes():
        return True
    return engine.fingerprint(record.table) != record.fingerprint


def create(engine: Engine, statement: ModelStatement, progress: Progress | None = None) -> Record:
    """Fits a model and keeps it as version 1, or where it replaces one of the name as the only version.

    Raises: as `follow`.
    """
    known = engine.models.versions(statement.name)
    if known and not statement.replaces:
        raise DataError(f"there is an imputation model {statement.name} already: CREATE OR REPLACE, REFRESH or DROP it")
    table = engine.named(statement.table)
    statistics = engine.statistics(table)
    imputer = the_one(statement.imputer or "tree", "a model needs").name
    options = {"sample": SAMPLE, "draws": DRAWS, "seed": 0, **statement.options}
    _check_options(options)
    record = Record(
        name=statement.name,
        version=1,
        is_current=True,
        table=table,
        columns=_targets(table, statistics, statement.columns),
        imputer=imputer,
        where=statement.where,
        rows=0,
        fitted_at="",
        fingerprint="",
        digest="",
        sample=options["sample"],
        draws=options["draws"],
        seed=options["seed"],
        salt=_salt(table),
    )
    record, content = _fitted(engine, record, progress)
    with engine.snapshot():
        engine.models.drop(known)
        engine.models.add(record, content)
    return record


def imported(engine: Engine, model: Model, name: str | None, *, replaces: bool) -> Record:
    """Keeps a model that was fitted elsewhere, as one of a table.

    Raises:
        UnknownName: there is no such table, or it lacks a column of the model.
        DataError: a model of the name is there already, or this one has no functions.
    """
    table = engine.named(name or model.table)
    absent = sorted({one.column.name for one in model.fitted.features}.difference(engine.statistics(table).columns))
    if absent:
        raise UnknownName(f"model {model.name} reads {', '.join(absent)}, which {table.name} does not have")
    known = engine.models.versions(model.name)
    if known and not replaces:
        raise DataError(f"there is an imputation model {model.name} already: replace it, or drop it")
    record = replace(model.record, table=table, version=1, is_current=True)
    with engine.snapshot():
        engine.models.drop(known)
        engine.models.add(record, model.fitted.dumped())
    return record


def refresh(engine: Engine, name: str, progress: Progress | None = None) -> Record:
    """Fits a model anew to its table as it is now: its next version, which becomes the current one.

    Raises: as `follow`.
    """
    current = engine.models.named(name)
    last = engine.models.versions(name)[-1].version
    if current.table not in engine.shapes():
        raise UnknownName(f"the table {current.table.name} of model {current.name} is gone: drop the model")
    record, content = _fitted(engine, replace(current, version=last + 1), progress)
    engine.models.add(record, content)
    return record


def drop(engine: Engine, name: str, version: int | None = None, *, if_exists: bool = False) -> None:
    """Forgets a model, or one version of it that is not the current one.

    Raises:
        UnknownName: there is none.
        DataError: the version is the current one.
    """
    models = engine.models
    if if_exists and not models.versions(name):
        return
    one = models.named(name, version)
    if version is None:
        models.drop(models.versions(name))
        return
    if one.is_current and len(models.versions(name)) > 1:
        raise DataError(
            f"{one.title} is the current version: ALTER IMPUTATION MODEL {one.name} SET VERSION another first"
        )
    models.drop([one])


def rename(engine: Engine, name: str, after: str) -> None:
    """Gives a model another name.

    Raises:
        UnknownName: there is no such model.
        DataError: there is one of the other name.
    """
    one = engine.models.named(name)
    if engine.models.versions(after) and after.lower() != name.lower():
        raise DataError(f"there is an imputation model {after} already")
    engine.models.rename(one.name, after)


def informed(engine: Engine, asked: Asked) -> Asked:
    """What is asked, with the kept models that may answer it."""
    if asked.fit != "table":
        return asked
    with engine.lock:
        return replace(asked, imputers=with_models(asked.imputers, engine.models.current()))


# -- fitting ----------------------------------------------------------------------------------------------------------


def _salt(table: Table) -> int:
    return int.from_bytes(hashlib.sha256(repr(table.path[1:]).encode()).digest()[:8], "little")


def _check_options(options: dict[str, int]) -> None:
    for name in ("sample", "draws"):
        if options[name] < 1:
            raise QueryError(f"{name} is {options[name]}; a model has at least 1")


def _targets(table: Table, statistics: Statistics, columns: Sequence[str]) -> tuple[str, ...]:
    known = {name.lower(): name for name in statistics.columns}
    for column in columns:
        if column.lower() not in known:
            near = get_close_matches(column.lower(), known, 1)
            hint = f"did you mean {known[near[0]]!r}?" if near else f"there are {', '.join(statistics.columns)}"
            raise UnknownName(f"no column {column!r} in {table.name}; {hint}")
    wanted = [known[column.lower()] for column in columns] or sorted(statistics.dirty)
    targets = [name for name in wanted if statistics.policy(name).action in ("impute", "structural")]
    targets = [name for name in targets if statistics.columns[name].centre is not None] if not columns else targets
    if not targets:
        raise DataError(
            f"no column of {table.name} misses a value that may be filled in: name those that a model is of"
        )
    for name in targets:
        if statistics.columns[name].centre is None:
            raise CannotImpute(
                f"{table.name}.{name} cannot be imputed: none of its values is known, or its type has no model"
            )
    return tuple(dict.fromkeys(targets))


def _fitted(engine: Engine, record: Record, progress: Progress | None) -> tuple[Record, bytes]:
    """A record of the model as it is fitted now, with its functions as bytes."""
    with engine.lock:
        statistics = engine.statistics(record.table)
        now = replace(
            record,
            fitted_at=datetime.now(UTC).replace(tzinfo=None).isoformat(timespec="microseconds"),
            fingerprint=engine.fingerprint(record.table),
            rows=statistics.rows,
            digest="",
            errors=(),
        )
        scan = Scan(record.table, record.table.name)
        if record.imputer not in get_args(Method) or not _is_plain(statistics, record):
            _check_values(record)
            fitted_values = KeptTable(
                engine, scan, statistics, the_one(record.imputer, "a model needs"), record.seed, progress
            )
            for name in record.columns:
                fitted_values.given(Column(scan.alias, name), Outcome(), None)
            return now, b""
        rows = _training_rows(engine, scan, statistics, record)
        types = {column: statistics.columns[column.name].type for column in rows.columns}
        how = How(record.imputer, record.sample, record.draws, record.seed)  # type: ignore[arg-type]
        model = fit(rows, [Column(scan.alias, name) for name in record.columns], types, how, progress)
    content = model.dumped()
    measured = {model.features[one.feature].column.name: one.quality.error for one in model.targets if one.quality}
    errors = tuple((name, measured[name]) for name in record.columns if name in measured)
    return replace(now, rows=model.rows, digest=hashlib.sha256(content).hexdigest(), errors=errors), content


def _is_plain(statistics: Statistics, record: Record) -> bool:
    """Whether policies ask nothing of the columns of a model that its functions do not know of."""
    policies = [statistics.policy(name) for name in record.columns]
    return all(policy.plain and not policy.leaves and policy.imputer in (None, record.imputer) for policy in policies)


def _check_values(record: Record) -> None:
    """Refuses rows to learn from where values are fitted to the table as it is."""
    if record.where is not None:
        raise QueryError(
            f"a model by {record.imputer}, or under policies of its columns, is fitted to the whole table: leave WHERE "
            "out"
        )


def _training_rows(engine: Engine, scan: Scan, statistics: Statistics, record: Record) -> Rows:
    """The rows that a model is fitted to, with all columns that may predict its targets."""
    columns = statistics.columns
    few = {
        c for c in statistics.predictors if columns[c].kind is not Kind.CATEGORY or columns[c].distinct <= MANY_LEVELS
    }
    names = sorted(few.union(record.columns))
    shelf = Shelf(engine, scan, statistics)
    every = [Column(scan.alias, name) for name in names]
    forbidden: set[Column] = set()
    for name in record.columns:
        target = Column(scan.alias, name)
        forbidden |= barred(statistics.policy(name), target, every) | computed_from(statistics, target, every)
    kept_columns = [c for c in every if c not in forbidden or c.name in record.columns]
    cells = shelf.cells([column.name for column in kept_columns])
    learn = None if record.where is None else _learning(engine, record.table, record.where)
    return Rows({column: cells[column.name] for column in kept_columns}, shelf.salted(record.salt), learn)


def _learning(engine: Engine, table: Table, where: str) -> NDArray[np.bool_]:
    """(n,) the rows of a table for which a condition holds, in its order."""
    text = f"SELECT coalesce(CAST(({where}) AS BOOLEAN), false) AS learn FROM {quoted(table.path)}"
    try:
        found = np.ma.getdata(engine.arrays(engine.tree(text))["learn"]).astype(np.bool_)
    except duckdb_errors.Refused as error:
        reason = duckdb_errors.translated(error)
        raise type(reason)(f"WHERE {where}: {str(reason).splitlines()[0]}") from error
    if not found.any():
        raise DataError(f"no row of {table.name} satisfies {where}: there is nothing to learn from")
    return found
