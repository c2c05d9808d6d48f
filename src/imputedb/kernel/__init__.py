"""The native kernel in C++: imputation by chained trees over arrays."""

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
    "RankedRows",
    "Ranks",
    "fill",
    "fill_many",
    "ranks",
]

LEAVES = 64
MIN_LEAF = 10
TRAIN_ROWS = 50_000
"""Largest number of rows that a model is fitted to; decisions/kernel.md has the error that this costs."""

MOST_RANKED = 65_535
"""Largest number of rows of a column with ranks."""

_CORES = os.cpu_count() or 1
_MODELS = ("centre", "linear", "tree", "linear+tree")


_LAYOUT: tuple[Literal["C_CONTIGUOUS"], Literal["WRITEABLE"]] = ("C_CONTIGUOUS", "WRITEABLE")
"""Requirements of the bindings: contiguous arrays that are not read-only, although they are not written to."""


@dataclass(frozen=True, slots=True)
class Cells:
    """One column of a table, read in place.

    Attributes:
        values: (n,) floats, integers or booleans; missing cells may hold anything.
        missing: (n,) True where the value is missing; None where no value is. NaN in a floating column is missing too.
        nominal: whether the values are codes of categories.
        graded: whether the categories are ordered by their codes.
    """

    values: NDArray[np.generic]
    missing: NDArray[np.bool_] | None = None
    nominal: bool = False
    graded: bool = False


@dataclass(frozen=True, slots=True)
class RankedRows:
    """Some rows of a column with known ranks, as a predictor.

    Attributes:
        ranks: the ranks of the whole column.
        places: (n,) the places of the rows in the column.
    """

    ranks: Ranks
    places: NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Fitted:
    """The model that last filled a target.

    Attributes:
        model: `centre` (mean or mode), `linear`, `tree` or `linear+tree`, chosen by its error on held-out cells.
        error: the held-out error relative to the centre's: root mean square error, or for categories the share that is
            wrong.
        predictors: the places of the columns that it was fitted to.
    """

    model: str
    error: float
    predictors: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Filled:
    """Values for the missing cells of a table.

    Attributes:
        values: for each target, the values of its missing rows in row order, of the column's own type.
        fitted: for each target, the model that filled it.
        cycles: the number of cycles of drawn targets after their start; at least 1 where values are predicted.
        watched: the places of the columns whose moments are recorded, w of them.
        moments: (cycles + 1, w + 1, w + 1) mean products of ones and the codes of these columns, after the start and
            after each cycle; fewer if values settle early, none if the start is a joint draw.
    """

    values: tuple[NDArray[np.generic], ...]
    fitted: tuple[Fitted, ...]
    cycles: int
    watched: tuple[int, ...] = ()
    moments: NDArray[np.float64] = field(default_factory=lambda: np.zeros((0, 1, 1)))


def fill_many(
    columns: Sequence[Cells | RankedRows],
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
    fitted_rows: int | None = None,
    threads: int = 0,
    progress: Callable[[float], object] | None = None,
) -> list[Filled]:
    """Values for the missing cells of the targets, by chained equations (van Buuren & Groothuis-Oudshoorn 2011).

    Each draw equals one that is made alone. Draws share the columns' bins, and are spread over threads.

    Drawn targets start in the order of their numbers of missing values. Each starts from the complete columns and the
    targets before it, so that columns which are missing together are drawn jointly. In each cycle a model of each
    target is then fitted to the newest values of all other columns, and fills its missing cells anew.

    A drawn value can stand for the unknown one, so drawn targets predict each other. A predicted value cannot: it was
    computed from the columns that it would help to predict, and errors would grow (decisions/kernel.md has the
    figures). Missing cells of predicted targets, and in models of these, therefore have a bin of their own, and one
    cycle suffices. Predicted values depend on what is drawn for their row, but not on other predicted targets. Drawn
    values do not depend on predicted ones.

    A row may miss a column that no training row missed. It is then predicted by the mean over both sides of a split,
    weighted by their rows, and drawn from one side at random.

    Args:
        columns: the table; all columns have the same length.
        targets: the places of the columns to fill. All columns predict, with a bin for missing values.
        draws: the numbers of the draws, under one seed.
        cycles: the number of cycles after the start, in each of which every drawn target is modelled anew. None stands
            for none where missing values are nested, since the start is then a joint draw, and otherwise for as many as
            the shares of missing values require.
        leaves: the largest number of leaves of a tree.
        min_leaf: the smallest number of rows in a leaf.
        drawn: the targets that get a random observed value, from the leaf of a tree fitted to a bootstrap of the rows.
            All others get means and modes, clipped to the observed range and rounded for integers.
        seed: the seed of all random numbers; the result does not depend on the number of threads.
        rows: (n,) the keys of the rows' random numbers; 0..n-1 unless given.
        of_draw: (n,) the number of the only draw in which a row is filled, -1 for all; its values in other draws are
            meaningless. All rows are filled in all draws unless given.
        train_rows: the largest number of rows that a model is fitted to; one number, or one for each target.
        fitted_rows: the number of first rows that models are fitted to; others are only filled. All rows unless given.
        threads: the number of threads; 0 for one per core.
        progress: called with the share that is done; an exception in it stops the work, as Ctrl-C does.

    Raises:
        ValueError: lengths differ; targets are not distinct places, or one has no observed value; or `train_rows` does
            not have one number for each target.
        TypeError: a target is given by ranks; or a column is neither numbers of at most 64 bits nor booleans.
    """
    size = _row_count(columns, rows, of_draw)
    first = size if fitted_rows is None else fitted_rows
    if not 0 <= first <= size:
        raise ValueError(f"{first} rows to learn from, of {size}")
    values = [_binding_argument(place, column) for place, column in enumerate(columns)]
    filled = _checked_targets(columns, targets)
    kinds = [
        (_checked_count(place, filled[place], first), _array(place, filled[place].values).dtype) for place in targets
    ]
    outputs = [[np.zeros(count, kind) for count, kind in kinds] for _ in draws]
    bounds = [train_rows] * len(targets) if isinstance(train_rows, int) else list(train_rows)
    if len(bounds) != len(targets):
        raise ValueError(f"{len(bounds)} bounds on the rows to learn from, but {len(targets)} targets")
    done, fitted, watched, moments = _kernel.fill(
        values,
        [None if isinstance(column, RankedRows) else _as_bytes(column.missing) for column in columns],
        [_categories(column) if isinstance(column, Cells) else 0 for column in columns],
        [(place, bound, place in drawn) for place, bound in zip(targets, bounds, strict=True)],
        [output for draw in outputs for output in draw],
        None if rows is None else np.require(rows, np.uint64, _LAYOUT),
        None if of_draw is None else np.require(of_draw, np.int64, _LAYOUT),
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
            tuple(map(_as_declared, (filled[t] for t in targets), draw)),
            models,
            done,
            tuple(watched),
            np.array(products).reshape(-1, wide, wide),
        )
        for draw, products in zip(outputs, moments, strict=True)
    ]


def fill(columns: Sequence[Cells | RankedRows], targets: Sequence[int], *, draw: int = 0, **settings: Any) -> Filled:
    """A single draw of `fill_many`, with its settings."""
    return fill_many(columns, targets, [draw], **settings)[0]


def _as_declared(cells: Cells, values: NDArray[np.generic]) -> NDArray[np.generic]:
    return values.view(np.bool_) if cells.values.dtype == np.bool_ else values


def ranks(cells: Cells) -> Ranks | None:
    """The ranks of a column, from which bins of any of its rows are made; None for a column that is too long."""
    if len(cells.values) > MOST_RANKED:
        return None
    return Ranks(_array(0, cells.values), _as_bytes(cells.missing), _categories(cells))


def _categories(cells: Cells) -> int:
    """0 for numbers, 1 for nominal categories, 2 for ordered ones."""
    return cells.nominal and 1 + cells.graded


def _row_count(columns: Sequence[Cells | RankedRows], *marks: NDArray[np.generic] | None) -> int:
    """The number of rows, which must be the same for all columns and marks."""
    lengths = {len(column.places if isinstance(column, RankedRows) else column.values) for column in columns}
    flags = [column.missing for column in columns if isinstance(column, Cells)]
    lengths |= {len(array) for array in (*flags, *marks) if array is not None}
    if len(lengths) > 1:
        raise ValueError(f"columns of different lengths: {sorted(lengths)}")
    return lengths.pop() if columns else 0


def _checked_targets(columns: Sequence[Cells | RankedRows], targets: Sequence[int]) -> dict[int, Cells]:
    """The columns to fill, by place."""
    if any(not 0 <= place < len(columns) for place in targets) or len(set(targets)) < len(targets):
        raise ValueError(f"targets {list(targets)} are not distinct places among {len(columns)} columns")
    found = {place: column for place in targets if isinstance(column := columns[place], Cells)}
    if len(found) < len(targets):
        raise TypeError("the values of a target are needed, not its ranks")
    return found


def _checked_count(place: int, cells: Cells, first: int) -> int:
    """The number of missing cells, after a check that the first rows have an observed value."""
    values, flags = cells.values, _as_bytes(cells.missing)
    count = _count_missing(values, flags)
    if count and _count_missing(values[:first], None if flags is None else flags[:first]) == first:
        raise ValueError(f"column {place} has no observed value to learn from")
    return count


def _binding_argument(place: int, column: Cells | RankedRows) -> NDArray[np.generic] | tuple[Ranks, NDArray[np.int64]]:
    if isinstance(column, RankedRows):
        return column.ranks, np.require(column.places, np.int64, _LAYOUT)
    return _array(place, column.values)


def _array(place: int, values: NDArray[np.generic]) -> NDArray[np.generic]:
    contiguous = np.require(values, requirements=_LAYOUT)
    if contiguous.dtype == np.bool_:
        return contiguous.view(np.uint8)
    if contiguous.ndim != 1 or contiguous.dtype.kind not in "iuf" or not contiguous.dtype.isnative:
        raise TypeError(f"column {place} is {values.ndim}-dimensional {values.dtype}: numbers or booleans are needed")
    if contiguous.dtype.kind == "f" and contiguous.itemsize not in (4, 8):
        raise TypeError(f"column {place} is {values.dtype}: float32 or float64 is needed")
    return contiguous


def _as_bytes(missing: NDArray[np.bool_] | None) -> NDArray[np.uint8] | None:
    return None if missing is None else np.require(missing, np.bool_, _LAYOUT).view(np.uint8)


def _count_missing(values: NDArray[np.generic], flags: NDArray[np.uint8] | None) -> int:
    """The number of missing values, NaN included."""
    if values.dtype.kind != "f":
        return 0 if flags is None else int(np.count_nonzero(flags.view(np.bool_)))  # slow for other types
    missing = np.isnan(values)
    return int(np.count_nonzero(missing if flags is None else np.logical_or(missing, flags, out=missing)))
