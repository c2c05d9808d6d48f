"""Columns of text whose values are numbers, dates or booleans: the types that they may become without loss."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from imputedb.algebra.relation import Table
from imputedb.sql import parse
from imputedb.sql.paths import quoted

if TYPE_CHECKING:
    from imputedb.engines.duckdb.engine import DuckDB

_LOOKED_AT = 2000
"""Values of a column that are tried first: what they do not fit is not tried on all."""


@dataclass(frozen=True, slots=True)
class Form:
    """How values of a type are written.

    Attributes:
        type: DuckDB's name of it; VARCHAR where values may mean two things, and stay text.
        fits: the condition under which a value is one, and comes back from the type as the same number or moment.
        value: what it is.
        remark: what a reader must know of how it was read.
        proof: a condition that at least one value fulfils.
    """

    type: str
    fits: str
    value: str
    remark: str = ""
    proof: str = "true"


def _plain(kind: str, exact: str) -> Form:
    return Form(kind, f"TRY_CAST({{x}} AS {kind}) IS NOT NULL AND {exact}", f"CAST({{x}} AS {kind})")


_FULL_YEAR = r"regexp_matches({x}, '^\d{{4}}')"
"""Without it dates whose years have two digits are read too: 01/02/21 as one of the year 1."""

PLAIN: tuple[Form, ...] = (
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
"""Types that a column of text may become as its values stand."""

_PERCENT = Form(
    "DOUBLE",
    r"regexp_full_match({x}, '-?(0|[1-9]\d*)(?:\.\d+)? ?%')",
    "CAST(rtrim({x}, ' %') AS DOUBLE)",
    "signs of percent are left out: 50% is 50",
)
_DATES = ("%d.%m.%Y", "%d/%m/%Y", "%m/%d/%Y", "%d-%m-%Y", "%m-%d-%Y")
_SHORT = tuple(order.replace("-", mark) for mark in "./-" for order in ("%d-%m-%y", "%m-%d-%y", "%y-%m-%d"))
"""Dates whose years have two digits."""


def forms(numbers: Sequence[Form], dates: str | None) -> tuple[Form, ...]:
    """The forms that are tried, in their order.

    Args:
        numbers: the forms of numbers with marks that are tried.
        dates: the format of dates, where it is known.
    """
    whole, *others = PLAIN
    formats = (dates,) if dates else (*_DATES, *_SHORT)
    return (whole, *numbers, *others, _PERCENT, *(_date(one) for one in formats))


def _date(format: str) -> Form:  # noqa: A002
    text = format.replace("'", "''").replace("{", "{{").replace("}", "}}")
    there = f"TRY_STRPTIME({{x}}, '{text}')"
    year = r" AND regexp_matches({x}, '(^|\D)\d{{4}}(\D|$)')" if "%Y" in format else ""  # %Y takes 20 for the year 20
    return Form("DATE", f"{there} IS NOT NULL{year}", f"CAST({there} AS DATE)", f"its dates are read as {format}")


def types(engine: DuckDB, table: Table) -> dict[str, str]:
    """The types of a table's columns as they are now, whatever is remembered of it."""
    return dict(zip(*parse.shape(engine.connection, f"FROM {quoted(table.path)}"), strict=True))


def found(engine: DuckDB, table: Table, column: str, words: Sequence[str], tried: Sequence[Form]) -> Form | None:
    """The first form that all values of a column of text have, but for the words; None where none is.

    Dates that two forms would read as different days are of none.
    """
    left = fitting(engine, table, column, words, tried)
    if len(left) > 1 and all(one.remark and one.type == "DATE" for one in left):
        return left[0] if not _differ(engine, _values(table, column), words, left) else None
    return left[0] if left else None


def orders(engine: DuckDB, table: Table, column: str, words: Sequence[str], tried: Sequence[Form]) -> list[str]:
    """What is remarked on dates of several forms, of which nobody can tell which they are of; none of any others."""
    left = fitting(engine, table, column, words, [one for one in tried if one.remark and one.type == "DATE"])
    return [one.remark for one in left] if len(left) > 1 else []


def fitting(engine: DuckDB, table: Table, column: str, words: Sequence[str], tried: Sequence[Form]) -> list[Form]:
    """The forms that all values of a column of text have, but for the words, and that one of them proves."""
    values = _values(table, column)
    left = _fitting(engine, f"{values} LIMIT {_LOOKED_AT}", words, list(tried), proven=False)
    return _fitting(engine, values, words, left, proven=True) if left else []


def mixed(engine: DuckDB, table: Table, column: str, words: Sequence[str]) -> tuple[int, int, str] | None:
    """How many values of a column of text are numbers, how many are not, and one of these; None where few are."""
    values, number = _values(table, column), "TRY_CAST(x AS DOUBLE) IS NOT NULL"
    counts = f"SELECT count(*) FILTER ({number}), count(*) FILTER (NOT ({number})), min(x) FILTER (NOT ({number}))"
    for source in (f"{values} LIMIT {_LOOKED_AT}", values):
        found = engine.connection.execute(f"{counts} FROM ({source})", {"words": list(words)}).fetchall()[0]
        if found[0] <= found[1]:
            return None
    return found if found[1] else None


def example(engine: DuckDB, table: Table, column: str, form: Form, words: Sequence[str]) -> tuple[str, str]:
    """The longest value that proves a form, as it stands in a column of text, and as it is read."""
    proof, value = form.proof.format(x="x"), form.value.format(x="x")
    text = (
        f"SELECT x, CAST({value} AS VARCHAR) FROM ({_values(table, column)}) WHERE {proof} ORDER BY length(x) DESC, x"
    )
    before, after = engine.connection.execute(f"{text} LIMIT 1", {"words": list(words)}).fetchall()[0]
    return before, after


def _values(table: Table, column: str) -> str:
    name = quoted((column,))
    return f"SELECT trim({name}) AS x FROM {quoted(table.path)} WHERE NOT list_contains($words, lower(trim({name})))"


def _fitting(engine: DuckDB, values: str, words: Sequence[str], tried: list[Form], *, proven: bool) -> list[Form]:
    counts = [
        f"count(*) FILTER (NOT coalesce({one.fits}, false)), count(*) FILTER ({one.proof})".format(x="x")
        for one in tried
    ]
    text = f"SELECT count(*), {', '.join(counts)} FROM ({values})"
    total, *rest = engine.connection.execute(text, {"words": list(words)}).fetchall()[0]
    kept = [(one, rest[2 * place], rest[2 * place + 1]) for place, one in enumerate(tried)]
    return [one for one, unfit, proofs in kept if total and not unfit and (proofs or not proven)]


def _differ(engine: DuckDB, values: str, words: Sequence[str], dates: Sequence[Form]) -> bool:
    first, *others = (one.value.format(x="x") for one in dates)
    differing = " OR ".join(f"{first} <> {other}" for other in others)
    text = f"SELECT count(*) FILTER ({differing}) FROM ({values})"
    return bool(engine.connection.execute(text, {"words": list(words)}).fetchall()[0][0])


def retype(engine: DuckDB, table: Table, column: str, form: Form, words: Sequence[str]) -> None:
    """Makes a column of text one of a form; words become NULL, unless the type holds them too."""
    name = quoted((column,))
    value = form.value.format(x=f"trim({name})")
    _alter(engine, table, column, form.type, words, f"TRY_CAST({name} AS {form.type})", value)


def blank(engine: DuckDB, table: Table, column: str, words: Sequence[str]) -> None:
    """Makes words in a column of text NULL."""
    _alter(engine, table, column, "VARCHAR", words, "NULL", quoted((column,)))


def _alter(
    engine: DuckDB, table: Table, column: str, kind: str, words: Sequence[str], of_words: str, value: str
) -> None:
    """Gives a column of text another type, and other values: one of its words, and one of all else."""
    given, name = ", ".join("'" + word.replace("'", "''") + "'" for word in words) or "NULL", quoted((column,))
    engine.connection.execute(
        f"ALTER TABLE {quoted(table.path)} ALTER COLUMN {name} SET DATA TYPE {kind} "
        f"USING CASE WHEN lower(trim({name})) IN ({given}) THEN {of_words} ELSE {value} END"
    )
