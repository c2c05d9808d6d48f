"""Measures: aggregates that have a variance within a draw, so that their answers can be pooled."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from imputedb.errors import QueryError
from imputedb.inference.scale import FISHER, IDENTITY, LOG, LOGIT, Scale
from imputedb.sql import tree as t
from imputedb.sql.functions import CONDITION_COUNTS, COUNTS, MEANS, SUMS
from imputedb.sql.tree import Tree


class Measure(Protocol):
    """An aggregate function whose answers are pooled.

    The expressions that it gives are of aggregates, so that the engine computes them in the same pass.
    """

    @property
    def names(self) -> frozenset[str]:
        """The functions' names, in lower case."""

    def scale(self, call: Tree) -> Scale:
        """Where its estimates are nearly normal."""

    def variance(self, call: Tree, units: Tree) -> Tree | None:
        """The sampling variance of one call; None for a bootstrap within draws.

        Args:
            call: the engine's tree of the call, columns bound.
            units: how many rows were sampled, whether or not they are in the group.
        """

    def freedom(self, call: Tree) -> Tree:
        """Degrees of freedom that complete data would have, such as n - 1."""

    @property
    def reason(self) -> str | None:
        """Why its interval for a population is none; None where there is one."""


Moments = Callable[["Call"], Tree]


@dataclass(frozen=True, slots=True)
class Call:
    """One call of an aggregate: its arguments as doubles, and further aggregates over the same rows."""

    tree: Tree
    units: Tree

    def argument(self, place: int) -> Tree:
        """An argument as a double."""
        return double(self.tree["arguments"][place]["expression"])

    def of(self, name: str, *arguments: Tree) -> Tree:
        """Another aggregate over the rows of this one."""
        return t.call(name, *arguments, where=self.tree.get("filter"))

    @property
    def count(self) -> Tree:
        """n, the rows that count: those without a NULL among the arguments."""
        given = [part["expression"] for part in self.tree["arguments"]]
        if not given:
            return self.of("count_star")
        asked = str(self.tree["function_name"]).lower() in CONDITION_COUNTS
        present = given[0] if asked else t.all_of([t.is_present(one) for one in given])
        both = t.all_of([one for one in (present, self.tree.get("filter")) if one])
        return t.call("count_star", where=both)


@dataclass(frozen=True, slots=True)
class Closed:
    """A measure with a formula, or with a bootstrap in place of one.

    Attributes:
        names: of the functions.
        formula: the variance of a call; None for a bootstrap.
        pooled_on: the scale.
        taken: degrees of freedom that parameters take from n.
        reason: why there is no interval for a population.
    """

    names: frozenset[str]
    formula: Moments | None
    pooled_on: Scale = IDENTITY
    taken: int = 1
    reason: str | None = None

    def scale(self, call: Tree) -> Scale:
        """The scale; the logit for the mean of a condition."""
        return LOGIT if self.pooled_on is IDENTITY and "avg" in self.names and is_proportion(call) else self.pooled_on

    def variance(self, call: Tree, units: Tree) -> Tree | None:
        """The formula of the call."""
        return self.formula(Call(call, units)) if self.formula else None

    def freedom(self, call: Tree) -> Tree:
        """n - k."""
        return minus(Call(call, t.number(1)).count, t.number(self.taken))


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


def _mean(call: Call) -> Tree:
    """s^2 / n."""
    return over(call.of("var_samp", call.argument(0)), call.count)


def _sum(call: Call) -> Tree:
    """N / (N - 1) (sum x^2 - (sum x)^2 / N) of N sampled units, 0 outside the group (Cochran 1977, section 2.13)."""
    x, units = call.argument(0), sampled(call.units)
    rest = minus(call.of("sum", square(x)), over(square(call.of("sum", x)), units))
    return over(times(units, t.call("greatest", rest, t.number(0))), minus(units, t.number(1)))


def _count(call: Call) -> Tree:
    """k (N - k) / (N - 1), the variance of N times a proportion (Cochran 1977, 3.2)."""
    k, units = double(call.count), sampled(call.units)
    return over(times(k, minus(units, k)), minus(units, t.number(1)))


def _variance(call: Call) -> Tree:
    """(m4 - s^4 (n - 3) / (n - 1)) / n, whatever the distribution (Cramer 1946, 27.4.2)."""
    x, n = call.argument(0), double(call.count)
    fourth = times(plus(_kurtosis(call), t.number(3)), square(call.of("var_pop", x)))
    second = square(call.of("var_samp", x))
    known = times(second, over(minus(n, t.number(3)), minus(n, t.number(1))))
    return over(t.call("greatest", minus(fourth, known), t.number(0)), n)


def _kurtosis(call: Call) -> Tree:
    """The excess kurtosis; NULL where a fourth power is no number, of which the engine's own would be an error."""
    x = call.argument(0)
    fourth = t.arithmetic("*", square(x), square(x))
    tame = t.call("isfinite", fourth)
    known = call.of("kurtosis_pop", t.where(tame, x, t.literal(None)))
    return t.where(call.of("bool_and", tame), known, t.literal(None))


def _deviation(call: Call) -> Tree:
    """Var(s) = Var(s^2) / (4 s^2), the delta method."""
    return over(_variance(call), times(t.number(4), call.of("var_samp", call.argument(0))))


def _correlation(call: Call) -> Tree:
    """(1 - r^2)^2 / (n - 3), which on Fisher's scale is 1 / (n - 3) (Fisher 1921)."""
    r = call.of("corr", call.argument(0), call.argument(1))
    rest = minus(t.number(1), square(r))
    return over(square(rest), minus(call.count, t.number(3)))


def _residual(call: Call) -> Tree:
    """s^2 of the line of the first argument on the second, n - 2 degrees of freedom."""
    y, x = call.argument(0), call.argument(1)
    explained = times(square(call.of("regr_slope", y, x)), call.of("regr_sxx", y, x))
    rest = t.call("greatest", minus(call.of("regr_syy", y, x), explained), t.number(0))
    return over(rest, minus(call.count, t.number(2)))


def _slope(call: Call) -> Tree:
    """s^2 / Sxx."""
    return over(_residual(call), call.of("regr_sxx", call.argument(0), call.argument(1)))


def _intercept(call: Call) -> Tree:
    """s^2 (1 / n + mean(x)^2 / Sxx)."""
    y, x = call.argument(0), call.argument(1)
    centre = over(square(call.of("regr_avgx", y, x)), call.of("regr_sxx", y, x))
    return times(_residual(call), plus(over(t.number(1), call.count), centre))


def is_proportion(call: Tree) -> bool:
    """Whether a call averages a condition: a boolean cast to a number, or a CASE that gives 0 and 1."""
    if not call["arguments"]:
        return False
    given: Tree = call["arguments"][0]["expression"]
    while given["class"] == "CAST":
        given = given["child"]
        if _is_condition(given):
            return True
    if given["class"] != "CASE":
        return False
    ends = [check["then_expr"] for check in given["case_checks"]] + [given["else_expr"]]
    return all(end["class"] == "CONSTANT" and str(end["literal"]["text"]).strip() in _ENDS for end in ends)


_ENDS = {"0", "1", "0.0", "1.0"}


def _is_condition(tree: Tree) -> bool:
    kinds = ("OPERATOR_NOT", "OPERATOR_IS_NULL", "OPERATOR_IS_NOT_NULL", "COMPARE_IN", "COMPARE_NOT_IN")
    return tree["class"] in ("COMPARISON", "CONJUNCTION", "BETWEEN") or tree["type"] in kinds


_EXTREME = "what lies beyond the largest or smallest value of a sample cannot be told from it: ask interval='answer'"
_DISTINCT = "how many values a sample has not shown cannot be told from it: ask interval='answer'"

MEASURES: Sequence[Measure] = (
    Closed(MEANS, _mean),
    Closed(SUMS, _sum),
    Closed(COUNTS | CONDITION_COUNTS, _count),
    Closed(frozenset({"variance", "var_samp", "var_pop"}), _variance, LOG),
    Closed(frozenset({"stddev", "stddev_samp", "stddev_pop"}), _deviation, LOG),
    Closed(frozenset({"corr"}), _correlation, FISHER, taken=2),
    Closed(frozenset({"regr_slope"}), _slope, taken=2),
    Closed(frozenset({"regr_intercept"}), _intercept, taken=2),
    Closed(frozenset({"covar_samp", "covar_pop", "regr_r2", "regr_sxx", "regr_syy", "regr_sxy"}), None),
    Closed(frozenset({"median", "quantile_cont", "quantile_disc", "quantile", "mad", "skewness"}), None),
    Closed(frozenset({"kurtosis", "kurtosis_pop", "regr_avgx", "regr_avgy"}), None),
    Closed(frozenset({"min", "max", "arg_min", "arg_max", "first", "last", "any_value"}), None, reason=_EXTREME),
    Closed(frozenset({"approx_count_distinct"}), None, reason=_DISTINCT),
)
"""The measures that come with imputedb."""


@dataclass(frozen=True, slots=True)
class Measures:
    """Measures by function."""

    known: Sequence[Measure] = MEASURES
    _by_name: dict[str, Measure] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        if not isinstance(self.known, Sequence) or not all(hasattr(one, "names") for one in self.known):
            raise QueryError(f"measures are {self.known!r}; they are MEASURES, and your own (docs/extend/measure.md)")
        object.__setattr__(self, "known", tuple(self.known))

    def of(self, call: Tree) -> Measure | None:
        """The measure of a call, None where there is none."""
        if not self._by_name:
            self._by_name.update(_named(self.known))
        return self._by_name.get(str(call["function_name"]).lower())


def _named(measures: Sequence[Measure]) -> Mapping[str, Measure]:
    return {name: measure for measure in reversed(measures) for name in measure.names}
