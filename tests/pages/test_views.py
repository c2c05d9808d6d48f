"""The views beside Ask, each at one of two widths, light or dark, with what it is for done once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.pages.conftest import HOSTILE, MEAN, Seen


@pytest.fixture(scope="module")
def address(browser: Any, link: str) -> Iterator[str]:
    """What links say of a question that was answered."""
    page = browser.new_page()
    view = Seen(page, link.partition("/?")[0])
    view.open()
    view.ask(MEAN)
    page.get_by_text("pooled of 20 draws.", exact=False).first.wait_for()
    yield page.url.partition("?")[2]
    page.close()


def _go(view: Seen, name: str, address: str) -> Any:
    return view.open(f"{name}?{address}")


def _looked_at(page: Any, table: str) -> None:
    """Chooses a table by the keyboard."""
    field = page.get_by_role("combobox", name="Table")
    field.wait_for()
    field.press("Enter")
    page.get_by_role("option", name=table, exact=True).click()


def test_trade_compares_the_answers_of_two_plans(seen: Callable[..., Seen], address: str) -> None:
    page = _go(seen(390, dark=True), "trade", address)
    slider = page.locator(".q-slider [tabindex='0']")
    slider.wait_for()
    before = page.url
    slider.press("ArrowRight")
    page.get_by_text("plan 2 of").wait_for()
    assert page.url != before
    page.get_by_role("button", name="Compare").press("Enter")
    page.get_by_text("holds the difference").wait_for()
    rows = page.get_by_role("region", name="Differences").locator("tbody tr").all_inner_texts()
    assert len(rows) == 2
    plans = page.get_by_role("region", name="Plans").locator("tbody tr").all_inner_texts()
    assert "tree(labs.white_blood_cell_ct)" in plans[0]
    assert "not run" not in plans[0] + plans[-1]


def test_a_plan_is_measured_operator_by_operator(seen: Callable[..., Seen], address: str) -> None:
    page = _go(seen(), "plan", address)
    page.locator(".node.impute").first.wait_for()
    assert "about" in page.locator(".node.impute .seen").first.inner_text()
    page.get_by_role("button", name="Run and measure").press("Enter")
    page.locator(".node .seen", has_text="seen").first.wait_for()


def test_what_is_missing_together_and_what_a_policy_would_change(seen: Callable[..., Seen], address: str) -> None:
    page = _go(seen(), "missing", address)
    page.locator("table.patterns").wait_for()
    assert page.locator("table.cells td", has_text=HOSTILE).count() > 0
    _looked_at(page, "exams")
    page.get_by_role("region", name="579 rows").wait_for()
    page.get_by_role("button", name="Test").press("Enter")
    page.get_by_text("Caution: a large p does not show").wait_for()
    page.get_by_label("Least value").fill("50")
    page.get_by_role("button", name="What would change").press("Enter")
    page.get_by_text("then: ").wait_for()
    page.get_by_role("button", name="Keep this policy").press("Enter")
    page.get_by_role("region", name="Policies").locator("td", has_text="50").wait_for()
    page.get_by_role("button", name="Drop the column's policy").press("Enter")
    page.get_by_text("Nothing is said of this table's columns").wait_for()


def test_draws_stand_beside_observed_values_and_cells_have_reasons(seen: Callable[..., Seen], address: str) -> None:
    page = _go(seen(), "imputed", address)
    page.get_by_text("5 draws of").wait_for()
    _looked_at(page, "exams")
    page.get_by_text("missing cells by").wait_for()
    page.get_by_role("region", name="Observed and imputed").locator("svg").wait_for()
    page.get_by_role("button", name="List cells").press("Enter")
    page.locator(".asked-cells button").first.press("Enter")
    page.get_by_text("20 nearest rows").wait_for()
    assert page.get_by_role("region", name="Neighbours").locator("tbody tr").count() == 20


def test_an_answer_moves_with_a_shift_of_imputed_values(seen: Callable[..., Seen], address: str) -> None:
    page = _go(seen(390), "what-if", address)
    page.get_by_role("button", name="Shift", exact=True).press("Enter")
    page.get_by_text("dotted: where it tips").wait_for()
    assert page.get_by_text("does not tip").count() == 2
    slider = page.locator(".q-slider [tabindex='0']")
    slider.press("ArrowLeft")
    page.get_by_text("shift -0.25").wait_for()


def test_jobs_are_listed_and_models_named(seen: Callable[..., Seen], address: str) -> None:
    page = _go(seen(1280, dark=True), "models", address)
    page.get_by_text("No model is kept").wait_for()
    jobs = page.get_by_role("region", name="Jobs").locator("tbody")
    jobs.locator("tr", has_text="answering").first.wait_for()
    page.get_by_role("button", name="Its jobs").press("Enter")
    page.get_by_role("alert").wait_for()
    assert "no service has run" in page.get_by_role("alert").inner_text()


def test_what_takes_long_is_told_of_and_cancelled(seen: Callable[..., Seen]) -> None:
    view = seen()
    page = view.open()
    view.ask("SELECT count(*) FROM range(10000000) a, range(1000000) b")
    cancel = page.get_by_role("button", name="Cancel")
    cancel.wait_for()
    cancel.press("Enter")
    said = page.get_by_role("alert")
    said.wait_for()
    assert "cancelled after" in said.inner_text()


def test_every_control_has_a_name_and_the_views_are_reached_by_tab(seen: Callable[..., Seen]) -> None:
    page = seen().open()
    page.get_by_role("textbox", name="SQL").wait_for()
    unnamed = page.evaluate(
        "[...document.querySelectorAll('button, a[href], input, select')].filter(e => e.offsetParent && !("
        "e.innerText.trim() || e.ariaLabel || e.title || e.labels?.length || e.closest('label, [aria-label]'))).length"
    )
    assert unnamed == 0
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.innerText") == "To the view"
    names = []
    for _ in range(7):
        page.keyboard.press("Tab")
        names.append(page.evaluate("document.activeElement.innerText"))
    assert names == ["Ask", "Trade", "Plan", "Missing", "Imputed", "What if", "Models and jobs"]
