"""The share of a group in a total computed by a window, as in `count(*) / sum(count(*)) OVER ()`."""

from typing import NamedTuple

from imputedb.answers.multiple.calls import Call, double, minus, over, plus, square, times
from imputedb.answers.multiple.forms import TotalForm, value_of, without_factor
from imputedb.sql import ast as t
from imputedb.sql.ast import Tree
from imputedb.sql.expression import (
    arguments_of,
    called_with,
    covers_partition,
    filter_of,
    function_of,
    is_call,
    is_distinct,
    is_window,
)
from imputedb.sql.functions import ALL_COUNTS, SUMS

_TOTALS = ALL_COUNTS | SUMS


class Share(NamedTuple):
    """A share of a total.

    Attributes:
        variance: variance of the share, an expression of aggregates and windows.
        freedom: complete-data degrees of freedom: the number of rows of the total, less 1.
        form: form for its bounds; None without any: values other than 0 and 1, or rows outside the total.
    """

    variance: Tree
    freedom: Tree
    form: TotalForm | None


def has_window(tree: Tree) -> bool:
    """Whether an expression has a window."""
    return any(map(is_window, t.expressions(tree)))


def share_of_whole(tree: Tree) -> Share | None:
    """The share in an expression; None where it is not a multiple of a total over a window's sum of totals.

    For R = sum a / sum b, with a the values of the group's rows and b those of all rows in the window, the variance is
    n / (n - 1) sum (a - R b)^2 / (sum b)^2, where n is the number of rows of the total (Cochran 1977, equation 6.13).
    For counts that is R (1 - R) / (n - 1).
    """
    factor, core = without_factor(tree)
    if not is_call(core) or function_of(core) not in ("/", "fdiv"):
        return None
    (above, part), (below, window) = map(without_factor, arguments_of(core))
    if not _is_total(part) or not _covers_all(window):
        return None
    inner, summed = without_factor(arguments_of(window)[0])
    if not _is_total(summed):
        return None
    a, b = double(value_of(part)), double(value_of(summed))
    whole, share = double(_over(window, summed)), over(part, _over(window, summed))
    own = minus(t.call("sum", square(a)), times(t.number(2), share, t.call("sum", times(a, b))))
    squares = plus(own, times(square(share), _over(window, t.call("sum", square(b)))))
    rows = double(_over(window, Call(summed, t.number(1)).count))
    scale = factor * above / (below * inner)
    spread = over(times(rows, squares), times(minus(rows, t.number(1)), square(whole)))
    variance = times(t.literal(scale**2), t.call("greatest", spread, t.literal(0.0)))
    return Share(
        variance, minus(rows, t.number(1)), TotalForm("share", scale, None) if _within(part, summed, scale) else None
    )


def _within(part: Tree, summed: Tree, scale: float) -> bool:
    """Whether the rows of the numerator are among those of the denominator, so that the ratio is bounded."""
    if scale <= 0 or not {function_of(one) for one in (part, summed)} <= ALL_COUNTS:
        return False
    every = function_of(summed) == "count_star" and not filter_of(summed)
    return every or t.without_place(part) == t.without_place(summed)


def _is_total(tree: Tree) -> bool:
    name = function_of(tree)
    return is_call(tree) and name in _TOTALS and not is_distinct(tree)


def _covers_all(tree: Tree) -> bool:
    """Whether it is a window that sums over whole partitions."""
    return covers_partition(tree) and function_of(tree) in SUMS


def _over(window: Tree, total: Tree) -> Tree:
    """The same window over another aggregate."""
    return called_with(window, [total])
