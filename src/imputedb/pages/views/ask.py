"""The view Ask: an editor for SQL, the answer with intervals and tinted imputed cells, the plan and the frontier."""

from __future__ import annotations

import asyncio
from functools import partial
from html import escape
from pathlib import Path
from tempfile import TemporaryDirectory

from nicegui import ui

from imputedb.database import Database
from imputedb.diagnostics.profile import Profile
from imputedb.errors import Error
from imputedb.pages import calls, cells, charts
from imputedb.pages.frame import View, alert, heading
from imputedb.pages.views.editor import Editor
from imputedb.result import Result

_COLUMNS = 60
"""Maximum number of columns of a table in the tree; the view Missing shows all."""


async def build(view: View) -> None:
    """Builds the view."""
    with ui.element("div").classes("body with-side").style("padding:0; max-width:none"):
        with ui.element("section").classes("panel").props('aria-label="Tables"'):
            _tables(view)
        with ui.element("div").classes("main"):
            answer = _Answer(view)
    await answer.shown_again()


def _tables(view: View) -> None:
    """The tables; opening one shows its columns and their shares of missing values."""
    heading("Tables")
    tables = view.site.database.tables()
    if not tables:
        ui.label("There is no table yet.").classes("quiet")
    for name in tables:
        with ui.element("details").classes("table") as details:
            with ui.element("summary"):
                ui.label(name).style("display:inline")
            place = ui.element("div")
        details.on("toggle", partial(_opened, view, name, place), args=[])
        if len(tables) == 1 or name == view.question.table:
            details.props("open")


async def _opened(view: View, name: str, place: ui.element) -> None:
    """Shows the columns of a table when it is opened for the first time."""
    if list(place):
        return

    def call(db: Database, _: object) -> Profile:
        return db.profile(name)[0]

    profile = await view.answer(place, f"reading {name}", ("profile", name), call)
    if profile is None:
        return
    bars = "".join(
        f'<div class="attribute"><span>{escape(one.name)}</span>'
        f'<span class="of">{escape(one.type)} · {_share(one.share)}</span>'
        f'<div class="bar{"" if one.missing else " whole"}"><span style="width:{one.share:.1%}"></span></div></div>'
        for one in profile.columns[:_COLUMNS]
    )
    left = len(profile.columns) - _COLUMNS
    with place:
        ui.label(f"{profile.rows:,} rows").classes("quiet")
        ui.html(bars, sanitize=False)
        if left > 0:
            ui.label(f"{left:,} more columns: see Missing").classes("quiet")


def _share(share: float) -> str:
    return "complete" if not share else f"{share:.1%} missing" if share >= 0.001 else "<0.1% missing"


class _Answer:
    """The editor with the answer below it."""

    def __init__(self, view: View) -> None:
        self._view = view
        self._after = 0
        with ui.element("section").classes("panel").props('aria-label="Question"'):
            self.editor = Editor(view, self.run)
        self._answer = ui.element("section").classes("panel").props('aria-label="Answer" aria-live=polite')
        with ui.element("div").classes("two"):
            self._frontier = ui.element("section").classes("panel").props('aria-label="Frontier"')
            self._plan = ui.element("section").classes("panel").props('aria-label="Plan"')
        for place in (self._answer, self._frontier, self._plan):
            place.set_visibility(False)

    async def shown_again(self) -> None:
        """Shows an answer that is cached or being computed."""
        works, question = self._view.site.works, self._view.question
        key = self._view.site.key(*calls.answer_key(question))
        if works.answer(key) is not None or works.running(key) is not None:
            await self._run()

    async def run(self) -> None:
        """Runs the statement in the editor."""
        self._view.at(self.editor.question(self._view.question))
        self._view.site.remember(self._view.question.text)
        await self._run()

    async def _run(self) -> None:
        view, question = self._view, self._view.question
        self._answer.set_visibility(True)
        for place in (self._frontier, self._plan):
            place.clear()
            place.set_visibility(False)
        known = await view.answer(self._answer, "planning", calls.plans_key(question), calls.plans(question))
        if known is None:
            return
        call = calls.answered(question, aggregates=known.aggregates)
        result = await view.answer(self._answer, "answering", calls.answer_key(question), call)
        if result is None:
            return
        self._after = 0
        self._show(result)
        if known.explanation is not None:
            self._show_plans(known)
        if calls.writes(question.text):
            view.site.written()

    def _show(self, result: Result) -> None:
        """Shows the rows of an answer and its notes."""
        self._answer.clear()
        count = len(result)
        with self._answer:
            with ui.element("div").classes("line"):
                heading("Answer")
                ui.label(f"{count:,} row{'' if count == 1 else 's'}").classes("quiet")
                ui.space()
                for title, act in (("Copy", self._copy), ("CSV", self._csv), ("Parquet", self._parquet)):
                    ui.button(title, on_click=partial(act, result)).props("outline dense padding='xs sm'")
            for one in result.report.warnings:
                ui.label(str(one)).classes("remark")
            self._grid = ui.html("", sanitize=False).style("width:100%")
            self._legend(result)
            if count > cells.ROWS:
                self._pages(result, count)
            for line in _notes(result):
                ui.label(line).classes("quiet breakable")
        self._grid.set_content(cells.answer(result))

    def _legend(self, result: Result) -> None:
        if result.has_estimates:
            one = next((one for row in result.estimates for one in row.values()), None)
            level = f"{one.level:.0%} " if one is not None else ""
            ui.label(f"Lines are {level}intervals, pooled of {result.report.m} draws.").classes("quiet")
        elif any(name.endswith("__imputed") for name in result.columns):
            ui.html('<span class="mark imputed"></span> imputed', sanitize=False).classes("quiet")

    def _pages(self, result: Result, count: int) -> None:
        """Buttons that show further rows."""
        with ui.element("div").classes("line"):
            line = ui.label().classes("quiet").props("aria-live=polite")

            def turned(to: int) -> None:
                self._after = max(0, min(to, (count - 1) // cells.ROWS * cells.ROWS))
                last = min(self._after + cells.ROWS, count)
                line.set_text(f"rows {self._after + 1:,} to {last:,} of {count:,}")
                try:
                    self._grid.set_content(cells.answer(result, self._after))
                except Error as error:
                    with self._answer:
                        alert(f"{error}; run the question again")

            steps = (("First", lambda: 0), ("Previous", lambda: self._after - cells.ROWS))
            further = (("Next", lambda: self._after + cells.ROWS), ("Last", lambda: count))
            for title, to in (*steps, *further):
                ui.button(title, on_click=lambda to=to: turned(to())).props("outline dense padding='xs sm'")
            turned(0)

    def _show_plans(self, known: calls.Plans) -> None:
        for place in (self._frontier, self._plan):
            place.set_visibility(True)
        with self._plan:
            heading("Plan")
            drawn = escape(known.explanation.text if known.explanation else "")
            ui.html(f'<pre class="plan" tabindex="0" role="region" aria-label="Plan">{drawn}</pre>', sanitize=False)
        with self._frontier:
            heading("Frontier")
            if known.frontier is None:
                ui.label("Nothing missing is read: DuckDB runs the text as it stands.").classes("quiet")
                return
            points = list(known.frontier)
            plan = known.frontier.choose(self._view.question.alpha)
            chosen = next(number for number, point in enumerate(points) if point.plan is plan)
            ui.echart(charts.frontier(known.frontier, chosen), renderer="svg")
            many = f"{len(points)} plans that no other beats" if len(points) > 1 else "One plan beats all others"
            ui.label(f"{many} in both penalty and time; the large one was run.").classes("quiet")

    async def _copy(self, result: Result) -> None:
        rows = await asyncio.to_thread(result.first, 10_000)
        lines = ["\t".join(result.columns), *("\t".join("" if v is None else str(v) for v in row) for row in rows)]
        ui.clipboard.write("\n".join(lines))
        ui.notify(f"{len(rows):,} rows copied")

    async def _csv(self, result: Result) -> None:
        await self._file(result, "csv")

    async def _parquet(self, result: Result) -> None:
        await self._file(result, "parquet")

    async def _file(self, result: Result, form: str) -> None:
        def written() -> bytes:
            with TemporaryDirectory() as folder:
                path = Path(folder, f"answer.{form}")
                result.write(str(path), form)
                return path.read_bytes()

        try:
            ui.download.content(await asyncio.to_thread(written), f"answer.{form}")
        except Error as error:
            with self._answer:
                alert(str(error))


def _notes(result: Result) -> list[str]:
    """The notes of an answer; warnings are shown above the rows."""
    return [one for one in result.report.sentences() if one not in result.report.warnings]
