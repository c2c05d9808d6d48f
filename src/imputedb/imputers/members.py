"""Validation of an imputer's members."""

import inspect
from collections.abc import Callable, Mapping

from imputedb.errors import ExtensionError
from imputedb.imputers.protocol import Imputer

GUIDE = "docs/extend/imputer.md"

_OPTIONAL = ("constant", "training_rows", "impute_with_notes", "prepared")


_ARGUMENTS: Mapping[str, int] = {
    "time": 1,
    "penalty": 1,
    "impute": 4,
    "impute_with_notes": 4,
    "constant": 1,
    "training_rows": 1,
    "prepared": 2,
}
"""How many arguments each member takes by their places; what only draws are asked for by name is not needed else."""


def handed_in(imputer: object) -> Imputer:
    """A user's imputer with validated members.

    Raises:
        ExtensionError: a member is missing or is not valid.
    """
    if isinstance(imputer, type):
        raise ExtensionError(f"{imputer.__name__} is a class: pass an object of it, {imputer.__name__}(...)")
    name = getattr(imputer, "name", None)
    if not isinstance(name, str) or not name.strip():
        raise ExtensionError(f"the imputer {_named(imputer)} has no name: a text that identifies it ({GUIDE})")
    if not isinstance(getattr(imputer, "uses_predictors", None), bool):
        raise ExtensionError(f"imputer {name} does not say by uses_predictors, True or False, whether it reads others")
    for member in ("proper", "draws"):
        if not isinstance(getattr(imputer, member, False), bool):
            raise ExtensionError(f"imputer {name} says {member} = {getattr(imputer, member)!r}; it is True or False")
    for member, arguments in _ARGUMENTS.items():
        found = getattr(imputer, member, None)
        if found is None and member in _OPTIONAL:
            continue
        if not callable(found):
            what = "has no method" if found is None else f"has {found!r} where a method is due:"
            raise ExtensionError(f"imputer {name} {what} {member} ({GUIDE})")
        _check_signature(name, member, found, arguments)
    try:
        hash(imputer)
    except TypeError as error:
        raise ExtensionError(
            f"imputer {name} cannot be hashed, so that no plan is remembered for it: {error}"
        ) from error
    return imputer  # type: ignore[return-value]


def _check_signature(name: str, member: str, method: Callable[..., object], arguments: int) -> None:
    try:
        signature = inspect.signature(method)
    except (TypeError, ValueError):  # methods written in C have no signature
        return
    try:
        signature.bind(*range(arguments))
    except TypeError as error:
        raise ExtensionError(f"{member} of imputer {name} cannot be called as it will be: {error} ({GUIDE})") from error


def _named(imputer: object) -> str:
    shown = repr(imputer)
    return shown if len(shown) <= 80 else f"{shown[:77]}..."
