"""Programs in other languages, and PostgreSQL itself, through the door; what is not there is passed over by name."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from imputedb.service.core import Core
from imputedb.service.postgres.server import PostgresServer
from tests.service.conftest import configuration
from tests.service.survey import surveyed
from tests.service.wire import MISTAKES, door

CLIENTS = Path(__file__).parent / "clients"
JAR = Path("/usr/share/java/postgresql.jar")
SERVERS = sorted(Path("/usr/lib/postgresql").glob("*/bin")) if Path("/usr/lib/postgresql").is_dir() else []


@pytest.fixture(scope="module")
def at(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PostgresServer]:
    core = Core(surveyed(tmp_path_factory.mktemp("programs")), configuration(), lambda _: None)
    MISTAKES.clear()
    with door(core) as found:
        yield found
    core.close()
    assert not MISTAKES


def said(*command: str, seconds: int = 60, **environment: str) -> list[str]:
    found = subprocess.run(
        command, capture_output=True, text=True, timeout=seconds, env={**os.environ, **environment}, cwd="/tmp"
    )
    assert found.returncode == 0, found
    return found.stdout.splitlines()


def test_jdbc_describes_pages_and_rolls_back(at: PostgresServer) -> None:
    if shutil.which("java") is None or not JAR.exists():
        pytest.skip("java, or its PostgreSQL driver (libpostgresql-jdbc-java), is not installed")
    found = said("java", "-cp", str(JAR), str(CLIENTS / "Jdbc.java"), f"jdbc:postgresql://127.0.0.1:{at.port}/survey")
    assert found == [
        "area TABLE", "person TABLE", "visit TABLE", "tall VIEW",
        "id int8", "area int4", "seen timestamp", "cost numeric", "tags _text",
        "id visit_id_pkey", "information_schema", "pg_catalog", "public", "secret",
        "area_id_pkey id", "area_name_key name",
        "1 2.25 2020-01-01 00:00:00.0 2", "1 2.25 2020-01-01 00:00:00.0 2", "550725", "42P01",
    ]  # fmt: skip


def test_node_asks_with_values_and_names(at: PostgresServer) -> None:
    folders = [os.environ.get("NODE_PATH", ""), "/usr/share/nodejs"]
    folder = next((one for one in folders if one and (Path(one) / "pg").is_dir()), None)
    if shutil.which("node") is None or folder is None:
        pytest.skip("node, or its package pg (NODE_PATH), is not installed")
    target = f"postgres://ann@127.0.0.1:{at.port}/survey"
    found = said("node", str(CLIENTS / "node.js"), target, NODE_PATH=folder, TZ="UTC")
    assert found == [
        '[{"id":"1","cost":"2.25","seen":"2020-01-01T00:00:00.000Z","tags":["a","b"]}]', "1", "2", "40", "42P01",
    ]  # fmt: skip


def test_postgresql_reads_foreign_tables(at: PostgresServer, tmp_path: Path) -> None:
    if not SERVERS or shutil.which("psql") is None or shutil.which("runuser") is None or os.getuid() != 0:
        pytest.skip("a PostgreSQL server, or a user to run it as, is not there")
    programs, folder = SERVERS[-1], Path("/tmp") / f"imputedb-{os.getpid()}"
    folder.mkdir()
    shutil.chown(folder, "postgres")
    owned = ("runuser", "-u", "postgres", "--")
    options = f"-p {at.port} -k {folder} -c listen_addresses='' -c fsync=off"
    try:
        said(*owned, str(programs / "initdb"), "-D", f"{folder}/data", "-A", "trust", "--no-sync")
        started = (
            str(programs / "pg_ctl"),
            "-D",
            f"{folder}/data",
            "-w",
            "-l",
            f"{folder}/log",
            "-o",
            options,
            "start",
        )
        subprocess.run([*owned, *started], check=True, timeout=60, stdout=subprocess.DEVNULL, cwd="/tmp")
        script = tmp_path / "foreign.sql"
        script.write_text(
            "CREATE EXTENSION postgres_fdw;\n"
            "CREATE SERVER far FOREIGN DATA WRAPPER postgres_fdw "
            f"OPTIONS (host '127.0.0.1', port '{at.port}', dbname 'survey');\n"
            "CREATE USER MAPPING FOR postgres SERVER far OPTIONS (user 'ann', password_required 'false');\n"
            "IMPORT FOREIGN SCHEMA public FROM SERVER far INTO public;\n"
            "SELECT count(*), sum(cost) FROM visit WHERE area = 1;\n"
            "SELECT area.name, v.tags FROM visit v JOIN area ON area.id = v.area ORDER BY v.id LIMIT 1;\n"
            "SELECT count(weight), count(*) FROM person;\n"
        )
        asked = ("-h", str(folder), "-p", str(at.port), "-U", "postgres", "-f", str(script), "postgres")
        found = said("psql", "-X", "-A", "-t", "-q", "-v", "ON_ERROR_STOP=1", *asked)
        assert found == ["5|26.25", "north|{a,b}", "40|40"]
    finally:
        ending = (str(programs / "pg_ctl"), "-D", f"{folder}/data", "-m", "immediate", "stop")
        subprocess.run([*owned, *ending], check=False, timeout=60, capture_output=True, cwd="/tmp")
        shutil.rmtree(folder, ignore_errors=True)
