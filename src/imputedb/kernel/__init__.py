"""The native core: chained-equation trees over arrays, in C++."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from imputedb.kernel import _kernel
from imputedb.kernel._kernel import Ranks

__all__ = [
    "LEAVES",
    "MIN_LEAF",
    "TRAIN_ROWS",
    "Cells",
    "Filled",
    "Fitted",
    "Picked",
    "Ranks",
    "fill",
    "fill_many",
    "ranks",
]

LEAVES = 64
MIN_LEAF = 10
TRAIN_ROWS = 50_000
"""Rows a model is learnt from at most; decisions/kernel.md has the error that costs."""

MOST_RANKED = 65_535
"""Rows of a column that has ranks at most."""

_CORES = os.cpu_count() or 1
_MODELS = ("centre", "linear", "tree", "linear+tree")


_TAKEN: tuple[Literal["C_CONTIGUOUS"], Literal["WRITEABLE"]] = ("C_CONTIGUOUS", "WRITEABLE")
"""Arrays that the bindings take: none that are read-only, though they write to none of them."""


@dataclass(frozen=True, slots=True)
class Cells:
    """One column of a table, read in place.

    Attributes:
        values: (n,) floats, integers or booleans; cells that are missing may hold anything.
        missing: (n,) True where the value is missing; None when nothing is. NaN in a floating column is missing too.
        nominal: whether the values are codes of categories.
        graded: whether these stand in the order of their codes.
    """

    values: NDArray[np.generic]
    missing: NDArray[np.bool_] | None = None
    nominal: bool = False
    graded: bool = False


@dataclass(frozen=True, slots=True)
class Picked:
    """Some rows of a column whose ranks are known, which predict others.

    Attributes:
        ranks: of the whole column.
        places: (n,) of the rows in it.
    """

    ranks: Ranks
    places: NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Fitted:
    """What a target was last filled by.

    Attributes:
        model: `centre` (mean or mode), `linear`, `tree` or `linear+tree`, whichever held-out cells spoke for.
        error: held-out error relative to the centre's: root mean square, of categories the share that is wrong.
        predictors: places of the columns it was learnt from.
    """

    model: str
    error: float
    predictors: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Filled:
    """The values of missing cells.

    Attributes:
        values: per target, the values of its missing rows in row order, of the column's own type.
        fitted: per target, what filled it.
        cycles: how many were run of those that are drawn, after their start.
        watched: places of the columns whose moments are kept, w of them.
        moments: (cycles + 1, w + 1, w + 1), after the start and each cycle the mean products of ones and the codes of
            these columns; fewer where nothing changes any more, none where the start is a draw of all.
    """

    values: tuple[NDArray[np.generic], ...]
    fitted: tuple[Fitted, ...]
    cycles: int
    watched: tuple[int, ...] = ()
    moments: NDArray[np.float64] = field(default_factory=lambda: np.zeros((0, 1, 1)))


def fill_many(
    columns: Sequence[Cells | Picked],
    targets: Sequence[int],
    draws: Sequence[int],
    *,
    cycles: int | None = None,
    leaves: int = LEAVES,
    min_leaf: int = MIN_LEAF,
    drawn: Collection[int] = (),
    seed: int = 0,
    rows: NDArray[np.uint64] | None = None,
    of_draw: NDArray[np.int64] | None = None,
    train_rows: int | Sequence[int] = TRAIN_ROWS,
    taught: int | None = None,
    threads: int = 0,
    progress: Callable[[float], object] | None = None,
) -> list[Filled]:
    """Values for the missing cells of the targets, by chained equations (van Buuren & Groothuis-Oudshoorn 2011).

    Every draw is as if alone; they share the columns' bins, and are spread over threads.

    Targets that are drawn start in the order of their missing counts: each from the complete columns and those that
    have started before it, so that columns which are missing together are drawn jointly. Then, cycle after cycle, a
    model of each is learnt from the newest values of all other columns, and fills its missing cells anew.

    A drawn value is a fair stand-in for the unknown one, so draws feed the models of the other columns that are drawn.
    A predicted one is not: it was computed from the very columns it would then help to predict, and errors grow
    (decisions/kernel.md has the figures). Where values are predicted, and for models of predicted columns, missing
    cells therefore keep a bin of their own, and one cycle says it all. The values of a target that is predicted depend
    on what is drawn for its row, not on which others are predicted; drawn ones do not depend on predicted ones at all.

    A row that misses a column which no row was learnt from without is predicted by the mean over both sides of a split,
    by the rows there, and drawn from one of them.

    Args:
        columns: the table; all columns of one length.
        targets: places of the columns to fill. All others predict, with a bin of their own for what is missing.
        draws: numbers of the draws, several of one seed.
        cycles: how often every target that is drawn is modelled anew after its start; None for none where missing
            values are nested, so that the start says it all, and else as many as their shares ask for.
        leaves: of a tree at most.
        min_leaf: rows of a leaf at least.
        drawn: those of the targets that get a random observed value from the leaf of a tree grown on a bootstrap of the
            rows. All others get means and most frequent categories, clipped to the observed range and rounded for
            integers.
        seed: one seed gives one answer, whatever the number of threads.
        rows: (n,) what random numbers are keyed by; 0..n-1 unless given.
        of_draw: (n,) the number of the draw that alone a row is filled in for, -1 for all; what it is given in others
            means nothing. All rows are filled in in all draws unless given.
        train_rows: rows a model is learnt from at most; one number, or one a target.
        taught: how many rows, the first ones, models learn from; all others are only filled. All unless given.
        threads: 0 for one a core.
        progress: called with the share that is done; an exception in it stops the work, as Ctrl-C does.

    Raises:
        ValueError: lengths differ, a target is not a place, or has no observed value; `train_rows` are not one a
            target.
        TypeError: a target is picked by ranks; a column is neither numbers of at most 64 bits nor booleans.
    """
    size = _size(columns, rows, of_draw)
    first = size if taught is None else taught
    if not 0 <= first <= size:
        raise ValueError(f"{first} rows to learn from, of {size}")
    values = [_native(place, column) for place, column in enumerate(columns)]
    filled = _checked(columns, targets)
    kinds = [(_gaps(place, filled[place], first), _array(place, filled[place].values).dtype) for place in targets]
    outputs = [[np.zeros(count, kind) for count, kind in kinds] for _ in draws]
    most = [train_rows] * len(targets) if isinstance(train_rows, int) else list(train_rows)
    if len(most) != len(targets):
        raise ValueError(f"{len(most)} bounds on the rows to learn from, but {len(targets)} targets")
    done, fitted, watched, moments = _kernel.fill(
        values,
        [None if isinstance(column, Picked) else _flags(column.missing) for column in columns],
        [_categories(column) if isinstance(column, Cells) else 0 for column in columns],
        [(place, bound, place in drawn) for place, bound in zip(targets, most, strict=True)],
        [output for draw in outputs for output in draw],
        None if rows is None else np.require(rows, np.uint64, _TAKEN),
        None if of_draw is None else np.require(of_draw, np.int64, _TAKEN),
        -1 if cycles is None else cycles,
        leaves,
        min_leaf,
        seed & 0xFFFFFFFFFFFFFFFF,
        list(draws),
        first,
        threads or _CORES,
        progress,
    )
    models = tuple(Fitted(_MODELS[kind], error, tuple(used)) for kind, error, used in fitted)
    wide = len(watched) + 1
    return [
        Filled(
            tuple(map(_own, (filled[t] for t in targets), draw)),
            models,
            done,
            tuple(watched),
            np.array(moved).reshape(-1, wide, wide),
        )
        for draw, moved in zip(outputs, moments, strict=True)
    ]


def fill(columns: Sequence[Cells | Picked], targets: Sequence[int], *, draw: int = 0, **settings: Any) -> Filled:
    """One of `fill_many`, with its settings."""
    return fill_many(columns, targets, [draw], **settings)[0]


def _own(cells: Cells, values: NDArray[np.generic]) -> NDArray[np.generic]:
    return values.view(np.bool_) if cells.values.dtype == np.bool_ else values


def ranks(cells: Cells) -> Ranks | None:
    """What a column's bins are learnt from, whichever of its rows are asked for; None of a column that is too long."""
    if len(cells.values) > MOST_RANKED:
        return None
    return Ranks(_array(0, cells.values), _flags(cells.missing), _categories(cells))


def _categories(cells: Cells) -> int:
    """0 for numbers, 1 for categories, 2 for those that stand in an order."""
    return cells.nominal and 1 + cells.graded


def _size(columns: Sequence[Cells | Picked], *marks: NDArray[np.generic] | None) -> int:
    """The number of rows, the same of all."""
    lengths = {len(column.places if isinstance(column, Picked) else column.values) for column in columns}
    flags = [column.missing for column in columns if isinstance(column, Cells)]
    lengths |= {len(array) for array in (*flags, *marks) if array is not None}
    if len(lengths) > 1:
        raise ValueError(f"columns of different lengths: {sorted(lengths)}")
    return lengths.pop() if columns else 0


def _checked(columns: Sequence[Cells | Picked], targets: Sequence[int]) -> dict[int, Cells]:
    """The columns to fill by their places."""
    if any(not 0 <= place < len(columns) for place in targets) or len(set(targets)) < len(targets):
        raise ValueError(f"targets {list(targets)} are not distinct places among {len(columns)} columns")
    found = {place: column for place in targets if isinstance(column := columns[place], Cells)}
    if len(found) < len(targets):
        raise TypeError("the values of a target are needed, not its ranks")
    return found


def _gaps(place: int, cells: Cells, first: int) -> int:
    """How many cells are missing, not all of the first rows' among them."""
    values, flags = cells.values, _flags(cells.missing)
    count = _missing(values, flags)
    if count and _missing(values[:first], None if flags is None else flags[:first]) == first:
        raise ValueError(f"column {place} has no observed value to learn from")
    return count


def _native(place: int, column: Cells | Picked) -> NDArray[np.generic] | tuple[Ranks, NDArray[np.int64]]:
    if isinstance(column, Picked):
        return column.ranks, np.require(column.places, np.int64, _TAKEN)
    return _array(place, column.values)


def _array(place: int, values: NDArray[np.generic]) -> NDArray[np.generic]:
    contiguous = np.require(values, requirements=_TAKEN)
    if contiguous.dtype == np.bool_:
        return contiguous.view(np.uint8)
    if contiguous.ndim != 1 or contiguous.dtype.kind not in "iuf" or not contiguous.dtype.isnative:
        raise TypeError(f"column {place} is {values.ndim}-dimensional {values.dtype}: numbers or booleans are needed")
    if contiguous.dtype.kind == "f" and contiguous.itemsize not in (4, 8):
        raise TypeError(f"column {place} is {values.dtype}: float32 or float64 is needed")
    return contiguous


def _flags(missing: NDArray[np.bool_] | None) -> NDArray[np.uint8] | None:
    return None if missing is None else np.require(missing, np.bool_, _TAKEN).view(np.uint8)


def _missing(values: NDArray[np.generic], flags: NDArray[np.uint8] | None) -> int:
    """How many values are missing, NaN among them."""
    if values.dtype.kind != "f":
        return 0 if flags is None else int(np.count_nonzero(flags.view(np.bool_)))  # of numbers it is slow
    gone = np.isnan(values)
    return int(np.count_nonzero(gone if flags is None else np.logical_or(gone, flags, out=gone)))
