"""Turns on a connection, and Ctrl-C."""

# ruff: noqa: ARG002

import os
import signal
from typing import Any

import numpy as np
import pytest

import imputedb
from imputedb import Database, InternalError
from imputedb.engines.duckdb.engine import DuckDB


def test_ctrl_c_in_any_statement_is_a_keyboard_interrupt() -> None:
    """DuckDB looks for signals itself on the main thread, and calls what it finds a runtime error."""
    engine = DuckDB(":memory:")
    before = signal.signal(signal.SIGALRM, signal.default_int_handler)
    try:
        for _ in range(5):
            signal.setitimer(signal.ITIMER_REAL, 0.1)
            with pytest.raises(KeyboardInterrupt):
                engine.session.call(lambda: _busy(engine))
    finally:
        signal.signal(signal.SIGALRM, before)
    assert engine.connection.execute("SELECT 1").fetchall() == [(1,)]
    engine.session.close()


class _Interrupts:
    """Ctrl-C comes while it is freed, where Python ignores what is raised."""

    def __del__(self) -> None:
        os.kill(os.getpid(), signal.SIGINT)
        for _ in range(1000):
            pass  # steps between which the handler runs


class _Interrupted:
    name = "interrupted"
    uses_predictors = False

    def time(self, work: Any) -> float:
        return 1.0

    def penalty(self, work: Any) -> float:
        return 0.5

    def impute(self, rows: Any, targets: Any, seed: int, progress: Any = None, **_: Any) -> Any:
        _Interrupts()
        return {column: np.zeros(int(rows.columns[column].missing.sum())) for column in targets}


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_ctrl_c_while_an_object_is_freed_stops_the_call_all_the_same(db: Database) -> None:
    db.register("t", {"x": np.ma.masked_array([1.0, 2.0, 3.0], [False, True, False])})
    with pytest.raises(KeyboardInterrupt):
        db.sql("CREATE TABLE kept AS SELECT sum(x) AS s FROM t", imputer=_Interrupted())
    assert db.execute("SELECT table_name FROM duckdb_tables() WHERE table_name = 'kept'") == []
    assert db.sql("SELECT count(x) FROM t").fetchall() == [(3,)]


def _busy(engine: DuckDB) -> None:
    while True:
        engine.connection.execute("SELECT sum(range) FROM range(100_000)").fetchall()


def test_a_handler_of_the_users_says_what_is_raised(db: Database) -> None:
    """Whichever signal it is; one that raises nothing stops nothing."""
    told: list[int] = []
    before = signal.signal(signal.SIGALRM, lambda number, _: told.append(number))
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.05)
        assert db.sql("SELECT count(*) FROM range(100_000_000) WHERE range % 7 = 0").fetchall() == [(14285715,)]
        assert told == [signal.SIGALRM]

        def late(*_: object) -> None:
            raise TimeoutError("too late")

        signal.signal(signal.SIGALRM, late)
        signal.setitimer(signal.ITIMER_REAL, 0.05)
        with pytest.raises(TimeoutError, match="too late"):
            db.sql("SELECT count(*) FROM range(100_000_000_000) WHERE range % 7 = 0")
    finally:
        signal.signal(signal.SIGALRM, before)
    assert db.execute("SELECT 1") == [(1,)]


def test_other_errors_are_said_to_be_ours() -> None:
    engine = DuckDB(":memory:")

    def fail() -> None:
        raise ValueError("mine")

    with pytest.raises(InternalError, match=r"ValueError: mine .*please report it"):
        engine.session.call(fail)
    assert not engine.lock.is_mine
    engine.session.close()


def test_what_a_function_of_the_users_raises_is_the_users(people: Database) -> None:
    def stop(_: float) -> None:
        raise LookupError("enough")

    with pytest.raises(LookupError, match="enough"):
        people.sql("SELECT avg(height) FROM exam", progress=stop)
    with pytest.raises(LookupError, match="enough"):
        people.evaluate("exam", imputer="tree", progress=stop)
    assert len(people.sql("SELECT height FROM exam", imputer="mean")) == 400


def test_a_function_that_a_call_uses_cannot_ask_the_database_but_read_answers(people: Database) -> None:
    held, told = people.sql("SELECT 42"), []

    def ask(_: float) -> None:
        assert held.fetchall() == [(42,)]
        for again in (lambda: people.sql("SELECT 1"), people.tables, people.close, lambda: people.execute("SELECT 1")):
            with pytest.raises(imputedb.QueryError, match="in the middle of a call"):
                again()
        told.append(True)

    assert people.sql("SELECT count(height) FROM exam", progress=ask).fetchall() == [(400,)]
    assert told
