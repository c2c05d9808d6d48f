"""A page over a small survey with hostile names, in a process of its own, seen by Debian's Chromium."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import imputedb
from imputedb.cli.survey import survey

pytest.importorskip("nicegui", reason="the extra imputedb[ui] is not installed")
sync_api = pytest.importorskip(
    "playwright.sync_api", reason="playwright, by which the page is driven, is not installed"
)

CHROMIUM = shutil.which("chromium")

FLAGS = (
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"),
    *("--disable-component-update", "--disable-sync"),
)

HOSTILE = 'a" innerHTML="<img src=x onerror=window.caught=1>" x="`${window.caught=1}\'";--</script>'
"""A name and a value that would run where they are taken for anything but text."""

MEAN = "SELECT gender, AVG(white_blood_cell_ct) AS cells FROM demo, labs WHERE demo.id = labs.id GROUP BY gender"


def quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def made(path: Path) -> Path:
    """The survey of 600 people, and a table whose names and values are hostile."""
    rng = np.random.default_rng(5)
    with imputedb.connect(path) as db:
        for name, columns in survey(600).items():
            db.register(name, columns, keep=True)
        values = np.array([HOSTILE, "🧩 ünï", "x" * 2_000, "a"], dtype=object)[rng.integers(0, 4, 120)]
        values[rng.random(120) < 0.3] = None
        number = np.ma.masked_array(rng.normal(0, 1, 120), rng.random(120) < 0.3)
        db.register(HOSTILE, {HOSTILE: values, "n" * 300: number, "🧩": np.arange(120)}, keep=True)
    return path


@contextmanager
def page_of(*arguments: str) -> Iterator[str]:
    """The link of a page that runs."""
    command = [sys.executable, "-m", "imputedb.cli", "ui", *arguments, "--http", "127.0.0.1:0", "--no-browser"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        link = process.stdout.readline().strip()
        assert link, process.communicate(timeout=60)[1]
        yield link
    finally:
        process.terminate()
        process.communicate(timeout=60)


@pytest.fixture(scope="session")
def link(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    if CHROMIUM is None:
        pytest.skip("chromium is not installed")
    with page_of(str(made(tmp_path_factory.mktemp("page") / "survey.duckdb")), "--writable") as found:
        yield found


@pytest.fixture(scope="session")
def browser(link: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A browser that has the page's cookie."""
    with sync_api.sync_playwright() as driver:
        folder = tmp_path_factory.mktemp("browser")
        found = driver.chromium.launch_persistent_context(
            str(folder), executable_path=CHROMIUM, args=FLAGS, viewport={"width": 1280, "height": 900}
        )
        found.set_default_timeout(90_000)
        found.new_page().goto(link)
        yield found
        found.close()


class Seen:
    """A page in a browser, with what went wrong in it."""

    def __init__(self, page: Any, address: str) -> None:
        self.page = page
        self.address = address
        self.wrong: list[str] = []
        self.foreign: list[str] = []
        page.on("pageerror", lambda error: self.wrong.append(str(error)))
        page.on("console", lambda said: self.wrong.append(said.text) if said.type == "error" else None)
        page.on("request", self._requested)

    def _requested(self, request: Any) -> None:
        if not request.url.startswith((self.address, self.address.replace("http", "ws"), "data:", "blob:")):
            self.foreign.append(request.url)

    def open(self, view: str = "ask") -> Any:
        self.page.goto(f"{self.address}/{view}")
        return self.page

    def ask(self, text: str) -> Any:
        """Writes a statement into the editor and runs it, by the keyboard alone."""
        editor = self.page.get_by_role("textbox", name="SQL")
        editor.wait_for()
        editor.focus()
        self.page.keyboard.press("Control+a")
        self.page.keyboard.insert_text(text)
        self.page.keyboard.press("Control+Enter")
        return self.page

    def check(self) -> None:
        """Nothing went wrong, nothing came from elsewhere, no name or value ran, nothing is wider than the window."""
        assert not self.wrong
        assert not self.foreign
        assert self.page.evaluate("window.caught") is None
        assert self.page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0


@pytest.fixture
def seen(browser: Any, link: str) -> Iterator[Callable[..., Seen]]:
    """Opens a page of some width, checked at the end."""
    opened: list[Seen] = []

    def open_at(width: int = 1280, *, dark: bool = False) -> Seen:
        page = browser.new_page()
        page.set_viewport_size({"width": width, "height": 900})
        page.emulate_media(color_scheme="dark" if dark else "light")
        opened.append(Seen(page, link.partition("/?")[0]))
        return opened[-1]

    yield open_at
    for one in opened:
        one.check()
        one.page.close()
