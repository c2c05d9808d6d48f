"""Messages between the service and its workers: plain values and records, never code.

A worker that a statement has taken over may send anything. So the service unpickles only plain values and imputedb's
own records, and calls nothing else to make them.
"""

from __future__ import annotations

import dataclasses
import io
import pickle
import struct
from enum import Enum
from typing import IO, Any

from imputedb.errors import InternalError
from imputedb.inference.scale import FISHER, IDENTITY, LOG, LOGIT, Scale
from imputedb.notes import Note

MOST = 1 << 30
"""Maximum number of bytes of a message."""

_LENGTH = struct.Struct("!I")
_VALUES = frozenset((
    ("datetime", "date"), ("datetime", "datetime"), ("datetime", "time"), ("datetime", "timedelta"),
    ("datetime", "timezone"), ("decimal", "Decimal"), ("uuid", "UUID"), ("uuid", "SafeUUID"), ("builtins", "frozenset"),
    ("builtins", "set"), ("builtins", "complex"), ("builtins", "bytearray"), ("numpy", "dtype"),
    ("numpy._core.multiarray", "scalar"),
))  # fmt: skip


_ROOMS = ("imputedb.algebra.", "imputedb.answers.description", "imputedb.imputers.", "imputedb.inference.",
          "imputedb.notes", "imputedb.planning.", "imputedb.result", "imputedb.statistics.")  # fmt: skip
"""Modules of the records in answers; creating a record has no side effect."""

_SCALES = {scale.name: scale for scale in (IDENTITY, LOG, LOGIT, FISHER)}
"""Scales of pooling by name; they hold functions, so messages contain their names."""


class _Writer(pickle.Pickler):
    def persistent_id(self, one: Any) -> Any:
        return one.name if isinstance(one, Scale) else None

    def reducer_override(self, one: Any) -> Any:
        if isinstance(one, Note):
            return Note, (one.kind, one.subject, str(one))
        return NotImplemented


class _Reader(pickle.Unpickler):
    def persistent_load(self, name: Any) -> Any:
        return _SCALES[name]

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) in _VALUES:
            return super().find_class(module, name)
        if module.startswith(_ROOMS):
            found = super().find_class(module, name)
            if isinstance(found, type) and found.__module__ == module and _is_record(found):
                return found
        raise pickle.UnpicklingError(f"a message holds {module}.{name}, which is not a value")


def _is_record(kind: type) -> bool:
    return kind is Note or dataclasses.is_dataclass(kind) or issubclass(kind, Enum) or hasattr(kind, "_fields")


def written(file: IO[bytes], one: object) -> None:
    """Writes a message to a pipe.

    Raises:
        InternalError: the message is too long.
        OSError: the other side has closed the pipe.
    """
    sink = io.BytesIO()
    _Writer(sink, protocol=5).dump(one)
    data = sink.getvalue()
    if len(data) > MOST:
        raise InternalError(f"a message of {len(data):,} bytes is longer than is sent to or from a worker")
    file.write(_LENGTH.pack(len(data)) + data)
    file.flush()


def read(file: IO[bytes]) -> Any:
    """The next message.

    Raises:
        EOFError: the other side has closed the pipe.
        InternalError: the message holds anything but values and records.
    """
    head = file.read(_LENGTH.size)
    if len(head) < _LENGTH.size:
        raise EOFError
    (length,) = _LENGTH.unpack(head)
    data = file.read(length) if length <= MOST else b""
    if len(data) < length:
        raise EOFError
    try:
        return _Reader(io.BytesIO(data)).load()
    except Exception as error:
        raise InternalError("a worker's message is none") from error
