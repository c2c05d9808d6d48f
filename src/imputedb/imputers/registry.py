"""Imputers by name."""

from collections.abc import Callable, Mapping, Sequence
from difflib import get_close_matches

from imputedb.errors import QueryError, UnknownName
from imputedb.imputers.chained import Chained
from imputedb.imputers.hot_deck import HotDeck
from imputedb.imputers.imputer import Imputer
from imputedb.imputers.knn import KNN
from imputedb.imputers.logistic import Logistic
from imputedb.imputers.mean import Mean
from imputedb.imputers.multinomial import Multinomial
from imputedb.imputers.normal import Normal
from imputedb.imputers.ordered import Ordered
from imputedb.imputers.pmm import Pmm
from imputedb.imputers.tree import Tree

IMPUTERS: Mapping[str, Callable[[], Imputer]] = {
    "tree": Tree,
    "knn": KNN,
    "mean": Mean,
    "hotdeck": HotDeck,
    "norm": lambda: Chained(Normal(), (Logistic(), Multinomial(), Pmm())),
    "pmm": lambda: Chained(Pmm()),
    "logistic": lambda: Chained(Logistic(), (Normal(), Multinomial(), Pmm())),
    "multinomial": lambda: Chained(Multinomial(), (Normal(), Pmm())),
    "ordered": lambda: Chained(Ordered(), (Normal(), Pmm())),
}
"""The imputers that come with imputedb; `drop` stands for none of them."""

DROP = "drop"

Choice = str | Imputer | Sequence[str | Imputer]
"""What a user may say: a name, an imputer of his own, or several for the planner to choose from."""


def chosen(choice: Choice) -> tuple[Imputer, ...]:
    """The imputers of a choice, none for `drop`.

    Raises:
        UnknownName: a name is nobody's.
    """
    if isinstance(choice, str):
        return () if choice == DROP else (_named(choice),)
    if isinstance(choice, Sequence):
        return tuple(imputer for one in choice for imputer in chosen(one))
    if not hasattr(choice, "impute"):
        raise UnknownName(
            f"{choice!r} is no imputer: give a name ({', '.join([*IMPUTERS, DROP])}), or an imputer object"
        )
    return (choice,)


def the_one(choice: Choice, purpose: str) -> Imputer:
    """The imputer of a choice that has to be a single one.

    Raises:
        UnknownName: a name is nobody's.
        QueryError: there are several, or none; the message says what needs one.
    """
    found = chosen(choice)
    if len(found) != 1:
        raise QueryError(f"{purpose} one imputer that fills in")
    return found[0]


def _named(name: str) -> Imputer:
    if name not in IMPUTERS:
        known = [*IMPUTERS, DROP]
        near = get_close_matches(name, known, 1)
        hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(known)}"
        raise UnknownName(f"no imputer {name!r}; {hint}")
    return IMPUTERS[name]()
