"""Variances from influences: the influences of rows are summed by sampling unit and squared."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from imputedb.sql import ast as t
from imputedb.sql.ast import Tree
from imputedb.sql.generate import DRAW, of_draw

ANSWERS, ROWS = "answers", "rows"
"""The aliases of the draws' answers and of the rows, for expressions over both."""

_UNITS = "units"


@dataclass(frozen=True, slots=True)
class Influenced:
    """The influence function of an output.

    Attributes:
        name: prefix of the output's columns.
        value: influence of a row, an expression over `ANSWERS` and `ROWS`.
        held: whether the row counts, likewise.
        weight: share of the row in the number, likewise.
    """

    name: str
    value: Tree
    held: Tree
    weight: Tree


WIDTH = 6
"""The columns of an output: units that count; sums of influences, squares, cubes, of weights and their squares."""


def squared(
    rows: Tree,
    answers: str,
    place: int,
    numbers: str,
    keys: Sequence[Tree],
    units: Sequence[str],
    outputs: Sequence[Influenced],
) -> Tree:
    """A SELECT of the position of each answer, and for each output the columns of `WIDTH`.

    Args:
        rows: SELECT of the rows: the draw's number `DRAW`, columns of the expressions, ids of units.
        answers: table of the draws' answers; its first column is the draw's number.
        place: column that numbers the answers.
        numbers: table of the numbers of the draws in `DRAW`.
        keys: conditions that a row belongs to an answer's group.
        units: names of the ids; empty where each row is a unit.
        outputs: influence functions of the outputs.
    """
    number, at = t.reference(numbers, DRAW), t.reference(ANSWERS, f"c{place}")
    source = t.inner(t.subquery(rows, ROWS), t.table((numbers,), ""), of_draw(t.reference(ROWS, DRAW), number))
    same = t.all_of([t.compared("COMPARE_EQUAL", t.reference(ANSWERS, "c0"), number), *keys])
    assert same
    source = t.inner(source, t.table(("temp", "main", answers), ANSWERS), same)
    if not units:
        return t.select(_ended([t.named(at, "place")], outputs, {}), source, groups=[at])
    ids = [t.reference(ROWS, name) for name in units]
    inner = [t.named(at, "place")]
    for one in outputs:
        inner.append(t.named(t.call("fsum", one.value), f"z{one.name}"))
        inner.append(t.named(t.call("bool_or", one.held), f"h{one.name}"))
        inner.append(t.named(t.call("fsum", one.weight), f"w{one.name}"))
    added = t.subquery(t.select(inner, source, groups=[at, *ids]), _UNITS)
    known = {
        name: t.reference(_UNITS, name) for one in outputs for name in (f"z{one.name}", f"h{one.name}", f"w{one.name}")
    }
    of = t.reference(_UNITS, "place")
    return t.select(_ended([t.named(of, "place")], outputs, known), added, groups=[of])


def _ended(items: list[Tree], outputs: Sequence[Influenced], known: Mapping[str, Tree]) -> list[Tree]:
    for one in outputs:
        z, held = known.get(f"z{one.name}", one.value), known.get(f"h{one.name}", one.held)
        weight = known.get(f"w{one.name}", one.weight)
        items.append(t.named(t.call("count_if", held), f"n{one.name}"))
        items.append(t.named(t.call("fsum", z), f"s{one.name}"))
        items.append(t.named(t.call("fsum", t.arithmetic("*", z, z)), f"q{one.name}"))
        items.append(t.named(t.call("fsum", t.arithmetic("*", z, t.arithmetic("*", z, z))), f"c{one.name}"))
        items.append(t.named(t.call("fsum", weight), f"w{one.name}"))
        items.append(t.named(t.call("fsum", t.arithmetic("*", weight, weight)), f"d{one.name}"))
    return items
