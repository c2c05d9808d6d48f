"""Rate limits by token buckets, one for each caller."""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from math import ceil

from imputedb.service.errors import TooMany

_CALLERS = 10_000
"""Maximum number of buckets; the least recently used one is removed first."""


class Rates:
    """Token buckets by caller."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, caller: str, per_minute: int) -> None:
        """Takes one token of a caller, whose bucket refills at so many a minute.

        Raises:
            TooMany: the bucket is empty.
        """
        with self._lock:
            left = self._left(caller, per_minute)
            if left < 1:
                seconds = (1 - left) * 60 / per_minute
                raise TooMany(f"{caller} has sent {per_minute} requests in a minute", retry_after=max(1, ceil(seconds)))
            self._put(caller, left - 1)

    def check(self, caller: str, per_minute: int) -> None:
        """Checks the bucket of a caller without taking a token.

        Raises:
            TooMany: the bucket is empty.
        """
        with self._lock:
            left = self._left(caller, per_minute)
            if left < 1:
                raise TooMany(
                    "too many wrong credentials: wait", retry_after=max(1, ceil((1 - left) * 60 / per_minute))
                )

    def _left(self, caller: str, per_minute: int) -> float:
        left, then = self._buckets.get(caller, (float(per_minute), self._clock()))
        return min(float(per_minute), left + (self._clock() - then) * per_minute / 60)

    def _put(self, caller: str, left: float) -> None:
        self._buckets[caller] = (left, self._clock())
        self._buckets.move_to_end(caller)
        if len(self._buckets) > _CALLERS:
            self._buckets.popitem(last=False)
