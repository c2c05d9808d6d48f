"""A query under several assumptions: answers by imputers, doubly robust estimators and bounds, side by side."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, get_args

from imputedb import arguments
from imputedb.answers.prepare import Planner
from imputedb.answers.request import PLANNED, QueryOptions
from imputedb.answers.respond import respond
from imputedb.answers.understand import check_query
from imputedb.engines.engine import Engine
from imputedb.errors import CannotImpute, QueryError, SqlSyntaxError, UnknownName
from imputedb.imputers.chained.chained import Chained
from imputedb.imputers.chained.shift import Shift
from imputedb.imputers.protocol import Imputer
from imputedb.imputers.registry import Choice, imputers_of, single_imputer
from imputedb.notes import Question
from imputedb.result import Result

if TYPE_CHECKING:
    from matplotlib.figure import Figure

METHODS = ("aipw", "ml", "bounds")

WAYS = ("tree", "pmm", "norm", "aipw", "bounds")
"""The default methods of a comparison: imputers, `aipw` and `bounds`."""

Answering = Callable[[Mapping[str, Any]], Result]
"""A function that answers the query with further options, such as an imputer."""


@dataclass(frozen=True, slots=True)
class Line:
    """One number by one method.

    Attributes:
        way: name of an imputer, `aipw`, `ml` or `bounds`.
        group: values of the group, as text; empty without groups.
        name: name of the number.
        estimate: the estimate; NaN where there is none, as for bounds.
        low: lower end of the interval, or lower bound.
        high: upper end of the interval, or upper bound.
        reason: reason why the method has no answer; None where it has one.
    """

    way: str
    group: tuple[str, ...]
    name: str
    estimate: float
    low: float
    high: float
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Comparison:
    """The lines of a comparison, method by method.

    Attributes:
        lines: lines in the order of the methods.
    """

    lines: tuple[Line, ...]

    def table(self) -> dict[str, list[Any]]:
        """Columns by name, with one row for each line."""
        names = ("way", "group", "name", "estimate", "low", "high", "reason")
        return {name: [getattr(line, name) for line in self.lines] for name in names}

    def __str__(self) -> str:
        head = f"{'way':>10}  {'number':>20}  {'estimate':>10}  {'low':>10}  {'high':>10}"
        return "\n".join([head, *map(_written, self.lines)])

    def forest(self) -> Figure:
        """A forest plot: one panel for each number, one interval for each method, by group; bounds have no estimate.

        Raises:
            DataError: matplotlib is not installed.
        """
        from imputedb.diagnostics.pictures import forest

        shown = sorted((line for line in self.lines if line.reason is None), key=lambda line: line.group)
        drawn: dict[str, dict[tuple[str, str], tuple[float, float, float]]] = {}
        for line in shown:
            drawn.setdefault(line.name, {})[" ".join(line.group), line.way] = (line.estimate, line.low, line.high)
        return forest(drawn)


def _written(line: Line) -> str:
    if line.reason:
        return f"{line.way:>10}  {line.reason}"
    name = " ".join((*line.group, line.name))
    return f"{line.way:>10}  {name:>20}  {line.estimate:10.4g}  {line.low:10.4g}  {line.high:10.4g}"


def imputers_of_methods(
    ways: Sequence[str | Imputer], shifts: Mapping[str, Sequence[float]]
) -> dict[str, Imputer | None]:
    """The imputer of each method by its name; None for `aipw`, `ml` and `bounds`.

    Args:
        ways: names and imputers.
        shifts: by column, sizes by which `norm` shifts its imputed values; each is a method.

    Raises:
        QueryError: a name is neither that of an imputer nor of a method.
    """
    found: dict[str, Imputer | None] = {}
    for way in (ways,) if isinstance(ways, str) else arguments.listed("ways", ways, example="such as ['tree', 'aipw']"):
        if isinstance(way, str) and way in METHODS:
            found[way] = None
        else:
            imputer = single_imputer(way, "a way needs")  # type: ignore[arg-type]
            found[imputer.name] = imputer
    for column, sizes in arguments.by_column("shifts", shifts, example="such as {'income': [-1, 1]}").items():
        for size in sizes:
            size = arguments.real("a shift", size, example="in the column's units")
            shifted = single_imputer("norm", "shifts need")
            assert isinstance(shifted, Chained)
            found[f"norm, {column} {size:+g}"] = shifted.with_deltas({column: Shift(add=size)})
    return found


def answers(
    engine: Engine,
    planner: Planner,
    text: str,
    ways: Mapping[str, Imputer | None],
    m: int,
    seed: int,
    interval: Question,
    level: float,
) -> Comparison:
    """The lines of each method for a query of a database.

    Raises:
        QueryError: the text is not a SELECT; nothing was run.
    """
    seed, level = arguments.seed(seed), arguments.share("level", level)
    arguments.one_of("interval", interval, get_args(Question))
    check_query(engine, planner, text)

    def answer(imputer: Choice = "tree", m: int = 1, method: str = "imputation") -> Result:
        options = QueryOptions(0.0, imputers_of(imputer), seed, PLANNED, m, interval, level, method=method)
        return respond(engine, planner, text, options)

    return compared(lambda wishes: answer(**wishes), ways, m)


def compared(answer: Answering, ways: Mapping[str, Imputer | None], m: int) -> Comparison:
    """The lines of each method; one that does not support the query has the reason.

    Args:
        answer: answers the query by a method.
        ways: imputers by name, from `ways_of`.
        m: number of draws of each imputer.
    """
    m = arguments.draws(m, 2)
    lines: list[Line] = []
    for way, imputer in ways.items():
        wishes = {"method": way} if imputer is None else {"imputer": imputer, "m": m}
        try:
            result = answer(wishes)
        except (SqlSyntaxError, UnknownName):
            raise
        except (QueryError, CannotImpute) as error:
            lines.append(Line(way, (), "", math.nan, math.nan, math.nan, str(error)))
            continue
        lines += _bounds(way, result) if way == "bounds" else _estimates(way, result)
    return Comparison(tuple(lines))


def _estimates(way: str, result: Result) -> list[Line]:
    lines = []
    for group, known in zip(result.groups, result.estimates, strict=True):
        for name, one in known.items():
            low, high = one.interval()
            lines.append(Line(way, group, name, one.estimate, low, high))
    return lines


def _bounds(way: str, result: Result) -> list[Line]:
    names = [name.removesuffix("_low") for name in result.columns if name.endswith("_low")]
    places = {name: place for place, name in enumerate(result.columns)}
    lines = []
    for row in result.fetchall():
        ends = {f"{name}_{end}" for name in names for end in ("low", "high")}
        group = tuple(str(value) for name, value in zip(result.columns, row, strict=True) if name not in ends)
        for name in names:
            low, high = (row[places[f"{name}_{end}"]] for end in ("low", "high"))
            lines.append(Line(way, group, name, math.nan, _number(low), _number(high)))
    return lines


def _number(value: Any) -> float:
    return math.nan if value is None else float(value)
