"""The report: one HTML page with everything in it, and the same tables as Markdown."""

import base64
import json
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

from benchmarks.paper import targets
from benchmarks.paper.grid import Cell, Grid
from benchmarks.paper.part import Part
from imputedb.errors import StorageError
from imputedb.files import published

PAGE, TEXT = "report.html", "report.md"

_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; max-width: 74rem; margin: 2rem auto; padding: 0 1rem; color: #222 }
h1 { font-size: 1.5rem } h2 { font-size: 1.2rem; margin-top: 2.6rem } h3 { font-size: 1rem } img { max-width: 100% }
table { border-collapse: collapse; font-size: .85rem } th { border-bottom: 1px solid #999; vertical-align: bottom }
td, th { padding: .15rem .8rem .15rem 0; vertical-align: top } .n { text-align: right } .t { text-align: left }
.wide { overflow-x: auto; max-height: 34rem; overflow-y: auto } .quiet { color: #666 }
@media print { .wide { max-height: none; overflow: visible } }
"""
_LONG = 400
"""Rows from which on a table is in its file alone."""

Found = Mapping[str, Any]


def write(out: Path, parts: Sequence[Part], skipped: Mapping[str, str]) -> Path:
    """Writes the page and the text from what every part has kept in a folder, and gives the page's path.

    Raises:
        StorageError: something there cannot be read, or the page cannot be written.
    """
    found = {part.name: told for part in parts if (told := _read(out / f"{part.name}.json")) is not None}
    judged = targets.targets({name: told["data"] for name, told in found.items()})
    promises = targets.grid(judged)
    for name, text in (
        (PAGE, _html(out, parts, found, skipped, promises)),
        (TEXT, _markdown(parts, found, skipped, promises)),
        ("targets.csv", promises.csv()),
    ):
        with published(str(out / name)) as temporary:
            Path(temporary).write_text(text, encoding="utf-8")
    return out / PAGE


def _read(path: Path) -> dict[str, Any] | None:
    if not path.is_file():
        return None
    try:
        told: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise StorageError(f"cannot read {path}: {error}; measure that part again, or remove it") from error
    return told


def _html(
    out: Path, parts: Sequence[Part], found: Mapping[str, Found], skipped: Mapping[str, str], promises: Grid
) -> str:
    body = ["<h1>The paper's experiments, on imputedb</h1>", promises.html(), _made(found).html()]
    for part in parts:
        body.append(f"<h2>{escape(part.title)}</h2>")
        if part.name not in found:
            body.append(f"<p>{escape(_why_not(part, skipped))}</p>")
            continue
        data = found[part.name]["data"]
        body.append(f'<p class="quiet">{escape(part.about)}</p>')
        body.append(_image(out / f"{part.name}.png", part.title))
        body += [grid.html() for grid in part.tables(data) if len(grid.rows) <= _LONG]
    head = f"<!doctype html><meta charset=utf-8><title>The paper's experiments</title><style>{_STYLE}</style>"
    return head + "\n".join(body) + "\n"


def _image(path: Path, title: str) -> str:
    """A figure inside the page."""
    try:
        coded = base64.b64encode(path.read_bytes()).decode()
    except OSError as error:
        raise StorageError(f"cannot read {path}: {error.strerror}; measure that part again") from error
    return f'<p><img alt="{escape(title)}" src="data:image/png;base64,{coded}"></p>'


def _why_not(part: Part, skipped: Mapping[str, str]) -> str:
    return f"Not measured: no {skipped[part.name]}." if part.name in skipped else "Not measured yet."


def _made(found: Mapping[str, Found]) -> Grid:
    """When, on what and with what each part was measured."""
    names = list(dict.fromkeys(name for told in found.values() for name in told["facts"]))
    rows: list[list[Cell]] = [
        [part, told["made"], told["seconds"], *(told["facts"].get(name) for name in names)]
        for part, told in found.items()
    ]
    note = "Seeds are 0, 1, 2, ... wherever there are several; generated data has its own, fixed one."
    return Grid("made", "How it was made", ["part", "when", "seconds", *names], rows, note)


def _markdown(parts: Sequence[Part], found: Mapping[str, Found], skipped: Mapping[str, str], promises: Grid) -> str:
    body = ["# The paper's experiments, on imputedb", "", promises.markdown(), _made(found).markdown()]
    for part in parts:
        body += [f"## {part.title}", ""]
        if part.name not in found:
            body += [_why_not(part, skipped), ""]
            continue
        data = found[part.name]["data"]
        body += [part.about, "", f"![{part.title}]({part.name}.png)\n"]
        body += [
            grid.markdown() if len(grid.rows) <= _LONG else f"{grid.title}: {grid.name}.csv\n"
            for grid in part.tables(data)
        ]
    return "\n".join(body)
