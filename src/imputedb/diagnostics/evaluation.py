"""How well imputers fill in a table: cells that are known are hidden, filled, and compared.

1. `mcar` hides a share of the observed cells of every column, each on its own. `own` gives a share of the rows the
   missingness of another row each, picked at random, so that columns go missing together as they do in the table.
2. Each imputer fills hidden and missing cells alike; it never sees what was hidden.
   Along with a cell of a derived column what it is derived from is hidden, as it is missing in a row that misses
   both: else it would be known exactly, as truly missing cells are not. Where policies leave that missing (KEEP,
   DROP, STRUCTURAL) the cell stays missing too, and is no part of a score.
3. Errors and biases are of the hidden cells alone.

Warning: both ways hide values regardless of what they are. Where a value goes missing because of what it is, the
error on truly missing cells is larger than what is measured here.
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
from imputedb.execution.table import Stored, shown, stored
from imputedb.imputers.hiding import hidden, own, spared, uniform
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
    """How one imputer did on the hidden cells of one column, in all rows or in a subgroup.

    Attributes:
        imputer: its name.
        column: the column.
        group: the subgroup's value as text; None for all rows.
        cells: hidden cells.
        error: of numbers, root mean square error / standard deviation (1 is what the mean reaches); of categories and
            booleans the share that is wrong.
        bias: of numbers, the mean of filled less true / standard deviation; None of categories.
        wrong: whether the error is a share that is wrong.
        method: what filled the column: the imputer, or the one that the column's policy names.
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
    """Imputers side by side.

    Attributes:
        table: the table.
        pattern: how cells were hidden.
        hidden: how many cells were.
        by: the column that makes the subgroups.
        scores: by imputer, column and subgroup.
        seconds: what each imputer took to fill all hidden and missing cells.
        notes: what imputers had to say.
        policies: of the table's columns, in words.
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
        """Errors by column and imputer, as a notebook shows them."""
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
    """Hides observed cells of a table, fills them, and compares.

    Args:
        engine: where the table lives.
        name: the table.
        imputers: at least one.
        share: of the cells, or of the rows.
        pattern: how cells are hidden.
        by: a column whose values make subgroups.
        columns: the columns to judge by; those with missing values unless given, all where none has.
        seed: what is hidden, and what imputers draw.
        progress: told the share that is done.

    Raises:
        QueryError: no imputer, share or pattern of that kind.
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
        asked = table.request(imputer, rows, sorted(flags), seed)
        found = asked.values(_told(progress, number, len(imputers)))
        seconds[imputer.name] = perf_counter() - began
        notes += [one.under(imputer.name) for one in (*found.said, *others(asked))]
        for column in sorted(flags):
            names = imputer.name, asked.method(column)
            notes += [one.under(imputer.name) for one in staying(asked, column, found.values[column])]
            scores += _scores(names, table.rows.columns[column], rows, column, flags[column], found.values, groups)
    count, policies = sum(int(flag.sum()) for flag in flags.values()), table.statistics.said
    return Evaluation(table.table.name, pattern, count, by, tuple(scores), seconds, tuple(notes), policies)


def _hidden(table: Stored, targets: Sequence[Column], pattern: Pattern, share: float, seed: int) -> dict[Column, Flags]:
    """The cells that are hidden, by column."""
    if pattern == "mcar":
        flags = _mcar(table.rows, targets, share, seed)
    else:
        lacking = np.logical_or.reduce([table.rows.columns[c].missing for c in targets])
        flags = own(table.rows, targets, share, seed, lacking)
    return {column: flag for column, flag in flags.items() if flag.any()}


def _check(imputers: Sequence[Imputer], pattern: str, by: str | None) -> None:
    if not imputers:
        raise QueryError("'drop' fills nothing in: there is nothing to compare; name other imputers")
    arguments.one_of("pattern", pattern, get_args(Pattern))
    if by is not None:
        arguments.text("by", by, example="the name of a column")


def staying(asked: Request, column: Column, values: Array) -> list[Note]:
    """What is to be said of cells, hidden ones among them, that a policy leaves missing."""
    count, policy = int(np.ma.getmaskarray(values).sum()), asked.permit(column).policy
    words = f"{count:,} cells of {column.name} stay missing: {policy.left}"
    return [Note(NoteKind.STAYS, column, words)] if count else []


def others(asked: Request) -> list[Note]:
    """What is filled by an imputer of its own, and which cells count alike though weights differ."""
    others = {column.name: asked.filler(column).name for column in asked.imputed}
    weights = {c.name: weight for c in asked.imputed if (weight := asked.permit(c).policy.weight)}
    said = [
        (c, f"{c} is filled by {own}, as its policy says") for c, own in others.items() if own != asked.imputer.name
    ]
    said += [(c, f"hidden cells of {c} count alike, whatever their WEIGHT {weight}") for c, weight in weights.items()]
    return [Note(NoteKind.EVALUATED, column, words) for column, words in said]


def _told(progress: Progress | None, number: int, of: int) -> Progress | None:
    return None if progress is None else lambda share: progress((number + share) / of)


def targets_of(table: Stored, names: Sequence[str]) -> list[Column]:
    """The columns that imputers are judged by: those that are named, else those with gaps, else all that are filled."""
    if names:
        return [table.target(name) for name in names]
    filled = [column for column in table.rows.columns if table.is_imputed(column)]
    return [column for column in filled if table.rows.columns[column].missing.any()] or filled


def _mcar(rows: Rows, targets: Sequence[Column], share: float, seed: int) -> dict[Column, Flags]:
    return {c: spared(rows.columns[c], uniform(rows, seed, "hide", c.name) < share) for c in targets}


def _along(table: Stored, flags: Mapping[Column, Flags], seed: int) -> dict[Column, Flags]:
    """What is hidden, and along with each cell of a derived column what a row lacks of its parts that misses them."""
    cells, statistics, found = table.rows.columns, table.statistics, dict(flags)
    for column, flag in flags.items():
        names = derivation.behind(statistics.policies, statistics.columns, [column.name])
        lacks = {c: table.gaps(c) if table.is_imputed(c) else cells[c].missing for c in cells if c.name in names}
        parts = {one: gaps for one, gaps in lacks.items() if gaps.any()}
        if not parts:
            continue
        known = flag & ~np.logical_or.reduce([found[one] for one in parts if one in found] or [~flag])
        lacking = np.logical_or.reduce(list(parts.values()))
        models = np.flatnonzero(lacking & cells[column].missing if (lacking & cells[column].missing).any() else lacking)
        picked = models[(uniform(table.rows, seed, "model", column.name) * len(models)).astype(np.intp)]
        for one, gone in parts.items():
            found[one] = found.get(one, False) | (known & gone[picked] & ~cells[one].missing)
    return found


def _groups(table: Stored, by: str | None) -> Mapping[str | None, Flags]:
    everybody: dict[str | None, Flags] = {None: np.ones(len(table.rows.keys), bool)}
    if by is None:
        return everybody
    cells = table.rows.columns[table.column(by)]
    values, counts = np.unique(cells.values[~cells.missing], return_counts=True)
    for value in values[np.argsort(-counts, kind="stable")][:GROUPS]:
        everybody[str(shown(value, cells))] = (cells.values == value) & ~cells.missing
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
