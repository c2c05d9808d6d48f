"""The border of imputedb: every public call passes it, and only imputedb's own exceptions leave it.

NumPy's warnings about infinite values are off within it: results are infinite or NaN, as in SQL.
"""

import inspect
import os
import sys
from collections.abc import Callable, Collection, Mapping
from contextvars import ContextVar
from errno import ENOMEM
from functools import wraps
from traceback import clear_frames, extract_tb
from types import FunctionType
from typing import Any, ParamSpec, Protocol, TypeVar

import numpy as np

from imputedb import arguments, duckdb_errors
from imputedb.errors import DataError, Error, InternalError, QueryError, StorageError

Given = TypeVar("Given")
Parameters = ParamSpec("Parameters")
Kind = TypeVar("Kind")

_CALLBACKS = ("progress", "watch", "analysis")
"""Parameters that are functions of the user's: what they raise is the user's too."""

_EXTRAS = {
    "matplotlib": "plot",
    "pandas": "models",
    "pyarrow": "arrow",
    "sklearn": "sklearn",
    "statsmodels": "models",
}
"""Packages that are imported where they are used, and the extras of imputedb that bring them."""

_DUNDERS = ("__iter__", "__len__", "__repr__")


class Call(Protocol):
    """A public call that is under way."""

    def check(self) -> None:
        """Raises an error if another thread has asked the call to stop."""


UNDER_WAY: ContextVar[Call | None] = ContextVar("UNDER_WAY", default=None)
"""The innermost call that this thread is in the middle of; None outside of calls."""


def check_call() -> None:
    """Raises an error if the current thread's public call is to stop."""
    call = UNDER_WAY.get()
    if call is not None:
        call.check()


def calls_inside() -> int:
    """The stack level of the public call, for the `stacklevel` of warnings."""
    frame, level = sys._getframe(1), 1
    while frame.f_back is not None and str(frame.f_globals.get("__name__")).partition(".")[0] == "imputedb":
        frame, level = frame.f_back, level + 1
    return level


class Passage(Protocol):
    """A way through the border: runs work, and cleans up if it fails."""

    def __call__(self, work: Callable[[], Any], /) -> Any:
        """The result of the work."""


def public(passage: Callable[[Any], Passage], apart: Collection[str] = ()) -> Callable[[type[Kind]], type[Kind]]:
    """A class decorator: public methods, except those `apart`, pass the border by the passage of their object."""

    def decorated(kind: type[Kind]) -> type[Kind]:
        for name, member in list(vars(kind).items()):
            if isinstance(member, FunctionType) and name not in apart and (name[0] != "_" or name in _DUNDERS):
                setattr(kind, name, _passing(member, lambda given: passage(given[0]) if given else outside))
        return kind

    return decorated


def bordered(function: Callable[Parameters, Given]) -> Callable[Parameters, Given]:
    """A function that passes the border without belonging to a database."""
    passing: Callable[Parameters, Given] = _passing(function, lambda _: outside)
    return passing


def outside(work: Callable[[], Given], /) -> Given:
    """The passage of calls without a database."""
    try:
        return work()
    except BaseException as error:
        if not isinstance(error, Error):
            clear_frames(error.__traceback__)  # so that temporary files of these frames are removed now
        raise_ours(error)
        raise


def raise_ours(error: BaseException, titled: Callable[[str], str] = str) -> None:
    """Raises imputedb's error for another exception; a warning that was turned into an error is raised unchanged.

    Messages of errors of imputedb are `titled`.
    """
    if is_interrupted(error):
        raise KeyboardInterrupt from error
    if isinstance(error, Exception) and not isinstance(error, Error | Warning):
        found = ours(error)
        found.args = tuple(titled(part) if isinstance(part, str) else part for part in found.args)
        raise found from error
    if isinstance(error, Error):
        error.args = tuple(titled(part) if isinstance(part, str) else part for part in error.args)


def is_interrupted(error: BaseException) -> bool:
    """Whether an error is DuckDB's for a Ctrl-C during a statement on the main thread."""
    return isinstance(error, RuntimeError) and str(error) == "Query interrupted"


def ours(error: Exception) -> Error:
    """imputedb's error for another exception."""
    match error:
        case Error():
            return error
        case duckdb_errors.Refused():
            return duckdb_errors.as_ours(error)
        case ModuleNotFoundError() if error.name in _EXTRAS:
            return DataError(f"this needs {error.name}: pip install 'imputedb[{_EXTRAS[error.name]}]'")
        case Exception() if lacks_memory(error):
            what = "a library could not be loaded" if isinstance(error, ImportError) else error
            return DataError(f"out of memory: {what or 'an array does not fit'}")
        case RecursionError():
            return QueryError("this is nested deeper than can be answered: take it apart")
        case OSError():
            return StorageError(f"{error.filename or 'a file'} cannot be used: {error.strerror or error}")
        case UnicodeError():
            return QueryError(f"a text is not valid Unicode: {error}")
        case _:
            where = extract_tb(error.__traceback__)[-1]
            place = f"{os.path.basename(where.filename)}, line {where.lineno}"
            return InternalError(f"{type(error).__name__}: {error} ({place}); please report it")


def lacks_memory(error: Exception) -> bool:
    """Whether an exception is due to a lack of memory: for an array, a library or a thread."""
    match error:
        case MemoryError():
            return True
        case ImportError() if error.__cause__ is not None:  # packages wrap the original error
            return isinstance(error.__cause__, Exception) and lacks_memory(error.__cause__)
        case ImportError():
            return "failed to map segment" in str(error) or "cannot allocate memory" in str(error).lower()
        case OSError():
            return error.errno == ENOMEM
        case _:
            return isinstance(error, RuntimeError) and str(error) == "can't start new thread"


class _Theirs(BaseException):
    """A carrier of an exception from a user's function, or from a wrong call, through the border."""

    def __init__(self, error: BaseException) -> None:
        super().__init__()
        self.error = error


class _Relay:
    """A user's function whose exceptions pass the border unchanged."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self._function = function
        self.raised: BaseException | None = None

    def __call__(self, *given: Any) -> Any:
        try:
            return self._function(*given)
        except BaseException as error:
            self.raised = error
            raise


def _passing(function: Callable[..., Any], passage: Callable[[tuple[Any, ...]], Passage]) -> Callable[..., Any]:
    signature = inspect.signature(function)
    places = {name: place for place, name in enumerate(signature.parameters) if name in _CALLBACKS}

    @wraps(function)
    def passing(*given: Any, **named: Any) -> Any:
        relays: list[_Relay] = []
        if places:
            given, named = _relayed(places, given, named, relays)

        def work() -> Any:
            _check_kinds(signature, given, named)
            try:
                return function(*given, **named)
            except BaseException as error:
                uncalled = isinstance(error, TypeError) and error.__traceback__ and error.__traceback__.tb_next is None
                if uncalled or any(relay.raised is error for relay in relays):
                    raise _Theirs(error) from None
                raise

        theirs: BaseException
        try:
            with np.errstate(all="ignore"):
                return passage(given)(work)
        except _Theirs as carried:
            theirs = carried.error
        raise theirs

    return passing


def _check_kinds(signature: inspect.Signature, given: tuple[Any, ...], named: Mapping[str, Any]) -> None:
    """Refuses arguments that do not fit the annotations of their parameters."""
    try:
        bound = signature.bind(*given, **named).arguments
    except TypeError:  # calling the function raises the error
        return
    for name, value in bound.items():
        if signature.parameters[name].kind is not inspect.Parameter.VAR_POSITIONAL:
            arguments.of_kind(name, str(signature.parameters[name].annotation), value)


def _relayed(
    places: Mapping[str, int], given: tuple[Any, ...], named: dict[str, Any], relays: list[_Relay]
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """The arguments, with users' functions wrapped in relays."""

    def relayed(value: Any) -> Any:
        if not callable(value):
            return value
        relays.append(_Relay(value))
        return relays[-1]

    by_place = [relayed(value) if place in places.values() else value for place, value in enumerate(given)]
    return tuple(by_place), {name: relayed(value) if name in places else value for name, value in named.items()}
