"""Prediction intervals of imputed cells, or prediction sets of categories, with coverage measured on hidden cells.

1. A share of the rows gets the missingness of other rows, picked at random among those in which the column is missing
   (`own` of `evaluation`), so that hidden cells occur in the same patterns of missingness as missing cells.
2. The imputer fills hidden and missing cells alike, and never sees hidden values.
3. Half of the hidden cells give the distribution of errors for each pattern of missingness: for numbers, true less
   imputed value; for categories, 1 - the probability of the true one over 20 draws. A pattern with too few cells
   uses the threshold of all patterns together.
4. The other half measures the coverage of these intervals.

Warning: the coverage holds for cells that are missing like the hidden ones: independently of their values, given the
pattern. Where the value itself causes missingness, or missing rows differ from others, coverage may be lower.
"""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imputedb import arguments
from imputedb.algebra.column import Column
from imputedb.diagnostics.calibration import Flags, Halves, Pattern, by_pattern, check_enough, halved, unfilled
from imputedb.diagnostics.evaluation import others
from imputedb.engines.engine import Engine
from imputedb.errors import CannotImpute, DataError
from imputedb.execution.table import StoredRows, display_value, stored
from imputedb.imputers.hiding import cells_by_pattern, hidden
from imputedb.imputers.protocol import Imputer, Progress
from imputedb.imputers.request import Request
from imputedb.imputers.rows import Array, Cells
from imputedb.notes import Note, NoteKind
from imputedb.statistics.conformal import needed, two_sided, upper
from imputedb.statistics.policy import Policy
from imputedb.statistics.table import Kind

Floats = NDArray[np.float64]

DRAWS = 20
"""Imputations a cell from which the chances of categories are counted."""
CATEGORICAL = (Kind.CATEGORY, Kind.BOOLEAN)


@dataclass(frozen=True, slots=True)
class CellInterval:
    """An imputed cell with its interval.

    Attributes:
        row: value of the table's key, or the rowid where there is no key.
        value: imputed value; None where the column's policy leaves the cell missing, because its precision is too low
            (MISSING BELOW).
        low: lower end of the interval; None for categories.
        high: upper end of the interval; None for categories.
        categories: prediction set, the likeliest category first; empty for numbers.
        missing: other columns that are missing in the row.
    """

    row: object
    value: object
    low: object | None
    high: object | None
    categories: tuple[object, ...]
    missing: Pattern


@dataclass(frozen=True, slots=True)
class PatternCoverage:
    """The coverage of intervals on the hidden cells of one pattern of missingness.

    Attributes:
        missing: other columns that are missing in the pattern.
        cells: number of imputed cells.
        calibrated: number of hidden cells that calibrated the threshold, those of all patterns if `pooled`.
        checked: number of other hidden cells, on which coverage was measured.
        coverage: share of these whose interval or set contains the true value; NaN where there are none.
        width: width of the intervals; for sets their mean number of categories.
        pooled: whether the threshold is that of all patterns, since this one has too few hidden cells.
    """

    missing: Pattern
    cells: int
    calibrated: int
    checked: int
    coverage: float
    width: float
    pooled: bool


@dataclass(frozen=True, slots=True)
class CellIntervals:
    """The imputed cells of a column with their intervals.

    Attributes:
        table: name of the table.
        column: name of the column.
        key: column whose values are in `row`.
        imputer: imputer that filled the column: the requested one, or that of the column's policy.
        level: requested level.
        coverage: measured coverage over all patterns.
        checked: number of hidden cells on which it was measured; none of them calibrated the intervals.
        cells: imputed cells by row.
        patterns: coverage by pattern, the most frequent pattern first.
        notes: notes for the reader.
    """

    table: str
    column: str
    key: str
    imputer: str
    level: float
    coverage: float
    checked: int
    cells: tuple[CellInterval, ...]
    patterns: tuple[PatternCoverage, ...]
    notes: tuple[Note, ...]

    def data(self) -> dict[str, Any]:
        """The result as dictionaries and lists, with values as they are shown."""
        return asdict(self)


def cell_intervals(
    engine: Engine,
    name: str,
    column: str,
    imputer: Imputer,
    *,
    level: float = 0.9,
    share: float = 0.3,
    seed: int = 0,
    progress: Progress | None = None,
) -> CellIntervals:
    """The interval of each imputed number of a column, or the prediction set of each other imputed cell.

    Args:
        engine: engine that holds the table.
        name: name of the table.
        column: column with the missing cells.
        imputer: imputer to use.
        level: confidence level of the intervals and sets.
        share: share of the rows that get missingness of other rows.
        seed: seed for hiding, halving and the imputer's draws.
        progress: called with the share that is done.

    Raises:
        QueryError: the level or the share is out of range.
        UnknownName: no table or column of that name.
        CannotImpute: the column has no observed value.
        DataError: nothing is missing, too few cells can be hidden, or a policy forbids imputing the column.
    """
    level, seed = arguments.share("level", level), arguments.seed(seed)
    share = arguments.share("share to hide", share, most=0.5, example="such as 0.3")
    table = stored(engine, name, [column])
    target = table.target(column)
    _check_some(table, target)
    cells, gaps = table.rows.columns[target], table.gaps(target)
    dirty = _dirty(table)
    laid = cells_by_pattern(table.rows, dirty, share, seed, gaps)
    flags = {one: flag & ~gaps for one, flag in laid.items()}  # missing cells stay as they are
    request = table.request(imputer, hidden(table.rows, flags), dirty, seed)
    found = request.best(progress)
    given = found.values[target]
    values = request.rows.columns[target].given(np.ma.getdata(given)).values
    split = halved(request.rows, target, gaps, flags[target], unfilled(request, target, given), seed)
    check_enough(table, target, split, level, 1 if cells.kind in CATEGORICAL else 2)
    if cells.kind in CATEGORICAL:
        intervals, patterns = _sets(table, cells, values, _chances(request, target, progress), split, level)
    else:
        intervals, patterns = _intervals(table, cells, values, split, level, table.statistics.policy(target.name))
    intervals, staying = _left(table, table.request(imputer, table.rows, [target], seed), target, intervals)
    return _together(table, request, target, level, intervals, patterns, [*found.notes, *others(request), *staying])


def _dirty(table: StoredRows) -> list[Column]:
    known = {one: table.gaps(one) for one, its in table.rows.columns.items() if not its.missing.all()}
    return [one for one, missing in known.items() if table.is_imputed(one) and missing.any()]


def _check_some(table: StoredRows, target: Column) -> None:
    if not table.gaps(target).any():
        raise DataError(f"{table.table.name}.{target.name} has no missing value: there is no cell to give an interval")
    if table.rows.columns[target].missing.all():
        raise CannotImpute(f"{table.table.name}.{target.name} has no observed value: nothing says what it could be")


def _left(
    table: StoredRows, request: Request, target: Column, intervals: list[CellInterval]
) -> tuple[list[CellInterval], list[Note]]:
    """The cells, without values where a policy leaves them missing, and a note on their number."""
    places = np.flatnonzero(request.rows.columns[target].missing)[request.left_missing(target)]
    rows = set(table.identities[places].tolist())
    stay = [replace(one, value=None) if one.row in rows else one for one in intervals]
    count = sum(one.value is None for one in stay)
    words = f"{count:,} cells stay missing: {request.permit(target).policy.left}"
    return stay, [Note(NoteKind.STAYS, target.name, words)] if count else []


def _chances(request: Request, target: Column, progress: Progress | None) -> Floats:
    """(n, levels) relative frequency of each category over draws; its share in the column counts as one more draw."""
    cells = request.rows.columns[target]
    places = np.flatnonzero(cells.missing)
    count = max(len(cells.levels), 2)
    observed = cells.values[~cells.missing].astype(np.intp)
    found = np.tile(np.bincount(observed, minlength=count) / len(observed), (len(cells.missing), 1))
    for draw in request.drawn(range(1, DRAWS + 1), progress):
        found[places, np.ma.getdata(draw[target]).astype(np.intp)] += 1
    return np.asarray(found / (DRAWS + 1))


def _intervals(
    table: StoredRows, cells: Cells, values: Array, split: Halves, level: float, policy: Policy
) -> tuple[list[CellInterval], list[PatternCoverage]]:
    single, truth = values.astype(np.float64), cells.values.astype(np.float64)
    errors = np.zeros(len(truth))
    np.subtract(truth, single, out=errors, where=truth != single)  # infinities included
    low, high = np.empty(len(truth)), np.empty(len(truth))
    patterns = []
    for number, calibrating, pooled in by_pattern(split, needed(level, 2)):
        mine = split.patterns == number
        below, above = two_sided(errors[calibrating], level)
        low[mine], high[mine] = single[mine] + below, single[mine] + above
        holds = (low <= truth) & (truth <= high)
        width = above - below
        patterns.append(_coverage(split, number, calibrating, pooled, holds, width))
    low, high = _bounded(low, high, cells.kind, policy)
    found = [
        CellInterval(
            row,
            display_value(values[place], cells),
            display_value(low[place], cells),
            display_value(high[place], cells),
            (),
            lacking,
        )
        for place, row, lacking in _missing_cells(table, split)
    ]
    return found, patterns


def _bounded(low: Floats, high: Floats, kind: Kind, policy: Policy) -> tuple[Floats, Floats]:
    """The ends of intervals as possible values: whole numbers for integers and times, within the range of a policy."""
    if kind in (Kind.INTEGER, Kind.DATE, Kind.TIMESTAMP):
        low, high = np.ceil(low), np.floor(high)
    if isinstance(policy.low, int | float):
        low, high = np.maximum(low, policy.low), np.maximum(high, policy.low)
    if isinstance(policy.high, int | float):
        low, high = np.minimum(low, policy.high), np.minimum(high, policy.high)
    return low, np.maximum(low, high)


def _sets(
    table: StoredRows, cells: Cells, values: Array, chances: Floats, split: Halves, level: float
) -> tuple[list[CellInterval], list[PatternCoverage]]:
    truth = np.where(cells.missing, 0, cells.values).astype(np.intp)
    scores = 1 - chances[np.arange(len(truth)), truth]
    member = np.zeros(chances.shape, bool)
    patterns = []
    for number, calibrating, pooled in by_pattern(split, needed(level, 1)):
        mine = split.patterns == number
        member[mine] = 1 - chances[mine] <= upper(scores[calibrating], level)
        member[mine, values[mine].astype(np.intp)] = True  # a set is never empty
        size = float(member[mine & (split.missing | split.checks)].sum(axis=1).mean())
        holds = member[np.arange(len(truth)), truth]
        patterns.append(_coverage(split, number, calibrating, pooled, holds, size))
    found = []
    for place, row, lacking in _missing_cells(table, split):
        ranked = np.argsort(-chances[place], kind="stable")
        mine = tuple(display_value(one, cells) for one in ranked if member[place, one])
        found.append(CellInterval(row, display_value(values[place], cells), None, None, mine, lacking))
    return found, patterns


def _coverage(
    split: Halves, number: int, calibrating: Flags, pooled: bool, holds: Flags, width: float
) -> PatternCoverage:
    mine = split.patterns == number
    checked = mine & split.checks
    coverage = float(holds[checked].mean()) if checked.any() else float("nan")
    missing = int((mine & split.missing).sum())
    return PatternCoverage(
        split.names[number], missing, int(calibrating.sum()), int(checked.sum()), coverage, width, pooled
    )


def _missing_cells(table: StoredRows, split: Halves) -> Iterable[tuple[int, object, Pattern]]:
    """The missing cells in the order of keys: position, key value, and the other missing columns of the row."""
    places = np.flatnonzero(split.missing)
    identities = table.identities[places]
    order = np.argsort(identities, kind="stable")
    for place, row in zip(places[order].tolist(), identities[order].tolist(), strict=True):
        yield place, row, split.names[split.patterns[place]]


def _together(
    table: StoredRows,
    request: Request,
    target: Column,
    level: float,
    cells: Sequence[CellInterval],
    patterns: Sequence[PatternCoverage],
    notes: Sequence[Note],
) -> CellIntervals:
    checked = sum(one.checked for one in patterns)
    coverage = sum(one.coverage * one.checked for one in patterns if one.checked) / checked
    remarks = [note.under(request.imputer.name) for note in notes]
    if pooled := sum(one.cells for one in patterns if one.pooled):
        words = (
            f"{pooled} of {len(cells)} cells have a pattern of missingness with too few hidden cells, and so the "
            "threshold of all patterns together"
        )
        remarks.append(Note(NoteKind.EVALUATED, target.name, words))
    if coverage < level - 3 * np.sqrt(level * (1 - level) / checked):
        words = f"measured on {checked} hidden cells, {coverage:.1%} were covered, not {level:.0%}"
        remarks.append(Note(NoteKind.EVALUATED, target.name, words))
    ranked = tuple(sorted(patterns, key=lambda one: (-one.cells, one.missing)))
    name = table.table.name
    return CellIntervals(
        name,
        target.name,
        table.key,
        request.method(target),
        level,
        coverage,
        checked,
        tuple(cells),
        ranked,
        tuple(remarks),
    )
