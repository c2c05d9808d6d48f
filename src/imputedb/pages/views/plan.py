"""The view Plan: the tree of operators with estimated and measured figures; imputes and drops are marked."""

from __future__ import annotations

from html import escape

from nicegui import ui

from imputedb.algebra.relation import Drop, Impute, Relation
from imputedb.algebra.render import label
from imputedb.algebra.walk import inputs
from imputedb.answers.explain import Explanation
from imputedb.pages import calls
from imputedb.pages.frame import View, heading, statement


async def build(view: View) -> None:
    """Builds the view."""
    with ui.element("div").classes("main"):
        statement(view)
        with ui.element("section").classes("panel").props('aria-label="Plan"'):
            with ui.element("div").classes("line"):
                heading("Plan")
                ui.space()
                measured = ui.button("Run and measure").props("outline")
            place = ui.element("div").classes("stack")

    async def show(*, analyze: bool) -> None:
        question = view.question
        title = "measuring each operator" if analyze else "planning"
        key = calls.plans_key(question, analyze=analyze)
        known = await view.answer(place, title, key, calls.plans(question, analyze=analyze))
        if known is None:
            return
        place.clear()
        with place:
            if known.explanation is None or not known.explanation.blocks:
                ui.label("DuckDB runs the text as it stands: nothing missing is read.").classes("quiet")
            else:
                _blocks(known.explanation)

    async def measure() -> None:
        await show(analyze=True)

    measured.on_click(measure)
    key = view.site.key(*calls.plans_key(view.question, analyze=True))
    await show(analyze=view.site.works.answer(key) is not None)


def _blocks(explanation: Explanation) -> None:
    """The plan of each block; the outermost block is last."""
    for name, plan in explanation.blocks:
        if name:
            ui.label(f"rows {name}").classes("quiet breakable")
        if isinstance(plan, str):
            ui.label(plan).classes("breakable")
            continue
        ui.label(f"penalty {plan.penalty:.4f}, about {plan.time:.1f} ms, alpha {explanation.alpha:g}").classes("quiet")
        ui.html(f'<ul class="tree">{_drawn(explanation, plan.relation)}</ul>', sanitize=False).style("width:100%")
    for column, form in explanation.forms.items():
        ui.label(f"{column}: {form}").classes("quiet breakable")
    ui.html(
        '<span class="node impute">μ imputes</span> <span class="node drop">δ drops rows</span>', sanitize=False
    ).classes("quiet")


def _drawn(explanation: Explanation, relation: Relation) -> str:
    """An operator with its inputs below."""
    kind = "impute" if isinstance(relation, Impute) else "drop" if isinstance(relation, Drop) else ""
    below = "".join(_drawn(explanation, one) for one in inputs(relation))
    text = (
        f'<span class="node {kind}"><span class="does">{escape(label(relation))}</span>'
        f'<span class="seen">{escape(_seen(explanation, relation))}</span></span>'
    )
    return f"<li>{text}{f'<ul>{below}</ul>' if below else ''}</li>"


def _seen(explanation: Explanation, relation: Relation) -> str:
    """Rows and time of an operator, estimated and, where known, measured."""
    estimate, actual = explanation.estimated.get(id(relation)), explanation.actual.get(id(relation))
    parts = []
    if estimate is not None:
        parts.append(f"about {estimate.rows:,.0f} rows, {estimate.ms:.2f} ms")
    if actual is not None:
        parts.append(f"seen {actual.rows:,} rows, {actual.seconds * 1e3:.2f} ms")
    return "; ".join(parts)
