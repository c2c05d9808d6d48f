"""Variances by influences: what rows add to the error of numbers, added up by sampled unit and squared."""

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
    """An output's influence.

    Attributes:
        name: of the output's columns.
        value: over `ANSWERS` and `ROWS`.
        held: whether the row counts, likewise.
        weight: its share of what the number rests on, likewise.
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
    """A SELECT of the place of each answer, and of each output what `WIDTH` says.

    Args:
        rows: a SELECT of the rows: the draw's number under `DRAW`, what expressions read, the ids of units.
        answers: the table of the draws' answers, its first column the draw's number.
        place: which of its columns numbers them.
        numbers: a table of the numbers of the draws under `DRAW`.
        keys: conditions under which a row is of an answer's group.
        units: the names of the ids; none where each row is a unit.
        outputs: what is asked for.
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
