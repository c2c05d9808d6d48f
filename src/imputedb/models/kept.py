"""Imputers that are fitted to whole tables, and whose values are kept for all queries."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeGuard

from imputedb.algebra.column import Column
from imputedb.algebra.relation import Table
from imputedb.engines.record import Record
from imputedb.imputers.protocol import Imputer, Progress, Work
from imputedb.imputers.registry import single_imputer
from imputedb.imputers.rows import Array, Rows
from imputedb.models import price

PREFIX = "kept "
"""Prefix of an imputer's name in plans and reports, where its values are kept."""

SAMPLED = "sampled "
"""The same prefix, where functions fitted to a sample are written into the statement."""

SHORT = ("tree", "norm", "logistic", "multinomial", "ordered")
"""Imputers that can be fitted so that their functions are short in SQL."""


@dataclass(frozen=True, slots=True)
class StoredImputer:
    """An imputer that is fitted to whole tables and whose values are kept.

    A missing cell has the same value in every query, whichever rows the query reads.

    Attributes:
        base: the imputer to fit.
        models: kept models, which impute the columns that they cover.
        whole_tables: whether other columns are imputed too, by a fit of the imputer to their tables.
        on_sample: whether that fit is to a sample, and its function is written into the statement, so that no row is
            fetched.
    """

    base: Imputer
    models: tuple[Record, ...] = ()
    whole_tables: bool = True
    on_sample: bool = False

    @property
    def name(self) -> str:
        """The name in plans and reports."""
        return (SAMPLED if self.on_sample else PREFIX) + self.base.name

    @property
    def uses_predictors(self) -> bool:
        """Whether columns other than the targets are read."""
        return self.base.uses_predictors

    def time(self, work: Work) -> float:
        """T: milliseconds to read the values beside the stored ones, or to compute them in the statement."""
        if self.on_sample:
            return price.sampling(work.rows, work.attributes, work.rows * work.missing, work.targets)
        if self.whole_tables:
            return price.BESIDE * work.rows * work.targets
        cells = work.rows * work.missing * work.targets
        return price.applying(work.rows, work.attributes, cells, work.targets)

    def penalty(self, work: Work) -> float:
        """P in (0, 1): the estimated loss of information, as of a fresh fit."""
        return self.base.penalty(work)

    def model(self, table: Table, column: str) -> Record | None:
        """The kept model that fills in a column of a table; None where the imputer is fitted to the table itself."""
        return next((record for record in self.models if record.covers(table, column)), None)

    def suits(self, columns: Iterable[tuple[Table, str]]) -> bool:
        """Whether it can impute all of some columns."""
        return self.whole_tables or all(self.model(table, column) is not None for table, column in columns)

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
        """The values that the imputer gives when it is fitted to these rows."""
        return self.base.impute(rows, targets, seed, progress, drawn=drawn, draw=draw)


def is_stored(imputer: Imputer) -> TypeGuard[StoredImputer]:
    """Whether an imputer's values are kept."""
    return isinstance(imputer, StoredImputer)


def with_stored_values(imputers: Sequence[Imputer]) -> tuple[Imputer, ...]:
    """The imputers, each with its values kept."""
    return tuple(one if is_stored(one) else StoredImputer(one) for one in imputers)


def with_models(imputers: Sequence[Imputer], models: Sequence[Record]) -> tuple[Imputer, ...]:
    """The imputers, with models for the columns that these cover where an imputer's values are kept.

    Of several models of a column the most accurate is used; of equally accurate ones, the latest.
    """
    best = _best(models)
    return tuple(replace(one, models=best) if is_stored(one) else one for one in imputers)


def beside_models(imputers: Sequence[Imputer], models: Sequence[Record]) -> tuple[Imputer, ...]:
    """The imputers, fitted to a query's rows, and kept models as an alternative."""
    return (
        (*imputers, StoredImputer(imputers[0], _best(models), whole_tables=False))
        if models and imputers
        else tuple(imputers)
    )


def beside_samples(imputers: Sequence[Imputer]) -> tuple[Imputer, ...]:
    """The imputers and, as alternatives, functions of the same families fitted to samples of tables."""
    bases = dict.fromkeys(one.base if is_stored(one) else one for one in imputers)
    short = [one for one in bases if one.name in SHORT and one == single_imputer(one.name, "a model needs")]
    return (*imputers, *(StoredImputer(one, on_sample=True) for one in short))


def _best(models: Sequence[Record]) -> tuple[Record, ...]:
    best = sorted(models, key=lambda record: record.fitted_at, reverse=True)
    return tuple(sorted(best, key=_mean_error))


def _mean_error(record: Record) -> float:
    errors = [error for _, error in record.errors]
    return sum(errors) / len(errors) if errors else 1.0
