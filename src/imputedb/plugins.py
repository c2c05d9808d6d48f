"""What installed packages make known by entry points: found by name, and loaded only when asked for by it."""

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from imputedb.errors import ExtensionError


@dataclass(frozen=True, slots=True)
class Loaded:
    """What an entry point stands for, and in which distribution it is."""

    value: Any
    origin: str


def names(group: str) -> frozenset[str]:
    """The names that a group has; nothing is loaded."""
    return frozenset(point.name for point in entry_points(group=group))


def loaded(group: str, name: str) -> Loaded | None:
    """What a name of a group stands for; None where no installed package has it.

    Raises:
        ExtensionError: two packages have the name, or the package that has it cannot be loaded.
    """
    found = tuple(dict.fromkeys(entry_points(group=group, name=name)))
    if not found:
        return None
    if len(found) > 1:
        raise ExtensionError(f"{name!r} is in {_listed(found)}: uninstall one, or hand in the object itself")
    (point,) = found
    try:
        return Loaded(point.load(), _origin(point))
    except Exception as error:  # a package may fail in any way when it is imported
        raise ExtensionError(
            f"{name!r} of {_origin(point)} cannot be loaded: {type(error).__name__}: {error}"
        ) from error


def _origin(point: EntryPoint) -> str:
    """The distribution and its version."""
    return f"{point.dist.name} {point.dist.version}" if point.dist else point.value


def _listed(points: Sequence[EntryPoint]) -> str:
    return " and ".join(sorted(_origin(point) for point in points))
