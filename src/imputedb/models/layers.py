"""A draw of a model as nested subqueries: columns are drawn in turn, each given those drawn before it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import reduce

from imputedb.imputers.order import labels
from imputedb.imputers.random import stream
from imputedb.models import numbers
from imputedb.models.expression import ExpressionBuilder, Reads, listed, named_level
from imputedb.models.extent import is_short
from imputedb.models.feature import Feature
from imputedb.models.fitted import Fitted
from imputedb.models.function import Constant, Function, PatternCases, ResidualDraw, Scores, Sum
from imputedb.sql import ast as t
from imputedb.sql.ast import Tree
from imputedb.sql.expression import cased, is_call

CLASSES = 40
"""Largest number of categories of a drawn column; its expression has a cumulative sum for each."""


def are_drawn(model: Fitted, draw: int, complete: frozenset[int] = frozenset()) -> bool:
    """Whether a draw of all columns of a model, numbered from 1, can be written as SQL.

    It cannot where a function has no short expression (see `is_short`) or too many categories.
    """
    functions = [one.drawn[draw - 1] for one in model.targets]
    few = all(len(one.codes) <= CLASSES for one in functions if isinstance(one, Scores))
    return few and all(is_short(one, model.features, complete) for one in functions)


@dataclass(frozen=True, slots=True)
class Layered:
    """A draw of all columns of a model.

    Attributes:
        source: an item of FROM with the columns of the source below it, and the drawn ones.
        drawn: the names of drawn columns by those of the stored ones; they hold the stored value where there is one.
    """

    source: Tree
    drawn: Mapping[str, str]


@dataclass(slots=True)
class LayeredQuery:
    """A builder of the subqueries of one draw.

    Attributes:
        model: the fitted model.
        draw: the number of the draw, from 1.
        source: the last subquery, an item of FROM under `alias`.
        columns: the names of its columns.
        alias: the alias of every subquery.
        reads: a reader of a stored column of the source.
        name: the prefix of new columns' names.
        complete: places of the features that every row has by now.
        drawn: names of the columns drawn so far, by the places of their features.
    """

    model: Fitted
    draw: int
    source: Tree
    columns: list[str]
    alias: str
    reads: Reads
    name: str
    complete: frozenset[int] = frozenset()
    drawn: dict[int, str] = field(default_factory=dict)

    def of(self, number: Tree, salt: int) -> Layered:
        """The complete draw; `are_drawn` must hold.

        Args:
            number: an expression that tells the rows of a table apart.
            salt: 64 bits that tell tables apart.
        """
        targets = [(one.feature, one.drawn[self.draw - 1]) for one in self.model.targets]
        self._add_chances([(place, function) for place, function in targets if not _is_one(function)], number, salt)
        for place, function in targets:
            value, name = self._value(place, function), self._alias_of(place, "drawn")
            self._add({name: self._where_missing(place, value, stored=True)})
            self.drawn[place], self.complete = name, self.complete | {place}
        features = self.model.features
        return Layered(self.source, {features[place].column.name: name for place, name in self.drawn.items()})

    def _add_chances(self, targets: Sequence[tuple[int, Function]], number: Tree, salt: int) -> None:
        """Adds the random numbers of targets, above a subquery with the keys of rows."""
        if not targets:
            return
        key, settings = self._add_key([place for place, _ in targets], number, salt), self.model.settings
        called = labels(one.column for one in self.model.features)
        found: dict[tuple[int, str], Tree] = {}
        for place, function in targets:
            what = (settings.seed, self.draw, called[self.model.features[place].column])
            if isinstance(function, Scores | ResidualDraw):
                found[place, "uniform"] = key.uniform(stream(*what))
            else:
                parts = (key.uniform(stream(*what, part)) for part in ("radius", "angle"))
                found[place, "normal"] = numbers.normal(*parts)
        self._add_missing(found)

    def _add_key(self, places: Sequence[int], number: Tree, salt: int) -> numbers.RandomKey:
        """The key of a row's random numbers, as new columns; NULL where no feature among `places` is missing."""
        writing = ExpressionBuilder(self.model.features, self._read)
        whole = t.all_of([writing.present(place) for place in places])

        def added(**words: Tree) -> list[Tree]:
            named = {f"{self.name} {name}": word for name, word in words.items()}
            self._add({name: t.null_where(whole, word) if whole else word for name, word in named.items()})
            return [t.reference(self.alias, name) for name in named]

        if any(map(is_call, t.expressions(number))):  # a key reads its number several times
            (number,) = added(number=number)
        key = numbers.RandomKey.of(number, salt)
        return numbers.RandomKey(*added(low=key.low, high=key.high))

    def _add_missing(self, columns: Mapping[tuple[int, str], Tree]) -> None:
        """Adds a subquery of values that are computed only where features are missing."""
        self._add(
            {self._alias_of(place, what): self._where_missing(place, tree) for (place, what), tree in columns.items()}
        )

    def _value(self, place: int, function: Function) -> Tree:
        goal = self.model.features[place]
        if isinstance(function, Scores):
            return self._category_draw(place, function)
        chance = self._input_of(place, "uniform" if isinstance(function, ResidualDraw) else "normal")
        value = _DrawBuilder(self.model.features, self._read, self.complete, chance).function(function, goal)
        assert value is not None  # `are_drawn` guarantees it
        return value

    def _input_of(self, place: int, what: str) -> Tree:
        """A column of the subquery below."""
        return t.reference(self.alias, self._alias_of(place, what))

    def _category_draw(self, place: int, scores: Scores) -> Tree:
        """A category drawn by its probability, in two further subqueries."""
        goal = self.model.features[place]
        names = [named_level(goal, code) for code in scores.codes]
        if len(names) == 1:
            return names[0]
        writing = ExpressionBuilder(self.model.features, self._read, self.complete)
        self._add_missing({(place, f"score {n}"): writing.sum(one) for n, one in enumerate(scores.sums)})
        found = [self._input_of(place, f"score {n}") for n in range(len(scores.sums))]
        most = t.call("greatest", *found)
        shares = {
            self._alias_of(place, f"share {n}"): t.call("exp", t.arithmetic("-", one, most))
            for n, one in enumerate(found)
        }
        self._add(shares)
        added = [t.reference(self.alias, name) for name in shares]
        below = [reduce(_plus, added[: n + 1]) for n in range(len(added))]
        wanted = t.arithmetic("*", self._input_of(place, "uniform"), below[-1])
        checks = [(t.compared("COMPARE_GREATERTHANOREQUALTO", one, wanted), name)
                  for one, name in zip(below[:-1], names[:-1], strict=True)]  # fmt: skip
        return cased(checks, names[-1])

    def _where_missing(self, place: int, value: Tree, *, stored: bool = False) -> Tree:
        """A value where a feature is missing or unknown; elsewhere NULL, or the stored value."""
        writing = ExpressionBuilder(self.model.features, self._read)
        if not stored:
            return t.null_where(writing.present(place), value)
        feature = self.model.features[place]
        kept = self._read(feature) if feature.classes else writing.number(place)
        return t.where(writing.present(place), kept, value)

    def _read(self, feature: Feature) -> Tree:
        name = self.drawn.get(self.model.features.index(feature))
        return self.reads(feature) if name is None else t.reference(self.alias, name)

    def _alias_of(self, place: int, what: str) -> str:
        return f"{self.name} {place} {what}"

    def _add(self, columns: Mapping[str, Tree]) -> None:
        """Adds a subquery with some columns, if there are any."""
        if not columns:
            return
        items = [t.named(t.reference(self.alias, name), name) for name in self.columns]
        items += [t.named(tree, name) for name, tree in columns.items()]
        self.columns += columns
        self.source = t.subquery(t.select(items, self.source), self.alias)


class _DrawBuilder(ExpressionBuilder):
    """A writer of random values of functions.

    A row has one random number: a uniform one where a residual is picked, a standard normal one otherwise.
    """

    def __init__(self, features: Sequence[Feature], reads: Reads, here: frozenset[int], chance: Tree) -> None:
        super().__init__(features, reads, here)
        self.chance = chance

    def function(self, function: Function, goal: Feature) -> Tree | None:
        match function:
            case Constant(value):
                return named_level(goal, value) if goal.classes else _rounded(t.literal(float(value)), goal)
            case Sum(deviation=deviation):
                spread = t.arithmetic("*", t.literal(float(deviation)), self.chance)
                return _rounded(t.arithmetic("+", self.sum(function), spread), goal)
            case ResidualDraw(centre=centre, residuals=residuals, low=least, high=most):
                place = t.call("floor", t.arithmetic("*", self.chance, t.literal(float(len(residuals)))))
                picked = t.arithmetic("+", t.cast(place, t.plain_type("INTEGER")), t.number(1))
                added = t.call("list_extract", listed(map(t.literal, residuals)), picked)
                near = t.arithmetic("+", self.sum(centre), added)
                return _rounded(t.call("least", t.call("greatest", near, t.literal(least)), t.literal(most)), goal)
            case PatternCases():
                return self.cases(function, goal)
            case _:
                return None

    def with_complete(self, here: frozenset[int]) -> "ExpressionBuilder":
        return _DrawBuilder(self.features, self.reads, here, self.chance)


def _is_one(function: Function) -> bool:
    """Whether a function gives the same value in every row and draw."""
    return isinstance(function, Constant) or (isinstance(function, Scores) and len(function.codes) == 1)


def _rounded(value: Tree, goal: Feature) -> Tree:
    return t.call("floor", t.arithmetic("+", value, t.literal(0.5))) if goal.whole else value


def _plus(left: Tree, right: Tree) -> Tree:
    return t.arithmetic("+", left, right)
