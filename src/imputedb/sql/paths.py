"""Names of tables as paths, their parts between dots and quoted where need be, and paths of files as patterns."""

import re
from collections.abc import Sequence
from pathlib import Path

_PART = re.compile(r'"((?:[^"]|"")*)"|([^."]+)')


def quoted(path: Sequence[str]) -> str:
    """A path as SQL has it, every part of it quoted."""
    return ".".join('"' + part.replace('"', '""') + '"' for part in path)


def parts_of(name: str) -> tuple[str, ...]:
    """The parts of a table's name as a person writes it: separated by dots, quoted where they hold any."""
    parts, place = [], 0
    while found := _PART.match(name, place):
        parts.append(found[1].replace('""', '"') if found[1] is not None else found[2])
        place = found.end() + 1
        if name[found.end() : place] not in ("", "."):
            break
    return tuple(parts) if place == len(name) + 1 and 0 < len(parts) < 4 else (name,)


def one_file(path: str | Path) -> str:
    """A pattern that matches the file of a path alone, though its name holds what patterns are made of."""
    escaped, text = False, str(path)
    parts = []
    for mark in text:
        parts.append(f"[{mark}]" if mark in "*?[" and not escaped else mark)
        escaped = mark == "\\" and not escaped
    return "".join(parts)
