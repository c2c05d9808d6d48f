"""What was computed from the data and may be asked for again, until something is written."""

from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Any

BOUND = 256 << 20
"""Bytes kept at most; those asked for longest ago go first."""

MOST = 4096
"""Values kept at most: small ones take more than their bytes."""


class Memory:
    """Values by name, all of one state of the data."""

    def __init__(self, state: Callable[[], object]) -> None:
        self._now = state
        self._state: object = None
        self._values: OrderedDict[Hashable, tuple[Any, int]] = OrderedDict()
        self._bytes = 0

    def recall(self, name: Hashable) -> Any:
        """The value of a name; None where there is none, or only one of another state."""
        if self._now() != self._state or name not in self._values:
            return None
        self._values.move_to_end(name)
        return self._values[name][0]

    def keep(self, name: Hashable, value: Any, size: int = 64) -> None:
        """Keeps a value of so many bytes, if need be in place of others."""
        state = self._now()
        if state != self._state:
            self._state, self._bytes = state, 0
            self._values.clear()
        if name in self._values:
            self._bytes -= self._values.pop(name)[1]
        if size > BOUND:
            return
        self._values[name] = (value, size)
        self._bytes += size
        while self._bytes > BOUND or len(self._values) > MOST:
            self._bytes -= self._values.popitem(last=False)[1][1]
