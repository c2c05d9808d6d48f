"""The tree imputer: chained equations on the native kernel."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from imputedb import arguments, kernel
from imputedb.algebra.column import Column
from imputedb.imputers.chained.chains import Movement
from imputedb.imputers.order import by_key, by_name, in_original_order
from imputedb.imputers.protocol import Progress, Work
from imputedb.imputers.rows import Array, Rows
from imputedb.imputers.scales import Scale, distinct, scaled, scales, unscaled
from imputedb.kernel import cost

MOST = 1_000_000
"""Maximum number of cycles, leaves or rows of a leaf."""

TOGETHER = 32
"""Maximum number of draws that share the kernel's bins."""


@dataclass(frozen=True, slots=True)
class Tree:
    """Chained-equation trees (MICE with decision trees; Burgette & Reiter 2010) over all columns at hand.

    1. A target that is not drawn takes what a linear model and trees on its residuals predict, learnt where it is
       observed from all other columns as they are stored; drawn values of its row predict too.
    2. Drawn targets start in the order of their missing share: a tree of each is grown on a bootstrap of the rows where
       it is observed, from the complete columns and the targets that have started, and gives an observed value of the
       leaf: of a few random ones the nearest below or above what a linear model of the bootstrap predicts, by the
       chance that makes these two equal it on average (for more than two classes the nearest by models of the frequent
       ones). Where they are skewed or heavy-tailed, both are learnt on the scale that held-out cells speak for
       (scales.py).
    3. Each is drawn anew in `cycles` further cycles, from the newest values of all other columns. Where missing values
       are nested (one target, targets that miss together) the start is the draw, and no cycle is needed.
    4. Stop early when nothing changes.

    Warning: `mode="predict"` gives the most plausible single value, so variances of imputed columns are too small; use
    `mode="draw"` where the spread of values matters.
    """

    cycles: int | None = None
    leaves: int | None = None
    min_leaf: int | None = None
    mode: Literal["predict", "draw"] = "predict"

    name = "tree"
    takes_donors = True
    uses_predictors = True
    proper = True

    def __post_init__(self) -> None:
        for name, given, least in (
            ("cycles", self.cycles, 0),
            ("leaves", self.leaves, 2),
            ("min_leaf", self.min_leaf, 1),
        ):
            if given is not None:
                arguments.whole(name, given, least, MOST)
        arguments.one_of("mode", self.mode, ("predict", "draw"))

    def time(self, work: Work) -> float:
        """The kernel's measured cost (decisions/kernel.md)."""
        return cost.milliseconds(
            work.rows,
            work.targets,
            work.attributes - 1,
            missing_share=work.missing,
            cycles=1 if self.cycles is None else self.cycles,
            draw=self.mode == "draw",
        )

    def penalty(self, work: Work) -> float:
        """The share of a row's information that stays unknown, as measured (decisions/kernel.md)."""
        return cost.penalty(work.rows, work.targets, work.attributes)

    def training_rows(self, missing: float) -> float:
        """The number of rows beyond which the error would decrease by at most 2 % (decisions/kernel.md)."""
        return cost.training_rows(missing)

    def impute(
        self,
        rows: Rows,
        targets: Sequence[Column],
        seed: int,
        progress: Progress | None = None,
        *,
        drawn: Collection[Column] = (),
        draw: int = 0,
    ) -> Mapping[Column, Array]:
        """The values of the kernel."""
        return Prepared(self, rows, targets).filled(seed, [draw], progress, drawn)[0]

    def stretched(self, rows: Rows, targets: Sequence[Column]) -> Mapping[Column, str]:
        """The names of the scales on which targets are drawn (scales.py)."""
        return {column: scale.name for column, scale in scales(rows, targets).items()}

    def prepared(self, rows: Rows, targets: Sequence[Column]) -> "Prepared":
        """The prepared rows."""
        return Prepared(self, rows, targets)


class Prepared:
    """Prepared rows in the order of their keys, in which bootstrap samples are drawn."""

    def __init__(self, tree: Tree, rows: Rows, targets: Sequence[Column]) -> None:
        self.tree = tree
        self.order = by_name(rows.columns)
        self.targets = [column for column in self.order if column in targets]
        self.missing = {column: rows.columns[column].missing for column in self.targets}
        self.rows, self.turn = by_key(rows)
        self.movement: Movement | None = None
        self.cells = [
            self.rows.columns[column].filled() if column in targets else self.rows.columns[column].predicting()
            for column in self.order
        ]

    def run_many(
        self, seed: int, numbers: Sequence[int], progress: Progress | None = None
    ) -> Iterator[Mapping[Column, Array]]:
        """The draws with these numbers; some at a time share the kernel's bins."""
        for at in range(0, len(numbers), TOGETHER):
            some = numbers[at : at + TOGETHER]
            reporting = progress and _part_of(progress, at / len(numbers), len(some) / len(numbers))
            for one in self._filled(seed, some, reporting, self.targets):
                self._note(one)
                yield self._turned(one, self.targets)

    @property
    def _moved_rows(self) -> int:
        """The number of rows over which the kernel computes moments, as in `kWatchedRows`."""
        learn = self.rows.learn
        return min(4096, len(self.rows.keys) if learn is None else int(np.count_nonzero(learn)))

    def _note(self, one: kernel.Filled) -> None:
        watched = tuple(str(self.order[place]) for place in one.watched)
        moments = one.moments[np.newaxis]
        self.movement = Movement(watched, moments, self._moved_rows) if len(one.moments) else None

    def filled(
        self, seed: int, numbers: Sequence[int], progress: Progress | None, drawn: Collection[Column]
    ) -> list[Mapping[Column, Array]]:
        """The values of some draws; single best values of targets that are not drawn."""
        drawn = self.targets if self.tree.mode == "draw" else drawn
        return [self._turned(one, drawn) for one in self._filled(seed, numbers, progress, drawn)]

    @cached_property
    def scales(self) -> Mapping[Column, Scale]:
        """The scales of skewed or heavy-tailed targets."""
        return scales(self.rows, self.targets)

    def _scaled(self, drawn: Collection[Column]) -> list[kernel.Cells | kernel.RankedRows]:
        """The columns, with drawn targets on their scales."""
        found = list(self.cells)
        for column in drawn:
            if column in self.scales:
                found[self.order.index(column)] = scaled(self.rows.columns[column], self.scales[column]).filled()
        return found

    def _turned(self, one: kernel.Filled, drawn: Collection[Column]) -> Mapping[Column, Array]:
        """The values in the original order of the rows."""
        found = {}
        for column, values in zip(self.targets, one.values, strict=True):
            own = column in drawn and column in self.scales
            given = unscaled(values, *self._known[column]) if own else values
            found[column] = in_original_order(self.missing[column], self.turn, given)
        return found

    @cached_property
    def _known(self) -> Mapping[Column, tuple[Array, NDArray[np.float64]]]:
        """The distinct observed values of targets with a scale, and the same on the scale."""
        return {column: distinct(self.rows.columns[column], scale) for column, scale in self.scales.items()}

    def _filled(
        self, seed: int, numbers: Sequence[int], progress: Progress | None, drawn: Collection[Column]
    ) -> list[kernel.Filled]:
        tree, gaps = self.tree, {column: int(np.count_nonzero(self.missing[column])) for column in self.targets}
        return kernel.fill_many(
            self._scaled(drawn),
            [self.order.index(column) for column in self.targets],
            numbers,
            cycles=tree.cycles,
            leaves=kernel.LEAVES if tree.leaves is None else tree.leaves,
            min_leaf=kernel.MIN_LEAF if tree.min_leaf is None else tree.min_leaf,
            drawn=[self.order.index(column) for column in drawn],
            seed=seed,
            rows=self.rows.keys,
            of_draw=self.rows.draws,
            fitted_rows=None if self.rows.learn is None else int(np.count_nonzero(self.rows.learn)),
            train_rows=[
                kernel.TRAIN_ROWS if column in drawn else round(tree.training_rows(gap)) for column, gap in gaps.items()
            ],
            progress=progress,
        )


def _part_of(progress: Progress, start: float, width: float) -> Progress:
    return lambda share: progress(start + width * share)
