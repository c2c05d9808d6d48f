"""Paths of tables, with dots and quotes, and patterns for paths of files."""

import re
from collections.abc import Sequence
from pathlib import Path

_PART = re.compile(r'"((?:[^"]|"")*)"|([^."]+)')


def quoted(path: Sequence[str]) -> str:
    """A path in SQL, each part quoted."""
    return ".".join('"' + part.replace('"', '""') + '"' for part in path)


def parts_of(name: str) -> tuple[str, ...]:
    """The parts of a table's name as users write it, separated by dots and quoted where needed."""
    parts, place = [], 0
    while found := _PART.match(name, place):
        parts.append(found[1].replace('""', '"') if found[1] is not None else found[2])
        place = found.end() + 1
        if name[found.end() : place] not in ("", "."):
            break
    return tuple(parts) if place == len(name) + 1 and 0 < len(parts) < 4 else (name,)


def one_file(path: str | Path) -> str:
    """A pattern that matches exactly one file, even if its name has special characters."""
    escaped, text = False, str(path)
    parts = []
    for mark in text:
        parts.append(f"[{mark}]" if mark in "*?[" and not escaped else mark)
        escaped = mark == "\\" and not escaped
    return "".join(parts)
