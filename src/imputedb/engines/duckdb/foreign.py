"""Files of other programs: workbooks, SPSS, Stata, SAS and R, read by packages for these formats."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from imputedb.engines.duckdb import labelled, workbooks
from imputedb.engines.duckdb.packages import package
from imputedb.engines.reading import Reading
from imputedb.errors import DataError, StorageError
from imputedb.notes import Note, NoteKind

Columns = Mapping[str, Sequence[Any]]


@dataclass(frozen=True, slots=True)
class FileContent:
    """The content of a file.

    Attributes:
        frame: a data frame, or values by column.
        missing: by column, the values that the file declares missing.
        comments: by column, a description of the column and its codes.
        notes: notes for the user.
        texts: whether text may hold numbers and words for missing values.
    """

    frame: Any
    missing: Mapping[str, Sequence[object]] = field(default_factory=dict)
    comments: Mapping[str, str] = field(default_factory=dict)
    notes: Sequence[Note] = ()
    texts: bool = False


def read(paths: Sequence[str], suffix: str, reading: Reading) -> FileContent:
    """The content of the files of one table.

    Raises:
        DataError: a package is not installed, or files have different columns.
        StorageError: a file is not of the kind that its name says.
    """
    found = []
    for path in paths:
        try:
            found.append(_READERS[suffix](path, reading))
        except (DataError, StorageError):
            raise
        except Exception as error:  # packages raise errors of any class for damaged files
            raise StorageError(f"{path} cannot be read as {KINDS[suffix]}: {error}") from error
    return found[0] if len(found) == 1 else _together(paths, found)


def _together(paths: Sequence[str], found: Sequence[FileContent]) -> FileContent:
    first, columns = found[0], dict[str, list[Any]]()
    for path, one in zip(paths, found, strict=True):
        names = list(one.frame)
        if names != list(first.frame):
            other = sorted(set(names) ^ set(first.frame)) or names
            raise DataError(f"{paths[0]} and {path} have different columns: one of them has no {other[0]}")
        for name in names:
            columns.setdefault(name, []).extend(_listed(one.frame[name]))
    missing: dict[str, list[object]] = {}
    for one in found:
        for name, values in one.missing.items():
            missing[name] = list(dict.fromkeys([*missing.get(name, ()), *values]))
    notes = [text for one in found for text in one.notes]
    frame = {name: labelled.column(values) for name, values in columns.items()}
    return FileContent(frame, missing, first.comments, notes, first.texts)


def _listed(values: Any) -> list[Any]:
    return [None if one is np.ma.masked else one for one in np.ma.asarray(values, object).tolist()] if isinstance(
        values, np.ma.MaskedArray) else list(values)  # fmt: skip


def _workbook(path: str, reading: Reading) -> FileContent:
    calamine = package("python_calamine", "excel", "workbooks")
    frame, notes = workbooks.read(calamine, path, reading.sheet)
    return FileContent(frame, notes=notes, texts=True)


def _labelled(path: str, reading: Reading) -> FileContent:
    pyreadstat = package("pyreadstat", "stats", f"files that end in {Path(path).suffix}")
    return FileContent(*labelled.read(pyreadstat, path, reading.encoding))


def _r(path: str, reading: Reading) -> FileContent:
    pyreadr = package("pyreadr", "r", "files of R")
    frames = {name: frame for name, frame in pyreadr.read_r(path).items() if hasattr(frame, "columns")}
    if not frames:
        raise StorageError(f"{path} has no data frame: save one with saveRDS(frame, {Path(path).stem!r})")
    wanted = reading.sheet if reading.sheet is not None else next(iter(frames))
    if wanted not in frames:
        raise DataError(f"{path} has no data frame {wanted!r}; there are {', '.join(map(str, frames))}")
    others = [str(name) for name in frames if name != wanted]
    words = f"{path}: {wanted} was read, and not {', '.join(others)} (--sheet names another)"
    return FileContent(frames[wanted], notes=[Note(NoteKind.READ_AS, path, words)] if others else [])


KINDS = {
    **dict.fromkeys((".xlsx", ".xlsm", ".xlsb", ".xls", ".ods"), "a workbook"),
    **dict.fromkeys((".sav", ".zsav", ".por"), "a file of SPSS"),
    ".dta": "a file of Stata",
    ".sas7bdat": "a file of SAS",
    ".xpt": "a SAS transport file",
    **dict.fromkeys((".rds", ".rdata", ".rda"), "a file of R"),
}
"""Kinds of files by the suffixes of their names."""

_BY_KIND: dict[str, Callable[[str, Reading], FileContent]] = {"a workbook": _workbook, "a file of R": _r}
_READERS = {suffix: _BY_KIND.get(kind, _labelled) for suffix, kind in KINDS.items()}
