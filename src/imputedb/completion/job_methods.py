"""The methods of `Database` for runs of new rows alone, for what runs cost, and for runs that are made again."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from imputedb import arguments
from imputedb.completion.methods import OpenDatabase
from imputedb.imputers.protocol import Imputer, Progress
from imputedb.imputers.registry import Cycles
from imputedb.sql.parameters import Given

if TYPE_CHECKING:
    from imputedb.completion.completed import Completed
    from imputedb.completion.estimate import Estimate


def increment(
    self: OpenDatabase,
    source: str,
    out: str | Path,
    model: str,
    key: str | Sequence[str],
    *,
    m: int | None = None,
    beside: bool = False,
    budget: float | None = None,
    progress: Progress | None = None,
    params: Given = None,
) -> Completed:
    """Completed data sets by a kept model, which is applied to new and changed rows only; others keep their values.

    The result is the run of all rows by the model, byte for byte. The manifest's `increment` has the numbers of rows
    that are new, changed, the same and gone since the run that readers see; `rows.parquet` in its folder has the
    change of each row. All rows are handed to the model where that run cannot be built on; `increment["why"]` says why.

    Args:
        source: a table's name or a SELECT, with all current rows.
        out: folder; a new run replaces what readers see there when it is complete.
        model: name of a kept model, such as `vitals` or `vitals@2`, that is a function of a row (tree, norm, pmm).
        key: columns that tell rows apart, by which draws are keyed.
        m: number of completed data sets; by default all draws that the model has.
        beside: whether readers keep seeing the current run until this one is promoted.
        budget: limit of processor seconds; the run stops before the draw that would exceed it, and can be continued.
        progress: called with the share of finished draws.
        params: values of the SELECT's parameters: a list for `?` and `$1`, a dictionary for `$name`.

    Raises:
        UnknownName: there is no such table, model, or column of the key.
        DataError: the key does not tell rows apart, or the model does not suit the rows.
        QueryError: the SELECT is wrong, or the model has fewer draws.
        Beyond: the budget is spent, or the run was rolled back and not promoted since.
        StorageError: the folder cannot be written, or another process is writing into it.
    """
    from imputedb.completion.increment import Wanted
    from imputedb.completion.increment import increment as made

    folder, name = arguments.path("out", out), arguments.text("the model", model, example="such as 'vitals'")
    names = (key,) if isinstance(key, str) else arguments.names("key", key)
    with self._engine.callers_frames(source):
        wanted = Wanted(self._resolved(source, params), name, tuple(names), m, beside, budget)
        return made(self._engine, wanted, folder, progress)


def estimate(
    self: OpenDatabase,
    source: str,
    *,
    m: int | Literal["auto"] = 20,
    imputer: str | Imputer = "pmm",
    seed: int = 0,
    columns: Sequence[str] | None = None,
    flags: bool = True,
    long: bool = False,
    survival: tuple[str, str] | None = None,
    formula: str | None = None,
    model: str = "ols",
    cycles: Cycles = "auto",
    params: Given = None,
) -> Estimate:
    """The cost of `impute` with the same arguments, estimated by trials on up to 1,000 rows; nothing is kept of them.

    Args:
        source: a table's name or a SELECT. All other arguments are those of `impute`; for `auto` m is taken to be 20.

    Raises: as `impute`.
    """
    from imputedb.completion.estimate import estimated
    from imputedb.completion.request import requested

    with self._engine.callers_frames(source):
        request = requested(
            self._resolved(source, params), m, imputer, seed, columns, flags, long, survival, formula, model, cycles
        )
        return estimated(self._engine, request)


def repeat(
    self: OpenDatabase,
    folder: str | Path,
    out: str | Path,
    run: str | None = None,
    *,
    imputer: str | Imputer | None = None,
    progress: Progress | None = None,
) -> Completed:
    """An archived run (`impute` with `archive`) made again in another folder, whatever became of its source.

    Its files are compared with those of the run, byte for byte. No table of this database is read.

    Args:
        folder: folder of the runs.
        out: new or empty folder.
        run: name of the run; by default the one that readers of the folder see. It may have been pruned.
        imputer: imputer of the run, needed if it is one of your own.
        progress: called with the share of finished draws.

    Raises:
        UnknownName: the run was not archived.
        QueryError: the imputer differs from that of the run, or `out` is not empty.
        StorageError: the archive is damaged; or the files differ from those of the run, and stay in `out`.
    """
    from imputedb.completion.repeating import repeated

    places = arguments.path("the folder", folder), arguments.path("out", out)
    name = None if run is None else arguments.text("the run", run, example="such as 'run-0123456789abcdef'")
    return repeated(self._engine, places[0], name, places[1], imputer, progress)
