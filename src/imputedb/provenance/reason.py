"""The provenance of an imputed cell as a value."""

from dataclasses import asdict, dataclass
from datetime import date, datetime
from typing import Any

from imputedb import markup


@dataclass(frozen=True, slots=True)
class Neighbour:
    """A donor of a value.

    Attributes:
        row: value of its key, or a salted hash of it.
        distance: distance to the row of the cell.
        weight: its weight; the weights sum to 1.
        value: its value in the column.
    """

    row: object
    distance: float
    weight: float
    value: object


@dataclass(frozen=True, slots=True)
class Why:
    """The provenance of one cell.

    Attributes:
        table: name of the table.
        column: name of the column.
        row: value of the row's key, or a salted hash of it.
        key: column that identifies the row.
        value: value imputed from the neighbours.
        observed: stored value; None where it is missing.
        metric: distance metric.
        neighbours: donors, the nearest first; fewer than k where there are no more.
        effective: effective number of equally weighted neighbours (Kish 1965).
        variance: for numbers, the sample variance of the neighbours' values; None for categories or a single neighbour.
        entropy: for categories, -sum(p log p) of the weighted votes in nats; None for numbers.
        fallback: `group`, `column` or `mean` where no neighbour was found; `left` where there was no fallback;
            `imprecise` where the column's policy leaves the cell missing (MISSING BELOW), so that it has no value.
        recall: for an approximate search, the measured share of exact neighbours.
        age: seconds since the index of an approximate search was learnt.
        policy: policy of the column as text; None where it has none.
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
        """The value with its donors, as HTML for notebooks."""
        rows = [[near.row, near.distance, near.weight, near.value] for near in self.neighbours]
        titles = [self.key, f"distance ({self.metric})", "weight", self.column]
        notes = [f"effective neighbours {self.effective:.1f} of {len(rows)}", *([self.policy] if self.policy else [])]
        title = f"{self.table}.{self.column} where {self.key} is {self.row}: {self.value}"
        return markup.table(titles, rows, title=title, notes=notes)

    def data(self) -> dict[str, Any]:
        """The provenance as JSON-ready data."""
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
