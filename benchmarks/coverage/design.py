"""The design: 64 worlds, a fixed fraction of all combinations of five factors."""

from dataclasses import dataclass
from itertools import product

DISTRIBUTIONS = (
    "normal",
    "lognormal",
    "heavy-tailed",
    "zero-inflated",
    "U-shaped",
    "interactions",
    "rare binary",
    "ordinal",
)
ROWS = (50, 200, 1000, 5000)
JOINS = ("1:1", "1:n")
PATTERNS = ("apart", "blocks", "monotone")
MECHANISMS = ("MCAR 30 %", "MAR 30 %", "MAR 50 %")


@dataclass(frozen=True, order=True, slots=True)
class World:
    """One combination of the factors.

    Attributes:
        number: from 1 to 64.
        distribution: of the outcome y, given what it depends on.
        rows: of the table t.
        join: how many rows of the table u belong to one of t: one, or one to three.
        pattern: whether columns go missing each on its own, all together, or nested in each other.
        mechanism: what missingness depends on, and the share of y that is missing.
    """

    number: int
    distribution: str
    rows: int
    join: str
    pattern: str
    mechanism: str

    @property
    def share(self) -> float:
        """Of y that is missing."""
        return 0.5 if "50" in self.mechanism else 0.3

    def __str__(self) -> str:
        return f"{self.distribution}, n = {self.rows:,}, {self.join}, {self.pattern}, {self.mechanism}"


def _worlds() -> tuple[World, ...]:
    """Distribution x rows x join in full; pattern x mechanism, nine in all, go round in turn.

    Any two factors are then as good as independent: two combinations of their levels differ by two worlds at most.
    """
    full = product(DISTRIBUTIONS, ROWS, JOINS)
    return tuple(
        World(place + 1, *levels, PATTERNS[place % 3], MECHANISMS[place // 3 % 3]) for place, levels in enumerate(full)
    )


WORLDS = _worlds()

RELEASE = (2, 5, 13, 18, 24, 27, 28, 33, 47, 52, 56, 61)
"""Numbers of the twelve worlds that are run with 2,000 replications before a release: every level of every factor."""


def chosen(text: str) -> tuple[World, ...]:
    """The worlds of a list such as `1,5,20-23`, of `all` or of `release`.

    Raises:
        ValueError: a number outside 1 to 64, or a text of another form.
    """
    match text:
        case "all":
            return WORLDS
        case "release":
            return tuple(WORLDS[number - 1] for number in RELEASE)
    numbers: set[int] = set()
    for part in text.split(","):
        first, _, last = part.partition("-")
        numbers |= set(range(int(first), int(last or first) + 1))
    if not numbers or not numbers <= set(range(1, len(WORLDS) + 1)):
        raise ValueError(f"worlds are numbered from 1 to {len(WORLDS)}; {text!r} names others")
    return tuple(WORLDS[number - 1] for number in sorted(numbers))
