"""Files of SPSS, Stata and SAS: values, labels, and codes that their authors declared missing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from imputedb.notes import Note, NoteKind

Parts = tuple[dict[str, Any], dict[str, list[object]], dict[str, str], list[Note]]


def read(pyreadstat: ModuleType, path: str, encoding: str | None) -> Parts:
    """Columns, values declared missing, comments and notes of a file.

    SPSS's user-missing values stay as they are and are declared missing. The letters of Stata and SAS (`.a` to `.z`)
    become NULL, since a column of numbers cannot hold them; a note counts each.
    """
    reader = {
        ".sav": "read_sav", ".zsav": "read_sav", ".por": "read_por", ".dta": "read_dta",
        ".sas7bdat": "read_sas7bdat", ".xpt": "read_xport",
    }[Path(path).suffix.lower()]  # fmt: skip
    options: dict[str, Any] = {"output_format": "dict"}
    if reader in ("read_sav", "read_dta", "read_sas7bdat"):
        options["user_missing"] = True
    if encoding is not None and reader != "read_por":
        options["encoding"] = encoding
    columns, meta = getattr(pyreadstat, reader)(path, **options)
    labels: Mapping[str, Mapping[object, str]] = getattr(meta, "variable_value_labels", {}) or {}
    titles: Mapping[str, str | None] = getattr(meta, "column_names_to_labels", {}) or {}
    letters: Mapping[str, Sequence[str]] = getattr(meta, "missing_user_values", {}) or {}
    ranges: Mapping[str, Sequence[Mapping[str, Any]]] = getattr(meta, "missing_ranges", {}) or {}
    frame, missing, notes = {}, {}, list[Note]()
    for name, values in columns.items():
        left = list(values)
        if letters.get(name):
            left, counts = _without_letters(left, set(letters[name]), labels.get(name, {}))
            notes += [Note(NoteKind.DECLARED, name, f"{Path(path).name}, {name}: {counts}")] if counts else []
        frame[name] = column(left)
        codes = _declared(left, ranges.get(name, ()))
        if codes:
            missing[name] = codes
            shown = ", ".join(_with_label(code, labels.get(name, {})) for code in codes)
            notes.append(Note(NoteKind.DECLARED, name, f"{Path(path).name}, {name}: the file declares missing {shown}"))
    comments = {name: text for name in columns if (text := _comment(titles.get(name), labels.get(name, {})))}
    return frame, missing, comments, notes


def column(values: Sequence[Any]) -> Any:
    """A column as an array: doubles that are all whole become integers, and missing values are masked."""
    missing = np.array([value is None or value != value for value in values], bool)
    known = [value for value in values if value is not None and value == value]
    if not known or not all(isinstance(value, int | float) and not isinstance(value, bool) for value in known):
        return np.array([None if absent else v for v, absent in zip(values, missing, strict=True)], object)
    whole = all(float(value).is_integer() and abs(value) < 2**53 for value in known)
    numbers = np.array([0.0 if absent else v for v, absent in zip(values, missing, strict=True)], np.float64)
    return np.ma.masked_array(numbers.astype(np.int64) if whole else numbers, missing)


def _without_letters(values: list[Any], letters: set[str], labels: Mapping[object, str]) -> tuple[list[Any], str]:
    counts: dict[str, int] = {}
    for value in values:
        if isinstance(value, str) and value in letters:
            counts[value] = counts.get(value, 0) + 1
    shown = [f"{count:,} of .{one.lower()}{_label(one, labels)}" for one, count in sorted(counts.items())]
    left = [None if isinstance(value, str) and value in letters else value for value in values]
    return left, f"{', '.join(shown)} are NULL" if shown else ""


def _declared(values: Sequence[Any], ranges: Sequence[Mapping[str, Any]]) -> list[object]:
    """The values of a column, in ascending order, that lie in one of some ranges."""
    found = set()
    for value in {value for value in values if value is not None and value == value}:
        for one in ranges:
            same = isinstance(value, str) == isinstance(one["lo"], str)
            if same and one["lo"] <= value <= one["hi"]:
                found.add(int(value) if isinstance(value, float) and value.is_integer() else value)
    return sorted(found, key=lambda value: (isinstance(value, str), value))


def _label(value: object, labels: Mapping[object, str]) -> str:
    return f" ({labels[value]})" if value in labels else ""


def _with_label(value: object, labels: Mapping[object, str]) -> str:
    return f"{value}{_label(value, labels)}"


def _comment(title: str | None, labels: Mapping[object, str]) -> str:
    codes = [f"{_plain(code)} = {text}" for code, text in labels.items()]
    return "; ".join([*([title] if title else []), *codes])


def _plain(code: object) -> object:
    return int(code) if isinstance(code, float) and code.is_integer() else code
