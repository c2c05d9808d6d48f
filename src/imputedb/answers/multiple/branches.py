"""Outputs that choose between results, or are a function of one number: what they are of is pooled."""

from collections.abc import Callable, Sequence
from dataclasses import replace

from imputedb.answers.multiple.forms import counts_all, form, without_casts
from imputedb.answers.multiple.outputs import Choice, Output, resampled
from imputedb.answers.multiple.rounding import NONE, Steps, cast_nature
from imputedb.answers.multiple.settled import chooses
from imputedb.answers.multiple.steps import Inseparable, Parts, places_in, pooled_type, stepped
from imputedb.inference.scale import IDENTITY
from imputedb.sql import ast as t
from imputedb.sql.ast import Tree, without_place
from imputedb.sql.expression import arguments_of, function_of, kind_of
from imputedb.sql.functions import SMOOTH

_DECIDING = ("COMPARISON", "CONJUNCTION", "BETWEEN", "OPERATOR")
_LINEAR = ("+", "-", "*", "/")
MOST = 4
"""Numbers of one choice that are looked at together."""


def in_branches(
    outputs: Sequence[Output],
    steps: Steps,
    measured: Callable[[Sequence[Tree]], Sequence[Output]],
    cast: Callable[[Tree, str], Tree],
    binds: Callable[[Tree], bool],
) -> list[Output]:
    """The outputs, such that those which choose know their numbers; these follow, where they are no outputs.

    The variance of those that cannot be taken apart is that of a bootstrap.

    Args:
        outputs: those of a query.
        steps: of the engine's aggregates.
        measured: gives outputs with variances for expressions that are not shown.
        cast: gives an expression as a type.
        binds: whether an expression of constants has a type.
    """
    nothing = t.literal(None)
    known = [one.draw_expression if _is_known(one) else nothing for one in outputs]
    parts = Parts(steps, lambda tree: _is_part(tree, steps), known)
    split = dict[int, tuple[Tree, Tree | None]]()
    every = list(outputs)
    for place, one in enumerate(outputs):
        if one.branch and one.is_number:
            try:
                split[place] = parts.split(one.draw_expression, False), parts.split(one.branch, False)
            except Inseparable:
                every[place] = resampled(one)
    alone = Parts(steps, lambda tree: _is_number(tree, steps), known, parts.new)
    for place, one in enumerate(outputs):
        if not one.branch and _is_function_of_one(one, steps):
            split[place] = alone.split(one.draw_expression, False), None
    every += [replace(one, name="") for one in measured(parts.new)] if parts.new else []
    for place, (value, branch) in split.items():
        trees = [tree for tree in (value, branch) if tree]
        numbers = [n for n in sorted({n for tree in trees for n in places_in(tree)}) if every[n].aggregates]
        shown = [stepped(tree, lambda n: cast(nothing, pooled_type(every[n]))) for tree in trees]
        usable = len(numbers) <= MOST and all(every[n].is_number for n in numbers) and all(map(binds, shown))
        one = every[place]
        if usable:
            every[place] = replace(one, choice=Choice(value, branch, tuple(numbers)))
        elif branch:
            every[place] = resampled(one)
    return every


def _is_number(tree: Tree, steps: Steps) -> bool:
    """Whether an expression is an aggregate, a total or a share."""
    return function_of(tree) in steps.aggregates or form(tree) is not None


def _is_function_of_one(one: Output, steps: Steps) -> bool:
    """Whether an output of no scale of its own is a smooth function of one number that may have one.

    It may read the number of all rows too, which does not vary where these are a whole table.
    """
    if not one.is_number or one.within is None or one.form or one.scale is not IDENTITY:
        return False
    found: set[str] = set()

    def is_smooth(tree: Tree) -> bool:
        if _is_number(tree, steps):
            found.update([] if counts_all(tree) else [repr(without_place(tree))])
            return True
        smooth = function_of(tree) in SMOOTH or (kind_of(tree) == "CAST" and cast_nature(tree) == NONE)
        return kind_of(tree) == "CONSTANT" or (smooth and all(map(is_smooth, t.parts(tree))))

    return (
        is_smooth(one.draw_expression) and len(found) == 1 and not _is_number(without_casts(one.draw_expression), steps)
    )


def _is_part(tree: Tree, steps: Steps) -> bool:
    """Whether an expression of aggregates is one number: no condition, no choice, and no multiple of a number."""
    if kind_of(tree) in _DECIDING or chooses(tree, steps.aggregates):
        return False
    multiple = function_of(tree) in _LINEAR and not all(map(steps.holds, arguments_of(tree)))
    return not multiple


def _is_known(one: Output) -> bool:
    """Whether an output may be a part of others: it tells groups, or is a number with a variance."""
    return not one.aggregates or (one.is_number and one.within is not None and one.branch is None)
