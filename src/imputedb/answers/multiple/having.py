"""HAVING decided once, by pooled values: its comparisons stand, what they compare is pooled."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from imputedb.sql import ast as t
from imputedb.sql.ast import Tree, without_place
from imputedb.sql.expression import is_constant, kind_of, names_of, operation_of, with_children, with_parts

_DECIDING = ("OPERATOR_NOT", "COMPARE_IN", "COMPARE_NOT_IN", "OPERATOR_IS_NULL", "OPERATOR_IS_NOT_NULL")
_OUTPUT = "pooled output"


@dataclass(frozen=True, slots=True)
class Decided:
    """A HAVING clause.

    Attributes:
        written: as it is, for each draw.
        sides: what it compares that is no output yet.
        pooled: the clause over those outputs.
    """

    written: Tree
    sides: Sequence[Tree]
    pooled: Tree

    def over(self, shown: Callable[[int], Tree]) -> Tree:
        """The clause with each output in it as it is shown by its place."""

        def change(node: Tree) -> Tree | None:
            names = names_of(node)
            if names[:1] == [_OUTPUT]:
                return shown(int(names[1]))
            return None

        result: Tree = t.rewrite(self.pooled, change)
        return result


@dataclass(slots=True)
class _Sides:
    known: Sequence[Tree]
    found: list[Tree] = field(default_factory=list)

    def named(self, side: Tree) -> Tree:
        """The reference to an output that stands for a side."""
        if is_constant(side):
            return side
        keys = [without_place(one) for one in (*self.known, *self.found)]
        key = without_place(side)
        if key not in keys:
            self.found.append(side)
            keys.append(key)
        return t.reference(_OUTPUT, str(keys.index(key)))

    def split(self, tree: Tree) -> Tree:
        """The tree down to what it compares."""
        match kind_of(tree):
            case "CONJUNCTION":
                return with_children(tree, self.split)
            case "OPERATOR" if operation_of(tree) == "OPERATOR_NOT":
                return with_children(tree, self.split)
            case "OPERATOR" if operation_of(tree) in _DECIDING:
                return with_children(tree, self.named)
            case "COMPARISON":
                return with_parts(tree, ("left", "right"), self.named)
            case "BETWEEN":
                return with_parts(tree, ("input", "lower", "upper"), self.named)
            case _:
                return self.named(tree)


def decided(tree: Tree, outputs: Sequence[Tree]) -> Decided:
    """A HAVING clause to be decided by pooled values: those of some outputs, and of further ones behind them."""
    sides = _Sides(outputs)
    pooled = sides.split(tree)
    return Decided(tree, sides.found, pooled)
