"""The outputs of a query that aggregates: what tells groups apart, and what is pooled over draws."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from imputedb.inference import delta
from imputedb.inference.measures import Measures, double, minus
from imputedb.inference.scale import IDENTITY, Scale
from imputedb.sql import tree as t
from imputedb.sql.bind import aggregate_calls
from imputedb.sql.tree import Tree

_NUMBERS = ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT", "FLOAT", "DOUBLE", "DECIMAL")
_NO_NUMBER = "no number, so nothing to average: the most frequent of the draws' values"
_UNKNOWN = "no variance within draws is known for this aggregate: ask interval='answer', or add a measure"


class Within(NamedTuple):
    """The variance within a draw, None where a bootstrap gives it, and degrees of freedom of complete data."""

    variance: Tree | None
    freedom: Tree


@dataclass(frozen=True, slots=True)
class Output:
    """One output.

    Attributes:
        name: as it is shown.
        type: DuckDB's.
        tree: the bound expression.
        aggregates: whether it is of aggregates; another one tells groups.
        scale: that it is pooled on.
        within: None where there is nothing to know of it within a draw.
        reason: why there is no interval for a population, or none at all.
    """

    name: str
    type: str
    tree: Tree
    aggregates: bool
    scale: Scale = IDENTITY
    within: Within | None = None
    reason: str | None = None

    @property
    def is_number(self) -> bool:
        """Whether it is pooled as a number."""
        return self.aggregates and is_number(self.type)

    @property
    def bootstrapped(self) -> bool:
        """Whether its variance within a draw is to be found by a bootstrap."""
        return self.within is not None and self.within.variance is None


def is_number(type_name: str) -> bool:
    """Whether values of a type are numbers."""
    return "[" not in type_name and type_name.partition("(")[0].removeprefix("U") in _NUMBERS


def output(name: str, kind: str, tree: Tree, aggregates: frozenset[str], measures: Measures, units: Tree) -> Output:
    """What is to be known of an output.

    Args:
        kind: its type.
        tree: its bound expression.
        aggregates: names of aggregate functions.
        measures: those that are known.
        units: how many rows were sampled.
    """
    calls = aggregate_calls([tree], aggregates)
    plain = Output(name, kind, tree, bool(calls))
    if not calls:
        return plain
    if not plain.is_number:
        return Output(name, kind, tree, aggregates=True, reason=_NO_NUMBER)
    odd = [call for call in calls if call.get("distinct") or call["class"] != "FUNCTION" or measures.of(call) is None]
    if odd:
        return Output(name, kind, tree, aggregates=True, reason=_UNKNOWN)
    found = [measure for call in calls if (measure := measures.of(call))]
    reason = next((measure.reason for measure in found if measure.reason), None)
    if reason:
        return Output(name, kind, tree, aggregates=True, reason=reason)
    rest = minus(t.call("count_star"), t.number(1))
    if len(calls) == 1 and _bare(tree) is calls[0]:
        within = Within(found[0].variance(calls[0], units), found[0].freedom(calls[0]))
        return Output(name, kind, tree, aggregates=True, scale=found[0].scale(calls[0]), within=within)
    return Output(name, kind, tree, aggregates=True, within=Within(delta.variance(tree, units), rest))


def _bare(tree: Tree) -> Tree:
    """What is inside casts and rounding."""
    while True:
        if tree["class"] == "CAST":
            tree = tree["child"]
        elif tree["class"] == "FUNCTION" and str(tree["function_name"]).lower() == "round":
            tree = tree["arguments"][0]["expression"]
        else:
            return tree


def columns(outputs: Sequence[Output]) -> dict[str, Tree]:
    """The expressions that a draw is asked for, by name: `e0`, its variance `v0` and degrees of freedom `f0`, ..."""
    asked: dict[str, Tree] = {}
    for place, one in enumerate(outputs):
        asked[f"e{place}"] = double(one.tree) if one.is_number else t.named(one.tree, "")
        if one.within and one.within.variance:
            asked[f"v{place}"] = double(one.within.variance)
        if one.within:
            asked[f"f{place}"] = double(one.within.freedom)
    return asked
