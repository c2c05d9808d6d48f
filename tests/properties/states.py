"""Bad states of a database, of its files and of the machine, for tests that try every call in each of them."""

import json
import os
import resource
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Collection, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zlib import crc32

import duckdb
import pytest

import imputedb
from imputedb.completion.manifest import SEAL

from .calls import CALLS, OF_RUNS, OF_TABLES, Place


@dataclass(frozen=True)
class State:
    """A bad state: how it is made, whether the database must answer after each call, and which calls are tried."""

    made: Callable[[Place], AbstractContextManager[None]]
    goes_on: bool = False
    calls: Collection[str] = tuple(CALLS)


def opened(change: Callable[[Place], object], *, goes_on: bool = True) -> State:
    """A state that a database is brought to once it is open."""

    @contextmanager
    def made(place: Place) -> Iterator[None]:
        place.open()
        change(place)
        yield

    return State(made, goes_on)


def said(*texts: str) -> State:
    """A state that statements bring a database to; the first calls may be told so, and all others as well."""
    return opened(lambda place: [place.db.execute(text) for text in texts])


class Unopened:
    """Stands for a database that could not be opened: every call of it opens it again."""

    def __init__(self, place: Place) -> None:
        self._place = place

    def __getattr__(self, name: str) -> Any:
        with imputedb.connect(self._place.path, read_only=self._place.read_only) as db:
            return getattr(db, name)


def unopened(damage: Callable[[Path], object]) -> State:
    """A state of a database's file, before it is opened."""

    @contextmanager
    def made(place: Place) -> Iterator[None]:
        place.open()
        place.held.fetchall()
        held = place.held
        place.close()
        damage(Path(place.path))
        place.db, place.held = Unopened(place), held
        yield

    return State(made)


def side(*texts: str) -> State:
    """A state of the tables that we keep in a database, changed by DuckDB alone."""

    @contextmanager
    def made(place: Place) -> Iterator[None]:
        with duckdb.connect(place.path) as connection:
            for text in texts:
                connection.execute(text)
        try:
            place.open()
        except imputedb.Error:
            place.db, place.held = Unopened(place), None
        yield

    return State(made, calls=OF_TABLES)


def manifest(change: Callable[[dict[str, Any]], object]) -> State:
    """A state of a run's manifest: what the change gives, or what it has made of it."""

    @contextmanager
    def made(place: Place) -> Iterator[None]:
        place.open()
        path = place.run / "CURRENT" / "manifest.json"
        told = json.loads(path.read_text())
        del told[SEAL]
        changed = change(told)
        path.write_text(changed if isinstance(changed, str) else json.dumps(told if changed is None else changed))
        yield

    return State(made, goes_on=True, calls=OF_RUNS)


def run(damage: Callable[[Path], object]) -> State:
    """A state of the files of a run."""

    @contextmanager
    def made(place: Place) -> Iterator[None]:
        place.open()
        damage(place.run / "CURRENT")
        yield

    return State(made, goes_on=True, calls=OF_RUNS)


def _replaced(path: Path, how: Callable[[Path], object]) -> None:
    path.unlink()
    how(path)


def _looped(path: Path) -> None:
    other = path.with_name("other")
    other.symlink_to(path)
    path.symlink_to(other)


def _denied(path: Path) -> None:
    if os.geteuid() == 0:
        pytest.skip("root may read every file")
    path.chmod(0)


def _flipped(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[4096:-1:97] = bytes(len(data[4096:-1:97]))
    path.write_bytes(bytes(data))


@contextmanager
def _closed(place: Place) -> Iterator[None]:
    place.open()
    place.close()
    yield


@contextmanager
def _read_only(place: Place) -> Iterator[None]:
    place.read_only = True
    place.open()
    yield


@contextmanager
def _full(place: Place) -> Iterator[None]:
    """No file may grow beyond some bytes."""
    place.open()
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (200, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)


@contextmanager
def _elsewhere(place: Place) -> Iterator[None]:
    """Another process has the file open."""
    place.open()
    held = place.held
    held.fetchall()
    place.close()
    code = "import duckdb, sys; c = duckdb.connect(sys.argv[1]); print('open', flush=True); sys.stdin.read()"
    other = subprocess.Popen(
        [sys.executable, "-c", code, place.path], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert other.stdout is not None
    assert other.stdout.readline() == "open\n"
    place.db, place.held = Unopened(place), held
    try:
        yield
    finally:
        other.communicate("")


@contextmanager
def _invalidated(place: Place) -> Iterator[None]:
    """An attached database whose file could not be written any more."""
    place.open()
    other = place.folder / "other.db"
    place.db.execute(f"ATTACH '{other}' AS a; CREATE TABLE a.q AS SELECT range AS i FROM range(100000); CHECKPOINT a")
    place.db.execute("INSERT INTO a.q SELECT range FROM range(50000)")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, before[1]))
    try:
        for text in ("INSERT INTO a.q SELECT range FROM range(500000)", "CHECKPOINT a"):
            with suppress(imputedb.Error):
                place.db.execute(text)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)
    yield


def _aborted(place: Place) -> None:
    place.db.execute("BEGIN")
    place.db.execute("CREATE TABLE u (a INT PRIMARY KEY)")
    place.db.execute("INSERT INTO u VALUES (1)")
    with suppress(imputedb.Error):
        place.db.execute("INSERT INTO u VALUES (1)")


def _starved(place: Place) -> None:
    """The lowest limit that DuckDB takes: it refuses one below what the last statement still holds."""
    for kilobytes in (1, 30, 100, 300):
        with suppress(imputedb.Error):
            return place.db.execute(f"SET memory_limit = '{kilobytes}KB'")
    raise AssertionError("no limit is taken")


_FILES: dict[str, State] = {
    "a truncated file": unopened(lambda path: os.truncate(path, path.stat().st_size // 2)),
    "a file of its first bytes": unopened(lambda path: os.truncate(path, 20)),
    "an empty file": unopened(lambda path: os.truncate(path, 0)),
    "random bytes": unopened(lambda path: path.write_bytes(os.urandom(40_000))),
    "zeros in a file": unopened(_flipped),
    "another magic": unopened(lambda path: path.write_bytes(b"12345678DUCKXXXX" + path.read_bytes()[16:])),
    "a folder": unopened(lambda path: _replaced(path, Path.mkdir)),
    "a text": unopened(lambda path: path.write_text("a,b\n1,2\n")),
    "a loop of links": unopened(lambda path: _replaced(path, _looped)),
    "a file that may not be read": unopened(_denied),
    "no file in no folder": unopened(lambda path: shutil.rmtree(path.parent)),
}

_MANIFESTS: dict[str, State] = {
    "a manifest that is a list": manifest(lambda _: []),
    "a manifest that is no JSON": manifest(lambda _: "{"),
    "a manifest of another encoding": run(lambda at: (at / "manifest.json").write_bytes(b"\xff\xfe{}")),
    **{
        f"a manifest without {key}": manifest(lambda told, key=key: told.pop(key))
        for key in ("m", "long", "files", "columns", "left", "rows", "source", "imputer", "assumption", "seconds")
    },
    **{
        f"a manifest whose {key} is {value!r}": manifest(lambda told, key=key, value=value: told.update({key: value}))
        for key, value in (
            *(("m", "2"), ("m", -1), ("m", 10**9), ("files", 5), ("files", [1, 2]), ("long", "yes"), ("columns", [])),
            *(("columns", {"x": 1}), ("columns", {"x": {}}), ("left", []), ("left", {"x": 1}), ("rows", "many")),
            *(("assumption", None), ("format", 99), ("sha256", "0" * 64)),
        )
    },
    "a manifest of a file elsewhere": manifest(lambda told: told["files"][0].update(file="../../../etc/passwd")),
    "a manifest of no checksum": manifest(lambda told: told["files"][0].update(sha256=5)),
    "a part that is gone": run(lambda at: next(at.glob("*/*.parquet")).unlink()),
    "a part that is no Parquet": run(lambda at: next(at.glob("*/*.parquet")).write_bytes(b"no parquet")),
    "a part that is a folder": run(lambda at: _replaced(next(at.glob("*/*.parquet")), Path.mkdir)),
    "a part of others": run(
        lambda at: shutil.copy(sorted(at.glob("*/*.parquet"))[0], sorted(at.glob("*/*.parquet"))[1])
    ),
    "a run that points nowhere": run(lambda at: (at.unlink(), at.symlink_to("nowhere"))),
}

_TABLES = {
    "missing_values": ("schema_name", "table_name", "column_name", "value"),
    "policies": ("schema_name", "table_name", "column_name", "policy"),
    "statistics": ("schema_name", "table_name", "fingerprint", "statistics"),
}

_SIDES: dict[str, State] = {
    **{f"no table {table}": side(f"DROP TABLE imputedb.{table}") for table in _TABLES},
    **{
        f"{table}.{column} {words}": side(*(text.format(t=f"imputedb.{table}", c=column) for text in texts))
        for table, columns in _TABLES.items()
        for column in columns
        for words, texts in (
            ("is gone", ("ALTER TABLE {t} DROP {c}",)),
            ("is NULL", ("UPDATE {t} SET {c} = NULL",)),
            ("is a blob", ("ALTER TABLE {t} ALTER {c} TYPE BLOB USING '\\xFF\\x00'::BLOB",)),
            ("is a list", ("ALTER TABLE {t} ALTER {c} TYPE INT[] USING [1, NULL]",)),
        )
    },
    **{
        f"{table} holds {value}": side(f"UPDATE imputedb.{table} SET {_TABLES[table][3]} = '{value}'")
        for table in ("policies", "statistics")
        for value in (
            *("", "{", "null", "5", "[]", "{}", '{"action": "fly"}', '{"action": 1, "low": "x"}'),
            *('{"imputer": "none", "predictors": 5}', '{"columns": {"x": null}}', "[" * 5000),
        )
    },
    "policies of a wrong condition": side(
        """UPDATE imputedb.policies SET policy = '{"action": "structural", "when": "nonsense("}'"""
    ),
    "policies of no column": side("UPDATE imputedb.policies SET column_name = 'gone'"),
    "codes of no column": side("UPDATE imputedb.missing_values SET column_name = 'gone'"),
    "codes that the column cannot hold": side("UPDATE imputedb.missing_values SET value = 'zz'"),
    "a view in place of policies": side(
        "DROP TABLE imputedb.policies", "CREATE VIEW imputedb.policies AS SELECT 1 AS a"
    ),
}

_MAIN: dict[str, State] = {
    "closed": State(_closed),
    "read only": State(_read_only, goes_on=True),
    "in a transaction": said("BEGIN"),
    "in an aborted transaction": opened(_aborted, goes_on=False),
    "little memory": said("SET memory_limit = '1MB'"),
    "no memory": opened(_starved, goes_on=False),
    "no folder for what spills": said("SET temp_directory = '/proc/no/folder'", "SET memory_limit = '2MB'"),
    "a locked configuration": said("SET lock_configuration = true"),
    "no access to what is outside": said("SET enable_external_access = false"),
    "neither": said("SET enable_external_access = false", "SET lock_configuration = true"),
    "a bound on depth": said("SET max_expression_depth = 7"),
    "another schema": said("CREATE SCHEMA s", "USE s", "CREATE TABLE s.t AS SELECT * FROM main.t"),
    "an attached database that is invalidated": State(_invalidated, goes_on=True),
    "a full disk": State(_full, goes_on=True),
    "another process has the file": State(_elsewhere),
}

_OTHERS = _FILES | _MANIFESTS | _SIDES

STATES = {
    name: state
    for name, state in (_MAIN | _OTHERS).items()
    if name in _MAIN or os.environ.get("STATES") == "all" or crc32(name.encode()) % 8 == 0
}
"""All states with `STATES=all`; else the main ones, and of the others a sample."""
