"""How closely a column's draws follow the other columns, beside how closely its true values do.

A linear regression on hidden cells has residuals of true values and of draws. Donors of a column that others nearly
determine are seldom close enough: their residuals are larger.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from imputedb.algebra.column import Column
from imputedb.notes import Note, NoteKind

Matrix = NDArray[np.float64]

LOOSE = 1.2
"""Ratio of the sizes of residuals, of draws and of true values, above which correlations near 1 are biased."""

SURE = 4.0
"""Standard errors by which the logarithm of the ratio has to exceed 0."""

ERROR = 1.3
"""Standard error of that logarithm, times the root of the number of cells, for medians of normal residuals."""

EXACT = 1e-6
"""Size of residuals, in standard deviations of the column, that rounding may explain."""

CELLS_A_REGRESSOR = 5
"""Hidden cells needed for each coefficient."""

NAMED, SHARE = 3, 0.1
"""Maximum number of columns that a note names, and the least effect of each, in standard deviations."""


def closeness_note(column: Column, imputer: str, mine: Matrix, others: Mapping[Column, Matrix]) -> Note | None:
    """A note if draws follow other columns less closely than true values do.

    Args:
        column: the column.
        imputer: name of the imputer that draws it.
        mine: (1 + draws, h) its true values on hidden cells, then the draws.
        others: (1 + draws, h) by column other numbers of the same rows.
    """
    h, spread = mine.shape[1], float(mine[0].std())
    known = {other: values for other, values in others.items() if values[0].std() > 0}
    if not known or h < CELLS_A_REGRESSOR * (len(known) + 1) or not spread > 0:
        return None
    centres = np.array([values[0].mean() for values in known.values()])
    scales = np.array([values[0].std() for values in known.values()])
    regressors = (np.stack(list(known.values()), axis=-1) - centres) / scales
    effects = np.linalg.lstsq(regressors[0], mine[0] - mine[0].mean(), rcond=None)[0]
    residuals = np.abs(mine - mine[0].mean() - regressors @ effects) / spread
    true = float(np.median(residuals[0])) * np.sqrt(h / (h - len(known) - 1))
    drawn = float(np.median(residuals[1:]))
    if drawn <= max(true * max(LOOSE, np.exp(SURE * ERROR / np.sqrt(h))), EXACT):
        return None
    return _note(column, imputer, h, _strongest(list(known), np.abs(effects) / spread), (true, drawn))


def _strongest(columns: Sequence[Column], effects: Matrix) -> list[Column]:
    """The columns of the largest effects, in standard deviations."""
    places = np.argsort(-effects, kind="stable")[:NAMED]
    return [columns[place] for place in places if effects[place] >= SHARE] or [columns[places[0]]]


def _note(column: Column, imputer: str, cells: int, beside: Sequence[Column], sizes: tuple[float, float]) -> Note:
    true, drawn = sizes
    ratio = drawn / true if true > EXACT else np.inf
    times = f"{ratio:,.{0 if ratio >= 10 else 1}f} times as far from" if np.isfinite(ratio) else "off"
    first, *rest = beside
    return Note(
        NoteKind.BIASED,
        column,
        column,
        f": on {cells:,} cells that were hidden, draws by {imputer} follow ",
        first,
        *(word for other in rest for word in (" and ", other)),
        f" less closely than its values do: they lie {times} what a straight line expects by these; "
        "differences, ratios and correlations near 1 between them are biased. A column that is computed from others "
        "can be declared so (DERIVED AS)",
    )
