"""The outputs of an aggregating query: keys of groups, and numbers that are pooled over draws."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import NamedTuple

from imputedb.answers.multiple import delta, whole
from imputedb.answers.multiple.calls import Call, double, minus, sampled, times
from imputedb.answers.multiple.choices import NumberChoice, chosen
from imputedb.answers.multiple.forms import TotalForm, form, without_casts
from imputedb.answers.multiple.influence import Influence
from imputedb.answers.multiple.measures import PICKED, Measures, influence_of, is_robust
from imputedb.answers.multiple.settled import Settling
from imputedb.inference.scale import IDENTITY, Scale
from imputedb.sql import ast as t
from imputedb.sql.ast import Tree
from imputedb.sql.bind import aggregate_calls
from imputedb.sql.expression import (
    arguments_of,
    cases_of,
    filter_of,
    function_of,
    is_bound,
    is_call,
    is_constant,
    is_distinct,
    is_null,
    kind_of,
    names_of,
)
from imputedb.sql.functions import ALL_COUNTS, MEANS, SUMS

_WHOLE = ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT")
_NUMBERS = (*_WHOLE, "FLOAT", "DOUBLE", "DECIMAL")
_IN_TIME = ("DATE", "TIMESTAMP", "TIME", "INTERVAL")
_NO_NUMBER = "no number, so nothing to average: the most frequent of the draws' values"
_IN_ORDER = "no number, so nothing to average: the middle one of the draws' values"
_A_CODE = "a value of one of the rows, perhaps a code, so not averaged: the most frequent of the draws' values"
UNKNOWN = "no variance within draws is known for this aggregate: ask interval='answer', or add a measure"


class Within(NamedTuple):
    """The variance of an output within a draw.

    Attributes:
        freedom: complete-data degrees of freedom.
        variance: expression of aggregates; None if it comes from influences or a bootstrap.
        influence: influence of a row, if the variance is the sum of squared influences by sampled unit.
        units: aliases of relations whose stored rows are the sampled units, because the join repeats them; empty if
            joined rows are the units.
    """

    freedom: Tree
    variance: Tree | None = None
    influence: Influence | None = None
    units: tuple[str, ...] = ()


class Choice(NamedTuple):
    """An output that chooses between results, or is a function of one number, over references to parts.

    Attributes:
        value: the output.
        branch: the number of the branches that it chooses; None where it has none.
        parts: places of the numbers among the outputs.
    """

    value: Tree
    branch: Tree | None
    parts: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Output:
    """One output of the query.

    Attributes:
        name: name of the column.
        type: DuckDB type.
        tree: bound expression.
        aggregates: whether it contains aggregates; otherwise it is a key of groups.
        scale: scale on which it is pooled.
        within: variance within a draw; None if unknown.
        reason: reason why it has no interval for a population, or none at all.
        form: whether it is a total or a share, whose interval has bounds; None for others.
        empty: whether it is 0 over no rows, as totals are.
        unaveraged: whether draws are not averaged, because its numbers may be codes or change by steps.
        skewness: aggregate for the skewness of the values that it averages or sums up; None if not needed.
        smooth: expression that draws compute in its place, without its rounding; None if it is the same.
        unit: largest change that its rounding makes.
        made: expression over pooled parts that is shown; None if it is pooled itself.
        branch: number of the branches that it chooses; None if the design determines them.
        choice: the expression over pooled parts, if its interval is found from theirs.
    """

    name: str
    type: str
    tree: Tree
    aggregates: bool
    scale: Scale = IDENTITY
    within: Within | None = None
    reason: str | None = None
    form: TotalForm | None = None
    empty: bool = False
    unaveraged: bool = False
    skewness: Tree | None = None
    smooth: Tree | None = None
    unit: float = 0.0
    made: Tree | None = None
    branch: Tree | None = None
    choice: Choice | None = None

    @property
    def draw_expression(self) -> Tree:
        """The expression that each draw computes."""
        return self.tree if self.smooth is None else self.smooth

    @property
    def is_number(self) -> bool:
        """Whether it is pooled as a number."""
        return self.aggregates and is_number(self.type) and not self.unaveraged

    @property
    def in_order(self) -> bool:
        """Whether its values are dates or times, which have a middle value."""
        return self.type.partition(" ")[0].partition("_")[0].rstrip("]") in _IN_TIME

    @property
    def unnumbered(self) -> str:
        """The reason why it has no interval although it aggregates."""
        return _IN_ORDER if self.in_order else _NO_NUMBER

    @property
    def bootstrapped(self) -> bool:
        """Whether its variance within a draw comes from a bootstrap."""
        return self.within is not None and self.within.variance is None and self.within.influence is None


def is_number(type_name: str) -> bool:
    """Whether values of a type are numbers."""
    return "[" not in type_name and type_name.partition("(")[0].removeprefix("U") in _NUMBERS


def is_whole(type_name: str) -> bool:
    """Whether values of a type are whole numbers."""
    return type_name.removeprefix("U") in _WHOLE


class Sample(NamedTuple):
    """The sampled units.

    Attributes:
        units: number of rows of the largest table.
        sizes: number of units, by alias, of relations whose rows the join repeats or that have clusters.
        clusters: column of the sampled clusters, by alias.
    """

    units: int
    sizes: Mapping[str, int]
    clusters: Mapping[str, str] = MappingProxyType({})

    def repeated(self, reads: frozenset[str]) -> tuple[str, ...]:
        """The relations whose stored rows are repeated, among some, and all relations with clusters."""
        return tuple(sorted((reads & self.sizes.keys()) | self.clusters.keys()))


def output(
    name: str,
    kind: str,
    tree: Tree,
    aggregates: frozenset[str],
    measures: Measures,
    sample: Sample,
    conditions: frozenset[str] = frozenset(),
) -> Output:
    """An output with its scale, its variance within a draw, and its form.

    Args:
        name: name of the column.
        kind: DuckDB type.
        tree: bound expression.
        aggregates: names of aggregate functions.
        measures: the known measures.
        sample: the sampled units.
        conditions: aliases of the relations that WHERE reads.
    """
    choice = chosen(tree)
    if not aggregate_calls([choice.core], aggregates):
        choice = NumberChoice(tree)
    empty = choice.neutral and _is_total(choice.core)
    plain = Output(name, kind, tree, bool(aggregate_calls([tree], aggregates)), empty=empty)
    if not plain.aggregates:
        return plain
    if not plain.is_number:
        return replace(plain, reason=plain.unnumbered)

    def has_error(one: Tree) -> bool:
        inner = Output("", "DOUBLE", one, aggregates=True)
        calls = aggregate_calls([one], aggregates)
        return bool(calls) and _known(inner, aggregates, measures, sample, conditions).within is not None

    branch, is_known = Settling(aggregates, has_error, whole=not conditions).branch(tree)
    if not is_known:
        return resampled(_known(plain, aggregates, measures, sample, conditions))
    known = _known(replace(plain, tree=choice.core), aggregates, measures, sample, conditions)
    known = _chosen(replace(known, tree=tree), choice) if choice.decided else known
    return replace(known, branch=branch) if known.within else known


def _known(
    plain: Output, aggregates: frozenset[str], measures: Measures, sample: Sample, conditions: frozenset[str]
) -> Output:
    """A numeric output with its variance within a draw, or the reason why there is none."""
    calls = aggregate_calls([plain.tree], aggregates)
    if whole.has_window(plain.tree):
        return _with_window(plain, calls, sample, conditions)
    if is_whole(plain.type) and any(function_of(call) in PICKED for call in calls):
        return replace(plain, unaveraged=True, reason=_A_CODE)
    odd = [call for call in calls if is_distinct(call) or not is_call(call) or measures.of(call) is None]
    if odd:
        return replace(plain, reason=UNKNOWN)
    reason = next((one.reason for call in calls if (one := measures.of(call)) and one.reason), None)
    if reason:
        return replace(plain, reason=reason)
    return _with_spread(plain, calls, measures, sample, conditions)


def _chosen(one: Output, choice: NumberChoice) -> Output:
    """An output with the variance of the number that it chooses; where it is a constant, the variance is 0."""
    if one.within and one.within.variance:
        one = replace(one, within=one.within._replace(variance=choice.variance(one.within.variance)))
    elif one.within and one.within.influence:
        one = replace(one, within=one.within._replace(influence=choice.influence(one.within.influence)))
    return one if choice.neutral else replace(one, form=None, scale=IDENTITY)


def resampled(one: Output) -> Output:
    """An output with a bootstrap variance."""
    within = one.within and one.within._replace(variance=None, influence=None)
    return replace(one, within=within, form=None, scale=IDENTITY, branch=None)


def _with_window(plain: Output, calls: Sequence[Tree], sample: Sample, conditions: frozenset[str]) -> Output:
    """An output with a window over aggregates; the variance of a share of a whole is known."""
    share = whole.share_of_whole(plain.tree)
    if share is None or sample.repeated(_reads(calls, conditions)):
        return replace(plain, reason=UNKNOWN)
    return replace(plain, within=Within(share.freedom, share.variance), form=share.form, empty=True)


def _with_spread(
    plain: Output, calls: Sequence[Tree], measures: Measures, sample: Sample, conditions: frozenset[str]
) -> Output:
    """An output with its variance, from a formula, influences, the delta method or a bootstrap."""
    tree, alone = plain.tree, len(calls) == 1 and without_casts(plain.tree) is calls[0]
    known = replace(plain, form=form(tree))
    measure = measures.of(calls[0])
    assert measure
    if alone:
        known = replace(known, scale=measure.scale(calls[0]), skewness=_skewness(calls[0]))
    rest = minus(t.call("count_star"), t.number(1))
    one = influence_of(measure, calls[0]) if alone else delta.influence(tree, measures)
    units = sample.repeated(_reads(calls, conditions))
    if one and (units or (alone and is_robust(measure))):
        freedom = measure.freedom(calls[0]) if alone else rest
        return replace(known, within=Within(freedom, influence=one, units=units))
    if sample.clusters:  # outputs without influences have a bootstrap by cluster
        fewest = min(sample.sizes[alias] for alias in sample.clusters)
        return replace(known, within=Within(t.number(max(fewest - 1, 1)), units=units))
    if alone:
        total = function_of(calls[0]) in ALL_COUNTS | SUMS
        freedom = minus(sampled(t.number(sample.units)), t.number(1)) if total else measure.freedom(calls[0])
        return replace(known, within=Within(freedom, measure.variance(calls[0], t.number(sample.units)), units=units))
    spread = delta.spread(tree, t.number(sample.units))
    if spread:
        return replace(known, within=Within(spread.freedom, spread.variance))
    return replace(known, within=Within(rest, influence=one, units=units))


def _skewness(call: Tree) -> Tree | None:
    """The skewness of the argument of a mean or sum; NULL, rather than an error, where a cube overflows."""
    if function_of(call) not in MEANS | SUMS:
        return None
    one = Call(call, t.number(1))
    x = one.argument(0)
    tame = t.call("isfinite", times(x, x, x))
    return t.where(one.of("bool_and", tame), one.of("skewness", t.where(tame, x, t.literal(None))), t.literal(None))


def _reads(calls: Sequence[Tree], conditions: frozenset[str]) -> frozenset[str]:
    """The relations whose rows the calls depend on; totals and counts depend on those of conditions too."""
    found: set[str] = set()
    for call in calls:
        of = arguments_of(call)
        if function_of(call) in ALL_COUNTS | SUMS:
            found |= conditions
            condition = filter_of(call)
            of += [condition] if condition else []
        found |= {names_of(node)[0] for tree in map(_value, of) for node in t.expressions(tree) if is_bound(node)}
    return frozenset(found)


def _value(tree: Tree) -> Tree:
    """The averaged expression of a CASE that is NULL for other rows."""
    if kind_of(tree) == "CASE":
        conditions, otherwise = cases_of(tree)
        if len(conditions) == 1 and is_null(otherwise):
            return conditions[0][1]
    return tree


def _is_total(tree: Tree) -> bool:
    """Whether an expression is 0 over no rows: sums, counts, their multiples and their sums."""
    tree = without_casts(tree)
    if not is_call(tree):
        return False
    name, given = function_of(tree), arguments_of(tree)
    if name in ALL_COUNTS | SUMS | {"approx_count_distinct"}:
        return True
    match name, given:
        case (("+" | "-"), [_, *_]):
            return all(map(_is_total, given))
        case (("*" | "/"), [left, right]):
            return (_is_total(left) and is_constant(right)) or (name == "*" and _is_total(right))
        case ("coalesce", [first, *_]):
            return _is_total(first)
        case _:
            return False


def columns(outputs: Sequence[Output]) -> dict[str, Tree]:
    """The expressions that a draw computes, by name.

    For output 0: value `e0`, variance `v0`, degrees of freedom `f0`, form `t0`, skewness `k0`, influences `p0_...`.
    """
    wanted: dict[str, Tree] = {}
    for place, one in enumerate(outputs):
        wanted[f"e{place}"] = double(one.draw_expression) if one.is_number else t.named(one.draw_expression, "")
        if one.within and one.within.variance:
            wanted[f"v{place}"] = double(one.within.variance)
        if one.within and one.within.influence:
            wanted |= {f"p{place}_{name}": double(tree) for name, tree in one.within.influence.numbers.items()}
        if one.within and not one.within.influence:
            wanted[f"f{place}"] = double(one.within.freedom)
        if one.skewness:
            wanted[f"k{place}"] = double(one.skewness)
        if one.within and one.form and one.form.flag:
            wanted[f"t{place}"] = double(one.form.flag)
    return wanted
