"""Fields to choose the table and the column of a view."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace

from nicegui import ui

from imputedb.pages.frame import View


def table(view: View) -> str | None:
    """The chosen table: the question's, else the first; None where there is none."""
    known = view.site.database.tables()
    return view.question.table if view.question.table in known else next(iter(known), None)


def column(view: View, choices: Sequence[str]) -> str | None:
    """The chosen column: the question's, else the first of the choices."""
    return view.question.column if view.question.column in choices else next(iter(choices), None)


def table_field(view: View, changed: Callable[[], Awaitable[None]]) -> None:
    """A field to choose the table; a new table is shown from its first column."""
    known = list(view.site.database.tables())

    async def chosen() -> None:
        view.at(replace(view.question, table=str(field.value), column=""))
        await changed()

    field = ui.select(known, value=table(view), label="Table", on_change=chosen)
    field.props("outlined dense options-dense").classes("wide")


def column_field(view: View, choices: Sequence[str], changed: Callable[[], Awaitable[None]]) -> None:
    """A field to choose a column."""

    async def chosen() -> None:
        view.at(replace(view.question, column=str(field.value)))
        await changed()

    field = ui.select(list(choices), value=column(view, choices), label="Column", on_change=chosen)
    field.props("outlined dense options-dense").classes("wide")
