"""Contracts in the form of other tools: an expectation suite of Great Expectations, a schema of pandera."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

from imputedb import arguments
from imputedb.border import bordered
from imputedb.completion.contract import Check, Contract, read

To = Literal["great-expectations", "pandera"]

_EXPORTED = ("rows", "missing", "low", "high")
"""Figures that other tools have: those of rows, without a baseline."""


@bordered
def export_contract(path: str | Path, to: To) -> str:
    """The checks of a contract on rows, as text for another tool; those that it cannot make are listed in the text.

    Args:
        path: the TOML file of the contract.
        to: `great-expectations` for an expectation suite as JSON (version 1 or later), or `pandera` for a module of
            Python with a `schema`. Neither tool is needed here.

    Raises:
        StorageError: the file cannot be read.
        QueryError: the file is no contract, or there is no such tool.
    """
    arguments.one_of("to", to, ("great-expectations", "pandera"))
    found = read(path)
    return _suite(found) if to == "great-expectations" else _schema(found)


def _left(found: Contract) -> list[str]:
    """The checks that are not exported."""
    return [_named(one) for one in found.checks if one.figure not in _EXPORTED]


def _named(one: Check) -> str:
    return one.figure if one.column is None else f"{one.figure} of {one.column}"


def _suite(found: Contract) -> str:
    expectations = [each for one in found.checks if one.figure in _EXPORTED for each in _expectations(one)]
    meta = {"contract": found.name, "not_exported": _left(found)}
    suite = {"name": Path(found.name).stem, "expectations": expectations, "meta": meta}
    return json.dumps(suite, indent=1, ensure_ascii=False) + "\n"


def _expectations(one: Check) -> Iterator[Mapping[str, Any]]:
    limits = {"min_value": one.least, "max_value": one.most}
    match one.figure:
        case "rows":
            yield {"type": "expect_table_row_count_to_be_between", "kwargs": limits}
        case "missing":
            shares = {"min_value": _rest(one.most), "max_value": _rest(one.least)}
            kind = "expect_column_proportion_of_non_null_values_to_be_between"
            yield {"type": kind, "kwargs": {"column": one.column, **shares}}
        case _:
            kind = f"expect_column_{'min' if one.figure == 'low' else 'max'}_to_be_between"
            yield {"type": kind, "kwargs": {"column": one.column, **limits}}


def _rest(share: float | None) -> float | None:
    return None if share is None else round(1 - share, 12)


_FIGURES: Mapping[str, str] = {
    "rows": "len(frame)",
    "missing": "frame[{column!r}].isna().mean()",
    "low": "frame[{column!r}].min()",
    "high": "frame[{column!r}].max()",
}


def _schema(found: Contract) -> str:
    mine = [one for one in found.checks if one.figure in _EXPORTED]
    columns = dict.fromkeys(one.column for one in mine if one.column is not None)
    left = ", ".join(_left(found))
    about = f"The checks of {found.name} on rows before they are imputed{f'; without {left}' if left else ''}."
    return "\n".join([
        f"# {ascii(about)[1:-1]}",  # names may be anything, and a comment ends with its line
        "",
        "import pandera.pandas as pa",
        "",
        "schema = pa.DataFrameSchema(",
        "    {",
        *(f"        {name!r}: pa.Column(nullable=True)," for name in columns),
        "    },",
        "    checks=[",
        *(f"        {line}," for one in mine for line in _lines(one)),
        "    ],",
        ")",
        "",
    ])  # fmt: skip


def _lines(one: Check) -> Iterator[str]:
    figure = _FIGURES[one.figure].format(column=one.column)
    for limit, sign, words in ((one.least, ">=", "less"), (one.most, "<=", "more")):
        if limit is not None:
            error = f"{_named(one)} is {words} than {limit:g}"
            yield f"pa.Check(lambda frame: {figure} {sign} {limit!r}, error={error!r})"
