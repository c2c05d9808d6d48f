"""Measures behind a checked border: their members and results are validated.

Anybody may write a measure. A fault in one is reported here, with the names of its functions, before a wrong number is
used.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from imputedb import arguments, plugins
from imputedb.answers.multiple.influence import Influence
from imputedb.errors import Error, ExtensionError, QueryError, UnknownName
from imputedb.inference.scale import Scale
from imputedb.sql import ast as t
from imputedb.sql.ast import Tree
from imputedb.sql.expression import kind_of

if TYPE_CHECKING:
    from imputedb.answers.multiple.measures import Measure

GROUP = "imputedb.measures"
"""The entry points by which installed packages make measures known: the name of a function, and its measure."""

GUIDE = "docs/extend/measure.md"

_ARGUMENTS = {"scale": 1, "variance": 2, "freedom": 1}

Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True)
class Checked:
    """A measure whose results are validated.

    Attributes:
        measure: the user's measure.
        names: names of its functions, in lower case.
        reason: reason why there is no interval about a population.
        robust: whether its variance is always that of the influences.
    """

    measure: Measure
    names: frozenset[str]
    reason: str | None
    robust: bool

    def scale(self, call: Tree) -> Scale:
        """The scale on which estimates are nearly normal."""
        return self._answer("scale", lambda: self.measure.scale(call), Scale, "a scale, such as IDENTITY or LOG")

    def freedom(self, call: Tree) -> Tree:
        """Complete-data degrees of freedom."""
        return self._expression("freedom", lambda: self.measure.freedom(call))

    def variance(self, call: Tree, units: Tree) -> Tree | None:
        """The sampling variance of a call; the engine raises an error if it is negative or infinite."""
        found: Tree | None = self._answer(
            "variance", lambda: self.measure.variance(call, units), dict | None, "an expression, or None"
        )
        if found is None:
            return None
        number = t.cast(self._expression("variance", lambda: found), t.plain_type("DOUBLE"))
        wrong = t.any_of([t.compared("COMPARE_LESSTHAN", number, t.number(0)), t.call("isinf", number)])
        assert wrong is not None
        message = t.literal(f"the measure of {self._of} gives a variance that is negative or infinite ({GUIDE})")
        return t.where(wrong, t.cast(t.call("error", message), t.plain_type("DOUBLE")), number)

    def influence(self, call: Tree) -> Influence | None:
        """The influence of a row on a call; None where it is unknown."""
        own = getattr(self.measure, "influence", None)
        if own is None:
            return None
        found: Influence | None = self._answer(
            "influence", lambda: own(call), Influence | None, "an Influence, or None"
        )
        return found

    @property
    def _of(self) -> str:
        return ", ".join(sorted(self.names))

    def _expression(self, member: str, answer: Callable[[], Any]) -> Tree:
        found: Tree = self._answer(member, answer, dict, "an expression")
        if not kind_of(found):
            raise ExtensionError(f"{member} of the measure of {self._of} gives a dictionary that is not an expression")
        return found

    def _answer(self, member: str, answer: Callable[[], Answer], kind: Any, what: str) -> Answer:
        try:
            found = answer()
        except Error:
            raise
        except Exception as error:
            raise ExtensionError(
                f"the measure of {self._of} failed in {member}: {type(error).__name__}: {error}"
            ) from error
        if not isinstance(found, kind):
            raise ExtensionError(
                f"{member} of the measure of {self._of} gives {arguments.shown(found)}; it is {what} ({GUIDE})"
            )
        return found


def handed_in(measure: object) -> Checked:
    """A user's measure with validated members.

    Raises:
        ExtensionError: a member is missing or is not valid.
    """
    if isinstance(measure, Checked):
        return measure
    if isinstance(measure, type):
        raise ExtensionError(f"{measure.__name__} is a class: pass an object of it, {measure.__name__}(...)")
    names = _names(measure)
    listed = ", ".join(sorted(names))
    for member, count in _ARGUMENTS.items():
        found = getattr(measure, member, None)
        if not callable(found):
            raise ExtensionError(f"the measure of {listed} has no method {member} ({GUIDE})")
        _check_signature(listed, member, found, count)
    if hasattr(measure, "influence"):
        _check_signature(listed, "influence", measure.influence, 1)
    reason = getattr(measure, "reason", None)
    if reason is not None and (not isinstance(reason, str) or not reason.strip()):
        raise ExtensionError(f"the reason of the measure of {listed} is {arguments.shown(reason)}; it is a sentence")
    robust = getattr(measure, "robust", False)
    if not isinstance(robust, bool):
        raise ExtensionError(f"robust of the measure of {listed} is {arguments.shown(robust)}; it is True or False")
    return Checked(measure, names, reason, robust)  # type: ignore[arg-type]


def _names(measure: object) -> frozenset[str]:
    names = getattr(measure, "names", None)
    if isinstance(names, str) or not isinstance(names, Collection) or not names:
        raise ExtensionError(
            f"{arguments.shown(measure)} is not a measure: its names are "
            f"{arguments.shown(names)}; they are the names of "
            f"functions, such as frozenset({{'skewness'}}) ({GUIDE})"
        )
    for name in names:
        if not isinstance(name, str) or not name.strip() or name != name.lower():
            raise ExtensionError(f"a measure is named {arguments.shown(name)}; names of functions are in lower case")
    return frozenset(names)


def _check_signature(names: str, member: str, method: Callable[..., object], count: int) -> None:
    try:
        signature = inspect.signature(method)
    except (TypeError, ValueError):  # methods written in C have no signature
        return
    try:
        signature.bind(*range(count))
    except TypeError as error:
        raise ExtensionError(
            f"{member} of the measure of {names} cannot be called as it will be: {error} ({GUIDE})"
        ) from error


def own(given: object) -> tuple[Checked, ...]:
    """The measures of a user, one or several: objects, or names of those in installed packages.

    Raises:
        UnknownName: no package has a measure of a name.
        ExtensionError: a measure is not valid.
        QueryError: two measures have the same function.
    """
    each: Sequence[object]
    if isinstance(given, str | type) or hasattr(given, "names"):
        each = (given,)
    elif isinstance(given, Sequence):
        each = given
    else:
        raise QueryError(f"measures are {arguments.shown(given)}; give measures, or names of installed ones ({GUIDE})")
    found = tuple(_named(one) if isinstance(one, str) else handed_in(one) for one in each)
    names = [name for one in found for name in one.names]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise QueryError(f"two measures are of the function {twice!r}: hand in one of them")
    return found


def installed(name: str) -> Checked | None:
    """The measure for a function in an installed package; None where there is none.

    Raises:
        ExtensionError: two packages have one, or it is not valid.
    """
    found = plugins.loaded(GROUP, name)
    if found is None:
        return None
    made = found.value
    try:
        one = handed_in(made() if isinstance(made, type) or not hasattr(made, "names") else made)
    except ExtensionError as error:
        raise ExtensionError(f"measure {name!r} of {found.origin}: {error}") from error
    except Exception as error:
        raise ExtensionError(f"measure {name!r} of {found.origin} cannot be made: {error}") from error
    if name not in one.names:
        theirs = ", ".join(sorted(one.names))
        raise ExtensionError(f"measure {name!r} of {found.origin} is of {theirs}: the names have to agree")
    return one


def _named(name: str) -> Checked:
    found = installed(name)
    if found is None:
        known = ", ".join(sorted(plugins.names(GROUP))) or "none"
        raise UnknownName(f"no installed package has a measure {name!r}; those that have: {known}")
    return found
