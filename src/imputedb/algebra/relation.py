"""The operators: what rows come out of a plan. A closed set; every pass over it is one `match`."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from imputedb.algebra.column import Column, Columns
from imputedb.algebra.scalar import Scalar


@dataclass(frozen=True, slots=True)
class Table:
    """A stored table: its path (catalog, schema, name)."""

    catalog: str
    schema: str
    name: str

    @property
    def path(self) -> tuple[str, str, str]:
        """Catalog, schema and name."""
        return (self.catalog, self.schema, self.name)


@dataclass(frozen=True, slots=True)
class Scan:
    """The rows of a table, its columns named after `alias`."""

    table: Table
    alias: str


@dataclass(frozen=True, slots=True)
class Filter:
    """σ: the rows for which every predicate holds."""

    input: "Relation"
    predicates: tuple[Scalar, ...]


@dataclass(frozen=True, slots=True)
class Join:
    """⋈: pairs of rows for which every predicate holds (all pairs when there is none)."""

    left: "Relation"
    right: "Relation"
    predicates: tuple[Scalar, ...]


@dataclass(frozen=True, slots=True)
class Impute:
    """μ: every row, the missing values of `columns` filled in by an imputer, some perhaps by one of their own."""

    input: "Relation"
    columns: Columns
    imputer: str
    own: tuple[tuple[Column, str], ...] = field(default=(), compare=False)

    @property
    def fillers(self) -> Mapping[str, Columns]:
        """The columns by the name of what fills them."""
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
    """g: one row a group. `grouping` is the engine's own list of grouping sets."""

    input: "Relation"
    groups: tuple[Scalar, ...]
    aggregates: tuple[Scalar, ...]
    having: Scalar | None = None
    grouping: Mapping[str, Any] = field(default_factory=dict, compare=False, hash=False)


@dataclass(frozen=True, slots=True)
class Project:
    """π: the output columns, in order. `distinct` is the engine's own modifier, None when rows may repeat."""

    input: "Relation"
    outputs: tuple[Scalar, ...]
    qualify: Scalar | None = None
    distinct: Mapping[str, Any] | None = field(default=None, compare=False, hash=False)


@dataclass(frozen=True, slots=True)
class SortKey:
    """An expression to order by, with its direction and place of NULLs as the engine names them."""

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
    """Rows that are known one by one: what an Impute, or a watched operator, has produced.

    A table `name` in the engine says, under each alias, which row of its scan belongs to the n-th row; it has the
    values of the columns in `kept`, and under a column's full name what an imputer gave for it. All else stays where it
    is stored. Rows of a single scan, all of them and in its order (`whole`), need no row ids: `name` stands beside
    them, and is None where nothing was missing. `reads` are the columns read above, `filled` those whose missing cells
    are taken from somewhere. With `draws`, `name` also says which draw each row is of, a negative number for all.
    `origin` is the relation that was staged, for those who draw or check the plan.
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
