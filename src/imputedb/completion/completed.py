"""A run of completed data sets that is read back: its manifest, data sets and analyses."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from imputedb import arguments, duckdb_errors, markup
from imputedb.border import bordered, outside, public
from imputedb.completion.fitting import Model, doubts, fitted, left_out
from imputedb.completion.manifest import read
from imputedb.completion.publication import CURRENT, digest
from imputedb.errors import StorageError
from imputedb.inference.pooling import Pool, pool
from imputedb.notes import Note, NoteKind, as_data, from_data
from imputedb.sql.parse import scratch_connection
from imputedb.sql.paths import one_file, quoted

if TYPE_CHECKING:
    import pandas as pd


@public(lambda _: outside)
@dataclass(frozen=True, slots=True, eq=False)
class Completed:
    """m completed data sets.

    Attributes:
        folder: folder of the run.
        manifest: record of how the run was made.
    """

    folder: Path
    manifest: Mapping[str, Any]

    @property
    def m(self) -> int:
        """Number of draws."""
        return int(self.manifest["m"])

    @property
    def warnings(self) -> tuple[Note, ...]:
        """Warnings for the analyst, with kinds and subjects (docs/notes.md)."""
        return tuple(map(from_data, self.manifest["warnings"]))

    @property
    def files(self) -> tuple[Path, ...]:
        """The Parquet files: one for each draw, or a single one with all draws."""
        return tuple(self.folder / part["file"] for part in self.manifest["files"])

    def frame(self, draw: int) -> pd.DataFrame:
        """One completed data set.

        Raises:
            QueryError: there is no such draw.
            StorageError: its file is missing, or has changed since it was written.
        """
        draw = arguments.whole("the draw", draw, 1, self.m)
        self._check(self.manifest["files"][0 if self.manifest["long"] else draw - 1])
        with _readable(self.folder), scratch_connection() as reader:
            rows = "read_parquet(?, hive_partitioning = false)"
            if self.manifest["long"]:
                text = f'SELECT * EXCLUDE (".imp", ".id"){self._restored} FROM {rows} WHERE ".imp" = ? ORDER BY ".id"'
                frame: pd.DataFrame = reader.execute(text, [one_file(self.files[0]), draw]).df()
            else:
                frame = reader.execute(f"SELECT *{self._restored} FROM {rows}", [one_file(self.files[draw - 1])]).df()
        return frame

    @property
    def _restored(self) -> str:
        """The SELECT list that turns intervals back into intervals, which Parquet stores as text."""
        names = [quoted((name,)) for name in self.manifest.get("intervals", ())]
        parts = ", ".join(f"CAST({name} AS INTERVAL) AS {name}" for name in names)
        return f" REPLACE ({parts})" if parts else ""

    def __iter__(self) -> Iterator[pd.DataFrame]:
        return (self.frame(draw) for draw in range(1, self.m + 1))

    def _repr_html_(self) -> str:
        """The columns with their methods, and the warnings, as HTML for notebooks."""
        titles = ["column", "method", "imputed", "R-hat", "notes"]
        notes = [*self.warnings, *self.chains, f"{self.m} completed data sets in {self.folder}"]
        return markup.table(titles, described(self), notes=notes, most=len(self.manifest["columns"]) + 1)

    def check(self) -> None:
        """Checks every file against the manifest.

        Raises:
            StorageError: a file is missing, or has changed since it was written.
        """
        for part in self.manifest["files"]:
            self._check(part)

    def _check(self, part: Mapping[str, str]) -> None:
        path = self.folder / part["file"]
        if not path.is_file() or digest(path) != part["sha256"]:
            raise StorageError(f"{path} cannot be read, it is not what its manifest says: write the run again")

    def fit(
        self,
        formula: str,
        model: str = "ols",
        *,
        groups: str | None = None,
        status: str | None = None,
        family: str | None = None,
        q: float = 0.5,
    ) -> list[Any]:
        """Fits of a formula to each completed data set, by statsmodels.

        Args:
            formula: such as `y ~ x + z`.
            model: `ols`, `logit`, `probit`, `poisson`, `negativebinomial`, `mnlogit`, `ordered`, `quantreg`, `phreg`
                (Cox), `mixedlm` (random intercepts) or `gee`.
            groups: column of groups, for `mixedlm` and `gee`.
            status: column that is 1 where the event occurred, for `phreg`.
            family: family of `gee`: `gaussian`, `binomial` or `poisson`.
            q: quantile of `quantreg`.

        Raises:
            QueryError: the model is unknown, or the formula has more than columns, arithmetic and known functions, or
                does not fit the columns.
            DataError: statsmodels is not installed.
        """
        return fitted(self, formula, Model(model, groups, status, family, q))

    def analyze(
        self,
        formula: str,
        model: str = "ols",
        *,
        df_complete: float | None = None,
        groups: str | None = None,
        status: str | None = None,
        family: str | None = None,
        q: float = 0.5,
        clusters: str | None = None,
    ) -> Pool:
        """The pooled fits (Rubin's rules) of a formula to each completed data set; see `fit`.

        Rows in which columns of the formula are still missing, since the run did not fill them, are left out of every
        fit; `notes` has their number, and the warnings of the run.

        With `clusters`, the column of sampled clusters, `ols`, `logit`, `probit` and `poisson` have cluster-robust
        standard errors, with degrees of freedom from the number of clusters.
        """
        one = Model(model, groups, status, family, q, clusters)
        fits = fitted(self, formula, one)
        if clusters is not None and df_complete is None:
            df_complete = float(self.frame(1)[clusters].nunique() - 1)
        found = pool(fits, df_complete=df_complete)
        return replace(
            found, notes=(*self.warnings, *doubts(fits, one), *left_out(self.frame(1), formula, one), *self.chains)
        )

    @property
    def chains(self) -> tuple[Note, ...]:
        """Notes on the convergence of the run's chains; empty where there were no chains."""
        record = self.manifest.get("convergence")
        if not record:
            return ()
        if record["warning"]:
            return (Note(NoteKind.CONVERGENCE, record["statistic"], record["warning"]),)
        size = "infinite" if record["rhat"] is None else f"{record['rhat']:.3f}"
        words = f"R-hat at worst {size}, of the {record['statistic']}, after {record['cycles']} cycles"
        return (Note(NoteKind.CHAINS, record["statistic"], words),)

    def report(self, path: str | Path, pictures: str | Path | None = None, form: str = "png") -> None:
        """Writes one HTML page with pictures; with `pictures` also each picture to that folder, as png or svg.

        Raises:
            QueryError: the run was written without flags.
            DataError: matplotlib is not installed.
            StorageError: a file cannot be written.
        """
        from imputedb.completion import report

        report.write(self, path, pictures, form)


@contextmanager
def _readable(folder: Path) -> Iterator[None]:
    try:
        yield
    except duckdb_errors.Refused as error:
        raise StorageError(f"a file of {folder} cannot be read: {str(error).partition(chr(10))[0]}") from error


STALE = "STALE.json"
"""File of a folder that says that readers see an old run, since newer ones have failed."""


@bordered
def opened(folder: str | Path) -> Completed:
    """The run that a folder's CURRENT file names, or the run in the folder itself.

    Raises:
        StorageError: there is no complete run.
    """
    at = arguments.path("the folder", folder)
    if not (at / CURRENT).exists():
        return Completed(at.resolve(), read(at))
    manifest = read(at / CURRENT)
    return Completed((at / CURRENT).resolve(), manifest | _stale(at, manifest))


def _stale(at: Path, manifest: Mapping[str, Any]) -> dict[str, Any]:
    """What the manifest of the current run says further if it is served in place of newer runs, which have failed."""
    try:
        found = json.loads((at / STALE).read_text(encoding="utf-8"))
        since = datetime.fromtimestamp(found["since"], UTC).isoformat(timespec="seconds")
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise StorageError(f"{at / STALE} is damaged: remove it") from error
    if found["run"] != (at / CURRENT).resolve().name:  # a newer one was made in another way, or an older one promoted
        return {}
    words = f"an old run: {found['count']} newer ones in a row have failed since {since}, the last by {found['reason']}"
    return {"stale": found, "warnings": [as_data(Note(NoteKind.OLD_RUN, at.name, words)), *manifest["warnings"]]}


def texts(notes: Sequence[Mapping[str, str]]) -> str:
    """The texts of a column's notes in a manifest."""
    return "; ".join(note["text"] for note in notes)


def described(completed: Completed) -> Sequence[tuple[str, ...]]:
    """One row for each column: name, method, imputed share, R-hat and notes."""
    return [
        (name, record["method"], f"{record['imputed_share']:.2%}", _shown(record.get("rhat")), texts(record["notes"]))
        for name, record in completed.manifest["columns"].items()
    ]


def _shown(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"
