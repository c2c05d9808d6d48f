"""Turns on a connection, and Ctrl-C."""

import signal

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
