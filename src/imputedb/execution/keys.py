"""Columns that are taken for keys and are not used as predictors, although they are correlated with others."""

import math
from collections.abc import Collection, Sequence
from typing import Any

from imputedb.algebra.relation import Table
from imputedb.engines.engine import Engine
from imputedb.notes import Note, NoteKind
from imputedb.sql import ast as t
from imputedb.sql.ast import Tree
from imputedb.statistics.table import Kind, Statistics

MUCH = 0.1
"""The share of a variance that is worth a word."""

_SURE = 4.0  # standard errors of a correlation, so that keys in random order are hardly ever reported
_NUMBERS = (Kind.INTEGER, Kind.NUMBER, Kind.BOOLEAN)


def key_notes(engine: Engine, table: Table, statistics: Statistics, names: Collection[str]) -> list[Note]:
    """Notes on imputed columns that are correlated with a whole number which is taken for a key.

    Args:
        engine: engine that holds the table.
        table: the table.
        statistics: statistics of the table.
        names: columns that are imputed from others.
    """
    known = statistics.columns
    keys = [name for name, one in known.items() if one.kind is Kind.INTEGER and statistics.identifies(name)]
    wanted = sorted(name for name in names if name in known and known[name].kind in _NUMBERS and name not in keys)
    pairs = [(key, name) for name in wanted for key in keys if not statistics.policy(name).chooses_predictors]
    if not pairs:
        return []
    kept = ("keys", table, tuple(pairs))
    notes: list[Note] | None = engine.recall(kept)
    if notes is None:
        shares = zip(pairs, _shares(engine, table, pairs), strict=True)
        notes = [_note(table, *pair, share) for pair, share in shares if share >= MUCH]
        engine.keep(kept, notes, tables=statistics.rests_on(table))
    return notes


def _shares(engine: Engine, table: Table, pairs: Collection[tuple[str, str]]) -> list[float]:
    """The share of the second columns' variance that the first ones explain; 0 where that may be chance."""
    double = t.plain_type("DOUBLE")
    numbers = [[t.cast(engine.reading(table, one, "t"), double) for one in pair] for pair in pairs]
    beside = [(t.null_where(t.is_missing(y), x), t.null_where(t.is_missing(x), y)) for x, y in numbers]
    means = iter(_row(engine, table, [t.call("avg", one) for both in beside for one in both]))
    products = [t.call("count", one) for one, _ in beside]
    for both in beside:
        x, y = (t.arithmetic("-", one, t.literal(_finite(next(means)))) for one in both)
        products += [t.call("sum", t.arithmetic("*", one, other)) for one, other in ((x, x), (y, y), (x, y))]
    counts, moments = (row := _row(engine, table, products))[: len(beside)], row[len(beside) :]
    return [_share(int(rows), *map(_finite, moments[3 * place : 3 * place + 3])) for place, rows in enumerate(counts)]


def _row(engine: Engine, table: Table, outputs: Sequence[Tree]) -> tuple[Any, ...]:
    (row,) = engine.rows(t.select(outputs, engine.source(table, "t")))
    return tuple(row)


def _finite(value: Any) -> float:
    """A number; 0 where it is missing or not finite."""
    return float(value) if value is not None and math.isfinite(value) else 0.0


def _share(rows: int, xx: float, yy: float, xy: float) -> float:
    """The squared correlation of centred sums of squares and products; 0 where it may be chance."""
    share = min(xy * xy / (xx * yy), 1.0) if xx > 0 and yy > 0 else 0.0
    return share if share * (rows - 2) > _SURE**2 * (1 - share) else 0.0


def _note(table: Table, key: str, name: str, share: float) -> Note:
    words = (
        f"{table.name}.{key} has a different value in each row and is taken for a key, from which nothing is learnt, "
        f"though it explains {share:.0%} of the variance of {name}: where it is a number such as a year, say so by a "
        "policy AS NUMERIC"
    )
    return Note(NoteKind.LEFT_OUT, f"{table.name}.{name}", words)
