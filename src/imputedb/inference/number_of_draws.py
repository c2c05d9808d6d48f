"""The number of draws for reproducible standard errors (von Hippel 2020)."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from imputedb.errors import QueryError


@dataclass(frozen=True, slots=True)
class Enough:
    """The number of draws for which another run would give nearly the same standard errors.

    Attributes:
        m: number of draws needed.
        fmi: largest fraction of missing information in the pilot.
        fmi_upper: upper end of its interval, from which m is computed.
        cv: required coefficient of variation of the standard error.
        reason: a caution; None where there is none.
    """

    m: int
    fmi: float
    fmi_upper: float
    cv: float
    reason: str | None = None


def point_rule(fmi: float, cv: float = 0.05) -> float:
    """The number of draws 1 + (FMI / CV)^2 / 2, for a known FMI (von Hippel 2020, equation 3)."""
    return 1 + (fmi / cv) ** 2 / 2


def enough(fmi: float | Sequence[float], pilot: int, *, cv: float = 0.05, level: float = 0.95) -> Enough:
    """The number of draws of the second stage, from the upper end of the pilot's FMI on the logit scale.

    logit(upper) = logit(FMI) + z sqrt(2 / pilot) (von Hippel 2020, equations 8 and 9). A pilot whose draws agree,
    FMI 0, needs no more draws; at FMI 1 the upper end is 1.

    Raises:
        QueryError: the pilot has fewer than two draws, or `cv` or `level` is out of range.
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
