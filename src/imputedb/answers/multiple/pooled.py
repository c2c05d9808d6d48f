"""The pooled answer of m draws: an estimate for each aggregate, with its standard error and interval."""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from imputedb.answers.column_names import check_distinct_names
from imputedb.answers.multiple import precision
from imputedb.answers.multiple.aggregation import GROUPING, STANDS, Aggregation, aggregation
from imputedb.answers.multiple.clusters import unused_note
from imputedb.answers.multiple.draws import Draws, Numbers
from imputedb.answers.multiple.forms import ANY, ONES, POSITIVE
from imputedb.answers.multiple.images import KEYS, NULL, UNSURE, Images
from imputedb.answers.multiple.repeated import repeating
from imputedb.answers.multiple.shown import PARTS, intervals, item, items
from imputedb.answers.multiple.suspects import scattered, suspects
from imputedb.answers.prepared import Prepared
from imputedb.answers.request import QueryOptions
from imputedb.answers.run import Run, answered
from imputedb.blocks.block import PlannedBlock
from imputedb.engines.engine import Engine, Held
from imputedb.inference.estimate import Estimate, estimated, unbounded
from imputedb.inference.number_of_draws import enough
from imputedb.inference.scale import Scale
from imputedb.inference.score_interval import Score
from imputedb.notes import Note, NoteKind
from imputedb.sql import ast as t
from imputedb.sql.ast import Tree
from imputedb.sql.select import order_key, ordering

UNPOOLED = Note(
    NoteKind.UNPOOLED,
    "",
    "no intervals: the outermost block is not an aggregation whose draws can be pooled; these are single best values",
)

PILOT = 20
"""Number of draws from which the number needed is estimated (von Hippel 2020)."""

_UNPLANNED = "no variance within a draw is looked for in a block that is not planned: ask interval='answer'"
_SUBTOTALS = "no variance within a draw is looked for in subtotals, so these have no interval: ask interval='answer'"
_REPEATED = "where rows are repeated ({}), each copy counts as sampled on its own: the interval may be too narrow"
_NESTED = "intervals for a population take the rows of the inner block as the sample"

Flags = NDArray[np.bool_]

Row = Mapping[int, Estimate]
"""The estimates of a group, by position of the output."""


class Pooled(NamedTuple):
    """A pooled answer.

    Attributes:
        held: its rows.
        columns: names of its columns.
        types: DuckDB types of its columns.
        estimates: by row, estimates by the name of the output.
        m: number of draws.
        warnings: warnings for the reader.
        expected: largest relative half-width of the intervals, as expected from the first draws; None without a limit
            of error.
    """

    held: Held
    columns: list[str]
    types: list[str]
    estimates: Sequence[Mapping[str, Estimate]]
    m: int
    warnings: tuple[Note, ...] = ()
    expected: float | None = None


def pooled(engine: Engine, prepared: Prepared, run: Run) -> Pooled | None:
    """The pooled answer; None if the draws of the outermost block cannot be pooled."""
    options, about = run.options, aggregation(engine, prepared, run)
    if about is None:
        return None
    named(about)  # raises its errors before anything is drawn
    draws = Draws(engine, prepared, run, about)
    images = Images(engine, run, draws, about, options.level)
    warnings = list(_remarks(engine, about, prepared, options))
    warnings += unused_note(prepared.blocks) if options.question == "population" else []
    width = None
    if options.limits.error is not None:
        found, width = _narrow(images, about, options, options.limits.error)
    else:
        draws.add(range(options.m or min(PILOT, options.most)))
        found = _estimates(images, about, options)
        if options.m is None:
            found = _repeatable(images, about, options, found, warnings)
    warnings += suspects(draws.numbers(), about, found, options.question)
    warnings += _without_interval(about, found)
    warnings += [scattered(about.outputs[place].name) for place in draws.varying_outputs() if place < about.shown]
    return _answer(engine, run, draws, about, found, tuple(warnings))._replace(expected=width)


def _repeatable(
    images: Images, about: Aggregation, options: QueryOptions, found: list[Row], warnings: list[Note]
) -> list[Row]:
    """The estimates from enough draws for standard errors of the requested precision, given those of the first."""
    draws = images.draws
    need = _needed(found, options)
    if need > options.most:
        words = (
            f"{need:,} draws would be needed for standard errors within {options.precision:.3g}; "
            f"{options.most:,} were made"
        )
        warnings.append(Note(NoteKind.DRAWS, f"{need}", words))
    if min(need, options.most) <= draws.m:
        return found
    draws.add(range(draws.m, min(need, options.most)))
    return _estimates(images, about, options)


def _narrow(images: Images, about: Aggregation, options: QueryOptions, goal: float) -> tuple[list[Row], float]:
    """The estimates from enough draws for a limit of error, and the half-width that the first draws made expect."""
    draws = images.draws
    draws.add(range(options.m or min(precision.FIRST, options.most)))
    found, width = _estimates(images, about, options), math.nan
    while True:
        shown = [one for row in found for place, one in row.items() if place < about.shown]
        need = draws.m if options.m is not None else precision.draws_for(shown, goal, options.most)
        width = precision.expected(shown, need) if math.isnan(width) else width
        if need <= draws.m:
            return found, width
        draws.add(range(draws.m, need))
        found = _estimates(images, about, options)


def _needed(found: Sequence[Row], options: QueryOptions) -> int:
    """The number of draws for standard errors of the requested precision (von Hippel 2020)."""
    known = [one.fmi for row in found for one in row.values() if one.fmi > 0]
    return enough(known or [0.0], min(PILOT, options.most), cv=options.precision).m


def _remarks(engine: Engine, about: Aggregation, prepared: Prepared, options: QueryOptions) -> Iterator[Note]:
    for out in about.outputs[: about.shown]:
        if out.reason and (options.question == "population" or not out.is_number):
            yield Note(NoteKind.NO_INTERVAL, out.name, f"{out.name}: {out.reason}")
        if out.bootstrapped and options.question == "population" and not isinstance(prepared.blocks[-1], PlannedBlock):
            yield Note(NoteKind.NO_INTERVAL, out.name, f"{out.name}: {_UNPLANNED}")
        elif out.bootstrapped and options.question == "population" and about.sets:
            yield Note(NoteKind.NO_INTERVAL, out.name, f"{out.name}: {_SUBTOTALS}")
    if options.question != "population" or not any(out.within for out in about.outputs[: about.shown]):
        return
    causes = ", ".join(sorted(repeating(prepared.blocks, engine.multiplying())))
    if causes:
        yield Note(NoteKind.REPEATED, causes, _REPEATED.format(causes))
    if any(block.name for block in prepared.blocks if isinstance(block, PlannedBlock)):
        yield Note(NoteKind.NESTED, "", _NESTED)


def _without_interval(about: Aggregation, found: Sequence[Row]) -> Iterator[Note]:
    """Notes on numbers without a standard error, if no other note gives the reason."""
    for place, out in enumerate(about.outputs[: about.shown]):
        known = [row[place] for row in found if place in row]
        lacking = [one for one in known if math.isnan(one.se)]
        doubts = [reason for reason in (NULL, UNSURE) if any(one.reason == reason for one in lacking)]
        if lacking and not out.reason and out.within and (doubts or len(lacking) == len(known)):
            reason = doubts[0] if doubts else "no variance within its draws was found"
            which = "it has" if len(lacking) == len(known) else f"{len(lacking):,} of its groups have"
            words = f"{reason}, so {which} no interval: ask interval='answer'"
            yield Note(NoteKind.NO_INTERVAL, out.name, f"{out.name}: {words}")


# -- pooling ----------------------------------------------------------------------------------------------------------


def _estimates(images: Images, about: Aggregation, options: QueryOptions) -> list[Row]:
    """The estimates of each group, in the order of the grouping expressions."""
    draws = images.draws
    numbers, bootstrapped = draws.numbers(), draws.bootstrapped()
    groups = numbers["group"].astype(np.intp)
    order = np.lexsort((numbers[next(iter(numbers))], groups))
    count = int(groups.max()) if len(groups) else 0
    bounds = np.searchsorted(groups[order], np.arange(1, count + 2))
    found: list[Row] = []
    for group in range(count):
        mine = {name: column[order[bounds[group] : bounds[group + 1]]] for name, column in numbers.items()}
        row = {
            place: _estimate(
                about, place, mine, bootstrapped.get(group, {}) if bootstrapped else None, options, draws.m
            )
            for place, out in enumerate(about.outputs)
            if out.is_number
        }
        found.append({place: one for place, one in row.items() if one})
    return images.over(found)


def _estimate(
    about: Aggregation,
    place: int,
    mine: Mapping[str, Numbers],
    bootstrapped: Mapping[int, float] | None,
    options: QueryOptions,
    m: int,
) -> Estimate | None:
    out, numbers = about.outputs[place], mine[f"e{place}"]
    has = ~np.isnan(numbers)
    if not has.any():
        return None
    share = float(has.sum()) / m
    if np.isinf(numbers).any():
        return unbounded(numbers[has], options.question, options.level, share)
    variances, df = _within(about, place, mine, bootstrapped or {}, has)
    values, spread = numbers[has], variances if variances is None else variances[has]
    if out.empty and share < 1:  # a total over no rows is 0
        nothing = np.zeros(m - int(has.sum()))
        values = np.concatenate([values, nothing])
        spread = spread if spread is None else np.concatenate([spread, nothing])
    scale = _scale(about, place, mine, has, df)
    reason = _reason(about, place, mine, resampled=bootstrapped is not None)
    return estimated(values, spread, df, scale, options.question, options.level, share, reason)


def _reason(about: Aggregation, place: int, mine: Mapping[str, Numbers], *, resampled: bool) -> str | None:
    """The reason why an output has no interval for a population in this group; None if it may have one."""
    out = about.outputs[place]
    if out.reason or not out.bootstrapped:
        return out.reason
    if about.sets and mine[GROUPING][0] > 0:
        return _SUBTOTALS
    return None if resampled else _UNPLANNED


def _within(
    about: Aggregation, place: int, mine: Mapping[str, Numbers], bootstrapped: Mapping[int, float], has: Flags
) -> tuple[Numbers | None, float]:
    """Variances within draws, None if unknown, and complete-data degrees of freedom."""
    within = about.outputs[place].within
    if within is None:
        return None, math.inf
    df = _mean(mine[f"f{place}"][has])
    if within.influence:
        alone = not within.influence.centred and df > 0  # no rows contribute to the total
        return np.nan_to_num(mine[f"v{place}"]) if alone else mine[f"v{place}"], df
    if within.variance:
        return mine[f"v{place}"], df
    if place in bootstrapped:
        return np.full(len(has), bootstrapped[place]), df
    return None, df


def _mean(values: Numbers) -> float:
    known = values[~np.isnan(values)]
    return float(known.mean()) if len(known) else math.nan


def _scale(about: Aggregation, place: int, mine: Mapping[str, Numbers], has: Flags, df: float) -> Scale | Score:
    """The scale on which an output is pooled, or a score interval within the bounds of a total or share."""
    out = about.outputs[place]
    if out.form is None or out.within is None or not df > 0:
        return out.scale
    flags = mine[f"t{place}"][has] if out.form.flag else np.array([ONES])
    least, factor = float(np.nanmin(flags)) if not np.isnan(flags).all() else ANY, out.form.factor
    if out.form.kind == "share":
        return Score(factor, factor / (df + 1)) if least == ONES else out.scale
    if least == ONES and not out.within.units:
        return Score(factor * (df + 1), factor)
    return Score(math.inf, factor) if least >= POSITIVE else out.scale


# -- answering --------------------------------------------------------------------------------------------------------


def named(about: Aggregation) -> list[tuple[str, str]]:
    """The names and types of the columns of a pooled answer.

    Raises:
        QueryError: a column of the query has the name of an added one, such as a standard error.
    """
    shown: list[tuple[str, str]] = []
    beside: list[str] = []
    for out in about.outputs[: about.shown]:
        shown.append((out.name, "DOUBLE" if out.is_number else out.type))
        if out.is_number:
            beside += [f"{out.name}_{part}" for part in PARTS]
            shown += [(name, "DOUBLE") for name in beside[-len(PARTS) :]]
    beside += ["in_draws"] if about.groups or about.having else []
    check_distinct_names([out.name for out in about.outputs[: about.shown]], beside, "errors and intervals")
    return [*shown, ("in_draws", "DOUBLE")] if about.groups or about.having else shown


def _answer(
    engine: Engine, run: Run, draws: Draws, about: Aggregation, found: Sequence[Row], warnings: tuple[Note, ...]
) -> Pooled:
    """The rows of the pooled answer, in the order and with the limit of the query."""
    shown, group = items(about), t.reference("r", "group")
    if about.groups or about.having:
        shown.append(t.reference("r", "share"))
    registered = run.keep(_columns(draws, about, found))
    same = t.compared("COMPARE_EQUAL", t.reference("k", "place"), group)
    source = t.inner(t.table((KEYS,), "k"), t.table((registered,), "r"), same)
    kept = about.having.with_positions(lambda place: item(about, place)) if about.having else None
    node = t.select([*shown, group], source, kept, modifiers=_modifiers(about, group))
    text = f"WITH {KEYS} AS ({draws.keys()}) {engine.text(node)}"
    held = answered(engine, text)
    (groups,) = engine.numbers(f"SELECT c{len(shown)} FROM {held.source}")
    names, types = zip(*named(about), strict=True)
    known = intervals(engine, held, about, [found[int(row) - 1] for row in groups])
    estimates = [{about.outputs[place].name: one for place, one in row.items()} for row in known.estimates]
    return Pooled(held, list(names), list(types), estimates, draws.m, (*warnings, *known.notes))


def _modifiers(about: Aggregation, group: Tree) -> list[Tree]:
    keys = [order_key(item(about, key.place), key.direction, key.nulls) for key in about.order]
    return [*ordering([*keys, order_key(group)]), *([about.limit] if about.limit else [])]


def _columns(draws: Draws, about: Aggregation, found: Sequence[Row]) -> dict[str, NDArray[np.generic]]:
    """The estimates as columns, with one row for each group."""
    numbers = draws.numbers()
    groups = numbers["group"].astype(np.intp)
    stands = numbers[STANDS] if about.having else None
    made: dict[str, NDArray[np.generic]] = {"group": np.arange(1, len(found) + 1)}
    made["share"] = np.bincount(groups, stands, minlength=len(found) + 1)[1:] / draws.m
    for place, out in enumerate(about.outputs):
        if out.is_number:
            cells = [row.get(place) for row in found]
            ends = [one.interval() if one else (math.nan, math.nan) for one in cells]
            made[f"e{place}"] = _column([one.estimate if one else math.nan for one in cells])
            made[f"se{place}"] = _column([one.se if one else math.nan for one in cells])
            made[f"low{place}"] = _column([low for low, _ in ends])
            made[f"high{place}"] = _column([high for _, high in ends])
            made[f"fmi{place}"] = _column([one.fmi if one else math.nan for one in cells])
    return made


def _column(values: Sequence[float]) -> Numbers:
    """Numbers as a column, with NULL for NaN."""
    array = np.array(values, np.float64)
    return np.ma.masked_array(array, np.isnan(array))
