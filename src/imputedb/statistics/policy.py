"""Imputation policies: a user's statements about a column's missing values."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any, Literal

import numpy as np

from imputedb.errors import DataError
from imputedb.notes import Note, NoteKind
from imputedb.statistics.kind import Kind

Action = Literal["impute", "drop", "keep", "structural"]

ACTIONS: tuple[Action, ...] = ("impute", "drop", "keep", "structural")

Measure = Literal["nominal", "ordinal", "numeric"]

MEASURES: tuple[Measure, ...] = ("nominal", "ordinal", "numeric")

STALE = ("warn", "refuse", "refresh")
"""What may become of a kept model whose table has changed."""

Bound = float | str
"""A number; of dates and timestamps their text, as ISO 8601 has it."""

_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_]*|-?[0-9]+(\.[0-9]+)?")


@dataclass(frozen=True, slots=True)
class Policy:
    """The policy of one column.

    Attributes:
        action: `impute`: the planner may impute; `drop`: rows are dropped where the value is missing and examined;
            `keep`: NULL has a meaning of its own and stays; `structural`: NULL stays where `when` holds, as not
            applicable, and is missing elsewhere.
        when: condition over stored columns of the table, in SQL.
        low: least value that may be imputed; None for no bound.
        high: largest value that may be imputed; None for no bound.
        values: only values that may be imputed, as text; empty for any.
        imputer: name of the column's own imputer; None for the query's.
        predictors: columns that may be used as predictors; empty for all.
        exclude: columns that may not be used as predictors.
        before: column of times; only earlier rows may be used for prediction. None for all rows.
        above: share of imputed cells in an answer, in percent, above which there is a warning.
        refuse: whether there is an error instead of the warning.
        below: precision, from 0 to 1, below which a missing cell stays missing.
        measure: level of measurement, whatever the type: `nominal`, `ordinal` (in the order of an ENUM, of `values` or
            of numbers) or `numeric`. None for that of type and values.
        weight: column of sampling weights; models of the column weight rows by it.
        partition: columns that define groups of rows.
        order: column that orders the rows of a group, for imputers of series, and for lags as predictors.
        cluster: column of clusters, for which `2l.norm` and `2l.pmm` have random intercepts.
        derived: expression in SQL that computes the column from others; None where it is not derived.
        stale: reaction to a kept model whose table has changed: `warn`, `refuse` or `refresh`; None for a warning.
    """

    action: Action = "impute"
    when: str | None = None
    low: Bound | None = None
    high: Bound | None = None
    values: tuple[str, ...] = ()
    imputer: str | None = None
    predictors: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    before: str | None = None
    above: float | None = None
    refuse: bool = False
    below: float | None = None
    measure: Measure | None = None
    derived: str | None = None
    weight: str | None = None
    partition: tuple[str, ...] = ()
    order: str | None = None
    cluster: str | None = None
    stale: str | None = None

    def changed(self, options: Mapping[str, Any]) -> "Policy":
        """The policy with some attributes changed."""
        return replace(self, **options)

    def data(self) -> dict[str, Any]:
        """The attributes that are set, JSON-ready."""
        unset = Policy()
        return {name: value for name, value in asdict(self).items() if value != getattr(unset, name)}

    @classmethod
    def of(cls, data: Mapping[str, Any]) -> "Policy":
        """The policy from the output of `data`.

        Raises:
            TypeError: an attribute is unknown, or has the wrong type.
        """
        for name, value in data.items():
            texts = value if name in LISTS and isinstance(value, list | tuple) else ()
            if not isinstance(value, _TYPES.get(name, ())) or not all(isinstance(text, str) for text in texts):
                raise TypeError(f"{name} is {value!r}")
        options: dict[str, Any] = {name: tuple(value) if name in LISTS else value for name, value in data.items()}
        if options.get("action", "impute") not in ACTIONS:
            raise TypeError(f"action is {options['action']!r}")
        if options.get("measure") not in (None, *MEASURES):
            raise TypeError(f"measure is {options['measure']!r}")
        if options.get("stale") not in (None, *STALE):
            raise TypeError(f"stale is {options['stale']!r}")
        return cls(**options)

    def predicts(self, column: str) -> bool:
        """Whether a column of the same table may be used as a predictor."""
        allowed = not self.predictors or column in self.predictors
        return allowed and column not in self.exclude

    @property
    def chooses_predictors(self) -> bool:
        """Whether some columns may not be used as predictors."""
        return bool(self.predictors or self.exclude)

    def exceeded(self, column: object, share: float, what: str = "imputed") -> Note | None:
        """A note where the share of imputed cells exceeds the policy's limit; shares are in percent."""
        if self.above is None or share <= self.above:
            return None
        words = f" at hand are {what}; its policy allows {self.above:g} %"
        return Note(NoteKind.SHARE, column, f"{share:.0f} % of the cells of ", column, words)

    @property
    def restricts(self) -> bool:
        """Whether the policy asks for more than a constant in place of each missing value."""
        return (
            self.action == "structural"
            or self.bounds
            or bool(self.imputer or self.leaves or self.weight or self.measure)
            or self.above is not None
        )

    @property
    def plain(self) -> bool:
        """Whether the column can be imputed in one chain with other such columns, without further treatment."""
        return not (self.bounds or self.leaves or self.derived or self.weight or self.cluster)

    @property
    def leaves(self) -> bool:
        """Whether some missing cells may stay missing."""
        return bool(self.before or self.below or self.order)

    @property
    def left(self) -> str:
        """The reason why cells stay missing."""
        if self.derived:
            return f"what they are derived from stays NULL there, or ({self.derived}) is"
        if self.before:
            return f"no earlier row tells of them (by {self.before})"
        if self.below is None:
            return f"no row of their group tells of them (in the order of {self.order})"
        return f"they are known less precisely than its policy asks (MISSING BELOW {self.below:g})"

    @property
    def decides(self) -> bool:
        """Whether the policy decides more than the measure."""
        return replace(self, measure=None) != DEFAULT

    @property
    def bounds(self) -> bool:
        """Whether some values may not be imputed."""
        return self.low is not None or self.high is not None or bool(self.values)

    @property
    def texts(self) -> tuple[str | None, str | None]:
        """The texts in SQL that the policy holds: a condition, and the expression of a derived column."""
        return self.when, self.derived

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that the policy names, except those of `when`."""
        return (*self.predictors, *self.exclude, *self.needed)

    @property
    def rests_on(self) -> tuple[str | tuple[str, ...] | None, ...]:
        """A key by clause: columns with equal keys may be imputed together."""
        return self.before, self.weight, self.partition, self.order, self.cluster

    @property
    def needed(self) -> tuple[str, ...]:
        """The columns without which the policy cannot be applied."""
        return tuple(name for name in (self.before, self.weight, *self.partition, self.order, self.cluster) if name)

    def without(self, column: str) -> "Policy | None":
        """The policy after a column is dropped; None if it needs that as its `before`, or as its last predictor."""
        predictors = tuple(name for name in self.predictors if name != column)
        if column in self.needed or (self.predictors and not predictors):
            return None
        return replace(self, predictors=predictors, exclude=tuple(name for name in self.exclude if name != column))

    def renamed(self, before: str, after: str) -> "Policy":
        """The policy after a column is renamed; the condition is left unchanged."""

        def new(name: str) -> str:
            return after if name == before else name

        return replace(
            self,
            predictors=tuple(map(new, self.predictors)),
            exclude=tuple(map(new, self.exclude)),
            before=self.before and new(self.before),
            weight=self.weight and new(self.weight),
            partition=tuple(map(new, self.partition)),
            order=self.order and new(self.order),
            cluster=self.cluster and new(self.cluster),
        )

    def __str__(self) -> str:
        """The policy in the syntax of CREATE IMPUTATION POLICY."""
        words = [f"STRUCTURAL WHEN ({self.when})" if self.action == "structural" else self.action.upper()]
        words += [f"AS {self.measure.upper()}"] if self.measure else []
        words += [f"IMPUTER {_listed([self.imputer], chr(34))}"] if self.imputer else []
        if self.low is not None or self.high is not None:
            low = "-infinity" if self.low is None else _bound(self.low)
            words.append(f"RANGE {low} TO {'infinity' if self.high is None else _bound(self.high)}")
        words += [f"VALUES ({_listed(self.values, chr(39))})"] if self.values else []
        for name in ("predictors", "exclude"):
            if getattr(self, name):
                words.append(f"{name.upper()} ({_listed(getattr(self, name), chr(34))})")
        words += [f"BEFORE {_listed([self.before], chr(34))}"] if self.before else []
        if self.order:
            words.append(f"PARTITION BY {_listed(self.partition, chr(34))} ORDER BY {_listed([self.order], chr(34))}")
        words += [f"CLUSTER {_listed([self.cluster], chr(34))}"] if self.cluster else []
        words += [f"WEIGHT {_listed([self.weight], chr(34))}"] if self.weight else []
        if self.above is not None:
            words.append(f"{'REFUSE' if self.refuse else 'WARN'} ABOVE {_bound(self.above)} %")
        words += [f"DERIVED AS ({self.derived})"] if self.derived else []
        words += [f"MISSING BELOW {_bound(self.below)}"] if self.below is not None else []
        words += [f"WHEN STALE {self.stale.upper()}"] if self.stale else []
        return " ".join(words)


LISTS = ("values", "predictors", "exclude", "partition")
"""The attributes that are lists of texts."""

_TYPES: dict[str, tuple[type, ...]] = {
    **dict.fromkeys(LISTS, (list, tuple)),
    **dict.fromkeys(("when", "imputer", "before", "measure"), (str, type(None))),
    **dict.fromkeys(("derived", "weight", "order", "cluster", "stale"), (str, type(None))),
    **dict.fromkeys(("low", "high"), (int, float, str, type(None))),
    "action": (str,),
    **dict.fromkeys(("above", "below"), (int, float, type(None))),
    "refuse": (bool,),
}

DEFAULT = Policy()


def as_text(value: object) -> str:
    """A value of Python, NumPy or TOML as an SQL literal.

    Raises:
        DataError: the value is neither text, number, boolean, date nor time.
    """
    plain = value.item() if isinstance(value, np.generic) else value
    match plain:
        case bool():
            return str(plain).lower()
        case str() | int() | float() | Decimal():
            return str(plain)
        case datetime():
            return plain.isoformat(sep=" ")
        case date() | time():
            return plain.isoformat()
        case _:
            raise DataError(f"{value!r} is not a value: give texts, numbers, dates or truth values")


def as_bound(value: object) -> Bound:
    """A bound in the form in which policies store it.

    Raises:
        DataError: the value is neither a number nor the text of a date or timestamp.
    """
    plain = value.item() if isinstance(value, np.generic) else value
    if isinstance(plain, bool):
        raise DataError(f"{value!r} is not a bound: give a number, or the text of a date or timestamp")
    if isinstance(plain, int | float):
        return plain
    return float(plain) if isinstance(plain, Decimal) else as_text(plain)


def moment(bound: Bound) -> datetime:
    """The time of a bound's text, in UTC where it has no time zone.

    Raises:
        ValueError: the text is not a time.
    """
    found = datetime.fromisoformat(str(bound))
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def number(bound: Bound, kind: Kind) -> float:
    """A bound as a number: days for dates, microseconds since 1970 for timestamps.

    Raises:
        ValueError: the bound is not of that kind.
    """
    match kind:
        case Kind.DATE:
            return float(moment(bound).timestamp() // 86_400)
        case Kind.TIMESTAMP:
            return round(moment(bound).timestamp() * 1e6)
        case _:
            return float(bound)


def _bound(bound: Bound) -> str:
    if isinstance(bound, str):
        return f"'{bound}'"
    return str(int(bound)) if float(bound).is_integer() and abs(bound) < 1e15 else repr(float(bound))


def _listed(names: Sequence[str], quote: str) -> str:
    return ", ".join(
        name if _PLAIN.fullmatch(name) else f"{quote}{name.replace(quote, quote * 2)}{quote}" for name in names
    )
