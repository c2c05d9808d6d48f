"""Answers of the HTTP interface: JSON documents, or streams of Arrow."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator, Mapping
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from imputedb.answers.as_json import plain_rows, report_data
from imputedb.errors import DataError
from imputedb.result import Result
from imputedb.service.core import Answer
from imputedb.service.errors import TooLarge

ARROW = "application/vnd.apache.arrow.stream"


def as_json(most: int) -> Any:
    """A formatter of answers as JSON documents of at most so many bytes."""

    def form(result: Result, count: int, truncated: bool) -> bytes:
        document = {
            "columns": result.columns,
            "types": result.types,
            "rows": plain_rows(result.first(count)),
            "truncated": truncated,
            "report": report_data(result),
        }
        body = json.dumps(document, ensure_ascii=False, allow_nan=False).encode("utf-8", "replace")
        if len(body) > most:
            raise TooLarge(f"the answer has more than the {most:,} bytes that are sent: ask for fewer rows or columns")
        return body

    return form


def as_arrow(result: Result, count: int, truncated: bool) -> Iterator[bytes]:
    """An answer as pieces of an Arrow stream, whose schema metadata holds the report.

    Raises:
        DataError: pyarrow is not installed.
    """
    try:
        import pyarrow
    except ImportError as error:
        raise DataError("answers in Arrow need one more package in the service: pip install pyarrow") from error
    reader = pyarrow.RecordBatchReader.from_stream(result)
    report = json.dumps({**report_data(result), "truncated": truncated})
    return _pieces(pyarrow, reader, count, report)


def _pieces(pyarrow: Any, reader: Any, count: int, report: str) -> Iterator[bytes]:
    schema = reader.schema.with_metadata({**(reader.schema.metadata or {}), "imputedb.report": report})
    sink = _Sink()
    left = count
    with pyarrow.ipc.new_stream(pyarrow.PythonFile(sink, mode="w"), schema) as writer:
        yield sink.taken()
        for batch in reader:
            part = batch.slice(0, left)
            left -= part.num_rows
            writer.write_batch(pyarrow.RecordBatch.from_arrays(part.columns, schema=schema))
            yield sink.taken()
            if left == 0:
                break
    yield sink.taken()


class _Sink:
    """A file object that collects what is written to it."""

    closed = False

    def __init__(self) -> None:
        self._parts: list[bytes] = []

    def write(self, data: Any) -> int:
        """Appends bytes."""
        self._parts.append(bytes(data))
        return len(data)

    def flush(self) -> None:
        """Does nothing: nothing is buffered elsewhere."""

    def taken(self) -> bytes:
        """The bytes written since the last call."""
        found = b"".join(self._parts)
        self._parts.clear()
        return found


class Streamed(StreamingResponse):
    """A response that streams the pieces of an answer, and closes the answer at the end or when the caller is gone."""

    def __init__(self, answer: Answer, headers: Mapping[str, str]) -> None:
        super().__init__(_read(answer.body), media_type=ARROW, headers=headers)
        self._answer = answer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Sends the pieces."""
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._answer.close()


async def _read(pieces: Iterator[bytes]) -> AsyncIterator[bytes]:
    while (piece := await run_in_threadpool(next, pieces, None)) is not None:
        if piece:
            yield piece
