"""A pooled answer under departures from missing at random, and the departure at which it tips."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from imputedb.errors import QueryError
from imputedb.imputers.chained.chained import Chained
from imputedb.imputers.chained.shift import Shift
from imputedb.imputers.protocol import Imputer
from imputedb.inference.estimate import Estimate
from imputedb.notes import Note, NoteKind

if TYPE_CHECKING:
    from matplotlib.figure import Figure

BISECTIONS = 8
"""Halvings of the step between two shifts where an interval crosses a value."""

ONE = Shift(add=1.0)

Key = tuple[tuple[str, ...], str]
"""A number of an answer: the values that tell its group, and its name."""

Answering = Callable[[Imputer], Mapping[Key, Estimate]]
"""The numbers of a query that is asked with an imputer."""


@dataclass(frozen=True, slots=True)
class Departures:
    """The departures of a column's imputed values from missing at random.

    Attributes:
        column: column whose imputed values are shifted.
        shifts: sizes of the departure, as multiples of `of`; 0, which is missing at random, is added.
        of: departure of size 1; by default 1 is added. By group: `Shift(add={"drug": 1}, by="arm")`.
        crosses: value whose inclusion in the interval decides where the answer tips.
    """

    column: str
    shifts: tuple[float, ...]
    of: Shift = ONE
    crosses: float = 0.0

    def __post_init__(self) -> None:
        sizes = tuple(sorted({0.0, *map(float, self.shifts)}))
        if len(sizes) < 2 or not all(map(math.isfinite, sizes)):
            raise QueryError("departures need shifts besides 0, which is missing at random, such as (-2, -1)")
        object.__setattr__(self, "shifts", sizes)

    def moved(self, imputer: Chained, size: float) -> Chained:
        """The imputer with a departure of this size, beside its departures of other columns."""
        others = {name: shift for name, shift in imputer.deltas if not _same(name, self.column)}
        return imputer.with_deltas(others | ({self.column: self.of.scaled(size)} if size else {}))


def _same(one: str, other: str) -> bool:
    """Whether two names may refer to the same column: either may omit its table."""
    return one == other or (one.rpartition(".")[2] == other.rpartition(".")[2] and not ("." in one and "." in other))


@dataclass(frozen=True, slots=True)
class Point:
    """A number of the answer under one departure.

    Attributes:
        size: size of the departure.
        estimate: estimate under it.
        low: lower end of the interval.
        high: upper end of the interval.
    """

    size: float
    estimate: float
    low: float
    high: float

    def holds(self, value: float) -> bool:
        """Whether the interval contains a value."""
        return self.low <= value <= self.high


@dataclass(frozen=True, slots=True)
class Sensitivity:
    """The numbers of an answer under departures of growing size, and their tipping points.

    Attributes:
        departures: departures that were applied.
        points: by number, one point for each size, in ascending order.
        tipping: by number, the sizes at which its interval starts or ceases to contain `crosses`, in ascending order;
            empty where there are none.
    """

    departures: Departures
    points: Mapping[Key, Sequence[Point]]
    tipping: Mapping[Key, tuple[float, ...]] = field(default_factory=dict)

    def table(self) -> dict[str, list[Any]]:
        """Columns by name, with one row for each number and size."""
        rows = [(" ".join(group), name, p) for (group, name), points in self.points.items() for p in points]
        found: dict[str, list[Any]] = {"group": [row[0] for row in rows], "name": [row[1] for row in rows]}
        found |= {part: [getattr(p, part) for _, _, p in rows] for part in ("size", "estimate", "low", "high")}
        return found | {"holds": [p.holds(self.departures.crosses) for _, _, p in rows]}

    def sentences(self) -> list[Note]:
        """Notes on where each number tips."""
        about = self.departures
        notes = list[Note]()
        for (group, name), tips in self.tipping.items():
            where = " ".join((*group, name))
            first = self.points[group, name][[p.size for p in self.points[group, name]].index(0.0)]
            verb = "ceases to hold" if first.holds(about.crosses) else "comes to hold"
            ends = [f"{about.column} {about.of.scaled(size)}" for size in (about.shifts[0], about.shifts[-1])]
            outcome = f"does not tip from {ends[0]} to {ends[1]}: its interval nowhere {verb}"
            if tips:
                outcome = f"tips at {about.column} {about.of.scaled(tips[0])}: there its interval {verb}"
            notes.append(Note(NoteKind.TIPPING, where, f"{where}: {outcome} {about.crosses:g}"))
        return notes

    def __str__(self) -> str:
        head = f"{self.departures.column:>12}  {'number':>20}  {'estimate':>10}  {'low':>10}  {'high':>10}"
        lines = [
            f"{p.size:>12g}  {' '.join((*group, name)):>20}  {p.estimate:10.4g}  {p.low:10.4g}  {p.high:10.4g}"
            for (group, name), points in self.points.items()
            for p in points
        ]
        return "\n".join([head, *lines, *self.sentences()])

    def figure(self) -> Figure:
        """Estimates and intervals over the size of the departure, one panel for each number, with tipping points.

        Raises:
            DataError: matplotlib is not installed.
        """
        from imputedb.diagnostics.pictures import departures

        return departures(
            {" ".join((*group, name)): _line(points) for (group, name), points in self.points.items()},
            {" ".join((*group, name)): tips for (group, name), tips in self.tipping.items()},
            self.departures.crosses,
            f"shift of imputed {self.departures.column}, in multiples of {self.departures.of}",
        )


def _line(points: Sequence[Point]) -> Sequence[tuple[float, float, float, float]]:
    return [(p.size, p.estimate, p.low, p.high) for p in points]


def swept(answer: Answering, imputers: Sequence[Imputer], departures: Departures) -> Sensitivity:
    """The numbers of a query under departures; the interval between two sizes with a tipping point is bisected.

    All sizes use the same random numbers, so that answers differ by the departures only.

    Raises:
        QueryError: the imputer does not support departures, or the answer has no intervals.
    """
    if len(imputers) != 1 or not isinstance(imputers[0], Chained):
        names = ", ".join(one.name for one in imputers) or "drop"
        raise QueryError(
            f"departures act inside a chain, which {names} has not: take one imputer, norm, pmm or logistic"
        )
    imputer = imputers[0]
    answers: dict[float, Mapping[Key, Point]] = {}

    def at(size: float) -> Mapping[Key, Point]:
        if size not in answers:
            answers[size] = _points(answer(departures.moved(imputer, size)), size)
        return answers[size]

    for size in departures.shifts:
        at(size)
    numbers = list(at(0.0))
    grid = {key: [at(size)[key] for size in departures.shifts if key in at(size)] for key in numbers}
    if all(len({point.estimate for point in points}) == 1 for points in grid.values()):
        raise QueryError(
            f"no number of this answer moves with imputed values of {departures.column!r}: "
            "name an incomplete column that it depends on; policies may leave it NULL, or name another imputer"
        )
    tipping = {key: _tips(at, key, points, departures.crosses) for key, points in grid.items()}
    return Sensitivity(departures, grid, tipping)


def _tips(
    at: Callable[[float], Mapping[Key, Point]], key: Key, points: Sequence[Point], value: float
) -> tuple[float, ...]:
    found = []
    for a, b in pairwise(points):
        if a.holds(value) == b.holds(value):
            continue
        low, high = a, b
        for _ in range(BISECTIONS):
            middle = at((low.size + high.size) / 2).get(key)
            if middle is None:
                break
            low, high = (middle, high) if middle.holds(value) == a.holds(value) else (low, middle)
        found.append((low.size + high.size) / 2)
    return tuple(sorted(found, key=abs))


def _points(found: Mapping[Key, Estimate], size: float) -> dict[Key, Point]:
    return {key: Point(size, one.estimate, *one.interval()) for key, one in found.items()}
