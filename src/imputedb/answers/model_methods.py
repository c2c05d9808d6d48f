"""The methods of a database about kept models."""

from __future__ import annotations

from typing import Literal

from imputedb import arguments
from imputedb.answers import models
from imputedb.answers.methods import Opened
from imputedb.answers.request import DRAWN, EXPECTED, PLANNED, Asked
from imputedb.answers.respond import respond
from imputedb.imputers.protocol import Progress
from imputedb.imputers.registry import Choice, chosen
from imputedb.models.model import Model
from imputedb.result import Result
from imputedb.sql.model_statement import versioned
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
    number = arguments.whole("draw", draw, 0, example="the first draw's number")
    with self._engine.lock:
        text = f"SELECT * FROM {quoted(self._engine.named(table).path)}"
    asked = Asked(0.0, chosen(imputer), seed, PLANNED, fit="table", values=values, draw=number)
    return respond(self._engine, self._planner, text, asked, None, progress)


def model(self: Opened, name: str) -> Model:
    """A kept model, its current version unless the name has one, such as `vitals@3`.

    Raises:
        UnknownName: there is no such model.
        StorageError: what the database keeps of it is damaged.
    """
    called, version = versioned(arguments.text("the name", name, example="such as 'vitals' or 'vitals@3'"))
    with self._engine.lock:
        return models.held(self._engine, self._engine.models.named(called, version))


def models_of(self: Opened, table: str | None = None) -> list[Model]:
    """The current version of each kept model: of one table, or of all.

    Raises:
        UnknownName: there is no such table.
    """
    with self._engine.lock:
        known = self._engine.models.current()
        if table is not None:
            path = self._engine.named(table)
            known = tuple(record for record in known if record.table == path)
        return [models.held(self._engine, record) for record in known]
