"""The errors of PEP 249, and their correspondence to imputedb's errors."""

from collections.abc import Iterator
from contextlib import contextmanager

from imputedb import duckdb_errors, errors

Warning = type("Warning", (Exception,), {"__doc__": "PEP 249: never raised; answers carry their warnings."})  # noqa: A001


class Error(Exception):
    """PEP 249: the base class of all errors."""


class InterfaceError(Error):
    """PEP 249: an error of the interface, such as the use of a closed cursor."""


class DatabaseError(Error):
    """PEP 249: an error of the database."""


class DataError(DatabaseError):
    """PEP 249: data that cannot be used as requested."""


class OperationalError(DatabaseError):
    """PEP 249: a file or a database that cannot be read or written."""


class IntegrityError(DatabaseError):
    """PEP 249: a violated constraint."""


class InternalError(DatabaseError):
    """PEP 249: a violated invariant inside imputedb."""


class ProgrammingError(DatabaseError):
    """PEP 249: a statement, or one of its options, that is wrong."""


class NotSupportedError(DatabaseError):
    """PEP 249: a valid request that is not supported."""


@contextmanager
def translated() -> Iterator[None]:
    """A context in which imputedb's errors are raised as those of PEP 249."""
    try:
        yield
    except errors.Error as error:
        raise _kind(error)(str(error)) from error


def _kind(error: errors.Error) -> type[Error]:
    match error:
        case errors.Unplanned():
            return NotSupportedError
        case errors.QueryError():
            return _kind_of_duckdb(error.__cause__)
        case errors.StorageError():
            return OperationalError
        case errors.DataError():
            return DataError
        case _:
            return InternalError


def _kind_of_duckdb(cause: BaseException | None) -> type[Error]:
    """The class for an error of DuckDB; ProgrammingError for an error of imputedb's own."""
    match cause:
        case duckdb_errors.Violated():
            return IntegrityError
        case duckdb_errors.Unfit():
            return DataError
        case duckdb_errors.Unsupported():
            return NotSupportedError
        case duckdb_errors.Failed():
            return OperationalError
        case _:
            return ProgrammingError
