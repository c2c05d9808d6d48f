"""Catalog entries that an engine reports: shapes of tables, and views."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from imputedb.statistics.policy import Policy


@dataclass(frozen=True, slots=True)
class Shape:
    """The columns of a table, and what is known of them.

    Attributes:
        types: SQL types by column.
        missing: by column, the values declared to mean a missing one.
        policies: imputation policies by column.
        without_nan: columns that are known to hold no NaN.
    """

    types: Mapping[str, str]
    missing: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    policies: Mapping[str, Policy] = field(default_factory=dict)
    without_nan: frozenset[str] = frozenset()

    def fingerprint(self, contents: Sequence[object]) -> str:
        """The fingerprint of a table's state: its contents, columns, declared values and policies."""
        rules = {name: policy.changed({"stale": None}).data() for name, policy in self.policies.items()}
        policies = sorted((name, rule) for name, rule in rules.items() if rule)
        columns = [list(self.types.items()), sorted(self.missing.items())]
        return json.dumps([2, [str(part) for part in contents], *columns, policies])


@dataclass(frozen=True, slots=True)
class View:
    """A view: its path, and the statement that made it."""

    catalog: str
    schema: str
    name: str
    sql: str

    @property
    def path(self) -> tuple[str, str, str]:
        """Catalog, schema and name."""
        return (self.catalog, self.schema, self.name)
