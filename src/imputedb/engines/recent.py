"""What was asked for of late: a cache of a bounded number of values, good as long as the connection."""

from collections import OrderedDict
from collections.abc import Hashable
from typing import Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")


class Recent(Generic[Key, Value]):
    """Values by key; the one asked for longest ago goes when there are more than `bound`."""

    def __init__(self, bound: int) -> None:
        self._bound = bound
        self._values: OrderedDict[Key, Value] = OrderedDict()

    def __len__(self) -> int:
        return len(self._values)

    def items(self) -> list[tuple[Key, Value]]:
        """All of them, the one asked for longest ago first."""
        return list(self._values.items())

    def recall(self, key: Key) -> Value | None:
        """The value of a key, None where there is none."""
        found = self._values.get(key)
        if found is not None:
            self._values.move_to_end(key)
        return found

    def keep(self, key: Key, value: Value) -> Value:
        """Keeps a value, and gives it."""
        self._values[key] = value
        self._values.move_to_end(key)
        while len(self._values) > self._bound:
            self._values.popitem(last=False)
        return value
