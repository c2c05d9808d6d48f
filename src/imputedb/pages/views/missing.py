"""The view Missing: missing values of a table, their patterns, flux, and the policies of columns."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape

from nicegui import ui

from imputedb import markup
from imputedb.database import Database
from imputedb.diagnostics.mcar import McarTest
from imputedb.diagnostics.missing import Flux
from imputedb.diagnostics.profile import Profile
from imputedb.pages import cells, charts, picking
from imputedb.pages.frame import View, section
from imputedb.pages.names import column_in_sql, in_sql
from imputedb.pages.views import policies
from imputedb.result import Result

_PATTERNS, _WIDTH, _PAIRS, _GROUPS = 25, 40, 20, 40


async def build(view: View) -> None:
    """Builds the view."""
    with ui.element("div").classes("main"):
        with ui.element("section").classes("panel").props('aria-label="Table"'), ui.element("div").classes("line"):
            picking.table_field(view, lambda: _show(view, place))
        place = ui.element("div").classes("main")
    await _show(view, place)


async def _show(view: View, place: ui.element) -> None:
    name = picking.table(view)
    if name is None:
        return
    profile = await view.answer(place, f"reading {name}", ("profile", name), lambda db, _: db.profile(name)[0])
    if profile is None:
        return
    place.clear()
    with place:
        _columns(profile)
        flux = _lacking(view, profile) if any(one.missing for one in profile.columns) else None
        policies.build(view, profile)
    if flux is not None:
        await _flux(view, profile, flux)


def _lacking(view: View, profile: Profile) -> ui.element:
    """The sections about a table with missing values; returns the element for its flux."""
    with ui.element("div").classes("two"):
        _patterns(profile)
        _pairs(profile)
        flux = section("Which columns help, which need help")
        with section("Little's test"):
            _test(view, profile)
    with section("Shares by group or time"):
        _by(view, profile)
    return flux


def _columns(profile: Profile) -> None:
    """The columns with their shares of missing values, and values that look missing."""
    rows = [
        [one.name, one.type, markup.bar(one.share), one.missing, one.distinct, one.taken, ", ".join(one.codes)]
        for one in profile.columns[: cells.COLUMNS]
    ]
    titles = ["column", "type", "missing", "cells", "distinct", "taken as", "means missing"]
    with section(f"{profile.rows:,} rows"):
        ui.html(cells.table(titles, rows, caption="Columns"), sanitize=False).style("width:100%")
        if len(profile.columns) > cells.COLUMNS:
            ui.label(f"{cells.COLUMNS} of {len(profile.columns):,} columns are shown.").classes("quiet")
        for one in profile.suspects:
            words = f"{one.column}: {one.rows:,} x {', '.join(one.values)} may mean a missing value ({one.why}); "
            ui.label(words + one.mend(profile.table)).classes("remark")


def _patterns(profile: Profile) -> None:
    """The patterns of missingness: a filled mark is observed, a cross is missing."""
    columns = [one.name for one in sorted(profile.columns, key=lambda one: one.missing) if one.missing][:_WIDTH]
    head = "".join(f'<th scope="col"><span>{escape(name)}</span></th>' for name in columns)
    lines = []
    for pattern in profile.patterns[:_PATTERNS]:
        marks = "".join(
            '<td class="gone" title="missing">×</td>' if name in pattern.missing else '<td class="there">■</td>'
            for name in columns
        )
        lines.append(f'<tr><th scope="row">{pattern.rows:,}</th>{marks}</tr>')
    table = (
        '<div class="scroll" tabindex="0" role="region" aria-label="Patterns"><table class="patterns"><thead><tr>'
        f'<th scope="col">rows</th>{head}</tr></thead><tbody>{"".join(lines)}</tbody></table></div>'
    )
    with section("What is missing together"):
        ui.html(table, sanitize=False).style("width:100%")
        left = len(profile.patterns) - _PATTERNS
        more = f" {left:,} rarer patterns are not shown." if left > 0 else ""
        ui.label(f"A row a pattern: ■ is observed, × is missing.{more}").classes("quiet")


def _pairs(profile: Profile) -> None:
    """Of the rows in which one column is missing, the share in which another is missing too."""
    missing = {one.name: one.missing for one in profile.columns if one.missing}
    names = sorted(missing, key=lambda name: -missing[name])[:_PAIRS]
    both = dict.fromkeys(((a, b) for a in names for b in names), 0)
    for pattern in profile.patterns:
        absent = [name for name in names if name in pattern.missing]
        for a in absent:
            for b in absent:
                both[a, b] += pattern.rows
    rows: list[list[object]] = []
    for a in names:
        shares = [both[a, b] / missing[a] for b in names]
        rows.append([a, *(markup.Markup(_heat(one)) if b != a else "" for one, b in zip(shares, names, strict=True))])
    with section("Of rows that lack the one, how many lack the other"):
        ui.html(cells.table(["lacks", *names], rows, caption="Pairs", upright=True), sanitize=False).style("width:100%")


def _heat(share: float) -> str:
    return f'<span class="heat" style="--share:{share:.2f}">{share:.0%}</span>'


async def _flux(view: View, profile: Profile, place: ui.element) -> None:
    name = profile.table
    with place:
        inner = ui.element("div").classes("stack")
    found: Mapping[str, Flux] | None = await view.answer(
        inner, "counting pairs", ("flux", name), lambda db, _: db.flux(name)
    )
    if found is None:
        return
    with inner:
        together: dict[tuple[float, float], list[str]] = {}
        for column, one in found.items():
            together.setdefault((round(one.influx, 2), round(one.outflux, 2)), []).append(column)
        named = [(_names(columns), *at) for at, columns in together.items()]
        ui.echart(charts.points("influx: others are known where it is missing", "outflux", named), renderer="svg")
        ui.label("High outflux: known where others are missing, so it helps. High influx: it can be helped.").classes(
            "quiet"
        )


def _names(columns: list[str]) -> str:
    first = columns[0] if len(columns[0]) < 24 else f"{columns[0][:23]}…"
    return first if len(columns) == 1 else f"{first} and {len(columns) - 1} more"


def _test(view: View, profile: Profile) -> None:
    name = profile.table
    place = ui.element("div").classes("stack")

    async def test() -> None:
        found: McarTest | None = await view.answer(place, "testing", ("mcar", name), lambda db, _: db.mcar(name))
        if found is None:
            return
        place.clear()
        words = f"chi-square {found.statistic:.1f}, {found.df} degrees of freedom, p = {found.p_value:.3g}"
        with place:
            ui.label(f"{words}; effect {found.effect:.3f} over {found.patterns} patterns.")
            verdict = "differ between patterns: values are not missing completely at random"
            ui.label(f"Means {verdict if found.p_value < 0.05 else 'differ no more than chance has it'}.")
            ui.label(f"Caution: {found.caution}.").classes("remark")
            if found.dropped:
                ui.label(f"Left out: {', '.join(found.dropped)}.").classes("quiet breakable")

    ui.label("Do means of numbers differ between patterns more than chance has it?").classes("quiet")
    ui.button("Test", on_click=test).props("outline")


def _by(view: View, profile: Profile) -> None:
    """The share of missing values of one column by the values of another."""
    incomplete = [one.name for one in profile.columns if one.missing]
    others = [one.name for one in profile.columns]
    few = [one.name for one in profile.columns if 1 < one.distinct <= _GROUPS]
    with ui.element("div").classes("line"):
        what = ui.select(incomplete, value=incomplete[0], label="Share missing of").props(
            "outlined dense options-dense"
        )
        by = ui.select(others, value=(few or others)[0], label="by").props("outlined dense options-dense")

        async def shown() -> None:
            name, column, group = profile.table, str(what.value), str(by.value)
            key = ("by", name, column, group)
            found = await view.answer(place, "counting", key, lambda db, _: _shares(db, name, column, group))
            if found is None:
                return
            place.clear()
            rows = [[one, count, markup.bar(share)] for one, count, share in found.first(_GROUPS)]
            with place:
                ui.html(cells.table([group, "rows", f"{column} missing"], rows, caption="Shares"), sanitize=False)
                if len(found) > _GROUPS:
                    ui.label(f"the {_GROUPS} first of {len(found):,} groups").classes("quiet")

        ui.button("Show", on_click=shown).props("outline")
    place = ui.element("div").classes("stack")


def _shares(db: Database, table: str, column: str, group: str) -> Result:
    """The groups of a column, NULL among them, with their rows and the share of missing values of another column."""
    named, one, by = in_sql(table), column_in_sql(column), column_in_sql(group)
    return db.sql(
        f"SELECT COALESCE(CAST({by} AS VARCHAR), 'missing') AS of_group, count(*) AS n, "
        f"avg(CASE WHEN {one} IS NULL THEN 1.0 ELSE 0.0 END) AS share FROM {named} "
        "GROUP BY 1 ORDER BY TRY_CAST(of_group AS DOUBLE) NULLS LAST, of_group"
    )
