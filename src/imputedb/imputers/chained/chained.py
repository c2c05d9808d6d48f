"""Chained equations: a model for one column becomes an imputer for all."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from imputedb import arguments
from imputedb.algebra.column import Column
from imputedb.errors import QueryError
from imputedb.imputers.chained.blas import one_thread
from imputedb.imputers.chained.column_model import LEARN_ROWS, ColumnModel, Observed, check
from imputedb.imputers.chained.logistic import Logistic
from imputedb.imputers.chained.multinomial import Multinomial
from imputedb.imputers.chained.normal import Normal
from imputedb.imputers.chained.pmm import Pmm, Quantified
from imputedb.imputers.chained.prepared import Prepared, prepared
from imputedb.imputers.chained.shift import Shift, changes
from imputedb.imputers.chained.trace import Trace
from imputedb.imputers.protocol import Imputer, Progress, Work, apart
from imputedb.imputers.rows import Array, Rows
from imputedb.kernel import cost
from imputedb.statistics.table import Kind

MOST_CYCLES = 100_000
"""The largest number of cycles that may be requested."""


@dataclass(frozen=True, slots=True)
class Chained:
    """Fully conditional specification (van Buuren & Groothuis-Oudshoorn 2011), the method of mice.

    1. Rows are sorted by their keys, and a matrix with an intercept, standardised numbers and indicators of categories
       is built. It includes incomplete columns that are predictors only.
    2. Cycles of linear regressions run on cross-products, one matrix for each pattern of missingness, without touching
       rows (crossproducts.py): first with expectations until coefficients converge, then as Bayesian regressions, as
       many as are needed to forget the start. Indicators of categories are treated as numbers.
    3. Where a column's model is not linear in numbers, columns are drawn from their models over rows (row_models.py),
       each given the newest draws of all others, cycle after cycle: targets, and other numbers where `pmm` draws these.
       All other incomplete columns are drawn by the linear chain.
    4. In a draw, all parameters are drawn too. For single values, expected values come from the linear chain, and most
       probable categories or donors from the models given these.

    Warning: values are assumed to be missing at random given the available columns, and each column's model to be
    right. `deltas` states departures from that.

    Attributes:
        model: model of the columns that it suits.
        others: models for all other columns; the first that suits is used.
        cycles: number of cycles after the start; None for as many as the data need.
        deltas: departures from missing at random, by column.
    """

    model: ColumnModel
    others: tuple[ColumnModel, ...] = (Normal(), Multinomial(), Quantified())
    cycles: int | None = None
    deltas: tuple[tuple[str, Shift], ...] = ()

    uses_predictors = True
    proper = True

    def __post_init__(self) -> None:
        for model in (self.model, *arguments.listed("others", self.others, example="others=(Normal(), Pmm())")):
            check(model)
        if self.cycles is not None:
            arguments.whole("cycles", self.cycles, 0, MOST_CYCLES)
        for pair in arguments.listed("deltas", self.deltas, example="deltas=(('x', Shift(add=1)),)"):
            if not (
                isinstance(pair, tuple) and len(pair) == 2 and isinstance(pair[0], str) and isinstance(pair[1], Shift)
            ):
                raise QueryError(f"deltas hold {arguments.shown(pair)}; give pairs of a column and its Shift")

    @property
    def name(self) -> str:
        """The name of the model."""
        return self.model.name

    @property
    def takes_donors(self) -> bool:
        """Whether numbers are imputed by matching."""
        return isinstance(self._of_numbers, Pmm)

    @property
    def matches_lines(self) -> bool:
        """Whether they are matched by a linear prediction."""
        return self.takes_donors

    @property
    def same_donors(self) -> bool:
        """Whether all draws match with the same donors, not each with a bootstrap sample."""
        return isinstance(self._of_numbers, Pmm) and not self._of_numbers.bootstrap

    @property
    def takes_lines(self) -> bool:
        """Whether numbers are drawn from a linear model with normal residuals."""
        return isinstance(self._of_numbers, Normal)

    @property
    def _of_numbers(self) -> ColumnModel | None:
        number = Observed(np.zeros(1), Kind.NUMBER, 0, np.zeros(1, np.uint64))
        return next((model for model in (self.model, *self.others) if model.suits(number)), None)

    @property
    def assumption(self) -> str:
        """The stated departures from missing at random, in words."""
        shown = [f"{name} {shift}" for name, shift in self.deltas if changes(shift)]
        return (
            f"assumed is that values that are missing differ from those alike in all else: {', '.join(shown)}"
            if shown
            else ""
        )

    def time(self, work: Work) -> float:
        """Milliseconds for single values, as measured (docs/decisions/inference.md)."""
        columns, cells = work.attributes + 1, work.rows * work.targets
        linear = 0.4 + 3.8e-5 * work.rows * columns + 10 * work.targets * (0.07 + 2e-3 * columns)
        applied = 1.6e-4 * cells * work.missing
        match self.model:
            case Normal():
                over_rows = 0.0
            case Pmm():
                over_rows = cells * (2.4e-4 + 7e-6 * columns)
            case Logistic():
                over_rows = work.targets * min(work.rows, LEARN_ROWS) * 3e-4 * columns
            case _:
                over_rows = work.targets * min(work.rows, LEARN_ROWS) * 1e-3 * columns
        return linear + applied + over_rows

    def penalty(self, work: Work) -> float:
        """A tree's penalty, times measured factors: 1.04 of the unexplained variance, 1.2 for donors' values."""
        worse = 1.2 if isinstance(self.model, Pmm) else 1.04
        loss = work.targets / work.attributes * min(1.0, worse * cost.unexplained(work.rows, work.attributes))
        return float(loss / (1 + loss))

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
        """One draw of the chain for drawn targets, and the single best values of the others given these."""
        values: dict[Column, Array] = {}
        for some, draws in apart(targets, drawn):
            values |= self.run(rows.given(values), some, seed, progress, draw if draws else None)
        return values

    def run(
        self,
        rows: Rows,
        targets: Sequence[Column],
        seed: int,
        progress: Progress | None = None,
        draw: int | None = None,
        trace: Trace | None = None,
    ) -> Mapping[Column, Array]:
        """The values of `impute`; `trace` records the chain."""
        return self.prepared(rows, targets).run(seed, progress, draw, trace)

    def prepared(self, rows: Rows, targets: Sequence[Column]) -> "Prepared":
        """The common work of all draws: the matrix of the rows, sorted by missingness pattern, and the targets' models.

        Raises:
            CannotImpute: a target has no observed value in the rows to learn from.
        """
        with one_thread():
            return prepared(self, rows, targets)

    def with_deltas(self, deltas: Mapping[str, Shift]) -> "Chained":
        """The same chain under stated departures from missing at random."""
        return replace(self, deltas=tuple(sorted(deltas.items())))


def check_departures(imputer: Imputer, derived: Mapping[Column, str]) -> None:
    """Refuses departures of derived columns, which no chain draws.

    Raises:
        QueryError: a column is derived; the message names it.
    """
    for name, _ in imputer.deltas if isinstance(imputer, Chained) else ():
        for column, text in derived.items():
            if name in (str(column), column.name):
                raise QueryError(
                    f"{column} is derived as ({text}), so imputed values of it do not depart by themselves: "
                    "state a departure of a column that it is derived from"
                )
