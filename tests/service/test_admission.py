"""Bounded admission: some run, some wait, the rest are refused; deadlines and cancellation reach what runs."""

import threading
import time
from collections.abc import Iterator

import pytest

from imputedb.errors import QueryError
from imputedb.service.admission import Admission, Run
from imputedb.service.errors import Cancelled, Overdue, Overloaded


@pytest.fixture
def admission() -> Iterator[Admission]:
    found = Admission(workers=1, queue=1)
    yield found
    found.close()


class Endless:
    """Work that ends when it is interrupted, as a call of a database does."""

    def __init__(self, deaf: int = 0) -> None:
        self.began = threading.Event()
        self.interrupts = 0
        self._deaf = deaf
        self._end = threading.Event()

    def interrupt(self) -> None:
        self.interrupts += 1
        if self.interrupts > self._deaf:
            self._end.set()

    def __call__(self, run: Run[str]) -> str:
        with run.interruptible(self.interrupt):
            self.began.set()
            if self._end.wait(20):
                raise QueryError("interrupted by another thread")
        return "never"


def test_what_neither_runs_nor_waits_is_refused(admission: Admission) -> None:
    endless = Endless()
    first = admission.submit(endless, 20)
    assert endless.began.wait(5)
    second = admission.submit(lambda _: "waited", 20)
    with pytest.raises(Overloaded, match="1 requests run and 1 wait") as caught:
        admission.submit(lambda _: "third", 20)
    assert caught.value.retry_after
    assert caught.value.retry_after >= 1
    first.stop()
    assert second.future.result(5) == "waited"
    with pytest.raises(Cancelled):
        first.future.result(5)
    assert admission.submit(lambda _: "again", 20).future.result(5) == "again"


def test_a_deadline_ends_what_runs(admission: Admission) -> None:
    with pytest.raises(Overdue, match=r"0\.2 seconds"):
        admission.submit(Endless(), 0.2).future.result(5)


def test_a_deadline_counts_the_time_of_waiting(admission: Admission) -> None:
    endless = Endless()
    first = admission.submit(endless, 20)
    assert endless.began.wait(5)
    ran = threading.Event()
    second = admission.submit(lambda _: ran.set(), 0.1)
    time.sleep(0.3)
    first.stop()
    with pytest.raises(Overdue):
        second.future.result(5)
    assert not ran.is_set()


def test_an_interrupt_that_came_between_two_statements_is_repeated(admission: Admission) -> None:
    endless = Endless(deaf=3)
    run = admission.submit(endless, 20)
    assert endless.began.wait(5)
    run.stop()
    with pytest.raises(Cancelled):
        run.future.result(5)
    assert endless.interrupts > 3


def test_an_error_of_its_own_stays_one(admission: Admission) -> None:
    def wrong(run: Run[str]) -> str:
        with run.interruptible(lambda: None):
            raise QueryError("no column wieght")

    with pytest.raises(QueryError, match="wieght"):
        admission.submit(wrong, 20).future.result(5)


def test_at_the_end_nothing_is_admitted_and_what_runs_is_ended() -> None:
    admission = Admission(workers=1, queue=1)
    endless = Endless()
    run = admission.submit(endless, 60)
    waiting = admission.submit(lambda _: "never", 60)
    assert endless.began.wait(5)
    admission.refuse()
    with pytest.raises(Overloaded, match="about to end"):
        admission.submit(lambda _: "never", 1)
    admission.close()
    for one in (run, waiting):
        with pytest.raises(Overloaded, match="has ended"):
            one.future.result(5)
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("imputedb-deadlines")]
