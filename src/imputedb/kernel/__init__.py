"""The native core: chained-equation trees over arrays, in C++."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from imputedb.kernel import _kernel

__all__ = ["LEAVES", "MIN_LEAF", "TRAIN_ROWS", "Cells", "Filled", "Fitted", "fill", "fill_many"]

LEAVES = 64
MIN_LEAF = 10
TRAIN_ROWS = 50_000
"""Rows a model is learnt from at most; decisions/kernel.md has the error that costs."""

_MODELS = ("centre", "linear", "tree", "linear+tree")


@dataclass(frozen=True, slots=True)
class Cells:
    """One column of a table, read in place.

    Attributes:
        values: (n,) floats, integers or booleans; cells that are missing may hold anything.
        missing: (n,) True where the value is missing; None when nothing is. NaN in a floating column is missing too.
        nominal: whether the values are codes of unordered categories.
    """

    values: NDArray[np.generic]
    missing: NDArray[np.bool_] | None = None
    nominal: bool = False


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
        cycles: how many were run.
    """

    values: tuple[NDArray[np.generic], ...]
    fitted: tuple[Fitted, ...]
    cycles: int


def fill_many(
    columns: Sequence[Cells],
    targets: Sequence[int],
    draws: Sequence[int],
    *,
    cycles: int = 2,
    leaves: int = LEAVES,
    min_leaf: int = MIN_LEAF,
    mode: Literal["predict", "draw"] = "predict",
    seed: int = 0,
    rows: NDArray[np.uint64] | None = None,
    train_rows: int | Sequence[int] = TRAIN_ROWS,
    taught: int | None = None,
    threads: int = 0,
    progress: Callable[[float], object] | None = None,
) -> list[Filled]:
    """Values for the missing cells of the targets, by chained equations (van Buuren & Groothuis-Oudshoorn 2011).

    Every draw is as if alone; they share the columns' bins, and are spread over threads.

    Every missing cell starts as a random observed value of its column. Then, cycle after cycle and in the order of
    their missing counts, a model of each target is learnt from all other columns, and fills its missing cells anew.

    A drawn value is a fair stand-in for the unknown one, so draws feed the models of the other columns. A predicted one
    is not: it was computed from the very columns it would then help to predict, and errors grow (decisions/kernel.md
    has the figures). In `predict` mode other columns' missing cells therefore keep a bin of their own, and one cycle
    says it all.

    Args:
        columns: the table; all columns of one length.
        targets: places of the columns to fill. All others predict, with a bin of their own for what is missing.
        draws: numbers of the draws, several of one seed.
        cycles: how often every target is modelled.
        leaves: of a tree at most.
        min_leaf: rows of a leaf at least.
        mode: `predict` gives means and most frequent categories, clipped to the observed range and rounded for
            integers; `draw` gives a random observed value from the leaf of a tree grown on a bootstrap of the rows.
        seed: one seed gives one answer, whatever the number of threads.
        rows: (n,) what random numbers are keyed by; 0..n-1 unless given.
        train_rows: rows a model is learnt from at most; one number, or one a target.
        taught: how many rows, the first ones, models learn from; all others are only filled. All unless given.
        threads: 0 for one a core.
        progress: called with the share that is done; an exception in it stops the work, as Ctrl-C does.

    Raises:
        ValueError: lengths differ, a target is not a place, or has no observed value; `train_rows` are not one a
            target.
        TypeError: a column is neither numbers of at most 64 bits nor booleans.
    """
    values = [_native(place, column.values) for place, column in enumerate(columns)]
    gaps = [_flags(column.missing) for column in columns]
    _check_lengths([*values, *gaps, rows])
    size = len(values[0]) if values else 0
    first = size if taught is None else taught
    if not 0 <= first <= size:
        raise ValueError(f"{first} rows to learn from, of {size}")
    counts = _gaps_of(targets, values, gaps, first)
    most = [train_rows] * len(targets) if isinstance(train_rows, int) else list(train_rows)
    if len(most) != len(targets):
        raise ValueError(f"{len(most)} bounds on the rows to learn from, but {len(targets)} targets")
    outputs = [
        [np.empty(count, values[place].dtype) for place, count in zip(targets, counts, strict=True)] for _ in draws
    ]
    done, fitted = _kernel.fill(
        values,
        gaps,
        [int(column.nominal) for column in columns],
        list(targets),
        [output for draw in outputs for output in draw],
        None if rows is None else np.ascontiguousarray(rows, np.uint64),
        cycles,
        leaves,
        min_leaf,
        mode == "draw",
        seed & 0xFFFFFFFFFFFFFFFF,
        list(draws),
        most,
        first,
        threads or os.cpu_count() or 1,
        progress,
    )
    said = tuple(Fitted(_MODELS[kind], error, tuple(used)) for kind, error, used in fitted)
    return [Filled(tuple(map(_own, (columns[t] for t in targets), draw)), said, done) for draw in outputs]


def fill(columns: Sequence[Cells], targets: Sequence[int], *, draw: int = 0, **settings: Any) -> Filled:
    """One of `fill_many`, with its settings."""
    return fill_many(columns, targets, [draw], **settings)[0]


def _own(cells: Cells, values: NDArray[np.generic]) -> NDArray[np.generic]:
    return values.view(np.bool_) if cells.values.dtype == np.bool_ else values


def _check_lengths(arrays: Sequence[NDArray[np.generic] | None]) -> None:
    lengths = {len(array) for array in arrays if array is not None}
    if len(lengths) > 1:
        raise ValueError(f"columns of different lengths: {sorted(lengths)}")


def _gaps_of(
    targets: Sequence[int],
    values: Sequence[NDArray[np.generic]],
    gaps: Sequence[NDArray[np.uint8] | None],
    first: int,
) -> list[int]:
    """How many cells of each target are missing, not all of the first rows' among them."""
    if any(not 0 <= place < len(values) for place in targets) or len(set(targets)) < len(targets):
        raise ValueError(f"targets {list(targets)} are not distinct places among {len(values)} columns")
    counts = [_missing(values[place], gaps[place]) for place in targets]
    for place, count in zip(targets, counts, strict=True):
        head = gaps[place]
        if count and _missing(values[place][:first], None if head is None else head[:first]) == first:
            raise ValueError(f"column {place} has no observed value to learn from")
    return counts


def _native(place: int, values: NDArray[np.generic]) -> NDArray[np.generic]:
    contiguous = np.ascontiguousarray(values)
    if contiguous.dtype == np.bool_:
        return contiguous.view(np.uint8)
    if contiguous.ndim != 1 or contiguous.dtype.kind not in "iuf" or not contiguous.dtype.isnative:
        raise TypeError(f"column {place} is {values.ndim}-dimensional {values.dtype}: numbers or booleans are needed")
    if contiguous.dtype.kind == "f" and contiguous.itemsize not in (4, 8):
        raise TypeError(f"column {place} is {values.dtype}: float32 or float64 is needed")
    return contiguous


def _flags(missing: NDArray[np.bool_] | None) -> NDArray[np.uint8] | None:
    return None if missing is None else np.ascontiguousarray(missing, np.bool_).view(np.uint8)


def _missing(values: NDArray[np.generic], flags: NDArray[np.uint8] | None) -> int:
    """How many values are missing, NaN among them."""
    if values.dtype.kind != "f":
        return 0 if flags is None else int(np.count_nonzero(flags))
    gone = np.isnan(values)
    return int(np.count_nonzero(gone if flags is None else np.logical_or(gone, flags, out=gone)))
