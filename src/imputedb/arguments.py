"""Validation of user arguments by name; each check returns the value in plain Python.

True and False are not numbers here, NaN is not a number, and NumPy numbers are converted to Python's.
"""

import math
from collections.abc import Mapping, Sequence
from numbers import Integral, Real
from os import PathLike
from pathlib import Path
from typing import TypeVar

from imputedb.errors import QueryError

Choice = TypeVar("Choice", bound=str)

MOST_DRAWS = 1000


def whole(name: str, value: object, low: int, high: int | None = None, *, example: str = "") -> int:
    """A whole number between two inclusive bounds.

    Raises:
        QueryError: the value is not a whole number, or is out of range.
    """
    domain = f"it goes from {low:,} to {high:,}" if high is not None else f"it is a whole number of {low:,} or more"
    found = None if isinstance(value, bool) or not isinstance(value, Integral) else int(value)
    if found is None or found < low or (high is not None and found > high):
        raise QueryError(f"{name} is {shown(value)}; {domain}{example}")
    return found


def draws(value: object, least: int, *, example: str = "") -> int:
    """A number of draws, m.

    Raises:
        QueryError: the value is not a whole number, or is above `MOST_DRAWS`.
    """
    return whole("m", value, least, MOST_DRAWS, example=example)


def real(name: str, value: object, *, example: str = "such as 0.5") -> float:
    """A finite number.

    Raises:
        QueryError: the value is not a finite number.
    """
    found = _float(value)
    if found is None or not math.isfinite(found):
        raise QueryError(f"{name} is {shown(value)}; it is a number, {example}")
    return found


def positive(name: str, value: object, *, example: str, endless: bool = False) -> float:
    """A number above 0, which may be infinite if `endless`.

    Raises:
        QueryError: the value is not such a number.
    """
    found = _float(value)
    if found is None or not found > 0 or (math.isinf(found) and not endless):
        raise QueryError(f"{name} is {shown(value)}; it is a number above 0, {example}")
    return found


def share(name: str, value: object, *, most: float = 1.0, example: str = "such as 0.95") -> float:
    """A share above 0 and below `most`.

    Raises:
        QueryError: the value is not such a share.
    """
    found = _float(value)
    if found is None or not 0 < found < most:
        raise QueryError(f"the {name} is {shown(value)}; it is a share between 0 and {most:g}, {example}")
    return found


_PATHS = frozenset({"path", "out", "files", "pictures"})
"""Parameters whose text is the name of a file or a folder."""


def of_kind(name: str, kind: str, value: object) -> None:
    """Refuses a value that is not of the kind of its parameter's annotation: a text, a boolean or a function.

    Raises:
        QueryError: the value is of another kind.
    """
    plain = kind.removesuffix(" | None")
    if value is None and plain != kind:
        return
    match plain:
        case "str" if not isinstance(value, str):
            what = "names a file or a folder" if name in _PATHS else "is a text"
            if name == "text":
                raise QueryError(f"the query is {shown(value)}; it is a text of SQL")
            raise QueryError(f"{name} is {shown(value)}; it {what}")
        case "bool":
            flag(name, value)
        case "Progress" | "Watch" if not callable(value):
            raise QueryError(f"{name} is {shown(value)}; it is a function that is told of the work")
        case _:
            pass


def seed(value: object) -> int:
    """A seed of random numbers: any whole number.

    Raises:
        QueryError: the value is not a whole number.
    """
    if not isinstance(value, Integral) or isinstance(value, bool):
        raise QueryError(f"the seed is {shown(value)}; it is a whole number, such as 0")
    return int(value)


def flag(name: str, value: object) -> bool:
    """True or False.

    Raises:
        QueryError: the value is not a boolean.
    """
    if not isinstance(value, bool):
        raise QueryError(f"{name} is {shown(value)}; it is True or False")
    return value


def text(name: str, value: object, *, example: str) -> str:
    """A text that is not empty.

    Raises:
        QueryError: the value is not such a text.
    """
    if not isinstance(value, str) or not value.strip():
        raise QueryError(f"{name} is {shown(value)}; it is a text, {example}")
    return value


def path(name: str, value: object) -> Path:
    """The path of a file or a folder.

    Raises:
        QueryError: the value is not a path.
    """
    if not isinstance(value, str | PathLike) or not str(value) or "\0" in str(value):
        raise QueryError(f"{name} is {shown(value)}; it names a file or a folder")
    return Path(str(value))


def place(name: str, value: object) -> str:
    """The path of a file or a folder, or the address of a database, unchanged.

    Raises:
        QueryError: the value is neither.
    """
    found = path(name, value)
    return str(value) if "://" in str(value) else str(found)


def names(name: str, value: object) -> tuple[str, ...]:
    """The names in a sequence, or a single name given as a text.

    Raises:
        QueryError: the value is neither.
    """
    if isinstance(value, str):
        return (value,)
    if not isinstance(value, Sequence) or not all(isinstance(one, str) for one in value):
        raise QueryError(f"{name} are {shown(value)}; give a list of names")
    return tuple(value)


def listed(name: str, value: object, *, example: str) -> tuple[object, ...]:
    """The values in a list, a tuple or an array.

    Raises:
        QueryError: the value is not a sequence.
    """
    try:
        if isinstance(value, str | bytes | bytearray):
            raise TypeError
        return tuple(value)  # type: ignore[arg-type]
    except TypeError:
        raise QueryError(f"{name} are {shown(value)}; give a list, {example}") from None


def by_column(name: str, value: object, *, example: str) -> dict[str, tuple[object, ...]]:
    """Lists of values by column name.

    Raises:
        QueryError: the value is not such a dictionary.
    """
    if not isinstance(value, Mapping) or not all(isinstance(key, str) for key in value):
        raise QueryError(f"{name} is {shown(value)}; give a dictionary, {example}")
    return {key: listed(f"{name} of {key}", values, example=example) for key, values in value.items()}


def settings(name: str, value: object) -> dict[str, str]:
    """Settings by name, with values as SQL text.

    Raises:
        QueryError: the value is not a dictionary of texts and numbers by name.
    """
    if not isinstance(value, Mapping) or not all(isinstance(key, str) and key.isidentifier() for key in value):
        raise QueryError(f"{name} is {shown(value)}; give a dictionary, such as {{'memory_limit': '4GB'}}")
    found = {}
    for key, one in value.items():
        if not isinstance(one, str | int | float):
            raise QueryError(f"{name} of {key} is {shown(one)}; it is a text or a number")
        found[key] = "'" + one.replace("'", "''") + "'" if isinstance(one, str) else str(one).lower()
    return found


def one_of(name: str, value: object, known: Sequence[Choice]) -> Choice:
    """One of several known words.

    Raises:
        QueryError: the value is none of them.
    """
    if not isinstance(value, str) or value not in known:
        raise QueryError(f"no {name} {shown(value)}; there are {', '.join(map(repr, known))}")
    return known[list(known).index(value)]  # type: ignore[arg-type]


def shown(value: object) -> str:
    """A value as shown in messages, shortened."""
    try:
        whole_text = repr(value)
    except Exception:  # such as an integer with too many digits for str
        return f"a value of type {type(value).__name__}"
    return whole_text if len(whole_text) <= 60 else f"{whole_text[:57]}..."


def _float(value: object) -> float | None:
    if not isinstance(value, Real) or isinstance(value, bool):
        return None
    try:
        return float(value)
    except OverflowError:
        return None
