"""Imputers behind a checked border: what they are when handed in, and what they answer.

Anybody may write an imputer. Nothing outside this module calls one, so that what is wrong with it is said here, by its
name and the column, before a wrong value gets anywhere. Those that come with imputedb are checked alike.
"""

import inspect
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import fields, is_dataclass
from math import isfinite
from numbers import Real
from typing import Any, TypeVar

import numpy as np

from imputedb.algebra.column import Column
from imputedb.errors import CannotImpute, DataError, Error, ExtensionError, InternalError
from imputedb.imputers.chained.convergence import Chains
from imputedb.imputers.protocol import (
    EVERY,
    Array,
    Cells,
    Converges,
    Draws,
    DrawsOften,
    FillsInSql,
    Imputer,
    LearnsFromSample,
    Progress,
    Rows,
    Work,
    follows_order,
    tells,
)
from imputedb.statistics.table import Kind

LARGE = 1e140
"""Numbers whose squares, summed, may be no doubles."""

GUIDE = "docs/extend/imputer.md"

_OPTIONAL = ("constant", "training_rows", "told", "prepared")
_ARGUMENTS: Mapping[str, int] = {
    "time": 1,
    "penalty": 1,
    "impute": 4,
    "told": 4,
    "constant": 1,
    "training_rows": 1,
    "prepared": 2,
}
"""How many arguments each member takes by their places; what only draws are asked for by name is not needed else."""

Heard = Callable[[Chains], object]
"""Told how the chains moved that draws were made by."""

Answer = TypeVar("Answer")


def handed_in(imputer: object) -> Imputer:
    """An imputer of somebody's own, its members checked.

    Raises:
        ExtensionError: a member is not there, or is not what it must be.
    """
    if isinstance(imputer, type):
        raise ExtensionError(f"{imputer.__name__} is a class: hand in one of its imputers, {imputer.__name__}(...)")
    name = getattr(imputer, "name", None)
    if not isinstance(name, str) or not name.strip():
        raise ExtensionError(f"the imputer {_named(imputer)} has no name: a text that it is told apart by ({GUIDE})")
    if not isinstance(getattr(imputer, "uses_predictors", None), bool):
        raise ExtensionError(f"imputer {name} does not say by uses_predictors, True or False, whether it reads others")
    for member in ("proper", "draws"):
        if not isinstance(getattr(imputer, member, False), bool):
            raise ExtensionError(f"imputer {name} says {member} = {getattr(imputer, member)!r}; it is True or False")
    for member, arguments in _ARGUMENTS.items():
        found = getattr(imputer, member, None)
        if found is None and member in _OPTIONAL:
            continue
        if not callable(found):
            what = "has no method" if found is None else f"has {found!r} where a method is due:"
            raise ExtensionError(f"imputer {name} {what} {member} ({GUIDE})")
        _check_signature(name, member, found, arguments)
    try:
        hash(imputer)
    except TypeError as error:
        raise ExtensionError(
            f"imputer {name} cannot be hashed, so that no plan is remembered for it: {error}"
        ) from error
    return imputer  # type: ignore[return-value]


def _check_signature(name: str, member: str, method: Callable[..., object], arguments: int) -> None:
    try:
        signature = inspect.signature(method)
    except (TypeError, ValueError):  # methods written in C have none
        return
    try:
        signature.bind(*range(arguments))
    except TypeError as error:
        raise ExtensionError(f"{member} of imputer {name} cannot be called as it will be: {error} ({GUIDE})") from error


# -- prices -----------------------------------------------------------------------------------------------------------


def priced(imputer: Imputer, work: Work) -> tuple[float, float]:
    """Penalty and time of an imputer's work.

    Raises:
        ExtensionError: the penalty is not between 0 and 1, or the time is no number of milliseconds.
    """
    penalty = _asked(imputer, "penalty", lambda: imputer.penalty(work))
    if not _is_real(penalty) or not 0 < penalty < 1:
        raise ExtensionError(f"imputer {imputer.name} gives a penalty of {penalty!r}; it lies between 0 and 1")
    return float(penalty), timed(imputer, work)


def timed(imputer: Imputer, work: Work) -> float:
    """Milliseconds of an imputer's work.

    Raises:
        ExtensionError: the time is no number, negative or endless.
    """
    time = _asked(imputer, "time", lambda: imputer.time(work))
    if not _is_real(time) or not time >= 0 or not isfinite(time):
        raise ExtensionError(
            f"imputer {imputer.name} gives a time of {time!r}; it is in milliseconds, and not negative"
        )
    return float(time)


def learning_rows(imputer: LearnsFromSample, missing: float) -> float:
    """How many observed cells an imputer learns from.

    Raises:
        ExtensionError: it gives no positive number.
    """
    rows = _asked(imputer, "training_rows", lambda: imputer.training_rows(missing))
    if not _is_real(rows) or not rows > 0:
        raise ExtensionError(f"imputer {imputer.name} learns from {rows!r} rows; it has to be a positive number")
    return float(rows)


def constant(imputer: FillsInSql, centre: str) -> str:
    """The text of the literal that an imputer puts in the place of a column's missing values.

    Raises:
        ExtensionError: it gives no text.
    """
    text = _asked(imputer, "constant", lambda: imputer.constant(centre))
    if not isinstance(text, str):
        raise ExtensionError(f"imputer {imputer.name} gives {text!r} as its constant; it is the text of a literal")
    return text


def _is_real(given: object) -> bool:
    return isinstance(given, Real) and not isinstance(given, bool)


# -- values -----------------------------------------------------------------------------------------------------------


def imputed(
    imputer: Imputer,
    rows: Rows,
    targets: Sequence[Column],
    seed: int,
    progress: Progress | None = None,
    *,
    drawn: Collection[Column] = (),
) -> tuple[dict[Column, Array], list[str]]:
    """What `impute` gives, of each target's missing cells in row order, and what the imputer has to say of it.

    Raises:
        ExtensionError: the imputer fails, or gives what is none of the columns' values.
        DataError: it says that it cannot impute, or memory is used up.
    """
    _check_observed(rows, targets)
    given = _shown_to(imputer, rows)
    asked: dict[str, Any] = {"drawn": drawn} if drawn else {}
    said: Any = []
    with _working(imputer, targets, progress) as relay:
        if tells(imputer):
            filled, said = imputer.told(given, targets, seed, relay, **asked)
        else:
            filled = imputer.impute(given, targets, seed, relay, **asked)
    if not isinstance(said, Sequence) or isinstance(said, str) or not all(isinstance(one, str) for one in said):
        raise ExtensionError(f"imputer {imputer.name} says {said!r}; it is a list of sentences")
    return _values(imputer, rows, targets, filled), list(said)


def draws(
    imputer: Imputer,
    rows: Rows,
    targets: Sequence[Column],
    seed: int,
    numbers: Sequence[int],
    progress: Progress | None = None,
    heard: Heard | None = None,
) -> Iterator[dict[Column, Array]]:
    """The draws of these numbers, one after another; those of `impute` whichever way they are made.

    How chains moved, if the imputer says so, is told to `heard` before the last draw is given.

    Raises:
        ExtensionError, DataError: as `imputed`; or there are fewer or more draws than numbers.
    """
    _check_observed(rows, targets)
    shown = _shown_to(imputer, rows)
    if not isinstance(imputer, DrawsOften):
        for count, number in enumerate(numbers, 1):
            yield _one_draw(imputer, shown, targets, seed, number)
            if progress:
                progress(count / len(numbers))
        return
    with _working(imputer, targets, None):
        ready = imputer.prepared(shown, targets)
    yield from prepared_draws(imputer, ready, rows, targets, seed, numbers, progress, heard)


def _check_observed(rows: Rows, targets: Sequence[Column]) -> None:
    """Refuses a column of which nothing is known: every imputer may count on a value to learn from."""
    for column in targets:
        if not rows.taught(column).any() and rows.columns[column].missing.any():
            raise CannotImpute(f"no value of {column} is observed among the rows at hand: nothing to learn from")


def _one_draw(imputer: Imputer, rows: Rows, targets: Sequence[Column], seed: int, number: int) -> dict[Column, Array]:
    """A draw of the rows that have it; nothing that means anything of the others."""
    mine = None if rows.draws is None else np.flatnonzero((rows.draws == EVERY) | (rows.draws == number))
    some = rows if mine is None else rows.at(mine)
    with _working(imputer, targets, None):
        given = imputer.impute(some, targets, seed, drawn=targets, draw=number)
    values = _values(imputer, some, targets, given)
    if mine is None:
        return values
    for column, found in values.items():
        gone = rows.columns[column].missing
        whole = (np.ma.zeros if np.ma.isMaskedArray(found) else np.zeros)(len(gone), found.dtype)
        whole[mine[gone[mine]]] = found
        values[column] = whole[gone]
    return values


def prepared_draws(
    imputer: Imputer,
    ready: Draws,
    rows: Rows,
    targets: Sequence[Column],
    seed: int,
    numbers: Sequence[int],
    progress: Progress | None = None,
    heard: Heard | None = None,
) -> Iterator[dict[Column, Array]]:
    """The draws of rows that an imputer has made ready."""
    with _working(imputer, targets, progress) as relay:
        found = iter(ready.run_many(seed, numbers, relay))
    for count, number in enumerate(numbers, 1):
        with _working(imputer, targets, progress, relay):
            given = next(found, None)
            further = next(found, None) if count == len(numbers) else None
            if heard and count == len(numbers) and isinstance(ready, Converges) and ready.chains:
                heard(ready.chains)
        if given is None:
            raise ExtensionError(
                f"imputer {imputer.name} gives fewer draws than {len(numbers)}: none of number {number}"
            )
        if further is not None:
            raise ExtensionError(f"imputer {imputer.name} gives more draws than {len(numbers)}")
        yield _values(imputer, rows, targets, given)


def _values(imputer: Imputer, rows: Rows, targets: Sequence[Column], given: object) -> dict[Column, Array]:
    if not isinstance(given, Mapping):
        raise ExtensionError(
            f"imputer {imputer.name} gives {type(given).__name__}; it is a mapping of values by column"
        )
    further = [column for column in given if column not in targets]
    if further:
        raise ExtensionError(f"imputer {imputer.name} gives values for {further[0]}, which was not asked for")
    return {column: _of_one(imputer, column, rows.columns[column], given.get(column)) for column in targets}


def _of_one(imputer: Imputer, column: Column, cells: Cells, given: Any) -> Array:
    """The values of one column; masked only where an imputer that follows an order has no row to follow."""
    if not follows_order(imputer) or not np.ma.isMaskedArray(given):
        return checked_values(imputer.name, column, cells, given)
    return np.ma.masked_array(checked_values(imputer.name, column, cells, np.ma.getdata(given)), np.ma.getmask(given))


def checked_values(name: str, column: Column, cells: Cells, given: Any) -> Array:
    """Values of a column's missing cells, of the column's own type.

    Raises:
        ExtensionError: there are too few or too many, they are none of that type, or not finite.
    """
    who = f"imputer {name} gives {column}"
    if given is None:
        raise ExtensionError(f"imputer {name} gives nothing for {column}: it gives a value for each missing cell")
    try:
        gone, values = bool(np.ma.getmaskarray(given).any()), np.asarray(given)
    except ValueError as error:
        raise ExtensionError(f"{who} what is no array: {error}") from error
    if gone:
        raise ExtensionError(f"{who} values that are missing")
    count = int(np.count_nonzero(cells.missing))
    if values.shape != (count,):
        shape = f"{len(values):,}" if values.ndim == 1 else f"an array of shape {values.shape}"
        raise ExtensionError(f"{who} {shape} values for {count:,} missing cells")
    wanted = cells.values.dtype
    if values.dtype == wanted and wanted.kind in "iub" and cells.kind is not Kind.CATEGORY:
        return values
    if not count:
        return values.astype(wanted) if values.dtype.kind in "biuf" else np.zeros(0, wanted)
    if cells.kind is Kind.CATEGORY:
        return _categories(who, cells, values)
    if values.dtype.kind not in {"f": "fiu", "i": "iu", "u": "iu", "b": "b"}.get(wanted.kind, wanted.kind):
        way = ": round them" if values.dtype.kind == "f" and wanted.kind in "iu" else ""
        raise ExtensionError(f"{who} values of type {values.dtype}; the column's are {wanted}{way}")
    if wanted.kind == "f":
        return _finite(who, cells, values)
    bounds: Any = np.iinfo(wanted)
    if values.min() < bounds.min or values.max() > bounds.max:
        raise ExtensionError(f"{who} {values.min()} to {values.max()}, which {wanted} does not hold")
    return values.astype(wanted)


def _categories(who: str, cells: Cells, values: Array) -> Array:
    if values.dtype.kind not in "iu":
        raise ExtensionError(
            f"{who} values of type {values.dtype}; categories are positions in its levels, whole numbers"
        )
    low, high = int(values.min()), int(values.max())
    if low < 0 or high >= len(cells.levels):
        raise ExtensionError(f"{who} category {low if low < 0 else high}; there are 0 to {len(cells.levels) - 1}")
    return values.astype(cells.values.dtype, copy=False)


def _finite(who: str, cells: Cells, values: Array) -> Array:
    """Numbers, of which those that are infinite are so in the column too."""
    found = values.astype(cells.values.dtype, copy=False)
    odd = found[~np.isfinite(found)]
    if len(odd):
        observed = cells.values[~cells.missing]
        unknown = odd[np.isnan(odd) | ~np.isin(odd, observed)]
        if len(unknown):
            largest = float(np.abs(observed[np.isfinite(observed)]).max(initial=0.0))
            if largest > LARGE:
                raise CannotImpute(
                    f"{who} {unknown[0]}: its values, up to {largest:.3g}, are too large to compute with; divide the "
                    "column by a power of ten"
                )
            raise ExtensionError(f"{who} {unknown[0]} for {len(unknown):,} of {len(found):,} missing cells")
    return found


# -- what goes wrong inside -------------------------------------------------------------------------------------------


class _Relay:
    """Passes progress on, and remembers what its receiver raised: that is the user's, such as a wish to stop."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self.raised: BaseException | None = None

    def __call__(self, share: float) -> None:
        try:
            self._progress(share)
        except BaseException as error:
            self.raised = error
            raise


@contextmanager
def _working(
    imputer: Imputer, targets: Sequence[Column], progress: Progress | None, relay: Progress | None = None
) -> Iterator[Progress | None]:
    """An imputer at work: what it raises is an error of ours, but for what its progress's receiver raised."""
    relay = relay or (_Relay(progress) if progress else None)
    try:
        yield relay
    except Exception as error:
        if isinstance(error, Error) or (isinstance(relay, _Relay) and relay.raised is error):
            raise
        raise _explained(imputer, f"of {', '.join(map(str, targets))}", error) from error


def _asked(imputer: object, member: str, answer: Callable[[], Answer]) -> Answer:
    try:
        return answer()
    except Error:
        raise
    except Exception as error:
        raise _explained(imputer, f"in {member}", error) from error


def _explained(imputer: Any, where: str, error: Exception) -> Error:
    if isinstance(error, MemoryError):
        return DataError(f"out of memory: imputer {imputer.name} {where}")
    said = f"imputer {imputer.name} failed {where}: {type(error).__name__}: {error}"
    return InternalError(f"{said}; please report it") if is_ours(imputer) else ExtensionError(said)


def _shown_to(imputer: object, rows: Rows) -> Rows:
    return rows if is_ours(imputer) else rows.read_only()


def _named(imputer: object) -> str:
    shown = repr(imputer)
    return shown if len(shown) <= 80 else f"{shown[:77]}..."


def is_ours(imputer: object) -> bool:
    """Whether an imputer, and all that it is made of, comes with imputedb."""
    if not type(imputer).__module__.startswith("imputedb."):
        return type(imputer).__module__ == "builtins"
    if not is_dataclass(imputer):
        return True
    parts = [getattr(imputer, field.name) for field in fields(imputer)]
    return all(is_ours(one) for part in parts for one in (part if isinstance(part, tuple) else (part,)))
