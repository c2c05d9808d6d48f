"""Imputers whose values are those of the whole table, computed once and read by every query."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeGuard

from imputedb.algebra.column import Column
from imputedb.imputers.protocol import Imputer, Progress, Work
from imputedb.imputers.rows import Array, Rows

PREFIX = "kept "
"""Before an imputer's name in plans and reports, where its values are kept."""

_READ = 2e-6  # milliseconds a cell: an array beside its table (decisions/models.md)


@dataclass(frozen=True, slots=True)
class Kept:
    """An imputer that is fitted to whole tables and whose values are kept.

    A missing cell has one value in every query: the rows that a query reads decide nothing.

    Attributes:
        base: the imputer that is fitted.
    """

    base: Imputer

    @property
    def name(self) -> str:
        """The name in plans and reports."""
        return PREFIX + self.base.name

    @property
    def uses_predictors(self) -> bool:
        """Whether columns other than the targets are read."""
        return self.base.uses_predictors

    def time(self, work: Work) -> float:
        """T: milliseconds to read the values beside the stored ones."""
        return _READ * work.rows * work.targets

    def penalty(self, work: Work) -> float:
        """P in (0, 1): the estimated loss of information, as of a fresh fit."""
        return self.base.penalty(work)

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
        """What the imputer gives of rows, fitted to them."""
        return self.base.impute(rows, targets, seed, progress, drawn=drawn, draw=draw)


def is_kept(imputer: Imputer) -> TypeGuard[Kept]:
    """Whether an imputer's values are kept."""
    return isinstance(imputer, Kept)


def kept(imputers: Sequence[Imputer]) -> tuple[Imputer, ...]:
    """The imputers, their values kept."""
    return tuple(one if is_kept(one) else Kept(one) for one in imputers)


def fitted_anew(imputers: Sequence[Imputer]) -> tuple[Imputer, ...]:
    """The imputers, fitted to the rows that a query reads."""
    return tuple(one.base if is_kept(one) else one for one in imputers)
