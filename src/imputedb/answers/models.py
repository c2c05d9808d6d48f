"""Kept models: creation, refresh, listing and removal."""

from collections.abc import Sequence
from dataclasses import replace

from imputedb.answers import model_fitting, remote
from imputedb.answers.multiple.pooled import PILOT
from imputedb.answers.prepare import Planner
from imputedb.answers.request import IMPUTATION, PLANNED, QueryOptions
from imputedb.engines import names
from imputedb.engines.engine import Engine
from imputedb.engines.offers import KeptModels
from imputedb.engines.record import Record
from imputedb.errors import DataError, QueryError, StorageError, UnknownName
from imputedb.imputers.protocol import Progress
from imputedb.imputers.registry import single_imputer
from imputedb.models.fitted import Fitted
from imputedb.models.kept import beside_models, beside_samples, with_models
from imputedb.models.model import Model, model
from imputedb.sql.model_statement import ModelStatement

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
"""The columns of SHOW IMPUTATION MODELS."""

SAMPLE, DRAWS = 50_000, 20
"""Default maximum number of rows that a model is fitted to, and default number of draws."""

ON_THE_WAY = 1
"""Number of draws of a model that is fitted for a query, unless it requests more."""


def store_of(engine: Engine) -> KeptModels:
    """The engine's store of kept models.

    Raises:
        QueryError: the engine has none.
    """
    if engine.models is None:
        raise QueryError("this engine keeps no imputation models")
    return engine.models


def execute_statement(
    engine: Engine, statement: ModelStatement, progress: Progress | None = None
) -> list[tuple[object, ...]]:
    """Executes a statement about models; returns the rows that it shows.

    Raises:
        UnknownName: there is no such model, table, column or imputer.
        DataError: a model of the name exists.
        StorageError: the database is read-only.
    """
    models = store_of(engine)
    match statement.verb:
        case "create":
            return listed(engine, [create(engine, statement, progress)])
        case "refresh":
            return listed(engine, [refresh(engine, statement.name, progress, canary=statement.canary)])
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
    """The rows of SHOW IMPUTATION MODELS."""
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


def public_model(engine: Engine, record: Record) -> Model:
    """A model in its public form.

    Raises:
        StorageError: the stored functions are damaged.
    """
    fitted = Fitted.loaded(store_of(engine).content(record)) if record.has_functions else None
    return model(record, fitted, is_stale(engine, record))


def is_stale(engine: Engine, record: Record) -> bool:
    """Whether the table of a model has changed since it was fitted, or does not exist any more."""
    if record.table not in engine.shapes():
        return True
    return engine.fingerprint(record.table) != record.fingerprint


def check_name(name: str) -> None:
    """Refuses names that no statement could refer to.

    Raises:
        QueryError: the name is empty, or contains an @, which precedes versions.
    """
    if not name.strip() or "@" in name or "\0" in name:
        raise QueryError(
            f"{name!r} is not a valid name of a model: it must not be empty, nor contain @, which precedes versions"
        )


def create(engine: Engine, statement: ModelStatement, progress: Progress | None = None) -> Record:
    """Fits a model and stores it as version 1; a model of the name that it replaces is removed with all versions.

    Raises: as `follow`.
    """
    check_name(statement.name)
    known = store_of(engine).versions(statement.name)
    if known and not statement.replaces:
        raise DataError(f"there is an imputation model {statement.name} already: CREATE OR REPLACE, REFRESH or DROP it")
    table = engine.named(statement.table)
    statistics = engine.statistics(table)
    imputer = single_imputer(statement.imputer or "tree", "a model needs").name
    options = {"sample": SAMPLE, "draws": DRAWS, "seed": 0, **statement.options}
    model_fitting.check_options(options)
    record = Record(
        name=statement.name,
        version=1,
        is_current=True,
        table=table,
        columns=model_fitting.targets_of(table, statistics, statement.columns),
        imputer=imputer,
        where=statement.where,
        rows=0,
        fitted_at="",
        fingerprint="",
        digest="",
        sample=options["sample"],
        draws=options["draws"],
        seed=options["seed"],
        salt=names.salt(table, engine.session.home),
    )
    record, content = model_fitting.fit_now(engine, record, progress)
    with engine.snapshot():
        store_of(engine).drop(known)
        store_of(engine).add(record, content)
    return record


def imported(engine: Engine, model: Model, name: str | None, *, replaces: bool) -> Record:
    """Stores a model that was fitted elsewhere, as a model of a table.

    Raises:
        UnknownName: there is no such table, or it lacks a column of the model.
        DataError: a model of the name exists, or this one has no functions.
    """
    table = engine.named(name or model.table)
    absent = sorted({one.column.name for one in model.fitted.features}.difference(engine.statistics(table).columns))
    if absent:
        raise UnknownName(f"model {model.name} reads {', '.join(absent)}, which {table.name} does not have")
    known = store_of(engine).versions(model.name)
    if known and not replaces:
        raise DataError(f"there is an imputation model {model.name} already: replace it, or drop it")
    salt = names.salt(table, engine.session.home)
    record = replace(model.record, table=table, salt=salt, version=1, is_current=True)
    with engine.snapshot():
        store_of(engine).drop(known)
        store_of(engine).add(record, model.fitted.dumped())
    return record


def refresh(engine: Engine, name: str, progress: Progress | None = None, *, canary: bool = False) -> Record:
    """Fits a model to the present rows of its table: its next version, the current one unless it is a canary.

    Raises: as `follow`.
    """
    current = store_of(engine).named(name)
    last = store_of(engine).versions(name)[-1].version
    if current.table not in engine.shapes():
        raise UnknownName(f"the table {current.table.name} of model {current.name} no longer exists: drop the model")
    following = replace(current, version=last + 1, is_current=not canary)
    record, content = model_fitting.fit_now(engine, following, progress)
    store_of(engine).add(record, content)
    return record


def drop(engine: Engine, name: str, version: int | None = None, *, if_exists: bool = False) -> None:
    """Drops a model, or one version of it that is not the current one.

    Raises:
        UnknownName: there is no such model or version.
        DataError: the version is the current one.
    """
    models = store_of(engine)
    if version is None and models.purged(name):
        return
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
    """Renames a model.

    Raises:
        UnknownName: there is no such model.
        DataError: a model of the new name exists.
    """
    check_name(after)
    one = store_of(engine).named(name)
    if store_of(engine).versions(after) and after.lower() != name.lower():
        raise DataError(f"there is an imputation model {after} already")
    store_of(engine).rename(one.name, after)


def with_known_models(engine: Engine, planner: Planner, options: QueryOptions, query: str) -> QueryOptions:
    """The options with the kept models that may answer the query; those that policies want fresh are refreshed first.

    For single values, functions that are fitted to samples of large tables are further choices.

    Over an engine that does not hand over rows, the functions that a query needs are fitted first.
    """
    if engine.fills_by_expression:
        return _by_functions(engine, planner, options, query)
    if options.fit == "query" or options.method != IMPUTATION or engine.models is None:
        return options
    found = _with_models(engine, options)
    if options.draws or options.strategy != PLANNED:
        return found
    return replace(found, imputers=beside_samples(found.imputers))


def _with_models(engine: Engine, options: QueryOptions) -> QueryOptions:
    with engine.own_statements():
        current = store_of(engine).current()
        for record in current:
            if _is_to_refresh(engine, record):
                refresh(engine, record.name)
        current = store_of(engine).current() if current else ()
        if options.fit == "table":
            return replace(options, imputers=with_models(options.imputers, current))
        enough = [one for one in current if one.draws >= (PILOT if options.m is None else options.m)]
        return replace(options, imputers=beside_models(options.imputers, enough))


def _by_functions(engine: Engine, planner: Planner, options: QueryOptions, query: str) -> QueryOptions:
    """The options with functions that are fitted to samples, once until their tables change."""
    fitted = set()
    draws = ON_THE_WAY if options.m == ON_THE_WAY else options.m or min(PILOT, options.most)
    for table, imputer in remote.to_fit(planner, options, query):
        if remote.are_covered(table, engine.statistics(table).dirty, store_of(engine).current()):
            continue
        name = remote.name_of(table, imputer, options.seed)
        known = store_of(engine).versions(name)
        if not known or known[-1].draws < draws or is_stale(engine, known[-1]):
            wanted = {"draws": draws, "seed": options.seed}
            statement = ModelStatement(
                "create", name, table=engine.called(table), imputer=imputer.name, options=wanted, replaces=True
            )
            create(engine, statement)
        fitted.add(name)
    return remote.with_functions(options, store_of(engine).current(), fitted)


def _is_to_refresh(engine: Engine, record: Record) -> bool:
    policies = engine.policies(record.table) if record.table in engine.shapes() else {}
    wanted = any(policies[name].stale == "refresh" for name in record.columns if name in policies)
    if not wanted or not is_stale(engine, record):
        return False
    try:
        engine.check_writable(record.table.catalog)
    except StorageError:  # reading the model raises an error about it
        return False
    return True
