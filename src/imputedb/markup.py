"""HTML fragments for notebooks: tables, whiskers, texts. They have no scripts and load nothing."""

from collections.abc import Collection, Mapping, Sequence
from html import escape
from math import isfinite
from typing import Any, Protocol

OBSERVED, IMPUTED, QUIET = "#2f6fb2", "#c8384e", "#8a8a8a"
"""Blue is observed, red is missing or imputed, as in mice; grey is beside the point."""

SHOWN = 20
"""Rows of a table that are shown."""

FLAG = "__imputed"
"""What the name of a column ends with that says of each value of another whether it was imputed."""

_TINT = "background:rgba(200,56,78,.16)"


def text(value: object) -> str:
    """A value as HTML: numbers are shortened, missing values are grey."""
    if value is None:
        return f'<span style="color:{QUIET}">NULL</span>'
    if isinstance(value, Markup):
        return str(value)
    return escape(f"{value:.6g}" if isinstance(value, float) else str(value))


class Markup(str):
    """HTML that must not be escaped again."""

    __slots__ = ()


def table(
    columns: Sequence[str],
    rows: Sequence[Sequence[object]],
    *,
    title: str = "",
    notes: Sequence[str] = (),
    tinted: Collection[tuple[int, int]] = (),
    most: int = SHOWN,
) -> str:
    """A table as HTML; tinted cells were imputed.

    Args:
        columns: titles of the columns.
        rows: all rows, of which at most `most` are shown, with their number.
        title: text above the table.
        notes: sentences below the table.
        tinted: positions (row, column) of imputed cells.
        most: largest number of rows to show.
    """
    head = "".join(f'<th style="text-align:left">{escape(name)}</th>' for name in columns)
    lines = []
    for y, row in enumerate(rows[:most]):
        cells = "".join(_cell(value, tinted=(y, x) in tinted) for x, value in enumerate(row))
        lines.append(f"<tr>{cells}</tr>")
    remarks = [f"{most:,} of {len(rows):,} rows are shown"] if len(rows) > most else []
    return (
        f"<div>{f'<b>{escape(title)}</b>' if title else ''}<table><thead><tr>{head}</tr></thead>"
        f"<tbody>{''.join(lines)}</tbody></table>{paragraphs([*remarks, *notes])}</div>"
    )


def _cell(value: object, *, tinted: bool) -> str:
    side = "right" if isinstance(value, int | float) and not isinstance(value, bool) else "left"
    title = ' title="imputed"' if tinted else ""
    return f'<td style="text-align:{side}{";" + _TINT if tinted else ""}"{title}>{text(value)}</td>'


def paragraphs(sentences: Sequence[str]) -> str:
    """Sentences in small print, one per line."""
    return "".join(f'<div style="font-size:85%;color:{QUIET}">{escape(one)}</div>' for one in sentences)


def preformatted(words: str) -> str:
    """A text with its lines and spaces."""
    return f"<pre>{escape(words)}</pre>"


def whisker(estimate: float, low: float, high: float, least: float, largest: float) -> Markup:
    """A number with its interval as a line from low to high, on an axis from least to largest.

    Without an interval, only the number; for bounds without an estimate (NaN), only the line.
    """
    if not all(map(isfinite, (low, high, least, largest))):
        return Markup(escape(f"{estimate:.6g}"))
    width, is_known = largest - least or 1.0, isfinite(estimate)
    a, b, c = (
        4 + 112 * (min(max(place, least), largest) - least) / width
        for place in (low, estimate if is_known else low, high)
    )
    number, dot = (
        (f"{estimate:.6g} ", f'<circle cx="{b:.1f}" cy="7" r="3.5" fill="{IMPUTED}"/>') if is_known else ("", "")
    )
    return Markup(
        f'<span title="{low:.6g} to {high:.6g}">{number}'
        f'<svg width="120" height="14" role="img" aria-label="from {low:.6g} to {high:.6g}">'
        f'<line x1="{a:.1f}" x2="{c:.1f}" y1="7" y2="7" stroke="{OBSERVED}" stroke-width="2"/>'
        f'<line x1="{a:.1f}" x2="{a:.1f}" y1="3" y2="11" stroke="{OBSERVED}" stroke-width="1"/>'
        f'<line x1="{c:.1f}" x2="{c:.1f}" y1="3" y2="11" stroke="{OBSERVED}" stroke-width="1"/>'
        f"{dot}</svg></span>"
    )


def bar(share: float) -> Markup:
    """A share of missing values as a red bar."""
    return Markup(
        f'<span title="{share:.2%}"><svg width="80" height="10" role="img" aria-label="{share:.2%}">'
        f'<rect width="80" height="10" fill="{OBSERVED}"/>'
        f'<rect width="{80 * min(max(share, 0.0), 1.0):.1f}" height="10" fill="{IMPUTED}"/></svg> {share:.2%}</span>'
    )


class Uncertain(Protocol):
    """A number with an interval."""

    @property
    def estimate(self) -> float:
        """The number."""

    def interval(self) -> tuple[float, float]:
        """Both ends of the interval, NaN where there is none."""


def answer(
    columns: Sequence[str],
    rows: Sequence[Sequence[object]],
    estimates: Sequence[Mapping[str, Uncertain]] | None,
    notes: Sequence[str],
) -> str:
    """The rows of an answer: numbers with intervals as whiskers, imputed cells tinted.

    Args:
        columns: names of the columns; columns of flags, `<name>__imputed`, are not shown.
        rows: rows with all columns.
        estimates: by row, the estimates by name; None where nothing was pooled.
        notes: sentences below the table.
    """
    if estimates is not None:
        return _pooled(columns, rows, estimates, notes)
    names = list(columns)
    flags = {place: names.index(name + FLAG) for place, name in enumerate(names) if name + FLAG in names}
    kept = [place for place in range(len(names)) if place not in flags.values()]
    tinted = {(y, kept.index(place)) for y, row in enumerate(rows[:SHOWN]) for place in flags if row[flags[place]]}
    shown = [[row[place] for place in kept] for row in rows]
    legend = [f"{len(flags)} columns with flags: tinted cells were imputed"] if flags else []
    return table([names[place] for place in kept], shown, notes=[*legend, *notes], tinted=tinted)


def _pooled(
    columns: Sequence[str],
    rows: Sequence[Sequence[object]],
    estimates: Sequence[Mapping[str, Uncertain]],
    notes: Sequence[str],
) -> str:
    names = {name for row in estimates for name in row}
    parts = {f"{name}_{part}" for name in names for part in ("se", "low", "high")}
    kept = [place for place, name in enumerate(columns) if name not in parts]
    axes = {name: axis([row[name] for row in estimates if name in row]) for name in names}
    shown = [
        [_whiskered(row[place], known.get(columns[place]), axes.get(columns[place], (0.0, 0.0))) for place in kept]
        for row, known in zip(rows, estimates, strict=True)
    ]
    return table([columns[place] for place in kept], shown, notes=notes)


def axis(numbers: Sequence[Uncertain]) -> tuple[float, float]:
    """The least and the largest finite value among numbers and their intervals."""
    ends = [end for one in numbers for end in (*one.interval(), one.estimate) if isfinite(end)] or [0.0]
    return min(ends), max(ends)


def _whiskered(value: Any, one: Uncertain | None, axis: tuple[float, float]) -> object:
    return value if one is None or value is None else whisker(value, *one.interval(), *axis)
