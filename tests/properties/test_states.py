"""Every public call in every bad state ends in an error of ours, or does its work; and the database goes on.

Calls are found by introspection: one that is new needs arguments in `calls.py`. States are in `states.py`.
"""

import os
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from zlib import crc32

import pytest

import imputedb
from imputedb import Error, InternalError
from imputedb.duckdb_errors import CLOSED

from .calls import CALLS, ROWS, Place, public, sample
from .states import STATES, State

SECONDS = 60
"""That no call may take, however slow the machine."""


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database, files and a finished run, copied for each state."""
    folder = tmp_path_factory.mktemp("states")
    sample(folder)
    return folder


@pytest.fixture
def place(files: Path, tmp_path: Path) -> Iterator[Place]:
    found = Place.copied(files, tmp_path / "place")
    yield found
    with suppress(Error):
        found.close()


def test_every_public_call_is_tried() -> None:
    assert public() == {name.partition(",")[0] for name in CALLS}


def test_all_of_them_work_in_a_good_state(place: Place) -> None:
    place.open()
    problems = []
    for name, call in CALLS.items():
        try:
            call(place)
        except Exception as error:
            problems.append(f"{name}: {error!r}")
    assert not problems, "\n".join(problems)


def tried(name: str) -> list[str]:
    """The calls that are tried in a state: all with `STATES=all`; else a sixth, in each state others."""
    most = os.environ.get("STATES") == "all"
    return [called for called in STATES[name].calls if most or _is_tried(called, name)]


def _is_tried(called: str, name: str) -> bool:
    """Whether a call is tried in a state: in every sixth of those that have it, and in one at least."""
    having = [one for one in STATES if called in STATES[one].calls]
    return (having.index(name) + crc32(called.encode())) % min(6, len(having)) == 0


def test_each_call_is_tried_in_some_state() -> None:
    assert {called for name in STATES for called in tried(name)} == set(CALLS)


@pytest.mark.parametrize("name", STATES)
def test_each_call_ends_in_an_error_of_ours_or_does_its_work(place: Place, name: str) -> None:
    state: State = STATES[name]
    problems = []
    with state.made(place):
        for called in tried(name):
            began = time.perf_counter()
            try:
                CALLS[called](place)
            except InternalError as error:
                problems.append(f"{called}: {error!r}")
            except Error:
                pass
            except BaseException as error:
                problems.append(f"{called}: {type(error).__module__}.{type(error).__name__}: {error}")
            if time.perf_counter() - began > SECONDS:
                problems.append(f"{called} takes {time.perf_counter() - began:.0f} s")
            if state.goes_on and (wrong := _wrong(place)):
                problems.append(f"after {called}: {wrong}")
                break
    assert not problems, "\n".join(problems)


def _wrong(place: Place) -> str | None:
    """What the database says that is not as before; another thread asks too."""
    said: list[object] = []

    def ask() -> None:
        try:
            said.append(place.db.execute("SELECT count(*) FROM t"))
        except Error as error:
            said.append(error)

    for run in (ask, lambda: (thread := threading.Thread(target=ask, daemon=True)).start() or thread.join(20)):
        run()
    return None if said == [[(ROWS,)]] * 2 else f"the database says {said}"


def test_a_database_that_is_gone_stays_gone(place: Place) -> None:
    place.open()
    place.close()
    with pytest.raises(imputedb.StorageError, match="closed"):
        place.db.tables()


NEEDLESS = ("Database.close", "Database.in_transaction", "Result.description", "Result.estimates", "Result.by_group")
NEEDLESS += ("Result.groups", "Result.under", "Result.has_estimates", "Result.plan", "Result.relation")
NEEDLESS += ("Result.selecting", "Result.methods", "Database.interrupt")
"""What a closed database, and its answers, still give: nothing has to be read for it, and no call is under way."""


def test_a_closed_database_says_one_thing(place: Place) -> None:
    place.open()
    place.close()
    said: dict[str, str] = {}
    for name, call in CALLS.items():
        if name.startswith(("Database.", "Result.")) and name not in NEEDLESS:
            with pytest.raises(Error) as caught:
                call(place)
            said[name] = f"{type(caught.value).__name__}: {caught.value}"
    assert set(said.values()) == {f"StorageError: {CLOSED}"}, said
    for name in NEEDLESS:
        CALLS[name](place)
