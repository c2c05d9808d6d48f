"""Completed data sets for one analysis: columns of its formula are drawn compatibly with it, then all others."""

import ast
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from imputedb import arguments
from imputedb.algebra.column import Column
from imputedb.algebra.relation import Scan
from imputedb.completion.compatible import Compatible, Variable
from imputedb.completion.source import Source
from imputedb.completion.terms import evaluated, names_of, parsed
from imputedb.engines.engine import Engine
from imputedb.errors import DataError, QueryError
from imputedb.execution.columns import ColumnCache
from imputedb.imputers.chained.chains import Movement, Movements
from imputedb.imputers.chained.trace import Trace
from imputedb.imputers.protocol import Imputer
from imputedb.imputers.random import seed_of
from imputedb.imputers.registry import MOST_CYCLES
from imputedb.imputers.rows import Array, Cells
from imputedb.statistics.policy import DEFAULT
from imputedb.statistics.table import Kind

MODELS = ("ols", "logit")
CYCLES = 20
"""Default number of cycles."""

LEVELS = 30
"""Maximum number of categories of a column."""

Drawing = Iterator[tuple[int, Mapping[Column, Array], Trace]]


@dataclass(frozen=True, slots=True)
class Substantive:
    """The substantive model: the analysis that the data sets are for.

    Attributes:
        formula: such as `y ~ x*z + I(x**2)`.
        model: `ols` or `logit`.
        cycles: number of cycles of the chain, or `auto`.
    """

    formula: str
    model: str = "ols"
    cycles: int | Literal["auto"] = "auto"

    def __post_init__(self) -> None:
        if self.cycles != "auto":
            arguments.whole("cycles", self.cycles, 1, MOST_CYCLES, example=", or 'auto'")
        arguments.text("the formula", self.formula, example="such as 'y ~ x*z'")
        if self.model not in MODELS:
            raise QueryError(
                f"draws agree with {' and '.join(MODELS)} models, not with {self.model!r}: leave formula out, and say "
                "survival=(time, event) for Cox models"
            )

    @property
    def manifest(self) -> dict[str, Any]:
        """The entry of the manifest."""
        return {"formula": self.formula, "model": self.model, "cycles": self.number_of_cycles}

    @property
    def number_of_cycles(self) -> int:
        """Number of cycles."""
        return CYCLES if self.cycles == "auto" else self.cycles


def drawn(
    engine: Engine,
    substantive: Substantive,
    found: Source,
    imputer: Imputer,
    numbers: Sequence[int],
    seed: int,
    moved: Movements,
) -> Drawing:
    """The draws with their numbers and the traces of their chains.

    Columns outside the formula are imputed draw by draw, given those of the formula.
    """
    chain = prepared(engine, substantive, found, seed)
    mine = {one.column: one for one in (*chain.variables, chain.outcome) if one.missing.any()}
    rest = [column for column in found.targets if column not in mine]
    for number in numbers:
        trace = Trace()
        given = chain.draw(number, trace)
        values = {
            c: _typed(found.rows.columns[c], given[c.name], substantive.model if one is chain.outcome else None)
            for c, one in mine.items()
        }
        patched = {c: found.rows.columns[c].given(filled) for c, filled in values.items()}
        if rest:
            whole = replace(
                found, rows=replace(found.rows, columns={**found.rows.columns, **patched}), targets=tuple(rest)
            )
            others = whole.request(imputer, seed)
            values |= next(iter(others.draws([number])))
            trace.methods |= {column: others.method(column) for column in rest}
        if mine and trace.moments:
            watched = [column.name for column in trace.watched]
            moved.add(0, number, Movement(watched, np.array([trace.moments]), len(found.rows.keys)))
        yield number, values, trace


def prepared(engine: Engine, substantive: Substantive, found: Source, seed: int) -> Compatible:
    """The chain of the formula's columns.

    Raises:
        UnknownName: a name of the formula is neither a column nor a function.
        QueryError: the formula, or a policy of its columns, is not supported for such draws.
        DataError: a column cannot be modelled.
    """
    known = engine.statistics(found.table)
    kinds = {name: one.kind for name, one in known.columns.items()}
    used = [name for name in found.types if kinds[name] is not Kind.OPAQUE and name in substantive.formula]
    cells = ColumnCache(engine, Scan(found.table, "t"), known).cells(used)
    levels = {name: _levels(cells[name]) for name in used}
    plain = {name for name in used if not _is_text(cells[name])}
    formula = parsed(substantive.formula, {name: levels.get(name, ()) for name in found.types}, plain)
    outcomes = sorted(names_of(formula.outcome))
    for name in (*formula.columns, *outcomes):
        if name not in cells:
            raise DataError(f"{found.table.name}.{name} has a type that formulas cannot compute with")
        _check(found, known.policy(name), name, cells[name])
    again = [name for name in outcomes if name in formula.columns]
    if again or not outcomes:
        raise QueryError(
            f"the outcome of {substantive.formula!r} is also a predictor: an "
            f"outcome must not be on both sides of the formula"
        )
    missing = {column.name: int(found.missing[column]) for column in found.targets}
    ordered = sorted(formula.columns, key=lambda name: (missing.get(name, 0), name))
    variables = [_variable(found, name, cells[name], levels[name]) for name in ordered]
    outcome = _outcome(substantive, found, formula.outcome, outcomes, cells)
    return Compatible(
        formula,
        substantive.model,
        outcome,
        variables,
        found.rows.keys,
        seed_of(seed, found.content),
        substantive.number_of_cycles,
    )


def _is_text(cells: Cells) -> bool:
    return bool(cells.levels) and isinstance(cells.levels[0], str)


def _numbers(cells: Cells) -> NDArray[np.float64]:
    """(n,) the column as numbers; codes for text."""
    return np.asarray((cells if _is_text(cells) else cells.numbers()).values, np.float64)


def _levels(cells: Cells) -> tuple[float, ...]:
    """The observed values of categories and booleans; empty for numbers."""
    if cells.kind not in (Kind.CATEGORY, Kind.BOOLEAN):
        return ()
    return tuple(np.unique(_numbers(cells)[~cells.missing]).tolist())


def _check(found: Source, policy: Any, name: str, cells: Cells) -> None:
    """Refuses a column that such a chain cannot draw.

    Raises:
        QueryError: its policy is not supported, or it is incomplete and not to be filled in.
        DataError: it is neither numeric nor categorical, or has too many categories.
    """
    place = f"{found.table.name}.{name}"
    if policy.changed({"measure": None, "above": None, "refuse": False}) != DEFAULT:
        raise QueryError(
            f"the policy of {place} is {policy}: draws that agree with a formula support AS and ABOVE only"
        )
    if cells.kind not in (Kind.NUMBER, Kind.INTEGER, Kind.BOOLEAN, Kind.CATEGORY):
        raise DataError(f"{place} is of {cells.kind.value}s: a formula takes numbers and categories only")
    if len(_levels(cells)) > LEVELS:
        raise DataError(f"{place} has {len(_levels(cells))} categories; {LEVELS} are the most in a formula")
    if not cells.missing.any():
        return
    if cells.missing.all():
        raise DataError(f"no value of {place} is observed: there is nothing to learn from")
    if name not in [column.name for column in found.targets]:
        why = found.left.get(name, "not asked for")
        raise QueryError(f"the formula reads {place}, which has missing values and is not imputed: {why}")


def _variable(found: Source, name: str, cells: Cells, levels: tuple[float, ...]) -> Variable:
    if not levels and len(np.unique(_numbers(cells)[~cells.missing])) < 2 and cells.missing.any():
        raise DataError(f"{found.table.name}.{name} has one value only: remove it from the formula")
    column = Column(found.table.name, name)
    return Variable(column, _numbers(cells), cells.missing, levels, cells.kind is Kind.INTEGER)


def _outcome(
    substantive: Substantive, found: Source, tree: ast.expr, names: Sequence[str], cells: Mapping[str, Cells]
) -> Variable:
    """The outcome: a column, or a function of complete columns.

    Raises:
        QueryError: it is a function with missing values, not binary for `logit`, or an incomplete boolean for `ols`.
        DataError: it is categorical, or undefined somewhere.
    """
    incomplete = [name for name in names if cells[name].missing.any()]
    plain = len(names) == 1 and not isinstance(tree, ast.Call | ast.BinOp | ast.UnaryOp | ast.Compare)
    quoted = isinstance(tree, ast.Call) and isinstance(tree.func, ast.Name) and tree.func.id == "Q"
    if incomplete and not (plain or quoted):
        raise QueryError(
            f"{incomplete[0]} misses values and {substantive.formula!r} has a function of it for its outcome"
        )
    missing = np.logical_or.reduce([cells[name].missing for name in names])
    for name in names:
        if cells[name].kind is Kind.CATEGORY and (substantive.model == "ols" or _is_text(cells[name])):
            where = f"{found.table.name}.{name}"
            raise DataError(f"{where} is of categories, and {substantive.model} of numbers: AS NUMERIC in its policy")
    if substantive.model == "ols" and any(cells[name].values.dtype == np.bool_ for name in incomplete):
        raise QueryError(
            f"{found.table.name}.{incomplete[0]} is true or false, and ols draws numbers: use model='logit'"
        )
    values = np.asarray(evaluated(tree, {name: _numbers(cells[name]) for name in names}), np.float64)
    values = np.broadcast_to(values, missing.shape).copy()
    if not np.isfinite(values[~missing]).all():
        raise DataError(
            f"the outcome of {substantive.formula!r} is not finite in some rows: leave them out in a SELECT"
        )
    if substantive.model == "logit":
        seen = np.unique(values[~missing])
        if len(seen) != 2:
            raise QueryError(f"the outcome of {substantive.formula!r} has {len(seen)} values; a logit model is of two")
        values = (values == seen[1]).astype(np.float64)
    return Variable(Column(found.table.name, names[0]), values, missing)


def _typed(cells: Cells, values: Array, model: str | None = None) -> Array:
    """Values in the form of `Cells.values`; for a logit outcome 0 and 1 become the lesser and the larger value."""
    if model == "logit":
        values = np.unique(_numbers(cells)[~cells.missing])[values.astype(np.intp)]
    if cells.kind is Kind.CATEGORY and not _is_text(cells):
        return np.searchsorted(np.array(cells.levels), values).astype(cells.values.dtype)
    if cells.kind in (Kind.INTEGER, Kind.CATEGORY):
        values = np.rint(values)
    return np.asarray(values.astype(cells.values.dtype))
