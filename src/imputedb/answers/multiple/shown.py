"""Pooled numbers as they are shown, with their standard errors and intervals; rounded numbers may have none."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from imputedb.answers.multiple.aggregation import Aggregation
from imputedb.answers.multiple.steps import stepped
from imputedb.answers.multiple.suspects import ALMOST, rounded
from imputedb.engines.engine import Engine, Held
from imputedb.inference.estimate import Estimate
from imputedb.notes import Note, NoteKind
from imputedb.sql import ast as t
from imputedb.sql.ast import Tree

PARTS = ("se", "low", "high", "fmi")

_NOTHING = 1e-6  # share of a rounding error that is due to arithmetic

Row = Mapping[int, Estimate]


@dataclass(frozen=True, slots=True)
class Intervals:
    """The intervals of an answer's numbers, and notes on them.

    Attributes:
        estimates: by row, estimates by position of the output; rounded numbers outside their interval are absent.
        notes: notes on rounding.
    """

    estimates: Sequence[Row]
    notes: Sequence[Note]


def item(about: Aggregation, place: int) -> Tree:
    """The expression that shows an output, over the pooled numbers `r` and the other values `k`."""
    made = about.outputs[place].made
    return _alone(about, place) if made is None else stepped(made, lambda part: _alone(about, part))


def _alone(about: Aggregation, place: int) -> Tree:
    return t.reference("r", f"e{place}") if about.outputs[place].is_number else t.reference("k", f"k{place}")


def items(about: Aggregation) -> list[Tree]:
    """The expressions of all outputs, each number followed by its standard error, interval and fmi."""
    shown: list[Tree] = []
    for place, out in enumerate(about.outputs[: about.shown]):
        shown.append(item(about, place))
        if out.is_number:
            parts = [t.reference("r", f"{part}{place}") for part in PARTS]
            lost = None if out.made is None else _lost(shown[-1], place, out.unit)
            shown += parts if lost is None else [t.null_where(lost, part) for part in parts]
    return shown


def _lost(at: Tree, place: int, unit: float) -> Tree | None:
    """Whether a rounded number is NULL, or farther from its interval or error than rounding explains."""
    number, se, low, high = (t.reference("r", f"{part}{place}") for part in ("e", *PARTS[:3]))
    reach, noise = t.literal(unit), t.arithmetic("*", t.literal(ALMOST), t.call("abs", number))
    moved = t.arithmetic("-", t.call("abs", t.arithmetic("-", at, number)), noise)
    return t.any_of(
        [
            t.is_missing(at),
            t.compared("COMPARE_LESSTHAN", at, t.arithmetic("-", low, reach)),
            t.compared("COMPARE_GREATERTHAN", at, t.arithmetic("+", high, reach)),
            t.compared("COMPARE_GREATERTHAN", t.arithmetic("*", moved, t.literal(_NOTHING)), se),
        ]
    )


def intervals(engine: Engine, held: Held, about: Aggregation, rows: Sequence[Row]) -> Intervals:
    """The intervals and notes of an answer's rows, given their pooled estimates."""
    notes: list[Note] = []
    kept = [{place: one for place, one in row.items() if place < about.shown} for row in rows]
    column = 0
    for place, out in enumerate(about.outputs[: about.shown]):
        if out.is_number and out.made is not None:
            values, errors = engine.numbers(f"SELECT c{column}, c{column + 1} FROM {held.source}")
            known = [(n, at, row[place]) for n, (at, row) in enumerate(zip(values.tolist(), kept, strict=True))
                     if place in row and not math.isnan(row[place].se)]  # fmt: skip
            lost = {n for n, _, _ in known if math.isnan(errors[n])}
            notes += rounded(out.name, [(at, one) for n, at, one in known if n not in lost])
            notes += _without(out.name, [(at, one) for n, at, one in known if n in lost])
            for n in lost:
                del kept[n][place]
        column += 1 + len(PARTS) * out.is_number
    return Intervals(kept, notes)


def _without(name: str, pairs: Sequence[tuple[float, Estimate]]) -> Iterator[Note]:
    """A note on the first of the rounded numbers without an interval."""
    for at, one in pairs[:1]:
        how = "NULL" if math.isnan(at) else f"rounded to {at:.6g}"
        words = f"the interval of {one.estimate:.6g} tells nothing of it where it is {how}, so it has none there"
        yield Note(NoteKind.NO_INTERVAL, name, f"{name}: {words}")
