"""What is refused of a run before it is made, and what a reader of it must know."""

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
from imputedb.imputers.protocol import Imputer, doubt
from imputedb.imputers.rows import Array
from imputedb.notes import Note


def check_names(source: Source, *, flags: bool, long: bool) -> None:
    """Refuses a run that adds a column whose name is taken.

    Raises:
        QueryError: the message names the column.
    """
    added = [column.name + FLAG for column in source.targets] if flags else []
    added += [DRAW, ROW] if long else []
    taken = {name.lower(): name for name in source.types}
    for name in added:
        if name.lower() in taken:
            way_out = "leave out flags" if name.endswith(FLAG) else "leave out long"
            raise QueryError(
                f"the run adds a column {name}, and there is one of that name: rename it in a SELECT, or {way_out}"
            )


def check_targets(source: Source, wanted: Sequence[str] | None) -> None:
    """Refuses a run of which every column that was asked for is complete.

    Raises:
        QueryError: there is nothing to fill in.
    """
    if wanted is not None and not wanted:
        raise QueryError("no column is named: name some, or leave columns out to fill in all that miss a value")
    if wanted is not None and not source.targets and not set(wanted) & set(source.left):
        raise QueryError(f"nothing is missing in {', '.join(wanted)}: there is nothing to fill in")


def shares(source: Source) -> list[Note]:
    """Warnings of shares of imputed cells that policies want to be warned of.

    Raises:
        CannotImpute: a policy refuses such a run.
    """
    found, rows = list[Note](), len(source.rows.keys)
    for column in source.targets:
        policy = source.permits[column].policy
        said = policy.exceeded(column.name, 100 * source.missing[column] / rows if rows else 0.0)
        if said is not None and policy.refuse:
            raise CannotImpute(said)
        found += [said] if said is not None else []
    return found


def digests(values: Mapping[Any, Array]) -> dict[str, str]:
    """By column, what tells one draw's values from another's."""
    return {
        column.name: hashlib.blake2b(np.ascontiguousarray(np.ma.getdata(given)).tobytes(), digest_size=8).hexdigest()
        for column, given in values.items()
    }


def warnings(source: Source, imputer: Imputer, m: int, records: Sequence[Mapping[str, Any]]) -> list[str]:
    """What a reader of m data sets must know, the likeliest mistake first."""
    if m == 1:
        return ["one completed data set says nothing of how uncertain its imputed values are: ask for m = 20"]
    if not source.targets:
        return [f"nothing was filled in: the {m} data sets are equal"]
    same = [
        column.name
        for column in source.targets
        if len({record.get("digests", {}).get(column.name, number) for number, record in enumerate(records)}) == 1
        and records[0].get("stay", {}).get(column.name, 0) < source.missing[column]
    ]
    found = list(source.undetermined)
    if same:
        found.append(
            f"the imputed values of {', '.join(same)} are the same in all {m} data sets: what is pooled of them takes "
            "them as known"
        )
    asked = source.request(imputer, 0)
    for filler in {asked.filler(column).name: asked.filler(column) for column in asked.imputed}.values():
        said = doubt(filler)
        if said is not None:
            found.append(said)
    return found


def settings(imputer: object) -> str:
    """An imputer and all that it is set to, in words that are the same in every process."""
    if is_dataclass(imputer) and not isinstance(imputer, type):
        inner = ", ".join(f"{field.name}={settings(getattr(imputer, field.name))}" for field in fields(imputer))
        return f"{type(imputer).__qualname__}({inner})"
    if isinstance(imputer, tuple | list):
        return f"({', '.join(map(settings, imputer))})"
    if type(imputer).__repr__ is not object.__repr__:
        return repr(imputer)
    inner = ", ".join(f"{name}={settings(value)}" for name, value in sorted(getattr(imputer, "__dict__", {}).items()))
    return f"{type(imputer).__qualname__}({inner})"


def chains_told(chains: Chains | None) -> dict[str, Any] | None:
    """How chains moved, as a manifest has it."""
    if chains is None:
        return None
    told = {name: value if isinstance(value, int | str) or isfinite(value) else None
            for name, value in asdict(chains).items()}  # fmt: skip
    return told | {"warning": chains.warning if chains.doubtful else None}


def column_told(means: Sequence[Sequence[float]]) -> dict[str, Any]:
    """How a column's means moved by draw and cycle, as a manifest has it."""
    if len(means) < 2 or len(means[0]) < 4:
        return {}
    values = np.array(means).T
    told = convergence(values)
    named = {"rhat": told.rhat, "ess_bulk": told.ess_bulk, "autocorrelation": told.autocorrelation}
    return {"means": np.asarray(values.T).tolist()} | {
        name: None if np.isnan(value) else round(value, 6) for name, value in named.items()
    }
