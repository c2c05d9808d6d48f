"""A circuit breaker of runs: after failures in a row readers go on seeing the last good run, and are told so.

Further files of a folder of runs: `.failures`, the failures in a row; `STALE.json`, that the breaker is open;
`FALLBACK.parquet`, the rows with what is missing marked; `metrics.prom`, for Prometheus' node exporter (textfile).
"""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from time import time
from typing import Any

from imputedb.completion import source as sources
from imputedb.completion.completed import STALE, Completed
from imputedb.completion.publication import current, locked
from imputedb.engines.engine import Engine
from imputedb.errors import Beyond, Busy, Error, Interrupted, Spent, StorageError
from imputedb.files import published
from imputedb.sql import ast as t
from imputedb.sql.tokens import string_literal

FAILURES, FALLBACK, METRICS = ".failures", "FALLBACK.parquet", "metrics.prom"
MARK = "__missing"
"""Of the boolean column beside each column that misses a value, in the fallback."""

AGAIN = 3600
"""Seconds after the last failure from which an open breaker lets one attempt pass."""


@dataclass(frozen=True, slots=True)
class Failures:
    """The failures in a row of a folder.

    Attributes:
        count: how many.
        since: time of the first, in seconds since 1970.
        last: time of the last.
        reason: error of the last.
        running: whether an attempt is running; at the start of another one it was killed.
    """

    count: int = 0
    since: float = 0.0
    last: float = 0.0
    reason: str = ""
    running: bool = False

    def after(self, reason: str) -> "Failures":
        """The failures after one more."""
        now = time()
        return Failures(self.count + 1, self.since if self.count else now, now, reason)


def guarded(engine: Engine, text: str, out: Path, most: int, make: Callable[[], Completed]) -> Completed:
    """A run that is made, unless as many attempts in a row have failed and the last of them not long ago.

    A killed process is a failure; a spent budget, an interrupt and a folder in use are none. Success closes the
    breaker.

    Args:
        engine: engine that holds the rows.
        text: a table's name or a SELECT.
        out: folder of the runs.
        most: failures in a row that open the breaker.
        make: makes the run.

    Raises:
        Beyond: the breaker is open; readers go on seeing the last good run.
        Busy: another process is making a run there under a breaker.
        Error: as `make`, while failures are fewer.
    """
    with _alone(out):
        known = read(out)
        if known.running:
            known = known.after("a process that was killed")
        if known.count >= most and time() - known.last < AGAIN:
            raise _open(engine, text, out, known)
        _write(out, replace(known, running=True))
        try:
            made = make()
        except (Busy, Interrupted, Spent, KeyboardInterrupt):
            _write(out, known)
            raise
        except Exception as error:
            what = f"{type(error).__name__}: {error}" if isinstance(error, Error) else "an internal error"
            known = known.after(what)
            _write(out, known)
            if known.count >= most:
                raise _open(engine, text, out, known) from error
            raise
        close(out, made)
        return made


@contextmanager
def _alone(out: Path) -> Iterator[None]:
    """A lock on the breaker of a folder.

    Raises:
        Busy: another process is making a run there under a breaker.
        StorageError: the folder cannot be written.
    """
    try:
        out.mkdir(parents=True, exist_ok=True)
        with locked(out / f"{FAILURES}.lock", f"another process is making a run in {out}: wait for it"):
            yield
    except OSError as error:
        raise StorageError(f"cannot write into {out}: {error.strerror or error}") from error


def read(out: Path) -> Failures:
    """The failures in a row of a folder; what cannot be read is none."""
    try:
        return Failures(**json.loads((out / FAILURES).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return Failures()


def close(out: Path, made: Completed) -> None:
    """Closes the breaker of a folder after a run was made, if that is the one that readers see."""
    if (out / FAILURES).exists():
        for name in (STALE, FALLBACK) if current(out) == made.folder.name else ():
            (out / name).unlink(missing_ok=True)
        _write(out, Failures())


def _open(engine: Engine, text: str, out: Path, known: Failures) -> Beyond:
    """Says in files that readers go on seeing the last good run, and marks what is missing in the rows as they are."""
    run = current(out)
    rows: str | None = None
    with suppress(Error):
        rows = _fallback(engine, text, out)
    told = {"run": run, **asdict(known), "rows": rows}
    with published(str(out / STALE)) as temporary:
        Path(temporary).write_text(json.dumps(told, indent=1, ensure_ascii=False), encoding="utf-8")
    _write(out, known)
    seen = f"readers go on seeing {run}" if run else "readers see no run"
    marked = f"the rows with what is missing marked are in {FALLBACK}" if rows else "the rows cannot be read"
    return Beyond(
        f"{known.count} attempts in a row have failed, the last one by {known.reason}: {seen}, {marked}; "
        "imputedb impute without --breaker tries at once"
    )


def _fallback(engine: Engine, text: str, out: Path) -> str:
    """Writes the rows as they are, with a boolean column beside each that misses a value."""
    with engine.lock:
        table = sources.staged(engine, text).table
        shape, statistics = engine.shape(table), engine.statistics(table)
        values = {name: engine.reading(table, name, "t") for name in shape.types}
        items = [t.named(value, name) for name, value in values.items()]
        items += [t.named(t.is_missing(values[name]), name + MARK) for name in shape.types if name in statistics.dirty]
        query = engine.text(t.select(items, engine.source(table, "t")))
        with published(str(out / FALLBACK)) as path:
            engine.execute(f"COPY ({query}) TO {string_literal(str(path))} (FORMAT parquet)")
    return FALLBACK


def _write(out: Path, known: Failures) -> None:
    """Writes the failures, and the metrics of them; a breaker is open as long as readers are told of it."""
    seen = out / "CURRENT" / "manifest.json"
    good = seen.stat().st_mtime if seen.exists() else 0.0
    metrics: dict[str, Any] = {
        "imputedb_breaker_open": int((out / STALE).exists()),
        "imputedb_failures_in_a_row": known.count,
        "imputedb_last_good_run_timestamp_seconds": good,
    }
    lines = "".join(f"# TYPE {name} gauge\n{name} {value}\n" for name, value in metrics.items())
    for name, content in ((FAILURES, json.dumps(asdict(known))), (METRICS, lines)):
        with published(str(out / name)) as temporary:
            Path(temporary).write_text(content, encoding="utf-8")
