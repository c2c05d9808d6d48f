"""Stated departures from missing at random: what missing values differ by from what a model says of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from imputedb.algebra.column import Column
from imputedb.errors import UnknownName
from imputedb.imputers.column_model import Vector
from imputedb.imputers.crossproducts import Delta


@dataclass(frozen=True)
class Shift:
    """How imputed values of a column differ from observed ones alike in all else (van Buuren 2018, section 9.2).

    Attributes:
        add: added to an imputed number, in its units.
        times: what it is multiplied by first.
        odds: of categories, by level, what the odds of an imputed one are multiplied by; of booleans by True and False.
    """

    add: float = 0.0
    times: float = 1.0
    odds: Mapping[object, float] = field(default_factory=dict)

    def __hash__(self) -> int:
        return hash((self.add, self.times, tuple(sorted((str(k), v) for k, v in self.odds.items()))))

    def __str__(self) -> str:
        odds = [f"odds of {level} times {odds:g}" for level, odds in self.odds.items()]
        times = [f"times {self.times:g}"] if self.times != 1 else []
        return " and ".join([*odds, *times, *([f"by {self.add:+g}"] if self.add or not (odds or times) else [])])

    def of_matrix(self, centre: float, scale: float) -> Delta:
        """The same for a standardised column: times (y - centre) / scale and what is left."""
        return Delta(self.times, (self.add + (self.times - 1) * centre) / scale)

    def log_odds(self, column: Column, levels: Sequence[object], classes: int) -> Vector | None:
        """(classes,) what is added to the log-odds; None where nothing is.

        Raises:
            UnknownName: a level is none of the column's.
        """
        if not self.odds or not classes:
            return None
        known = list(levels) or [False, True]
        found = np.zeros(classes)
        for level, odds in self.odds.items():
            if level not in known:
                raise UnknownName(f"no level {level!r} in {column}; there are {', '.join(map(str, known))}")
            found[known.index(level)] = np.log(odds)
        return found


UNSHIFTED = Shift()
