"""Spark's errors as imputedb's: one sentence, without Java traces."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

from imputedb.errors import DataError, Error, QueryError, StorageError, UnknownName, Unplanned

_CODE = re.compile(r"^(\[[A-Z0-9_.]+\]\s*)+")
_STATE = re.compile(r"\s*SQLSTATE: \w+.*$", re.DOTALL)
_DATA = ("ArithmeticException", "NumberFormatException", "DateTimeException", "SparkRuntimeException")
_AWAY = ("UNAVAILABLE", "failed to connect", "Connection refused", "SESSION_CLOSED", "SESSION_NOT_FOUND", "DEADLINE")
_FORBIDDEN = ("PERMISSION", "Permission denied", "AccessControl", "UNAUTHENTICATED", "not authorized")


@contextmanager
def translated(where: str) -> Iterator[None]:
    """A block in which errors of Spark and of its connection become imputedb's."""
    try:
        yield
    except Error:
        raise
    except Exception as error:
        if not type(error).__module__.startswith(("pyspark.", "grpc", "pyarrow.")):
            raise
        raise ours(error, where) from error


def ours(error: Exception, where: str) -> Error:
    """Spark's error as one of imputedb's."""
    text = f"{type(error).__name__} {error}"
    message = reason(str(error))
    kinds = {kind.__name__ for kind in type(error).__mro__}
    if any(word in text for word in _AWAY):
        return StorageError(f"Spark at {where} does not answer: {message}; see that the server runs, and connect anew")
    if any(word in text for word in _FORBIDDEN):
        return StorageError(f"Spark at {where} forbids this: {message}")
    if "TABLE_OR_VIEW_NOT_FOUND" in text or "Table not found" in text:
        return UnknownName(f"a table is gone from Spark since the statement was planned: {message}")
    if kinds.intersection(_DATA):
        return DataError(f"Spark cannot compute this: {message}")
    if kinds & {"AnalysisException", "ParseException", "UnsupportedOperationException", "PySparkNotImplementedError"}:
        return Unplanned(f"Spark does not answer this: {message}")
    if "PATH_NOT_FOUND" in text or "does not exist" in text or "No such file" in text:
        return StorageError(f"Spark cannot read a table: {message}")
    return QueryError(f"Spark has given up: {message}")


def reason(message: str) -> str:
    """Spark's message on one line, without codes and traces."""
    first = next((line.strip() for line in message.splitlines() if line.strip()), "no reason is given")
    found = _STATE.sub("", _CODE.sub("", first)).strip().rstrip(".")
    return found if len(found) <= 300 else f"{found[:297]}..."
