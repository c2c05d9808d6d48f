"""Rows as HTML: imputed cells are tinted, intervals are drawn; all names and values are escaped."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from html import escape

from imputedb import markup
from imputedb.markup import FLAG
from imputedb.result import Result

ROWS = 50
"""Maximum number of rows of an answer on one page."""

_LONGEST = 300
"""Maximum number of characters of a value; longer ones are cut."""

_CHOSEN, _LONG, _SPACE = ' class="chosen"', ' class="long"', " "

_SHORT = 40
"""Maximum number of characters of a value that is not wrapped."""

COLUMNS = 200
"""Maximum number of columns of an answer."""


def table(
    titles: Sequence[str],
    rows: Sequence[Sequence[object]],
    *,
    caption: str,
    tinted: Collection[tuple[int, int]] = (),
    chosen: int | None = None,
    upright: bool = False,
) -> str:
    """A table as HTML.

    Args:
        titles: titles of the columns.
        rows: rows of values; values of type `Markup` are HTML already.
        caption: description of the table for screen readers.
        tinted: positions (row, column) of imputed cells.
        chosen: position of the highlighted row.
        upright: whether all titles but the first are rotated, so that many narrow columns fit.
    """
    head = "".join(_title(one, is_upright=upright and place > 0) for place, one in enumerate(titles))
    lines = [
        f"<tr{_CHOSEN if y == chosen else ''}>"
        + "".join(_cell(value, is_imputed=(y, x) in tinted) for x, value in enumerate(row))
        + "</tr>"
        for y, row in enumerate(rows)
    ]
    return (
        f'<div class="scroll" tabindex="0" role="region" aria-label="{escape(caption)}"><table class="cells">'
        f"<thead><tr>{head}</tr></thead><tbody>{''.join(lines)}</tbody></table></div>"
    )


def _title(name: str, *, is_upright: bool) -> str:
    kind = ' class="upright"' if is_upright else _LONG if _is_long(name) else ""
    return f'<th scope="col"{kind}><span>{text(name)}</span></th>'


def _cell(value: object, *, is_imputed: bool) -> str:
    kinds = {"number": _is_number(value), "long": _is_long(value), "imputed": is_imputed}
    names = [name for name, holds in kinds.items() if holds]
    given = f' class="{_SPACE.join(names)}"' if names else ""
    title = ' title="imputed"' if is_imputed else ""
    return f"<td{given}{title}>{text(value)}</td>"


def _is_long(value: object) -> bool:
    return isinstance(value, str) and not isinstance(value, markup.Markup) and len(value) > _SHORT


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def text(value: object) -> str:
    """A value as HTML: numbers are shortened, long texts are cut, missing values are marked."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return '<span class="missing">missing</span>' if value is None else '<span class="missing">none</span>'
    if isinstance(value, markup.Markup):
        return str(value)
    if isinstance(value, float):
        return f"{value:.6g}"
    shown = str(value)
    return escape(shown if len(shown) <= _LONGEST else f"{shown[:_LONGEST]}… ({len(shown):,} characters)")


def short(value: object) -> str:
    """A value in a few characters."""
    shown = "missing" if value is None else f"{value:.5g}" if isinstance(value, float) else str(value)
    return shown if len(shown) <= _SHORT else f"{shown[:_SHORT]}…"


def answer(result: Result, after: int = 0) -> str:
    """Some rows of an answer: estimates with their intervals, or values with imputed ones tinted.

    Args:
        result: the answer.
        after: number of rows to skip.
    """
    rows = result.first(ROWS, after)
    caption = f"Rows {after + 1:,} to {after + len(rows):,} of the answer"
    if result.has_estimates:
        titles, shown = _pooled(result, rows, after)
        return table(titles, shown, caption=caption)
    names = result.columns
    flags = {place: names.index(name + FLAG) for place, name in enumerate(names) if name + FLAG in names}
    kept = [place for place in range(len(names)) if place not in flags.values()][:COLUMNS]
    places = {place: number for number, place in enumerate(kept)}
    tinted = {(y, places[x]) for y, row in enumerate(rows) for x, flag in flags.items() if row[flag] and x in places}
    shown = [[row[place] for place in kept] for row in rows]
    return table([names[place] for place in kept], shown, caption=caption, tinted=tinted)


def _pooled(result: Result, rows: Sequence[Sequence[object]], after: int) -> tuple[list[str], list[list[object]]]:
    """Estimates with intervals, drawn on one axis for each column; groups have the share of draws that contain them."""
    known = result.estimates[after : after + len(rows)]
    names = {name for one in known for name in one}
    parts = {f"{name}_{part}" for name in names for part in ("se", "low", "high", "fmi")}
    kept = [place for place, name in enumerate(result.columns) if name not in parts]
    axes = {name: markup.axis([one[name] for one in known if name in one]) for name in names}
    titles = ["in draws" if result.columns[place] == "in_draws" else result.columns[place] for place in kept]
    shown = [
        [_estimated(row[place], result.columns[place], one, axes) for place in kept]
        for row, one in zip(rows, known, strict=True)
    ]
    return titles, shown


def _estimated(
    value: object, name: str, known: Mapping[str, markup.Uncertain], axes: Mapping[str, tuple[float, float]]
) -> object:
    if name == "in_draws" and isinstance(value, float):
        return f"{value:.0%}"
    one = known.get(name)
    if one is None or value is None:
        return value
    return interval(one.estimate, *one.interval(), *axes[name])


def interval(estimate: float, low: float, high: float, least: float, largest: float) -> markup.Markup:
    """A number with its interval, drawn as a line on an axis from `least` to `largest`, with its bounds as text."""
    ends = f'<span class="ends">{low:.5g} to {high:.5g}</span>' if math.isfinite(low) and math.isfinite(high) else ""
    return markup.Markup(f'<span class="whole">{markup.whisker(estimate, low, high, least, largest)}{ends}</span>')
