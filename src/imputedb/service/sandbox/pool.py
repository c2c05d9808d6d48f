"""A pool of worker processes: one for each running statement, and some more for answers that are still being read."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

from imputedb.errors import Error
from imputedb.service.errors import Overloaded
from imputedb.service.sandbox.confinement import check
from imputedb.service.sandbox.worker import Start, Worker

MORE = 8
"""Number of workers, beyond those that run statements, for rows that are still being read."""


_BRIEFLY = 0.3
"""Seconds to wait for a worker to be returned before another one is started."""


class Workers:
    """The workers of one open database; a worker that has ended is replaced when one is needed."""

    def __init__(self, start: Start, count: int) -> None:
        """Starts `count` workers in parallel.

        Raises:
            StorageError: the system cannot confine them, or they cannot open the database.
        """
        check()
        self._start = start
        self._most = count + MORE
        self._changed = threading.Condition()
        self._all = set[Worker]()
        self._starting = 0
        self._is_closed = False
        try:
            with ThreadPoolExecutor(count) as starting:
                self._starting = count
                self._idle = list(starting.map(lambda _: self._started(), range(count)))
        except Error:
            self.close()
            raise

    def _started(self) -> Worker:
        """A new worker, which was counted among the starting ones."""
        found: Worker | None = None
        try:
            found = Worker(self._start)
        finally:
            with self._changed:
                self._starting -= 1
                is_kept = found is not None and not self._is_closed
                if found is not None and is_kept:
                    self._all.add(found)
        if not is_kept:
            found.close()
            raise Overloaded("the database has been closed, or replaced by another file", retry_after=1)
        return found

    def take(self) -> Worker:
        """Takes a worker out of the pool.

        Raises:
            Overloaded: all workers run statements or hold rows.
        """
        with self._changed:
            self._changed.wait_for(lambda: any(one.is_alive for one in self._idle), _BRIEFLY)
            self._all = {one for one in self._all if one.is_alive}
            idle = [one for one in self._idle if one.is_alive]
            found, self._idle = (idle[-1], idle[:-1]) if idle else (None, [])
            if found is None and len(self._all) + self._starting >= self._most:
                message = f"{self._most} workers run statements, or hold rows that are not read yet"
                raise Overloaded(message, retry_after=1)
            self._starting += found is None
        return found or self._started()

    def give_back(self, worker: Worker) -> None:
        """Returns a worker to the pool."""
        with self._changed:
            if worker.is_alive and not self._is_closed:
                self._idle.append(worker)
                self._changed.notify()
                return
        worker.close()

    def close(self) -> None:
        """Ends all workers."""
        with self._changed:
            self._is_closed, self._idle = True, []
            workers, self._all = self._all, set()
        for one in workers:
            one.close()
