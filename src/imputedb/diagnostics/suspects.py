"""Suspect values, which look like missing ones and are not declared: outlying codes, words, numbers in text columns."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from imputedb.algebra.relation import Table
from imputedb.engines.engine import Engine
from imputedb.sql import ast as t
from imputedb.sql.ast import Tree
from imputedb.statistics.histogram import Quantiles
from imputedb.statistics.sentinels import LEVELS, Rest
from imputedb.statistics.table import ColumnStatistics, Kind
from imputedb.statistics.words import BESIDE_NUMBERS, CODES, DOUBTFUL

MOSTLY = 0.5
"""Share of a column of text above which numbers in it are told of."""


@dataclass(frozen=True, slots=True)
class Suspect:
    """Values of a column that may stand for a missing one.

    Attributes:
        column: name of the column.
        values: values as they are stored.
        rows: number of rows with one of them.
        why: reason for the suspicion.
    """

    column: str
    values: tuple[str, ...]
    rows: int
    why: str

    def mend(self, table: str) -> str:
        """The call that declares them missing."""
        return f"db.missing({table!r}, {self.column!r}, [{', '.join(map(repr, self.values))}])"


def suspects(engine: Engine, table: Table) -> tuple[Suspect, ...]:
    """The suspects of a table, column by column."""
    known = engine.statistics(table).columns
    return tuple(one for name, column in known.items() for one in _of(engine, table, name, column))


def _of(engine: Engine, table: Table, name: str, known: ColumnStatistics) -> Iterator[Suspect]:
    if known.kind in (Kind.INTEGER, Kind.NUMBER) and isinstance(known.histogram, Quantiles) and known.distinct > 2:
        if _may_have_codes(known.histogram.bounds, known.distinct):
            yield from _codes(engine, table, name)
    elif known.type == "VARCHAR":
        yield from _words(engine, table, name)


def _codes(engine: Engine, table: Table, name: str) -> Iterator[Suspect]:
    value, source = engine.reading(table, name, "t"), engine.source(table, "t")
    is_code = _one_of(value, [t.number(code) for code in CODES])
    among = t.select([value, t.call("count_star")], source, where=is_code, groups=[value])
    counts = {float(str(code)): int(str(rows)) for code, rows in engine.rows(among)}
    others = t.negated(is_code)
    ends = [t.call(end, value, where=others) for end in ("min", "max")]
    levels = {**t.call("count", value, where=others), "distinct": True}
    low, high, distinct = engine.rows(t.select([*ends, levels], source))[0]
    if low is None or int(str(distinct)) < LEVELS:
        return
    rest = Rest(float(str(low)), float(str(high)), int(str(distinct)))
    found = [code for code in rest.beyond(sorted(counts)) if counts[code] > 1]
    if found:
        values, rows = tuple(f"{code:g}" for code in found), sum(counts[code] for code in found)
        yield Suspect(name, values, rows, "far from all other values, as codes of surveys are")


def _may_have_codes(bounds: Sequence[float], distinct: int) -> bool:
    """Whether quantiles allow for outlying codes; otherwise the rows need not be read."""
    ends = sorted({bound for bound in (*bounds[:1], *bounds[-1:]) if bound in CODES})
    others = [bound for bound in bounds if bound not in CODES]
    return bool(ends) and (len(others) < LEVELS or bool(Rest(others[0], others[-1], distinct).beyond(ends)))


def _words(engine: Engine, table: Table, name: str) -> Iterator[Suspect]:
    value, source = engine.reading(table, name, "t"), engine.source(table, "t")
    is_word = _one_of(
        t.call("lower", t.call("trim", value)), [t.literal(word) for word in (*BESIDE_NUMBERS, *DOUBTFUL)]
    )
    counted = t.select([value, t.call("count_star")], source, where=is_word, groups=[value])
    words = {str(word): int(str(rows)) for word, rows in engine.rows(counted)}
    if words:
        yield Suspect(name, tuple(sorted(words)), sum(words.values()), "a word that often means a missing value")
    number = t.is_present(t.try_cast(value, t.plain_type("DOUBLE")))
    both = [t.call("count_star", where=number), t.call("count", value)]
    numbers, present = (int(str(one)) for one in engine.rows(t.select(both, source))[0])
    left = present - numbers - sum(words.values())
    if numbers > MOSTLY * present and left > 0:
        neither = t.all_of([t.negated(number), t.negated(is_word)])
        others = engine.rows(t.select([t.call("min", value, where=neither)], source))[0][0]
        yield Suspect(name, (str(others),), left, f"text, of which {numbers:,} of {present:,} values are numbers")


def _one_of(value: Tree, others: Sequence[Tree]) -> Tree:
    found = t.any_of([t.compared("COMPARE_EQUAL", value, one) for one in others])
    assert found is not None
    return found
