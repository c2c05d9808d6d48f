"""The audit log: a record of every answer that holds imputed values, linked to the record before it by a hash."""

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
from imputedb.notes import as_data
from imputedb.service.cells import imputed_cells
from imputedb.service.core import Done
from imputedb.service.side import Side

GENESIS = "0" * 64
"""The hash before the first record."""

_BATCH = 256

_INSERT = "INSERT INTO audit SELECT unnest(?::BIGINT[]), unnest(?::VARCHAR[]), unnest(?::VARCHAR[])"


@dataclass(frozen=True, slots=True)
class Entry:
    """One record.

    Attributes:
        number: consecutive, from 1.
        record: the request and what was imputed, as data.
        hash: SHA-256 of the previous record's hash and this record's text.
    """

    number: int
    record: Mapping[str, Any]
    hash: str


def chained(before: str, record: str) -> str:
    """The hash of a record that follows the record with the hash `before`."""
    return hashlib.sha256(f"{before}\n{record}".encode()).hexdigest()


class Audit:
    """The writer of the audit log. One thread writes; records that wait together share one transaction.

    Attributes:
        written: number of records that this process has written.
    """

    def __init__(self, side: Side, notify: Callable[[str, int], None]) -> None:
        """A writer that goes on after the last record; `notify` receives each new last hash and its number."""
        self.written = 0
        self._side = side
        self._notify = notify
        self._number, self._head = head(side)
        self._queue: SimpleQueue[tuple[str, Future[None]] | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._work, name="imputedb-audit", daemon=True)
        self._thread.start()

    def observe(self, done: Done) -> None:
        """Records a request whose answer holds imputed values; returns once the record is on disk.

        Raises:
            StorageError: the record cannot be written; the answer must then not be sent.
        """
        record = _record(done)
        if record is None:
            return
        waiting: Future[None] = Future()
        self._queue.put((json.dumps(record, sort_keys=True, ensure_ascii=False), waiting))
        waiting.result()

    def close(self) -> None:
        """Writes the records that wait, and ends the thread."""
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
        self._notify(last, number)
        for _, waiting in batch:
            waiting.set_result(None)


def head(side: Side) -> tuple[int, str]:
    """The number and the hash of the last record."""
    rows = side.rows("SELECT number, hash FROM audit ORDER BY number DESC LIMIT 1")
    return (int(rows[0][0]), str(rows[0][1])) if rows else (0, GENESIS)


def entries(side: Side, after: int = 0, count: int | None = None) -> Iterator[Entry]:
    """The records after a number, in order, at most `count` of them."""
    limit = "" if count is None else f"LIMIT {int(count)}"
    rows = side.rows(f"SELECT number, record, hash FROM audit WHERE number > ? ORDER BY number {limit}", [after])
    return (Entry(int(number), json.loads(record), str(digest)) for number, record, digest in rows)


def verify(side: Side, expected: str | None = None) -> tuple[int, str]:
    """The number and the hash of the last record, after a check of the whole chain.

    Args:
        side: the file that holds the log.
        expected: a hash that must occur in the chain, such as the last one in the log; a truncated chain lacks it.

    Raises:
        DataError: a record was changed, removed or inserted, or no record has the expected hash.
    """
    before, seen = GENESIS, expected is None or expected == GENESIS
    number = 0
    for found, record, digest in side.rows("SELECT number, record, hash FROM audit ORDER BY number"):
        if found != number + 1:
            raise DataError(f"audit record {number + 1} is missing")
        number = found
        if chained(before, record) != digest:
            raise DataError(f"audit record {number} has been changed, or one before it is missing")
        before = digest
        seen = seen or digest == expected
    if not seen:
        raise DataError(f"no audit record has the hash {expected}: records after {number} are missing")
    return number, before


def _record(done: Done) -> dict[str, Any] | None:
    """The audit record of a request; None where its answer holds no imputed value."""
    entry: dict[str, Any] = {
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
        return {**entry, **used, "cells": dict(done.completed.cells), "rows": len(done.completed.rows)}
    if done.status != "ok" or done.answer is None or not any(done.answer.result.report.imputed.values()):
        return None
    report = done.answer.result.report
    rows = done.answer.lease.instance.rows
    cells = imputed_cells(done.answer.result, rows)
    return {
        **entry,
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
        "within_ms": report.budget.within_ms if report.budget else None,
        "error": report.budget.error if report.budget else None,
        "warnings": list(map(as_data, report.warnings)),
    }
