"""The methods of a database about kept models."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from imputedb import arguments
from imputedb.answers import models
from imputedb.answers.methods import Opened
from imputedb.answers.model_differences import Difference, differences
from imputedb.answers.request import DRAWN, EXPECTED, PLANNED, QueryOptions
from imputedb.answers.respond import respond
from imputedb.errors import QueryError
from imputedb.imputers.protocol import Progress
from imputedb.imputers.registry import Choice, chosen
from imputedb.models.model import Model
from imputedb.result import Result
from imputedb.sql.model_statement import ModelStatement, versioned
from imputedb.sql.paths import quoted


def complete(
    self: Opened,
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
        table: its name.
        values: `expected`, or those that were `drawn` together, which statements read whose imputed values decide
            which rows count.
        draw: the number of the draw, from 0; m = 20 pools those from 0 to 19.
        imputer: as for `sql`.
        seed: as for `sql`.
        progress: told the share of an imputer's work that is done.

    Raises:
        UnknownName: there is no such table.
        QueryError: values or draw are none.
    """
    arguments.one_of("values", values, (EXPECTED, DRAWN))
    number = arguments.whole("draw", draw, 0, example=", such as 0, the first one")
    with self._engine.lock:
        text = f"SELECT * FROM {quoted(self._engine.named(table).path)}"
    options = QueryOptions(0.0, chosen(imputer), seed, PLANNED, fit="table", values=values, draw=number)
    return respond(self._engine, self._planner, text, options, None, progress)


def create_model(
    self: Opened,
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
    """Fits a model of columns of a table, and keeps it with the database: CREATE IMPUTATION MODEL.

    Args:
        name: of the model.
        table: its name.
        columns: that the model fills in; all that miss values unless given.
        where: the rows that it learns from, a condition in SQL; no other row decides anything.
        imputer: the name of the imputer; `tree` unless given.
        sample: rows that it learns from at most.
        draws: how many drawn values a cell has; m is at most as large.
        seed: of what is random.
        replace: whether a model of the name may be there already.
        progress: told the share of the fit that is done.

    Raises:
        UnknownName: there is no such table, column or imputer.
        DataError: a model of the name is there already, or a column has nothing to learn from.
        StorageError: the database is open for reading only.
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
        return models.loaded(self._engine, models.create(self._engine, wanted, progress))


def refresh_model(self: Opened, name: str, *, canary: bool = False, progress: Progress | None = None) -> Model:
    """Fits a model anew to its table as it is now: its next version, which becomes the current one.

    Args:
        name: of the model.
        canary: keeps the version beside the current one, to be compared with it (`compare_models`) before ALTER
            IMPUTATION MODEL ... SET VERSION makes it the current one.
        progress: told the share of the fit that is done.

    Raises:
        UnknownName: there is no such model, or its table is gone.
        StorageError: the database is open for reading only.
    """
    with self._engine.lock:
        made = models.refresh(self._engine, _name(name), progress, canary=arguments.flag("canary", canary))
        return models.loaded(self._engine, made)


def compare_models(self: Opened, one: str, other: str) -> list[Difference]:
    """How two models of a table, or two versions such as `vitals@1` and `vitals@2`, fill it in: column by column.

    Compared are the cells that miss a value now; both models have to be functions of a row.

    Raises:
        UnknownName: there is no such model.
        DataError: they are of different tables, or one has no functions.
    """
    with self._engine.lock:
        store = models.store_of(self._engine)
        pair = [store.named(*versioned(_name(name))) for name in (one, other)]
        return differences(self._engine, pair[0], pair[1])


def drop_model(self: Opened, name: str) -> None:
    """Forgets a model, or one version of it, such as `vitals@1`.

    Raises:
        UnknownName: there is no such model.
        DataError: the version is the current one.
    """
    called, version = versioned(_name(name))
    with self._engine.lock:
        models.drop(self._engine, called, version)


def import_model(self: Opened, model: Model, *, table: str | None = None, replace: bool = False) -> Model:
    """Keeps a model that was saved elsewhere, as one of a table of this database.

    Args:
        model: as `load_model` gives it.
        table: the name of the table; the one that it was fitted to has unless given.
        replace: whether a model of the name may be there already.

    Raises:
        UnknownName: there is no such table, or it lacks a column of the model.
        DataError: a model of the name is there already.
        StorageError: the database is open for reading only.
    """
    if not isinstance(model, Model):
        raise QueryError(f"the model is {model!r}; it is one that load_model, or another database, gives")
    with self._engine.lock:
        return models.loaded(self._engine, models.imported(self._engine, model, table, replaces=replace))


def model(self: Opened, name: str) -> Model:
    """A kept model, its current version unless the name has one, such as `vitals@3`.

    Raises:
        UnknownName: there is no such model.
        StorageError: what the database keeps of it is damaged.
    """
    called, version = versioned(_name(name))
    with self._engine.lock:
        return models.loaded(self._engine, models.store_of(self._engine).named(called, version))


def models_of(self: Opened, table: str | None = None) -> list[Model]:
    """The current version of each kept model: of one table, or of all.

    Raises:
        UnknownName: there is no such table.
    """
    with self._engine.lock:
        known = models.store_of(self._engine).current()
        if table is not None:
            path = self._engine.named(table)
            known = tuple(record for record in known if record.table == path)
        return [models.loaded(self._engine, record) for record in known]


def _name(given: object) -> str:
    return arguments.text("the name", given, example="such as 'vitals'")
