"""The frame of every view: head, links to other views, light or dark theme, progress of long work."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import cache
from importlib.resources import files
from typing import TypeVar

from nicegui import Client, ui
from starlette.requests import Request

from imputedb.errors import Error
from imputedb.pages.names import in_sql
from imputedb.pages.question import Question
from imputedb.pages.site import Site
from imputedb.pages.work import Call, Work

T = TypeVar("T")

_IS_DARK = "matchMedia('(prefers-color-scheme: dark)').matches"

_UNKNOWN = "This link is from before the page was restarted: its question is no longer known."

_UNSEEN = 0.3
"""Seconds before a progress bar appears."""

_LOOK = 0.2
"""Seconds between two updates of the progress."""


class View:
    """One view, opened in a browser.

    Attributes:
        site: state that all views share.
        name: name of the view, in its address.
        question: what the view shows now.
        is_dark: whether the theme is dark; None for the browser's preference.
    """

    def __init__(self, site: Site, name: str, question: Question, *, is_dark: bool | None) -> None:
        self.site = site
        self.name = name
        self.question = question
        self.is_dark = is_dark
        self.links: dict[str, ui.element] = {}

    def at(self, question: Question) -> None:
        """Changes the question, in the address and in the links to other views."""
        self.question = question
        ui.navigate.history.replace(self.site.link(self.name, question))
        for view, link in self.links.items():
            link.props["href"] = self.site.link(view, question)
            link.update()

    async def answer(self, place: ui.element, title: str, key: tuple[object, ...], call: Call[T]) -> T | None:
        """The result of a call. While it runs an element shows its progress, and afterwards its error, if there is one.

        Args:
            place: element to use; it is emptied first.
            title: what the call does.
            key: cache key, equal for calls with the same result.
            call: function that is run on a thread of its own.
        """
        place.clear()
        waiting: list[ui.element] = []

        def shown(work: Work[T]) -> None:
            with place:
                waiting.append(progress(work))

        try:
            return await self.site.works.ask(self.site.key(*key), title, call, shown)
        except Error as error:
            if not place.is_deleted:
                with place:
                    alert(str(error))
            return None
        finally:
            for one in waiting:
                if not one.is_deleted:
                    one.delete()

    async def look(self, place: ui.element, call: Callable[[], T]) -> T | None:
        """The result of a short call, which is not cached; an error is shown in an element, which is emptied."""
        place.clear()
        try:
            return await asyncio.to_thread(call)
        except Error as error:
            with place:
                alert(str(error))
            return None


def heading(text: str) -> None:
    """The heading of a section."""
    ui.label(text).classes("heading").props("role=heading aria-level=2")


def section(title: str) -> ui.element:
    """A section with a heading; elements are added to it by `with`."""
    with ui.element("section").classes("panel") as found:
        found.props["aria-label"] = title
        heading(title)
    return found


def statement(view: View) -> None:
    """The statement that a view is about, with a link to change it."""
    with ui.element("section").classes("panel").props('aria-label="Statement"'):
        ui.label(view.question.text or "no statement").classes("statement").props("tabindex=0")
        with ui.element("div").classes("line"):
            words = f"imputer {view.question.imputer}, seed {view.question.seed}"
            ui.label(words).classes("quiet")
            link = ui.element("a")
            link.props["href"] = view.site.link("ask", view.question)
            with link:
                ui.label("Change it").style("display:inline")


def alert(text: str) -> None:
    """An error message."""
    ui.label(text).classes("alert").props("role=alert")


def progress(work: Work[T]) -> ui.element:
    """A progress bar with the remaining time and a button to cancel; hidden at first."""
    with ui.element("div").classes("waiting").props("role=status aria-live=polite") as whole:
        bar = ui.linear_progress(0, show_value=False).props("indeterminate")
        bar.props["aria-label"] = work.title  # the title holds names of data, which a string of props would parse
        line = ui.label(work.title).classes("quiet")
        ui.button("Cancel", on_click=work.cancel).props("outline dense no-caps padding='xs sm'")

    def look() -> None:
        whole.set_visibility(work.seconds > _UNSEEN)
        left = f", about {work.left:.0f} s left" if work.left is not None else ""
        share = f" {work.share:.0%}" if work.share is not None else ""
        line.set_text(f"{work.title}{share}, {work.seconds:.1f} s{left}")
        if work.share is not None:
            bar.props(remove="indeterminate")
            bar.set_value(work.share)

    whole.set_visibility(False)
    with whole:
        ui.timer(_LOOK, look)
    return whole


@cache
def _style() -> str:
    return files("imputedb.pages").joinpath("style.css").read_text(encoding="utf-8")


Build = Callable[[View], Awaitable[None] | None]

VIEWS = {
    "ask": "Ask",
    "trade": "Trade",
    "plan": "Plan",
    "missing": "Missing",
    "imputed": "Imputed",
    "what-if": "What if",
    "models": "Models and jobs",
}
"""The titles of the views, by their names in addresses."""


def _head(view: View) -> None:
    ui.add_css(_style())
    ui.colors(primary="#1f5f9e")
    ui.dark_mode(view.is_dark)
    with ui.header(fixed=False, elevated=False, wrap=False).classes("head"):
        with ui.element("div").classes("name"):
            ui.label("imputedb").style("display:inline")
        ui.label(view.site.title).classes("of").props(f'title="{"writable" if view.site.is_writable else "read-only"}"')
        with ui.element("nav").classes("views").props('aria-label="Views"'):
            for number, (name, title) in enumerate(VIEWS.items(), start=1):
                link = ui.element("a").props(f'accesskey={number} title="Alt+{number}"')
                link.props["href"] = view.site.link(name, view.question)
                if name == view.name:
                    link.props("aria-current=page")
                view.links[name] = link
                with link:
                    ui.label(title)
        ui.button(icon="contrast", on_click=lambda: _turned(view)).props(
            'flat round dense aria-label="Light or dark" title="Light or dark"'
        )


def _turned(view: View) -> None:
    """Switches between light and dark; a cookie stores the choice, and nothing is computed again."""
    theme = "light" if view.is_dark else "dark"
    ui.run_javascript(f"document.cookie = 'theme={theme}; path=/; SameSite=Strict'; location.reload()")


def register(site: Site) -> None:
    """Registers the views of a site with nicegui."""
    from imputedb.pages.views import ask, imputed, missing, models, plan, trade, what_if

    rooms = (ask, trade, plan, missing, imputed, what_if, models)
    builds: dict[str, Build] = {name: room.build for name, room in zip(VIEWS, rooms, strict=True)}

    def opening(name: str, build: Build) -> None:
        async def opened(request: Request, client: Client, q: str = "") -> None:
            question = site.questions.of(q)
            theme = {"dark": True, "light": False}.get(request.cookies.get("theme", ""))
            view = View(site, name, question or Question(text=_first(site)), is_dark=theme)
            _head(view)
            ui.page_title(f"{VIEWS[name]} - imputedb")
            with ui.element("div").classes("body") as main:
                if q and question is None:
                    ui.label(_UNKNOWN).classes("remark")
                await client.connected()
                if view.is_dark is None:
                    view.is_dark = bool(await ui.run_javascript(_IS_DARK))
                made = build(view)
                if made is not None:
                    await made
            ui.skip_link("To the view", target=main)

        ui.page(f"/{name}")(opened)
        if name == "ask":
            ui.page("/")(opened)

    for name, build in builds.items():
        opening(name, build)


def _first(site: Site) -> str:
    """A first statement to show."""
    found = next(iter(site.database.tables()), None)
    return f"SELECT * FROM {in_sql(found)} LIMIT 100" if found else "SELECT 42 AS answer"
