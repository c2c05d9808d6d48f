"""The evaluation of imputers: observed cells are hidden, imputed, and compared with their true values.

1. `mcar` hides a share of the observed cells of every column, independently. `own` gives a share of the rows the
   missingness of other rows, picked at random, so that columns are hidden together as they are missing in the table.
2. Each imputer fills hidden and missing cells alike; it never sees hidden values.
   With a cell of a derived column, the columns that it is derived from are hidden too, in the patterns in which they
   are missing together; otherwise the cell could be computed exactly. Where a policy leaves those missing (KEEP,
   DROP, STRUCTURAL), the cell stays missing too and is not scored.
3. Errors and biases are computed on hidden cells only.

Warning: both ways hide cells independently of their values. Where the value itself causes missingness, the error on
truly missing cells is larger than measured.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from time import perf_counter
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from imputedb import arguments, markup
from imputedb.algebra.column import Column
from imputedb.engines.engine import Engine
from imputedb.errors import DataError, QueryError
from imputedb.execution.table import StoredRows, display_value, stored
from imputedb.imputers.hiding import cells_by_pattern, hidden, if_enough_left, uniform
from imputedb.imputers.protocol import Imputer, Progress
from imputedb.imputers.request import Request
from imputedb.imputers.rows import Array, Cells, Rows
from imputedb.notes import Note, NoteKind
from imputedb.sql import derivation
from imputedb.statistics.table import Kind

Pattern = Literal["mcar", "own"]
GROUPS = 20
"""Subgroups that are told apart, the largest ones."""

Flags = NDArray[np.bool_]
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Score:
    """The score of one imputer on the hidden cells of one column, in all rows or in a subgroup.

    Attributes:
        imputer: name of the imputer.
        column: name of the column.
        group: value of the subgroup as text; None for all rows.
        cells: number of hidden cells.
        error: for numbers, root mean square error / standard deviation (about 1 for the mean); for categories and
            booleans the share of wrong values.
        bias: for numbers, mean of imputed less true value / standard deviation; None for categories.
        wrong: whether the error is a share of wrong values.
        method: method that filled the column: the imputer, or that of the column's policy.
    """

    imputer: str
    column: str
    group: str | None
    cells: int
    error: float
    bias: float | None
    wrong: bool
    method: str


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Scores of several imputers.

    Attributes:
        table: name of the table.
        pattern: way of hiding cells.
        hidden: number of hidden cells.
        by: column of the subgroups.
        scores: scores by imputer, column and subgroup.
        seconds: time of each imputer for all hidden and missing cells.
        notes: notes of the imputers.
        policies: policies of the table's columns, as text.
    """

    table: str
    pattern: str
    hidden: int
    by: str | None
    scores: tuple[Score, ...]
    seconds: Mapping[str, float]
    notes: tuple[Note, ...] = ()
    policies: Mapping[str, str] = field(default_factory=dict)

    def overall(self, imputer: str) -> float:
        """The mean error over the columns; NaN where all hidden cells stay missing."""
        errors = [s.error for s in self.scores if s.imputer == imputer and s.group is None]
        return float(np.mean(errors)) if errors else float("nan")

    def _repr_html_(self) -> str:
        """Errors by column and imputer, as HTML for notebooks."""
        imputers, whole = list(self.seconds), [score for score in self.scores if score.group is None]
        errors = {(score.column, score.imputer): score.error for score in whole}
        columns = dict.fromkeys(score.column for score in whole)
        rows: list[list[object]] = [[one, *(errors.get((one, other)) for other in imputers)] for one in columns]
        rows.append(["mean of columns", *map(self.overall, imputers)])
        return markup.table(["column", *imputers], rows, title=f"errors of {self.table}", notes=self.notes)

    def data(self) -> dict[str, Any]:
        """The evaluation as JSON-ready data."""
        return {
            "table": self.table,
            "pattern": self.pattern,
            "hidden": self.hidden,
            "by": self.by,
            "seconds": dict(self.seconds),
            "overall": {imputer: self.overall(imputer) for imputer in self.seconds},
            "scores": [asdict(score) for score in self.scores],
            "notes": list(self.notes),
            "policies": dict(self.policies),
        }


def evaluate(
    engine: Engine,
    name: str,
    imputers: Sequence[Imputer],
    *,
    share: float = 0.1,
    pattern: Pattern = "mcar",
    by: str | None = None,
    columns: Sequence[str] = (),
    seed: int = 0,
    progress: Progress | None = None,
) -> Evaluation:
    """Hides observed cells of a table, imputes them, and compares them with the true values.

    Args:
        engine: engine that holds the table.
        name: name of the table.
        imputers: imputers to evaluate, at least one.
        share: share of the cells, or of the rows, to hide.
        pattern: way of hiding cells.
        by: column whose values make subgroups.
        columns: columns to evaluate; by default those with missing values, or all where none has.
        seed: seed for hiding and for the imputers' draws.
        progress: called with the share that is done.

    Raises:
        QueryError: there is no imputer, or the share or the pattern is not valid.
        UnknownName: no table or column of that name.
        DataError: nothing can be hidden.
    """
    _check(imputers, pattern, by)
    share, seed = arguments.share("share to hide", share, example="such as 0.1"), arguments.seed(seed)
    table = stored(engine, name, [by] if by else [])
    flags = _hidden(table, targets_of(table, arguments.names("columns", columns)), pattern, share, seed)
    if not flags:
        raise DataError(f"no observed cell of {name} can be hidden: give more columns, or a larger share")
    rows, groups = hidden(table.rows, _along(table, flags, seed)), _groups(table, by)
    scores, seconds, notes = list[Score](), dict[str, float](), list[Note]()
    for number, imputer in enumerate(imputers):
        began = perf_counter()
        request = table.request(imputer, rows, sorted(flags), seed)
        found = request.values(_share_of(progress, number, len(imputers)))
        seconds[imputer.name] = perf_counter() - began
        notes += [one.under(imputer.name) for one in (*found.notes, *others(request))]
        for column in sorted(flags):
            names = imputer.name, request.method(column)
            notes += [one.under(imputer.name) for one in staying(request, column, found.values[column])]
            scores += _scores(names, table.rows.columns[column], rows, column, flags[column], found.values, groups)
    count, policies = sum(int(flag.sum()) for flag in flags.values()), table.statistics.policy_texts
    return Evaluation(table.table.name, pattern, count, by, tuple(scores), seconds, tuple(notes), policies)


def _hidden(
    table: StoredRows, targets: Sequence[Column], pattern: Pattern, share: float, seed: int
) -> dict[Column, Flags]:
    """The hidden cells by column."""
    if pattern == "mcar":
        flags = _mcar(table.rows, targets, share, seed)
    else:
        lacking = np.logical_or.reduce([table.rows.columns[c].missing for c in targets])
        flags = cells_by_pattern(table.rows, targets, share, seed, lacking)
    return {column: flag for column, flag in flags.items() if flag.any()}


def _check(imputers: Sequence[Imputer], pattern: str, by: str | None) -> None:
    if not imputers:
        raise QueryError("'drop' fills nothing in: there is nothing to compare; name other imputers")
    arguments.one_of("pattern", pattern, get_args(Pattern))
    if by is not None:
        arguments.text("by", by, example="the name of a column")


def staying(request: Request, column: Column, values: Array) -> list[Note]:
    """Notes on cells that a policy leaves missing, hidden ones included."""
    count, policy = int(np.ma.getmaskarray(values).sum()), request.permit(column).policy
    words = f"{count:,} cells of {column.name} stay missing: {policy.left}"
    return [Note(NoteKind.STAYS, column, words)] if count else []


def others(request: Request) -> list[Note]:
    """Notes on columns with an imputer of their own, and on weights, which scores ignore."""
    others = {column.name: request.filler(column).name for column in request.imputed}
    weights = {c.name: weight for c in request.imputed if (weight := request.permit(c).policy.weight)}
    texts = [
        (c, f"{c} is filled by {own}, as its policy says") for c, own in others.items() if own != request.imputer.name
    ]
    texts += [(c, f"hidden cells of {c} count alike, whatever their WEIGHT {weight}") for c, weight in weights.items()]
    return [Note(NoteKind.EVALUATED, column, words) for column, words in texts]


def _share_of(progress: Progress | None, number: int, of: int) -> Progress | None:
    return None if progress is None else lambda share: progress((number + share) / of)


def targets_of(table: StoredRows, names: Sequence[str]) -> list[Column]:
    """The columns to evaluate: the named ones, else those with missing values, else all that can be imputed."""
    if names:
        return [table.target(name) for name in names]
    table.check_imputable()
    filled = [column for column in table.rows.columns if table.is_imputed(column)]
    return [column for column in filled if table.rows.columns[column].missing.any()] or filled


def _mcar(rows: Rows, targets: Sequence[Column], share: float, seed: int) -> dict[Column, Flags]:
    return {c: if_enough_left(rows.columns[c], uniform(rows, seed, "hide", c.name) < share) for c in targets}


def _along(table: StoredRows, flags: Mapping[Column, Flags], seed: int) -> dict[Column, Flags]:
    """The hidden cells; with those of derived columns also the cells that they are computed from."""
    cells, statistics, found = table.rows.columns, table.statistics, dict(flags)
    for column, flag in flags.items():
        names = derivation.sources_of(statistics.policies, statistics.columns, [column.name])
        lacks = {c: table.gaps(c) if table.is_imputed(c) else cells[c].missing for c in cells if c.name in names}
        parts = {one: gaps for one, gaps in lacks.items() if gaps.any()}
        if not parts:
            continue
        known = flag & ~np.logical_or.reduce([found[one] for one in parts if one in found] or [~flag])
        lacking = np.logical_or.reduce(list(parts.values()))
        models = np.flatnonzero(lacking & cells[column].missing if (lacking & cells[column].missing).any() else lacking)
        picked = models[(uniform(table.rows, seed, "model", column.name) * len(models)).astype(np.intp)]
        for one, missing in parts.items():
            found[one] = found.get(one, False) | (known & missing[picked] & ~cells[one].missing)
    return found


def _groups(table: StoredRows, by: str | None) -> Mapping[str | None, Flags]:
    everybody: dict[str | None, Flags] = {None: np.ones(len(table.rows.keys), bool)}
    if by is None:
        return everybody
    cells = table.rows.columns[table.column(by)]
    values, counts = np.unique(cells.values[~cells.missing], return_counts=True)
    if cells.kind in (Kind.INTEGER, Kind.NUMBER) and len(values) > GROUPS:
        raise QueryError(
            f"{table.table.name}.{by} has {len(values):,} different numbers, which make no subgroups: name a column of "
            f"{GROUPS} values or fewer, such as classes of it"
        )
    for value in values[np.argsort(-counts, kind="stable")][:GROUPS]:
        everybody[str(display_value(value, cells))] = (cells.values == value) & ~cells.missing
    if cells.missing.any():
        everybody["NULL"] = cells.missing
    return everybody


def _scores(
    names: tuple[str, str],
    truth: Cells,
    rows: Rows,
    column: Column,
    flags: Flags,
    filled: Mapping[Column, Array],
    groups: Mapping[str | None, Flags],
) -> list[Score]:
    imputer, method = names
    values = np.zeros(len(flags), np.float64)
    values[rows.columns[column].missing] = np.ma.getdata(filled[column]).astype(np.float64)
    stays = np.zeros(len(flags), bool)
    stays[rows.columns[column].missing] = np.ma.getmaskarray(filled[column])
    flags = flags & ~stays
    true = truth.values.astype(np.float64)
    wrong = truth.kind in (Kind.CATEGORY, Kind.BOOLEAN)
    unordered = wrong and not truth.ordered
    deviation = float(np.std(true[~truth.missing])) or 1.0
    found = []
    for group, members in groups.items():
        here = flags & members
        if not here.any():
            continue
        off = values[here] - true[here]
        error = float(np.mean(off != 0)) if wrong else float(np.sqrt(np.mean(off**2)) / deviation)
        bias = None if unordered else float(np.mean(off) / deviation)
        found.append(Score(imputer, column.name, group, int(here.sum()), error, bias, wrong, method))
    return found
