"""The view Models: kept models with versions, age and drift, and running or finished work."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from functools import partial

from nicegui import ui

from imputedb.answers.model_differences import Difference
from imputedb.database import Database
from imputedb.models.model import Model
from imputedb.pages import cells
from imputedb.pages.frame import View, section
from imputedb.pages.names import in_sql
from imputedb.pages.work import Work

_ROWS = 100_000
"""Maximum number of rows from which drift is measured."""

_RECORDS = 50


async def build(view: View) -> None:
    """Builds the view."""
    with ui.element("div").classes("main"):
        kept = section("Kept models")
        with section("Jobs"):
            jobs = ui.element("div").classes("stack")
            _jobs(view, jobs)
            ui.timer(1.0, partial(_jobs, view, jobs))
        with section("Service"):
            _service(view)
    with kept:
        place = ui.element("div").classes("stack")
    found: list[Model] | None = await view.answer(place, "reading models", ("models",), lambda db, _: db.models())
    if found is not None:
        with place:
            _models(view, found)


def _models(view: View, models: list[Model]) -> None:
    if not models:
        ui.label("No model is kept. CREATE IMPUTATION MODEL, in Ask, fits one and keeps it.").classes("quiet breakable")
        return
    rows = [
        [
            f"{one.name}@{one.version}",
            one.table,
            ", ".join(one.columns),
            one.imputer,
            one.rows,
            _age(one.fitted_at),
            "the table has changed since" if one.stale else "up to date",
            ", ".join(f"{name} {error:.3f}" for name, error in one.error.items()),
        ]
        for one in models
    ]
    titles = ["model", "table", "fills in", "imputer", "rows", "age", "state", "error on hidden cells"]
    ui.html(cells.table(titles, rows, caption="Models"), sanitize=False).style("width:100%")
    names = [one.name for one in models]
    with ui.element("div").classes("line"):
        name = ui.select(names, value=names[0], label="Model").props("outlined dense options-dense")
        drift, versions = ui.button("Drift").props("outline"), ui.button("Versions").props("outline")
        one, other = (ui.input(title).props("outlined dense").classes("short") for title in ("Version", "against"))
        compared = ui.button("Compare versions").props("outline")
    place = ui.element("div").classes("stack").props("aria-live=polite")

    async def compare() -> None:
        pair = [f"{name.value}@{field.value}" if field.value else str(name.value) for field in (one, other)]
        await _compare(view, pair[0], pair[1], place)

    drift.on_click(lambda: _drift(view, str(name.value), place))
    versions.on_click(lambda: _versions(view, str(name.value), place))
    compared.on_click(compare)


def _age(fitted: str) -> str:
    """The time since a moment in UTC."""
    moment = datetime.fromisoformat(fitted)
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    seconds = max(0.0, (datetime.now(UTC) - moment).total_seconds())
    for size, unit in ((86_400, "day"), (3_600, "hour"), (60, "minute")):
        if seconds >= size:
            count = int(seconds // size)
            return f"{count} {unit}{'' if count == 1 else 's'}"
    return "less than a minute"


async def _drift(view: View, name: str, place: ui.element) -> None:
    """Shows the drift of a table since a model was fitted to it."""

    def call(db: Database, _: object) -> dict[str, float | None]:
        model = db.model(name)
        columns = list(db.tables()[model.table])
        rows = db.execute(f"SELECT * FROM {in_sql(model.table)} LIMIT {_ROWS}")
        return model.drift({one: [row[place] for row in rows] for place, one in enumerate(columns)})

    found = await view.answer(place, "reading rows", ("drift", name), call)
    if found is None:
        return
    place.clear()
    rows = [[column, None if one is None else round(one, 4), _verdict(one)] for column, one in found.items()]
    with place:
        ui.html(cells.table(["column", "stability index", "moved"], rows, caption="Drift"), sanitize=False)


def _verdict(index: float | None) -> str:
    if index is None:
        return "cannot be told"
    return "little" if index < 0.1 else "some" if index < 0.25 else "much"


async def _versions(view: View, name: str, place: ui.element) -> None:
    found = await view.answer(
        place, "reading versions", ("versions", name), lambda db, _: db.sql(f"DESCRIBE IMPUTATION MODEL {in_sql(name)}")
    )
    if found is not None:
        place.clear()
        with place:
            ui.html(cells.answer(found), sanitize=False).style("width:100%")


async def _compare(view: View, one: str, other: str, place: ui.element) -> None:
    """Shows the differences between two versions in the values of missing cells."""
    found: list[Difference] | None = await view.answer(
        place, "comparing", ("models", one, other), lambda db, _: db.compare_models(one, other)
    )
    if found is None:
        return
    place.clear()
    rows = [
        [
            two.column,
            two.cells,
            f"{two.differing:.1%}",
            None if two.means is None else f"{two.means[0]:.5g} / {two.means[1]:.5g}",
            two.index,
            " / ".join("not measured" if error is None else f"{error:.3f}" for error in two.errors),
        ]
        for two in found
    ]
    titles = ["column", "cells", "differ", "means", "stability index", "errors"]
    with place:
        ui.html(cells.table(titles, rows, caption=f"{one} against {other}"), sanitize=False).style("width:100%")


def _jobs(view: View, place: ui.element) -> None:
    """Shows the running and finished work of this page."""
    place.clear()
    works = list(view.site.works)
    rows = [[one.title, one.state, _share(one), f"{one.seconds:.1f} s", one.error] for one in works]
    with place:
        if not rows:
            ui.label("Nothing runs, and nothing has run yet.").classes("quiet")
            return
        running = [one for one in works if one.state == "running"]
        ui.html(cells.table(["job", "state", "done", "time", "error"], rows, caption="Jobs"), sanitize=False)
        for work in running:
            ui.button(f"Cancel {work.title}", on_click=work.cancel).props("outline")


def _share(work: Work[object]) -> str:
    if work.state == "done":
        return "100%"
    return "" if work.share is None else f"{work.share:.0%}"


def _service(view: View) -> None:
    """Shows the jobs of the service, and its audit records with a search field."""
    ui.label("What a service over this database has done and answered, if there was one.").classes("quiet")
    with ui.element("div").classes("line"):
        field = ui.input("Search the audit").props("outlined dense").classes("wide")
        search, jobs = ui.button("Search").props("outline"), ui.button("Its jobs").props("outline")
    place = ui.element("div").classes("stack").props("aria-live=polite")

    async def searched() -> None:
        found = await view.look(place, view.site.audit)
        text = str(field.value or "").lower()
        if found is not None:
            kept = [row for row in reversed(found) if text in " ".join(map(str, row)).lower()]
            _rows(place, ["number", "time", "who", "tables", "cells", "methods"], kept)

    async def listed() -> None:
        found = await view.look(place, view.site.jobs)
        if found is not None:
            _rows(place, ["kind", "state", "done", "created", "error"], found)

    search.on_click(searched)
    jobs.on_click(listed)


def _rows(place: ui.element, titles: list[str], rows: Sequence[Sequence[object]]) -> None:
    """Shows at most so many rows of the service."""
    with place:
        if not rows:
            ui.label("None.").classes("quiet")
            return
        ui.html(cells.table(titles, rows[:_RECORDS], caption=titles[0]), sanitize=False).style("width:100%")
        if len(rows) > _RECORDS:
            ui.label(f"{_RECORDS} of {len(rows):,}").classes("quiet")
