"""The view Ask: a statement in, an answer with intervals out, imputed cells told apart."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.pages.conftest import HOSTILE, MEAN, Seen, quoted


def test_a_mean_comes_with_intervals_plan_and_frontier_and_survives_a_reload(seen: Callable[..., Seen]) -> None:
    view = seen()
    page = view.open()
    view.ask(MEAN)
    answer = page.get_by_role("region", name="Answer")
    answer.get_by_text("pooled of 20 draws.", exact=False).first.wait_for()
    assert answer.locator("svg[role=img]").count() == 2
    assert " to " in answer.locator(".ends").first.inner_text()
    assert "μ tree(labs.white_blood_cell_ct)" in page.get_by_role("region", name="Plan").first.inner_text()
    page.get_by_role("region", name="Frontier").locator("svg").wait_for()
    assert "white" not in page.url
    before = answer.locator("table").inner_text()
    page.reload()
    answer.locator("table").wait_for()
    assert answer.locator("table").inner_text() == before
    assert "AVG(white_blood_cell_ct)" in page.get_by_role("textbox", name="SQL").inner_text()


def test_rows_are_paged_on_the_server_and_imputed_cells_are_told_apart(seen: Callable[..., Seen]) -> None:
    view = seen()
    page = view.open()
    view.ask("SELECT id, marital_status FROM demo ORDER BY id")
    page.get_by_text("rows 1 to 50 of 600").wait_for()
    assert 0 < page.locator("td.imputed").count() < 50
    assert page.locator("table.cells tbody tr").count() == 50
    page.get_by_role("button", name="Last").press("Enter")
    page.get_by_text("rows 551 to 600 of 600").wait_for()
    assert page.locator("table.cells tbody tr td").first.inner_text() == str(73_557 + 550)


@pytest.mark.parametrize(("width", "dark"), [(1280, False), (390, True)])
def test_hostile_names_and_values_are_text(seen: Callable[..., Seen], width: int, *, dark: bool) -> None:
    view = seen(width, dark=dark)
    page = view.open()
    view.ask(f"SELECT * FROM {quoted(HOSTILE)} ORDER BY 3")
    page.get_by_text("rows 1 to 50 of 120").wait_for()
    assert page.locator("table.cells th").first.inner_text() == HOSTILE
    assert HOSTILE in page.locator("table.cells tbody").inner_text()
    assert "(2,000 characters)" in page.locator("table.cells tbody").inner_text()
    page.get_by_text(HOSTILE, exact=True).first.click()
    page.locator(".attribute").first.wait_for()
    assert page.locator(".attribute").first.inner_text().startswith(HOSTILE)
    assert page.locator("body.body--dark").count() == int(dark)


def test_mistakes_are_sentences(seen: Callable[..., Seen]) -> None:
    view = seen()
    page = view.open()
    view.ask("SELECT wieght FROM exams")
    said = page.get_by_role("alert")
    said.wait_for()
    assert 'did you mean "weight"' in said.inner_text()
