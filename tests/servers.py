"""Database servers that tests start, where they are installed: each in a folder of its own, and on no network."""

import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest


def _as(account: str, place: Path, program: str) -> list[str]:
    """The words that run a command under an account, where root would be refused."""
    if os.getuid():
        return []
    if subprocess.run(["id", account], capture_output=True, check=False).returncode or not shutil.which("runuser"):
        pytest.skip(f"{program} does not run as root, and has no account here")
    shutil.chown(place, account)
    return ["runuser", "-u", account, "--"]


def _ran(place: Path, *command: str) -> None:
    """A command that must succeed; servers that it starts keep no pipe of ours."""
    with (place / "said").open("w") as said:
        done = subprocess.run(command, stdout=said, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, check=False)
    assert not done.returncode, (place / "said").read_text()


@contextmanager
def _place() -> Iterator[Path]:
    """A folder of a server's own, not one of pytest's: a session that starts later closes these to other accounts."""
    with TemporaryDirectory(prefix="server-", ignore_cleanup_errors=True) as folder:
        yield Path(folder)


@contextmanager
def postgresql() -> Iterator[Path]:
    """A server of PostgreSQL, whose account `tester` needs no password; the folder of its socket, and of `psql`."""
    found = shutil.which("initdb") or next(map(str, Path("/usr/lib/postgresql").glob("*/bin/initdb")), None)
    if found is None:
        pytest.skip("PostgreSQL is not installed here")
    with _place() as place, _postgresql(Path(found).resolve().parent, place):
        yield place


@contextmanager
def _postgresql(programs: Path, place: Path) -> Iterator[None]:
    account = _as("postgres", place, "PostgreSQL")
    data, control = str(place / "data"), str(programs / "pg_ctl")
    (place / "psql").symlink_to(programs / "psql")
    _ran(place, *account, str(programs / "initdb"), "-D", data, "-A", "trust", "-U", "tester", "--no-sync")
    options = f"-k {place} -c listen_addresses='' -c fsync=off"
    _ran(place, *account, control, "-D", data, "-o", options, "-l", str(place / "log"), "-w", "start")
    try:
        yield
    finally:
        _ran(place, *account, control, "-D", data, "-m", "fast", "stop")


def psql(place: Path, text: str) -> list[str]:
    """The lines that statements give."""
    command = [str(place / "psql"), "-h", str(place), "-U", "tester", "-qAt", "-v", "ON_ERROR_STOP=1", "postgres"]
    done = subprocess.run(command, input=text, text=True, capture_output=True, check=False)
    assert not done.returncode, done.stderr
    return done.stdout.splitlines()


@contextmanager
def mariadb() -> Iterator[Path]:
    """A server of MariaDB, whose account `root` needs no password; its socket."""
    server, maker = shutil.which("mariadbd"), shutil.which("mariadb-install-db")
    if server is None or maker is None:
        pytest.skip("MariaDB is not installed here")
    with _place() as place, _mariadb(server, maker, place):
        yield place / "s"


@contextmanager
def _mariadb(server: str, maker: str, place: Path) -> Iterator[None]:
    account, socket = _as("mysql", place, "MariaDB"), place / "s"
    data = [f"--datadir={place / 'data'}", "--no-defaults"]
    _ran(place, *account, maker, data[1], data[0], "--auth-root-authentication-method=normal", "--skip-test-db")
    options = [f"--socket={socket}", "--skip-networking", "--innodb-flush-log-at-trx-commit=0"]
    with (place / "log").open("w") as log:
        running = subprocess.Popen([*account, server, data[1], data[0], *options], stdout=log, stderr=log)
    try:
        for _ in range(600):
            if socket.exists() or running.poll() is not None:
                break
            time.sleep(0.05)
        assert running.poll() is None, (place / "log").read_text()
        yield
    finally:
        running.terminate()
        running.wait(60)
