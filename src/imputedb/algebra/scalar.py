"""Bound scalar expressions, and the conditions on which statistics can be applied."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from imputedb.algebra.column import Column, Columns

Value = float | str
"""A literal as histograms see it: numbers, dates (days), timestamps (seconds) and booleans as floats; text as text."""

Operator = Literal["=", "<>", "<", "<=", ">", ">="]


@dataclass(frozen=True, slots=True)
class Compare:
    """`column operator value`."""

    column: Column
    operator: Operator
    value: Value


@dataclass(frozen=True, slots=True)
class Unknown:
    """A test of missingness: `column IS NULL`."""

    column: Column


@dataclass(frozen=True, slots=True)
class Equal:
    """An equality of two columns: `left = right`."""

    left: Column
    right: Column


@dataclass(frozen=True, slots=True)
class AllOf:
    """A conjunction."""

    parts: "tuple[Condition, ...]"


@dataclass(frozen=True, slots=True)
class AnyOf:
    """A disjunction."""

    parts: "tuple[Condition, ...]"


@dataclass(frozen=True, slots=True)
class Negation:
    """A negation."""

    part: "Condition"


@dataclass(frozen=True, slots=True)
class Opaque:
    """A condition on which statistics cannot be applied, such as a function call."""


Condition = Compare | Unknown | Equal | AllOf | AnyOf | Negation | Opaque

OPAQUE = Opaque()


@dataclass(frozen=True, slots=True)
class Scalar:
    """A bound expression: its text, the columns that it reads, and the engine's syntax tree.

    In the tree every column reference is `relation.column`; references to output aliases are unchanged.
    """

    text: str
    reads: Columns
    tree: Mapping[str, Any] = field(repr=False, compare=False, hash=False)
    condition: Condition = field(default=OPAQUE, repr=False, compare=False, hash=False)
    name: str = field(default="", repr=False)

    @property
    def relations(self) -> frozenset[str]:
        """The relations whose columns are read."""
        return frozenset(column.relation for column in self.reads)
