"""The tree imputer: chained equations on the native kernel."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from imputedb import kernel
from imputedb.algebra.column import Column
from imputedb.imputers.imputer import Array, Progress, Rows, Work
from imputedb.imputers.order import by_key, turned_back
from imputedb.kernel import cost


@dataclass(frozen=True, slots=True)
class Tree:
    """Chained-equation trees (MICE with decision trees; Burgette & Reiter 2010) over all columns at hand.

    1. Every missing cell of the targets starts as a hot-deck value.
    2. `cycles` times, targets in the order of their missing share: a model of the target is grown on the rows where it
       is observed, from all other columns, and gives its missing cells new values.
    3. Stop early when nothing changes.
    In a draw by number each tree is grown on a bootstrap of the rows, and gives a random observed value of the leaf.

    Warning: `mode="predict"` gives the most plausible single value, so variances of imputed columns are too small; use
    `mode="draw"` where the spread of values matters.
    """

    cycles: int = 2
    leaves: int | None = None
    min_leaf: int | None = None
    mode: Literal["predict", "draw"] = "predict"

    name = "tree"
    uses_predictors = True
    proper = True

    def time(self, work: Work) -> float:
        """The kernel's measured cost (decisions/kernel.md)."""
        return cost.milliseconds(
            work.rows,
            work.targets,
            work.attributes - 1,
            missing_share=work.missing,
            cycles=self.cycles,
            draw=self.mode == "draw",
        )

    def penalty(self, work: Work) -> float:
        """The share of a row's information that stays unknown, as measured (decisions/kernel.md)."""
        return cost.penalty(work.rows, work.targets, work.attributes)

    def training_rows(self, missing: float) -> float:
        """Enough that more would lower the error by 2 % at most (decisions/kernel.md)."""
        return cost.training_rows(missing)

    def impute(
        self,
        rows: Rows,
        targets: Sequence[Column],
        seed: int,
        progress: Progress | None = None,
        draw: int | None = None,
    ) -> Mapping[Column, Array]:
        """The kernel's values; by a draw's number always drawn ones."""
        order = sorted(rows.columns)
        given, turn = by_key(rows)  # a bootstrap is drawn in the order of the rows
        cells = [
            given.columns[column].filled() if column in targets else given.columns[column].predicting()
            for column in order
        ]
        sizes = {k: v for k, v in (("leaves", self.leaves), ("min_leaf", self.min_leaf)) if v is not None}
        wanted = sorted(targets)
        gaps = [int(np.count_nonzero(rows.columns[column].missing)) for column in wanted]
        filled = kernel.fill(
            cells,
            [order.index(column) for column in wanted],
            cycles=self.cycles,
            mode=self.mode if draw is None else "draw",
            seed=seed,
            draw=draw or 0,
            rows=given.keys,
            learn=given.learn,
            train_rows=[round(self.training_rows(gap)) for gap in gaps] if draw is None else kernel.TRAIN_ROWS,
            progress=progress,
            **sizes,
        )
        return {c: turned_back(rows.columns[c].missing, turn, v) for c, v in zip(wanted, filled.values, strict=True)}
