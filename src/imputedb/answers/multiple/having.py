"""HAVING on pooled values: its comparisons are kept, and their operands are pooled."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from imputedb.sql import ast as t
from imputedb.sql.ast import Tree, without_place
from imputedb.sql.expression import is_constant, kind_of, names_of, operation_of, with_children, with_parts

_DECIDING = ("OPERATOR_NOT", "COMPARE_IN", "COMPARE_NOT_IN", "OPERATOR_IS_NULL", "OPERATOR_IS_NOT_NULL")
_OUTPUT = "pooled output"


@dataclass(frozen=True, slots=True)
class PooledHaving:
    """A HAVING clause on pooled values.

    Attributes:
        written: original clause, for each draw.
        sides: operands that are not outputs yet.
        pooled: clause over outputs.
    """

    written: Tree
    sides: Sequence[Tree]
    pooled: Tree

    def with_positions(self, shown: Callable[[int], Tree]) -> Tree:
        """The clause with each output replaced by its shown form, by position."""

        def change(node: Tree) -> Tree | None:
            names = names_of(node)
            if names[:1] == [_OUTPUT]:
                return shown(int(names[1]))
            return None

        result: Tree = t.rewrite(self.pooled, change)
        return result


@dataclass(slots=True)
class _Operands:
    known: Sequence[Tree]
    groups: Sequence[Tree]
    found: list[Tree] = field(default_factory=list)

    def named(self, side: Tree) -> Tree:
        """The reference to the output of an operand."""
        if is_constant(side):
            return side
        keys = [without_place(one) for one in (*self.known, *self.found)]
        key = without_place(side)
        if key not in keys:
            self.found.append(side)
            keys.append(key)
        return t.reference(_OUTPUT, str(keys.index(key)))

    def split(self, tree: Tree) -> Tree:
        """The tree with operands replaced by outputs; groups and whole outputs are operands too."""
        if without_place(tree) in [without_place(one) for one in (*self.known, *self.groups)]:
            return self.named(tree)
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


def pooled_having(tree: Tree, outputs: Sequence[Tree], groups: Sequence[Tree]) -> PooledHaving:
    """A HAVING clause over pooled values: existing outputs, and further ones after them."""
    sides = _Operands(outputs, groups)
    pooled = sides.split(tree)
    return PooledHaving(tree, sides.found, pooled)
