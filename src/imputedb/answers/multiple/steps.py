"""Outputs with steps, such as rounding: their smooth parts are pooled, and the step is applied once."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from imputedb.answers.multiple.calls import double
from imputedb.answers.multiple.outputs import Output, is_number, is_whole
from imputedb.answers.multiple.rounding import NONE, ROUNDED, STEPPED, Steps, cast_nature, function_nature
from imputedb.sql import ast as t
from imputedb.sql.ast import Tree, without_place
from imputedb.sql.expression import (
    arguments_of,
    called_with,
    cased,
    cases_of,
    child_of,
    function_of,
    is_cast,
    is_window,
    kind_of,
    names_of,
    with_children,
    with_parts,
)
from imputedb.sql.functions import DIVIDING

BY_STEPS = "it moves by steps, so it has no interval: it is that of the pooled aggregates"
_MADE = "no number, so it has no interval: it is made of the pooled aggregates"

_PART, _EXACT = "pooled part", "exact"


class Inseparable(Exception):  # never leaves this package
    """An expression cannot be split into parts."""


@dataclass(slots=True)
class Parts:
    """The parts of expressions, each once.

    Attributes:
        steps: analysis of steps.
        is_part: whether an expression is not split further.
        known: expressions that draws compute already.
        new: further expressions for draws to compute.
    """

    steps: Steps
    is_part: Callable[[Tree], bool]
    known: Sequence[Tree]
    new: list[Tree] = field(default_factory=list)

    def split(self, tree: Tree, exact: bool) -> Tree:
        """An expression over references to parts; with `exact` the parts keep their own types."""
        if not self.steps.holds(tree):
            return self._named(tree, exact) if any(map(names_of, t.expressions(tree))) else tree
        if self.is_part(tree):
            return self._named(tree, exact)
        match kind_of(tree):
            case "FUNCTION":
                name = function_of(tree)
                exact = exact or name in DIVIDING or function_nature(name) == STEPPED
                return called_with(tree, [self.split(one, exact) for one in arguments_of(tree)])
            case "CAST":
                return with_parts(tree, ("child",), lambda one: self.split(one, exact or cast_nature(tree) == STEPPED))
            case "OPERATOR" | "CONJUNCTION":
                return with_children(tree, lambda one: self.split(one, exact))
            case "COMPARISON":
                return with_parts(tree, ("left", "right"), lambda one: self.split(one, False))
            case "BETWEEN":
                return with_parts(tree, ("input", "lower", "upper"), lambda one: self.split(one, False))
            case "CASE":
                conditions, otherwise = cases_of(tree)
                pairs = [(self.split(when, False), self.split(then, exact)) for when, then in conditions]
                return cased(pairs, self.split(otherwise, exact))
            case _:
                raise Inseparable

    def _named(self, part: Tree, exact: bool) -> Tree:
        keys = [without_place(one) for one in (*self.known, *self.new)]
        key = without_place(part)
        if key not in keys:
            self.new.append(part)
            keys.append(key)
        return t.reference(_PART, str(keys.index(key)), _EXACT if exact else "")


def in_parts(
    outputs: Sequence[Output],
    steps: Steps,
    hidden: Callable[[Sequence[Tree]], Sequence[Output]],
    cast: Callable[[Tree, str], Tree],
    binds: Callable[[Tree], bool],
) -> list[Output]:
    """The outputs, with those that have steps computed from parts; parts that are not outputs follow.

    Args:
        outputs: outputs of a query.
        steps: analysis of steps.
        hidden: function that gives outputs for expressions that are not shown.
        cast: function that casts an expression to a type.
        binds: whether DuckDB accepts an expression of constants.
    """
    parts = Parts(steps, lambda tree: steps.nature(tree) == NONE, [one.draw_expression for one in outputs])
    split = dict[int, Tree]()
    for place, one in enumerate(outputs):
        apart = _apart(one, steps, parts) if one.aggregates and not one.unaveraged else None
        if apart and not is_reference(apart):
            split[place] = apart
    further = [replace(one, name="") for one in hidden(parts.new)] if parts.new else []
    every = [*outputs, *further]
    for place, tree in split.items():
        for exactly in (tree, _exactly(tree)):
            made = _made(every[place], exactly, every, cast)
            if made.made is None or binds(stepped(made.made, lambda n: cast(t.literal(None), pooled_type(every[n])))):
                every[place] = made
                break
    return every


def _exactly(tree: Tree) -> Tree:
    """The expression with parts in their own types, such as days that are added to a date."""

    def change(node: Tree) -> Tree | None:
        return t.reference(_PART, names_of(node)[1], _EXACT) if is_reference(node) else None

    result: Tree = t.rewrite(tree, change)
    return result


def pooled_type(part: Output) -> str:
    """The type of a part as it is shown."""
    return "DOUBLE" if part.is_number else part.type


def _apart(one: Output, steps: Steps, parts: Parts) -> Tree | None:
    """The expression of an output over parts; None if it cannot be split."""
    nature = steps.nature(one.tree)
    if one.is_number and nature == NONE:
        return None
    nodes = list(t.expressions(one.tree))
    if any(kind_of(node) == "LAMBDA" for node in nodes) or (nature == STEPPED and any(map(is_window, nodes))):
        return None
    try:
        return parts.split(one.tree, exact=nature == STEPPED or not one.is_number)
    except Inseparable:
        return None


def _made(one: Output, tree: Tree, every: Sequence[Output], cast: Callable[[Tree, str], Tree]) -> Output:
    """An output computed from its parts; unchanged if these cannot be pooled."""
    read = [every[place] for place in places_in(tree)]
    if any(not part.is_number and part.aggregates and (one.is_number or not part.in_order) for part in read):
        return one

    def change(node: Tree) -> Tree | None:
        if is_cast(node) and is_reference(child_of(node)) and cast_nature(node) == ROUNDED:
            _, place, how = names_of(child_of(node))
            return child_of(node) if is_whole(every[int(place)].type) and how != _EXACT else None
        if is_reference(node):
            part = every[int(names_of(node)[1])]
            typed = names_of(node)[2] == _EXACT and part.is_number and part.type != "DOUBLE"
            return cast(t.reference(*names_of(node)[:2]), part.type) if typed else None
        return None

    made: Tree = t.rewrite(tree, change)
    if one.smooth is not None:
        return one if is_reference(made) else replace(one, made=double(made))
    unaveraged = is_number(one.type)
    reason = BY_STEPS if unaveraged else _MADE
    return replace(one, made=made, unaveraged=unaveraged, reason=reason, within=None, form=None, skewness=None)


def is_reference(tree: Tree) -> bool:
    """Whether an expression is a reference to a part."""
    return names_of(tree)[:1] == [_PART]


def places_in(tree: Tree) -> list[int]:
    """The places of the parts that an expression refers to."""
    return [int(names_of(node)[1]) for node in t.expressions(tree) if is_reference(node)]


def stepped(tree: Tree, shown: Callable[[int], Tree]) -> Tree:
    """An expression over parts, with each part replaced by its shown form, by position."""

    def change(node: Tree) -> Tree | None:
        return shown(int(names_of(node)[1])) if is_reference(node) else None

    result: Tree = t.rewrite(tree, change)
    return result
