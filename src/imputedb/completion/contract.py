"""Contracts: conditions on rows before they are imputed, and on a run before it becomes the current one."""

import json
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from math import isfinite, isnan, nan
from pathlib import Path
from typing import Any

import numpy as np

from imputedb import arguments
from imputedb.algebra.column import Column
from imputedb.completion.comparison import Line, compared, moved
from imputedb.completion.completed import Completed
from imputedb.completion.source import FLAG, Source
from imputedb.errors import Beyond, QueryError, StorageError
from imputedb.files import check_place, published
from imputedb.statistics.table import Kind

BEFORE = ("rows", "missing", "low", "high", "drift")
"""Figures of the rows: their number; the share in which a column is missing; its least and largest observed value.
Compared with the current run: the population stability index of a column's observed and missing cells.
"""

AFTER = ("imputed", "rhat", "fmi", "shift", "psi")
"""Figures of a run: imputed share, R-hat, fraction of missing information of a column's mean. Compared with the current
run: the shift of the mean in standard errors, and the population stability index of imputed values.
"""

OF_NUMBERS = ("fmi", "shift")
"""Figures of a run for numeric columns only."""

BY_FLAGS = ("fmi", "shift", "psi", "drift")
"""Figures that need the flags of imputed cells."""

OF_ALL = ("rows", "rhat")
"""Figures without a column."""


_WHOLE = ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT")
_NUMBERS = frozenset({*_WHOLE, *(f"U{one}" for one in _WHOLE), "FLOAT", "DOUBLE", "DECIMAL", "BOOLEAN"})


@dataclass(frozen=True, slots=True)
class Check:
    """A figure with its limits.

    Attributes:
        figure: name of the figure.
        column: its column; None for figures of all rows, and for a check of each filled column (for `fmi` and
            `shift` each numeric one).
        least, most: limits of the figure.
    """

    figure: str
    column: str | None
    least: float | None
    most: float | None

    def broken(self, column: str | None, value: float) -> str | None:
        """The sentence on a violation; None where there is none. An unknown value (NaN) violates the check."""
        name = self.figure if column is None else f"{self.figure} of {column}"
        if isnan(value):
            return f"{name} is not known"
        if self.most is not None and value > self.most:
            return f"{name} is {value:.4g}, more than {self.most:g}"
        if self.least is not None and value < self.least:
            return f"{name} is {value:.4g}, less than {self.least:g}"
        return None


@dataclass(frozen=True, slots=True)
class CheckResult:
    """A check with the figure that it was compared with.

    Attributes:
        figure, column, least, most: as in `Check`; the column is named in a check of each column, too.
        value: the figure; None where it is not known.
        broken: the sentence on a violation; None where there is none.
    """

    figure: str
    column: str | None
    least: float | None
    most: float | None
    value: float | None
    broken: str | None


@dataclass(frozen=True, slots=True)
class Contract:
    """The checks of a file.

    Attributes:
        name: name of the file.
        checks: its checks, in order.
        report: file for the result of all checks as JSON; None for none.
        judged: checks that were made.
    """

    name: str
    checks: tuple[Check, ...]
    report: Path | None = None
    judged: list[CheckResult] = field(default_factory=list, compare=False)

    def on(self, found: Source, *, flags: bool) -> "Contract":
        """The contract with column names in the spelling of the table.

        Args:
            found: rows of the run.
            flags: whether the run is written with flags.

        Raises:
            QueryError: a check names an unknown column, asks a figure of numbers of a text, or needs flags.
        """
        if not flags and found.targets and (figures := {one.figure for one in self.checks} & set(BY_FLAGS)):
            raise QueryError(
                f"{self.name} needs {min(figures)}, which is computed from flags: write the run with flags"
            )
        names = {name.casefold(): name for name in found.types}
        checks = []
        for one in self.checks:
            name = None if one.column is None else names.get(one.column.casefold())
            if one.column is not None and name is None:
                known = ", ".join(found.types)
                raise QueryError(f"{self.name} is about {one.column}, which is not a column: {known}")
            if name is not None and one.figure in OF_NUMBERS and not _is_number(found.types[name]):
                raise QueryError(
                    f"{self.name}: {name} is not a number, and has no {one.figure}: psi compares categories"
                )
            checks.append(replace(one, column=name))
        return replace(self, checks=tuple(checks), judged=[])

    def check_last(self, last: Completed) -> None:
        """Refuses a baseline that was written without flags.

        Raises:
            QueryError: it has no flags.
        """
        figures = {one.figure for one in self.checks} & {"shift", "psi", "drift"}
        if figures and last.manifest["columns"] and not last.manifest["flags"]:
            raise QueryError(
                f"{self.name} asks for {min(figures)}, and {last.folder.name}, which readers see, was written without "
                "flags: promote one with flags first"
            )

    def check_rows(self, found: Source, last: Completed | None) -> None:
        """Checks the rows against this contract, which was made by `on` for them; `last` is the current run, if any.

        Raises:
            Beyond: checks are violated; the message names all of them.
            QueryError: a check asks for the least or largest value of a column that is not numeric.
        """
        mine = [one for one in self.checks if one.figure in BEFORE]
        values = [(one, one.column, _of_rows(found, one)) for one in mine if one.figure != "drift"]
        drifts = [one for one in mine if one.figure == "drift"]
        values += [(one, column, value) for one in drifts for column, value in _drift(found, last, one.column)]
        self._judge(values, "nothing was imputed")

    def check_run(self, made: Completed, last: Completed | None) -> None:
        """Checks a run against this contract, which was made by `on` for its rows; `last` is the current run, if any.

        Raises:
            Beyond: checks are violated; the message names all of them.
        """
        mine, columns = [one for one in self.checks if one.figure in AFTER], made.manifest["columns"]
        figures = {one.figure for one in mine} if columns else set()
        own = compared(made, made) if "fmi" in figures else []
        both = last is not None and bool(set(columns) & set(last.manifest["columns"]))
        moved = compared(last, made) if last is not None and both and figures & {"shift", "psi"} else []

        def values() -> Iterator[tuple[Check, str | None, float]]:
            for one in mine:
                lines: dict[str | None, Line] = {line.column: line for line in (own if one.figure == "fmi" else moved)}
                for column in (None,) if one.figure in OF_ALL else [one.column] if one.column else columns:
                    if one.column is None and one.figure in OF_NUMBERS and column in lines and not lines[column].number:
                        continue
                    yield one, column, _of_run(made, lines, one.figure, column)

        self._judge(values(), f"{made.folder.name} stands beside what readers see")

    def _judge(self, values: Iterable[tuple[Check, str | None, float]], so: str) -> None:
        for one, column, value in values:
            known = value if isfinite(value) else None
            self.judged.append(CheckResult(one.figure, column, one.least, one.most, known, one.broken(column, value)))
        broken = [one.broken for one in self.judged if one.broken is not None]
        if self.report is not None:
            found = {"contract": self.name, "holds": not broken, "checks": list(map(asdict, self.judged))}
            with published(str(self.report)) as temporary:
                Path(temporary).write_text(json.dumps(found, indent=1, ensure_ascii=False), encoding="utf-8")
        if broken:
            raise Beyond(f"{self.name} is broken, so that {so}: {'; '.join(broken)}")


def _of_rows(found: Source, one: Check) -> float:
    if one.figure == "rows":
        return float(len(found.rows.keys))
    assert one.column is not None
    column = Column(found.table.name, one.column)
    if one.figure == "missing":
        return _missing(found, column)
    cells = found.rows.columns.get(column)
    if cells is None or cells.levels:
        raise QueryError(f"{one.column} is not a number that imputers read, and has no {one.figure}")
    values = cells.numbers().values[~cells.missing]
    return float((np.min if one.figure == "low" else np.max)(values)) if len(values) else nan


def _drift(found: Source, last: Completed | None, name: str | None) -> Iterator[tuple[str, float]]:
    """By column the stability index between the observed values of the current run and those of the rows.

    Missing cells have a bin of their own. It is 0 where there is no earlier run, or none with the column.

    Raises:
        QueryError: the column holds neither numbers nor categories.
    """
    frame = None if last is None else last.frame(1)
    for column, cells in found.rows.columns.items():
        numbers = cells.numbers()
        suits = numbers.kind in (Kind.NUMBER, Kind.INTEGER, Kind.BOOLEAN, Kind.CATEGORY)
        if name not in (None, column.name) or (name is None and not suits):
            continue
        if not suits:
            raise QueryError(f"{column.name} holds neither numbers nor categories, and has no drift")
        if frame is None or column.name not in frame:
            yield column.name, 0.0
            continue
        then = frame[column.name]
        if column.name + FLAG in frame:
            then = then.mask(frame[column.name + FLAG].astype(bool))
        now = numbers.values[~numbers.missing].tolist()
        if numbers.kind is Kind.CATEGORY:
            now = [numbers.levels[int(code)] for code in now]
        index = moved((then.dropna().tolist(), now), (int(then.isna().sum()), int(numbers.missing.sum())))
        yield column.name, index
    if name is not None and not any(column.name == name for column in found.rows.columns):
        raise QueryError(f"{name} is not a column that imputers read, and has no drift")


def _missing(found: Source, column: Column) -> float:
    """The share of rows in which a column is missing; NaN where it was not counted."""
    rows, cells = len(found.rows.keys), found.rows.columns.get(column)
    if column in found.missing or column.name not in found.left or not rows:
        return found.missing.get(column, 0) / rows if rows else 0.0
    return nan if cells is None else float(cells.missing.mean())


def _of_run(made: Completed, lines: Mapping[str | None, Line], figure: str, column: str | None) -> float:
    if figure == "rhat":
        chains = made.manifest["convergence"]
        return 1.0 if chains is None else nan if chains["rhat"] is None else float(chains["rhat"])
    if column not in made.manifest["columns"]:
        return 0.0  # nothing was missing
    if figure == "imputed":
        return float(made.manifest["columns"][column]["imputed_share"])
    line = lines.get(column)
    if figure == "fmi":
        return nan if line is None else float(line.other_fmi)
    if line is None:
        return 0.0  # there is no earlier run
    return abs(float(line.shift)) if figure == "shift" else float(line.psi or 0.0)


def _is_number(kind: str) -> bool:
    """Whether a type of DuckDB is numeric."""
    return kind.partition("(")[0] in _NUMBERS


def read(path: str | Path, report: str | Path | None = None) -> Contract:
    """The contract of a TOML file: tables `[[check]]` of a figure, a column, `least` and `most`.

    Args:
        path: the file.
        report: file for the result of all checks; None for none.

    Raises:
        StorageError: the file cannot be read.
        QueryError: the file is not a contract.
    """
    file = arguments.path("the contract", path)
    try:
        found = tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise StorageError(f"cannot read {file}: {error.strerror or error}") from error
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise QueryError(f"{file} is not valid TOML: {error}") from error
    tables = found.get("check")
    if set(found) != {"check"} or not isinstance(tables, list) or not tables:
        raise QueryError(f"{file} must consist of tables [[check]], with figure, column, least and most")
    place = None if report is None else arguments.path("the report of a contract", report)
    if place is not None:
        check_place(str(place))
    return Contract(file.name, tuple(_checked(file.name, one) for one in tables), place)


def _checked(file: str, entry: Any) -> Check:
    keys = set(entry) if isinstance(entry, dict) else set()
    figure = entry.get("figure") if keys else None
    if figure not in (*BEFORE, *AFTER) or not keys <= {"figure", "column", "least", "most"}:
        raise QueryError(
            f"{file}: a check has a figure, a column, least and most, not {entry!r}; figures are "
            f"{', '.join((*BEFORE, *AFTER))}"
        )
    column = entry.get("column")
    if column is not None and not isinstance(column, str):
        raise QueryError(f"{file}: the column of {figure} is {column!r}; it must be a name in quotes")
    if figure in OF_ALL and column is not None:
        raise QueryError(f"{file}: {figure} takes no column: remove it")
    if figure in BEFORE and figure not in (*OF_ALL, "drift") and column is None:
        raise QueryError(f"{file}: {figure} needs a column: name it")
    limits = [None if entry.get(key) is None else arguments.real(key, entry[key]) for key in ("least", "most")]
    if limits == [None, None]:
        raise QueryError(f"{file}: {figure} has no limit: give least or most")
    if None not in limits and limits[0] > limits[1]:  # type: ignore[operator]
        raise QueryError(f"{file}: least of {figure} is more than most: no value can pass")
    return Check(figure, column, *limits)
