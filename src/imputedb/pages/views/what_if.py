"""The view What if: an answer under departures from missing at random, its tipping points, and other methods."""

from __future__ import annotations

import math

from nicegui import ui

from imputedb.answers.compare import Comparison
from imputedb.errors import QueryError
from imputedb.pages import calls, cells, charts
from imputedb.pages.frame import View, alert, heading, section, statement
from imputedb.pages.question import MANY
from imputedb.result import Result
from imputedb.sensitivity import Departures, Sensitivity

_STEPS = 4
"""Number of sizes of departures on each side of zero."""

_WAYS = ("tree", "pmm", "norm", "aipw", "bounds")


async def build(view: View) -> None:
    """Builds the view."""
    with ui.element("div").classes("main"):
        statement(view)
        place = ui.element("div").classes("main")
    known = await view.answer(place, "planning", calls.plans_key(view.question), calls.plans(view.question))
    if known is None:
        return
    with place:
        if known.frontier is None or not known.aggregates:
            ui.label(
                "What if is asked of numbers: ask a query that aggregates (such as AVG) over something incomplete, "
                "then come back."
            ).classes("panel")
            return
        incomplete = sorted({str(c) for one in known.frontier.plans for c in calls.treated(one.relation)})
        with section("Not missing at random"):
            _Shift(view, incomplete)
        with section("The same question by other methods"):
            _ways(view)


class _Shift:
    """Departures of one column from missing at random, and the answers under them."""

    def __init__(self, view: View, columns: list[str]) -> None:
        self._view = view
        ui.label("Imputed values are moved by one amount, inside the imputing; the answer follows.").classes("quiet")
        with ui.element("div").classes("line"):
            self._column = ui.select(columns, value=columns[0], label="Imputed values of")
            self._column.props("outlined dense options-dense").classes("wide")
            self._most = ui.number("Largest shift", value=1.0, min=0).props("outlined dense").classes("short")
            self._crosses = ui.number("Held against", value=0.0).props("outlined dense").classes("short")
            ui.button("Shift", on_click=self.run).props("unelevated")
        self._place = ui.element("div").classes("stack").props("aria-live=polite")

    async def run(self) -> None:
        """Computes the answer under departures of growing size."""
        most, value = float(self._most.value or 0), float(self._crosses.value or 0)
        column, question = str(self._column.value), self._view.question
        sizes = tuple(most * step / _STEPS for step in range(-_STEPS, _STEPS + 1))
        try:
            departures = Departures(column, sizes, crosses=value)
        except QueryError as error:
            self._place.clear()
            with self._place:
                alert(str(error))
            return
        key = ("shift", question.text, question.seed, column, most, value)
        found: Result | None = await self._view.answer(
            self._place,
            "shifting",
            key,
            lambda db, progress: db.sql(
                question.text, m=MANY, imputer="norm", seed=question.seed, sensitivity=departures, progress=progress
            ),
        )
        if found is not None and found.sensitivity is not None:
            self._place.clear()
            with self._place:
                self._show(found.sensitivity)

    def _show(self, swept: Sensitivity) -> None:
        names = {place: " ".join((*group, name)) for place, (group, name) in enumerate(swept.points)}
        number = ui.select(names, value=0, label="Number").props("outlined dense options-dense").classes("wide")
        chart = ui.element("div").classes("stack")
        slider = ui.slider(min=0, max=2 * _STEPS, step=1, value=_STEPS)
        slider.props('snap markers aria-label="Size of the shift"')
        line = ui.label().props("aria-live=polite")

        def moved() -> None:
            points = swept.points[list(swept.points)[int(number.value)]]
            one = points[min(int(slider.value), len(points) - 1)]
            holds = "holds" if one.holds(swept.departures.crosses) else "does not hold"
            line.set_text(
                f"shift {one.size:g}: {one.estimate:.5g}, from {one.low:.5g} to {one.high:.5g}; "
                f"the interval {holds} {swept.departures.crosses:g}"
            )

        def drawn() -> None:
            key = list(swept.points)[int(number.value)]
            lines = [(p.size, p.estimate, p.low, p.high) for p in swept.points[key]]
            title = f"shift of imputed {self._column.value}"
            chart.clear()
            with chart:
                about = (swept.departures.crosses, swept.tipping.get(key, ()))
                ui.echart(charts.band(title, names[int(number.value)], lines, *about), renderer="svg")
            moved()

        slider.on_value_change(moved)
        number.on_value_change(drawn)
        drawn()
        for sentence in swept.sentences():
            ui.label(str(sentence)).classes("quiet breakable")
        ui.label("Thick: the estimate; dashed: its interval; dotted: where it tips.").classes("quiet")


def _ways(view: View) -> None:
    """The numbers by several imputers, doubly robust estimators, and bounds."""
    question = view.question
    line = "Imputers assume missing at random; aipw is right where either of two models is; bounds assume nothing."
    ui.label(line).classes("quiet")
    button = ui.button("Compare").props("outline")
    place = ui.element("div").classes("stack").props("aria-live=polite")

    async def compared() -> None:
        found: Comparison | None = await view.answer(
            place,
            "asking five ways",
            ("compare", question.text, question.seed),
            lambda db, _: db.compare(question.text, ways=_WAYS, m=MANY, seed=question.seed),
        )
        if found is None:
            return
        place.clear()
        with place:
            _forest(found)

    button.on_click(compared)


def _forest(found: Comparison) -> None:
    """A forest plot: one line for each method, one axis for each number."""
    shown = [one for one in found.lines if one.reason is None]
    for number in dict.fromkeys((one.group, one.name) for one in shown):
        lines = [one for one in shown if (one.group, one.name) == number]
        ends = [end for one in lines for end in (one.low, one.high, one.estimate) if math.isfinite(end)] or [0.0]
        rows = [[one.way, cells.interval(one.estimate, one.low, one.high, min(ends), max(ends))] for one in lines]
        group, name = number
        heading(" ".join((*group, name)))
        ui.html(cells.table(["way", name], rows, caption=name), sanitize=False).style("width:100%")
    for one in found.lines:
        if one.reason is not None:
            ui.label(f"{one.way}: {one.reason}").classes("quiet breakable")
