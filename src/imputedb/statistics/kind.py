"""What the values of a column are to statistics and imputers."""

from enum import Enum


class Kind(Enum):
    """What a column's values are to statistics and imputers."""

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
        """Whether values lie on a line, so that they have quantiles and a mean."""
        return self not in (Kind.CATEGORY, Kind.OPAQUE)
