"""What a user says about a column's missing values."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

Action = Literal["impute", "drop", "keep", "structural"]

ACTIONS: tuple[Action, ...] = ("impute", "drop", "keep", "structural")


@dataclass(frozen=True, slots=True)
class Policy:
    """How the missing values of one column are dealt with.

    Attributes:
        action: `impute`, which the planner may do or not; `drop`: rows that miss a value which is examined go;
            `keep`: NULL means something of its own and stays; `structural`: so it does where `when` holds, not
            applicable there, and elsewhere the value is missing.
        when: a condition over the table's columns as they are stored, in SQL.
        low: the least value that may be filled in, None for no bound.
        high: the largest one.
        values: the only values that may be filled in, as text; empty for any.
        imputer: the name of the column's own imputer, None for the query's.
        predictors: the columns it may be predicted from, empty for all.
        exclude: columns it may not be predicted from.
    """

    action: Action = "impute"
    when: str | None = None
    low: float | None = None
    high: float | None = None
    values: tuple[str, ...] = ()
    imputer: str | None = None
    predictors: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()

    def changed(self, options: Mapping[str, Any]) -> "Policy":
        """The policy with some attributes set anew."""
        return replace(self, **options)

    def data(self) -> dict[str, Any]:
        """What is set, JSON-ready."""
        unset = Policy()
        return {name: value for name, value in asdict(self).items() if value != getattr(unset, name)}

    @classmethod
    def of(cls, data: Mapping[str, Any]) -> "Policy":
        """The policy from what `data` gave."""
        lists = {"values", "predictors", "exclude"}
        options: dict[str, Any] = {name: tuple(value) if name in lists else value for name, value in data.items()}
        return cls(**options)

    def predicts(self, column: str) -> bool:
        """Whether a column of the same table may be looked at."""
        allowed = not self.predictors or column in self.predictors
        return allowed and column not in self.exclude

    @property
    def restricts(self) -> bool:
        """Whether more is asked than a constant in place of each missing value."""
        return self.action == "structural" or bool(
            self.low is not None or self.high is not None or self.values or self.imputer
        )

    def __str__(self) -> str:
        """In the words of CREATE IMPUTATION POLICY."""
        words = [f"STRUCTURAL WHEN ({self.when})" if self.action == "structural" else self.action.upper()]
        if self.low is not None or self.high is not None:
            low = "-infinity" if self.low is None else f"{self.low:g}"
            words.append(f"RANGE {low} TO {'infinity' if self.high is None else f'{self.high:g}'}")
        words += [f"IMPUTER {self.imputer}"] if self.imputer else []
        for name in ("values", "predictors", "exclude"):
            if getattr(self, name):
                words.append(f"{name.upper()} ({', '.join(getattr(self, name))})")
        return " ".join(words)


DEFAULT = Policy()
