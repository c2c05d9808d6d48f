"""Calls of aggregates, and the arithmetic of expressions over them."""

from dataclasses import dataclass

from imputedb.sql import ast as t
from imputedb.sql.ast import Tree
from imputedb.sql.expression import arguments_of, filter_of, function_of
from imputedb.sql.functions import CONDITION_COUNTS


@dataclass(frozen=True, slots=True)
class Call:
    """One call of an aggregate: its arguments as doubles, and further aggregates over the same rows."""

    tree: Tree
    units: Tree

    def argument(self, place: int) -> Tree:
        """An argument as a double."""
        return double(arguments_of(self.tree)[place])

    def of(self, name: str, *arguments: Tree) -> Tree:
        """Another aggregate over the rows of this one."""
        return t.call(name, *arguments, where=filter_of(self.tree))

    @property
    def held(self) -> Tree | None:
        """Whether a row counts: no NULL among the arguments, and what FILTER asks; None where all rows do."""
        given = arguments_of(self.tree)
        present = given if function_of(self.tree) in CONDITION_COUNTS else [t.is_present(one) for one in given]
        return t.all_of([one for one in (*present, filter_of(self.tree)) if one])

    @property
    def count(self) -> Tree:
        """n, the rows that count."""
        if not arguments_of(self.tree):
            return self.of("count_star")
        return t.call("count_star", where=self.held)


def double(tree: Tree) -> Tree:
    """The value as a double."""
    return t.cast(tree, t.plain_type("DOUBLE"))


def minus(left: Tree, right: Tree) -> Tree:
    """left - right."""
    return t.arithmetic("-", left, right)


def plus(left: Tree, right: Tree) -> Tree:
    """left + right."""
    return t.arithmetic("+", left, right)


def times(*factors: Tree) -> Tree:
    """The product."""
    product, *others = factors
    for factor in others:
        product = t.arithmetic("*", product, factor)
    return product


def over(dividend: Tree, divisor: Tree) -> Tree:
    """dividend / divisor; NULL where the divisor is 0."""
    return t.arithmetic("/", double(dividend), t.call("nullif", double(divisor), t.number(0)))


def square(tree: Tree) -> Tree:
    """The square."""
    return times(tree, tree)


def sampled(units: Tree) -> Tree:
    """How many rows were sampled, as a double, and at least as many as the group has."""
    return double(t.call("greatest", units, t.call("count_star")))
