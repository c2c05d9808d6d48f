"""Answers without imputed cells: doubly robust estimates, maximum likelihood, and bounds."""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple, TypeVar

import numpy as np

from imputedb.answers.column_names import check_distinct_names
from imputedb.answers.multiple.outputs import is_number
from imputedb.answers.prepared import Prepared
from imputedb.answers.request import AIPW, BOUNDS, ML, QueryOptions
from imputedb.answers.unimputed.bounds import WorstCase
from imputedb.answers.unimputed.doubly_robust import DoublyRobust
from imputedb.answers.unimputed.grouped import Keys, ShownGroups, kept
from imputedb.answers.unimputed.likelihood import LikelihoodAnswer, answerable
from imputedb.answers.unimputed.rows import groups_of
from imputedb.blocks.block import PlannedBlock
from imputedb.diagnostics.likelihood import Likely
from imputedb.engines.engine import Engine, Held
from imputedb.errors import CannotImpute, QueryError
from imputedb.inference.doubly_robust import Robust
from imputedb.notes import Note, NoteKind

Number = TypeVar("Number", Robust, Likely)

NO_INTERVALS = Note(
    NoteKind.UNPOOLED,
    BOUNDS,
    "no intervals: bounds assume nothing about why values are missing, so they are not estimates with an error",
)

WORDS = {
    AIPW: "doubly robust: models of values and of what is observed, fold by fold; no cell is imputed",
    ML: "maximum likelihood: one normal distribution of what is observed; no cell is imputed",
    BOUNDS: "bounds: missing cells at the ends of what they may hold; no cell is imputed",
}
"""The description of each method, in place of a plan."""

_PARTS: Mapping[str, Callable[[Robust | Likely], float]] = {
    "se": lambda one: one.se,
    "low": lambda one: one.interval().low,
    "high": lambda one: one.interval().high,
    "fmi": lambda one: one.fmi,
}


class Unimputed(NamedTuple):
    """An answer without imputed cells.

    Attributes:
        held: its rows.
        columns: names of its columns.
        types: DuckDB types of its columns.
        estimates: by row, estimates by the name of the output; None for bounds.
        warnings: warnings for the reader.
        notes: notes on the method.
    """

    held: Held
    columns: list[str]
    types: list[str]
    estimates: Sequence[Mapping[str, Robust]] | Sequence[Mapping[str, Likely]] | None
    warnings: tuple[Note, ...] = ()
    notes: tuple[Note, ...] = ()


def unimputed(engine: Engine, prepared: Prepared, options: QueryOptions) -> Unimputed:
    """The answer by the method of the options.

    Raises:
        QueryError: the method does not support the query; the message says why.
    """
    block = _block(prepared, options.method)
    named(prepared, options)  # raises its errors before anything is computed
    if options.method == BOUNDS:  # bounds are valid for any share of missing cells
        return _bounds(engine, prepared, block, options)
    notes = _shares(block)
    found = (_robust if options.method == AIPW else _likeliest)(engine, prepared, block, options)
    return found._replace(warnings=(*notes, *found.warnings))


def named(prepared: Prepared, options: QueryOptions) -> list[tuple[str, str]]:
    """The names and types of the columns of an answer, which is not computed.

    Raises:
        QueryError: the method does not support the query, or a column of the query has the name of an added one.
    """
    keys = _keys(_block(prepared, options.method))
    found: list[tuple[str, str]] = []
    for place, (name, type_name) in enumerate(zip(prepared.columns, prepared.types, strict=True)):
        if place in keys:
            found.append((name, type_name))
        elif options.method == BOUNDS:
            found += [(f"{name}_{part}", "DOUBLE") for part in ("low", "high")]
        else:
            found += [(name, "DOUBLE"), *((f"{name}_{part}", "DOUBLE") for part in _PARTS)]
    parts = ("low", "high") if options.method == BOUNDS else tuple(_PARTS)
    beside = [f"{name}_{part}" for place, name in enumerate(prepared.columns) if place not in keys for part in parts]
    check_distinct_names(prepared.columns, beside, "errors and intervals")
    return found


def _shares(block: PlannedBlock) -> list[Note]:
    """Warnings of columns whose share of missing cells exceeds their policy's limit (WARN ABOVE).

    Raises:
        CannotImpute: a policy refuses such an answer.
    """
    found: list[Note] = []
    for column in sorted(block.problem.columns):
        known = block.problem.statistics[column.relation]
        policy, share = known.policy(column.name), 100 * known.columns[column.name].missing / max(known.rows, 1)
        if note := policy.exceeded(column, share, "missing"):
            if policy.refuse:
                raise CannotImpute(note)
            found.append(note)
    return found


def _block(prepared: Prepared, method: str) -> PlannedBlock:
    (*before, last) = prepared.blocks or (None,)
    if before or not isinstance(last, PlannedBlock):
        reason = getattr(last, "reason", "") or "it reads no table, or a query inside it"
        raise QueryError(
            f"method {method!r} answers one SELECT over tables and inner joins, which this is not: {reason}"
        )
    calls = {call.text for call in last.problem.query.aggregates}
    for scalar, type_name in zip(last.problem.query.outputs, prepared.types, strict=True):
        if scalar.text in calls and not is_number(type_name):
            raise QueryError(
                f"no such answer to this query: {scalar.text} is of type {type_name}, which is not a number"
            )
    return last


def _robust(engine: Engine, prepared: Prepared, block: PlannedBlock, options: QueryOptions) -> Unimputed:
    if len(options.imputers) > 1:
        raise QueryError("method 'aipw' takes one imputer, or 'drop' for its own regression alone")
    imputer = options.imputers[0] if options.imputers else None
    found = DoublyRobust(engine, block.problem, imputer, options.question, options.level, options.seed).answered()
    shown, held, rows = _estimated(engine, prepared, block, found.keys, found.estimates)
    names, types = [one.name for one in shown], [one.type for one in shown]
    return Unimputed(held, names, types, rows, (*found.warnings, *_reasons(rows)))


def _likeliest(engine: Engine, prepared: Prepared, block: PlannedBlock, options: QueryOptions) -> Unimputed:
    answerable(options.question)
    found = LikelihoodAnswer(engine, block.problem, options.level).answered()
    shown, held, rows = _estimated(engine, prepared, block, found.keys, found.estimates)
    names, types = [one.name for one in shown], [one.type for one in shown]
    return Unimputed(held, names, types, rows, notes=found.notes)


def _estimated(
    engine: Engine, prepared: Prepared, block: PlannedBlock, groups: Keys, estimates: Sequence[Sequence[Number | None]]
) -> tuple[list[ShownGroups], Held, list[dict[str, Number]]]:
    """The columns of an answer with estimates, its rows, and the estimates by row."""
    keys = _keys(block)
    shown: list[ShownGroups] = []
    for place, (name, type_name) in enumerate(zip(prepared.columns, prepared.types, strict=True)):
        if place in keys:
            shown.append(ShownGroups(name, type_name, place, keys[place]))
            continue
        mine = [one for row in estimates if (one := row[place])]
        shown.append(ShownGroups(name, "DOUBLE", place, np.array([one.estimate for one in mine])))
        shown += [
            ShownGroups(f"{name}_{part}", "DOUBLE", place, np.array([of(one) for one in mine]))
            for part, of in _PARTS.items()
        ]
    held, order = kept(engine, block.problem.query, shown, groups)
    rows = [{name: one for name, one in zip(prepared.columns, estimates[group], strict=True) if one} for group in order]
    return shown, held, rows


def _bounds(engine: Engine, prepared: Prepared, block: PlannedBlock, options: QueryOptions) -> Unimputed:
    groups: Keys
    groups, found = WorstCase(engine, block.problem, options.deviations).bounds()
    keys = _keys(block)
    shown: list[ShownGroups] = []
    for place, (name, type_name) in enumerate(zip(prepared.columns, prepared.types, strict=True)):
        if place in keys:
            shown.append(ShownGroups(name, type_name, place, keys[place]))
            continue
        mine = [one for row in found if (one := row[place])]
        shown.append(ShownGroups(f"{name}_low", "DOUBLE", place, np.array([one.low for one in mine], np.float64)))
        shown.append(ShownGroups(f"{name}_high", "DOUBLE", place, np.array([one.high for one in mine], np.float64)))
    held, _ = kept(engine, block.problem.query, shown, groups)
    names, types = [one.name for one in shown], [one.type for one in shown]
    return Unimputed(held, names, types, None, notes=(NO_INTERVALS,))


def _keys(block: PlannedBlock) -> Mapping[int, int]:
    """The position of the group key that each output shows, by position of the output."""
    groups = [group.text for group in groups_of(block.problem.query)]
    outputs = enumerate(block.problem.query.outputs)
    return {place: groups.index(scalar.text) for place, scalar in outputs if scalar.text in groups}


def _reasons(rows: Sequence[Mapping[str, Robust]]) -> list[Note]:
    reasons = sorted({(f"{name}: {one.reason}", name) for row in rows for name, one in row.items() if one.reason})
    return [Note(NoteKind.NO_ERROR, name, text) for text, name in reasons]
