"""What an imputer is: three members price and do the work, a fourth is optional."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeGuard, runtime_checkable

from imputedb.algebra.column import Column
from imputedb.imputers.chained.chains import Chains
from imputedb.imputers.rows import Array, Rows
from imputedb.notes import Note, NoteKind


@dataclass(frozen=True, slots=True)
class Work:
    """What an Impute will be asked, as the planner estimates it.

    Attributes:
        rows: estimated rows of the input.
        targets: number of columns to fill, |C|.
        attributes: number of columns at hand, |Attr(q)|, the targets included.
        missing: mean share of the rows that are missing in a target.
        spread: sum over the targets of their unit-free spread, each in [0, 1].
    """

    rows: float
    targets: int
    attributes: int
    missing: float
    spread: float


Progress = Callable[[float], object]
"""Told the share of the work that is done, from 0 to 1."""


class Imputer(Protocol):
    """A way to fill in missing values, priced by itself."""

    @property
    def name(self) -> str:
        """The name it is asked for by."""

    @property
    def uses_predictors(self) -> bool:
        """Whether columns other than the targets are looked at."""

    def time(self, work: Work) -> float:
        """T: estimated milliseconds; never falls when rows grow."""

    def penalty(self, work: Work) -> float:
        """P in (0, 1): estimated loss of information; never rises when rows or attributes grow.

        Less than 1, which is a Drop's: an imputed row loses less than one that is gone.
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
        """The values of each target's missing cells, in row order, as `Cells.values` has them.

        Of most targets the single values that this imputer is for, the best it knows. Of those in `drawn` one of many
        imputations, by its number: a fair draw of what the values might be, the model's own parameters drawn too. Draws
        differ by their numbers alone, so that the first five of twenty are those of five; they do not depend on single
        values that are asked for beside them.

        Every target has an observed value. The same rows, seed and draw give the same values; keys, not positions,
        decide what is random. A single value is the best given what is drawn for its row.
        """


@runtime_checkable
class Proper(Protocol):
    """An imputer that says whether its draws differ as much as what is unknown does (Rubin 1987, section 4.2)."""

    @property
    def proper(self) -> bool:
        """Whether intervals pooled from its draws may be trusted."""


def is_proper(imputer: Imputer) -> bool:
    """Whether an imputer says that its draws are proper; one that says nothing is not taken to be."""
    return isinstance(imputer, Proper) and imputer.proper


def draws_differ(imputer: Imputer) -> bool:
    """Whether an imputer's draws differ by their numbers; one that says `draws = False` gives the same each time."""
    return bool(getattr(imputer, "draws", True))


@runtime_checkable
class InClasses(Protocol):
    """An imputer that draws within classes, and knows of no other column."""

    @property
    def by(self) -> tuple[str, ...]:
        """The columns that make classes."""


def doubt(imputer: Imputer) -> Note | None:
    """What a reader of intervals that are pooled from an imputer's draws must know; None where nothing."""
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
    """An imputer whose value is a constant a column, so that the engine fills it in without leaving its statement."""

    def constant(self, centre: str) -> str:
        """The text of the literal that stands in for a column's missing values, given its centre."""


class LearnsFromSample(Imputer, Protocol):
    """An imputer that needs no more than a sample of the observed cells, so that only those travel."""

    def training_rows(self, missing: float) -> float:
        """How many observed cells of a target are worth learning from, to fill in so many missing ones."""


class Tells(Imputer, Protocol):
    """An imputer that has something to say of what it did: cells it could only guess, a search that was approximate."""

    def told(
        self,
        rows: Rows,
        targets: Sequence[Column],
        seed: int,
        progress: Progress | None = None,
        *,
        drawn: Collection[Column] = (),
        draw: int = 0,
    ) -> tuple[Mapping[Column, Array], Sequence[str]]:
        """What `impute` gives, and sentences that a reader of the answer must know."""


def apart(targets: Sequence[Column], drawn: Collection[Column]) -> Iterator[tuple[list[Column], bool]]:
    """The targets that are drawn, and those of which single values are wanted; neither if there are none."""
    for flag in (True, False):
        some = [column for column in targets if (column in drawn) == flag]
        if some:
            yield some, flag


# Asked several times a query, for which `isinstance` of a protocol is too slow.


def fills_in_sql(imputer: Imputer) -> TypeGuard[FillsInSql]:
    """Whether an Impute by this imputer melts into the engine's own statement."""
    return hasattr(imputer, "constant")


def learns_from_sample(imputer: Imputer) -> TypeGuard[LearnsFromSample]:
    """Whether an imputer is given no more than a sample of the observed cells."""
    return hasattr(imputer, "training_rows")


def tells(imputer: Imputer) -> TypeGuard[Tells]:
    """Whether an imputer has something to say of what it did."""
    return hasattr(imputer, "told")


@runtime_checkable
class Stretches(Protocol):
    """An imputer that draws some columns on a scale of their own."""

    def stretched(self, rows: Rows, targets: Sequence[Column]) -> Mapping[Column, str]:
        """What the scales are called, by column; nothing of columns that are drawn as they are."""


@runtime_checkable
class Assumes(Protocol):
    """An imputer whose values stand on more than that they are missing at random."""

    @property
    def assumption(self) -> str:
        """The sentence that answers carry; empty where there is none."""


def assumption_of(imputer: Imputer) -> str | None:
    """What an imputer assumes beyond missing at random; None for nothing."""
    return (imputer.assumption or None) if isinstance(imputer, Assumes) else None


def averages_donors(imputer: Imputer) -> bool:
    """Whether what an imputer predicts are means or modes of observed values of the column."""
    return bool(getattr(imputer, "averages_donors", False))


def takes_donors(imputer: Imputer) -> bool:
    """Whether what an imputer draws are observed values of the column."""
    return bool(getattr(imputer, "takes_donors", False))


def takes_lines(imputer: Imputer) -> bool:
    """Whether what an imputer draws lies around a straight line, with normal residuals."""
    return bool(getattr(imputer, "takes_lines", False))


def follows_order(imputer: Imputer) -> bool:
    """Whether an imputer fills in from the rows before and after, and is shown in which order rows stand."""
    return bool(getattr(imputer, "follows_order", False))


def reads_whole_tables(imputer: Imputer) -> bool:
    """Whether an imputer needs all stored rows of a table, with their stored gaps, whatever rows a query is about.

    What Imputes below have drawn of the same table is not shown to it as observed.
    """
    return bool(getattr(imputer, "reads_whole_tables", False))


class Draws(Protocol):
    """Rows that an imputer has made ready, to be drawn from as often as wanted."""

    def run_many(
        self, seed: int, numbers: Sequence[int], progress: Progress | None = None
    ) -> Iterator[Mapping[Column, Array]]:
        """The draws of these numbers, one after another: what `impute` gives of each."""


@runtime_checkable
class Converges(Protocol):
    """Draws that were made by chains, and say how these moved."""

    @property
    def chains(self) -> Chains | None:
        """How those of the last run moved; None where they had nothing to forget."""


@runtime_checkable
class DrawsOften(Protocol):
    """An imputer that does once what all its draws share."""

    def prepared(self, rows: Rows, targets: Sequence[Column]) -> Draws:
        """The rows, ready."""
