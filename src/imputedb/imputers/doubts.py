"""Notes on doubtful draws, found before they are made: few rows, no predictors, columns never observed together.

The notes on donors and on linear models come from a regression line (straight.py).
"""

from collections.abc import Iterator, Sequence

import numpy as np

from imputedb.algebra.column import Column
from imputedb.imputers.chained.chained import Chained
from imputedb.imputers.expected_coverage import Matching, coverage_notes, few_donors
from imputedb.imputers.feedback import fed_back
from imputedb.imputers.leverage import leverage
from imputedb.imputers.protocol import Imputer, Stretches, matches_lines, same_donors, takes_donors, takes_lines
from imputedb.imputers.regression_line import curvature_note, regression_line, residual_note
from imputedb.imputers.rows import Rows
from imputedb.imputers.scales import scales
from imputedb.imputers.stretched import Stretched
from imputedb.imputers.surface import surface
from imputedb.imputers.tree import Tree
from imputedb.notes import Note, NoteKind, Question
from imputedb.statistics.table import Kind

DONORS = 10
"""Number of observed values below which draws repeat the same few values."""

FEW_FOR_DONORS = 40
"""Observed values below which donors are dissimilar: slopes of `tree` and `pmm` cover 70 % with 21, 87 % with 36."""

EVENTS = 10
"""Number of rows of the rarer of two classes below which they are few: with some 200 rows, `tree` covers 80 to 85 % of
the slopes, `logistic` 89 %, and 86 % of the means.
"""

ROWS_A_COLUMN = 3
"""Observed rows per predictor below which there are few to learn from."""


def doubts(imputer: Imputer, rows: Rows, targets: Sequence[Column], question: Question | None = None) -> list[Note]:
    """Notes on an imputer's draws of some targets; each names the column and the cause.

    Args:
        imputer: the imputer.
        rows: the rows.
        targets: the columns to fill.
        question: what intervals are about, a population or the complete table's answer; None for notes on both, each of
            which states its question.
    """
    found: list[Note] = []
    for column in targets:
        missing = rows.columns[column].missing
        if missing.any():
            found += _few(rows, column, donors=takes_donors(imputer))
            found += _few_events(imputer, rows, column)
            found += _alone(rows, column)
            found += _apart(rows, column, targets)
            found += _by_a_line(imputer, rows, column)
    found += [] if isinstance(imputer, Stretched) else leverage(imputer, rows, targets)
    found += fed_back(imputer, rows, targets, drawn=True)
    return [one for one in found if question is None or one.concerns(question)]


def _by_a_line(imputer: Imputer, rows: Rows, column: Column) -> Iterator[Note]:
    """Notes on donors that cannot follow a relation, or on relations that a linear model cannot follow."""
    if takes_donors(imputer):
        scale = scales(rows, [column]).get(column) if isinstance(imputer, Stretches) else None
        if (found := regression_line(rows, column, scale, None if scale is None else scale.inverse)) is not None:
            there = surface(found)
            yield from coverage_notes(
                found, there, Matching(imputer.name, matches_lines(imputer), same_donors(imputer))
            )
            yield from few_donors(found, there)
    elif takes_lines(imputer):
        stretch = imputer.scale(rows, column) if isinstance(imputer, Stretched) else None
        if (found := regression_line(rows, column, None if stretch is None else stretch.forward)) is not None:
            yield from curvature_note(found)
            yield from residual_note(found)


def _few(rows: Rows, column: Column, *, donors: bool) -> Iterator[Note]:
    observed, others = int(np.count_nonzero(rows.training(column))), len(rows.columns) - 1
    if observed < DONORS:
        few = (
            f"fewer than {DONORS} donors, so that draws repeat the same few values"
            if donors
            else f"fewer than {DONORS}, which is little to learn from"
        )
        words = f" is observed in {observed} of the rows that are learnt from: {few}"
        yield Note(NoteKind.FEW_OBSERVED, column, column, words)
    elif observed < ROWS_A_COLUMN * others:
        words = f" is observed in {observed} rows, for {others} columns that predict it: few to learn from"
        yield Note(NoteKind.FEW_OBSERVED, column, column, words)
    if donors and others and DONORS <= observed < FEW_FOR_DONORS:
        yield Note(
            NoteKind.FEW_OBSERVED,
            column,
            column,
            f" is observed in {observed} rows, few for donors that are like the missing ones: slopes and "
            "correlations come out flat, and intervals about the complete table's answer too short",
        ).of("answer")


def _few_events(imputer: Imputer, rows: Rows, column: Column) -> Iterator[Note]:
    """A note on a rare class of a column with two classes."""
    if not isinstance(imputer, Tree | Chained) or rows.columns[column].kind is Kind.NUMBER:
        return
    values = rows.columns[column].values[rows.training(column)]
    if len(values) < DONORS or values.dtype.kind not in "biu":
        return
    least = values.min()
    first = int(np.count_nonzero(values == least))
    events = min(first, len(values) - first)
    if events < EVENTS and np.count_nonzero(values == values.max()) == len(values) - first:
        yield Note(
            NoteKind.FEW_EVENTS,
            column,
            column,
            f" is observed in {events} rows of the rarer of its two values, fewer than {EVENTS}: intervals of "
            "what rests on it, slopes above all, are too short",
        )


def _alone(rows: Rows, column: Column) -> Iterator[Note]:
    """A note on missing cells of rows in which all other columns are missing too."""
    missing = np.flatnonzero(rows.columns[column].missing)
    count = len(missing)
    for other, cells in rows.columns.items():
        if other != column:
            missing = missing[cells.missing[missing]]
        if not len(missing):
            return
    if len(rows.columns) == 1:
        words = " is drawn unconditionally: no other column is at hand that could tell of it"
        yield Note(NoteKind.UNCONDITIONAL, column, column, words)
    else:
        yield Note(
            NoteKind.UNCONDITIONAL,
            column,
            f"{len(missing):,} of the {count:,} missing cells of ",
            column,
            " are drawn unconditionally: their rows lack every other column too",
        )


def _apart(rows: Rows, column: Column, targets: Sequence[Column]) -> Iterator[Note]:
    """Notes on columns that are never observed together with this one; one for each pair of targets."""
    learn = slice(None) if rows.learn is None else rows.learn
    mine = ~rows.columns[column].missing[learn]
    share = np.count_nonzero(mine)
    for other, cells in rows.columns.items():
        if other == column or (other in targets and other < column):
            continue
        theirs = ~cells.missing[learn]
        if 0 < np.count_nonzero(theirs) <= len(mine) - share and not (mine & theirs).any():
            yield Note(
                NoteKind.NEVER_TOGETHER,
                column,
                column,
                " and ",
                other,
                " are never observed in the same row: nothing says how they hang together, and "
                "draws take them for unrelated given the others",
            )
