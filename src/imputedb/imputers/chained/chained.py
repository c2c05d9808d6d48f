"""Chained equations: any model of one column becomes an imputer of all."""

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
from imputedb.imputers.chained.shift import Shift
from imputedb.imputers.chained.trace import Trace
from imputedb.imputers.protocol import Imputer, Progress, Work, apart
from imputedb.imputers.rows import Array, Rows
from imputedb.kernel import cost
from imputedb.statistics.table import Kind

MOST_CYCLES = 100_000
"""Cycles of draws that may be asked for."""


@dataclass(frozen=True, slots=True)
class Chained:
    """Fully conditional specification (van Buuren & Groothuis-Oudshoorn 2011), the chain of mice.

    1. Rows are put in the order of their keys; a matrix of ones, standardised numbers and indicators of categories is
       built. Incomplete columns take part whether they are targets or only predict.
    2. Cycles of linear regressions run on cross-products, a pattern of missingness each, without touching rows
       (crossproducts.py), with expectations until coefficients stand still. Cycles of Bayesian
       regressions follow, as many as it takes to forget the start. Indicators of categories are taken as numbers.
    3. Where a column's model is not linear in numbers, columns are drawn from their models over rows (row_models.py),
       each given the newest draws of all others, cycle after cycle: targets, and other numbers where `pmm` draws these.
       What else is incomplete is drawn by the linear chain.
    4. With a draw number all parameters are drawn too; without, expected values come from the linear chain, and
       most probable categories or donors from the models given these.

    Warning: values are taken to be missing at random given the columns at hand, and each column's model to be right. In
    `deltas` departures from that can be stated.

    Attributes:
        model: of the columns it suits.
        others: models for the rest, the first that suits.
        cycles: of draws, after the start; None for as many as the data ask for.
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
        """The model's."""
        return self.model.name

    @property
    def takes_donors(self) -> bool:
        """Whether numbers are matched."""
        return isinstance(self._of_numbers, Pmm)

    @property
    def takes_lines(self) -> bool:
        """Whether numbers are drawn around a straight line, with normal residuals."""
        return isinstance(self._of_numbers, Normal)

    @property
    def _of_numbers(self) -> ColumnModel | None:
        number = Observed(np.zeros(1), Kind.NUMBER, 0, np.zeros(1, np.uint64))
        return next((model for model in (self.model, *self.others) if model.suits(number)), None)

    @property
    def assumption(self) -> str:
        """The stated departures from missing at random, in words."""
        said = [f"{name} {shift}" for name, shift in self.deltas]
        return (
            f"assumed is that values that are missing differ from those alike in all else: {', '.join(said)}"
            if said
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
        """A tree's, times what was measured beside it: 1.04 of the unexplained variance, 1.2 for donors' values."""
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
        """One draw of the chain of those that are drawn, and the single best values of others given these."""
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
        """The same, and what happened is told to `trace`."""
        return self.prepared(rows, targets).run(seed, progress, draw, trace)

    def prepared(self, rows: Rows, targets: Sequence[Column]) -> "Prepared":
        """What all draws share: the matrix of the rows, sorted by what is missing in them, and the models of targets.

        Raises:
            CannotImpute: no value of a target is observed among the rows that are learnt from.
        """
        with one_thread():
            return prepared(self, rows, targets)

    def with_deltas(self, deltas: Mapping[str, Shift]) -> "Chained":
        """The same chain under stated departures from missing at random."""
        return replace(self, deltas=tuple(sorted(deltas.items())))


def check_departures(imputer: Imputer, derived: Mapping[Column, str]) -> None:
    """Refuses departures of columns that are computed, by column how: no chain draws these.

    Raises:
        QueryError: the message names the column.
    """
    for name, _ in imputer.deltas if isinstance(imputer, Chained) else ():
        for column, text in derived.items():
            if name in (str(column), column.name):
                raise QueryError(
                    f"{column} is derived as ({text}), so imputed values of it do not depart by themselves: "
                    "state a departure of a column that it is derived from"
                )
