"""Notes on shifts of imputed values that are amplified by other columns missing in the same rows."""

from collections.abc import Iterator, Sequence
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from imputedb.algebra.column import Column
from imputedb.imputers.chained.chained import Chained
from imputedb.imputers.chained.shift import changes
from imputedb.imputers.protocol import Imputer
from imputedb.imputers.rows import Rows
from imputedb.notes import Note, NoteKind
from imputedb.statistics.policy import Policy

MATTERS = 0.02
"""Share of a shifted column's missing cells above which another column missing in the same rows is reported."""

NAMED = 3
"""Maximum number of columns named in a note."""


def fed_back(imputer: Imputer, rows: Rows, targets: Sequence[Column], *, drawn: bool) -> Iterator[Note]:
    """A note on each shifted column whose imputed values move by more than the shift.

    A cycle adds the shift to what the other columns predict. Those that are missing in the same rows have followed the
    shift of the cycle before, so that the shifts add up: to a limit, or without one where another column nearly
    determines the shifted one. Draws of nested patterns take no cycles; expected values always do.

    Args:
        imputer: the imputer.
        rows: the rows.
        targets: the columns that are filled in.
        drawn: whether values are drawn.
    """
    names = {name for name, shift in imputer.deltas if changes(shift)} if isinstance(imputer, Chained) else set()
    shifted = [c for c in targets if {str(c), c.name} & names and rows.columns[c].missing.any()]
    if not shifted:
        return
    missing = {c: cells.missing for c, cells in rows.columns.items() if cells.missing.any()}
    if drawn and all(_nested(missing[a], missing[b]) for a, b in combinations(missing, 2)):
        return
    for column in shifted:
        shares = {c: float(absent[missing[column]].mean()) for c, absent in missing.items() if c != column}
        others = sorted((c for c in shares if shares[c] >= MATTERS), key=lambda c: (-shares[c], c.name))
        if others:
            worst = ", ".join(c.name for c in others[:NAMED]) + (" and others" if len(others) > NAMED else "")
            policy = Policy(exclude=tuple(c.name for c in others))
            words = (
                f" is shifted in each cycle; {worst}, missing in up to {shares[others[0]]:.0%} of the same rows, "
                "follow the shift and add to it, so that values move by more than the shift, and by more with more "
                f"cycles: the policy {policy} of {column.name} makes them move by the shift alone"
            )
            yield Note(NoteKind.FEEDBACK, column, column, words)


def _nested(one: NDArray[np.bool_], other: NDArray[np.bool_]) -> bool:
    """Whether the rows that miss one of two columns include all rows that miss the other."""
    return not (one & ~other).any() or not (other & ~one).any()
