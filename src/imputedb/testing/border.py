"""A wrapper of an engine that refuses all members outside its protocols."""

from collections.abc import Callable
from typing import Any

from imputedb.engines.engine import Engine
from imputedb.engines.session import Session


def members(protocol: type) -> frozenset[str]:
    """The names of a protocol's members, inherited ones included."""
    named: set[str] = set()
    for part in protocol.__mro__:
        if getattr(part, "_is_protocol", False):
            named |= {*vars(part), *vars(part).get("__annotations__", {})}
    return frozenset(name for name in named if not name.startswith("_"))


class Bordered:
    """An engine of which only the members of `Engine` can be used, and of its session those of `Session`.

    All of imputedb runs on it as on the engine itself, as long as no other member is used.
    """

    def __init__(self, engine: Engine, used: Callable[[str], object] = lambda _: None) -> None:
        """Wraps an engine; `used` is called with the name of every member that is used."""
        self._inner = engine
        self._used = used
        self.session: Session = _Only(engine.session, members(Session), used)

    def further(self) -> "Bordered":
        """Another session of the same engine, wrapped likewise."""
        return Bordered(self._inner.further(), self._used)

    def __getattr__(self, name: str) -> Any:
        return _member(self._inner, name, members(Engine), self._used)


class _Only:
    """An object of which only some members can be used."""

    def __init__(self, inner: object, allowed: frozenset[str], used: Callable[[str], object]) -> None:
        self._inner, self._allowed, self._used = inner, allowed, used

    def __getattr__(self, name: str) -> Any:
        return _member(self._inner, name, self._allowed, self._used)


def _member(inner: object, name: str, allowed: frozenset[str], used: Callable[[str], object]) -> Any:
    if name not in allowed:
        raise AttributeError(f"{name!r} is not a member of the engine's protocols: only engines may use it")
    used(name)
    return getattr(inner, name)
