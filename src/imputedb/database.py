"""The face of imputedb: a database that answers SQL as if nothing were missing."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from datetime import date
from os import PathLike
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal
from weakref import WeakSet

from imputedb import arguments
from imputedb.answers import policies, policy_file, respond
from imputedb.answers.compare import WAYS, Comparison, answers, ways_of
from imputedb.answers.explain import Explanation, explained
from imputedb.answers.multiple.measures import Measure, Measures
from imputedb.answers.policy_file import Change
from imputedb.answers.prepare import Planner
from imputedb.answers.run import PLANNED, Asked
from imputedb.answers.understand import query_of
from imputedb.border import bordered, public
from imputedb.diagnostics.cell_intervals import CellIntervals, cell_intervals
from imputedb.diagnostics.departures import Departures
from imputedb.diagnostics.evaluation import Evaluation, Pattern, evaluate, scan
from imputedb.diagnostics.profile import Profile, profiled
from imputedb.engines.cache import CacheUse
from imputedb.engines.duckdb import declarations, load
from imputedb.engines.duckdb.engine import DuckDB
from imputedb.engines.duckdb.variables import callers_frames
from imputedb.errors import QueryError
from imputedb.execution.plan import Watch
from imputedb.imputers.knn import KNN
from imputedb.imputers.protocol import Imputer, Progress
from imputedb.imputers.registry import Choice, Cycles, chosen, the_one, with_cycles
from imputedb.inference.estimate import Question
from imputedb.neighbours.metric import METRICS, MetricName
from imputedb.neighbours.tuning import KS, Scan
from imputedb.planning.frontier import Frontier
from imputedb.provenance.index import Lookups
from imputedb.provenance.why import AUDITED, Why, audit, why
from imputedb.result import Result
from imputedb.sql.parameters import Given, by_name
from imputedb.statistics.policy import Action, Bound, Policy, as_bound, as_text
from imputedb.statistics.policy import Measure as Taken

if TYPE_CHECKING:
    from imputedb.completion.completed import Completed
    from imputedb.completion.sensitivity import Analysis, Sweep
    from imputedb.diagnostics.likelihood import Likelihood
    from imputedb.inference.scores import Scores


@bordered
def connect(path: str | Path = ":memory:", *, read_only: bool = False, variables: bool = True) -> Database:
    """Opens a DuckDB file, made if there is none, or a database in memory.

    Args:
        path: the file.
        read_only: whether nothing can be written to it.
        variables: whether a name in FROM that means no table may mean a data frame, an Arrow table, an answer, a
            relation of DuckDB or a dictionary of arrays in a variable of the caller, local or global.

    Raises:
        StorageError: the file is none of DuckDB's, is in use by another process, or cannot be written.
        QueryError: the path is none.
    """
    if not isinstance(path, str | PathLike) or not str(path) or "\0" in str(path):
        raise QueryError(f"the path is {path!r}; it names a file, or is ':memory:'")
    return Database(DuckDB(str(path), read_only=read_only, variables=variables))


@public(lambda db: db._engine.session.call, apart=("close", "session", "interrupt"))
class Database:
    """Tables with missing values, and answers as if there were none.

    Threads may share it; they take turns. With a `session` for each they run side by side.
    """

    def __init__(self, engine: DuckDB, beside: Database | None = None) -> None:
        self._engine = engine
        self._sessions: WeakSet[Database] = beside._sessions if beside else WeakSet()
        self._sessions.add(self)
        self._is_first = beside is None
        self._planner = Planner(engine)
        engine.session.tidying.append(self._planner.release)
        self._lookups = Lookups()
        engine.further_caches += [self._planner.cache, self._lookups.cache]

    def load(
        self,
        *files: str,
        table: str | None = None,
        missing: Mapping[str, Sequence[object]] | None = None,
        replace: bool = False,
    ) -> list[str]:
        """Loads CSV, Parquet, JSON or SAS transport files, a table each, named after the file or `table`.

        A pattern such as `data/*.csv` stands for its files; with `table` they become one table. Compressed files
        (`.gz`, `.zst`) are read as they are.

        `missing` declares, by column, values that mean a missing one, such as survey codes 77 and 99 or 'Refused'.
        All files are loaded or none. NaN in a floating column is missing, wherever it comes from.

        Raises:
            StorageError: a file cannot be read, or the database cannot be written.
            DataError: a file holds no table, or the table is there already and not to be replaced.
        """
        paths = [str(arguments.path("a file", file)) for file in files]
        names = load.load(self._engine, paths, table, _codes(missing), replace=replace)
        self._remark()
        return names

    def register(
        self,
        name: str,
        frame: Any,
        *,
        missing: Mapping[str, Sequence[object]] | None = None,
        replace: bool = True,
        keep: bool = False,
    ) -> None:
        """Copies a data frame (pandas, polars), an Arrow table, a relation of DuckDB, a result, a dictionary of columns
        or a list of dictionaries into a table.

        An index of pandas that has a name, or holds anything but whole numbers, becomes a column. The table is a
        temporary one unless it is to `keep`. NaN in a floating column is missing, as it is everywhere.

        Raises:
            DataError: the object has no columns, or the table is there already and not to be replaced.
        """
        load.register(self._engine, name, frame, _codes(missing), replace=replace, kept=keep)
        self._remark()

    def _remark(self) -> None:
        """Warns of what is kept, and what is forgotten, of what was said about a table that a call has replaced."""
        for remark in self._engine.session.taken():
            warnings.warn(remark, stacklevel=7)

    def missing(self, table: str, column: str, values: Sequence[object]) -> None:
        """Declares which stored values of a column mean a missing one; kept with the database, replaces earlier ones.

        Raises:
            UnknownName: there is no such table or column.
            DataError: a value is none that the column can hold.
        """
        codes = arguments.listed("values", values, example="such as [77, 99]")
        with self._engine.lock:
            declarations.declare(self._engine, self._engine.tables.named(table), column, codes)

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
            formula: an analysis to come, such as `y ~ x*z + I(x**2)`: its columns are drawn in agreement with it, so
                that interactions and squares keep their coefficients; other columns by the imputer, given these.
            model: of the formula, `ols` or `logit`.
            cycles: how often chained equations draw each column anew; `auto` for as often as it takes to forget their
                start. `report.convergence` says how well they have.
            progress: told the share of an imputer's work that is done.
            watch: told of every operator, which then runs on its own; for tests and EXPLAIN ANALYZE.

        Raises:
            QueryError: the query is wrong, or not planned yet; or alpha, imputer, strategy, m, interval or level are.
            DataError: a column that must be imputed cannot be.
        """
        if m is None:
            raise QueryError("m is None; it is 1 (no interval), a number of draws such as 20, or 'auto'")
        many, own = None if isinstance(m, str) and m == "auto" else m, Measures(measures)
        imputers = with_cycles(chosen(imputer), cycles)
        asked = Asked(
            alpha,
            imputers,
            seed,
            strategy,
            many,
            interval,
            level,
            precision,
            own,
            method,
            deviations,
            weights,
            clusters,
        )
        return respond.departing(self._engine, self._planner, text, asked, params, sensitivity, progress, watch)

    def policy(
        self,
        table: str,
        column: str,
        action: Action = "impute",
        *,
        when: str | None = None,
        low: Bound | date | None = None,
        high: Bound | date | None = None,
        values: Sequence[object] = (),
        imputer: str | None = None,
        predictors: Sequence[str] = (),
        exclude: Sequence[str] = (),
        before: str | None = None,
        above: float | None = None,
        refuse: bool = False,
        below: float | None = None,
        measure: Taken | None = None,
        derived: str | None = None,
        weight: str | None = None,
        partition: Sequence[str] = (),
        order: str | None = None,
        cluster: str | None = None,
    ) -> None:
        """Says how the missing values of a column are dealt with; kept with the database, replaces what was said.

        Args:
            table: its name.
            column: its name.
            action: `impute`; `drop`, so that rows which miss an examined value go; `keep`, for a NULL that means
                something; `structural`, for one that does where `when` holds.
            when: a condition over the table's columns as they are stored, in SQL.
            low: the least value that may be filled in: a number, a date or timestamp, or the text of one.
            high: the largest one.
            values: the only values that may be filled in.
            imputer: the name of an imputer of its own.
            predictors: the only columns of the table that it may be predicted from.
            exclude: columns that it may not be predicted from, such as a label.
            before: a column of times: it is predicted from rows that are earlier.
            above: the share of the column's cells in an answer, in percent, above which imputed ones are warned of.
            refuse: refuses such an answer instead.
            below: the precision, from 0 to 1, below which a missing cell stays missing (MISSING BELOW).
            measure: what its values are taken for: `nominal` categories, `ordinal` ones, which stand in the order of an
                ENUM, of `values` or of numbers, or `numeric`; what type and values say unless given.
            derived: an expression in SQL of other columns, such as `w1 - w0`, that the column is computed as.
            weight: a column of sampling weights, which models of the column mind.
            partition: columns that make groups of rows.
            order: a column that puts these in order: `previous`, `next`, `linear` and `seasonal` follow it.
            cluster: a column of clusters, whose rows are alike: `2l.norm` and `2l.pmm` give each an intercept.

        Raises:
            UnknownName: there is no such table, column or imputer.
            DataError: a bound or a value is none that the column can hold.
            QueryError: DuckDB rejects the condition.
        """
        low, high = (end if end is None else as_bound(end) for end in (low, high))
        texts = tuple(map(as_text, arguments.listed("values", values, example="such as [1, 2]")))
        allowed, barred = arguments.names("predictors", predictors), arguments.names("exclude", exclude)
        wanted = Policy(action, when, low, high, texts, imputer, allowed, barred, before, above, refuse, below, measure)
        said = {"derived": derived, "weight": weight, "order": order, "cluster": cluster}
        wanted = wanted.changed({**said, "partition": arguments.names("partition", partition)})
        policies.decide(self._engine, self._engine.tables.named(table), column, wanted)

    def policies(self, table: str | None = None) -> list[tuple[str, str, str]]:
        """Table, column and policy in the words of CREATE IMPUTATION POLICY: of one table, or of all."""
        with self._engine.lock:
            return policies.listed(self._engine, table)

    def declared(self, table: str | None = None) -> list[tuple[str, str, tuple[str, ...]]]:
        """Table, column and the values that are declared missing: of one table, or of all."""
        with self._engine.lock:
            return policies.declared(self._engine, table)

    def export_policies(self, path: str | Path | None = None) -> str:
        """All policies and declared values as TOML, which is also written to a file where a path is given.

        Raises:
            StorageError: the file cannot be written; it appears whole or not at all.
        """
        with self._engine.lock:
            if path is None:
                return policy_file.exported(self._engine)
            return policy_file.written(self._engine, arguments.path("the path", path))

    def apply_policies(self, path: str | Path, *, dry_run: bool = False, exact: bool = False) -> list[Change]:
        """Makes the database say of columns what a file of `export_policies` says; what changed, by column.

        Everything is checked before anything is changed.

        Args:
            path: of the file.
            dry_run: changes nothing, and gives what would change.
            exact: columns that the file does not name lose what was said of them.

        Raises:
            StorageError: the file cannot be read, or the database cannot be written.
            DataError: the file is no such one, or says what a column cannot hold; named are line, table and column.
            UnknownName: a table, column or imputer is not there.
        """
        text = policy_file.read(arguments.path("the path", path))
        with self._engine.lock:
            return policy_file.applied(self._engine, text, str(path), dry_run=dry_run, exact=exact)

    def explain(
        self,
        text: str,
        params: Given = None,
        *,
        alpha: float = 0.0,
        imputer: Choice = "tree",
        seed: int = 0,
        strategy: str = PLANNED,
        analyze: bool = False,
    ) -> Explanation:
        """The plan of a query with its estimates; with `analyze` it runs, each operator on its own, and is measured.

        Of a statement that keeps the rows of a query it is the plan of the query, and only that runs.

        Raises:
            QueryError: the statement is wrong, or there is no plan of its kind.
        """
        asked = Asked(alpha, chosen(imputer), seed, strategy)
        with callers_frames(self._engine, text, statement=True):
            prepared = self._planner.prepare(query_of(self._engine, self._planner, text, params), asked)
            try:
                with self._engine.own_statements(prepared.text):
                    return explained(self._engine, prepared, asked, analyze=analyze)
            finally:
                self._planner.release()

    def frontier(self, text: str, params: Given = None, *, imputer: Choice = "tree") -> Frontier | None:
        """Every plan that no other beats in both penalty and time; None where nothing missing is read."""
        with callers_frames(self._engine, text, statement=True):
            query = query_of(self._engine, self._planner, text, params)
            try:
                return self._planner.prepare(query, Asked(0.0, chosen(imputer), 0, PLANNED)).frontier
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
        with callers_frames(self._engine, source):
            source = source if params is None else query_of(self._engine, self._planner, source, params)
            asked = Request(source, m, one, seed, columns, flags, long, survival, substantive)
            return complete(self._engine, asked, folder, progress)

    def more(
        self,
        run: Completed | str | Path,
        cycles: int,
        *,
        imputer: str | Imputer | None = None,
        progress: Progress | None = None,
    ) -> Completed:
        """A run of completed data sets with further cycles, beside the old one: what asking for all at once gives.

        Args:
            run: as `impute` gave it, or its folder.
            cycles: how many more.
            imputer: that of the run, if it is one of your own.
            progress: told the share of the draws that are done.

        Raises:
            QueryError: the imputer is not the run's or runs no chains, or the rows have changed since.
            StorageError: there is no such run, or the folder cannot be written.
        """
        from imputedb.completion.continuing import furthered

        return furthered(self._engine, run, imputer, cycles, progress)

    def sensitivity(
        self,
        source: str,
        column: str,
        shifts: Sequence[float],
        analysis: Analysis,
        *,
        by: str = "add",
        of: object = None,
        hypothesis: float = 0.0,
        m: int = 20,
        imputer: str | Imputer = "norm",
        seed: int = 0,
        level: float = 0.95,
        progress: Progress | None = None,
    ) -> Sweep:
        """An answer under departures from missing at random, and the shift at which it tips.

        Args:
            source: a table's name or a SELECT.
            column: whose imputed values depart from what the others say of them.
            shifts: sizes of the departure; 0 (or 1 for `times` and `odds`) is missing at random.
            analysis: completed columns to an estimate and its variance, such as `sensitivity.mean_of("income")` or
                `sensitivity.term_of("y ~ x", "x")` of `imputedb.completion`.
            by: `add` to numbers, `times` numbers, or the `odds` of a category `of`.
            of: the category whose odds are multiplied.
            hypothesis: the value of the estimate that p is about.
            m: draws a shift.
            imputer: one of the chained: norm, pmm, logistic, multinomial, ordered.
            seed: the same for all shifts.
            level: of confidence; the answer tips where p crosses 1 - level.
            progress: told the share of the shifts that is done.

        Raises:
            QueryError: the imputer is not chained, or there are no shifts.
            UnknownName: no such incomplete column or category.
        """
        from imputedb.completion.sensitivity import Question, asked

        question = Question(column, analysis, by, of, hypothesis, m, seed, level)
        with callers_frames(self._engine, source):
            return asked(self._engine, source, the_one(imputer, "departures need"), question, shifts, progress)

    def compare(
        self,
        text: str,
        *,
        ways: Sequence[str | Imputer] = WAYS,
        shifts: Mapping[str, Sequence[float]] | None = None,
        m: int = 20,
        seed: int = 0,
        interval: Question = "population",
        level: float = 0.95,
    ) -> Comparison:
        """The same answer under several assumptions side by side, as a table and a forest plot.

        A way that does not suit the query says why in its line.

        Args:
            text: a query that aggregates.
            ways: names of imputers, or imputers, `aipw` and `bounds`.
            shifts: by column, sizes that its imputed values are shifted by, each one more way, of `norm`.
            m: draws of each imputer.
            seed: one seed gives one answer.
            interval: what intervals are about, as in `sql`.
            level: of their confidence.

        Raises:
            QueryError: the text is no SELECT query; nothing has run then.
        """
        found = ways_of(ways, {} if shifts is None else shifts)
        return answers(self._engine, self._planner, text, found, m, seed, interval, level)

    def pool_scores(
        self,
        source: str,
        formula: str,
        model: str = "ols",
        *,
        m: int = 20,
        folds: int = 5,
        imputer: str | Imputer = "pmm",
        seed: int = 0,
        progress: Progress | None = None,
    ) -> Scores:
        """How well a model predicts rows that it has not seen: pooled over draws, with imputation inside the folds.

        In each fold the imputer and the model learn from the other folds' rows alone, and the outcome of the fold's
        rows is hidden from the imputer. Rows that miss the outcome are learnt from, and not scored.

        Args:
            source: a table's name or a SELECT.
            formula: such as `ill ~ x + z`; its left side is a column of numbers, or of zeros and ones.
            model: of statsmodels, `ols`, `logit`, `probit`, `poisson`, ...
            m: draws a fold.
            folds: parts that are left out in turn.
            imputer: that draws.
            seed: of draws and folds.
            progress: told the share that is done.

        Raises:
            UnknownName: the outcome is no column.
            QueryError: the formula, the model, m, folds or the imputer are wrong.
            DataError: there are too few rows, or predictors stay incomplete; or statsmodels is not installed.
        """
        from imputedb.completion.fitting import Model
        from imputedb.completion.scoring import Scoring, scored

        one = the_one(imputer, "scores need")
        with callers_frames(self._engine, source):
            return scored(self._engine, Scoring(source, formula, Model(model), one, m, folds, seed), progress)

    def likelihood(self, source: str, *, columns: Sequence[str] = (), level: float = 0.95) -> Likelihood:
        """Means, covariances, correlations and regressions of numbers by maximum likelihood, without draws (FIML).

        Assumed is that values are missing at random given the columns, and that relations are straight.

        Args:
            source: a table's name or a SELECT.
            columns: those that are normal together; all that are numbers unless given. More columns than a question
                needs make "missing at random" likelier.
            level: of the intervals' confidence.

        Raises:
            UnknownName: no such table, or no column of numbers of that name.
            DataError: a column does not vary, or columns determine one another.
        """
        from imputedb.completion.likely import of_source

        with callers_frames(self._engine, source):
            return of_source(self._engine, source, columns, level)

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
        with callers_frames(self._engine, table):
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

    def cells(
        self,
        table: str,
        column: str,
        *,
        level: float = 0.9,
        imputer: Choice = "tree",
        share: float = 0.3,
        seed: int = 0,
        progress: Progress | None = None,
    ) -> CellIntervals:
        """An interval for each imputed number of a column, or a set of categories, with measured coverage.

        Observed cells are hidden in the patterns in which the column goes missing. Half of them say how far values are
        off, by pattern; the other half measures how often intervals hold the truth (split-conformal prediction).

        Args:
            table: the table.
            column: whose missing cells are asked about.
            level: of the intervals and sets.
            imputer: that fills in.
            share: of the rows that are laid over with missingness, below 0.5.
            seed: one seed, one answer.
            progress: told the share that is done.

        Raises:
            QueryError: no level, share or imputer of that kind; or no table or column of that name.
            DataError: nothing is missing, or too few cells can be hidden.
        """
        one = the_one(imputer, "intervals of cells need")
        wishes: dict[str, Any] = {"level": level, "share": share, "seed": seed, "progress": progress}
        with callers_frames(self._engine, table):
            return cell_intervals(self._engine, table, column, one, **wishes)

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
        with callers_frames(self._engine, table):
            return scan(self._engine, table, imputer, ks=ks, metrics=metrics, columns=columns, seed=seed)

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
        with callers_frames(self._engine, table):
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
        with callers_frames(self._engine, table):
            return audit(
                self._engine,
                self._lookups,
                table,
                into,
                columns=columns,
                imputer=imputer,
                limit=limit,
                salt=salt,
                seed=seed,
            )

    def execute(self, text: str, params: Given = None) -> list[tuple[Any, ...]]:
        """Runs any statement on DuckDB as it stands: NULL means NULL there, and nothing is imputed.

        Args:
            text: one statement, or several, of which the last one's rows are given.
            params: values of its parameters: a list for `?` and `$1`, a dictionary for `$name`.

        Raises:
            QueryError: DuckDB rejects it, with its reason.
            StorageError: it cannot be written.
        """
        found = self._engine.session.execute(text, by_name(params))
        self._remark()
        return found

    @property
    def in_transaction(self) -> bool:
        """Whether BEGIN has been run, and neither COMMIT nor ROLLBACK since."""
        return self._engine.session.in_transaction

    def profile(self, table: str | None = None) -> list[Profile]:
        """What is missing where: of one table, or of all."""
        with callers_frames(self._engine, table or ""):
            return profiled(self._engine, table)

    def caches(self) -> list[CacheUse]:
        """What is cached of this database: what each cache holds, how much of it, and what makes it stale.

        A write to one table, by INSERT, UPDATE, DELETE, MERGE or COPY, leaves standing what rests on others.
        """
        return self._engine.caches()

    def tables(self) -> dict[str, dict[str, str]]:
        """Columns and their types by table, under the shortest name that means it."""
        tables = self._engine.tables
        return {tables.called(table): dict(shape.types) for table, shape in tables.shapes().items()}

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
        """Ends the statement that another thread runs in this session; the call that has asked for it raises.

        Where no statement of DuckDB runs it does nothing.
        """
        self._engine.connection.interrupt()

    def close(self) -> None:
        """Lets go of the session, and of all others where it is the first one; their results can no longer be read.

        It does nothing where the database is closed already, or was opened before this process was forked.
        """
        others = [one for one in self._sessions if one is not self] if self._is_first else []
        for one in (*others, self):
            session = one._engine.session
            if session.is_own:
                session.call(session.close)

    def __enter__(self) -> Database:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _codes(missing: object) -> dict[str, tuple[object, ...]]:
    """Values declared missing, by column."""
    return {} if missing is None else arguments.by_column("missing", missing, example="such as {'income': [77, 99]}")
