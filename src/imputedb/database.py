"""The public face of imputedb: a database that answers SQL as if nothing were missing."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from os import PathLike
from pathlib import Path
from time import perf_counter
from typing import Any, Literal
from weakref import WeakSet

from imputedb import arguments
from imputedb.answers import description, model_methods, models, respond
from imputedb.answers import methods as answering
from imputedb.answers.explain import Explanation, explained
from imputedb.answers.flags import check_no_error, flagged
from imputedb.answers.multiple.measures import Measure, Measures
from imputedb.answers.pace import pace
from imputedb.answers.prepare import Planner
from imputedb.answers.request import PLANNED, Fit, QueryOptions, check_draws, number_of_draws
from imputedb.answers.understand import query_of
from imputedb.border import bordered, calls_inside, public
from imputedb.completion import job_methods
from imputedb.completion import methods as completing
from imputedb.diagnostics import methods as diagnosing
from imputedb.diagnostics.departures import Departures
from imputedb.diagnostics.profile import Profile, profiled
from imputedb.engines.cache import CacheUse
from imputedb.engines.duckdb.engine import DuckDB
from imputedb.engines.duckdb.opening import Opening
from imputedb.engines.engine import Engine
from imputedb.engines.reading import Reading
from imputedb.errors import Error, QueryError
from imputedb.execution.plan import Watch
from imputedb.imputers.protocol import Progress
from imputedb.imputers.registry import Choice, Cycles, imputers_of, with_cycles
from imputedb.notes import Question
from imputedb.planning.frontier import Frontier
from imputedb.provenance import methods as explaining
from imputedb.provenance.index import Lookups
from imputedb.result import Result
from imputedb.sql.budget import Limits, limited
from imputedb.sql.parameters import Given, by_name


@bordered
def connect(
    path: str | Path = ":memory:",
    *,
    read_only: bool = False,
    variables: bool = True,
    config: Mapping[str, object] | None = None,
    locked: bool = False,
    spark: Any = None,
) -> Database:
    """Opens a DuckDB file, an in-memory database, or a connection to Spark.

    Args:
        path: path of the file, created where there is none; or `sc://host:15002`, the address of a Spark Connect
            server.
        read_only: whether nothing can be written.
        variables: whether a name in FROM without a table may be a frame, result or dictionary in a caller's variable.
        config: settings of DuckDB by name, such as `{"memory_limit": "4GB", "threads": 2}`.
        locked: whether statements can only read this file: no other file, no network, no settings.
        spark: a Spark Connect session, instead of a path.

    Raises:
        StorageError: the file is not DuckDB's, is in use, or cannot be written; or no Spark server answers.
        QueryError: the path is malformed, or DuckDB has no such setting.
    """
    if spark is not None or str(path).startswith("sc://"):
        from imputedb.engines.spark.opening import over_spark

        return Database(over_spark(str(path), spark, bool(read_only or locked or config)))
    if not isinstance(path, str | PathLike) or not str(path) or "\0" in str(path):
        raise QueryError(f"the path is {path!r}; it names a file, or is ':memory:'")
    settings = {} if config is None else arguments.settings("config", config)
    if arguments.flag("locked", locked):
        if str(path) == ":memory:":
            raise QueryError("a database in memory cannot be locked: nothing could ever be written to it")
        return Database(DuckDB(Opening(str(path), locked=True, settings=tuple(settings.items()))))
    db = Database(DuckDB(Opening(str(path), read_only), variables=variables))
    try:
        for name, value in settings.items():
            db.execute(f"SET {name} = {value}")
    except Error as error:
        db.close()
        raise QueryError(f"the setting {name} cannot be {value}: {error}") from error
    return db


@public(lambda db: db._engine.session.call, apart=("close", "session", "interrupt"))
class Database:
    """A database with missing values, whose queries are answered as if there were none.

    Threads may share it and then take turns. With a `session` for each, they run in parallel.
    """

    def __init__(self, engine: Engine, beside: Database | None = None) -> None:
        self._engine: Engine = engine
        self._sessions: WeakSet[Database] = beside._sessions if beside else WeakSet()
        self._sessions.add(self)
        self._is_first = beside is None
        self._planner: Planner = Planner(engine, beside._planner.forecast if beside else None)
        engine.session.tidying.append(self._planner.release)
        self._lookups = Lookups()
        engine.further_caches += [self._planner.cache, self._lookups.cache]

    def load(
        self,
        *files: str,
        table: str | None = None,
        missing: Mapping[str, Sequence[object]] | None = None,
        replace: bool = False,
        na: Sequence[object] | None = None,
        encoding: str | None = None,
        delimiter: str | None = None,
        decimal: Literal[".", ","] | None = None,
        dates: str | None = None,
        sheet: str | None = None,
        query: str | None = None,
        password_file: str | None = None,
    ) -> list[str]:
        """Loads files, each as a table named after the file or by `table`: text (CSV and similar), Parquet, JSON,
        workbooks (Excel, ODS), SPSS, Stata, SAS, R; or a table of PostgreSQL, MySQL, SQLite, Delta Lake or Iceberg.

        A pattern such as `data/*.csv` stands for the matching files, a folder for the files in it; `table` makes one
        table of them. Compressed files (`.gz`, `.zst`) are supported. All files are loaded or none.

        Words such as NA are missing values among numbers, dates or booleans. In a column of text they are so if they
        are more than 1 % and not a code like others of their length; a warning counts them. The format of text is
        detected.

        Args:
            table: name of the table for all files; `replace` allows it to replace an existing one.
            missing: values that stand for a missing one, by column; `na`: words that do so in every column, empty for
                none.
            query: for rows of a database such as `postgresql://host/name`, a query in its own SQL; otherwise `table` is
                copied; `password_file`: a file whose first line is the password, if the driver's own files do not have
                it.

        Raises:
            StorageError: a file or database cannot be read, or the database cannot be written.
            DataError: a file holds no table, or the table exists and must not be replaced.
        """
        reading = Reading(_words(na), encoding, delimiter, decimal, dates, sheet, query, password_file)
        paths = [arguments.place("a file", file) for file in files]
        names = self._engine.load(paths, table, _codes(missing), reading, replace=replace)
        self._remark()
        return names

    def register(
        self,
        name: str,
        frame: Any,
        *,
        missing: Mapping[str, Sequence[object]] | None = None,
        na: Sequence[object] = (),
        replace: bool = True,
        keep: bool = False,
    ) -> None:
        """Copies a data frame (pandas, polars), Arrow table, DuckDB relation, result, dictionary of columns or list of
        dictionaries into a table.

        A pandas index with a name, or with anything but whole numbers, becomes a column. The table is temporary unless
        `keep`. NaN is missing, and so are values declared `missing`, and the words in `na`.

        Raises:
            DataError: the object has no columns, or the table exists and must not be replaced.
        """
        self._engine.take(name, frame, _codes(missing), _words(na) or (), replace=replace, kept=keep)
        self._remark()

    def _remark(self) -> None:
        """Warns of policies and declarations of a replaced table that are kept or dropped."""
        for remark in self._engine.session.taken():
            warnings.warn(remark, stacklevel=calls_inside())

    def missing(self, table: str, column: str, values: Sequence[object]) -> None:
        """Declares stored values of a column to be missing, in place of earlier declarations; stored with the database.

        Raises:
            UnknownName: there is no such table or column.
            DataError: the column cannot hold a value.
        """
        codes = arguments.listed("values", values, example="such as [77, 99]")
        with self._engine.lock:
            self._engine.declare(self._engine.named(table), column, codes)
        self._remark()

    def sql(
        self,
        text: str,
        params: Given = None,
        *,
        alpha: float = 0.0,
        imputer: Choice = "tree",
        seed: int = 0,
        strategy: str = PLANNED,
        m: int | Literal["auto"] | None = None,
        interval: Question = "population",
        level: float = 0.95,
        precision: float = 0.05,
        measures: str | Measure | Sequence[str | Measure] = (),
        method: Literal["imputation", "aipw", "ml", "bounds"] = "imputation",
        deviations: float | None = None,
        weights: str | None = None,
        clusters: str | None = None,
        sensitivity: Departures | None = None,
        cycles: Cycles = "auto",
        fit: Fit = "auto",
        flags: bool = False,
        within_ms: float | None = None,
        error: float | None = None,
        progress: Progress | None = None,
        watch: Watch | None = None,
    ) -> Result:
        """Answers a query as if nothing were missing.

        With `m` draws each aggregate has a standard error, an interval and the fraction of missing information (columns
        `<name>_se`, `_low`, `_high`, `_fmi`); groups also have the share of the draws that contain them (`in_draws`).
        Values are assumed to be missing at random given the columns that an imputer reads.

        `method="aipw"` answers AVG, SUM and COUNT with intervals that are valid if either the imputer or the model of
        missingness is right. `method="bounds"` gives the least and the largest answer (`<name>_low`, `_high`), also of
        MIN and MAX, for any missing values. `method="ml"` gives means, variances, correlations and regression lines
        (REGR_SLOPE) by maximum likelihood of normal columns (FIML). Each refuses queries that it does not support.

        CREATE TABLE AS, INSERT, MERGE INTO ... USING (...), COPY (...) TO, PIVOT and EXECUTE use the answer of their
        query. Statements about imputation policies are executed. Any other statement is run by DuckDB, where NULL is
        NULL.

        Args:
            text: one statement in DuckDB's SQL.
            params: values of its parameters: a list for `?` and `$1`, a dictionary for `$name`.
            alpha: trade-off from 0, the least loss of information, to 1, the least time.
            imputer: `tree`, `knn`, `mean`, `hotdeck`, `drop`, an imputer of your own, or several to choose from.
            seed: seed of random numbers; equal seeds give equal answers, for any number of threads.
            strategy: `planned`, or `base` to complete every table before the query runs.
            m: number of draws (multiple imputation); by default 1, single best values without intervals; `auto` for a
                pilot followed by as many as `precision` needs.
            interval: what intervals are about: the `population` that the table is a sample of, or the `answer` that the
                query would give if nothing were missing.
            level: confidence level of the intervals.
            precision: coefficient of variation of standard errors between runs, for `m="auto"` (von Hippel 2020).
            measures: measures of your own, for aggregates whose variance within a draw is otherwise unknown, or names
                of measures of installed packages; they take precedence over those of imputedb.
            method: `imputation`; `aipw`, doubly robust (augmented inverse probability weighting, cross-fitted); `ml`,
                maximum likelihood without draws; or `bounds`, worst-case bounds.
            deviations: for bounds: missing numbers are within so many standard deviations of the column's mean, rather
                than within the observed range. A policy's RANGE always applies.
            weights: column of sampling weights, by which AVG, SUM and COUNT weight the rows.
            clusters: column of clusters that were sampled as a whole, in place of those of policies (CLUSTER).
            sensitivity: departures from missing at random (`imputedb.sensitivity`), for which the query is repeated;
                `result.sensitivity` has the numbers under each, and the tipping points of their intervals.
            cycles: number of cycles of chained equations; `auto` for as many as they need to converge.
                `report.convergence` has the diagnostics.
            fit: rows to which imputers are fitted: those that the `query` reads, or every whole `table`, once until it
                is written (kept models where they exist). Then a cell has one value in all answers, and sums of groups
                add up. A table whose imputed values decide which rows count has drawn values in such an answer, all
                others expected ones. `auto` chooses between kept models, the rows, and samples of large tables where m
                is 1.
            flags: whether to add a column `<name>__imputed` for each, true where the value was imputed; not for groups.
            within_ms: time limit in milliseconds, by the best plan expected to meet it, or else the fastest (WITHIN).
            error: largest half width of an interval relative to its number, such as 0.02 (ERROR); the number of draws
                is chosen unless `m` is given.
            progress: called with the share of an imputer's work that is done.
            watch: called with every operator, which is then run separately; for tests and EXPLAIN ANALYZE.

        Raises:
            QueryError: the query is wrong, or not supported yet; or an option is wrong.
            DataError: a column that must be imputed cannot be.
        """
        many, imputers = number_of_draws(m), with_cycles(imputers_of(imputer), cycles)
        further = (many, interval, level, precision, Measures(measures), method, deviations, weights, clusters, fit)
        options = QueryOptions(alpha, imputers, seed, strategy, *further, limits=Limits(within_ms, error))
        check_draws(m, options, text, self._planner.limits)
        if flags:
            text, stated = limited(text)
            options = options.limited(stated.or_else(options.limits), perf_counter())
            check_no_error(options.limits.or_else(self._planner.limits))
            text = flagged(self._engine, self._planner, text, m, params)
        return respond.with_departures(self._engine, self._planner, text, options, params, sensitivity, progress, watch)

    def explain(
        self,
        text: str,
        params: Given = None,
        *,
        alpha: float = 0.0,
        imputer: Choice = "tree",
        seed: int = 0,
        strategy: str = PLANNED,
        fit: Fit = "auto",
        analyze: bool = False,
    ) -> Explanation:
        """The plan of a query with its estimates; with `analyze` it is run, each operator separately, and measured.

        For a statement that uses a query's rows it is the plan of the query, and only that is run. WITHIN is respected.

        Raises:
            QueryError: the statement is wrong, or has no plan.
        """
        text, limits = limited(text)
        options = QueryOptions(alpha, imputers_of(imputer), seed, strategy, fit=fit)
        options = options.limited(limits.or_else(self._planner.limits), perf_counter())
        with self._engine.callers_frames(text, statement=True):
            query = query_of(self._engine, self._planner, text, params)
            options = models.with_known_models(self._engine, self._planner, options, query)
            prepared = self._planner.prepare(query, options)
            try:
                with self._engine.own_statements(prepared.text):
                    paced = pace(prepared, options, self._planner.forecast).options
                    return explained(self._engine, prepared, paced, analyze=analyze)
            finally:
                self._planner.release()

    def frontier(
        self, text: str, params: Given = None, *, imputer: Choice = "tree", fit: Fit = "auto"
    ) -> Frontier | None:
        """The Pareto frontier of plans in penalty and time; None where the query reads no missing values."""
        with self._engine.callers_frames(text := limited(text)[0], statement=True):
            try:
                query = query_of(self._engine, self._planner, text, params)
                options = QueryOptions(0.0, imputers_of(imputer), 0, PLANNED, fit=fit)
                informed = models.with_known_models(self._engine, self._planner, options, query)
                return self._planner.prepare(query, informed).frontier
            finally:
                self._planner.release()

    def _resolved(self, source: str, params: Given) -> str:
        """A table's name or a SELECT, with the values of its parameters inserted."""
        return source if params is None else query_of(self._engine, self._planner, source, params)

    # The following methods are defined in the packages that do their work; each function has the database as `self`.
    policy = answering.policy
    policies = answering.policies
    declared = answering.declared
    export_policies = answering.export_policies
    apply_policies = answering.apply_policies
    compare = answering.compare
    describe = description.describe
    complete = model_methods.complete
    model = model_methods.model
    models = model_methods.models_of
    create_model = model_methods.create_model
    refresh_model = model_methods.refresh_model
    compare_models = model_methods.compare_models
    drop_model = model_methods.drop_model
    import_model = model_methods.import_model

    impute = completing.impute
    impute_draws = completing.impute_draws
    more = completing.more
    estimate = job_methods.estimate
    increment = job_methods.increment
    repeat = job_methods.repeat
    sensitivity = completing.sensitivity
    pool_scores = completing.pool_scores
    likelihood = completing.likelihood

    evaluate = diagnosing.evaluate
    cells = diagnosing.cells
    scan = diagnosing.scan
    mcar = diagnosing.mcar
    flux = diagnosing.flux
    pictures = diagnosing.pictures
    ampute = diagnosing.ampute

    why = explaining.why
    audit = explaining.audit

    def execute(self, text: str, params: Given = None) -> list[tuple[Any, ...]]:
        """Runs a statement in DuckDB unchanged: NULL is NULL, and nothing is imputed.

        Args:
            text: one or several statements; the rows of the last one are returned.
            params: values of its parameters: a list for `?` and `$1`, a dictionary for `$name`.

        Raises:
            QueryError: DuckDB rejects the statement, with its reason.
            StorageError: the database cannot be written.
        """
        found = self._engine.execute(text, by_name(params))
        self._remark()
        return found

    @property
    def in_transaction(self) -> bool:
        """Whether BEGIN has been run, and neither COMMIT nor ROLLBACK since."""
        return self._engine.session.in_transaction

    def profile(self, table: str | None = None) -> list[Profile]:
        """The profiles of missing values of one table, or of all tables."""
        with self._engine.callers_frames(table or ""):
            return profiled(self._engine, table)

    def caches(self) -> list[CacheUse]:
        """The caches of this database: their content, their size, and what invalidates them.

        A write to one table, by INSERT, UPDATE, DELETE, MERGE or COPY, leaves entries of other tables valid.
        """
        return self._engine.caches()

    def tables(self) -> dict[str, dict[str, str]]:
        """The columns and types of each table, by the table's shortest unambiguous name."""
        return {self._engine.called(table): dict(shape.types) for table, shape in self._engine.shapes().items()}

    @bordered
    def session(self) -> Database:
        """Another session of the same database, which runs in parallel with this one, for a thread or a client.

        It has its own temporary tables, registered frames, settings and transactions, and sees what others have
        committed. Caches are shared. It is closed by itself, or with the database that `connect` has returned.

        Raises:
            StorageError: the database is closed.
        """
        return Database(self._engine.further(), self)

    @bordered
    def interrupt(self) -> None:
        """Interrupts the call that another thread is making in this session; that call raises an error.

        An imputer of your own is interrupted where it reports progress. Without a call this has no effect.
        """
        self._engine.session.interrupt()

    def close(self) -> None:
        """Closes the session, or all sessions if it is the first one; their results can no longer be read.

        It has no effect if the database is closed, or was opened before this process was forked.
        """
        others = [one for one in self._sessions if one is not self and self._is_first]
        for session in [one._engine.session for one in (*others, self)]:
            if session.is_own:
                session.close()

    def __enter__(self) -> Database:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _codes(missing: object) -> dict[str, tuple[object, ...]]:
    """Values declared missing, by column."""
    return {} if missing is None else arguments.by_column("missing", missing, example="such as {'income': [77, 99]}")


def _words(na: object) -> tuple[str, ...] | None:
    """The words that stand for a missing value in every column."""
    return None if na is None else tuple(map(str, arguments.listed("na", na, example="such as ['NA', '-99']")))
