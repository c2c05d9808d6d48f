"""Checks of a run before it is made, and warnings for its readers."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields, is_dataclass
from math import isfinite
from typing import Any

import numpy as np

from imputedb.completion.source import DRAW, FLAG, ROW, Source
from imputedb.errors import CannotImpute, QueryError
from imputedb.imputers.chained.chains import Chains
from imputedb.imputers.chained.convergence import convergence
from imputedb.imputers.permitted import outside
from imputedb.imputers.protocol import Imputer, doubt
from imputedb.imputers.rows import Array
from imputedb.notes import Note, NoteKind


def check_names(source: Source, *, flags: bool, long: bool) -> None:
    """Refuses a run with an added column whose name is in use.

    Raises:
        QueryError: the name is in use; the message has it.
    """
    added = [column.name + FLAG for column in source.targets] if flags else []
    added += [DRAW, ROW] if long else []
    taken = {name.lower(): name for name in source.types}
    for name in added:
        if name.lower() in taken:
            way_out = "leave out flags" if name.endswith(FLAG) else "leave out long"
            raise QueryError(
                f"the run adds a column {name}, but a column of that name exists: rename it in a SELECT, or {way_out}"
            )


def check_targets(source: Source, wanted: Sequence[str] | None) -> None:
    """Refuses a run in which every requested column is complete.

    Raises:
        QueryError: nothing is to be filled in.
    """
    if wanted is not None and not wanted:
        raise QueryError("columns is empty: name columns, or leave columns out to impute all that have missing values")
    if wanted is not None and not source.targets and not set(wanted) & set(source.left):
        raise QueryError(f"{', '.join(wanted)}: nothing is missing, so there is nothing to impute")


def shares(source: Source) -> list[Note]:
    """Warnings of imputed shares above a policy's limit, and of bounds that observed values violate.

    Raises:
        CannotImpute: a policy forbids the run.
    """
    found, rows = list[Note](), len(source.rows.keys)
    for column in source.targets:
        policy = source.permits[column].policy
        words = policy.exceeded(column.name, 100 * source.missing[column] / rows if rows else 0.0)
        if words is not None and policy.refuse:
            raise CannotImpute(words)
        strange = outside(column, policy, source.rows.columns[column])
        found += [one for one in (words, strange) if one is not None]
    return found


def digests(values: Mapping[Any, Array]) -> dict[str, str]:
    """A hash of each column's values in one draw."""
    return {
        column.name: hashlib.blake2b(np.ascontiguousarray(np.ma.getdata(given)).tobytes(), digest_size=8).hexdigest()
        for column, given in values.items()
    }


def warnings(source: Source, imputer: Imputer, m: int, records: Sequence[Mapping[str, Any]]) -> list[Note]:
    """Warnings for readers of m data sets, the likeliest mistake first."""
    if m == 1 and source.targets:
        words = "one completed data set says nothing of how uncertain its imputed values are: ask for m = 20"
        return [Note(NoteKind.ONE_DRAW, "", words), *source.notes]
    if not source.targets:
        words = f"nothing was imputed: the {m} data sets are equal"
        return [Note(NoteKind.NOTHING_MISSING, "", words), *source.notes]
    same = [
        column.name
        for column in source.targets
        if len({record.get("digests", {}).get(column.name, number) for number, record in enumerate(records)}) == 1
        and records[0].get("stay", {}).get(column.name, 0) < source.missing[column]
    ]
    found = list(source.notes)
    if same:
        names = ", ".join(same)
        words = f"the imputed values of {names} are the same in all {m} data sets: "
        found.append(Note(NoteKind.SAME_DRAWS, names, words + "what is pooled of them takes them as known"))
    request = source.request(imputer, 0)
    for filler in {request.filler(column).name: request.filler(column) for column in request.imputed}.values():
        doubted = doubt(filler)
        if doubted is not None:
            found.append(doubted)
    return found


def settings(imputer: object) -> str:
    """An imputer with all its settings as text, which is equal in every process."""
    if is_dataclass(imputer) and not isinstance(imputer, type):
        inner = ", ".join(f"{field.name}={settings(getattr(imputer, field.name))}" for field in fields(imputer))
        return f"{type(imputer).__qualname__}({inner})"
    if isinstance(imputer, tuple | list):
        return f"({', '.join(map(settings, imputer))})"
    if type(imputer).__repr__ is not object.__repr__:
        return repr(imputer)
    inner = ", ".join(f"{name}={settings(value)}" for name, value in sorted(getattr(imputer, "__dict__", {}).items()))
    return f"{type(imputer).__qualname__}({inner})"


def chains_record(chains: Chains | None) -> dict[str, Any] | None:
    """The convergence of chains in the form of a manifest."""
    if chains is None:
        return None
    record = {name: value if isinstance(value, int | str) or isfinite(value) else None
            for name, value in asdict(chains).items()}  # fmt: skip
    return record | {"warning": chains.warning if chains.doubtful else None}


def column_record(means: Sequence[Sequence[float]]) -> dict[str, Any]:
    """The means of a column by draw and cycle, in the form of a manifest."""
    if len(means) < 2 or len(means[0]) < 4:
        return {}
    values = np.array(means).T
    found = convergence(values)
    named = {"rhat": found.rhat, "ess_bulk": found.ess_bulk, "autocorrelation": found.autocorrelation}
    return {"means": np.asarray(values.T).tolist()} | {
        name: None if np.isnan(value) else round(value, 6) for name, value in named.items()
    }
