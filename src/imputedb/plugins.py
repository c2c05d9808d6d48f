"""Entry points of installed packages, which are found by name and loaded on demand."""

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from imputedb.errors import ExtensionError


@dataclass(frozen=True, slots=True)
class Loaded:
    """The object of an entry point, and its distribution."""

    value: Any
    origin: str


def names(group: str) -> frozenset[str]:
    """The names in a group; nothing is loaded."""
    return frozenset(point.name for point in entry_points(group=group))


def loaded(group: str, name: str) -> Loaded | None:
    """The object of a name in a group; None where no installed package has it.

    Raises:
        ExtensionError: two packages have the name, or the package cannot be loaded.
    """
    found = tuple(dict.fromkeys(entry_points(group=group, name=name)))
    if not found:
        return None
    if len(found) > 1:
        raise ExtensionError(f"{name!r} is in {_listed(found)}: uninstall one, or hand in the object itself")
    (point,) = found
    try:
        return Loaded(point.load(), _origin(point))
    except Exception as error:  # importing a package may fail in any way
        raise ExtensionError(
            f"{name!r} of {_origin(point)} cannot be loaded: {type(error).__name__}: {error}"
        ) from error


def _origin(point: EntryPoint) -> str:
    """The distribution with its version."""
    return f"{point.dist.name} {point.dist.version}" if point.dist else point.value


def _listed(points: Sequence[EntryPoint]) -> str:
    return " and ".join(sorted(_origin(point) for point in points))
