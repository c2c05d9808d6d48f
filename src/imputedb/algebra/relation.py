"""The operators of plans: a closed set, over which each pass is one `match`."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from imputedb.algebra.column import Column, Columns
from imputedb.algebra.scalar import Scalar


@dataclass(frozen=True, slots=True)
class Table:
    """A stored table: its path (catalog, schema, name), and the title of what it is a copy of."""

    catalog: str
    schema: str
    name: str
    title: str = field(default="", compare=False, repr=False)

    @property
    def shown(self) -> str:
        """What a person calls it."""
        return self.title or self.name

    @property
    def path(self) -> tuple[str, str, str]:
        """Catalog, schema and name."""
        return (self.catalog, self.schema, self.name)


@dataclass(frozen=True, slots=True)
class Scan:
    """The rows of a table, with columns named after `alias`."""

    table: Table
    alias: str


@dataclass(frozen=True, slots=True)
class Filter:
    """σ: the rows for which all predicates hold."""

    input: "Relation"
    predicates: tuple[Scalar, ...]


@dataclass(frozen=True, slots=True)
class Join:
    """⋈: the pairs of rows for which all predicates hold (all pairs without predicates)."""

    left: "Relation"
    right: "Relation"
    predicates: tuple[Scalar, ...]


@dataclass(frozen=True, slots=True)
class Impute:
    """μ: all rows, with missing values of `columns` imputed by an imputer, some perhaps by one of their own."""

    input: "Relation"
    columns: Columns
    imputer: str
    own: tuple[tuple[Column, str], ...] = field(default=(), compare=False)

    @property
    def fillers(self) -> Mapping[str, Columns]:
        """The columns by the name of their imputer."""
        own = dict(self.own)
        names = sorted({own.get(column, self.imputer) for column in self.columns}, key=lambda n: (n != self.imputer, n))
        return {name: frozenset(c for c in self.columns if own.get(c, self.imputer) == name) for name in names}


@dataclass(frozen=True, slots=True)
class Drop:
    """δ: the rows without a missing value in `columns`."""

    input: "Relation"
    columns: Columns


@dataclass(frozen=True, slots=True)
class Aggregate:
    """g: one row for each group. `grouping` is the engine's own list of grouping sets."""

    input: "Relation"
    groups: tuple[Scalar, ...]
    aggregates: tuple[Scalar, ...]
    having: Scalar | None = None
    grouping: Mapping[str, Any] = field(default_factory=dict, compare=False, hash=False)


@dataclass(frozen=True, slots=True)
class Project:
    """π: the output columns, in order. `distinct` is the engine's own modifier; None where rows may repeat."""

    input: "Relation"
    outputs: tuple[Scalar, ...]
    qualify: Scalar | None = None
    distinct: Mapping[str, Any] | None = field(default=None, compare=False, hash=False)


@dataclass(frozen=True, slots=True)
class SortKey:
    """An expression of ORDER BY, with its direction and position of NULLs in the engine's terms."""

    scalar: Scalar
    direction: str
    nulls: str


@dataclass(frozen=True, slots=True)
class Sort:
    """The same rows in the order of the keys."""

    input: "Relation"
    keys: tuple[SortKey, ...]


@dataclass(frozen=True, slots=True)
class Limit:
    """The first rows; `modifier` is the engine's own, with its offset."""

    input: "Relation"
    text: str
    modifier: Mapping[str, Any] = field(compare=False, hash=False)


@dataclass(frozen=True, slots=True)
class Fill:
    """What stands in where a column's value is missing: the engine's expression, and the column of `Staged.name` that
    it decodes, None for a constant."""

    shown: Mapping[str, Any]
    raw: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Staged:
    """Rows that exist in the engine: the output of an Impute, or of a watched operator.

    A table `name` in the engine has, under each alias, the row id of the scan's row. It also has the values of the
    columns in `kept`, and under a column's full name what an imputer gave for it. All other values stay in their
    tables. Rows of a single scan, if they are all its rows in order (`whole`), need no row ids: `name` is joined by
    position, and is None where nothing was missing. `reads` are the columns read above, `filled` those with values for
    missing cells. With `draws`, `name` also has the draw index of each row, a negative number for all draws. `origin`
    is the original relation, for showing and checking the plan.
    """

    name: str | None
    scans: tuple[Scan, ...]
    whole: bool
    reads: Columns = field(repr=False, compare=False, hash=False)
    kept: Columns = field(repr=False, compare=False, hash=False)
    filled: Mapping[Column, Fill] = field(repr=False, compare=False, hash=False)
    origin: "Relation" = field(repr=False, compare=False, hash=False)
    draws: bool = False


Relation = Scan | Filter | Join | Impute | Drop | Aggregate | Project | Sort | Limit | Staged
