"""The cost of a run: processor seconds and peak memory of the processes that made it, and bytes written."""

import sys
from collections.abc import Mapping, Sequence
from time import process_time
from typing import Any

from imputedb.errors import Spent


class Meter:
    """A meter of this process's costs, lap by lap.

    Attributes:
        budget: limit of processor seconds; None for no limit.
    """

    def __init__(self, budget: float | None = None) -> None:
        self.budget = budget
        self._first = self._last = process_time()

    def lap(self) -> dict[str, Any]:
        """The costs since the last lap, and the peak memory so far."""
        before, self._last = self._last, process_time()
        return {"cpu_seconds": round(self._last - before, 3), "peak_bytes": peak_bytes()}

    def available_bytes(self, made: int, done: int, of: int) -> int:
        """The number of draws that the budget has room for, if each takes as long as the earlier ones did.

        Args:
            made: number of draws by this process, all that it has computed; the first one is always made.
            done: number of finished draws, those of other processes included.
            of: number of requested draws.

        Raises:
            Spent: there is room for none.
        """
        if self.budget is None or not made:
            return of if self.budget is None else 1
        spent = process_time() - self._first
        left = int((self.budget - spent) / (spent / made)) if spent else of
        if left < 1:
            raise Spent(
                f"the budget of {self.budget:g} processor seconds is spent: {done} of {of} draws are made "
                f"({spent:.1f} s), and the same command with a larger budget goes on from there"
            )
        return left


def peak_bytes() -> int | None:
    """The peak memory of this process; None where the system does not report it."""
    if sys.platform == "win32":
        return None
    import resource

    size = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return size if sys.platform == "darwin" else size * 1024


def total(laps: Sequence[Mapping[str, Any]], written: int) -> dict[str, Any]:
    """The total cost of laps: processor seconds of all processes, peak memory of the largest."""
    peaks = [lap["peak_bytes"] for lap in laps if lap["peak_bytes"] is not None]
    return {
        "cpu_seconds": round(sum(lap["cpu_seconds"] for lap in laps), 3),
        "peak_bytes": max(peaks, default=None),
        "written_bytes": written,
    }
