"""An interval for each imputed cell, or a set of categories, with the coverage that was measured on hidden cells.

1. A share of the rows gets the missingness of other rows, picked at random from those that lack the column
   (`own` of `evaluation`), so that hidden cells have neighbours that are missing as those of missing cells are.
2. The imputer fills hidden and missing cells alike, and never sees what was hidden.
3. Half of the hidden cells give, for each pattern of missingness in the row, how far values are off: of numbers the
   truth less the value; of categories 1 - the chance of the true one, counted over 20 draws. A pattern with too
   few cells has the threshold of all patterns together.
4. The other half measures the coverage of just these intervals.

Warning: the coverage holds for cells that are missing as hidden ones are: regardless of values, given the pattern.
Where a value goes missing because of what it is, or mostly in rows of another kind, it may be lower than measured.
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
from imputedb.execution.table import Stored, shown, stored
from imputedb.imputers.hiding import hidden, own
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
    """One imputed cell.

    Attributes:
        row: the value of the table's key, or its rowid where there is none.
        value: the single value that the imputer gives; None where the column's policy leaves the cell missing, because
            it is not known precisely enough (MISSING BELOW).
        low: the lower end of its interval; None of categories.
        high: the upper end.
        categories: that it may be, the likeliest first; empty of numbers.
        missing: the other columns that its row lacks.
    """

    row: object
    value: object
    low: object | None
    high: object | None
    categories: tuple[object, ...]
    missing: Pattern


@dataclass(frozen=True, slots=True)
class PatternCoverage:
    """How intervals did on the hidden cells of one pattern of missingness.

    Attributes:
        missing: the other columns that rows of the pattern lack.
        cells: imputed ones.
        calibrated: hidden cells that the threshold was learnt from, of all patterns where `pooled`.
        checked: further hidden cells that the coverage was measured on.
        coverage: the share of these whose interval or set holds the truth; NaN where there are none.
        width: of the intervals; of sets the mean number of categories.
        pooled: whether the pattern had too few hidden cells, and has the threshold of all patterns together.
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
    """The imputed cells of a column.

    Attributes:
        table: its name.
        column: its name.
        key: the column that `row` is a value of.
        imputer: what filled the column: the one that was asked for, or that the column's policy names.
        level: that was asked for.
        coverage: what was measured, over all patterns.
        checked: hidden cells that it was measured on; none of them had a part in the intervals.
        cells: by row.
        patterns: the largest first.
        notes: what a reader must know.
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
        """The same as plain data: dictionaries, lists, the values as they are shown."""
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
    """An interval for each imputed number of a column, a set of categories for each other imputed cell.

    Args:
        engine: where the table lives.
        name: the table.
        column: whose missing cells are asked about.
        imputer: that fills in.
        level: of the intervals and sets.
        share: of the rows that are laid over with missingness.
        seed: what is hidden, how it is halved, and what the imputer draws.
        progress: told the share that is done.

    Raises:
        QueryError: no level or share of that kind.
        UnknownName: no table or column of that name.
        CannotImpute: the column has no observed value.
        DataError: nothing is missing, too few cells can be hidden, or a policy is never to fill the column in.
    """
    level, seed = arguments.share("level", level), arguments.seed(seed)
    share = arguments.share("share to hide", share, most=0.5, example="such as 0.3")
    table = stored(engine, name, [column])
    target = table.target(column)
    _check_some(table, target)
    cells, gaps = table.rows.columns[target], table.gaps(target)
    dirty = _dirty(table)
    laid = own(table.rows, dirty, share, seed, gaps)
    flags = {one: flag & ~gaps for one, flag in laid.items()}  # rows that are asked about stay as they are
    asked = table.request(imputer, hidden(table.rows, flags), dirty, seed)
    found = asked.best(progress)
    given = found.values[target]
    values = asked.rows.columns[target].given(np.ma.getdata(given)).values
    split = halved(asked.rows, target, gaps, flags[target], unfilled(asked, target, given), seed)
    check_enough(table, target, split, level, 1 if cells.kind in CATEGORICAL else 2)
    if cells.kind in CATEGORICAL:
        intervals, patterns = _sets(table, cells, values, _chances(asked, target, progress), split, level)
    else:
        intervals, patterns = _intervals(table, cells, values, split, level, table.statistics.policy(target.name))
    intervals, said = _left(table, table.request(imputer, table.rows, [target], seed), target, intervals)
    return _together(table, asked, target, level, intervals, patterns, [*found.said, *others(asked), *said])


def _dirty(table: Stored) -> list[Column]:
    known = {one: table.gaps(one) for one, its in table.rows.columns.items() if not its.missing.all()}
    return [one for one, gone in known.items() if table.is_imputed(one) and gone.any()]


def _check_some(table: Stored, target: Column) -> None:
    if not table.gaps(target).any():
        raise DataError(f"{table.table.name}.{target.name} has no missing value: there is no cell to give an interval")
    if table.rows.columns[target].missing.all():
        raise CannotImpute(f"{table.table.name}.{target.name} has no observed value: nothing says what it could be")


def _left(
    table: Stored, asked: Request, target: Column, intervals: list[CellInterval]
) -> tuple[list[CellInterval], list[Note]]:
    """The cells, without a value where a policy leaves them missing, and how many these are."""
    places = np.flatnonzero(asked.rows.columns[target].missing)[asked.left(target)]
    rows = set(table.identities[places].tolist())
    stay = [replace(one, value=None) if one.row in rows else one for one in intervals]
    count = sum(one.value is None for one in stay)
    words = f"{count:,} cells stay missing: {asked.permit(target).policy.left}"
    return stay, [Note(NoteKind.STAYS, target.name, words)] if count else []


def _chances(asked: Request, target: Column, progress: Progress | None) -> Floats:
    """(n, levels) how often each category is drawn for a cell; its share in the column counts as one more draw."""
    cells = asked.rows.columns[target]
    places = np.flatnonzero(cells.missing)
    count = max(len(cells.levels), 2)
    observed = cells.values[~cells.missing].astype(np.intp)
    found = np.tile(np.bincount(observed, minlength=count) / len(observed), (len(cells.missing), 1))
    for draw in asked.drawn(range(1, DRAWS + 1), progress):
        found[places, np.ma.getdata(draw[target]).astype(np.intp)] += 1
    return np.asarray(found / (DRAWS + 1))


def _intervals(
    table: Stored, cells: Cells, values: Array, split: Halves, level: float, policy: Policy
) -> tuple[list[CellInterval], list[PatternCoverage]]:
    single, truth = values.astype(np.float64), cells.values.astype(np.float64)
    errors = np.zeros(len(truth))
    np.subtract(truth, single, out=errors, where=truth != single)  # also of infinities
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
        CellInterval(row, shown(values[place], cells), shown(low[place], cells), shown(high[place], cells), (), lacking)
        for place, row, lacking in _asked(table, split)
    ]
    return found, patterns


def _bounded(low: Floats, high: Floats, kind: Kind, policy: Policy) -> tuple[Floats, Floats]:
    """Ends that are values of the column: whole numbers of integers and times, inside the range of a policy."""
    if kind in (Kind.INTEGER, Kind.DATE, Kind.TIMESTAMP):
        low, high = np.ceil(low), np.floor(high)
    if isinstance(policy.low, int | float):
        low, high = np.maximum(low, policy.low), np.maximum(high, policy.low)
    if isinstance(policy.high, int | float):
        low, high = np.minimum(low, policy.high), np.minimum(high, policy.high)
    return low, np.maximum(low, high)


def _sets(
    table: Stored, cells: Cells, values: Array, chances: Floats, split: Halves, level: float
) -> tuple[list[CellInterval], list[PatternCoverage]]:
    truth = np.where(cells.missing, 0, cells.values).astype(np.intp)
    scores = 1 - chances[np.arange(len(truth)), truth]
    member = np.zeros(chances.shape, bool)
    patterns = []
    for number, calibrating, pooled in by_pattern(split, needed(level, 1)):
        mine = split.patterns == number
        member[mine] = 1 - chances[mine] <= upper(scores[calibrating], level)
        member[mine, values[mine].astype(np.intp)] = True  # an empty set would say nothing
        size = float(member[mine & (split.missing | split.checks)].sum(axis=1).mean())
        holds = member[np.arange(len(truth)), truth]
        patterns.append(_coverage(split, number, calibrating, pooled, holds, size))
    found = []
    for place, row, lacking in _asked(table, split):
        ranked = np.argsort(-chances[place], kind="stable")
        mine = tuple(shown(one, cells) for one in ranked if member[place, one])
        found.append(CellInterval(row, shown(values[place], cells), None, None, mine, lacking))
    return found, patterns


def _coverage(
    split: Halves, number: int, calibrating: Flags, pooled: bool, holds: Flags, width: float
) -> PatternCoverage:
    mine = split.patterns == number
    checked = mine & split.checks
    coverage = float(holds[checked].mean()) if checked.any() else float("nan")
    asked = int((mine & split.missing).sum())
    return PatternCoverage(
        split.names[number], asked, int(calibrating.sum()), int(checked.sum()), coverage, width, pooled
    )


def _asked(table: Stored, split: Halves) -> Iterable[tuple[int, object, Pattern]]:
    """Places of the missing cells, the values of the table's key there, and what else their rows lack, by key."""
    places = np.flatnonzero(split.missing)
    identities = table.identities[places]
    order = np.argsort(identities, kind="stable")
    for place, row in zip(places[order].tolist(), identities[order].tolist(), strict=True):
        yield place, row, split.names[split.patterns[place]]


def _together(
    table: Stored,
    asked: Request,
    target: Column,
    level: float,
    cells: Sequence[CellInterval],
    patterns: Sequence[PatternCoverage],
    notes: Sequence[Note],
) -> CellIntervals:
    checked = sum(one.checked for one in patterns)
    coverage = sum(one.coverage * one.checked for one in patterns if one.checked) / checked
    said = [note.under(asked.imputer.name) for note in notes]
    if pooled := sum(one.cells for one in patterns if one.pooled):
        words = (
            f"{pooled} of {len(cells)} cells have a pattern of missingness with too few hidden cells, and so the "
            "threshold of all patterns together"
        )
        said.append(Note(NoteKind.EVALUATED, target.name, words))
    if coverage < level - 3 * np.sqrt(level * (1 - level) / checked):
        words = f"measured on {checked} hidden cells, {coverage:.1%} were covered, not {level:.0%}"
        said.append(Note(NoteKind.EVALUATED, target.name, words))
    ranked = tuple(sorted(patterns, key=lambda one: (-one.cells, one.missing)))
    name = table.table.name
    return CellIntervals(
        name,
        target.name,
        table.key,
        asked.method(target),
        level,
        coverage,
        checked,
        tuple(cells),
        ranked,
        tuple(said),
    )
