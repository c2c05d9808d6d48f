"""What the draws of a column get wrong on hidden cells, as a note."""

from dataclasses import dataclass

from imputedb.algebra.column import Column
from imputedb.notes import Note, NoteKind


@dataclass(frozen=True, slots=True)
class Misfit:
    """A difference between the draws and the true values of one column.

    Attributes:
        column: the column.
        imputer: name of the imputer that draws it.
        cells: number of hidden cells.
        size: mean difference, in standard deviations of the column.
        z: mean difference divided by its standard error.
        about: the columns whose relation to it the draws do not follow; empty for a biased mean.
        curved: whether the relation is to the square of one column, or to the product of two.
        level: the category concerned; None for numbers.
    """

    column: Column
    imputer: str
    cells: int
    size: float
    z: float
    about: tuple[Column, ...] = ()
    curved: bool = False
    level: str | None = None

    @property
    def note(self) -> Note:
        """The note for readers of the answer."""
        where = self.column, f": on {self.cells:,} cells that were hidden, draws by {self.imputer} "
        what = "it" if self.level is None else f"the share of {self.level!r}"
        if not self.about:
            way, by = "low" if self.size > 0 else "high", f"by {abs(self.size):.2f} standard deviations"
            fault = f"are too {way} {by}: means and totals of it are biased"
            if self.level is not None:
                fault = f"make {what} too {way} {by}: shares and counts of it are biased"
            return Note(NoteKind.BIASED, self.column, *where, fault)
        how = "bends or differs with" if self.curved else "goes with"
        first, *second = self.about
        return Note(
            NoteKind.BIASED,
            self.column,
            *where,
            f"miss some of how {what} {how} ",
            first,
            *(word for column in second for word in (" and ", column)),
            f" (by {abs(self.size):.2f} standard deviations): "
            "slopes, correlations and differences of groups between these are biased",
        )
