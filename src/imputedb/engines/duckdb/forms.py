"""Types to which columns of text can be converted without loss: numbers, dates and booleans."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from imputedb.algebra.relation import Table
from imputedb.sql import parse
from imputedb.sql.paths import quoted
from imputedb.sql.tokens import string_literal

if TYPE_CHECKING:
    from imputedb.engines.duckdb.engine import DuckDB

_LOOKED_AT = 2000
"""Number of values on which all forms are tried first; only those that fit are tried on the whole column."""


@dataclass(frozen=True, slots=True)
class TextForm:
    """A way of writing the values of a type.

    Attributes:
        type: DuckDB's name for the type; VARCHAR where values are ambiguous and stay text.
        fits: the condition that a value has this form, and survives the conversion unchanged.
        value: the expression of the converted value.
        remark: a note for the user on how values were read.
        proof: a condition that at least one value of the column must satisfy.
    """

    type: str
    fits: str
    value: str
    remark: str = ""
    proof: str = "true"


def _plain(kind: str, exact: str) -> TextForm:
    return TextForm(kind, f"TRY_CAST({{x}} AS {kind}) IS NOT NULL AND {exact}", f"CAST({{x}} AS {kind})")


_FULL_YEAR = r"regexp_matches({x}, '^\d{{4}}')"
"""A year of four digits. Without it, 01/02/21 would be read as a date in the year 1."""

PLAIN: tuple[TextForm, ...] = (
    _plain("BIGINT", r"regexp_full_match({x}, '-?(0|[1-9]\d*)')"),
    _plain(
        "DOUBLE",
        r"NOT regexp_matches({x}, '^[-+]?0\d|^\+|_') AND "
        "(NOT isinf(TRY_CAST({x} AS DOUBLE)) OR contains(lower({x}), 'inf')) AND "
        r"(length(regexp_replace(regexp_replace({x}, '[eE].*$', ''), '^[-+0.]+|\D', '', 'g')) <= 15 "
        "OR CAST(TRY_CAST({x} AS DOUBLE) AS VARCHAR) = {x})",
    ),
    _plain(
        "DATE",
        f"{_FULL_YEAR} AND "
        "coalesce(TRY_CAST({x} AS TIMESTAMP_NS) = TRY_CAST(TRY_CAST({x} AS DATE) AS TIMESTAMP_NS), "
        "TRY_CAST({x} AS TIMESTAMP) = CAST(TRY_CAST({x} AS DATE) AS TIMESTAMP))",
    ),
    _plain(
        "TIMESTAMP",
        rf"{_FULL_YEAR} AND "
        r"NOT regexp_matches({x}, ':.*([+-]\d\d(:?\d\d)?|[zZ]|[A-Za-z]{{3,}})$') "
        r"AND NOT regexp_matches({x}, '\.\d{{6}}\d*[1-9]')",
    ),
    _plain("BOOLEAN", "lower({x}) IN ('true', 'false', 'yes', 'no')"),
)
"""Types that a column of text can be converted to without a change of notation."""

_PERCENT = TextForm(
    "DOUBLE",
    r"regexp_full_match({x}, '-?(0|[1-9]\d*)(?:\.\d+)? ?%')",
    "CAST(rtrim({x}, ' %') AS DOUBLE)",
    "signs of percent are left out: 50% is 50",
)
_DATES = ("%d.%m.%Y", "%d/%m/%Y", "%m/%d/%Y", "%d-%m-%Y", "%m-%d-%Y")
_SHORT = tuple(order.replace("-", mark) for mark in "./-" for order in ("%d-%m-%y", "%m-%d-%y", "%y-%m-%d"))
"""Dates with years of two digits."""


def forms(numbers: Sequence[TextForm], dates: str | None) -> tuple[TextForm, ...]:
    """The forms to try, in order.

    Args:
        numbers: forms of numbers with separators.
        dates: the format of dates, if it is known.
    """
    whole, *others = PLAIN
    formats = (dates,) if dates else (*_DATES, *_SHORT)
    return (whole, *numbers, *others, _PERCENT, *(_date(one) for one in formats))


def _date(format: str) -> TextForm:  # noqa: A002
    text = format.replace("'", "''").replace("{", "{{").replace("}", "}}")
    there = f"TRY_STRPTIME({{x}}, '{text}')"
    year = r" AND regexp_matches({x}, '(^|\D)\d{{4}}(\D|$)')" if "%Y" in format else ""  # %Y takes 20 for the year 20
    return TextForm("DATE", f"{there} IS NOT NULL{year}", f"CAST({there} AS DATE)", f"its dates are read as {format}")


def types(engine: DuckDB, table: Table) -> dict[str, str]:
    """The current types of a table's columns, read without a cache."""
    return dict(zip(*parse.shape(engine.connection, f"FROM {quoted(table.path)}"), strict=True))


def first_form(
    engine: DuckDB, table: Table, column: str, words: Sequence[str], tried: Sequence[TextForm]
) -> TextForm | None:
    """The first form that all values of a column of text have, apart from some words; None where there is none.

    There is also none where two forms would read the dates as different days.
    """
    left = fitting_forms(engine, table, column, words, tried)
    if len(left) > 1 and all(one.remark and one.type == "DATE" for one in left):
        return left[0] if not _differ(engine, _values(table, column, words), words, left) else None
    return left[0] if left else None


def date_orders(
    engine: DuckDB, table: Table, column: str, words: Sequence[str], tried: Sequence[TextForm]
) -> list[str]:
    """The remarks of the date formats that fit a column; empty unless several fit."""
    left = fitting_forms(engine, table, column, words, [one for one in tried if one.remark and one.type == "DATE"])
    return [one.remark for one in left] if len(left) > 1 else []


def fitting_forms(
    engine: DuckDB, table: Table, column: str, words: Sequence[str], tried: Sequence[TextForm]
) -> list[TextForm]:
    """The forms that all values of a column of text have, apart from some words, and that at least one value proves."""
    values = _values(table, column, words)
    left = _fitting(engine, f"{values} LIMIT {_LOOKED_AT}", words, list(tried), proven=False)
    return _fitting(engine, f"SELECT DISTINCT x FROM ({values})", words, left, proven=True) if left else []


def mostly(
    engine: DuckDB, table: Table, column: str, words: Sequence[str], tried: Sequence[TextForm]
) -> tuple[str, int, int, str] | None:
    """What most values of a column of text are: numbers, in any notation that is tried, or dates.

    Beside that word: the count of these values, the count of all others, and one of the others. None where most values
    are neither, and where no others are left.
    """
    dates = [one.fits for one in tried if one.type in ("DATE", "TIMESTAMP")]
    numbers = [one.fits for one in tried if one.type not in ("DATE", "TIMESTAMP", "BOOLEAN")]
    kinds = {"numbers": ["TRY_CAST({x} AS DOUBLE) IS NOT NULL", *numbers], "dates": dates}
    for kind, conditions in kinds.items():
        is_one = " OR ".join(f"coalesce({one.format(x='x')}, false)" for one in conditions)
        found = _counts_of(engine, _values(table, column, words), words, is_one)
        if found is not None and found[1]:
            return kind, *found
    return None


def _counts_of(engine: DuckDB, values: str, words: Sequence[str], is_one: str) -> tuple[int, int, str] | None:
    counts = f"SELECT count(*) FILTER ({is_one}), count(*) FILTER (NOT ({is_one})), min(x) FILTER (NOT ({is_one}))"
    for source in (f"{values} LIMIT {_LOOKED_AT}", values):
        found = engine.session.rows(f"{counts} FROM ({source})", {"words": list(words)})[0]
        if found[0] <= found[1]:
            return None
    return found


def example(engine: DuckDB, table: Table, column: str, form: TextForm, words: Sequence[str]) -> tuple[str, str]:
    """The longest value that proves a form: as text, and as it is read."""
    proof, value = form.proof.format(x="x"), form.value.format(x="x")
    values = f"({_values(table, column, words)})"
    text = f"SELECT x, CAST({value} AS VARCHAR) FROM {values} WHERE {proof} ORDER BY length(x) DESC, x"
    before, after = engine.session.rows(f"{text} LIMIT 1", {"words": list(words)})[0]
    return before, after


def is_one_of(text: str, words: Sequence[str]) -> str:
    """The condition that a text is one of `$words`, whatever its case; longer ones than these are not compared."""
    return f"(length({text}) <= {max(map(len, words), default=0)} AND list_contains($words, lower({text})))"


def _values(table: Table, column: str, words: Sequence[str]) -> str:
    name = f"trim({quoted((column,))})"
    return f"SELECT {name} AS x FROM {quoted(table.path)} WHERE NOT {is_one_of(name, words)}"


def _fitting(
    engine: DuckDB, values: str, words: Sequence[str], tried: list[TextForm], *, proven: bool
) -> list[TextForm]:
    counts = [
        f"count(*) FILTER (NOT coalesce({one.fits}, false)), count(*) FILTER ({one.proof})".format(x="x")
        for one in tried
    ]
    text = f"SELECT count(*), {', '.join(counts)} FROM ({values})"
    total, *rest = engine.session.rows(text, {"words": list(words)})[0]
    kept = [(one, rest[2 * place], rest[2 * place + 1]) for place, one in enumerate(tried)]
    return [one for one, unfit, proofs in kept if total and not unfit and (proofs or not proven)]


def _differ(engine: DuckDB, values: str, words: Sequence[str], dates: Sequence[TextForm]) -> bool:
    first, *others = (one.value.format(x="x") for one in dates)
    differing = " OR ".join(f"{first} <> {other}" for other in others)
    text = f"SELECT count(*) FILTER ({differing}) FROM ({values})"
    return bool(engine.session.rows(text, {"words": list(words)})[0][0])


def retype(engine: DuckDB, table: Table, column: str, form: TextForm, words: Sequence[str]) -> None:
    """Converts a column of text to a form; words become NULL, unless they are values of the type."""
    name = quoted((column,))
    value = form.value.format(x=f"trim({name})")
    _alter(engine, table, column, form.type, words, f"TRY_CAST({name} AS {form.type})", value)


def set_null(engine: DuckDB, table: Table, column: str, words: Sequence[str]) -> None:
    """Replaces words in a column of text by NULL."""
    _alter(engine, table, column, "VARCHAR", words, "NULL", quoted((column,)))


def _alter(
    engine: DuckDB, table: Table, column: str, kind: str, words: Sequence[str], of_words: str, value: str
) -> None:
    """Converts a column of text, by one expression for its words and another for all other values."""
    given, name = ", ".join(map(string_literal, words)) or "NULL", quoted((column,))
    engine.session.rows(
        f"ALTER TABLE {quoted(table.path)} ALTER COLUMN {name} SET DATA TYPE {kind} "
        f"USING CASE WHEN lower(trim({name})) IN ({given}) THEN {of_words} ELSE {value} END"
    )
