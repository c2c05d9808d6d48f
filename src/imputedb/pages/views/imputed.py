"""The view Imputed: observed and imputed values of a column, errors on hidden cells, chains, and donors of cells."""

from __future__ import annotations

from functools import partial

from nicegui import ui

from imputedb.diagnostics.cell_intervals import CellInterval, CellIntervals
from imputedb.diagnostics.evaluation import Evaluation
from imputedb.pages import cells, charts, picking
from imputedb.pages.drawn import DRAWS, drawn
from imputedb.pages.frame import View, heading, section
from imputedb.pages.views.chains import chains
from imputedb.provenance.reason import Why

_IMPUTERS = ("tree", "pmm", "norm", "knn", "hotdeck")
_CELLS = 12


async def build(view: View) -> None:
    """Builds the view."""
    with ui.element("div").classes("main"):
        head = ui.element("section").classes("panel").props('aria-label="Column"')
        place = ui.element("div").classes("main")
    await _choose(view, head, place)


async def _choose(view: View, head: ui.element, place: ui.element) -> None:
    """Fields for the table, the column and the imputer, with the results below."""
    name = picking.table(view)
    if name is None:
        return
    profile = await view.answer(place, f"reading {name}", ("profile", name), lambda db, _: db.profile(name)[0])
    if profile is None:
        return
    incomplete = [one.name for one in profile.columns if one.missing]
    head.clear()
    with head, ui.element("div").classes("line"):
        picking.table_field(view, lambda: _choose(view, head, place))
        if not incomplete:
            ui.label(f"{name} lacks nothing.")
            place.clear()
            return

        async def shown() -> None:
            await _show(view, place, name, incomplete, str(imputer.value))

        picking.column_field(view, incomplete, shown)
        imputer = ui.select(list(_IMPUTERS), value="tree", label="Imputer", on_change=shown)
        imputer.props("outlined dense options-dense")
    await shown()


async def _show(view: View, place: ui.element, table: str, columns: list[str], imputer: str) -> None:
    column = picking.column(view, columns)
    assert column is not None
    place.clear()
    with place:
        with ui.element("div").classes("two"):
            compared = section("Observed and imputed")
            hidden = section("Error on hidden cells")
        _cells(view, table, column, imputer)
        with section("Chains"):
            chains(view, table, column)
    with hidden:
        _hidden(view, table, column)
    with compared:
        inner = ui.element("div").classes("stack")
    key = ("drawn", table, column, imputer)
    found = await view.answer(
        inner, f"drawing {_short(column)}", key, lambda db, progress: drawn(db, table, column, imputer, progress)
    )
    if found is None:
        return
    with inner:
        if found.is_numeric:
            ui.echart(charts.lines(_short(column), "density", found.densities()), renderer="svg")
            key_text = f"Thick blue: {len(found.observed):,} observed values. Dashed red: {DRAWS} draws of "
        else:
            ui.echart(charts.shares(*found.shares()), renderer="svg")
            key_text = f"Blue: {len(found.observed):,} observed values. Red and striped: {DRAWS} draws of "
        ui.label(f"{key_text}{len(found.draws[0]):,} missing cells by {found.methods}.").classes("quiet")
        ui.label("They may differ: who lacks a value may be unlike who has one.").classes("quiet")


def _short(name: str) -> str:
    return name if len(name) < 50 else f"{name[:49]}…"


def _hidden(view: View, table: str, column: str) -> None:
    """The error of imputers on hidden observed cells, by subgroup if one is chosen."""
    names = [one for one in view.site.database.tables()[table] if one != column]
    with ui.element("div").classes("line"):
        by = ui.select({"": "all rows", **{one: one for one in names}}, value="", label="By group of")
        by.props("outlined dense options-dense").classes("wide")

        async def measured() -> None:
            group = str(by.value) or None
            key = ("evaluate", table, column, group)
            found: Evaluation | None = await view.answer(
                place,
                "hiding cells",
                key,
                lambda db, progress: db.evaluate(table, columns=[column], by=group, progress=progress),
            )
            if found is None:
                return
            place.clear()
            rows = [
                [one.group or "all rows", one.imputer, one.cells, round(one.error, 3), one.bias]
                for one in sorted(found.scores, key=lambda one: (one.group is not None, one.group or "", one.error))
            ]
            wrong = any(one.wrong for one in found.scores)
            unit = "share that is wrong" if wrong else "error / standard deviation"
            with place:
                table_of = cells.table(["rows", "imputer", "hidden cells", unit, "bias"], rows, caption="Errors")
                ui.html(table_of, sanitize=False).style("width:100%")
                if not wrong:
                    ui.label("1 is what the mean reaches.").classes("quiet")
                for note in found.notes:
                    ui.label(str(note)).classes("quiet breakable")

        ui.button("Hide and measure", on_click=measured).props("outline")
    place = ui.element("div").classes("stack")


def _cells(view: View, table: str, column: str, imputer: str) -> None:
    """Imputed cells with their intervals; a button shows the donors of a cell."""
    with section("Cells: why this value?"):
        ui.label("Each imputed cell with an interval whose coverage is measured on hidden cells.").classes("quiet")
        button = ui.button("List cells").props("outline")
        place = ui.element("div").classes("stack")
        reason = ui.element("div").classes("stack").props("aria-live=polite")

    async def listed() -> None:
        key = ("cells", table, column, imputer)
        found: CellIntervals | None = await view.answer(
            place,
            "measuring intervals",
            key,
            lambda db, progress: db.cells(table, column, imputer=imputer, progress=progress),
        )
        if found is not None:
            place.clear()
            with place:
                _list(view, found, reason)

    button.on_click(listed)


def _list(view: View, found: CellIntervals, reason: ui.element) -> None:
    """Some of the cells, with a button for each."""
    words = f"{len(found.cells):,} cells; {found.level:.0%} intervals, which hold {found.coverage:.0%} of "
    ui.label(f"{words}{found.checked:,} hidden cells.").classes("quiet")
    listed = ui.element("div").classes("line asked-cells")
    at = 0

    def turned(to: int) -> None:
        nonlocal at
        at = max(0, min(to, (len(found.cells) - 1) // _CELLS * _CELLS))
        listed.clear()
        with listed:
            for one in found.cells[at : at + _CELLS]:
                ui.button(
                    f"{found.key} {one.row}: {_shown(one)}", on_click=partial(_why, view, found, one, reason)
                ).props("outline align=left padding='xs sm'")

    turned(0)
    if len(found.cells) > _CELLS:
        with ui.element("div").classes("line"):
            ui.button("Previous", on_click=lambda: turned(at - _CELLS)).props("flat padding='xs sm'")
            ui.button("Next", on_click=lambda: turned(at + _CELLS)).props("flat padding='xs sm'")


def _shown(one: CellInterval) -> str:
    if one.low is not None:
        return f"{cells.short(one.value)} ({cells.short(one.low)} to {cells.short(one.high)})"
    return " or ".join(map(cells.short, one.categories[:4])) or cells.short(one.value)


async def _why(view: View, found: CellIntervals, one: CellInterval, place: ui.element) -> None:
    """Shows the donors of a cell."""
    table, column = found.table, found.column
    key = ("why", table, column, str(one.row))
    why: Why | None = await view.answer(place, "asking why", key, lambda db, _: db.why(table, column, one.row))
    if why is None:
        return
    place.clear()
    spread = f"variance {why.variance:.4g}" if why.variance is not None else ""
    spread = f"entropy {why.entropy:.2f}" if why.entropy is not None else spread
    rows = [[two.row, two.value, round(two.distance, 4), f"{two.weight:.0%}"] for two in why.neighbours]
    with place:
        heading(f"Why {why.key} {one.row}")
        ui.label(f"{len(why.neighbours)} nearest rows ({why.metric}) say {cells.short(why.value)}; {spread}.")
        if why.fallback:
            ui.label(f"No neighbour was found: {why.fallback} stands in.").classes("remark")
        ui.html(cells.table([why.key, column, "distance", "weight"], rows, caption="Neighbours"), sanitize=False)
        link = ui.element("a")
        link.props["href"] = view.site.link("what-if", view.question)
        with link:
            ui.label("What if imputed values were shifted?").style("display:inline")
