"""The methods of `Database` for kept models."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from imputedb import arguments
from imputedb.answers import models
from imputedb.answers.methods import OpenDatabase
from imputedb.answers.model_differences import Difference, differences
from imputedb.answers.request import DRAWN, EXPECTED, PLANNED, QueryOptions
from imputedb.answers.respond import respond
from imputedb.errors import QueryError
from imputedb.imputers.protocol import Progress
from imputedb.imputers.registry import Choice, imputers_of
from imputedb.models.model import Model
from imputedb.result import Result
from imputedb.sql.model_statement import ModelStatement, versioned
from imputedb.sql.paths import quoted


def complete(
    self: OpenDatabase,
    table: str,
    *,
    values: Literal["expected", "drawn"] = "expected",
    draw: int = 0,
    imputer: Choice = "tree",
    seed: int = 0,
    progress: Progress | None = None,
) -> Result:
    """The completed table that queries with `fit="table"` read.

    Args:
        table: name of the table.
        values: `expected`, or `drawn` together, as read by statements in which imputed values decide which rows
            count.
        draw: draw index from 0; m = 20 pools those from 0 to 19.
        imputer: as in `sql`.
        seed: as in `sql`.
        progress: called with the share of an imputer's work that is done.

    Raises:
        UnknownName: there is no such table.
        QueryError: `values` or `draw` is not valid.
    """
    arguments.one_of("values", values, (EXPECTED, DRAWN))
    number = arguments.whole("draw", draw, 0, example=", such as 0, the first one")
    with self._engine.lock:
        text = f"SELECT * FROM {quoted(self._engine.named(table).path)}"
    options = QueryOptions(0.0, imputers_of(imputer), seed, PLANNED, fit="table", values=values, draw=number)
    return respond(self._engine, self._planner, text, options, None, progress)


def create_model(
    self: OpenDatabase,
    name: str,
    table: str,
    columns: Sequence[str] = (),
    *,
    where: str | None = None,
    imputer: str | None = None,
    sample: int = models.SAMPLE,
    draws: int = models.DRAWS,
    seed: int = 0,
    replace: bool = False,
    progress: Progress | None = None,
) -> Model:
    """Fits a model of columns of a table, and stores it with the database: CREATE IMPUTATION MODEL.

    Args:
        name: name of the model.
        table: name of the table.
        columns: columns to impute; by default all incomplete ones.
        where: condition in SQL on the rows to learn from; no other row has an influence.
        imputer: name of the imputer; by default `tree`.
        sample: largest number of rows to learn from.
        draws: number of drawn values for each cell, and largest m.
        seed: seed of the random numbers.
        replace: whether an existing model of the name is replaced.
        progress: called with the share of the fit that is done.

    Raises:
        UnknownName: there is no such table, column or imputer.
        DataError: a model of the name exists, or a column has nothing to learn from.
        StorageError: the database is read-only.
    """
    options = {
        "sample": sample,
        "draws": draws,
        "seed": arguments.seed(seed),
    }
    wanted = ModelStatement(
        "create",
        _name(name),
        table=arguments.text("the table", table, example="its name"),
        columns=arguments.names("columns", columns),
        where=where,
        imputer=imputer,
        options=options,
        replaces=arguments.flag("replace", replace),
    )
    with self._engine.lock:
        return models.public_model(self._engine, models.create(self._engine, wanted, progress))


def refresh_model(self: OpenDatabase, name: str, *, canary: bool = False, progress: Progress | None = None) -> Model:
    """Fits a model to the present rows of its table: its next version, which becomes the current one.

    Args:
        name: name of the model.
        canary: whether the version does not become the current one, so that it can be compared (`compare_models`)
            before ALTER IMPUTATION MODEL ... SET VERSION.
        progress: called with the share of the fit that is done.

    Raises:
        UnknownName: there is no such model, or its table does not exist any more.
        StorageError: the database is read-only.
    """
    with self._engine.lock:
        made = models.refresh(self._engine, _name(name), progress, canary=arguments.flag("canary", canary))
        return models.public_model(self._engine, made)


def compare_models(self: OpenDatabase, one: str, other: str) -> list[Difference]:
    """The differences between two models of a table, or two versions such as `vitals@1` and `vitals@2`, by column.

    They are compared on the cells that are missing now; both models must be functions of a row.

    Raises:
        UnknownName: there is no such model.
        DataError: the models are of different tables, or one has no functions.
    """
    with self._engine.lock:
        store = models.store_of(self._engine)
        pair = [store.named(*versioned(_name(name))) for name in (one, other)]
        return differences(self._engine, pair[0], pair[1])


def drop_model(self: OpenDatabase, name: str) -> None:
    """Drops a model, or one version of it, such as `vitals@1`.

    Raises:
        UnknownName: there is no such model.
        DataError: the version is the current one.
    """
    called, version = versioned(_name(name))
    with self._engine.lock:
        models.drop(self._engine, called, version)


def import_model(self: OpenDatabase, model: Model, *, table: str | None = None, replace: bool = False) -> Model:
    """Stores a model that was saved elsewhere, as a model of a table of this database.

    Args:
        model: a model from `load_model`.
        table: name of the table; by default that of the table that it was fitted to.
        replace: whether an existing model of the name is replaced.

    Raises:
        UnknownName: there is no such table, or it lacks a column of the model.
        DataError: a model of the name exists.
        StorageError: the database is read-only.
    """
    if not isinstance(model, Model):
        raise QueryError(f"the model is {model!r}; it must be a model from load_model or another database")
    with self._engine.lock:
        return models.public_model(self._engine, models.imported(self._engine, model, table, replaces=replace))


def model(self: OpenDatabase, name: str) -> Model:
    """A kept model in its current version, or in that of the name, as in `vitals@3`.

    Raises:
        UnknownName: there is no such model.
        StorageError: the stored model is damaged.
    """
    called, version = versioned(_name(name))
    with self._engine.lock:
        return models.public_model(self._engine, models.store_of(self._engine).named(called, version))


def models_of(self: OpenDatabase, table: str | None = None) -> list[Model]:
    """The current version of each kept model, of one table or of all.

    Raises:
        UnknownName: there is no such table.
    """
    with self._engine.lock:
        known = models.store_of(self._engine).current()
        if table is not None:
            path = self._engine.named(table)
            known = tuple(record for record in known if record.table == path)
        return [models.public_model(self._engine, record) for record in known]


def _name(given: object) -> str:
    return arguments.text("the name", given, example="such as 'vitals'")
