"""The view Trade: the frontier of plans with times and penalties, and two of their answers side by side."""

from __future__ import annotations

from dataclasses import replace

from nicegui import ui

from imputedb.algebra.relation import Drop, Impute
from imputedb.algebra.render import label
from imputedb.algebra.walk import bottom_up
from imputedb.pages import calls, cells, charts
from imputedb.pages.differences import differences
from imputedb.pages.frame import View, heading, statement
from imputedb.pages.question import Question
from imputedb.planning.frontier import Frontier, Point
from imputedb.result import Result


async def build(view: View) -> None:
    """Builds the view."""
    with ui.element("div").classes("main"):
        statement(view)
        place = ui.element("div").classes("main")
    question = view.question
    known = await view.answer(place, "planning", calls.plans_key(question), calls.plans(question))
    if known is None:
        return
    with place:
        if known.frontier is None:
            ui.label("This statement has no plans to choose from: nothing missing is read.").classes("panel")
            return
        await _Trade(view, known.frontier, aggregates=known.aggregates).shown_again()


class _Trade:
    """The frontier with its slider and table, and two plans side by side."""

    def __init__(self, view: View, frontier: Frontier, *, aggregates: bool) -> None:
        self._view = view
        self._frontier = frontier
        self._points = list(frontier)
        self._aggregates = aggregates
        self._chosen = self._place(view.question.alpha)
        with ui.element("div").classes("two"):
            with ui.element("section").classes("panel").props('aria-label="Frontier"'):
                heading("Frontier")
                self._chart = ui.echart(charts.frontier(frontier, self._chosen), renderer="svg")
                self._chart.on_point_click(lambda event: self.choose(int(event.data_index)))
                self._line = ui.label().classes("quiet").props("aria-live=polite")
                last = len(self._points) - 1
                self._slider = ui.slider(min=0, max=max(last, 1), step=1, value=self._chosen).props(
                    'snap markers aria-label="Plan, from the best answer to the fastest"'
                )
                self._slider.on_value_change(lambda event: self.choose(int(event.value)))
                self._slider.set_enabled(last > 0)
                with ui.element("div").classes("line"):
                    ui.button("Run this plan", on_click=self.run).props("unelevated")
            self._answer = ui.element("section").classes("panel").props('aria-label="Answer" aria-live=polite')
        self._plans = ui.element("section").classes("panel").props('aria-label="Plans"')
        with ui.element("section").classes("panel").props('aria-label="Side by side"'):
            self._side_by_side()
        self._show()
        self._table()
        with self._answer:
            heading("Answer")
            ui.label("Choose a plan and run it.").classes("quiet")

    def _place(self, alpha: float) -> int:
        plan = self._frontier.choose(alpha)
        return next(number for number, point in enumerate(self._points) if point.plan is plan)

    def _question(self, number: int) -> Question:
        return replace(self._view.question, alpha=self._points[number].low)

    def _known(self, number: int) -> Result | None:
        """The cached answer of a plan; None where it has not run."""
        key = self._view.site.key(*calls.answer_key(self._question(number)))
        found: Result | None = self._view.site.works.answer(key)
        return found

    async def shown_again(self) -> None:
        """Shows the answer of the chosen plan where it has run."""
        if self._known(self._chosen) is not None:
            await self.run()

    def choose(self, number: int) -> None:
        """Chooses a plan; it runs on demand."""
        if number == self._chosen or not 0 <= number < len(self._points):
            return
        self._chosen = number
        self._slider.set_value(number)
        self._view.at(self._question(number))
        self._chart.options.update(charts.frontier(self._frontier, number))
        self._chart.update()
        self._show()
        self._table()

    def _show(self) -> None:
        point = self._points[self._chosen]
        self._line.set_text(
            f"plan {self._chosen + 1} of {len(self._points)}, alpha {point.low:.3g}: penalty {point.plan.penalty:.4f}, "
            f"about {point.plan.time:.1f} ms"
        )

    def _table(self) -> None:
        self._plans.clear()
        rows = [self._row(number, point) for number, point in enumerate(self._points)]
        titles = ["plan", "from alpha", "penalty", "predicted ms", "actual ms", "imputes", "drops"]
        with self._plans:
            heading("Plans")
            ui.html(cells.table(titles, rows, caption="Plans", chosen=self._chosen), sanitize=False).style("width:100%")
            ui.label("Predicted is the time of single values, actual that of the answer with all its draws.").classes(
                "quiet"
            )

    def _row(self, number: int, point: Point) -> list[object]:
        result = self._known(number)
        actual = "not run" if result is None else round(result.report.execution_ms, 1)
        placed = [one for one in bottom_up(point.plan.relation) if isinstance(one, Impute | Drop)]
        imputes = "; ".join(label(one).removeprefix("μ ") for one in placed if isinstance(one, Impute))
        drops = "; ".join(label(one).removeprefix("δ ") for one in placed if isinstance(one, Drop))
        costs: list[object] = [round(point.low, 4), round(point.plan.penalty, 4), round(point.plan.time, 1), actual]
        return [number + 1, *costs, imputes or "nothing", drops or "nothing"]

    async def _result(self, number: int, place: ui.element) -> Result | None:
        question = self._question(number)
        call = calls.answered(question, aggregates=self._aggregates)
        return await self._view.answer(place, f"running plan {number + 1}", calls.answer_key(question), call)

    async def run(self) -> None:
        """Runs the chosen plan."""
        number = self._chosen
        result = await self._result(number, self._answer)
        if result is None:
            return
        self._answer.clear()
        with self._answer:
            heading(f"Answer of plan {number + 1}")
            ui.label(f"{len(result):,} rows in {result.report.execution_ms:,.1f} ms").classes("quiet")
            ui.html(cells.answer(result), sanitize=False).style("width:100%")
        self._table()

    def _side_by_side(self) -> None:
        heading("Two plans side by side")
        names = {number: f"plan {number + 1}" for number in range(len(self._points))}
        with ui.element("div").classes("line"):
            one = ui.select(names, value=0, label="One").props("outlined dense options-dense")
            other = ui.select(names, value=len(names) - 1, label="Other").props("outlined dense options-dense")

            async def compared() -> None:
                await self._compare(int(one.value), int(other.value), place)

            ui.button("Compare", on_click=compared).props("outline")
        place = ui.element("div").classes("stack")

    async def _compare(self, one: int, other: int, place: ui.element) -> None:
        first = await self._result(one, place)
        second = await self._result(other, place) if first is not None else None
        if first is None or second is None:
            return
        place.clear()
        titles, rows, line = differences(first, second, f"plan {one + 1}", f"plan {other + 1}")
        with place:
            if rows:
                ui.html(cells.table(titles, rows, caption="Differences"), sanitize=False).style("width:100%")
            ui.label(line).classes("quiet")
        self._table()
