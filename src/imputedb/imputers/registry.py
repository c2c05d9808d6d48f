"""Imputers by name."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from difflib import get_close_matches
from numbers import Integral
from typing import Literal

from imputedb import plugins
from imputedb.errors import ExtensionError, QueryError, UnknownName
from imputedb.imputers.chained.chained import Chained
from imputedb.imputers.chained.logistic import Logistic
from imputedb.imputers.chained.multinomial import Multinomial
from imputedb.imputers.chained.normal import Normal
from imputedb.imputers.chained.ordered import Ordered
from imputedb.imputers.chained.pmm import Pmm, Quantified
from imputedb.imputers.chained.two_level import TwoLevel
from imputedb.imputers.hot_deck import HotDeck
from imputedb.imputers.knn import KNN
from imputedb.imputers.mean import Mean
from imputedb.imputers.members import handed_in
from imputedb.imputers.protocol import Imputer
from imputedb.imputers.seasonal import Seasonal
from imputedb.imputers.series import Carried, Linear
from imputedb.imputers.stretched import Stretched
from imputedb.imputers.tree import Tree

_CATEGORIES = (Logistic(), Ordered(declared=True), Multinomial(), Quantified())

IMPUTERS: Mapping[str, Callable[[], Imputer]] = {
    "tree": Tree,
    "knn": KNN,
    "mean": Mean,
    "hotdeck": HotDeck,
    "norm": lambda: Chained(Normal(), _CATEGORIES),
    "normscale": lambda: Stretched(Chained(Normal(), _CATEGORIES)),
    "pmm": lambda: Chained(Pmm(), _CATEGORIES),
    "pmmboot": lambda: Chained(Pmm(bootstrap=True), _CATEGORIES),
    "logistic": lambda: Chained(Logistic(), (Pmm(), *_CATEGORIES)),
    "multinomial": lambda: Chained(Multinomial(), (Pmm(), *_CATEGORIES)),
    "ordered": lambda: Chained(Ordered(), (Pmm(), *_CATEGORIES)),
}
"""The imputers that come with imputedb; `drop` means none."""

OF_POLICIES: Mapping[str, Callable[[], Imputer]] = {
    "previous": Carried,
    "next": lambda: Carried(forward=False),
    "linear": Linear,
    "seasonal": Seasonal,
    "2l.norm": lambda: Chained(TwoLevel(), (Normal(), *_CATEGORIES)),
    "2l.pmm": lambda: Chained(TwoLevel(match=True), (Pmm(), *_CATEGORIES)),
}
"""Further imputers, which depend on a clause of a policy: an order of rows, or clusters."""

DROP = "drop"

GROUP = "imputedb.imputers"
"""The entry point group in which installed packages register imputers."""

Choice = str | Imputer | Sequence[str | Imputer]
"""A choice of imputers: a name, an imputer object, or several of these for the planner to choose from."""


def imputers_of(choice: Choice) -> tuple[Imputer, ...]:
    """The imputers of a choice, none for `drop`.

    Raises:
        UnknownName: no imputer has a name, or no name is given.
        ExtensionError: an imputer of the user, or of an installed package, is not valid.
        QueryError: two imputers have the same name, by which plans identify them.
    """
    found = _all_chosen(choice)
    names = [imputer.name for imputer in found]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise QueryError(f"two imputers are named {twice!r}, which plans tell them apart by: give one another name")
    return found


def _all_chosen(choice: Choice) -> tuple[Imputer, ...]:
    if isinstance(choice, str):
        return () if choice == DROP else (_named(choice),)
    if isinstance(choice, Sequence):
        if not choice:
            raise UnknownName(f"the choice of imputers is empty: name some of {', '.join(known_names())}")
        return tuple(imputer for one in choice for imputer in _all_chosen(one))
    if not hasattr(choice, "impute"):
        raise UnknownName(
            f"{choice!r} is not an imputer: give a name ({', '.join(known_names())}), or an imputer object"
        )
    one = handed_in(choice)
    if one.name == DROP:
        raise QueryError(f"an imputer is named {DROP!r}, which means no imputer: give it another name")
    return (one,)


def single_imputer(choice: Choice, purpose: str) -> Imputer:
    """The imputer of a choice that must be a single one.

    Raises:
        UnknownName: no imputer has the name.
        QueryError: there are several, or none; the message names the purpose.
    """
    found = imputers_of(choice)
    if len(found) != 1:
        raise QueryError(f"{purpose} one imputer that fills in")
    return found[0]


def knn_imputer(imputer: object, what: str) -> KNN:
    """The KNN imputer of a user, or by default `KNN()`.

    Raises:
        QueryError: the object is another imputer.
    """
    if imputer is None or (isinstance(imputer, str) and imputer == KNN.name):
        return KNN()
    if not isinstance(imputer, KNN):
        named = getattr(imputer, "name", imputer)
        raise QueryError(
            f"{what} explains neighbours, which {named!r} does not have: leave imputer out, or give KNN(k=...)"
        )
    return imputer


Cycles = int | Literal["auto"]
"""A number of cycles, each of which draws every incomplete column anew; `auto` for as many as the chains need."""

MOST_CYCLES = 10_000


def with_cycles(imputers: tuple[Imputer, ...], cycles: Cycles) -> tuple[Imputer, ...]:
    """The imputers, with a number of cycles for those that run chains.

    Raises:
        QueryError: the number is neither whole nor `auto`, or no imputer runs chains.
    """
    if isinstance(cycles, str) and cycles == "auto":
        return imputers
    if not isinstance(cycles, Integral) or isinstance(cycles, bool) or not 0 <= cycles <= MOST_CYCLES:
        raise QueryError(f"cycles are {cycles!r}; they go from 0 (the start alone) to {MOST_CYCLES:,}, or are 'auto'")
    found = tuple(_with_cycles(one, int(cycles)) for one in imputers)
    if not any(isinstance(one, Chained | Stretched | Tree) for one in imputers):
        names = ", ".join(one.name for one in imputers) or DROP
        raise QueryError(
            f"cycles apply to chained equations, and {names} runs none: use tree, norm or pmm, or leave cycles out"
        )
    return found


def with_cycles_of(imputer: Imputer, other: Imputer) -> Imputer:
    """An imputer with the number of cycles of another one's chains."""
    cycles = cycles_of(other)
    return imputer if cycles is None else _with_cycles(imputer, cycles)


def cycles_of(imputer: Imputer) -> int | None:
    """The number of cycles of an imputer's chains; None where it is not set, or there are none."""
    return imputer.cycles if isinstance(imputer, Chained | Stretched | Tree) else None


def _with_cycles(imputer: Imputer, cycles: int) -> Imputer:
    match imputer:
        case Chained() | Tree():
            return replace(imputer, cycles=cycles)
        case Stretched():
            return replace(imputer, chained=replace(imputer.chained, cycles=cycles))
    return imputer


def known_names() -> list[str]:
    """The names of all imputers, those of installed packages included; none is loaded."""
    own = [*IMPUTERS, *OF_POLICIES, DROP]
    return [*own, *sorted(plugins.names(GROUP).difference(own))]


def _named(name: str) -> Imputer:
    own = {**IMPUTERS, **OF_POLICIES}
    if name in own:
        return own[name]()
    found = plugins.loaded(GROUP, name)
    if found is not None:
        return _plugged(name, found)
    known = known_names()
    near = get_close_matches(name, known, 1)
    hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(known)}"
    raise UnknownName(f"no imputer {name!r}; {hint}")


def _plugged(name: str, found: plugins.Loaded) -> Imputer:
    """The imputer of an installed package: an object, or a callable without arguments that makes it."""
    made = found.value
    if isinstance(made, type) or not hasattr(made, "impute"):
        try:
            made = made()
        except Exception as error:
            raise ExtensionError(f"imputer {name!r} of {found.origin} cannot be made: {error}") from error
    try:
        one = handed_in(made)
    except ExtensionError as error:
        raise ExtensionError(f"imputer {name!r} of {found.origin}: {error}") from error
    if one.name != name:
        raise ExtensionError(f"imputer {name!r} of {found.origin} calls itself {one.name!r}: the names have to agree")
    return one
