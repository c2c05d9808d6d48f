"""Sheets of workbooks as columns: a row of titles, and the rows below it."""

from __future__ import annotations

from collections.abc import Sequence
from types import ModuleType
from typing import Any

import numpy as np

from imputedb.errors import DataError
from imputedb.notes import Note, NoteKind

Row = Sequence[Any]


def read(calamine: ModuleType, path: str, sheet: str | None) -> tuple[dict[str, Any], list[Note]]:
    """The columns of a sheet, by default the first, and notes on other sheets and skipped rows.

    Raises:
        DataError: there is no such sheet, or it holds no table.
    """
    book = calamine.load_workbook(path)
    names = list(book.sheet_names)
    wanted = names[0] if sheet is None else sheet
    if wanted not in names:
        raise DataError(f"{path} has no sheet {wanted!r}; there are {', '.join(map(repr, names))}")
    rows = [row for row in book.get_sheet_by_name(wanted).to_python() if any(_has_value(cell) for cell in row)]
    width = max((sum(map(_has_value, row)) for row in rows), default=0)
    top = next((place for place, row in enumerate(rows) if 2 * sum(map(_has_value, row)) > width), None)
    if top is None or width == 0:
        raise DataError(f"sheet {wanted!r} of {path} is empty")
    others = f"{path}: sheet {wanted!r} was read, and not {', '.join(map(repr, names[1:]))} (--sheet names another)"
    messages = [others] if sheet is None and len(names) > 1 else []
    messages += [f"{path}: {top} rows above the titles were left out"] if top else []
    return _columns(rows[top], rows[top + 1 :]), [Note(NoteKind.READ_AS, path, words) for words in messages]


def _has_value(cell: Any) -> bool:
    return cell is not None and cell != ""


def _columns(titles: Row, rows: Sequence[Row]) -> dict[str, Any]:
    kept = [
        place
        for place in range(len(titles))
        if _has_value(titles[place]) or any(_has_value(row[place]) for row in rows)
    ]
    found: dict[str, Any] = {}
    for place in kept:
        name = _text(titles[place]).strip() or f"column{place}"
        number = 1
        while (name if number == 1 else f"{name}_{number - 1}") in found:
            number += 1
        found[name if number == 1 else f"{name}_{number - 1}"] = _column([row[place] for row in rows])
    return found


def _column(cells: Sequence[Any]) -> Any:
    """Cells of one kind unchanged, cells of several kinds as text."""
    missing = [not _has_value(cell) for cell in cells]
    known = [cell for cell in cells if _has_value(cell)]
    kinds = {type(cell) for cell in known}
    if kinds <= {int, float} and known:
        numbers = [0 if absent else cell for cell, absent in zip(cells, missing, strict=True)]
        whole = all(float(cell).is_integer() and abs(cell) < 2**53 for cell in known)
        return np.ma.masked_array(np.array(numbers, np.int64 if whole else np.float64), missing)
    same = len(kinds) == 1
    return np.array(
        [None if absent else cell if same else _text(cell) for cell, absent in zip(cells, missing, strict=True)], object
    )


def _text(cell: Any) -> str:
    if isinstance(cell, float) and cell.is_integer() and abs(cell) < 2**53:
        return str(int(cell))
    return str(cell)
