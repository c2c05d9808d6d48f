"""Repeated runs: an archived run made again, and compared with what it was byte for byte."""

from pathlib import Path

from imputedb.completion import archive, remarks
from imputedb.completion.archive import Archived
from imputedb.completion.completed import Completed
from imputedb.completion.completing import complete
from imputedb.completion.congenial import Substantive
from imputedb.completion.request import Request
from imputedb.engines.engine import Engine
from imputedb.errors import QueryError, StorageError, UnknownName
from imputedb.imputers.protocol import Imputer, Progress
from imputedb.imputers.registry import single_imputer, with_cycles


def repeated(
    engine: Engine,
    folder: Path,
    run: str | None,
    out: Path,
    imputer: str | Imputer | None = None,
    progress: Progress | None = None,
) -> Completed:
    """A run made again from its archive, in another folder; `imputer` is needed if it is one of the user's own.

    Raises:
        UnknownName: the run was not archived.
        QueryError: the imputer differs from that of the run, or `out` is not empty.
        StorageError: the archive is damaged; or the files differ from those of the run, and stay in `out`.
    """
    found = archive.read(folder, run)
    if out.exists() and any(out.iterdir()):
        raise QueryError(f"{out} is not empty: name a new folder, so that existing files are not mistaken for this run")
    request = _request(found, imputer)
    with engine.lock:
        made = complete(engine, request, out, progress, rows=archive.staged(engine, found))
    _compare(found, made)
    return made


def _request(found: Archived, imputer: str | Imputer | None) -> Request:
    known, record = found.manifest, found.record
    try:
        one = single_imputer(str(known["imputer"]) if imputer is None else imputer, "completed data sets need")
    except UnknownName as error:
        raise QueryError(f"the run is of {known['settings']}: pass that imputer") from error
    if imputer is None and record["cycles"] is not None:
        (one,) = with_cycles((one,), int(record["cycles"]))
    if remarks.settings(one) != known["settings"]:
        raise QueryError(f"the run is of {known['settings']}, not of {remarks.settings(one)}: pass that imputer")
    survival, substantive = known.get("survival"), None
    if known.get("formula") is not None:
        substantive = Substantive(str(known["formula"]), str(known["model"]), int(known["cycles"]))
    return Request(
        str(known["source"]),
        record["m"],
        one,
        int(known["seed"]),
        record["columns"],
        known["flags"],
        known["long"],
        None if survival is None else (survival[0], survival[1]),
        substantive,
    )


def _compare(found: Archived, made: Completed) -> None:
    """Compares the files of a repeated run with those of the archived one.

    Raises:
        StorageError: they differ.
    """
    before, now = ({one["file"]: one["sha256"] for one in run["files"]} for run in (found.manifest, made.manifest))
    differing = sorted(name for name in before.keys() | now.keys() if before.get(name) != now.get(name))
    if not differing:
        return
    then, here = found.manifest.get("versions", {}), made.manifest["versions"]
    moved = [f"{name} {then.get(name)} then, {here.get(name)} now" for name in sorted({*then, *here})
             if then.get(name) != here.get(name)]  # fmt: skip
    why = f"({'; '.join(moved)})" if moved else "though all versions are the same"
    raise StorageError(f"{len(differing)} of {len(before)} files are not those of the run, {why}: see {made.folder}")
