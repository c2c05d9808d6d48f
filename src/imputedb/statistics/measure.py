"""The level of measurement of a column for imputers: numeric, ordinal or nominal."""

import re
from dataclasses import dataclass

from imputedb.errors import DataError
from imputedb.statistics.kind import Kind
from imputedb.statistics.policy import Policy
from imputedb.statistics.table import ColumnStatistics, Statistics

_ENUM = re.compile(r"ENUM\((.*)\)", re.DOTALL)
_LEVEL = re.compile(r"'((?:[^']|'')*)'", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Measured:
    """The level of measurement of a column.

    Attributes:
        kind: kind of its values; whole numbers that are codes have the kind of categories.
        levels: categories in their order, where the type or a policy states it; else empty.
        ordered: whether categories are ordered: as `levels`, else as their numbers.
    """

    kind: Kind
    levels: tuple[str, ...] = ()
    ordered: bool = False

    def __str__(self) -> str:
        """The level of measurement in words."""
        match self.kind:
            case Kind.CATEGORY:
                return "ordered categories" if self.ordered else "categories"
            case Kind.INTEGER | Kind.NUMBER:
                return "numbers"
            case _:
                return str(self.kind.value)


def levels_of(type_name: str) -> tuple[str, ...]:
    """The values of an ENUM in their order; empty for other types."""
    found = _ENUM.fullmatch(type_name)
    return tuple(level.replace("''", "'") for level in _LEVEL.findall(found[1])) if found else ()


def measured(known: ColumnStatistics, policy: Policy) -> Measured:
    """The level of measurement of a column, from its type, its values and its policy.

    An ENUM has the order of its type. Whole numbers are categories where their statistics say so (`codes.py`) and they
    are not derived from other columns, and wherever a policy says so. So are values that a policy lists.
    """
    if known.kind is Kind.CATEGORY:
        levels = levels_of(known.type)
        if levels:
            return Measured(known.kind, levels, policy.measure != "nominal")
        return Measured(known.kind, policy.values, True) if policy.measure == "ordinal" else Measured(known.kind)
    if policy.values and policy.measure is None and _lists(policy, known):
        return Measured(Kind.CATEGORY)
    if known.kind in (Kind.INTEGER, Kind.NUMBER):
        if policy.measure in ("nominal", "ordinal"):
            return Measured(Kind.CATEGORY, ordered=policy.measure == "ordinal")
        if policy.measure is None and known.coded and not policy.derived:
            return Measured(Kind.CATEGORY)
    return Measured(known.kind)


def _lists(policy: Policy, known: ColumnStatistics) -> bool:
    """Whether the values that a policy permits are nearly all those of the column; else values are rounded to them."""
    listed = known.kind in (Kind.INTEGER, Kind.NUMBER, Kind.DATE, Kind.TIMESTAMP)
    return listed and not policy.derived and known.distinct <= 2 * len(policy.values) + 8


def is_coded(table: Statistics, name: str) -> bool:
    """Whether a numeric column is taken for categories without a policy."""
    known, policy = table.columns[name], table.policy(name)
    return policy.measure is None and known.coded and measured(known, policy).kind is Kind.CATEGORY


def check(place: str, type_name: str, kind: Kind, policy: Policy) -> None:
    """Refuses a measure that a column cannot have, and a range that does not fit its levels.

    Raises:
        DataError: the measure is numeric for text, ordinal without an order, or categorical for times.
    """
    levels, wanted = levels_of(type_name), policy.measure
    category = kind is Kind.CATEGORY
    if wanted == "numeric" and kind not in (Kind.INTEGER, Kind.NUMBER):
        raise DataError(f"{place} is {type_name}: it cannot be taken AS NUMERIC")
    if wanted in ("nominal", "ordinal") and not category and kind not in (Kind.INTEGER, Kind.NUMBER):
        raise DataError(f"{place} is {type_name}: AS {wanted.upper()} is for texts, ENUMs and numbers")
    if wanted == "ordinal" and category and not levels and not policy.values:
        raise DataError(f"nothing says in which order the values of {place} stand: list them in order by VALUES")
    if category and levels:
        _check_levels(place, levels, policy)


def _check_levels(place: str, levels: tuple[str, ...], policy: Policy) -> None:
    for end in (policy.low, policy.high):
        if end is not None and end not in levels:
            raise DataError(f"{end!r} is not a bound for {place}, whose levels are {', '.join(levels)}")
    low, high = ends(levels, policy)
    if low > high:
        raise DataError(f"no value of {place} is in the range from {policy.low} to {policy.high}")


def ends(levels: tuple[object, ...], policy: Policy) -> tuple[int, int]:
    """The positions of the first and the last level within a policy's range."""
    low = 0 if policy.low is None else levels.index(policy.low)
    return low, len(levels) - 1 if policy.high is None else levels.index(policy.high)
