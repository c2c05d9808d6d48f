"""Kills a process that writes completed data sets, at random moments; says what readers saw. Run by a test.

python killed.py DB OUT KILLS SEED      prints {"nothing": n, "complete": n, "resumed": n, "torn": [...]}
"""

import json
import os
import random
import shutil
import signal
import sys
import time
from contextlib import suppress
from pathlib import Path


def write(db: str, out: str) -> None:
    import imputedb

    with imputedb.connect(db, read_only=True) as database:
        database.impute("people", out, m=4, imputer="norm", flags=True)


def child(db: str, out: str) -> int:
    pid = os.fork()
    if pid == 0:
        try:
            write(db, out)
            os._exit(0)
        except BaseException as error:  # the parent must learn of it
            print(repr(error), file=sys.stderr, flush=True)
            os._exit(7)
    return pid


def seen(out: Path) -> str:
    """What a reader sees: nothing, a complete run, or torn."""
    from imputedb.completion.completed import opened
    from imputedb.errors import StorageError

    if not (out / "CURRENT").exists():
        return "nothing"
    try:
        run = opened(out)
        run.check()
    except StorageError as error:
        return f"torn: {error}"
    return "complete" if len(run.files) == run.m == 4 else "torn: parts are missing"


def _seconds(db: str, out: Path) -> float:
    """How long a run takes that nobody kills."""
    apart = out.with_name("apart")
    began = time.perf_counter()
    os.waitpid(child(db, str(apart)), 0)
    took = time.perf_counter() - began
    assert seen(apart) == "complete"
    shutil.rmtree(apart)
    return took


def main(db: str, out: Path, kills: int, seed: int) -> None:
    import scipy.special  # loaded once, so that children start at once

    import imputedb.completion.completing

    assert imputedb.__version__
    assert scipy.special
    rng, found, torn = random.Random(seed), {"nothing": 0, "complete": 0, "resumed": 0}, []
    whole = _seconds(db, out)
    for number in range(kills):
        if number % 15 == 14:  # the machine may have become slower since
            whole = _seconds(db, out)
        unfinished = list(out.glob(".tmp-*/m=*/part.parquet")) if out.exists() else []
        pid = child(db, str(out))
        time.sleep(rng.uniform(0, 1.2 * whole))
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
        status = os.waitpid(pid, 0)[1]
        assert os.WIFSIGNALED(status) or os.WEXITSTATUS(status) == 0, "the writer failed by itself"
        what = seen(out)
        if what.startswith("torn"):
            torn.append(what)
        else:
            found[what] += 1
        if what == "complete":
            found["resumed"] += bool(unfinished)
            shutil.rmtree(out)
    print(json.dumps({**found, "torn": torn, "seconds_of_a_run": whole}))


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]))
