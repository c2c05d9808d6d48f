"""Influence functions: contributions of rows to the error of a number, which are summed by sampled unit."""

from collections.abc import Mapping
from dataclasses import dataclass

from imputedb.answers.multiple.calls import Call, double, minus, over, plus, square, times
from imputedb.sql import ast as t
from imputedb.sql.ast import Tree

GROUP = "of group"
"""The relation under which an influence refers to numbers of the group."""

ROW = "of row"
"""The relation under which an influence refers to expressions of the row."""

_LEAST = 0.01  # for 1 - leverage: a row that alone determines the fit has residual 0


@dataclass(frozen=True, slots=True)
class Influence:
    """The influence of a row on a number (Hampel 1974), in terms of numbers of the group and values of the row.

    Attributes:
        numbers: aggregates of the group, by name.
        rows: expressions of the row, by name; NULL where the row does not count.
        value: the influence; it refers to both.
        held: whether the row counts; None where all rows do.
        centred: whether influences sum to 0 over the group, as for means and unlike for totals.
        taken: number of parameters estimated from the group.
        weight: the row's share in the number; None where rows are equal. A few rows with large shares leave few
            degrees of freedom, one over the sum of squared shares (Bell & McCaffrey 2002).
    """

    numbers: Mapping[str, Tree]
    rows: Mapping[str, Tree]
    value: Tree
    held: Tree | None
    centred: bool = True
    taken: int = 1
    weight: Tree | None = None


def of_group(name: str) -> Tree:
    """A reference to a number of the group."""
    return t.reference(GROUP, name)


def of_row(name: str) -> Tree:
    """A reference to an expression of the row."""
    return t.reference(ROW, name)


def _counted(call: Call, tree: Tree) -> Tree:
    return t.where(call.held, tree, t.literal(None)) if call.held else tree


def _of_counting(value: Tree) -> Tree:
    """The influence, 0 for rows that do not count."""
    return t.coalesce(value, t.literal(0.0))


# -- one argument -----------------------------------------------------------------------------------------------------


def of_count(call: Call) -> Influence:
    """1 for a row that counts."""
    return Influence({}, {"x": _counted(call, t.literal(1.0))}, _of_counting(of_row("x")), call.held, centred=False)


def of_sum(call: Call) -> Influence:
    """The value of a row that counts."""
    rows = {"x": _counted(call, call.argument(0))}
    return Influence({}, rows, _of_counting(of_row("x")), call.held, centred=False)


def of_mean(call: Call) -> Influence:
    """(x - mean) / sqrt(n (n - 1)): its sum of squares is s^2 / n."""
    n = double(call.count)
    numbers = {"mean": call.of("avg", call.argument(0)), "root": t.call("sqrt", times(n, minus(n, t.number(1))))}
    value = over(minus(of_row("x"), of_group("mean")), of_group("root"))
    return Influence(numbers, {"x": _counted(call, call.argument(0))}, _of_counting(value), call.held)


def of_variance(call: Call) -> Influence:
    """((x - mean)^2 - variance) / n."""
    x = call.argument(0)
    numbers = {"mean": call.of("avg", x), "variance": call.of("var_pop", x), "n": double(call.count)}
    off = square(minus(of_row("x"), of_group("mean")))
    value = over(minus(off, of_group("variance")), of_group("n"))
    return Influence(numbers, {"x": _counted(call, x)}, _of_counting(value), call.held)


def of_deviation(call: Call) -> Influence:
    """The influence of the variance over 2 s, by the delta method."""
    one = of_variance(call)
    halved = over(one.value, times(t.number(2), t.call("sqrt", of_group("variance"))))
    return Influence(one.numbers, one.rows, halved, one.held)


# -- two arguments ----------------------------------------------------------------------------------------------------


def _moments(call: Call) -> tuple[dict[str, Tree], dict[str, Tree]]:
    """Means, sums of squares and correlation of the group; the row's first argument is y, the second x."""
    y, x = call.argument(0), call.argument(1)
    numbers = {
        "n": double(call.of("regr_count", y, x)),
        "my": call.of("regr_avgy", y, x),
        "mx": call.of("regr_avgx", y, x),
        "syy": call.of("regr_syy", y, x),
        "sxx": call.of("regr_sxx", y, x),
        "sxy": call.of("regr_sxy", y, x),
    }
    return numbers, {"y": _counted(call, y), "x": _counted(call, x)}


_OFF_X, _OFF_Y = minus(of_row("x"), of_group("mx")), minus(of_row("y"), of_group("my"))
_INVERSE = over(t.number(1), of_group("n"))


def _kept(leverage: Tree) -> Tree:
    """1 - leverage, by which residuals are divided (HC3)."""
    return t.call("greatest", minus(t.number(1), leverage), t.literal(_LEAST))


def of_correlation(call: Call) -> Influence:
    """(zx zy - r (zx^2 + zy^2) / 2) / n, over 1 - (1 + zx^2 + zy^2) / n (Devlin, Gnanadesikan & Kettenring 1975).

    The divisor corrects the sum of squares as HC3 does for a slope: without it, intervals for heavy-tailed samples of
    50 cover 88 %, with it 97 %.
    """
    numbers, rows = _moments(call)
    zx = over(_OFF_X, t.call("sqrt", over(of_group("sxx"), of_group("n"))))
    zy = over(_OFF_Y, t.call("sqrt", over(of_group("syy"), of_group("n"))))
    r = over(of_group("sxy"), t.call("sqrt", times(of_group("sxx"), of_group("syy"))))
    squares = plus(square(zx), square(zy))
    curve = over(minus(times(zx, zy), times(r, squares, t.literal(0.5))), of_group("n"))
    value = over(curve, _kept(over(plus(t.number(1), squares), of_group("n"))))
    return Influence(numbers, rows, _of_counting(value), call.held, taken=2)


def _line() -> tuple[Tree, Tree]:
    """The residual from the regression line, over 1 - leverage; and the slope."""
    slope = over(of_group("sxy"), of_group("sxx"))
    leverage = plus(_INVERSE, over(square(_OFF_X), of_group("sxx")))
    return over(minus(_OFF_Y, times(slope, _OFF_X)), _kept(leverage)), slope


def of_slope(call: Call) -> Influence:
    """(x - mean) e / ((1 - h) Sxx), whose sum of squares is HC3 (MacKinnon & White 1985)."""
    numbers, rows = _moments(call)
    value = over(times(_OFF_X, _line()[0]), of_group("sxx"))
    return Influence(numbers, rows, _of_counting(value), call.held, taken=2, weight=_share())


def of_intercept(call: Call) -> Influence:
    """e (1 / n - mean (x - mean) / Sxx) / (1 - h), HC3 likewise."""
    numbers, rows = _moments(call)
    weight = minus(_INVERSE, over(times(of_group("mx"), _OFF_X), of_group("sxx")))
    value = _of_counting(times(_line()[0], weight))
    return Influence(numbers, rows, value, call.held, taken=2, weight=_share())


def _share() -> Tree:
    return _of_counting(over(square(_OFF_X), of_group("sxx")))


def of_covariance(call: Call) -> Influence:
    """((x - mean) (y - mean) - covariance) / n."""
    numbers, rows = _moments(call)
    value = over(minus(times(_OFF_X, _OFF_Y), over(of_group("sxy"), of_group("n"))), of_group("n"))
    return Influence(numbers, rows, _of_counting(value), call.held)
