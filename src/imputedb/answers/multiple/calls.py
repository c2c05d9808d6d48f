"""Calls of aggregates, and arithmetic on expressions over them."""

from dataclasses import dataclass

from imputedb.sql import ast as t
from imputedb.sql.ast import Tree
from imputedb.sql.expression import arguments_of, filter_of, function_of
from imputedb.sql.functions import CONDITION_COUNTS


@dataclass(frozen=True, slots=True)
class Call:
    """A call of an aggregate: its arguments as doubles, and further aggregates over the same rows."""

    tree: Tree
    units: Tree

    def argument(self, place: int) -> Tree:
        """An argument as a double."""
        return double(arguments_of(self.tree)[place])

    def of(self, name: str, *arguments: Tree) -> Tree:
        """Another aggregate over the same rows."""
        return t.call(name, *arguments, where=filter_of(self.tree))

    @property
    def held(self) -> Tree | None:
        """Whether a row counts: its arguments are not NULL and FILTER holds; None where all rows count."""
        given = arguments_of(self.tree)
        present = given if function_of(self.tree) in CONDITION_COUNTS else [t.is_present(one) for one in given]
        return t.all_of([one for one in (*present, filter_of(self.tree)) if one])

    @property
    def count(self) -> Tree:
        """Number of rows that count, n."""
        if not arguments_of(self.tree):
            return self.of("count_star")
        return t.call("count_star", where=self.held)


def double(tree: Tree) -> Tree:
    """An expression cast to double."""
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
    """The number of sampled rows as a double, at least that of the group's rows."""
    return double(t.call("greatest", units, t.call("count_star")))
