"""What the answer to a query will look like: its columns and its parameters, told without running it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from imputedb import arguments
from imputedb.answers import models
from imputedb.answers.membership import membership
from imputedb.answers.methods import Opened
from imputedb.answers.multiple import pooled
from imputedb.answers.multiple.aggregation import aggregation
from imputedb.answers.prepare import Planner
from imputedb.answers.request import IMPUTATION, PLANNED, Fit, QueryOptions
from imputedb.answers.run import Run
from imputedb.answers.understand import classified
from imputedb.answers.unimputed import respond as unimputed
from imputedb.engines.engine import Engine
from imputedb.errors import Error, QueryError
from imputedb.imputers.registry import Choice, chosen
from imputedb.inference.estimate import Question
from imputedb.sql.parameters import placed
from imputedb.sql.parse import PARAMETERS, parameter_types
from imputedb.sql.statements import Query

_LIKELY = ("VARCHAR", "DOUBLE", "BIGINT", "DATE", "TIMESTAMP", "BOOLEAN")
"""Types that are tried, in order, of a parameter whose type DuckDB tells only once it has a value."""


@dataclass(frozen=True, slots=True)
class Description:
    """What a query gives and takes.

    Attributes:
        columns: names of its outputs.
        types: their DuckDB types.
        parameters: the DuckDB type of each parameter by its name, `1`, `2` and so on where it has none.
    """

    columns: Sequence[str]
    types: Sequence[str]
    parameters: Mapping[str, str]


def describe(
    self: Opened,
    text: str,
    parameters: Mapping[str, str] | None = None,
    *,
    imputer: Choice = "tree",
    m: int | Literal["auto"] = 1,
    interval: Question = "population",
    method: Literal["imputation", "aipw", "ml", "bounds"] = "imputation",
    weights: str | None = None,
    clusters: str | None = None,
    fit: Fit = "auto",
) -> Description:
    """The columns and the parameters of a query, which is not run; what is asked along with it as in `sql`.

    Args:
        text: one query in DuckDB's SQL.
        parameters: DuckDB types of parameters, by their names, where they are known.

    Raises:
        QueryError: the text is no query, or DuckDB rejects it.
    """
    given = {} if parameters is None else parameters
    if not isinstance(given, Mapping) or not all(map(_is_type, given.values())):
        raise QueryError(f"parameters is {arguments.shown(given)}; give types by names, such as {{'1': 'DOUBLE'}}")
    many = None if isinstance(m, str) and m == "auto" else m
    further = {"weights": weights, "clusters": clusters, "fit": fit, "method": method, "question": interval}
    options = QueryOptions(0.0, chosen(imputer), 0, PLANNED, many, **further)  # type: ignore[arg-type]
    engine, planner = self._engine, self._planner
    statement = classified(engine, text).statement
    if not isinstance(statement, Query):
        raise QueryError("only a query (SELECT) has columns that can be told without running it")
    types = _parameter_types(engine, statement, given)
    nulls = {name: f"CAST(NULL AS {one})" for name, one in types.items()}
    filled = engine.filled(statement, engine.evaluated(nulls))
    assert isinstance(filled, Query)  # as what is filled
    try:
        with engine.own_statements(text):
            about = membership(engine, filled.text)
            shown = about.named if about else _named(engine, planner, filled.text, models.informed(engine, options))
    finally:
        planner.release()
    return Description([name for name, _ in shown], [kind for _, kind in shown], types)


def _is_type(text: object) -> bool:
    return isinstance(text, str) and re.fullmatch(r"\w[\w ]*(\(\d+(, ?\d+)?\))?(\[\d*\])*", text) is not None


def _named(engine: Engine, planner: Planner, text: str, options: QueryOptions) -> list[tuple[str, str]]:
    """Names and types of the columns of a query's answer."""
    prepared = planner.prepare(text, options)
    if options.method != IMPUTATION:
        return unimputed.named(prepared, options)
    if options.draws and prepared.blocks:
        run = Run(engine, options)
        try:
            about = aggregation(engine, prepared, run)
        finally:
            run.clear()
        if about is not None:
            return pooled.named(about)
    return list(zip(prepared.columns, prepared.types, strict=True))


def _parameter_types(engine: Engine, statement: Query, given: Mapping[str, str]) -> dict[str, str]:
    """Types of parameters: those that are given, those that the binder tells, and the first likely one of any other."""
    names = sorted(statement.parameters)
    found = {name: given[name] for name in names if name in given}
    for name in names:
        if name not in found:
            found |= {**_told(engine, _typed(statement.text, found, names)), **found}
        if name not in found:
            others = {other: found.get(other, "NULL") for other in names if other != name}
            fits = (kind for kind in _LIKELY if _binds(engine, statement.text, {**others, name: kind}))
            found[name] = next(fits, "VARCHAR")
    return {name: found[name] for name in names}


def _typed(text: str, types: Mapping[str, str], names: Sequence[str]) -> str:
    """A query with NULL of a type in place of each parameter whose type is known."""
    values = {name: f"CAST(NULL AS {types[name]})" if name in types else f"${name}" for name in names}
    return placed(text, values)


def _told(engine: Engine, text: str) -> dict[str, str]:
    """What the binder tells of parameters' types."""
    ((plan,),) = engine.fetched(PARAMETERS, [text])
    return parameter_types(str(plan))


def _binds(engine: Engine, text: str, types: Mapping[str, str]) -> bool:
    values = {name: "NULL" if kind == "NULL" else f"CAST(NULL AS {kind})" for name, kind in types.items()}
    try:
        engine.described(placed(text, values))
    except Error:
        return False
    return True
