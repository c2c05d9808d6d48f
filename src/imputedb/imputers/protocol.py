"""The protocol of imputers: cost estimates and the imputation itself, with optional members."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeGuard, runtime_checkable

from imputedb.algebra.column import Column
from imputedb.imputers.chained.chains import Movement
from imputedb.imputers.rows import Array, Rows
from imputedb.notes import Note, NoteKind


@dataclass(frozen=True, slots=True)
class Work:
    """The work of an Impute, as the planner estimates it.

    Attributes:
        rows: estimated number of input rows.
        targets: number of columns to fill, |C|.
        attributes: number of available columns, |Attr(q)|, targets included.
        missing: mean share of missing cells over the targets.
        spread: sum of the targets' unit-free spreads, each in [0, 1].
    """

    rows: float
    targets: int
    attributes: int
    missing: float
    spread: float


Progress = Callable[[float], object]
"""Told the share of the work that is done, from 0 to 1."""


class Imputer(Protocol):
    """A method of imputation with estimates of its costs."""

    @property
    def name(self) -> str:
        """The name by which users choose it."""

    @property
    def uses_predictors(self) -> bool:
        """Whether it reads columns other than the targets."""

    def time(self, work: Work) -> float:
        """T: estimated milliseconds; must not decrease with rows."""

    def penalty(self, work: Work) -> float:
        """P in (0, 1): estimated loss of information; must not increase with rows or attributes.

        It is less than 1, the penalty of a Drop: an imputed row loses less information than a dropped one.
        """

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
        """The values of each target's missing cells, in row order, in the form of `Cells.values`.

        For most targets these are single best values. For targets in `drawn` they are one of many imputations, by draw
        index: a random draw of the possible values, with the model's parameters drawn too. Draws depend on their index
        only, so that the first five of twenty are those of five; they do not depend on single values that are requested
        beside them.

        Every target has an observed value. Equal rows, seed and draw index give equal values; random numbers depend on
        keys, not positions. A single value is the best one given the draws in its row.
        """


@runtime_checkable
class Proper(Protocol):
    """An imputer that states whether its draws vary as much as missing values are uncertain (Rubin 1987, 4.2)."""

    @property
    def proper(self) -> bool:
        """Whether intervals that are pooled from its draws are valid."""


def is_proper(imputer: Imputer) -> bool:
    """Whether an imputer states that its draws are proper; without a statement they are not assumed to be."""
    return isinstance(imputer, Proper) and imputer.proper


def draws_differ(imputer: Imputer) -> bool:
    """Whether an imputer's draws differ; `draws = False` states that they are all equal."""
    return bool(getattr(imputer, "draws", True))


@runtime_checkable
class InClasses(Protocol):
    """An imputer that draws within classes, independently of other columns."""

    @property
    def by(self) -> tuple[str, ...]:
        """The columns that define the classes."""


def doubt(imputer: Imputer) -> Note | None:
    """A warning about intervals that are pooled from an imputer's draws; None where there is none."""
    if not is_proper(imputer):
        return Note(
            NoteKind.IMPROPER,
            imputer.name,
            f"the draws of {imputer.name} differ less than what is unknown does: intervals are too short "
            "(Rubin 1987, section 4.2); take norm, pmm or tree",
        )
    if not imputer.uses_predictors:
        return Note(
            NoteKind.UNRELATED,
            imputer.name,
            f"the draws of {imputer.name} know nothing of other columns: correlations, slopes, differences of groups "
            "are pulled towards none; take norm, pmm or tree",
        )
    if isinstance(imputer, InClasses) and imputer.by:
        return Note(
            NoteKind.UNRELATED,
            imputer.name,
            f"the draws of {imputer.name} know of {', '.join(imputer.by)} alone: within classes of these, correlations "
            "with other columns are pulled towards none; take norm, pmm or tree",
        )
    return None


class FillsInSql(Imputer, Protocol):
    """An imputer with a constant value for each column, which the engine can fill in within its statement."""

    def constant(self, centre: str) -> str:
        """The literal, as SQL text, for a column's missing values, given its centre."""


class LearnsFromSample(Imputer, Protocol):
    """An imputer that needs only a sample of the observed cells, so that only these are fetched."""

    def training_rows(self, missing: float) -> float:
        """The number of observed cells of a target to learn from, given the number of missing ones."""


class ReportsNotes(Imputer, Protocol):
    """An imputer that returns notes with its values, such as on cells that it could only guess."""

    def impute_with_notes(
        self,
        rows: Rows,
        targets: Sequence[Column],
        seed: int,
        progress: Progress | None = None,
        *,
        drawn: Collection[Column] = (),
        draw: int = 0,
    ) -> tuple[Mapping[Column, Array], Sequence[str]]:
        """The values of `impute`, and notes for readers of the answer."""


def apart(targets: Sequence[Column], drawn: Collection[Column]) -> Iterator[tuple[list[Column], bool]]:
    """The drawn targets and those with single values; groups without targets are left out."""
    for flag in (True, False):
        some = [column for column in targets if (column in drawn) == flag]
        if some:
            yield some, flag


# These functions are called often; `isinstance` with a protocol is too slow.


def fills_in_sql(imputer: Imputer) -> TypeGuard[FillsInSql]:
    """Whether an Impute by this imputer becomes part of the engine's statement."""
    return hasattr(imputer, "constant")


def learns_from_sample(imputer: Imputer) -> TypeGuard[LearnsFromSample]:
    """Whether an imputer gets only a sample of the observed cells."""
    return hasattr(imputer, "training_rows")


def reports_notes(imputer: Imputer) -> TypeGuard[ReportsNotes]:
    """Whether an imputer returns notes with its values."""
    return hasattr(imputer, "impute_with_notes")


@runtime_checkable
class Stretches(Protocol):
    """An imputer that draws some columns on transformed scales."""

    def stretched(self, rows: Rows, targets: Sequence[Column]) -> Mapping[Column, str]:
        """The names of the scales by column; columns without transformation are absent."""


@runtime_checkable
class Assumes(Protocol):
    """An imputer with an assumption beyond missing at random."""

    @property
    def assumption(self) -> str:
        """The sentence on the assumption for answers; empty where there is none."""


def assumption_of(imputer: Imputer) -> str | None:
    """The assumption of an imputer beyond missing at random; None where there is none."""
    return (imputer.assumption or None) if isinstance(imputer, Assumes) else None


def averages_donors(imputer: Imputer) -> bool:
    """Whether an imputer's predictions are means or modes of observed values of the column."""
    return bool(getattr(imputer, "averages_donors", False))


def takes_donors(imputer: Imputer) -> bool:
    """Whether an imputer's draws are observed values of the column."""
    return bool(getattr(imputer, "takes_donors", False))


def matches_lines(imputer: Imputer) -> bool:
    """Whether donors are found by predictions of a linear model only."""
    return bool(getattr(imputer, "matches_lines", False))


def same_donors(imputer: Imputer) -> bool:
    """Whether all draws have the same potential donors, not a bootstrap sample each."""
    return bool(getattr(imputer, "same_donors", False))


def takes_lines(imputer: Imputer) -> bool:
    """Whether an imputer draws from a linear model with normal residuals."""
    return bool(getattr(imputer, "takes_lines", False))


def follows_order(imputer: Imputer) -> bool:
    """Whether an imputer uses preceding and following rows, and therefore gets the order of rows."""
    return bool(getattr(imputer, "follows_order", False))


def reads_whole_tables(imputer: Imputer) -> bool:
    """Whether an imputer needs all stored rows of a table with their missing cells, whatever rows a query reads.

    Draws of Imputes below, of the same table, are not passed to it as observed values.
    """
    return bool(getattr(imputer, "reads_whole_tables", False))


class Draws(Protocol):
    """Prepared rows, from which draws can be made repeatedly."""

    def run_many(
        self, seed: int, numbers: Sequence[int], progress: Progress | None = None
    ) -> Iterator[Mapping[Column, Array]]:
        """The draws with these indices, one after another, equal to those of `impute`."""


@runtime_checkable
class Converges(Protocol):
    """Draws by chains, with a record of their movement."""

    @property
    def movement(self) -> Movement | None:
        """The movement of the chain of the last draw; None without a chain."""


@runtime_checkable
class DrawsOften(Protocol):
    """An imputer that does the common work of all draws once."""

    def prepared(self, rows: Rows, targets: Sequence[Column]) -> Draws:
        """The prepared rows."""
