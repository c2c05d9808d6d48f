"""Kinds of values, as statistics and imputers distinguish them."""

from enum import Enum


class Kind(Enum):
    """The kind of a column's values."""

    INTEGER = "integer"
    NUMBER = "number"
    BOOLEAN = "boolean"
    DATE = "date"
    TIMESTAMP = "timestamp"
    DURATION = "duration"
    CATEGORY = "category"
    OPAQUE = "opaque"

    @property
    def ordered(self) -> bool:
        """Whether values are ordered on a line, so that they have quantiles and a mean."""
        return self not in (Kind.CATEGORY, Kind.OPAQUE)
