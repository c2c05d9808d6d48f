"""How well a model predicts rows that it has not seen, with imputation inside the folds of a cross-validation."""

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
from imputedb.statistics.table import Kind

if TYPE_CHECKING:
    import pandas as pd

Flags = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Scoring:
    """What is asked for.

    Attributes:
        text: a table's name or a SELECT.
        formula: whose left side is a column of numbers, or of zeros and ones.
        model: of statsmodels.
        imputer: that draws.
        m: completed data sets a fold.
        folds: parts that are left out in turn.
        seed: of draws and folds.
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


def scored(engine: Engine, asked: Scoring, progress: Progress | None = None) -> Scores:
    """Scores of a model, pooled over draws.

    1. Rows whose outcome is observed are dealt to folds by a hash of their keys, zeros and ones apart. Rows that miss
       it are in none: they are learnt from in every fold, and never scored.
    2. For a fold its rows' outcomes are hidden. m draws of all missing values are made by models that learn from the
       other rows alone; so neither the outcome of a row nor anything else of its fold is known to what fills it in.
    3. The model is fitted to the other rows of each draw, and predicts the fold's rows of the same draw.
    4. Each draw's predictions of all folds are scored, and the scores pooled by Rubin's rules.

    Warning: an interval is about these predictions. That a model fitted to other rows would predict otherwise is not in
    it.

    Raises:
        UnknownName: the outcome is no column.
        QueryError: it is computed, or the formula does not fit.
        DataError: the outcome is not of numbers, there are too few rows, or predictors stay incomplete.
    """
    with engine.lock:
        found = read(engine, staged(engine, asked.text), blind=True)
        outcome = _outcome(found, asked.formula)
        fold = _folds(found, outcome, asked)
        predictions = np.full((asked.m, len(fold)), np.nan)
        for number in range(asked.folds):
            for draw, frame in enumerate(_completed(found, outcome, fold == number, asked)):
                predictions[draw, fold == number] = _predicted(asked, frame, fold == number)
                if progress:
                    progress((number + (draw + 1) / asked.m) / asked.folds)
    used = fold >= 0
    scores = pool_scores(found.rows.columns[outcome].values[used].astype(np.float64), list(predictions[:, used]))
    return replace(scores, notes=(*_notes(asked, int(np.count_nonzero(~used))), *scores.notes))


def _outcome(found: Source, formula: str) -> Column:
    name = formula.partition("~")[0].strip()
    known = {column.name: column for column in found.rows.columns}
    if name not in found.types:
        raise UnknownName(f"the outcome {name!r} is no column; it stands alone at the left of ~: {', '.join(known)}")
    if name not in known:
        raise DataError(f"the outcome {name!r} has no values that could be predicted")
    cells = found.rows.columns[known[name]].numbers()
    if cells.kind not in (Kind.NUMBER, Kind.INTEGER, Kind.BOOLEAN):
        raise DataError(f"the outcome {name!r} is not of numbers: score zeros and ones, such as ({name} = 'yes')::INT")
    return known[name]


def _folds(found: Source, outcome: Column, asked: Scoring) -> NDArray[np.intp]:
    """(n,) the fold of each row, -1 of rows that miss the outcome."""
    cells = found.rows.columns[outcome].numbers()
    fold = np.full(len(cells.missing), -1, np.intp)
    values = np.where(cells.missing, 0.0, cells.values.astype(np.float64))
    binary = _is_binary(cells)
    lots = random.uniform(found.rows.keys, asked.seed, "fold")
    for value in (0.0, 1.0) if binary else (None,):
        mine = np.flatnonzero(~cells.missing if value is None else ~cells.missing & (values == value))
        if len(mine) < asked.folds:
            what = "" if value is None else f" that are {value:g}"
            raise DataError(f"{len(mine)} observed outcomes{what} are too few for {asked.folds} folds")
        fold[mine[np.argsort(lots[mine])]] = np.arange(len(mine)) % asked.folds
    return fold


def _is_binary(cells: Cells) -> bool:
    return bool(np.isin(cells.values[~cells.missing].astype(np.float64), (0.0, 1.0)).all())


def _completed(found: Source, outcome: Column, test: Flags, asked: Scoring) -> Iterator[pd.DataFrame]:
    """The rows of each draw, filled in by what the rows that are not tested say."""
    import pandas as pd

    cells = found.rows.columns[outcome].numbers()
    if _is_binary(cells):
        cells = Cells(cells.values == 1, cells.missing, Kind.BOOLEAN)
    hidden = {**found.rows.columns, outcome: cells.like(cells.values, cells.missing | test)}
    rows = replace(found.rows, columns=hidden, learn=~test)
    targets = tuple(column for column in rows.columns if column in found.targets or column == outcome)
    source = replace(found, rows=rows, targets=targets)
    for values in source.request(asked.imputer, asked.seed).draws(range(1, asked.m + 1)):
        yield pd.DataFrame(_as_numbers(completed_columns(source, values), outcome.name))


def _as_numbers(columns: Mapping[str, Array], outcome: str) -> dict[str, Any]:
    return {name: values.astype(np.float64) if name == outcome else values for name, values in columns.items()}


def _predicted(asked: Scoring, frame: pd.DataFrame, test: Flags) -> Array:
    (fit,) = fitted([frame[~test]], asked.formula, asked.model)
    try:
        found = np.asarray(fit.predict(frame[test]), np.float64)
    except Exception as error:  # a level that no other fold has, and what else packages raise
        raise DataError(f"{asked.formula!r} cannot predict rows of a fold: {str(error).splitlines()[0]}") from error
    if found.shape != (int(test.sum()),) or not np.isfinite(found).all():
        raise DataError(f"{asked.formula!r} cannot predict all rows of a fold: a predictor stays incomplete")
    return found


def _notes(asked: Scoring, aside: int) -> tuple[str, ...]:
    said = (
        f"{asked.folds} folds, {asked.m} draws in each: imputer and model learnt from the other folds' rows alone, and "
        "the outcome of a fold's rows was hidden from the imputer"
    )
    return (said, f"{aside:,} rows miss the outcome: learnt from, and not scored") if aside else (said,)
