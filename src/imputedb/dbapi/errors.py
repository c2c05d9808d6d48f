"""The errors of PEP 249, and which of them each error of ours is."""

from collections.abc import Iterator
from contextlib import contextmanager

from imputedb import duckdb_errors, errors

Warning = type("Warning", (Exception,), {"__doc__": "PEP 249: never raised; answers carry their warnings."})  # noqa: A001


class Error(Exception):
    """PEP 249: any error."""


class InterfaceError(Error):
    """PEP 249: of this interface, such as a cursor that is closed."""


class DatabaseError(Error):
    """PEP 249: of the database."""


class DataError(DatabaseError):
    """PEP 249: the data cannot be used as asked."""


class OperationalError(DatabaseError):
    """PEP 249: a file or a database cannot be read or written."""


class IntegrityError(DatabaseError):
    """PEP 249: a constraint is violated."""


class InternalError(DatabaseError):
    """PEP 249: a promise inside imputedb is broken."""


class ProgrammingError(DatabaseError):
    """PEP 249: the statement, or what was asked along with it, is wrong."""


class NotSupportedError(DatabaseError):
    """PEP 249: valid, but not done."""


@contextmanager
def translated() -> Iterator[None]:
    """Errors of ours as PEP 249 names them."""
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
    """What DuckDB takes its refusal for; a mistake in the statement where it is ours."""
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
