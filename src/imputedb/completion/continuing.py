"""Continued runs: further cycles of the chains that made their draws."""

from pathlib import Path

from imputedb.completion.completed import Completed, opened
from imputedb.completion.completing import Terms, complete
from imputedb.completion.request import Request
from imputedb.engines.engine import Engine
from imputedb.errors import QueryError
from imputedb.imputers.protocol import Imputer, Progress
from imputedb.imputers.registry import single_imputer, with_cycles


def resumed(
    engine: Engine,
    run: Completed | str | Path,
    imputer: str | Imputer | None,
    more: int,
    progress: Progress | None = None,
) -> Completed:
    """A run, given as itself or by its folder, with further cycles; `imputer` is needed where it is the user's own."""
    found = run if isinstance(run, Completed) else opened(run)
    one = single_imputer(str(found.manifest["imputer"]) if imputer is None else imputer, "completed data sets need")
    with engine.callers_frames(str(found.manifest["source"])):
        return continued(engine, found, one, more, progress)


def continued(
    engine: Engine, run: Completed, imputer: Imputer, more: int, progress: Progress | None = None
) -> Completed:
    """The run with further cycles.

    Raises:
        QueryError: the imputer differs from that of the run, or the rows have changed since.
    """
    known, before = run.manifest, run.manifest.get("convergence")
    if known.get("formula"):
        raise QueryError(
            "a run that agrees with a formula cannot be continued: run impute again "
            "with all of its cycles, impute(..., cycles=)"
        )
    if before is None:
        raise QueryError("this run has no chains that more cycles could move: missing values are nested, or m is 1")
    (plain,) = with_cycles((imputer,), "auto")
    (given,) = with_cycles((imputer,), int(before["cycles"]))
    if known["settings"] not in (repr(plain), repr(given)):
        raise QueryError(f"the run is of {known['settings']}: pass that imputer")
    (further,) = with_cycles((imputer,), int(before["cycles"]) + more)
    survival = known.get("survival")
    request = Request(
        str(known["source"]),
        run.m,
        further,
        int(known["seed"]),
        tuple(known["targets"]),
        known["flags"],
        known["long"],
        None if survival is None else (survival[0], survival[1]),
    )
    return complete(engine, request, run.folder.parent, progress, Terms(fingerprint=known["fingerprint"]))
