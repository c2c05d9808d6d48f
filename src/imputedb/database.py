"""The face of imputedb: a database that answers SQL as if nothing were missing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from time import perf_counter
from types import TracebackType
from typing import Any

from imputedb import answering
from imputedb.answering import Asked, Planner
from imputedb.engines import load
from imputedb.engines.duckdb import DuckDB
from imputedb.errors import DataError
from imputedb.evaluation import Evaluation, Pattern, evaluate, scan
from imputedb.execution import Watch
from imputedb.explain import Explanation, explained
from imputedb.imputers.imputer import Progress
from imputedb.imputers.knn import KNN
from imputedb.imputers.registry import Choice, chosen
from imputedb.lookup import Lookups
from imputedb.missingness import Profile, profiled
from imputedb.neighbours.metric import METRICS, MetricName
from imputedb.neighbours.scan import KS, Scan
from imputedb.planning.frontier import Frontier
from imputedb.result import Result
from imputedb.why import AUDITED, Why, audit, why


def connect(path: str = ":memory:", *, read_only: bool = False) -> Database:
    """Opens a DuckDB file, made if there is none, or a database in memory.

    Raises:
        StorageError: the file is none of DuckDB's, is in use by another process, or cannot be written.
    """
    return Database(DuckDB(str(path), read_only=read_only))


class Database:
    """Tables with missing values, and answers as if there were none. Threads may share it; they take turns."""

    def __init__(self, engine: DuckDB) -> None:
        self._engine = engine
        self._planner = Planner(engine)
        self._lookups = Lookups()

    def load(
        self,
        *files: str,
        table: str | None = None,
        missing: Mapping[str, Sequence[object]] | None = None,
        replace: bool = False,
    ) -> list[str]:
        """Loads CSV, Parquet, JSON or SAS transport files, a table each, named after the file or `table`.

        `missing` declares, by column, values that mean a missing one, such as survey codes 77 and 99 or 'Refused'.
        All files are loaded or none. NaN in a floating column is missing, wherever it comes from.

        Raises:
            StorageError: a file cannot be read, or the database cannot be written.
            DataError: a file holds no table, or the table is there already and not to be replaced.
        """
        if table and len(files) > 1:
            raise DataError(f"{len(files)} files cannot all become the one table {table}")
        return load.load(self._engine, [str(file) for file in files], table, missing or {}, replace=replace)

    def register(
        self,
        name: str,
        frame: Any,
        *,
        missing: Mapping[str, Sequence[object]] | None = None,
        replace: bool = True,
        keep: bool = False,
    ) -> None:
        """Copies a data frame (pandas, polars), an Arrow table or a dictionary of arrays into a table.

        The table is a temporary one unless it is to `keep`. NaN in a floating column is missing, as it is everywhere.

        Raises:
            DataError: the object has no columns, or the table is there already and not to be replaced.
        """
        load.register(self._engine, name, frame, missing or {}, replace=replace, kept=keep)

    def missing(self, table: str, column: str, values: Sequence[object]) -> None:
        """Declares which stored values of a column mean a missing one; kept with the database, replaces earlier ones.

        Raises:
            UnknownName: there is no such table or column.
            DataError: a value is none that the column can hold.
        """
        self._engine.declare(self._engine.table(table), column, values)

    def sql(
        self,
        text: str,
        *,
        alpha: float = 0.0,
        imputer: Choice = "tree",
        seed: int = 0,
        strategy: str = answering.PLANNED,
        progress: Progress | None = None,
        watch: Watch | None = None,
    ) -> Result:
        """Answers a SELECT as if nothing were missing.

        Args:
            text: one SELECT statement in DuckDB's SQL.
            alpha: 0 for the least loss of information, 1 for the least time, or between.
            imputer: `tree`, `knn`, `mean`, `hotdeck`, `drop`, an imputer of your own, or several to choose from.
            seed: one seed gives one answer, whatever the number of threads.
            strategy: `planned`, or `base` to complete every table that is read before the query runs.
            progress: told the share of an imputer's work that is done.
            watch: told of every operator, which then runs on its own; for tests and EXPLAIN ANALYZE.

        Raises:
            QueryError: the query is wrong, or not planned yet; or alpha, imputer or strategy are.
            DataError: a column that must be imputed cannot be.
        """
        began = perf_counter()
        asked = Asked(alpha, chosen(imputer), seed, strategy)
        with self._engine.lock:
            prepared = self._planner.prepare(text, asked)
            planning_ms = (perf_counter() - began) * 1e3
            return answering.answer(self._engine, prepared, asked, planning_ms, progress, watch)

    def explain(
        self,
        text: str,
        *,
        alpha: float = 0.0,
        imputer: Choice = "tree",
        seed: int = 0,
        strategy: str = answering.PLANNED,
        analyze: bool = False,
    ) -> Explanation:
        """The plan of a query with its estimates; with `analyze` it runs, each operator on its own, and is measured."""
        asked = Asked(alpha, chosen(imputer), seed, strategy)
        with self._engine.lock:
            prepared = self._planner.prepare(text, asked)
            return explained(self._engine, prepared, asked, analyze=analyze)

    def frontier(self, text: str, *, imputer: Choice = "tree") -> Frontier | None:
        """Every plan that no other beats in both penalty and time; None where nothing missing is read."""
        with self._engine.lock:
            return self._planner.prepare(text, Asked(0.0, chosen(imputer), 0, answering.PLANNED)).frontier

    def evaluate(
        self,
        table: str,
        *,
        imputer: Choice = ("tree", "knn", "mean", "hotdeck"),
        share: float = 0.1,
        pattern: Pattern = "mcar",
        by: str | None = None,
        columns: Sequence[str] = (),
        seed: int = 0,
        progress: Progress | None = None,
    ) -> Evaluation:
        """How well imputers fill in a table: observed cells are hidden, filled and compared.

        Args:
            table: the table.
            imputer: those to compare.
            share: of the cells that are hidden, or of the rows where `pattern` is `own`.
            pattern: `mcar` hides cells one by one; `own` as they go missing together in the table.
            by: a column whose values make subgroups, for each of which error and bias are told.
            columns: those to judge by; those with missing values unless given.
            seed: one seed hides the same cells.
            progress: told the share that is done.

        Raises:
            QueryError: no imputer, pattern or share of that kind; or no table or column of that name.
            DataError: nothing can be hidden.
        """
        return evaluate(
            self._engine,
            table,
            chosen(imputer),
            share=share,
            pattern=pattern,
            by=by,
            columns=columns,
            seed=seed,
            progress=progress,
        )

    def scan(
        self,
        table: str,
        *,
        imputer: KNN | None = None,
        ks: Sequence[int] = KS,
        metrics: Sequence[MetricName] = METRICS,
        columns: Sequence[str] = (),
        seed: int = 0,
    ) -> Scan:
        """The error of every number of neighbours and metric on hidden cells of a table, and the best of them.

        Args:
            table: the table.
            imputer: everything else that neighbours are found by; `KNN()` unless given.
            ks: the numbers of neighbours.
            metrics: the metrics.
            columns: those to judge by; those with missing values unless given.
            seed: one seed hides the same cells.

        Raises:
            QueryError: no table, column, number or metric of that kind.
        """
        return scan(self._engine, table, imputer or KNN(), ks=ks, metrics=metrics, columns=columns, seed=seed)

    def why(self, table: str, column: str, row: object, *, imputer: KNN | None = None, salt: str | None = None) -> Why:
        """What the nearest rows say of one cell: who they are, how near, what they have, and how much they agree.

        An observed cell is treated as if it were missing. Indexes stay warm until something is written; large ones are
        kept beside the database.

        Args:
            table: the table.
            column: the column.
            row: the value of the table's key, or of its rowid where it has none.
            imputer: how neighbours are found; `KNN()` unless given.
            salt: when given, rows are named by hashes, so that nobody who does not know it can say whose they are.

        Raises:
            UnknownName: no table, column or row of that name.
        """
        with self._engine.lock:
            return why(self._engine, self._lookups, table, column, row, imputer=imputer, salt=salt)

    def audit(
        self,
        table: str,
        into: str,
        *,
        columns: Sequence[str] = (),
        imputer: KNN | None = None,
        limit: int = AUDITED,
        salt: str | None = None,
        seed: int = 0,
    ) -> int:
        """Makes a table with a row for each missing cell, or for a sample where there are more than `limit`.

        Its columns: row, column_name, value, neighbours, effective, nearest, farthest, variance, entropy, fallback.

        Args:
            table: the table whose cells are explained.
            into: the table that is made, or made anew.
            columns: whose cells; all that are missing unless given.
            imputer: how neighbours are found; `KNN()` unless given.
            limit: rows at most.
            salt: when given, rows are named by hashes.
            seed: which cells are in the sample.

        Returns:
            How many missing cells there are.
        """
        with self._engine.lock:
            found, total = audit(
                self._engine, self._lookups, table, columns=columns, imputer=imputer, limit=limit, salt=salt, seed=seed
            )
            if not found:
                raise DataError(f"nothing is missing in {table}: there is nothing to audit")
            load.register(self._engine, into, found, {}, replace=True, kept=True)
            return total

    def execute(self, text: str) -> list[tuple[Any, ...]]:
        """Runs any statement on DuckDB as it stands: NULL means NULL there, and nothing is imputed."""
        return self._engine.execute(text)

    def profile(self, table: str | None = None) -> list[Profile]:
        """What is missing where: of one table, or of all."""
        return profiled(self._engine, table)

    def tables(self) -> dict[str, dict[str, str]]:
        """Columns and their types by table."""
        return {table.name: dict(shape.types) for table, shape in self._engine.shapes().items()}

    def close(self) -> None:
        """Lets go of the database; results can no longer be read."""
        self._engine.close()

    def __enter__(self) -> Database:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
