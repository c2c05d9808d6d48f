"""The reasons of a cell's value, as they are told."""

from dataclasses import asdict, dataclass
from datetime import date, datetime
from typing import Any

from imputedb import markup


@dataclass(frozen=True, slots=True)
class Neighbour:
    """A donor of a value.

    Attributes:
        row: the value of its key, or a salted hash of it.
        distance: how far it is.
        weight: its share in the answer; the shares sum to 1.
        value: what it has.
    """

    row: object
    distance: float
    weight: float
    value: object


@dataclass(frozen=True, slots=True)
class Why:
    """A cell's value and its reasons.

    Attributes:
        table: the table.
        column: the column.
        row: the value of the row's key, or a salted hash of it.
        key: the column that the row is told by.
        value: what neighbours say the cell is.
        observed: what is stored there; None where it is missing.
        metric: the distance.
        neighbours: nearest first; fewer than k where there are no more donors.
        effective: the number of equally weighted neighbours that would say as much (Kish 1965).
        variance: of numbers, the sample variance of the neighbours' values; None of categories or of one neighbour.
        entropy: of categories, -sum(p log p) of the weighted votes in nats; None of numbers.
        fallback: `group`, `column` or `mean` where no neighbour was found; `left` where nothing stands in; `imprecise`
            where the column's policy leaves the cell missing (MISSING BELOW), which has no value then.
        recall: of an approximate search, its measured share of exact neighbours.
        age: seconds since the index of an approximate search was learnt.
        policy: what was said of the column, in words; None where nothing was.
    """

    table: str
    column: str
    row: object
    key: str
    value: object
    observed: object
    metric: str
    neighbours: tuple[Neighbour, ...]
    effective: float
    variance: float | None
    entropy: float | None
    fallback: str | None
    recall: float | None = None
    age: float | None = None
    policy: str | None = None

    def _repr_html_(self) -> str:
        """The value, and the neighbours that it comes from, as a notebook shows them."""
        rows = [[near.row, near.distance, near.weight, near.value] for near in self.neighbours]
        titles = [self.key, f"distance ({self.metric})", "weight", self.column]
        notes = [f"effective neighbours {self.effective:.1f} of {len(rows)}", *([self.policy] if self.policy else [])]
        title = f"{self.table}.{self.column} where {self.key} is {self.row}: {self.value}"
        return markup.table(titles, rows, title=title, notes=notes)

    def data(self) -> dict[str, Any]:
        """Everything as JSON-ready data."""
        return {name: _plain(value) for name, value in asdict(self).items()}


def _plain(value: Any) -> Any:
    match value:
        case dict():
            return {name: _plain(part) for name, part in value.items()}
        case list() | tuple():
            return [_plain(part) for part in value]
        case date() | datetime():
            return value.isoformat()
        case _:
            return value
