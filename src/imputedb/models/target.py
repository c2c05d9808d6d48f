"""What is asked of a model, and what it is for each column that it fills in."""

from dataclasses import dataclass
from typing import Literal

from imputedb.models.function import Function
from imputedb.models.quality import Quality

Method = Literal["mean", "norm", "logistic", "multinomial", "ordered", "pmm", "tree"]


@dataclass(frozen=True, slots=True)
class How:
    """How a model is learnt.

    Attributes:
        method: the family of its functions.
        sample: rows that are learnt from at most, picked by their keys.
        draws: how many drawn functions there are, m.
        seed: of what is random.
        leaves: of the trees of a function at most, so that it is short in SQL, draws too; None for as many as pay.
    """

    method: Method = "tree"
    sample: int = 50_000
    draws: int = 5
    seed: int = 0
    leaves: int | None = None


@dataclass(frozen=True, slots=True)
class Target:
    """A column that is filled in.

    Attributes:
        feature: its place among the features.
        expected: its best value, given what is stored of a row.
        drawn: by draw, its value given what is stored of a row and what has been drawn of it before.
        quality: of its expected values on hidden cells; None where that was not measured.
    """

    feature: int
    expected: Function
    drawn: tuple[Function, ...]
    quality: Quality | None = None
