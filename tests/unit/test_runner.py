"""Turns on a connection, and Ctrl-C."""

import signal

import pytest

from imputedb.engines.duckdb import DuckDB


def test_ctrl_c_in_any_statement_is_a_keyboard_interrupt() -> None:
    """DuckDB looks for signals itself on the main thread, and calls what it finds a runtime error."""
    engine = DuckDB(":memory:")
    before = signal.signal(signal.SIGALRM, signal.default_int_handler)
    try:
        for _ in range(5):
            signal.setitimer(signal.ITIMER_REAL, 0.1)
            with pytest.raises(KeyboardInterrupt), engine.lock:
                _busy(engine)
    finally:
        signal.signal(signal.SIGALRM, before)
    assert engine.connection.execute("SELECT 1").fetchall() == [(1,)]
    engine.session.close()


def _busy(engine: DuckDB) -> None:
    while True:
        engine.connection.execute("SELECT sum(range) FROM range(100_000)").fetchall()


def test_other_errors_stay_what_they_are() -> None:
    engine = DuckDB(":memory:")
    with pytest.raises(ValueError, match="mine"), engine.lock:
        raise ValueError("mine")
    engine.session.close()
