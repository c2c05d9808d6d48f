"""How a kept model fills a column in: by its values beside the table, or by its function in the statement itself."""

from dataclasses import dataclass
from functools import partial

from imputedb.algebra.relation import Fill
from imputedb.execution.model import ModelTable
from imputedb.models import price
from imputedb.models.expression import coarser, expression, leaves
from imputedb.models.feature import Feature
from imputedb.models.target import Target
from imputedb.sql import ast as t
from imputedb.sql.ast import Tree
from imputedb.statistics.table import Kind

REPEATED = 5
"""How often the same values are expected to be read, so that it pays to make and keep them."""
LARGEST = 2**28
"""Bytes of values that are kept of a table at most where a function stands in the statement as well."""
EXACT = 2**53
"""Whole numbers up to here are doubles."""

_WHOLE = (Kind.INTEGER, Kind.DATE, Kind.TIMESTAMP, Kind.DURATION)


@dataclass(frozen=True, slots=True)
class Form:
    """How a column is filled in.

    Attributes:
        fill: what stands in the statement; None where values stand beside the table.
        why: in words.
    """

    fill: Fill | None
    why: str

    @property
    def text(self) -> str:
        """The form, and why it was taken."""
        return f"{'an expression' if self.fill else 'values beside the table'}: {self.why}"


def form(model: ModelTable, column: str, draw: int | None) -> Form:
    """The form that is expected to cost least, the same to the last bit.

    Args:
        model: that fills in.
        column: of its table.
        draw: that is wanted; None for expected values.
    """
    if draw is not None:
        return Form(None, "draws have no expression")
    if model.is_applied(draw):
        return Form(None, "they are there already")
    fitted = model.fitted()
    target = next(one for one in fitted.targets if fitted.features[one.feature].column.name == column)
    size = leaves(target.expected)
    other = _unlike(model, fitted.features)
    if size == float("inf") or other:
        return Form(None, other or "the function has no expression")
    made, asked = _making(model), _asking(model, column, size)
    if made <= asked * (1 if _is_large(model) else REPEATED):
        return Form(None, f"about {_told(made)} ms once, and an expression takes about {_told(asked)} ms each time")
    fill = _written(model, target)
    if fill is None:
        return Form(None, "the expression of its function would be too long")
    if not model.engine.keeps(model.scan.table):
        return Form(fill, "values of this table cannot be kept")
    if _is_large(model):
        return Form(fill, "values of the whole table would take too much memory")
    return Form(fill, f"about {_told(asked)} ms, and to make values takes about {_told(made)} ms")


def _told(milliseconds: float) -> str:
    return f"{milliseconds:.1f}" if milliseconds < 10 else f"{milliseconds:,.0f}"


def _making(model: ModelTable) -> float:
    """Milliseconds to make the values of all columns of the model."""
    statistics, fitted = model.statistics, model.fitted()
    cells = sum(statistics.columns[fitted.features[one.feature].column.name].missing for one in fitted.targets)
    return price.making(statistics.rows, len(fitted.features), cells)


def _asking(model: ModelTable, column: str, size: float) -> float:
    """Milliseconds that an expression of so many leaves adds to a statement."""
    return price.asking(model.statistics.columns[column].missing, size)


def _is_large(model: ModelTable) -> bool:
    rows = model.statistics.rows * len(model.fitted().targets)
    return 8 * rows > LARGEST or not model.engine.keeps(model.scan.table)


def _unlike(model: ModelTable, features: tuple[Feature, ...]) -> str:
    """Why a model cannot read the columns in a statement; nothing where it can."""
    known = model.statistics.columns
    for feature in features:
        name = feature.column.name
        if name not in known or known[name].kind is not feature.kind or known[name].type != feature.type:
            return f"{name} is of another type than the model has learnt from"
        if feature.kind is Kind.INTEGER and not -EXACT < feature.low <= feature.high < EXACT:
            return f"{name} has numbers that are no doubles"
    return ""


def coarser_cells(model: ModelTable, column: str) -> int:
    """How many missing cells of a column an expression predicts from fewer columns than their rows have.

    They are counted by the engine, which need not hand over the rows, once until the table is written.
    """
    engine, scan, fitted = model.engine, model.scan, model.fitted()
    key = ("coarser cells", scan.table, model.record.title, model.record.digest, column)
    found: int | None = engine.recall(key)
    if found is None:
        target = next(one for one in fitted.targets if fitted.features[one.feature].column.name == column)
        condition = coarser(fitted, target, partial(_read, model))
        gone = t.is_missing(engine.reading(scan.table, column, scan.alias))
        found = 0
        if condition is not None:
            count = t.call("count_star", where=t.all_of([gone, condition]))
            found = int(engine.rows(t.select([count], engine.source(scan.table, scan.alias)))[0][0])
        if engine.keeps(scan.table):
            engine.keep(key, found, tables=model.statistics.rests_on(scan.table))
    return found


def _read(model: ModelTable, feature: Feature) -> Tree:
    engine, scan = model.engine, model.scan
    return engine.encoded(engine.reading(scan.table, feature.column.name, scan.alias), feature.type)


def _written(model: ModelTable, target: Target) -> Fill | None:
    engine, fitted = model.engine, model.fitted()
    goal = fitted.features[target.feature]
    raw = expression(fitted, target, partial(_read, model))
    if raw is None:
        return None
    raw = t.cast(raw, t.plain_type("BIGINT")) if goal.kind in _WHOLE else raw
    return Fill(engine.decoded(raw, goal.type), raw)
