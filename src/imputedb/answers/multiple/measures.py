"""Measures: aggregates with a variance within a draw, whose answers can be pooled."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

from imputedb import arguments
from imputedb.answers.multiple import influence
from imputedb.answers.multiple.calls import Call, double, minus, over, plus, sampled, square, times
from imputedb.answers.multiple.checked import installed, own
from imputedb.answers.multiple.influence import Influence
from imputedb.inference.scale import FISHER, IDENTITY, LOG, Scale
from imputedb.sql import ast as t
from imputedb.sql.ast import Tree
from imputedb.sql.expression import function_of
from imputedb.sql.functions import ALL_COUNTS, MEANS, SUMS


class Measure(Protocol):
    """An aggregate function whose answers are pooled.

    Its expressions consist of aggregates, so that the engine computes them in the same pass.
    """

    @property
    def names(self) -> frozenset[str]:
        """Names of the functions, in lower case."""

    def scale(self, call: Tree) -> Scale:
        """The scale on which estimates are nearly normal."""

    def variance(self, call: Tree, units: Tree) -> Tree | None:
        """The sampling variance of a call; None for a bootstrap within draws.

        Args:
            call: the engine's syntax tree of the call, with bound columns.
            units: number of sampled rows, whether or not they belong to the group.
        """

    def freedom(self, call: Tree) -> Tree:
        """Complete-data degrees of freedom, such as n - 1."""

    @property
    def reason(self) -> str | None:
        """The reason why there is no interval about a population; None where there is one."""


@runtime_checkable
class Influential(Protocol):
    """A measure with influence functions, for rows that a join repeats or that are far from normal."""

    def influence(self, call: Tree) -> Influence | None:
        """The influence of a row on a call; None where it is unknown."""

    @property
    def robust(self) -> bool:
        """Whether the variance is always that of the influences, for any distribution."""


Moments = Callable[[Call], Tree]


@dataclass(frozen=True, slots=True)
class Closed:
    """A measure with a formula, influences, or a bootstrap.

    Attributes:
        names: names of the functions.
        formula: variance of a call; None for influences, or without these for a bootstrap.
        pooled_on: scale of pooling.
        taken: number of parameters to subtract from n for the degrees of freedom.
        reason: reason why there is no interval about a population.
        by_row: influence of a row.
    """

    names: frozenset[str]
    formula: Moments | None
    pooled_on: Scale = IDENTITY
    taken: int = 1
    reason: str | None = None
    by_row: Callable[[Call], Influence] | None = None

    def __post_init__(self) -> None:
        arguments.whole("taken", self.taken, 0, 1_000_000, example=" degrees of freedom")

    def scale(self, call: Tree) -> Scale:  # noqa: ARG002  # of any call
        """The scale."""
        return self.pooled_on

    def variance(self, call: Tree, units: Tree) -> Tree | None:
        """The formula of the call."""
        return self.formula(Call(call, units)) if self.formula else None

    def influence(self, call: Tree) -> Influence | None:
        """The influence of a row."""
        return self.by_row(Call(call, t.number(1))) if self.by_row else None

    @property
    def robust(self) -> bool:
        """Whether there is an influence and no formula."""
        return self.formula is None and self.by_row is not None

    def freedom(self, call: Tree) -> Tree:
        """n - k."""
        return minus(Call(call, t.number(1)).count, t.number(self.taken))


def _mean(call: Call) -> Tree:
    """s^2 / n."""
    return over(call.of("var_samp", call.argument(0)), call.count)


def _sum(call: Call) -> Tree:
    """N / (N - 1) (sum x^2 - (sum x)^2 / N) of N sampled units, 0 outside the group (Cochran 1977, section 2.13)."""
    x, units = call.argument(0), sampled(call.units)
    rest = minus(call.of("sum", square(x)), over(square(call.of("sum", x)), units))
    return over(times(units, t.call("greatest", rest, t.number(0))), minus(units, t.number(1)))


def _count(call: Call) -> Tree:
    """k (N - k) / (N - 1), the variance of N times a proportion (Cochran 1977, section 3.2)."""
    k, units = double(call.count), sampled(call.units)
    return over(times(k, minus(units, k)), minus(units, t.number(1)))


def _variance(call: Call) -> Tree:
    """(m4 - s^4 (n - 3) / (n - 1)) / n, for any distribution (Cramer 1946, section 27.4.2)."""
    x, n = call.argument(0), double(call.count)
    fourth = times(plus(_kurtosis(call), t.number(3)), square(call.of("var_pop", x)))
    second = square(call.of("var_samp", x))
    known = times(second, over(minus(n, t.number(3)), minus(n, t.number(1))))
    return over(t.call("greatest", minus(fourth, known), t.number(0)), n)


def _kurtosis(call: Call) -> Tree:
    """The excess kurtosis; NULL where a fourth power overflows, for which the engine would raise an error."""
    x = call.argument(0)
    fourth = t.arithmetic("*", square(x), square(x))
    tame = t.call("isfinite", fourth)
    known = call.of("kurtosis_pop", t.where(tame, x, t.literal(None)))
    return t.where(call.of("bool_and", tame), known, t.literal(None))


def _deviation(call: Call) -> Tree:
    """Var(s) = Var(s^2) / (4 s^2), by the delta method."""
    return over(_variance(call), times(t.number(4), call.of("var_samp", call.argument(0))))


_EXTREME = "what lies beyond the largest or smallest value of a sample cannot be told from it: ask interval='answer'"
_PICKED = "a value of one of the rows, which tells nothing of how much it varies: ask interval='answer'"
_DISTINCT = "how many values a sample has not shown cannot be told from it: ask interval='answer'"

PICKED = frozenset(
    {"first", "last", "any_value", "arbitrary", "mode", "arg_min", "argmin", "min_by", "arg_max", "argmax", "max_by"}
) | {"arg_min_null", "arg_max_null", "arg_min_nulls_last", "arg_max_nulls_last", "bit_and", "bit_or", "bit_xor"}
"""Aggregates that return a value of one row, or bits; whole numbers may be codes, and are not averaged over draws."""

MEASURES: Sequence[Measure] = (
    Closed(MEANS, _mean, by_row=influence.of_mean),
    Closed(SUMS, _sum, by_row=influence.of_sum),
    Closed(ALL_COUNTS, _count, by_row=influence.of_count),
    Closed(frozenset({"variance", "var_samp", "var_pop"}), _variance, LOG, by_row=influence.of_variance),
    Closed(frozenset({"stddev", "stddev_samp", "stddev_pop"}), _deviation, LOG, by_row=influence.of_deviation),
    Closed(frozenset({"corr"}), None, FISHER, taken=2, by_row=influence.of_correlation),
    Closed(frozenset({"regr_slope"}), None, taken=2, by_row=influence.of_slope),
    Closed(frozenset({"regr_intercept"}), None, taken=2, by_row=influence.of_intercept),
    Closed(frozenset({"covar_samp", "covar_pop"}), None, by_row=influence.of_covariance),
    Closed(frozenset({"regr_r2", "regr_sxx", "regr_syy", "regr_sxy"}), None),
    Closed(frozenset({"median", "quantile_cont", "quantile_disc", "quantile", "mad", "skewness"}), None),
    Closed(frozenset({"approx_quantile", "sem"}), None),
    Closed(frozenset({"kurtosis", "kurtosis_pop", "regr_avgx", "regr_avgy"}), None),
    Closed(frozenset({"min", "max"}), None, reason=_EXTREME),
    Closed(PICKED, None, reason=_PICKED),
    Closed(frozenset({"approx_count_distinct"}), None, reason=_DISTINCT),
)
"""The measures that come with imputedb."""


@dataclass(frozen=True, slots=True)
class Measures:
    """Measures by function: the user's, then those of imputedb, then those of installed packages.

    Attributes:
        known: the user's measures, or their names in installed packages; one or several.
    """

    known: object = ()
    _by_name: dict[str, Measure | None] = field(default_factory=dict, repr=False, compare=False)

    def __post_init__(self) -> None:
        given = self.known
        if isinstance(given, Sequence) and not isinstance(given, str):
            given = tuple(one for one in given if not any(one is built_in for built_in in MEASURES))
        mine = own(given)
        object.__setattr__(self, "known", mine)
        self._by_name.update({name: measure for measure in (*reversed(MEASURES), *mine) for name in measure.names})

    def of(self, call: Tree) -> Measure | None:
        """The measure of a call; None where there is none.

        Raises:
            ExtensionError: a measure of an installed package is not valid.
        """
        name = function_of(call)
        if name not in self._by_name:
            self._by_name[name] = installed(name)
        return self._by_name[name]


def influence_of(measure: Measure, call: Tree) -> Influence | None:
    """The influence of a row on a call; None where the measure has none."""
    return measure.influence(call) if isinstance(measure, Influential) else None


def is_robust(measure: Measure) -> bool:
    """Whether a measure's variance is always that of the influences."""
    return isinstance(measure, Influential) and measure.robust
