"""Imputers behind a checked border: their members and results are validated.

Anybody may write an imputer. All other modules call imputers through this one, so that a fault in one is reported with
its name and the column, before a wrong value is used. imputedb's own imputers are checked likewise.
"""

import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import fields, is_dataclass
from math import isfinite
from numbers import Real
from typing import Any, TypeVar

import numpy as np

from imputedb.algebra.column import Column
from imputedb.border import check_call, lacks_memory
from imputedb.errors import CannotImpute, DataError, Error, ExtensionError, InternalError
from imputedb.imputers.chained.chains import Movement
from imputedb.imputers.checked_values import column_values
from imputedb.imputers.protocol import (
    Converges,
    Draws,
    DrawsOften,
    FillsInSql,
    Imputer,
    LearnsFromSample,
    Progress,
    Work,
    reports_notes,
)
from imputedb.imputers.rows import EVERY, Array, Rows
from imputedb.notes import Note, NoteKind

OnMovement = Callable[[int, Movement | None], object]
"""Receiver of the movement of each draw's chain, by the draw's number, before the draw is returned."""

Answer = TypeVar("Answer")


# -- prices -----------------------------------------------------------------------------------------------------------


def priced(imputer: Imputer, work: Work) -> tuple[float, float]:
    """Penalty and time of an imputer's work.

    Raises:
        ExtensionError: the penalty is not between 0 and 1, or the time is not a valid number of milliseconds.
    """
    penalty = _answered(imputer, "penalty", lambda: imputer.penalty(work))
    if not _is_real(penalty) or not 0 < penalty < 1:
        raise ExtensionError(f"imputer {imputer.name} gives a penalty of {penalty!r}; it lies between 0 and 1")
    return float(penalty), timed(imputer, work)


def timed(imputer: Imputer, work: Work) -> float:
    """Milliseconds of an imputer's work.

    Raises:
        ExtensionError: the time is not a number, or is negative or infinite.
    """
    time = _answered(imputer, "time", lambda: imputer.time(work))
    if not _is_real(time) or not time >= 0 or not isfinite(time):
        raise ExtensionError(
            f"imputer {imputer.name} gives a time of {time!r}; it is in milliseconds, and not negative"
        )
    return float(time)


def learning_rows(imputer: LearnsFromSample, missing: float) -> float:
    """The number of observed cells that an imputer learns from.

    Raises:
        ExtensionError: it is not a positive number.
    """
    rows = _answered(imputer, "training_rows", lambda: imputer.training_rows(missing))
    if not _is_real(rows) or not rows > 0:
        raise ExtensionError(f"imputer {imputer.name} learns from {rows!r} rows; it has to be a positive number")
    return float(rows)


def constant(imputer: FillsInSql, centre: str) -> str:
    """The literal that an imputer gives for a column's missing values.

    Raises:
        ExtensionError: it is not a text.
    """
    text = _answered(imputer, "constant", lambda: imputer.constant(centre))
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
) -> tuple[dict[Column, Array], list[Note]]:
    """The values of `impute` for each target's missing cells, in row order, and the imputer's notes.

    Raises:
        ExtensionError: the imputer fails, or its values do not suit the columns.
        DataError: it reports that it cannot impute, or memory is exhausted.
    """
    _check_observed(rows, targets)
    given = _shown_to(imputer, rows)
    options: dict[str, Any] = {"drawn": drawn} if drawn else {}
    notes: Any = []
    with _working(imputer, targets, progress) as relay:
        if reports_notes(imputer):
            filled, notes = imputer.impute_with_notes(given, targets, seed, relay, **options)
        else:
            filled = imputer.impute(given, targets, seed, relay, **options)
    if not isinstance(notes, Sequence) or isinstance(notes, str) or not all(isinstance(one, str) for one in notes):
        raise ExtensionError(f"imputer {imputer.name} says {notes!r}; it must be a list of sentences")
    return _values(imputer, rows, targets, filled), [_noted(imputer, rows, sentence) for sentence in notes]


def _noted(imputer: Imputer, rows: Rows, sentence: str) -> Note:
    """A note of an imputer; in a text of a user's imputer the names of columns are found."""
    if isinstance(sentence, Note):
        return sentence
    named = {str(column): column for column in sorted(rows.columns, key=lambda one: len(str(one)), reverse=True)}
    pieces = re.split(rf"(?<!\w)({'|'.join(map(re.escape, named))})(?!\w)", sentence)
    return Note(NoteKind.SAID, imputer.name, *(named.get(piece, piece) for piece in pieces))


def draws(
    imputer: Imputer,
    rows: Rows,
    targets: Sequence[Column],
    seed: int,
    numbers: Sequence[int],
    progress: Progress | None = None,
    heard: OnMovement | None = None,
) -> Iterator[dict[Column, Array]]:
    """The draws with these indices, one after another, equal to those of `impute`.

    The movement of their chains, if there are any, is passed to `heard`.

    Raises:
        ExtensionError, DataError: as for `imputed`; or the number of draws is wrong.
    """
    _check_observed(rows, targets)
    shown = _shown_to(imputer, rows)
    if not isinstance(imputer, DrawsOften):
        for count, number in enumerate(numbers, 1):
            check_call()
            yield _one_draw(imputer, shown, targets, seed, number)
            if progress:
                progress(count / len(numbers))
        return
    with _working(imputer, targets, None):
        ready = imputer.prepared(shown, targets)
    yield from prepared_draws(imputer, ready, rows, targets, seed, numbers, progress, heard)


def _check_observed(rows: Rows, targets: Sequence[Column]) -> None:
    """Refuses a column without any observed value, since imputers rely on one."""
    for column in targets:
        if not rows.training(column).any() and rows.columns[column].missing.any():
            raise CannotImpute(
                f"no value of {column} is observed among the rows of the query: there is nothing to learn from"
            )


def _one_draw(imputer: Imputer, rows: Rows, targets: Sequence[Column], seed: int, number: int) -> dict[Column, Array]:
    """A draw for the rows that have this draw; values of other rows are arbitrary."""
    mine = None if rows.draws is None else np.flatnonzero((rows.draws == EVERY) | (rows.draws == number))
    some = rows if mine is None else rows.at(mine)
    with _working(imputer, targets, None):
        given = imputer.impute(some, targets, seed, drawn=targets, draw=number)
    values = _values(imputer, some, targets, given)
    if mine is None:
        return values
    for column, found in values.items():
        missing = rows.columns[column].missing
        whole = (np.ma.zeros if np.ma.isMaskedArray(found) else np.zeros)(len(missing), found.dtype)
        whole[mine[missing[mine]]] = found
        values[column] = whole[missing]
    return values


def prepared_draws(
    imputer: Imputer,
    ready: Draws,
    rows: Rows,
    targets: Sequence[Column],
    seed: int,
    numbers: Sequence[int],
    progress: Progress | None = None,
    heard: OnMovement | None = None,
) -> Iterator[dict[Column, Array]]:
    """The draws of prepared rows."""
    with _working(imputer, targets, progress) as relay:
        found = iter(ready.run_many(seed, numbers, relay))
    for count, number in enumerate(numbers, 1):
        with _working(imputer, targets, progress, relay):
            given = next(found, None)
            further = next(found, None) if count == len(numbers) else None
            if heard and isinstance(ready, Converges):
                heard(number, ready.movement)
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
    return {column: column_values(imputer, column, rows.columns[column], given.get(column)) for column in targets}


# -- what goes wrong inside -------------------------------------------------------------------------------------------


class _Relay:
    """A relay of progress that remembers an exception of the receiver, which is the user's, such as a request to stop.

    It also stops the imputer if the call is to stop, and reports each share once.
    """

    def __init__(self, progress: Progress | None) -> None:
        self._progress = progress
        self._share = -1.0
        self.raised: BaseException | None = None

    def __call__(self, share: float) -> None:
        check_call()
        if self._progress is None or share == self._share:
            return
        self._share = share
        try:
            self._progress(share)
        except BaseException as error:
            self.raised = error
            raise


@contextmanager
def _working(
    imputer: Imputer, targets: Sequence[Column], progress: Progress | None, relay: Progress | None = None
) -> Iterator[Progress]:
    """A context for an imputer's work: its exceptions become imputedb's, except those of the progress receiver.

    NumPy's warnings are off, since infinite values are looked for in the result.
    """
    relay = relay or _Relay(progress)
    try:
        with np.errstate(all="ignore"):
            yield relay
    except Exception as error:
        if isinstance(error, Error) or (isinstance(relay, _Relay) and relay.raised is error):
            raise
        raise _explained(imputer, f"of {', '.join(map(str, targets))}", error) from error


def _answered(imputer: object, member: str, answer: Callable[[], Answer]) -> Answer:
    try:
        return answer()
    except Error:
        raise
    except Exception as error:
        raise _explained(imputer, f"in {member}", error) from error


def _explained(imputer: Any, where: str, error: Exception) -> Error:
    if lacks_memory(error):
        return DataError(f"out of memory: imputer {imputer.name} {where}")
    message = f"imputer {imputer.name} failed {where}: {type(error).__name__}: {error}"
    return InternalError(f"{message}; please report it") if is_ours(imputer) else ExtensionError(message)


def _shown_to(imputer: object, rows: Rows) -> Rows:
    return rows if is_ours(imputer) else rows.read_only()


def is_ours(imputer: object) -> bool:
    """Whether an imputer, and everything that it consists of, comes with imputedb."""
    if not type(imputer).__module__.startswith("imputedb."):
        return type(imputer).__module__ == "builtins"
    if not is_dataclass(imputer):
        return True
    parts = [getattr(imputer, field.name) for field in fields(imputer)]
    return all(is_ours(one) for part in parts for one in (part if isinstance(part, tuple) else (part,)))
