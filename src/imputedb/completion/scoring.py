"""Cross-validated scores of a model, with imputation inside the folds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from imputedb import arguments
from imputedb.algebra.column import Column
from imputedb.completion.fitting import Model, fitted
from imputedb.completion.source import Source, completed_columns, read, staged
from imputedb.engines.engine import Engine
from imputedb.errors import DataError, UnknownName
from imputedb.imputers import random
from imputedb.imputers.protocol import Imputer, Progress
from imputedb.imputers.rows import Array, Cells
from imputedb.inference.scores import Scores, pool_scores
from imputedb.notes import Note, NoteKind
from imputedb.statistics.table import Kind

if TYPE_CHECKING:
    import pandas as pd

Flags = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Scoring:
    """A request for scores.

    Attributes:
        text: a table's name or a SELECT.
        formula: formula whose outcome is a numeric column, or one of zeros and ones.
        model: model of statsmodels.
        imputer: imputer to use.
        m: number of completed data sets for each fold.
        folds: number of folds.
        seed: seed of draws and folds.
    """

    text: str
    formula: str
    model: Model
    imputer: Imputer
    m: int = 20
    folds: int = 5
    seed: int = 0

    def __post_init__(self) -> None:
        checked = {
            "m": arguments.draws(self.m, 2, example=": scores are pooled over draws"),
            "folds": arguments.whole("folds", self.folds, 2, example=": one is left out in turn"),
            "seed": arguments.seed(self.seed),
        }
        for name, value in checked.items():
            object.__setattr__(self, name, value)


def scored(engine: Engine, request: Scoring, progress: Progress | None = None) -> Scores:
    """The scores of a model, pooled over draws.

    1. Rows with an observed outcome are assigned to folds by a hash of their keys, stratified for zeros and ones. Rows
       without an outcome are in no fold: they serve for learning in every fold, and are never scored.
    2. For each fold its outcomes are hidden. m draws of all missing values are made by models that learn only from the
       other rows, so that no row of the fold influences its own imputed values.
    3. The model is fitted to the other rows of each draw, and predicts the fold's rows in the same draw.
    4. The predictions of all folds are scored by draw, and the scores are pooled by Rubin's rules.

    Warning: an interval is about these predictions. It does not include the variation of predictions between models
    fitted to different rows.

    Raises:
        UnknownName: the outcome is not a column.
        QueryError: the outcome is computed, or the formula does not fit the columns.
        DataError: the outcome is not numeric, there are too few rows, or predictors stay incomplete.
    """
    with engine.lock:
        found = read(engine, staged(engine, request.text), blind=True)
        outcome = _outcome(found, request.formula)
        fold = _folds(found, outcome, request)
        predictions = np.full((request.m, len(fold)), np.nan)
        for number in range(request.folds):
            for draw, frame in enumerate(_completed(found, outcome, fold == number, request)):
                predictions[draw, fold == number] = _predicted(request, frame, fold == number)
                if progress:
                    progress((number + (draw + 1) / request.m) / request.folds)
    used = fold >= 0
    scores = pool_scores(found.rows.columns[outcome].values[used].astype(np.float64), list(predictions[:, used]))
    return replace(scores, notes=(*_notes(request, int(np.count_nonzero(~used))), *scores.notes))


def _outcome(found: Source, formula: str) -> Column:
    name = formula.partition("~")[0].strip()
    known = {column.name: column for column in found.rows.columns}
    if name not in found.types:
        raise UnknownName(f"the outcome {name!r} is not a column; it stands alone at the left of ~: {', '.join(known)}")
    if name not in known:
        raise DataError(f"the outcome {name!r} has no values that could be predicted")
    cells = found.rows.columns[known[name]].numbers()
    if cells.kind not in (Kind.NUMBER, Kind.INTEGER, Kind.BOOLEAN):
        raise DataError(
            f"the outcome {name!r} does not hold numbers: score zeros and ones, such as ({name} = 'yes')::INT"
        )
    return known[name]


def _folds(found: Source, outcome: Column, request: Scoring) -> NDArray[np.intp]:
    """(n,) the fold of each row; -1 for rows without an outcome."""
    cells = found.rows.columns[outcome].numbers()
    fold = np.full(len(cells.missing), -1, np.intp)
    values = np.where(cells.missing, 0.0, cells.values.astype(np.float64))
    binary = _is_binary(cells)
    lots = random.uniform(found.rows.keys, request.seed, "fold")
    for value in (0.0, 1.0) if binary else (None,):
        mine = np.flatnonzero(~cells.missing if value is None else ~cells.missing & (values == value))
        if len(mine) < request.folds:
            what = "" if value is None else f" that are {value:g}"
            raise DataError(f"{len(mine)} observed outcomes{what} are too few for {request.folds} folds")
        fold[mine[np.argsort(lots[mine])]] = np.arange(len(mine)) % request.folds
    return fold


def _is_binary(cells: Cells) -> bool:
    return bool(np.isin(cells.values[~cells.missing].astype(np.float64), (0.0, 1.0)).all())


def _completed(found: Source, outcome: Column, test: Flags, request: Scoring) -> Iterator[pd.DataFrame]:
    """The completed rows of each draw, imputed by models of the rows outside the fold."""
    import pandas as pd

    cells = found.rows.columns[outcome].numbers()
    if _is_binary(cells):
        cells = Cells(cells.values == 1, cells.missing, Kind.BOOLEAN)
    hidden = {**found.rows.columns, outcome: cells.like(cells.values, cells.missing | test)}
    rows = replace(found.rows, columns=hidden, learn=~test)
    targets = tuple(column for column in rows.columns if column in found.targets or column == outcome)
    source = replace(found, rows=rows, targets=targets)
    for values in source.request(request.imputer, request.seed).draws(range(1, request.m + 1)):
        yield pd.DataFrame(_as_numbers(completed_columns(source, values), outcome.name))


def _as_numbers(columns: Mapping[str, Array], outcome: str) -> dict[str, Any]:
    return {name: values.astype(np.float64) if name == outcome else values for name, values in columns.items()}


def _predicted(request: Scoring, frame: pd.DataFrame, test: Flags) -> Array:
    (fit,) = fitted([frame[~test]], request.formula, request.model)
    try:
        found = np.asarray(fit.predict(frame[test]), np.float64)
    except Exception as error:  # such as a level that no other fold has
        raise DataError(f"{request.formula!r} cannot predict rows of a fold: {str(error).splitlines()[0]}") from error
    if found.shape != (int(test.sum()),) or not np.isfinite(found).all():
        raise DataError(f"{request.formula!r} cannot predict all rows of a fold: a predictor stays incomplete")
    return found


def _notes(request: Scoring, aside: int) -> tuple[Note, ...]:
    message = (
        f"{request.folds} folds, {request.m} draws in each: imputer and model learnt from the other folds' rows alone, "
        "and the outcome of a fold's rows was hidden from the imputer"
    )
    folds = Note(NoteKind.FOLDS, request.folds, message)
    if not aside:
        return (folds,)
    words = f"{aside:,} rows miss the outcome: learnt from, and not scored"
    return (folds, Note(NoteKind.ROWS_LEFT_OUT, request.formula.partition("~")[0].strip(), words))
