"""The audit log: a record of every answer that holds imputed values, each chained to the one before by a hash."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import UTC, datetime
from queue import SimpleQueue
from typing import Any

from imputedb.errors import DataError
from imputedb.service.cells import imputed_cells
from imputedb.service.core import Done
from imputedb.service.side import Side

GENESIS = "0" * 64
"""What stands before the first record."""

_BATCH = 256

_INSERT = "INSERT INTO audit SELECT unnest(?::BIGINT[]), unnest(?::VARCHAR[]), unnest(?::VARCHAR[])"


@dataclass(frozen=True, slots=True)
class Entry:
    """One record.

    Attributes:
        number: from 1, without gaps.
        record: what was done, as data.
        hash: SHA-256 of the hash before and the record as it is written.
    """

    number: int
    record: Mapping[str, Any]
    hash: str


def chained(before: str, record: str) -> str:
    """The hash of a record that follows another."""
    return hashlib.sha256(f"{before}\n{record}".encode()).hexdigest()


class Audit:
    """Writes records. One thread does, many records to a transaction where many wait.

    Attributes:
        written: records that this process has written.
    """

    def __init__(self, side: Side, tell: Callable[[str, int], None]) -> None:
        """Goes on after the last record; `tell` has each new head of the chain, to be kept elsewhere."""
        self.written = 0
        self._side = side
        self._tell = tell
        self._number, self._head = head(side)
        self._queue: SimpleQueue[tuple[str, Future[None]] | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._work, name="imputedb-audit", daemon=True)
        self._thread.start()

    def observe(self, done: Done) -> None:
        """Records a request whose answer holds imputed values; returns once the record is on the disk.

        Raises:
            StorageError: it cannot be written: the answer must not leave then.
        """
        record = _record(done)
        if record is None:
            return
        waiting: Future[None] = Future()
        self._queue.put((json.dumps(record, sort_keys=True, ensure_ascii=False), waiting))
        waiting.result()

    def close(self) -> None:
        """Writes what waits, and ends."""
        self._queue.put(None)
        self._thread.join()

    def _work(self) -> None:
        is_open = True
        while is_open:
            batch = [self._queue.get()]
            while not self._queue.empty() and len(batch) < _BATCH:
                batch.append(self._queue.get())
            is_open = None not in batch
            self._write([one for one in batch if one is not None])

    def _write(self, batch: list[tuple[str, Future[None]]]) -> None:
        if not batch:
            return
        number, last = self._number, self._head
        numbers, hashes = [], []
        for record, _ in batch:
            number, last = number + 1, chained(last, record)
            numbers.append(number)
            hashes.append(last)
        try:
            self._side.write([(_INSERT, (numbers, [record for record, _ in batch], hashes))])
        except BaseException as error:
            for _, waiting in batch:
                waiting.set_exception(error)
            return
        self._number, self._head = number, last
        self.written += len(batch)
        self._tell(last, number)
        for _, waiting in batch:
            waiting.set_result(None)


def head(side: Side) -> tuple[int, str]:
    """The number and the hash of the last record."""
    rows = side.rows("SELECT number, hash FROM audit ORDER BY number DESC LIMIT 1")
    return (int(rows[0][0]), str(rows[0][1])) if rows else (0, GENESIS)


def entries(side: Side, after: int = 0, count: int | None = None) -> Iterator[Entry]:
    """Records after a number, in order."""
    limit = "" if count is None else f"LIMIT {int(count)}"
    rows = side.rows(f"SELECT number, record, hash FROM audit WHERE number > ? ORDER BY number {limit}", [after])
    return (Entry(int(number), json.loads(record), str(digest)) for number, record, digest in rows)


def verify(side: Side, expected: str | None = None) -> tuple[int, str]:
    """The number and the hash of the last record, once the chain is whole.

    Args:
        side: the file.
        expected: a hash that must stand in the chain, such as the last one in the log: a cut tail lacks it.

    Raises:
        DataError: a record was changed, left out or put in, or the expected one is not there.
    """
    before, seen = GENESIS, expected is None or expected == GENESIS
    number = 0
    for found, record, digest in side.rows("SELECT number, record, hash FROM audit ORDER BY number"):
        if found != number + 1:
            raise DataError(f"audit record {number + 1} is missing")
        number = found
        if chained(before, record) != digest:
            raise DataError(f"audit record {number} is not what was written, or one before it is missing")
        before = digest
        seen = seen or digest == expected
    if not seen:
        raise DataError(f"no audit record has the hash {expected}: records after {number} are missing")
    return number, before


def _record(done: Done) -> dict[str, Any] | None:
    """What is kept of a request; None where its answer holds no imputed value."""
    told: dict[str, Any] = {
        "time": datetime.now(UTC).isoformat(timespec="milliseconds"),
        "request": done.id,
        "principal": done.principal.name,
        "role": done.principal.role,
        "kind": done.kind,
        "statement": done.statement_hash,
    }
    if done.completed is not None:
        model = done.completed.model
        used = {"model": f"{model.name}@{model.version}", "digest": model.digest}
        return {**told, **used, "cells": dict(done.completed.cells), "rows": len(done.completed.rows)}
    if done.status != "ok" or done.answer is None or not any(done.answer.result.report.imputed.values()):
        return None
    report = done.answer.result.report
    rows = done.answer.lease.instance.rows
    cells = imputed_cells(done.answer.result, rows)
    return {
        **told,
        "tables": sorted({table for one in cells for table in one.tables}),
        "cells": {one.name: one.count for one in cells},
        "shares": {
            one.name: round(min(1.0, one.count / most), 6)
            for one in cells
            if (most := sum(rows.get(table, 0) for table in one.tables))
        },
        "methods": {one.name: ", ".join(one.methods) for one in cells},
        "alpha": report.alpha,
        "seed": report.seed,
        "m": report.m,
        "warnings": list(report.warnings),
    }
