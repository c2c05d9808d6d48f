"""Pieces of HTML that notebooks show: tables, whiskers, texts. Nothing in them runs, and nothing is fetched."""

from collections.abc import Collection, Mapping, Sequence
from html import escape
from math import isfinite
from typing import Protocol

OBSERVED, IMPUTED, QUIET = "#2f6fb2", "#c8384e", "#8a8a8a"
"""Blue is observed, red is missing or imputed, as in mice; grey is beside the point."""

SHOWN = 20
"""Rows of a table that are shown."""

FLAG = "__imputed"
"""What the name of a column ends with that says of each value of another whether it was imputed."""

_TINT = "background:rgba(200,56,78,.16)"


def text(value: object) -> str:
    """A value as HTML: numbers short, what is missing in grey."""
    if value is None:
        return f'<span style="color:{QUIET}">NULL</span>'
    if isinstance(value, Markup):
        return str(value)
    return escape(f"{value:.6g}" if isinstance(value, float) else str(value))


class Markup(str):
    """HTML that is not to be escaped again."""

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
    """A table; cells of (row, column) that are tinted were imputed.

    Args:
        columns: their titles.
        rows: all of them; so many at most are shown, and how many there are.
        title: above it.
        notes: sentences below it.
        tinted: places of cells, of rows and columns.
        most: rows that are shown.
    """
    head = "".join(f'<th style="text-align:left">{escape(name)}</th>' for name in columns)
    lines = []
    for y, row in enumerate(rows[:most]):
        cells = "".join(_cell(value, tinted=(y, x) in tinted) for x, value in enumerate(row))
        lines.append(f"<tr>{cells}</tr>")
    said = [f"{most:,} of {len(rows):,} rows are shown"] if len(rows) > most else []
    return (
        f"<div>{f'<b>{escape(title)}</b>' if title else ''}<table><thead><tr>{head}</tr></thead>"
        f"<tbody>{''.join(lines)}</tbody></table>{paragraphs([*said, *notes])}</div>"
    )


def _cell(value: object, *, tinted: bool) -> str:
    side = "right" if isinstance(value, int | float) and not isinstance(value, bool) else "left"
    title = ' title="imputed"' if tinted else ""
    return f'<td style="text-align:{side}{";" + _TINT if tinted else ""}"{title}>{text(value)}</td>'


def paragraphs(sentences: Sequence[str]) -> str:
    """Sentences, small, a line each."""
    return "".join(f'<div style="font-size:85%;color:{QUIET}">{escape(one)}</div>' for one in sentences)


def preformatted(words: str) -> str:
    """A text whose lines and spaces stay."""
    return f"<pre>{escape(words)}</pre>"


def whisker(estimate: float, low: float, high: float, least: float, largest: float) -> Markup:
    """A number with its interval as a line from low to high, on an axis from least to largest.

    Where it has no interval, the number alone.
    """
    if not all(map(isfinite, (estimate, low, high, least, largest))):
        return Markup(escape(f"{estimate:.6g}"))
    width = largest - least or 1.0
    a, b, c = (4 + 112 * (place - least) / width for place in (low, estimate, high))
    return Markup(
        f'<span title="{low:.6g} to {high:.6g}">{estimate:.6g} '
        f'<svg width="120" height="14" role="img" aria-label="from {low:.6g} to {high:.6g}">'
        f'<line x1="{a:.1f}" x2="{c:.1f}" y1="7" y2="7" stroke="{OBSERVED}" stroke-width="2"/>'
        f'<line x1="{a:.1f}" x2="{a:.1f}" y1="3" y2="11" stroke="{OBSERVED}" stroke-width="1"/>'
        f'<line x1="{c:.1f}" x2="{c:.1f}" y1="3" y2="11" stroke="{OBSERVED}" stroke-width="1"/>'
        f'<circle cx="{b:.1f}" cy="7" r="3.5" fill="{IMPUTED}"/></svg></span>'
    )


def bar(share: float) -> Markup:
    """A share as a bar, red for what is missing."""
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
        """Both ends, NaN where there are none."""


def answer(
    columns: Sequence[str],
    rows: Sequence[Sequence[object]],
    estimates: Sequence[Mapping[str, Uncertain]] | None,
    notes: Sequence[str],
) -> str:
    """The rows of an answer: numbers with intervals as whiskers, cells tinted whose flag says that they were imputed.

    Args:
        columns: their names; a flag's name is that of its column and `__imputed`, and is not shown.
        rows: of all columns.
        estimates: by row what is known of numbers, by name; None where nothing was pooled.
        notes: sentences below.
    """
    if estimates is not None:
        return _pooled(columns, rows, estimates, notes)
    names = list(columns)
    flags = {place: names.index(name + FLAG) for place, name in enumerate(names) if name + FLAG in names}
    kept = [place for place in range(len(names)) if place not in flags.values()]
    tinted = {(y, kept.index(place)) for y, row in enumerate(rows[:SHOWN]) for place in flags if row[flags[place]]}
    shown = [[row[place] for place in kept] for row in rows]
    told = [f"{len(flags)} columns with flags: tinted cells were imputed"] if flags else []
    return table([names[place] for place in kept], shown, notes=[*told, *notes], tinted=tinted)


def _pooled(
    columns: Sequence[str],
    rows: Sequence[Sequence[object]],
    estimates: Sequence[Mapping[str, Uncertain]],
    notes: Sequence[str],
) -> str:
    names = {name for row in estimates for name in row}
    parts = {f"{name}_{part}" for name in names for part in ("se", "low", "high")}
    kept = [place for place, name in enumerate(columns) if name not in parts]
    axes = {name: _axis([row[name] for row in estimates if name in row]) for name in names}
    shown = [
        [_whiskered(row[place], known.get(columns[place]), axes.get(columns[place], (0.0, 0.0))) for place in kept]
        for row, known in zip(rows, estimates, strict=True)
    ]
    return table([columns[place] for place in kept], shown, notes=notes)


def _axis(numbers: Sequence[Uncertain]) -> tuple[float, float]:
    ends = [end for one in numbers for end in (*one.interval(), one.estimate) if isfinite(end)] or [0.0]
    return min(ends), max(ends)


def _whiskered(value: object, one: Uncertain | None, axis: tuple[float, float]) -> object:
    return value if one is None else whisker(one.estimate, *one.interval(), *axis)
