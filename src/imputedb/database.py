"""The face of imputedb: a database that answers SQL as if nothing were missing."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from os import PathLike
from pathlib import Path
from time import perf_counter
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal
from weakref import WeakSet

from imputedb import arguments
from imputedb.answers import description, model_methods, models, respond
from imputedb.answers import methods as answering
from imputedb.answers.explain import Explanation, explained
from imputedb.answers.flags import flagged
from imputedb.answers.multiple.measures import Measure, Measures
from imputedb.answers.pace import pace
from imputedb.answers.prepare import Planner
from imputedb.answers.request import PLANNED, Fit, QueryOptions
from imputedb.answers.understand import query_of
from imputedb.border import bordered, calls_inside, public
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
from imputedb.imputers.protocol import Imputer, Progress
from imputedb.imputers.registry import Choice, Cycles, chosen, the_one, with_cycles
from imputedb.inference.estimate import Question
from imputedb.planning.frontier import Frontier
from imputedb.provenance import methods as explaining
from imputedb.provenance.index import Lookups
from imputedb.result import Result
from imputedb.sql.budget import Limits, limited
from imputedb.sql.parameters import Given, by_name

if TYPE_CHECKING:
    from imputedb.completion.completed import Completed


@bordered
def connect(
    path: str | Path = ":memory:",
    *,
    read_only: bool = False,
    variables: bool = True,
    config: Mapping[str, object] | None = None,
    locked: bool = False,
) -> Database:
    """Opens a DuckDB file, made if there is none, or a database in memory.

    Args:
        path: the file.
        read_only: whether nothing can be written to it.
        variables: whether a name in FROM that means no table may mean a data frame, an Arrow table, an answer, a
            relation of DuckDB or a dictionary of arrays in a variable of the caller, local or global.
        config: settings of DuckDB by name, such as `{"memory_limit": "4GB", "threads": 2}`.
        locked: whether statements reach nothing but this file, for reading: no other file, no network, no setting.

    Raises:
        StorageError: the file is none of DuckDB's, is in use by another process, or cannot be written.
        QueryError: the path is none, or DuckDB has no such setting.
    """
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
    """Tables with missing values, and answers as if there were none.

    Threads may share it; they take turns. With a `session` for each they run side by side.
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
    ) -> list[str]:
        """Loads files, a table each, named after the file or `table`: text (CSV and its kin), Parquet, JSON, workbooks
        (Excel, ODS), SPSS, Stata, SAS and R.

        A pattern such as `data/*.csv` stands for its files, a folder for those in it; with `table` they become one
        table. Compressed files (`.gz`, `.zst`) are read too. All files are loaded or none.

        Words such as NA or `?` mean a missing value in a column whose other values are numbers, dates or booleans, and
        in one of text where they are more than 1 % and no code among others of their length; a warning counts them. NaN
        is missing. Encoding, delimiter, decimal commas and dates are found out, and said where they may be others.

        Args:
            table: the name of the one table that they become; `replace` says whether another of it goes.
            missing: by column, values that mean a missing one; `na`: words that do in every column, none where empty.

        Raises:
            StorageError: a file cannot be read, or the database cannot be written.
            DataError: a file holds no table, or the table is there already and not to be replaced.
            QueryError: no encoding of that name.
        """
        paths = [str(arguments.path("a file", file)) for file in files]
        if decimal is not None:
            arguments.one_of("decimal", decimal, (".", ","))
        reading = Reading(_words(na), encoding, delimiter, decimal, dates, sheet)
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
        """Copies a data frame (pandas, polars), an Arrow table, a relation of DuckDB, a result, a dictionary of columns
        or a list of dictionaries into a table.

        An index of pandas that has a name, or holds anything but whole numbers, becomes a column. The table is a
        temporary one unless it is to `keep`. NaN in a floating column is missing, as it is everywhere; so are, by
        column, values that are declared `missing`, and in every column words of `na`.

        Raises:
            DataError: the object has no columns, or the table is there already and not to be replaced.
        """
        self._engine.take(name, frame, _codes(missing), _words(na) or (), replace=replace, kept=keep)
        self._remark()

    def _remark(self) -> None:
        """Warns of what is kept, and what is forgotten, of what was said about a table that a call has replaced."""
        for remark in self._engine.session.taken():
            warnings.warn(remark, stacklevel=calls_inside())

    def missing(self, table: str, column: str, values: Sequence[object]) -> None:
        """Declares which stored values of a column mean a missing one; kept with the database, replaces earlier ones.

        Raises:
            UnknownName: there is no such table or column.
            DataError: a value is none that the column can hold.
        """
        codes = arguments.listed("values", values, example="such as [77, 99]")
        with self._engine.lock:
            self._engine.declare(self._engine.named(table), column, codes)

    def sql(
        self,
        text: str,
        params: Given = None,
        *,
        alpha: float = 0.0,
        imputer: Choice = "tree",
        seed: int = 0,
        strategy: str = PLANNED,
        m: int | Literal["auto"] = 1,
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

        With `m` draws each aggregate comes with a standard error, an interval and the fraction of missing information
        (columns `<name>_se`, `_low`, `_high`, `_fmi`), by groups also with the share of the draws that have the group
        (`in_draws`). Assumed is that values are missing at random given the columns that an imputer reads.

        `method="aipw"` answers AVG, SUM and COUNT with intervals that hold where the imputer is wrong, or the model of
        what is missing; `method="bounds"` gives the least and the largest answer (`<name>_low`, `_high`), of MIN and
        MAX too, whatever the missing values are; `method="ml"` gives means, variances, correlations and lines
        (REGR_SLOPE) by maximum likelihood of normal columns (FIML). Each refuses what it does not suit, and says why.

        CREATE TABLE AS, INSERT, MERGE INTO ... USING (...), COPY (...) TO, PIVOT and EXECUTE work on the answer of
        their query; statements about imputation policies are followed; any other statement is DuckDB's, for which NULL
        is NULL.

        Args:
            text: one statement in DuckDB's SQL.
            params: values of its parameters: a list for `?` and `$1`, a dictionary for `$name`.
            alpha: 0 for the least loss of information, 1 for the least time, or between.
            imputer: `tree`, `knn`, `mean`, `hotdeck`, `drop`, an imputer of your own, or several to choose from.
            seed: one seed gives one answer, whatever the number of threads.
            strategy: `planned`, or `base` to complete every table that is read before the query runs.
            m: draws (multiple imputation); 1 for the single best values, without intervals; `auto` for a pilot and
                then as many as `precision` needs.
            interval: what intervals are about: the `population` that the table is a sample of, or the `answer` that
                this query would give if nothing were missing.
            level: of the intervals' confidence.
            precision: coefficient of variation of standard errors between runs, for `m="auto"` (von Hippel 2020).
            measures: your own, of aggregates whose variance within a draw is not known yet or is known better, or
                names of those that installed packages have; they stand before those that come with imputedb.
            method: `imputation`; `aipw`, doubly robust (augmented inverse probability weighting, cross-fitted); `ml`,
                maximum likelihood without draws; or `bounds`, by the worst case.
            deviations: for bounds: missing numbers lie within so many standard deviations of the column's mean, rather
                than within the range that is observed. A policy's RANGE holds in any case.
            weights: a column of sampling weights: AVG, SUM and COUNT count each row as often as it says.
            clusters: a column of clusters that were sampled whole, by which intervals go; those that policies name
                (CLUSTER) unless given.
            sensitivity: departures from missing at random, of `imputedb.sensitivity`, under which the query is asked
                again: `result.sensitivity` says how its numbers move and where their intervals reach a stated value.
            cycles: how often chained equations draw each column anew; `auto` for as often as it takes to forget their
                start. `report.convergence` says how well they have.
            fit: to what imputers are fitted: to the rows that the `query` reads; or to every whole `table`, once until
                it is written (kept models where there are some), so that a missing cell has one value in all answers:
                sums of groups add up. A table whose imputed values decide which rows count has drawn values in such an
                answer, others expected ones. With `auto` the planner chooses between kept models and a fit to the rows.
            flags: adds a column `<name>__imputed` for each, true where a value was imputed; of groups it says nothing.
            within_ms: milliseconds for the answer, by the best plan expected to be in time, else the fastest (WITHIN).
            error: half the width of every interval beside its number, such as 0.02; `m=1` finds the draws (ERROR).
            progress: told the share of an imputer's work that is done.
            watch: told of every operator, which then runs on its own; for tests and EXPLAIN ANALYZE.

        Raises:
            QueryError: the query is wrong, or not planned yet; or alpha, imputer, strategy, m, interval or level are.
            DataError: a column that must be imputed cannot be.
        """
        if m is None:
            raise QueryError("m is None; it is 1 (no interval), a number of draws such as 20, or 'auto'")
        many, imputers = None if isinstance(m, str) and m == "auto" else m, with_cycles(chosen(imputer), cycles)
        further = (many, interval, level, precision, Measures(measures), method, deviations, weights, clusters, fit)
        options = QueryOptions(alpha, imputers, seed, strategy, *further, limits=Limits(within_ms, error))
        if flags:
            text, stated = limited(text)
            options = options.limited(stated.over(options.limits), perf_counter())
            text = flagged(self._engine, text, m, params)
        return respond.departing(self._engine, self._planner, text, options, params, sensitivity, progress, watch)

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
        """The plan of a query with its estimates; with `analyze` it runs, each operator on its own, and is measured.

        Of a statement that keeps the rows of a query it is the plan of the query, and only that runs. WITHIN is heeded.

        Raises:
            QueryError: the statement is wrong, or there is no plan of its kind.
        """
        text, limits = limited(text)
        began, options = perf_counter(), QueryOptions(alpha, chosen(imputer), seed, strategy, fit=fit)
        options = models.informed(self._engine, options.limited(limits.over(self._planner.limits), began))
        with self._engine.callers_frames(text, statement=True):
            prepared = self._planner.prepare(query_of(self._engine, self._planner, text, params), options)
            try:
                with self._engine.own_statements(prepared.text):
                    paced = pace(prepared, options, self._planner.forecast).options
                    return explained(self._engine, prepared, paced, analyze=analyze)
            finally:
                self._planner.release()

    def frontier(
        self, text: str, params: Given = None, *, imputer: Choice = "tree", fit: Fit = "auto"
    ) -> Frontier | None:
        """Every plan that no other beats in both penalty and time; None where nothing missing is read."""
        text, _ = limited(text)
        with self._engine.callers_frames(text, statement=True):
            query = query_of(self._engine, self._planner, text, params)
            try:
                options = models.informed(self._engine, QueryOptions(0.0, chosen(imputer), 0, PLANNED, fit=fit))
                return self._planner.prepare(query, options).frontier
            finally:
                self._planner.release()

    def impute(
        self,
        source: str,
        out: str | Path,
        *,
        m: int = 20,
        imputer: str | Imputer = "pmm",
        seed: int = 0,
        columns: Sequence[str] | None = None,
        flags: bool = True,
        long: bool = False,
        survival: tuple[str, str] | None = None,
        formula: str | None = None,
        model: str = "ols",
        cycles: Cycles = "auto",
        progress: Progress | None = None,
        params: Given = None,
    ) -> Completed:
        """Writes m completed copies of a table, or of a SELECT's rows, with a manifest, all of it or nothing.

        A run that was killed is taken up where it stopped; one that is there already is not made again. Values
        declared missing are known of tables, not of a SELECT's columns.

        Args:
            source: a table's name or a SELECT.
            out: folder; a new run replaces what readers see there when it is complete.
            m: completed data sets.
            imputer: that draws them: `pmm`, `norm`, `tree`, ..., or one of your own.
            seed: one seed gives one run.
            columns: to fill; all incomplete ones unless given.
            flags: whether each filled column has a boolean `<column>__imputed` beside it, which reports need.
            long: one Parquet file with `.imp` and `.id`, rather than one a draw.
            survival: a time and an event (0 and 1): their Nelson-Aalen cumulative hazard is one predictor more.
            formula: an analysis to come, such as `y ~ x*z + I(x**2)`: its columns are drawn in agreement with it, so
                that interactions and squares keep their coefficients; other columns by the imputer, given these.
            model: of the formula, `ols` or `logit`.
            cycles: how often chained equations draw each column anew; `auto` for as often as it takes to forget their
                start. The manifest's `convergence` says how well they have.
            progress: told the share of the draws that are done.
            params: values of a SELECT's parameters: a list for `?` and `$1`, a dictionary for `$name`.

        Raises:
            QueryError: the SELECT, m, the imputer or cycles are wrong.
            StorageError: the folder cannot be written, or another process is writing into it.
        """
        from imputedb.completion.completing import Request, complete
        from imputedb.completion.congenial import Substantive

        one, substantive = the_one(imputer, "completed data sets need"), None
        if formula is not None:
            substantive = Substantive(formula, model, cycles)
        else:
            arguments.one_of("model without a formula", model, ("ols",))
            (one,) = with_cycles((one,), cycles)
        folder = arguments.path("out", out)
        with self._engine.callers_frames(source):
            source = source if params is None else query_of(self._engine, self._planner, source, params)
            request = Request(source, m, one, seed, columns, flags, long, survival, substantive)
            return complete(self._engine, request, folder, progress)

    # What follows is defined in the room whose work it is; each function takes the database as `self`.
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

    more = completing.more
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
        """Runs any statement on DuckDB as it stands: NULL means NULL there, and nothing is imputed.

        Args:
            text: one statement, or several, of which the last one's rows are given.
            params: values of its parameters: a list for `?` and `$1`, a dictionary for `$name`.

        Raises:
            QueryError: DuckDB rejects it, with its reason.
            StorageError: it cannot be written.
        """
        found = self._engine.execute(text, by_name(params))
        self._remark()
        return found

    @property
    def in_transaction(self) -> bool:
        """Whether BEGIN has been run, and neither COMMIT nor ROLLBACK since."""
        return self._engine.session.in_transaction

    def profile(self, table: str | None = None) -> list[Profile]:
        """What is missing where: of one table, or of all."""
        with self._engine.callers_frames(table or ""):
            return profiled(self._engine, table)

    def caches(self) -> list[CacheUse]:
        """What is cached of this database: what each cache holds, how much of it, and what makes it stale.

        A write to one table, by INSERT, UPDATE, DELETE, MERGE or COPY, leaves standing what rests on others.
        """
        return self._engine.caches()

    def tables(self) -> dict[str, dict[str, str]]:
        """Columns and their types by table, under the shortest name that means it."""
        engine = self._engine
        return {engine.called(table): dict(shape.types) for table, shape in engine.shapes().items()}

    @bordered
    def session(self) -> Database:
        """Another session of the same database, which runs side by side with this one: a thread's own, or a client's.

        It has temporary tables, registered frames, settings and transactions of its own, and sees what others have
        committed. What is cached is shared. It is closed by itself, or with the database that `connect` has given.

        Raises:
            StorageError: the database is closed.
        """
        return Database(self._engine.further(), self)

    @bordered
    def interrupt(self) -> None:
        """Ends the call that another thread makes in this session: its statement, or its imputing; that call raises.

        An imputer of your own is ended where it tells its progress. Outside of calls it does nothing.
        """
        self._engine.session.interrupt()

    def close(self) -> None:
        """Lets go of the session, and of all others where it is the first one; their results can no longer be read.

        It does nothing where the database is closed already, or was opened before this process was forked.
        """
        others = [one for one in self._sessions if one is not self] if self._is_first else []
        for one in (*others, self):
            session = one._engine.session
            if session.is_own:
                session.close()

    def __enter__(self) -> Database:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _codes(missing: object) -> dict[str, tuple[object, ...]]:
    """Values declared missing, by column."""
    return {} if missing is None else arguments.by_column("missing", missing, example="such as {'income': [77, 99]}")


def _words(na: object) -> tuple[str, ...] | None:
    """Words that mean a missing value in every column."""
    return None if na is None else tuple(map(str, arguments.listed("na", na, example="such as ['NA', '-99']")))
