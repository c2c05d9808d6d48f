"""Calls that another thread ends while an imputer works, and sessions in the middle of each other's calls."""

# ruff: noqa: ARG001, ARG002

import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pytest

import imputedb
from imputedb import Database, Interrupted, QueryError
from imputedb.answers.prepare import Planner
from imputedb.engines.duckdb.interrupt import StatementRunner
from imputedb.engines.signals import Signals
from imputedb.imputers.chained.row_models import Imputation


@pytest.fixture
def db() -> Iterator[Database]:
    rng = np.random.default_rng(5)
    n = 3000
    x = rng.normal(size=(n, 3))
    with imputedb.connect() as db:
        columns = {f"x{i}": np.ma.masked_array(x[:, i] + x[:, 0], rng.random(n) < 0.3) for i in range(3)}
        db.register("t", {"k": np.arange(n), **columns}, keep=True)
        yield db


@pytest.mark.sampled(2)
@pytest.mark.parametrize(("imputer", "m"), [("tree", 1), ("tree", 8), ("knn", 1), ("pmm", 30), ("hotdeck", 4)])
def test_an_interrupt_ends_the_imputing(db: Database, imputer: str, m: int) -> None:
    shares: list[float] = []

    def progress(share: float) -> None:
        shares.append(share)
        db.interrupt()

    text = "SELECT avg(x1), avg(x2) FROM t WHERE x0 > 0"
    with pytest.raises(QueryError, match="interrupted by another thread"):
        db.sql(text, imputer=imputer, m=m, progress=progress)
    assert min(shares) < 1  # workers side by side may have told of more by then
    assert len(db.sql(text, imputer=imputer, m=m)) == 1, "the next call is not ended"


def test_an_interrupt_ends_an_imputer_that_tells_how_far_it_is(db: Database) -> None:
    class Endless:
        name = "endless"
        uses_predictors = False

        def time(self, work: Any) -> float:
            return 1.0

        def penalty(self, work: Any) -> float:
            return 0.5

        def impute(self, rows: Any, targets: Any, seed: int, progress: Any = None, **_: Any) -> Any:
            db.interrupt()
            while True:
                progress(0.5)

    with pytest.raises(QueryError, match="interrupted by another thread"):
        db.sql("SELECT avg(x1) FROM t", imputer=Endless())


def test_an_interrupt_ends_a_cycle_of_chained_equations(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    fill, count = Imputation._fill, []

    def watched(self: Imputation, *given: Any) -> None:
        count.append(1)
        if len(count) == 1:
            db.interrupt()
        fill(self, *given)

    monkeypatch.setattr(Imputation, "_fill", watched)
    with pytest.raises(QueryError, match="interrupted by another thread"):
        db.sql("SELECT avg(x1), avg(x2) FROM t", imputer="pmm", m=40)
    assert len(count) < 40


KEEPING = {
    "COPY (SELECT k, x1 FROM t) TO '{path}'": "SELECT count(*) = 0 FROM glob('{path}*')",
    "COPY (SELECT k FROM t) TO '{path}'": "SELECT count(*) = 0 FROM glob('{path}*')",
    "INSERT INTO held SELECT k, x1 FROM t": "SELECT count(*) = 0 FROM held",
    "INSERT INTO held SELECT k, k FROM t": "SELECT count(*) = 0 FROM held",
    "CREATE TABLE made AS SELECT k, x1 FROM t": "SELECT count(*) = 0 FROM duckdb_tables() WHERE table_name = 'made'",
}


@pytest.mark.parametrize("text", KEEPING)
def test_an_interrupt_between_two_statements_ends_the_call(
    db: Database, text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before each statement of a call in turn: nothing is kept, and the next call is not ended.

    Once the rows are kept it comes too late.
    """
    path = tmp_path / "kept.csv"
    db.execute("CREATE TABLE held(k BIGINT, x DOUBLE)")
    text, intact = text.format(path=path), KEEPING[text].format(path=path)
    done, at, ran = StatementRunner._run_on_worker, -1, 0

    def watched(self: StatementRunner, work: Any) -> Any:
        nonlocal ran
        ran += 1
        if ran - 1 == at:
            other = threading.Thread(target=db.interrupt)
            other.start()
            while not self.is_interrupted:
                time.sleep(0.001)
            self.check()
        return done(self, work)

    monkeypatch.setattr(StatementRunner, "_run_on_worker", watched)
    for at in range(100):
        ran = 0
        try:
            db.sql(text, imputer="mean")
        except Interrupted:
            ran = at + 1
            assert db.execute(intact) == [(True,)], f"before statement {at}"
            assert db.execute("SELECT count(*) FROM duckdb_tables() WHERE table_name LIKE 'imputedb_%'") == [(0,)]
        else:
            ran = at + 1
            assert db.execute(intact) == [(False,)]
            break
    assert at > 2, "few statements come before"


@pytest.mark.parametrize("main", [True, False])
def test_a_statement_that_is_about_to_run_is_ended_too(
    db: Database, monkeypatch: pytest.MonkeyPatch, *, main: bool
) -> None:
    """The other thread asks after the call has looked, and before DuckDB knows of its statement."""
    check = StatementRunner.check
    others: list[threading.Thread] = []

    def looked(self: StatementRunner) -> None:
        check(self)
        if not others:
            others.append(threading.Thread(target=db.interrupt))
            others[0].start()
            time.sleep(0.1)

    monkeypatch.setattr(StatementRunner, "check", looked)
    ended: list[bool] = []

    def ask() -> None:
        with pytest.raises(Interrupted):
            db.execute("SELECT count(*) FROM range(1000000) a, range(1000000) b WHERE a.range + b.range = -1")
        ended.append(True)

    if main:
        ask()
    else:
        thread = threading.Thread(target=ask)
        thread.start()
        thread.join()
    others[0].join()
    assert ended == [True]
    assert db.execute("SELECT 1") == [(1,)]


def test_an_interrupt_between_calls_does_nothing(db: Database) -> None:
    db.interrupt()
    assert len(db.sql("SELECT avg(x1) FROM t", imputer="tree")) == 1


def test_results_are_read_in_the_middle_of_each_others_calls(db: Database) -> None:
    """Each thread is in a call of its session and reads a result of the other's: neither waits for a turn."""
    other, both, read = db.session(), threading.Barrier(2), list[Any]()

    def work(session: Database, result: Any) -> None:
        met: list[int] = []

        def progress(share: float) -> None:
            if not met:
                met.append(1)
                both.wait()
                read.append((result.fetchall(), len(result), result.fetchnumpy()["a"].tolist()))
                both.wait()

        session.sql("SELECT avg(x1) FROM t", imputer="knn", progress=progress)

    pairs = ((db, other.sql("SELECT 1 AS a")), (other, db.sql("SELECT 2 AS a")))
    threads = [threading.Thread(target=work, args=pair, daemon=True) for pair in pairs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sorted(read) == [([(1,)], 1, [1]), ([(2,)], 1, [2])]


def test_forgetting_a_policy_is_a_write_under_way(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    engine: Any = db._engine
    changes, decide, told = engine.session.changes, engine.store.decide, []

    def watched(*given: Any) -> None:
        told.append(changes.state() == changes.state())
        decide(*given)

    db.policy("t", "x1", "keep")
    monkeypatch.setattr(engine.store, "decide", watched)
    db.sql("DROP IMPUTATION POLICY ON t(x1)")
    assert told == [False], "what is read meanwhile may be cached as if it were written already, or not yet"


def test_a_statement_that_keeps_an_answer_is_planned_once_beside_another_session(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepared, texts = Planner._prepared, []

    def watched(self: Planner, text: str, *given: Any) -> Any:
        texts.append(text)
        return prepared(self, text, *given)

    monkeypatch.setattr(Planner, "_prepared", watched)
    with db.session():
        db.sql("CREATE TABLE kept AS SELECT k, x1 FROM t WHERE x2 > 0", imputer="mean")
    assert len(texts) == 1
    assert db.execute("SELECT count(*) FROM kept WHERE x1 IS NULL") == [(0,)]


class _Signalled:
    """A queue whose owner is interrupted before, or after, a job is put into it."""

    def __init__(self, jobs: Any, when: str) -> None:
        self.jobs, self.when = jobs, when

    def put(self, job: Any) -> None:
        if self.when == "after":
            self.jobs.put(job)
        raise KeyboardInterrupt


@pytest.mark.parametrize("when", ["before", "after"])
def test_ctrl_c_as_work_is_handed_over_waits_for_no_work_that_nobody_does(when: str) -> None:
    connection, begun, ran = duckdb.connect(), threading.Event(), threading.Event()
    runner = StatementRunner(connection, Signals())
    assert runner.call(lambda one: one.execute("SELECT 1").fetchall()) == [(1,)]
    jobs = runner._jobs

    def work(_: Any) -> None:
        begun.set()
        time.sleep(0.2)
        ran.set()

    runner._jobs = _Signalled(jobs, when)  # type: ignore[assignment]
    with pytest.raises(KeyboardInterrupt):
        runner.call(work)
    assert begun.is_set() == ran.is_set()
    runner._jobs = jobs
    assert runner.call(lambda one: one.execute("SELECT 2").fetchall()) == [(2,)]
    assert begun.is_set() == ran.is_set()
    runner.close()
