"""The form in which a kept model fills a column: as values beside the table, or as an expression in the statement."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from imputedb.algebra.column import Column
from imputedb.algebra.relation import Fill
from imputedb.engines.cache import OF_STRUCTURE
from imputedb.errors import Unplanned
from imputedb.execution.columns import ColumnCache
from imputedb.execution.model import ModelTable
from imputedb.models import price
from imputedb.models.expression import Reads, coarser, expression
from imputedb.models.extent import leaves, steps
from imputedb.models.feature import Feature
from imputedb.models.layers import Layered, LayeredQuery, are_drawn
from imputedb.models.on_sample import SampledModel
from imputedb.models.target import Target
from imputedb.sql import ast as t
from imputedb.sql.ast import Tree
from imputedb.statistics.histogram import Frequencies, Quantiles
from imputedb.statistics.table import ColumnStatistics, Kind

LARGEST = 2**28
"""Maximum bytes of a table's values beside it, if an expression is possible as well."""
PLANNED = 400
"""Maximum leaves of an expression on engines that keep their rows: Sail plans 321 in 2 s, 1,600 in a minute."""
EXACT = 2**53
"""The largest range of whole numbers that are exact as doubles."""

_WHOLE = (Kind.INTEGER, Kind.DATE, Kind.TIMESTAMP, Kind.DURATION)


@dataclass(frozen=True, slots=True)
class FillForm:
    """The form in which a column is filled.

    Attributes:
        fill: expression in the statement; None for values beside the table.
        reason: reason for the form.
        layered: whether the statement reads the table's rows with draws that it computes in layers.
    """

    fill: Fill | None
    reason: str
    layered: bool = False

    @property
    def text(self) -> str:
        """The form and its reason, for display."""
        words = "layers of expressions" if self.layered else "an expression" if self.fill else "values beside the table"
        return f"{words}: {self.reason}"


def form(model: ModelTable, column: str, draw: int | None) -> FillForm:
    """The form with the least expected cost; all forms give the same values, bit by bit.

    Args:
        model: the model.
        column: a column of its table.
        draw: draw index; None for expected values.

    Raises:
        QueryError: the model has no draw of that index.
        Unplanned: the engine requires an expression, and there is none.
    """
    model.check_draw(draw)
    if model.engine.fills_by_expression:
        return _in_place(model, column, draw)
    if model.sampled is not None:
        return _sampled(model, model.sampled, column, draw)
    if draw is not None:
        return _drawn(model, draw)
    if model.is_applied(column, draw):
        return FillForm(None, "they are there already")
    fitted = model.fitted()
    target = next(one for one in fitted.targets if fitted.features[one.feature].column.name == column)
    complete = _complete(model, fitted.features)
    other = _unreadable_reason(model, fitted.features)
    if leaves(target.expected) == float("inf") or other:
        return FillForm(None, other or "the function has no expression")
    made, each_time = _cost_of_values(model), _expression_price(model, column, *steps(target.expected, complete))
    if made <= each_time * (1 if _is_large(model) else price.REPEATED):
        return FillForm(None, f"about {_shown(made)} ms once, and an expression about {_shown(each_time)} ms each time")
    fill = _written(model, target, complete)
    if fill is None:
        return FillForm(None, "the expression of its function would be too long")
    if not model.engine.keeps(model.scan.table):
        return FillForm(fill, "values of this table cannot be kept")
    if _is_large(model):
        return FillForm(fill, "values of the whole table would take too much memory")
    return FillForm(fill, f"about {_shown(each_time)} ms, and to make values takes about {_shown(made)} ms")


def _in_place(model: ModelTable, column: str, draw: int | None) -> FillForm:
    """The form on engines that keep their rows: an expression."""
    fitted, name = model.fitted(), f"{model.scan.table.name}.{column}"
    target = next(one for one in fitted.targets if fitted.features[one.feature].column.name == column)
    other = _unreadable_reason(model, fitted.features)
    size = max(map(leaves, target.drawn)) if draw is not None else leaves(target.expected)
    if draw is not None and not other and size <= PLANNED and are_drawn(fitted, draw + 1):
        return FillForm(None, "rows stay where they are", layered=True)
    fill = None if other or size > PLANNED or draw is not None else _written(model, target, frozenset())
    if fill is None:
        many = f"{size:,.0f} leaves" if PLANNED < size < float("inf") else "no expression"
        reason = other or f"the function of {name} in model {model.record.title} has {many}"
        raise Unplanned(
            f"{reason}, and Spark takes expressions of {PLANNED} at most: ask for imputer='norm', or for 'mean'"
        )
    return FillForm(fill, "rows stay where they are")


def _drawn(model: ModelTable, draw: int) -> FillForm:
    """The form of a kept model's draws: values beside the table, unless they would need too much memory."""
    fitted = model.fitted()
    if not _is_large(model):
        return FillForm(None, "draws are made once")
    other = _unreadable_reason(model, fitted.features)
    if other or not are_drawn(fitted, draw + 1, _complete(model, fitted.features)):
        return FillForm(None, other or "what is drawn has no expression")
    return FillForm(None, "values of the whole table would take too much memory", layered=True)


def _sampled(model: ModelTable, sampled: SampledModel, column: str, draw: int | None) -> FillForm:
    """The form of a function that is fitted to a sample."""
    fitted, other = sampled.fitted, _unreadable_reason(model, sampled.fitted.features)
    (target,), complete = fitted.targets, _complete(model, fitted.features)
    fill = None if other or draw is not None else _written(model, target, complete)
    layered = not other and draw is not None and are_drawn(fitted, draw + 1, complete)
    if fill is None and not layered:
        return FillForm(None, other or f"the expression of the function of {column} would be too long")
    given_up = f", {sampled.lost_share:.1%} of what all explain given up" if sampled.lost_share >= 0.001 else ""
    return FillForm(fill, f"by {sampled.predictor_count} of {sampled.candidate_count} columns{given_up}", layered)


def _shown(milliseconds: float) -> str:
    return f"{milliseconds:.1f}" if milliseconds < 10 else f"{milliseconds:,.0f}"


def _cost_of_values(model: ModelTable) -> float:
    """Milliseconds to compute the values of all columns of the model."""
    statistics, fitted = model.statistics, model.fitted()
    cells = sum(statistics.columns[fitted.features[one.feature].column.name].missing for one in fitted.targets)
    return price.making(statistics.rows, len(fitted.features), cells)


def _expression_price(model: ModelTable, column: str, written: int, taken: int) -> float:
    """Milliseconds that an expression adds to a statement: it has `written` steps, of which a row takes `taken`."""
    statistics, read = model.statistics, len(model.fitted().features)
    return price.evaluating(statistics.rows * read, statistics.columns[column].missing, written, taken)


def _is_large(model: ModelTable) -> bool:
    rows = model.statistics.rows * len(model.fitted().targets)
    return 8 * rows > LARGEST or not model.engine.keeps(model.scan.table)


def _unreadable_reason(model: ModelTable, features: tuple[Feature, ...]) -> str:
    """The reason why a model cannot read the columns in a statement; empty if it can."""
    known = model.statistics.columns
    for feature in features:
        name = feature.column.name
        if name not in known or known[name].kind is not feature.kind or known[name].type != feature.type:
            return f"{name} is of another type than the model has learnt from"
        if feature.kind is Kind.INTEGER and not -EXACT < feature.low <= feature.high < EXACT:
            return f"{name} has numbers that doubles cannot hold exactly"
    return ""


def _complete(model: ModelTable, features: tuple[Feature, ...]) -> frozenset[int]:
    """The features without missing values: finite numbers, or categories known to the model.

    Empty if the statistics of a table are estimates.
    """
    if model.engine.fills_by_expression:
        return frozenset()
    return frozenset(
        place for place, one in enumerate(features) if _has_all(model.statistics.columns.get(one.column.name), one)
    )


def _has_all(column: ColumnStatistics | None, feature: Feature) -> bool:
    """Whether a feature has no missing value, by the statistics of its column."""
    if column is None or column.missing or column.meant or column.kind is not feature.kind:
        return False
    match column.histogram:
        case Quantiles(bounds=bounds):
            return bool(bounds) and math.isfinite(bounds[0]) and math.isfinite(bounds[-1])
        case Frequencies() as known:
            return known.exhaustive and known.shares.keys() <= set(map(str, feature.levels))
        case None:
            return False


def coarser_cells(model: ModelTable, column: str) -> int:
    """The number of missing cells that an expression predicts from fewer columns than their rows have.

    The engine counts them without handing over rows, once until the table is written.
    """
    engine, scan, fitted = model.engine, model.scan, model.fitted()
    table = None if model.sampled is not None else scan.table
    key = ("coarser cells", table, model.record.title, model.record.digest, column)
    found: int | None = engine.recall(key)
    if found is None:
        target = next(one for one in fitted.targets if fitted.features[one.feature].column.name == column)
        complete = _complete(model, fitted.features)
        condition = coarser(fitted, target, _reads(model), complete=complete)
        missing = t.is_missing(engine.reading(scan.table, column, scan.alias))
        found = 0
        if condition is not None:
            count = t.call("count_star", where=t.all_of([missing, condition]))
            found = int(engine.rows(t.select([count], engine.source(scan.table, scan.alias)))[0][0])
        if model.sampled is not None:  # the digest identifies the rows
            engine.keep(key, found, tables=OF_STRUCTURE)
        elif engine.keeps(scan.table):
            engine.keep(key, found, tables=model.statistics.rests_on(scan.table))
    return found


def _reads(model: ModelTable) -> Reads:
    """A function that gives the expression by which a statement reads a column; each is made once."""
    engine, scan, found = model.engine, model.scan, dict[Column, Tree]()

    def read(feature: Feature) -> Tree:
        column = feature.column
        if column not in found:
            found[column] = engine.encoded(engine.reading(scan.table, column.name, scan.alias), feature.type)
        return found[column]

    return read


def _written(model: ModelTable, target: Target, complete: frozenset[int]) -> Fill | None:
    """The function in SQL, NULL where the value is observed.

    The engine may still evaluate common subexpressions in all rows.
    """
    engine, scan, fitted = model.engine, model.scan, model.fitted()
    goal, reads = fitted.features[target.feature], _reads(model)
    raw = expression(fitted, target, reads, complete=complete)
    if raw is None:
        return None
    return _filled(
        model, goal, t.null_where(t.is_present(engine.reading(scan.table, goal.column.name, scan.alias)), raw)
    )


def _filled(model: ModelTable, goal: Feature, raw: Tree) -> Fill:
    """The fill of a column, from the expression of its function."""
    raw = t.cast(raw, t.plain_type("BIGINT")) if goal.kind in _WHOLE else raw
    return Fill(model.engine.decoded(raw, goal.type), raw)


def layered(
    model: ModelTable, draw: int, source: Tree, columns: Sequence[str], name: str
) -> tuple[Layered, dict[Column, Fill]]:
    """A table's rows with a draw beside them, and the fill of each column.

    Args:
        model: the model.
        draw: draw index from 0.
        source: the table under the alias of the model's scan, or an item of FROM with its columns.
        columns: names of its columns.
        name: prefix of the names of new columns.

    Raises:
        QueryError: the model has no draw of that index.
        Unplanned: a function has no expression.
    """
    fitted, cache = model.fitted(), ColumnCache(model.engine, model.scan, model.statistics)
    for target in fitted.targets:
        form(model, fitted.features[target.feature].column.name, draw)
    complete = _complete(model, fitted.features)
    layers = LayeredQuery(fitted, draw + 1, source, [*columns], model.scan.alias, _reads(model), name, complete)
    found = layers.of(cache.number(), model.record.salt)
    goals, alias = {one.column.name: one for one in fitted.features}, model.scan.alias
    fills = {
        Column(alias, column): _filled(model, goals[column], t.reference(alias, drawn))
        for column, drawn in found.drawn.items()
    }
    return found, fills
