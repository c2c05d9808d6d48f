"""How many draws are enough (von Hippel 2020)."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from imputedb.errors import QueryError


@dataclass(frozen=True, slots=True)
class Enough:
    """The number of draws for standard errors that another run would repeat.

    Attributes:
        m: draws needed.
        fmi: the fraction of missing information the pilot showed, the largest of its terms.
        fmi_upper: the upper end of its interval, which m is computed from.
        cv: the coefficient of variation of the standard error that is asked for.
        reason: what else must be known, None where nothing.
    """

    m: int
    fmi: float
    fmi_upper: float
    cv: float
    reason: str | None = None


def point_rule(fmi: float, cv: float = 0.05) -> float:
    """1 + (FMI / CV)^2 / 2 draws, taking the FMI as known (von Hippel 2020, equation 3)."""
    return 1 + (fmi / cv) ** 2 / 2


def enough(fmi: float | Sequence[float], pilot: int, *, cv: float = 0.05, level: float = 0.95) -> Enough:
    """The second stage's number of draws, from the upper end of the pilot's FMI on the logit scale.

    logit(upper) = logit(FMI) + z sqrt(2 / pilot) (von Hippel 2020, equations 8 and 9). A pilot in which nothing
    differs, FMI 0, needs no more than itself; at FMI 1 the upper end is 1.

    Raises:
        QueryError: the pilot has fewer than two draws, or `cv` or `level` is none.
    """
    from scipy import special

    if pilot < 2 or not 0 < cv < 1 or not 0 < level < 1:
        raise QueryError(
            f"a pilot of {pilot} draws, cv {cv}, level {level}: give 2 or more, and shares between 0 and 1"
        )
    largest = max(fmi, default=math.nan) if isinstance(fmi, Sequence) else fmi
    if math.isnan(largest):
        return Enough(pilot, largest, math.nan, cv, "the pilot's fraction of missing information is undefined")
    if largest <= 0:
        return Enough(pilot, 0.0, 0.0, cv, "the pilot's draws agree: nothing missing changes the answer")
    if largest >= 1:
        return Enough(math.ceil(point_rule(1.0, cv)), 1.0, 1.0, cv, "the pilot knows the answer from its draws alone")
    up = special.logit(largest) + special.ndtri(0.5 + level / 2) * math.sqrt(2 / pilot)
    upper = float(special.expit(up))
    return Enough(math.ceil(point_rule(upper, cv)), largest, upper, cv)
