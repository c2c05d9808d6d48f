"""The client: it asks a real service, and one that is busy, strange, or gone."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from imputedb.cli.main import main
from imputedb.errors import Error, QueryError, StorageError, UnknownName, Unplanned
from imputedb.service.client import Client
from tests.service.test_process import Process, running

ANSWER = {"columns": ["a"], "rows": [[1]], "truncated": False, "report": {"warnings": ["mind"], "notes": []}}
Told = tuple[int, dict[str, str], object]


@pytest.fixture(scope="module")
def service(served: Path) -> Iterator[Process]:
    with running(served) as found:
        yield found


def asked(*words: str, text: str | None = None, **env: str) -> Result:
    return CliRunner().invoke(main, ["client", *words], input=text, env=env)


def test_rows_come_in_each_format_and_warnings_beside_them(service: Process) -> None:
    url = ("--url", service.url)
    text = "SELECT id, sex FROM person WHERE id < ? ORDER BY id"
    assert asked(text, "--param", "2", "--format", "csv", *url).stdout.splitlines()[0] == "id,sex"
    lines = asked("-", "--param", "2", "--format", "jsonl", *url, text=text).stdout.splitlines()
    assert [json.loads(line)["id"] for line in lines] == [0, 1]
    found = asked("-c", "SELECT avg(weight) AS w FROM person WHERE id < 30", "--m", "5", "--seed", "2", *url)
    assert found.exit_code == 0
    assert {"w", "w_low", "w_high"} <= set(found.stdout.split())
    assert "warning: " in found.stderr
    one = asked("SELECT avg(weight) FROM person", "--imputer", "mean", "--within-ms", "60000", "--format", "json", *url)
    assert len(json.loads(one.stdout)) == 1


def test_what_the_service_refuses_is_said_in_its_words(service: Process) -> None:
    for text, kind, words in (
        ("SELECT nix FROM person", UnknownName, "nix"),
        ("DROP TABLE person", QueryError, "Forbidden: only queries"),
        ("SELECT 1; SELECT 2", Unplanned, "one statement"),
    ):
        found = asked(text, "--url", service.url)
        assert (found.exit_code, type(found.exception)) == (1, kind)
        assert words in str(found.exception)
        assert found.stdout == ""


@contextmanager
def saying(*told: Told) -> Iterator[tuple[str, list[str | None]]]:
    """A service that says what it is told to, one after the other, and the credentials that it was shown."""
    left, seen = list(told), list[str | None]()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            seen.append(self.headers.get("Authorization"))
            self.rfile.read(int(self.headers["Content-Length"]))
            status, headers, body = left.pop(0)
            data = body if isinstance(body, bytes) else json.dumps(body).encode()
            self.send_response(status)
            for name, value in {**headers, "Content-Length": str(len(data))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_: Any) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", seen
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


BUSY: Told = (503, {"Retry-After": "0"}, {"title": "Overloaded", "detail": "ask again later"})


def test_a_busy_service_is_asked_again_for_as_long_as_there_is_patience(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("imp_two\n")
    with saying(BUSY, (429, {"Retry-After": "0"}, {}), (200, {}, ANSWER), (200, {}, ANSWER), BUSY) as (url, seen):
        assert asked("SELECT 1", "--url", url, IMPUTEDB_TOKEN="imp_one").exit_code == 0
        assert seen == ["Bearer imp_one"] * 3
        assert asked("SELECT 1", "--url", url, "--token-file", str(tmp_path / "token")).exit_code == 0
        assert seen[3] == "Bearer imp_two"
        with pytest.raises(Error, match="ask again later"):
            Client(url, patience=0).post("/v1/query", {"sql": "SELECT 1"})
    assert len(seen) == 5


def test_rows_that_are_not_all_are_no_success() -> None:
    with saying((200, {}, {**ANSWER, "truncated": True})) as (url, _):
        found = asked("SELECT 1", "--url", url, "--format", "csv")
    assert (found.exit_code, found.stdout) == (1, "a\n1\n")
    assert "first 1 rows" in str(found.exception)


def test_what_is_no_service_or_not_there_is_told() -> None:
    with saying((200, {}, b"<html>"), (200, {}, [1])) as (url, _):
        for _attempt in range(2):
            with pytest.raises(StorageError, match="does not answer as"):
                raise asked("SELECT 1", "--url", url).exception or AssertionError
    with pytest.raises(StorageError, match="cannot be reached"):
        Client(url).post("/v1/query", {})
    for wrong in ("ftp://x", "127.0.0.1:8080", "http://[", "http://x:y"):
        with pytest.raises(QueryError, match="http://"):
            Client(wrong).post("/v1/query", {})


def test_a_token_is_not_sent_where_others_may_read_it() -> None:
    with pytest.raises(QueryError, match="unencrypted to example"):
        Client("http://example.org", "imp_x").post("/v1/query", {})
