"""A run of completed data sets, read back: its manifest, its draws, its analyses."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from imputedb import arguments, duckdb_errors, markup
from imputedb.border import bordered, outside, public
from imputedb.completion.fitting import Model, doubts, fitted, left_out
from imputedb.completion.manifest import read
from imputedb.completion.publication import CURRENT, digest
from imputedb.errors import StorageError
from imputedb.inference.pooling import Pool, pool
from imputedb.sql.parse import apart
from imputedb.sql.paths import one_file, quoted

if TYPE_CHECKING:
    import pandas as pd


@public(lambda _: outside)
@dataclass(frozen=True, slots=True, eq=False)
class Completed:
    """m completed data sets.

    Attributes:
        folder: of the run.
        manifest: what was done.
    """

    folder: Path
    manifest: Mapping[str, Any]

    @property
    def m(self) -> int:
        """The number of draws."""
        return int(self.manifest["m"])

    @property
    def warnings(self) -> tuple[str, ...]:
        """Sentences that whoever analyses the data sets must know."""
        return tuple(self.manifest.get("warnings", ()))

    @property
    def files(self) -> tuple[Path, ...]:
        """The Parquet files: one a draw, or one long one."""
        return tuple(self.folder / part["file"] for part in self.manifest["files"])

    def frame(self, draw: int) -> pd.DataFrame:
        """One completed data set, from 1 to m.

        Raises:
            QueryError: there is no such draw.
            StorageError: its file is gone, or not what was written.
        """
        draw = arguments.whole("the draw", draw, 1, self.m)
        self._check(self.manifest["files"][0 if self.manifest["long"] else draw - 1])
        with _readable(self.folder), apart() as reader:
            rows = "read_parquet(?, hive_partitioning = false)"
            if self.manifest["long"]:
                text = f'SELECT * EXCLUDE (".imp", ".id"){self._restored} FROM {rows} WHERE ".imp" = ? ORDER BY ".id"'
                frame: pd.DataFrame = reader.execute(text, [one_file(self.files[0]), draw]).df()
            else:
                frame = reader.execute(f"SELECT *{self._restored} FROM {rows}", [one_file(self.files[draw - 1])]).df()
        return frame

    @property
    def _restored(self) -> str:
        """The intervals, which a file keeps as text, as intervals again."""
        names = [quoted((name,)) for name in self.manifest.get("intervals", ())]
        parts = ", ".join(f"CAST({name} AS INTERVAL) AS {name}" for name in names)
        return f" REPLACE ({parts})" if parts else ""

    def __iter__(self) -> Iterator[pd.DataFrame]:
        return (self.frame(draw) for draw in range(1, self.m + 1))

    def _repr_html_(self) -> str:
        """Columns with what filled them, and what must be known, as a notebook shows them."""
        titles = ["column", "method", "imputed", "R-hat", "notes"]
        told = [*self.warnings, f"{self.m} completed data sets in {self.folder}"]
        return markup.table(titles, described(self), notes=told, most=len(self.manifest["columns"]) + 1)

    def check(self) -> None:
        """Compares every file with the manifest.

        Raises:
            StorageError: a file is gone, or not what was written.
        """
        for part in self.manifest["files"]:
            self._check(part)

    def _check(self, part: Mapping[str, str]) -> None:
        path = self.folder / part["file"]
        if not path.is_file() or digest(path) != part["sha256"]:
            raise StorageError(f"{path} cannot be read, it is not what its manifest says: write the run anew")

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
        """A formula fitted to each completed data set by statsmodels.

        Args:
            formula: such as `y ~ x + z`.
            model: `ols`, `logit`, `probit`, `poisson`, `negativebinomial`, `mnlogit`, `ordered`, `quantreg`, `phreg`
                (Cox), `mixedlm` (random intercepts) or `gee`.
            groups: the column of groups, of `mixedlm` and `gee`.
            status: the column that is 1 where the event was seen, of `phreg`.
            family: of `gee`: `gaussian`, `binomial` or `poisson`.
            q: the quantile of `quantreg`.

        Raises:
            QueryError: no such model, the formula is more than columns, arithmetic and known functions, or it does not
                fit the columns.
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
        """The formula fitted to each completed data set (see `fit`), pooled by Rubin's rules.

        Rows that still miss a value of the formula's, in columns that the run did not fill, are left out by every fit;
        `notes` says how many, and what the run warns of.

        With `clusters`, a column of those that were sampled, standard errors of `ols`, `logit`, `probit` and `poisson`
        go by clusters, and degrees of freedom are theirs.
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
    def chains(self) -> tuple[str, ...]:
        """How well the chains of the run have converged, in a sentence; none where they had nothing to forget."""
        told = self.manifest.get("convergence")
        if not told:
            return ()
        if told["warning"]:
            return (str(told["warning"]),)
        size = "infinite" if told["rhat"] is None else f"{told['rhat']:.3f}"
        return (f"R-hat at worst {size}, of the {told['statistic']}, after {told['cycles']} cycles",)

    def report(self, path: str | Path, pictures: str | Path | None = None, form: str = "png") -> None:
        """Writes one HTML page with its pictures inside; `pictures`: a folder for them one by one, as png or svg.

        Raises:
            QueryError: the run was written without flags.
            DataError: matplotlib is not installed.
            StorageError: it cannot be written.
        """
        from imputedb.completion import report

        report.write(self, path, pictures, form)


@contextmanager
def _readable(folder: Path) -> Iterator[None]:
    try:
        yield
    except duckdb_errors.Refused as error:
        raise StorageError(f"a file of {folder} cannot be read: {str(error).partition(chr(10))[0]}") from error


@bordered
def opened(folder: str | Path) -> Completed:
    """The run that a folder's CURRENT points to, or that the folder itself is.

    Raises:
        StorageError: there is no complete run.
    """
    at = arguments.path("the folder", folder)
    run = at / CURRENT if (at / CURRENT).exists() else at
    return Completed(run.resolve(), read(run))


def described(completed: Completed) -> Sequence[tuple[str, ...]]:
    """A row a column: its method, its share imputed, what the chains say."""
    return [
        (name, told["method"], f"{told['imputed_share']:.2%}", _shown(told.get("rhat")), "; ".join(told["notes"]))
        for name, told in completed.manifest["columns"].items()
    ]


def _shown(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"
