"""The description of a query's answer, its columns and parameters, without running the query."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from imputedb import arguments
from imputedb.answers import models
from imputedb.answers.membership import membership
from imputedb.answers.methods import OpenDatabase
from imputedb.answers.multiple import pooled
from imputedb.answers.multiple.aggregation import aggregation
from imputedb.answers.prepare import Planner
from imputedb.answers.request import IMPUTATION, PLANNED, Fit, QueryOptions
from imputedb.answers.run import Run
from imputedb.answers.understand import classified
from imputedb.answers.unimputed import respond as unimputed
from imputedb.engines.engine import Engine
from imputedb.errors import Error, QueryError
from imputedb.imputers.registry import Choice, imputers_of
from imputedb.notes import Question
from imputedb.sql.parameters import placed
from imputedb.sql.parse import BOUND, PARAMETERS, UNWRITTEN, parameter_types
from imputedb.sql.statements import Other, Query
from imputedb.sql.tokens import split

_LIKELY = ("DOUBLE", "BIGINT", "DATE", "TIMESTAMP", "BOOLEAN")
"""Types that are tried, in this order, for a parameter that is not a text and whose type the binder cannot infer."""


_LISTINGS = ("show", "describe", "desc", "summarize")
"""First words of statements about the catalog, which are queries to DuckDB."""


@dataclass(frozen=True, slots=True)
class Description:
    """The columns and the parameters of a query.

    Attributes:
        columns: names of its output columns.
        types: DuckDB types of the output columns.
        parameters: DuckDB type of each parameter by name; `1`, `2` and so on for positional ones.
    """

    columns: Sequence[str]
    types: Sequence[str]
    parameters: Mapping[str, str]


def describe(
    self: OpenDatabase,
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
    """The columns and the parameters of a query, which is not run; all other options are as in `sql`.

    Args:
        text: one query in DuckDB's SQL.
        parameters: known DuckDB types of parameters, by name.

    Raises:
        QueryError: the text is not a query, or DuckDB rejects it.
    """
    given = {} if parameters is None else parameters
    if not isinstance(given, Mapping) or not all(map(_is_type, given.values())):
        raise QueryError(f"parameters is {arguments.shown(given)}; give types by names, such as {{'1': 'DOUBLE'}}")
    many = None if isinstance(m, str) and m == "auto" else m
    further = {"weights": weights, "clusters": clusters, "fit": fit, "method": method, "question": interval}
    options = QueryOptions(0.0, imputers_of(imputer), 0, PLANNED, many, **further)  # type: ignore[arg-type]
    engine, planner = self._engine, self._planner
    look = classified(engine, text)
    statement = look.statement
    if look.verb in _LISTINGS and isinstance(statement, Other):
        return Description(*engine.described(f"SELECT * FROM (\n{split(statement.text)[0]}\n)"), {})
    if not isinstance(statement, Query):
        raise QueryError("only a query (SELECT) has columns that are known without running it")
    types = _parameter_types(engine, statement, given)
    nulls = {name: _null(one) for name, one in types.items()}
    filled = engine.filled(statement, engine.evaluated(nulls))
    assert isinstance(filled, Query)  # a filled query is a query
    try:
        query = planner.with_files(filled.text)
        with engine.own_statements(query):
            about = membership(engine, query)
            informed = models.with_known_models(engine, planner, options, query)
            shown = about.named if about else _named(engine, planner, query, informed)
    finally:
        planner.release()
    return Description([name for name, _ in shown], [kind for _, kind in shown], types)


def _is_type(text: object) -> bool:
    return isinstance(text, str) and re.fullmatch(r"\w[\w ]*(\(\d+(, ?\d+)?\))?(\[\d*\])*", text) is not None


def _named(engine: Engine, planner: Planner, text: str, options: QueryOptions) -> list[tuple[str, str]]:
    """The names and types of the columns of a query's answer."""
    prepared = planner.prepare(text, options)
    if options.method != IMPUTATION:
        return unimputed.named(prepared, options)
    if options.draws and prepared.blocks:
        run = Run(engine, options)
        try:
            about = aggregation(engine, prepared, run)
        finally:
            run.release_all()
        if about is not None:
            return pooled.named(about)
    return list(zip(prepared.columns, prepared.types, strict=True))


def _parameter_types(engine: Engine, statement: Query, given: Mapping[str, str]) -> dict[str, str]:
    """The types of parameters: those given, those that the binder infers, else the first type that fits.

    Parameters that cannot be texts are typed first, since the binder can then infer more of the others.
    """
    names, text = sorted(statement.parameters), statement.text
    found = {name: given[name] for name in names if name in given}
    found = {**_bound_types(engine, text, found, names), **found}
    left = [name for name in names if name not in found]
    texts = dict.fromkeys(_fitting(engine, text, found, names, left, "VARCHAR"), "VARCHAR")
    if texts:
        found = {**_bound_types(engine, text, {**found, **texts}, names), **found}
    left = [name for name in left if name not in {**found, **texts}]
    for kind in _LIKELY:
        fits = _fitting(engine, text, found, names, left, kind)
        found |= dict.fromkeys(fits, kind)
        left = [name for name in left if name not in fits]
    if texts:
        found = {**_bound_types(engine, text, found, names), **found}
    return {name: found.get(name, "VARCHAR") for name in names}


def _bound_types(engine: Engine, text: str, types: Mapping[str, str], names: Sequence[str]) -> dict[str, str]:
    """The types of parameters that the binder infers, given the known ones."""
    values = {name: _null(types[name]) if name in types else f"${name}" for name in names}
    ((plan,),) = engine.fetched(PARAMETERS, [placed(text, values)])
    return parameter_types(str(plan))


def _fitting(
    engine: Engine, text: str, types: Mapping[str, str], names: Sequence[str], left: Sequence[str], kind: str
) -> Sequence[str]:
    """The remaining parameters that may have a type: all together if possible, else one by one."""
    known = {name: _null(types[name]) if name in types else "NULL" for name in names}
    if not left or _bound(engine, [placed(text, {**known, **dict.fromkeys(left, _null(kind))})])[0]:
        return left
    fits = _bound(engine, [placed(text, {**known, name: _null(kind)}) for name in left]) if len(left) > 1 else [False]
    return [name for name, one in zip(left, fits, strict=True) if one]


def _null(kind: str) -> str:
    return f"CAST(NULL AS {kind})"


def _bound(engine: Engine, texts: Sequence[str]) -> list[bool]:
    """Which queries the binder accepts: tried together, or one by one where plans cannot be serialised."""
    rows = engine.fetched(BOUND, [list(texts)])
    return [
        kind is None or (kind == UNWRITTEN and _describes(engine, one))
        for one, (kind,) in zip(texts, rows, strict=True)
    ]


def _describes(engine: Engine, text: str) -> bool:
    try:
        engine.described(text)
    except Error:
        return False
    return True
