"""Ctrl-C in the middle of a call, at seeded moments: a KeyboardInterrupt at once, and nothing of the call is left.

`INTERRUPTS=200` tries that many moments of each kind.
"""

import os
import random
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np
import pytest

import imputedb
from imputedb import Database

MOMENTS = int(os.environ.get("INTERRUPTS", "2"))

OWN = ("signals.py", "border.py", "interrupt.py", "session.py")
"""Where steps are no moments for a tracer: it stops between lines between which Python looks for no signals."""


@dataclass
class Place:
    """A database, and a folder for what calls write."""

    db: Database
    folder: Path
    runs: int = 0
    asked: threading.Event = field(default_factory=threading.Event)

    def fresh(self, name: str) -> Path:
        self.runs += 1
        return self.folder / f"{self.runs}-{name}"


CALLS: dict[str, Callable[[Place], object]] = {
    "sql": lambda at: at.db.sql("SELECT g, avg(x), count(*) FROM t GROUP BY g", seed=at.runs),
    "sql m": lambda at: at.db.sql("SELECT avg(y) FROM t WHERE x > 1", m=3),
    "sql nested": lambda at: at.db.sql(
        "SELECT (SELECT max(x) FROM t) - avg(z) FROM t JOIN (SELECT id FROM t) USING (id)"
    ),
    "sql keeps": lambda at: at.db.sql("CREATE OR REPLACE TABLE kept AS SELECT id, x FROM t", imputer="knn"),
    "copy": lambda at: at.db.sql(f"COPY (SELECT id, x FROM t) TO '{at.fresh('copy.csv')}'", imputer="mean"),
    "impute": lambda at: at.db.impute("t", at.fresh("run"), m=2, imputer="norm"),
    "impute a select": lambda at: at.db.impute("SELECT id, x, y FROM t", at.fresh("run"), m=1, imputer="pmm"),
    "evaluate": lambda at: at.db.evaluate("t", imputer=("tree", "mean")),
    "scan": lambda at: at.db.scan("t", ks=(1, 3), metrics=("gower",)),
    "load": lambda at: at.db.load(str(at.folder / "more.csv"), table="more", replace=True),
    "register": lambda at: at.db.register("other", {"a": np.arange(2000)}),
    "policy": lambda at: at.db.policy("t", "y", "impute", low=-50, high=50),
    "report": lambda at: imputedb.completed(at.folder / "done").report(at.fresh("page.html")),
    "result": lambda at: at.db.sql("SELECT * FROM range(20000)").fetchall(),
}


@pytest.fixture(scope="module")
def at(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    folder = tmp_path_factory.mktemp("interrupts")
    rng = np.random.default_rng(0)
    n = 400
    gone = rng.random((3, n)) < 0.2
    values = rng.normal(size=(3, n)) @ np.diag(np.ones(n))
    with imputedb.connect(folder / "data.db") as db:
        columns: dict[str, Any] = {"id": np.arange(n), "g": np.array(["a", "b"], object)[np.arange(n) % 2]}
        columns |= {name: np.ma.masked_array(values[k], gone[k]) for k, name in enumerate("xyz")}
        db.register("t", columns, keep=True)
        (folder / "more.csv").write_text("a,b\n" + "1,2\n" * 500)
        db.load(str(folder / "more.csv"), table="more")
        db.impute("t", folder / "done", m=2, imputer="norm", flags=True)
        yield Place(db, folder)


def _check_whole(at: Place, before: set[Path]) -> None:
    """The database answers, other threads too; nothing of ours is in it, nor beside it."""
    answers: list[object] = []
    other = threading.Thread(
        target=lambda: answers.append(at.db.execute("SELECT count(*), count(x) FROM t")), daemon=True
    )
    other.start()
    other.join(20)
    assert answers == [[(400, at.db.execute("SELECT count(x) FROM t")[0][0])]]
    ours = "SELECT table_name FROM duckdb_tables() WHERE temporary AND NOT table_name IN ('other') UNION ALL "
    ours += "SELECT view_name FROM duckdb_views() WHERE temporary AND NOT internal"
    assert at.db.execute(ours) == []
    assert not at.db._engine.slots.used
    assert at.db.sql("SELECT count(*), avg(b) FROM more").fetchall() == [(500, 2.0)]
    assert at.db.sql("SELECT count(x) FROM t", imputer="mean").fetchall() == [(400,)]
    at.db.execute("BEGIN")  # nothing has left a transaction
    at.db.execute("ROLLBACK")
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    left = {path for path in at.folder.iterdir() if path.name.startswith(".")} - before
    assert not left
    for run in at.folder.glob("*-run"):
        if (run / "CURRENT").exists():  # it came when all was done
            imputedb.completed(run).check()
        assert {path.name for path in run.iterdir() if path.name[0] != "."} <= {"CURRENT", *_named(run)}
    for path in at.folder.glob("*-copy.csv"):
        assert len(path.read_text().splitlines()) == 401
    for path in at.folder.glob("*-page.html"):
        assert path.read_text().endswith("</table>")


def _named(run: Path) -> set[str]:
    """Folders that hold a manifest, which is written last."""
    return {path.parent.name for path in run.glob("*/manifest.json")}


def _interrupted(
    at: Place, call: Callable[[Place], object], arm: Callable[[], None], disarm: Callable[[], None]
) -> bool:
    """Whether a call was interrupted before it ended; then nothing of it may be left."""
    before = {path for path in at.folder.iterdir() if path.name.startswith(".")}
    handler = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        arm()
        try:
            call(at)
        finally:
            disarm()
        ended = True
    except KeyboardInterrupt:
        ended = False
    try:
        if not ended:
            _check_whole(at, before)
    finally:
        signal.signal(signal.SIGINT, handler)
        for path in [*at.folder.glob("*-copy.csv"), *at.folder.glob("*-page.html")]:
            path.unlink()
        for run in at.folder.glob("*-run"):
            run.rename(at.folder / f"old-{run.name}-{time.time_ns()}")
    return not ended


@pytest.mark.sampled(3)
@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="no timers on this machine")
@pytest.mark.parametrize("name", CALLS)
def test_ctrl_c_at_any_time(at: Place, name: str) -> None:
    call, chance = CALLS[name], random.Random(name)
    call(at)  # what is remembered is remembered
    began = time.perf_counter()
    _interrupted(at, call, lambda: None, lambda: None)
    taken = time.perf_counter() - began
    sent: list[float] = []

    def send(*_: object) -> None:
        sent.append(time.perf_counter())
        os.kill(os.getpid(), signal.SIGINT)

    alarm = signal.signal(signal.SIGALRM, signal.SIG_DFL)
    try:
        for _ in range(MOMENTS):
            timer = threading.Timer(chance.uniform(0, taken), send)
            if _interrupted(at, call, timer.start, timer.cancel):
                assert time.perf_counter() - sent[-1] < 5  # with all that is checked since
            timer.join()
    except KeyboardInterrupt:  # it came when the call had ended
        pass
    finally:
        signal.signal(signal.SIGALRM, alarm)


@pytest.mark.sampled(4)
@pytest.mark.parametrize("name", CALLS)
def test_ctrl_c_at_any_step(at: Place, name: str) -> None:
    """Between any two lines of ours, and of what Python runs for `with`."""
    call, chance = CALLS[name], random.Random(name)
    call(at)
    steps = _Steps(None)
    _interrupted(at, call, steps.begin, steps.end)
    assert steps.count > 50
    for place in sorted(chance.sample(range(1, steps.count + 1), min(MOMENTS, steps.count))):
        steps = _Steps(place)
        _interrupted(at, call, steps.begin, steps.end)


class _Steps:
    """Counts lines, and sends Ctrl-C at one of them."""

    def __init__(self, at: int | None) -> None:
        self.count, self._at = 0, at
        self.where = ""

    def begin(self) -> None:
        sys.settrace(self._call)

    def end(self) -> None:
        sys.settrace(None)

    def _call(self, frame: FrameType, *_: object) -> Any:
        file = frame.f_code.co_filename
        if file.endswith("contextlib.py") or ("imputedb" in file and not file.endswith(OWN)):
            return self._line
        return None

    def _line(self, frame: FrameType, event: str, _: object) -> Any:
        if event == "line":
            self.count += 1
            if self.count == self._at:
                self.where = f"{frame.f_code.co_filename}:{frame.f_lineno}"
                signal.raise_signal(signal.SIGINT)
        return self._line
