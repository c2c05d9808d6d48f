"""Decimal marks and thousands separators of numbers in columns of text, and cases that are ambiguous."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from imputedb.algebra.relation import Table
from imputedb.engines.duckdb.forms import TextForm, fitting_forms
from imputedb.engines.duckdb.forms import types as stored_types
from imputedb.sql.paths import quoted

if TYPE_CHECKING:
    from imputedb.engines.duckdb.engine import DuckDB

_WHOLE = r"regexp_full_match({x}, '-?\d+')"

_WITH_COMMA = TextForm(
    "DOUBLE",
    r"regexp_full_match({x}, '-?(0|[1-9]\d{{0,2}}(?:[. ''\x{{00A0}}\x{{202F}}]\d{{3}})+|[1-9]\d*)(?:,\d+)?')",
    r"CAST(replace(regexp_replace({x}, '[. ''\x{{00A0}}\x{{202F}}]', '', 'g'), ',', '.') AS DOUBLE)",
    "its decimal commas are points now, and marks of thousands are left out",
    r"regexp_matches({x}, '[,.]')",
)
_THOUSANDS = TextForm(
    "DOUBLE",
    r"regexp_full_match({x}, '-?(0|[1-9]\d{{0,2}}(?:,\d{{3}})+|[1-9]\d*)(?:\.\d+)?')",
    "CAST(replace({x}, ',', '') AS DOUBLE)",
    "commas between thousands are left out",
    "contains({x}, ',')",
)
_MARKED = replace(_WITH_COMMA, proof=r"regexp_matches({x}, '[. ''\x{{00A0}}\x{{202F}}]\d{{3}},')")
"""A comma after another mark, which must then separate thousands."""

_POINTS = replace(_WITH_COMMA, proof=r"regexp_matches({x}, '\.\d{{3}}\.')")
"""Two points in one number; also found in network addresses and versions."""

_COMMA = replace(_WITH_COMMA, proof=r"regexp_matches({x}, ',(\d\d?|\d{{4,}})$')")
"""A comma that cannot separate thousands."""

_COMMA_ALONE = replace(_COMMA, fits=f"{_COMMA.fits} AND NOT {_WHOLE}")
"""The same where no value is a whole number, as it would be in a column of lists."""

_ANY_COMMA = replace(_WITH_COMMA, proof=_THOUSANDS.proof)
_COMMA_UNKNOWN = TextForm(
    "VARCHAR",
    f"({_WITH_COMMA.fits} OR {_THOUSANDS.fits})",
    "{x}",
    "its commas may stand before decimals, between thousands or in lists, so that it stays text until decimal=',' "
    "or decimal='.' says which",
    _THOUSANDS.proof,
)

_POINT = TextForm(
    "DOUBLE",
    r"regexp_full_match({x}, '-?([1-9]\d{{0,2}}\.\d{{3}}|0|[1-9]\d*)')",
    "CAST({x} AS DOUBLE)",
    "its points stand before decimals, unless decimal=',' says that they stand between thousands",
    "contains({x}, '.')",
)
"""Points that are each followed by exactly three digits: decimal points, or separators of thousands."""

_POINT_UNKNOWN = replace(
    _POINT,
    type="VARCHAR",
    value="{x}",
    remark="its points may stand before decimals or between thousands, so that it stays text until decimal='.' "
    "or decimal=',' says which",
)
_DECIMAL_POINT = TextForm(
    "DOUBLE",
    "TRY_CAST({x} AS DOUBLE) IS NOT NULL",
    "CAST({x} AS DOUBLE)",
    proof=f"({_POINT.proof} AND NOT {_POINT.fits})",
)
"""A point that cannot separate thousands."""


def stated(decimal: str) -> tuple[TextForm, ...]:
    """The forms of numbers for a given decimal mark."""
    return (_WITH_COMMA,) if decimal == "," else (_THOUSANDS,)


@dataclass(frozen=True, slots=True)
class NumberMarks:
    """The evidence in a file's columns about the marks in its numbers.

    Attributes:
        delimiter: the separator of values.
        commas: whether a column of numbers has decimal commas.
        points: whether a column of numbers has points that must be decimal points.
        doubtful: columns of numbers whose points are all followed by exactly three digits.
    """

    delimiter: str
    commas: bool
    points: bool
    doubtful: tuple[str, ...]

    @property
    def unclear(self) -> bool:
        """Whether doubtful points may separate thousands, as in files with decimal commas."""
        return self.commas or (self.delimiter == ";" and not self.points)

    def forms(self) -> tuple[TextForm, ...]:
        """The forms of numbers with marks, in the order in which they are tried on a column of text."""
        european = self.delimiter == ";" and not self.points and not self.doubtful
        tried = [_MARKED, _COMMA if european else _COMMA_ALONE]
        if self.delimiter == ";" and not self.points:
            tried.append(_POINTS)
        if european:
            tried.append(_ANY_COMMA)
        elif self.delimiter == "," and not self.commas:
            tried.append(_THOUSANDS)
        tried.append(_COMMA_UNKNOWN)
        if self.unclear:
            tried.append(_POINT if self.points or not self.commas else _POINT_UNKNOWN)
        return tuple(tried)


def marks(
    engine: DuckDB, table: Table, words: Sequence[str], delimiter: str, source: str, paths: Sequence[object]
) -> NumberMarks:
    """The marks in the numbers of a table that was read from files.

    Args:
        engine: the engine that has the table.
        table: the table as DuckDB reads it, with decimal points.
        words: words that mean a missing value.
        delimiter: the separator of values.
        source: the files as a table of text columns; ? stands for their paths.
        paths: the paths of the files.
    """
    types = stored_types(engine, table)
    shown = {
        name: fitting_forms(engine, table, name, words, (_MARKED, _COMMA, _COMMA_ALONE, _DECIMAL_POINT, _POINT))
        for name, kind in types.items()
        if kind == "VARCHAR"
    }
    clear = {_MARKED, _COMMA} if delimiter == ";" else {_MARKED, _COMMA_ALONE}
    commas = any(clear & set(found) for found in shown.values())
    if commas or delimiter == ";":
        numbers = [name for name, kind in types.items() if kind == "DOUBLE"]
        shown |= _of_numbers(engine, numbers, source, paths)
    points = any(_DECIMAL_POINT in found for found in shown.values())
    return NumberMarks(delimiter, commas, points, tuple(name for name, found in shown.items() if _POINT in found))


def _of_numbers(
    engine: DuckDB, columns: Sequence[str], source: str, paths: Sequence[object]
) -> Mapping[str, list[TextForm]]:
    """The forms shown by columns that DuckDB reads as numbers, from their text in the files."""
    if not columns:
        return {}
    counts = [
        f"count(*) FILTER ({_DECIMAL_POINT.proof}), count(*) FILTER ({_POINT.proof})".format(
            x=f"trim({quoted((name,))})"
        )
        for name in columns
    ]
    found = engine.session.rows(f"SELECT {', '.join(counts)} FROM {source}", [list(paths)])[0]
    return {
        name: [_DECIMAL_POINT] if found[2 * place] else [_POINT] if found[2 * place + 1] else []
        for place, name in enumerate(columns)
    }
