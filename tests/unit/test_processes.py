"""What processes do to a database: fork, ask in threads, end in the middle, have too little memory, share a file."""

import subprocess
import sys
import textwrap
import threading
from pathlib import Path

import numpy as np
import pytest

import imputedb
from imputedb import Database, Error

BEGIN = """
    import os, resource, signal, sys, threading
    import numpy as np
    import imputedb
    db = imputedb.connect(sys.argv[1])
    gone = np.arange(300) % 3 == 0
    x = np.random.default_rng(0).normal(size=300)
    db.register("t", {"id": np.arange(300), "x": np.ma.masked_array(x, gone), "y": x + 1}, keep=True)
    held = db.sql("SELECT count(x) FROM t")
"""


def _ran(body: str, path: Path) -> list[str]:
    """The lines that a process says, which ends by itself and well."""
    code = textwrap.dedent(BEGIN) + textwrap.dedent(body)
    done = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout.split("\n")[:-1]


@pytest.mark.sampled(2)
@pytest.mark.skipif(not hasattr(__import__("os"), "fork"), reason="no fork on this machine")
@pytest.mark.parametrize("end", ["sys.exit(0)", "os._exit(0)", "db.close(); sys.exit(0)"])
def test_a_forked_process_is_told_at_once_and_the_other_one_goes_on(tmp_path: Path, end: str) -> None:
    body = f"""
        if (child := os.fork()) == 0:
            for call in (db.tables, held.fetchall, held.df, lambda: db.sql("SELECT 1"), lambda: db.load("no.csv")):
                try:
                    call()
                except imputedb.StorageError as error:
                    assert "forked" in str(error)
                else:
                    os._exit(7)
            {end}
        _, status = os.waitpid(child, 0)
        print(status, db.sql("SELECT count(x) FROM t").fetchall(), held.fetchall())
    """
    assert _ran(body, tmp_path / "a.db") == ["0 [(300,)] [(300,)]"]
    with imputedb.connect(tmp_path / "a.db") as db:
        assert db.execute("SELECT count(*) FROM t") == [(300,)]


def test_calls_while_the_interpreter_ends(tmp_path: Path) -> None:
    """The database is closed before, or answers; nothing hangs, and no other exception comes out."""
    body = """
        import atexit

        class Last:
            def __del__(self):
                try:
                    db.sql("SELECT 1")
                except imputedb.Error as error:
                    print("refused")

        last = Last()
        thread = threading.Thread(target=lambda: print(db.sql("SELECT count(x) FROM t").fetchall()))
        thread.start()
    """
    assert "[(300,)]" in _ran(body, tmp_path / "a.db")


@pytest.mark.skipif(sys.platform != "linux", reason="no bound on a process's memory here")
def test_memory_that_cannot_be_had_is_an_error_of_ours(tmp_path: Path) -> None:
    body = """
        import numpy

        # OpenBLAS takes its buffers when it is first used, and ends the process itself where it gets none
        numpy.linalg.solve(numpy.ones((900, 900)) + numpy.eye(900), numpy.ones((900, 900)))
        used = int(open("/proc/self/statm").read().split()[0]) * os.sysconf("SC_PAGE_SIZE")
        db.execute("CREATE TABLE big AS SELECT range AS id, IF(range % 3 = 0, NULL, range / 7) AS x, "
                   + ", ".join(f"range * {k} % 1000 / 3 AS y{k}" for k in range(6)) + " FROM range(400000)")
        before = resource.getrlimit(resource.RLIMIT_AS)
        refused = []
        for room in (8, 16, 48):
            resource.setrlimit(resource.RLIMIT_AS, (used + (room << 20), before[1]))
            for call in (
                lambda: db.sql("SELECT avg(x) FROM big", m=3),
                lambda: db.sql("SELECT x FROM big", imputer="hotdeck").fetchnumpy(),
                lambda: db.evaluate("big", imputer="mean"),
            ):
                try:
                    call()
                except imputedb.InternalError as error:
                    print(error)
                except imputedb.Error as error:
                    refused.append(error)
            resource.setrlimit(resource.RLIMIT_AS, before)
            assert db.sql("SELECT count(x) FROM t", imputer="mean").fetchall() == [(300,)]
        print("it goes on" if refused else "nothing was refused")
    """
    assert _ran(body, tmp_path / "a.db") == ["it goes on"]


@pytest.mark.sampled(2)
@pytest.mark.skipif(sys.platform != "linux", reason="no bound on a process's memory here")
@pytest.mark.parametrize("room", [1, 3, 6, 12])
def test_no_memory_for_a_library_is_no_memory(tmp_path: Path, room: int) -> None:
    """Libraries that are loaded where they are first used find no room, the first and the later ones."""
    body = f"""
        from imputedb import border

        used = int(open("/proc/self/statm").read().split()[0]) * os.sysconf("SC_PAGE_SIZE")
        resource.setrlimit(resource.RLIMIT_AS, (used + ({room} << 20), -1))
        try:
            import scipy.special
        except (ImportError, MemoryError) as error:
            print(border.ours(error))
    """
    said = _ran(body, tmp_path / "a.db")
    assert [line.partition(":")[0] for line in said] == ["out of memory"]


def test_threads_take_turns_in_every_call(people: Database) -> None:
    """Calls of several kinds at one time, each of which answers as it does alone."""
    calls = {
        "sql": lambda: people.sql("SELECT count(height) FROM exam").fetchall(),
        "tables": lambda: sorted(people.tables()),
        "policies": lambda: people.policies(),
        "profile": lambda: people.profile("exam")[0].rows,
        "evaluate": lambda: people.evaluate("exam", imputer="mean").hidden,
        "execute": lambda: people.execute("SELECT count(*) FROM person"),
        "explain": lambda: people.explain("SELECT avg(pulse) FROM exam", analyze=True).text[:1],
        "missing": lambda: people.missing("exam", "pulse", [999]),
    }
    alone = {name: call() for name, call in calls.items()}
    wrong: list[object] = []

    def ask(turn: int) -> None:
        for place in range(len(calls)):
            name = list(calls)[(place + turn) % len(calls)]
            try:
                if (found := calls[name]()) != alone[name]:
                    wrong.append((name, found))
            except Exception as error:
                wrong.append((name, error))

    threads = [threading.Thread(target=ask, args=(turn,), daemon=True) for turn in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert not wrong
    assert not any(thread.is_alive() for thread in threads)


def test_a_file_that_another_process_has_is_said_to_be_in_use_and_a_damaged_one_is_not(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    with imputedb.connect(path) as db:
        db.register("t", {"id": np.arange(5000)}, keep=True)
        code = "import imputedb, sys\ntry: imputedb.connect(sys.argv[1])\nexcept imputedb.Error as error: print(error)"
        said = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True, timeout=60)
        assert "in use by another process" in said.stdout
    whole = path.read_bytes()
    for damaged in (whole[: len(whole) // 2], whole[:20], whole[:4096] + bytes(len(whole) - 4096), b"no database" * 99):
        path.write_bytes(damaged)
        said = []
        try:
            with imputedb.connect(path) as db:
                db.execute("SELECT sum(id) FROM t")
        except Error as error:
            said.append(str(error))
        assert "another process" not in "".join(said)
