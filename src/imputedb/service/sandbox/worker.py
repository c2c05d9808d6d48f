"""The service's handle of a worker process."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import imputedb.errors
from imputedb.answers.description import Description
from imputedb.errors import Error, InternalError, StorageError
from imputedb.result import Report, Result
from imputedb.service.errors import Forbidden, Refusal
from imputedb.service.sandbox import messages

_PATIENCE = 2.0
"""Seconds that a worker has to end an interrupted call before it is killed."""

_START = 60.0
"""Maximum number of seconds for the start of a worker."""


class Ended(Refusal):
    """A worker that has ended: by its limits, by its deadline, or by a fault of the engine."""

    status = 503
    state = "57P02"


@dataclass(frozen=True, slots=True)
class Start:
    """The settings of a new worker.

    Attributes:
        path: path of the database.
        memory: memory limit of DuckDB in bytes.
        threads: number of DuckDB's threads.
        locked: whether DuckDB's own access is locked too; tests of the sandbox alone turn this off.
    """

    path: Path
    memory: int
    threads: int
    locked: bool = True


class Worker:
    """A process that answers one statement at a time, with the methods of a session.

    Attributes:
        is_alive: whether it can answer another statement.
    """

    def __init__(self, start: Start) -> None:
        """Starts the process.

        Raises:
            StorageError: the process cannot open the database, or cannot confine itself.
        """
        kept = {name: os.environ[name] for name in ("PATH", "LANG", "LC_ALL", "HOME") if name in os.environ}
        home = str(Path(imputedb.__file__).parent.parent)  # no other folder: whatever is on Python's path can be read
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "imputedb.service.sandbox.work"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, cwd="/",
            start_new_session=True,
            env={**kept, "PYTHONPATH": home, "PYTHONDONTWRITEBYTECODE": "1"},
        )  # fmt: skip
        self._sending = threading.Lock()
        self._call_lock = threading.Lock()
        self._interrupted_at: float | None = None
        self.is_alive = True
        settings = {"path": str(start.path.resolve()), "memory": start.memory, "threads": start.threads}
        late = threading.Timer(_START, self.close)
        late.daemon = True
        late.start()
        try:
            self._send({**settings, "locked": start.locked})
            self._received()
        except Ended as error:
            raise StorageError(f"a worker could not open {start.path}, or confine itself") from error
        finally:
            late.cancel()

    # -- methods of a session ----------------------------------------------------------------------------------------

    def sql(self, text: str, parameters: Any = None, **wishes: Any) -> Result:
        """The answer to a statement; its rows stay in the worker until the next statement."""
        return Rows(self, *self._call("sql", text, parameters, **wishes))

    def explain(self, text: str, parameters: Any = None, **wishes: Any) -> PlanData:
        """The plan of a query."""
        return PlanData(self._call("explain", text, parameters, **wishes))

    def describe(self, text: str, parameters: Any = None, **wishes: Any) -> Description:
        """The columns and the parameters of a query."""
        found: Description = self._call("describe", text, parameters, **wishes)
        return found

    def frontier(self, text: str, parameters: Any = None, **wishes: Any) -> list[PlanData]:
        """The frontier of plans: those that no other plan beats in both penalty and time."""
        return [PlanData(one) for one in self._call("frontier", text, parameters, **wishes)]

    def interrupt(self) -> None:
        """Interrupts the call under way; where that takes seconds, kills the process."""
        if not self._call_lock.locked():
            return
        now = time.monotonic()
        if self._interrupted_at is None:
            self._interrupted_at = now
        if now - self._interrupted_at > _PATIENCE:
            self.close()
            return
        try:
            self._send({"work": "interrupt"})
        except Ended:
            self.is_alive = False

    def close(self) -> None:
        """Ends the process."""
        self.is_alive = False
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            with suppress(OSError):  # the process may not read any more
                assert pipe is not None
                pipe.close()

    # -- messages ---------------------------------------------------------------------------------------------------

    def call(self, work: str, *given: Any) -> Any:
        """An operation on the rows that the worker holds."""
        return self._call(work, *given)

    def _call(self, work: str, *given: Any, **named: Any) -> Any:
        with self._call_lock:
            self._interrupted_at = None
            self._send({"work": work, "given": given, "named": named})
            return self._received()

    def _send(self, one: object) -> None:
        assert self._process.stdin is not None
        with self._sending:
            try:
                messages.written(self._process.stdin, one)
            except (OSError, ValueError) as error:
                raise self._ended() from error

    def _received(self) -> Any:
        assert self._process.stdout is not None
        try:
            found = messages.read(self._process.stdout)
        except (EOFError, OSError, ValueError) as error:
            raise self._ended() from error
        except InternalError:
            self.close()
            raise
        if not isinstance(found, dict) or not {"found", "error", "ready"} & set(found):
            self.close()
            raise InternalError("a worker's message is none")
        if "error" in found:
            raise self._error(found)
        return found.get("found")

    def _error(self, reply: dict[str, Any]) -> Error:
        if reply.get("changed"):
            self.close()
            return Forbidden("the statement has changed a setting: it is not answered, and its worker was ended")
        kind = getattr(imputedb.errors, str(reply["error"]), InternalError)
        found: Error = (kind if isinstance(kind, type) and issubclass(kind, Error) else InternalError)(
            str(reply["message"])
        )
        return found

    def _ended(self) -> Ended:
        self.close()
        return Ended("the process that ran the statement has ended: it needed more than it may have, or too long")


@dataclass(frozen=True, slots=True)
class PlanData:
    """A plan as data, from a worker.

    Attributes:
        value: values of JSON's types.
    """

    value: Any

    def data(self) -> Any:
        """The plan as JSON-ready data."""
        return self.value


class Rows(Result):
    """An answer whose rows a worker holds; each read is a message to the worker."""

    def __init__(
        self,
        worker: Worker,
        count: int,
        columns: list[str],
        types: list[str],
        report: Report,
        blocks: Any,
        estimates: Any,
    ) -> None:
        super().__init__(worker, worker, columns, types, report, blocks, None, estimates)  # type: ignore[arg-type]
        self._worker = worker
        self._count = count

    def first(self, count: int, after: int = 0, items: Sequence[str] = ()) -> list[tuple[Any, ...]]:
        """At most `count` rows after the first `after`; `items` are SQL expressions over the columns c0, c1, ..."""
        found: list[tuple[Any, ...]] = self._worker.call("first", count, after, list(items))
        return found

    def __len__(self) -> int:
        return self._count

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        """A stream of Arrow's C interface, which the worker sends in pieces."""
        import pyarrow

        schema = pyarrow.ipc.read_schema(pyarrow.py_buffer(self._worker.call("streamed")))

        def batches() -> Iterator[Any]:
            while (batch := self._worker.call("batch")) is not None:
                yield pyarrow.ipc.read_record_batch(pyarrow.py_buffer(batch), schema)

        return pyarrow.RecordBatchReader.from_batches(schema, batches()).__arrow_c_stream__(requested_schema)
