"""Rows, profiles and frontiers as text for a terminal."""

import io
import shlex
from collections.abc import Iterable, Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from imputedb.diagnostics.profile import Profile
from imputedb.planning.frontier import Frontier

SHOWN = 40
"""Rows a table shows before it says how many more there are."""


def rows_table(columns: Sequence[str], rows: Sequence[Sequence[object]], most: int | None = None) -> Table:
    """Rows under the names of their columns, all of them or at most so many; numbers are right-aligned."""
    table = Table(show_edge=False, pad_edge=False)
    for place, name in enumerate(columns):
        numeric = bool(rows) and all(_is_number(row[place]) for row in rows if row[place] is not None)
        table.add_column(Text(name), justify="right" if numeric else "left", overflow="fold")
    for row in rows[:most]:
        table.add_row(*(Text(_cell(value)) for value in row))
    return table


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _cell(value: object) -> str:
    if value is None:
        return "NULL"
    return f"{value:.10g}" if isinstance(value, float) else str(value)


def frontier_table(frontier: Frontier) -> Table:
    """The frontier of plans: penalty, time, the alphas that choose each plan, and its numbers of imputes and drops."""
    table = Table(show_edge=False, pad_edge=False)
    for name in ("penalty", "time (ms)", "picked by alpha", "imputes", "drops"):
        table.add_column(name, justify="right")
    for point in frontier:
        plan = point.plan
        table.add_row(
            f"{plan.penalty:.4f}",
            f"{plan.time:.2f}",
            f"{point.low:.4f} to {point.high:.4f}" if point.low <= 1 else "none",
            str(plan.imputes),
            str(plan.placements - plan.imputes),
        )
    return table


def profile_tables(profile: Profile) -> Iterable[Table]:
    """The columns of a table with their shares of missing values, and the patterns of missingness."""
    columns = Table(
        title=f"{profile.table}: {profile.rows:,} rows", title_justify="left", show_edge=False, pad_edge=False
    )
    for name in ("column", "type", "missing", "share", "distinct", "taken as", "means missing"):
        columns.add_column(name, justify="right" if name in ("missing", "share", "distinct") else "left")
    for c in profile.columns:
        columns.add_row(
            Text(c.name),
            c.type,
            f"{c.missing:,}",
            f"{c.share:.2%}",
            f"{c.distinct:,}",
            c.taken,
            Text(", ".join(c.codes)),
        )
    yield columns
    if profile.patterns:
        yield _patterns(profile)


def suspicions(profile: Profile, db: str) -> Iterable[str]:
    """One line for each suspect value, with the command that declares it missing."""
    for one in profile.suspects:
        words = " ".join(map(shlex.quote, one.values))
        yield f"{one.column}: {one.rows:,} x {', '.join(map(repr, one.values))}, {one.why}"
        yield f"    imputedb missing {shlex.join((db, profile.table, one.column))} {words}"


def _patterns(profile: Profile) -> Table:
    """Numbers of rows by pattern, as in mice's md.pattern: counts at the left, most frequent first."""
    table = Table(title="patterns of missingness", title_justify="left", show_edge=False, pad_edge=False)
    table.add_column("rows", justify="right")
    table.add_column("missing together")
    for pattern in profile.patterns[:SHOWN]:
        table.add_row(f"{pattern.rows:,}", Text(", ".join(pattern.missing) or "nothing"))
    if len(profile.patterns) > SHOWN:
        table.caption = f"{len(profile.patterns) - SHOWN:,} more patterns"
    return table


def printed(table: Table, width: int = 120) -> str:
    """A table as plain text."""
    text = io.StringIO()
    Console(file=text, width=width, color_system=None).print(table)
    return "\n".join(line.rstrip() for line in text.getvalue().splitlines())
