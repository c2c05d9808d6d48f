"""The HTTP door: answers, problems, bounds, and nothing loaded from elsewhere."""

import asyncio
import io
import json
import re
import threading
import time
from concurrent.futures import Future
from pathlib import Path

import pytest
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.testclient import TestClient

import imputedb
from imputedb.service.configuration import ROLES
from imputedb.service.core import Answer, Core
from imputedb.service.http.answers import Streamed, as_arrow
from imputedb.service.http.middleware import Bounds, Receive
from imputedb.service.http.routes import HttpRoutes
from imputedb.service.request import Request
from imputedb.service.security import tokens
from imputedb.service.security.tokens import Credentials
from tests.service.conftest import READER, clients


def test_an_answer_has_columns_rows_and_report(client: TestClient, served: Path) -> None:
    found = client.post("/v1/query", json={"sql": "SELECT avg(weight) AS w FROM person", "m": 5, "seed": 2})
    assert found.status_code == 200
    told = found.json()
    with imputedb.connect(served, read_only=True) as db:
        wanted = db.sql("SELECT avg(weight) AS w FROM person", m=5, seed=2)
        assert told["rows"] == [list(row) for row in wanted.fetchall()]
    assert told["columns"] == ["w", "w_se", "w_low", "w_high", "w_fmi"]
    assert (told["truncated"], found.headers["x-imputedb-truncated"]) == (False, "false")
    assert told["report"]["imputed"]["person.weight"] > 0
    assert (told["report"]["m"], told["report"]["seed"]) == (5, 2)
    assert re.fullmatch(r"[0-9a-f]{16}", found.headers["x-request-id"])


FEW = "SELECT avg(weight) FROM person WHERE id < 30"


def test_time_and_error_are_limits_in_place_of_alpha(client: TestClient) -> None:
    asked = {"sql": "SELECT avg(weight) AS w FROM person", "m": 5}
    for limits in ({**asked, "within_ms": 60_000}, {"sql": asked["sql"] + " WITHIN 60000 MS", "m": 5}):
        assert client.post("/v1/query", json=limits).json()["report"]["budget"]["within_ms"] == 60_000
    told = client.post("/v1/query", json={**asked, "error": 0.5, "sql": f"{asked['sql']} ERROR 40 %"}).json()
    assert told["report"]["budget"]["error"] == 0.4
    assert told["report"]["budget"]["reached_error"] < 0.4
    assert client.post("/v1/query", json={**asked, "error": 0.5, "alpha": 0.2}).status_code == 400
    refused = client.post("/v1/query", json={**asked, "error": 0.5, "m": 1})
    assert (refused.status_code, refused.json()["title"]) == (403, "Forbidden")
    assert client.post("/v1/explain", json={"sql": asked["sql"], "within_ms": 5}).status_code == 200
    assert client.post("/v1/query", json={**asked, "within_ms": 0}).status_code == 422


def test_warnings_stand_in_the_answer(client: TestClient) -> None:
    told = client.post("/v1/query", json={"sql": FEW, "m": 5}).json()
    said = told["report"]["warnings"]
    assert said
    assert all(one.keys() == {"kind", "subject", "text"} for one in said)


def test_values_are_json(client: TestClient) -> None:
    text = "SELECT 1.5::DECIMAL(3,1) a, 'x'::BLOB b, DATE '2026-01-02' c, [1, NULL] d, {'e': 'nan'::DOUBLE} e, NULL f"
    assert client.post("/v1/query", json={"sql": text}).json()["rows"] == [
        [1.5, "78", "2026-01-02", [1, None], {"e": "nan"}, None]
    ]


def test_an_answer_as_an_arrow_stream(client: TestClient) -> None:
    ipc = pytest.importorskip("pyarrow.ipc", reason="pyarrow is not installed")
    body = {"sql": "SELECT id, weight FROM person ORDER BY id", "rows": 70}
    found = client.post("/v1/query", json=body, headers={"Accept": "application/vnd.apache.arrow.stream"})
    assert found.headers["content-type"] == "application/vnd.apache.arrow.stream"
    table = ipc.open_stream(io.BytesIO(found.content)).read_all()
    assert table.column("id").to_pylist() == list(range(70))
    assert table.column("weight").null_count == 0
    report = json.loads(table.schema.metadata[b"imputedb.report"])
    assert (report["truncated"], found.headers["x-imputedb-truncated"]) == (True, "true")
    assert report["imputed"]["person.weight"] > 0


def test_plans_tables_profiles_and_models(client: TestClient) -> None:
    query = {"sql": "SELECT avg(weight) FROM person"}
    assert client.post("/v1/explain", json=query).json()["plan"]
    measured = client.post("/v1/explain", json={**query, "analyze": True}).json()
    assert "actual_rows" in json.dumps(measured)
    points = client.post("/v1/frontier", json=query).json()
    assert points[0]["alpha"][0] == 0 or points[-1]["alpha"][1] == 1
    assert client.get("/v1/tables").json()["person"]["height"] == "DOUBLE"
    profile = client.get("/v1/profile/person").json()
    assert profile["rows"] == 300
    assert {one["name"]: one["missing"] for one in profile["columns"]}["weight"] > 0
    models = client.get("/v1/models").json()
    assert [(one["name"], one["version"], len(one["digest"])) for one in models] == [("vitals", 1, 64)]


def test_rows_are_filled_in_by_a_kept_model(client: TestClient, served: Path) -> None:
    rows = [
        {"id": 1, "height": 180.0, "weight": None, "sex": "f"},
        {"id": 2, "height": 160.0, "weight": 50, "sex": None},
    ]
    told = client.post("/v1/impute", json={"model": "vitals", "rows": rows}).json()
    with imputedb.connect(served, read_only=True) as db:
        model = db.model("vitals")
        assert told["rows"] == model.apply(rows)
        assert (told["model"], told["digest"]) == ("vitals@1", model.digest)
        drawn = client.post("/v1/impute", json={"model": "vitals@1", "rows": rows, "draw": 2, "keys": [5, 9]}).json()
        assert drawn["rows"] == model.apply(rows, draw=2, keys=[5, 9])
    assert told["imputed"] == [["weight"], ["sex"]]
    assert told["spread"][0]["weight"] > 0
    assert 0 <= told["spread"][1]["sex"] <= 1
    assert client.post("/v1/impute", json={"model": "vitals", "rows": rows, "spread": False}).json()["spread"] is None


SLOW = "SELECT count(*) FROM range(100000000) a, range(100000) b"

PROBLEMS = (
    ("/v1/query", {"sql": "SELEC"}, 400, "SqlSyntaxError", "SELEC"),
    ("/v1/query", {"sql": "SELECT * FROM persn"}, 400, "UnknownName", "did you mean person"),
    ("/v1/query", {"sql": "SELECT wieght FROM person"}, 400, "UnknownName", "weight"),
    ("/v1/query", {"sql": "DROP TABLE person"}, 403, "Forbidden", "only queries"),
    ("/v1/query", {"sql": "SELECT 1", "m": 1000}, 403, "Forbidden", "50 draws"),
    ("/v1/query", {"sql": "SELECT 1", "imputer": "nix"}, 400, "UnknownName", "nix"),
    ("/v1/query", {"sql": "SELECT ?"}, 400, "QueryError", "parameter"),
    ("/v1/query", {"sql": "SELECT 1", "alpha": 2}, 422, "QueryError", "alpha"),
    ("/v1/query", {"sql": "SELECT 1", "aplha": 0}, 422, "QueryError", "aplha"),
    (
        "/v1/query",
        {"sql": SLOW, "seconds": 0.2},
        504,
        "Overdue",
        "0.2",
    ),
    ("/v1/impute", {"model": "nix", "rows": [{}]}, 400, "UnknownName", "nix"),
    ("/v1/impute", {"model": "vitals", "rows": [{"id": 1}]}, 422, "DataError", "height"),
    ("/v1/impute", {"model": "vitals", "rows": [{"id": 1}] * 1001}, 413, "TooLarge", "1,000"),
    ("/v1/impute", {"model": "vitals", "rows": []}, 422, "QueryError", "rows"),
    ("/v1/nix", {}, 404, "NotFound", ""),
)


@pytest.mark.sampled(2)
@pytest.mark.parametrize(("path", "body", "status", "title", "word"), PROBLEMS)
def test_a_problem_has_its_name_its_place_and_the_way_out(
    client: TestClient, path: str, body: object, status: int, title: str, word: str
) -> None:
    found = client.post(path, json=body)
    told = found.json()
    assert found.headers["content-type"] == "application/problem+json"
    assert (found.status_code, told["status"], told["title"]) == (status, status, title)
    assert word in told["detail"]
    assert told["type"] == f"urn:imputedb:problem:{title}"
    assert told["instance"] == f"urn:imputedb:request:{found.headers['x-request-id']}"


@pytest.mark.parametrize(
    "body", [b"", b"{", b"\xff\xfe", b"[" * 100_000, b'{"sql": 1}', b"null", b'{"sql": "\\ud800"}']
)
def test_a_body_that_is_none_is_the_callers_mistake(client: TestClient, body: bytes) -> None:
    found = client.post("/v1/query", content=body, headers={"content-type": "application/json"})
    assert 400 <= found.status_code < 500
    assert found.headers["content-type"] == "application/problem+json"


def test_a_body_that_is_too_large_is_not_read(client: TestClient) -> None:
    large = client.post("/v1/query", content=b"x" * 1_000_001, headers={"content-type": "application/json"})
    pieces = client.post("/v1/query", content=iter([b"x" * 600_000] * 2), headers={"content-type": "application/json"})
    assert [one.status_code for one in (large, pieces)] == [413, 413]
    assert large.json()["title"] == "TooLarge"


def test_an_answer_that_is_too_large_is_refused(served: Path, tmp_path: Path) -> None:
    with clients(served, tmp_path, limits={"answer_bytes": 1_000}) as client:
        found = client.post("/v1/query", json={"sql": "SELECT * FROM person"})
        assert (found.status_code, found.json()["title"]) == (413, "TooLarge")
        assert client.post("/v1/query", json={"sql": "SELECT 1"}).status_code == 200


def test_who_asks_too_often_waits(served: Path, tmp_path: Path) -> None:
    with clients(served, tmp_path, roles={"reader": {"per_minute": 3}}) as client:
        found = [client.get("/v1/tables") for _ in range(4)]
        assert [one.status_code for one in found] == [200, 200, 200, 429]
        assert int(found[-1].headers["retry-after"]) >= 1


def test_probes_say_whether_it_lives_and_whether_it_is_ready(client: TestClient, core: Core) -> None:
    assert client.get("/healthz").text == "ok\n"
    assert client.get("/readyz").text == "ready\n"
    core.admission.refuse()
    assert client.get("/healthz").status_code == 200
    assert client.get("/readyz").status_code == 503
    assert client.post("/v1/query", json={"sql": "SELECT 1"}).status_code == 503


def test_the_page_of_routes_loads_nothing_from_elsewhere(client: TestClient) -> None:
    page = client.get("/docs").text
    assert "POST /v1/query" in page
    assert not re.findall(r"(?:src|href)\s*=\s*[\"']?(?:https?:)?//", page)
    assert "<script" not in page
    assert client.get("/openapi.json").json()["paths"].keys() >= {"/v1/query", "/v1/impute", "/healthz"}
    assert "default-src 'none'" in client.get("/docs").headers["content-security-policy"]


def test_no_value_and_no_path_stands_in_an_unforeseen_error(
    client: TestClient, core: Core, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken() -> None:
        raise RuntimeError("the salary of ann is 4711")

    monkeypatch.setattr(core, "tables", broken)
    found = TestClient(client.app, "http://127.0.0.1", raise_server_exceptions=False).get("/v1/tables")
    assert found.status_code == 500
    assert "4711" not in found.text
    assert found.json()["title"] == "InternalError"


def test_jobs_are_for_analysts_and_the_audit_for_admins(served: Path, tmp_path: Path) -> None:
    file = tmp_path / "tokens.toml"
    roles = {role: {"Authorization": f"Bearer {tokens.added(file, role, role)}"} for role in ROLES}
    body = {"kind": "evaluate", "table": "person", "imputer": ["mean"]}
    with clients(served, tmp_path, security={"tokens": file}) as client:
        assert client.post("/v1/jobs", json=body, headers=roles["reader"]).status_code == 403
        made = client.post("/v1/jobs", json=body, headers=roles["analyst"])
        assert (made.status_code, made.json()["state"]) == (202, "queued")
        place = made.headers["location"]
        assert client.get(place, headers=roles["analyst"]).json()["asked"]["table"] == "person"
        assert client.get(place, headers=roles["reader"]).status_code == 403
        other = client.post("/v1/jobs", json=body, headers=roles["admin"]).headers["location"]
        assert client.get(other, headers=roles["analyst"]).status_code == 404
        assert len(client.get("/v1/jobs", headers=roles["analyst"]).json()) == 1
        assert len(client.get("/v1/jobs", headers=roles["admin"]).json()) == 2
        assert client.post(f"{place}/retry", headers=roles["analyst"]).status_code == 403
        client.post(f"{place}/cancel", headers=roles["analyst"])
        assert client.get(place, headers=roles["analyst"]).json()["state"] == "cancelled"
        assert client.post(f"{place}/retry", headers=roles["analyst"]).json()["state"] == "queued"
        assert [client.get("/v1/audit", headers=roles[role]).status_code for role in ROLES] == [403, 403, 200]


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"kind": "nix"}, 422),
        ({"kind": "evaluate", "table": "nix"}, 404),
        ({"kind": "evaluate", "table": "SELECT * FROM read_text('x')"}, 404),
        ({"kind": "compare", "sql": "DELETE FROM person"}, 403),
        ({"kind": "compare", "sql": "SELECT * FROM read_text('x')"}, 403),
        ({"kind": "impute", "table": "person", "m": 0}, 422),
        ({"kind": "impute", "table": "person", "out": "/"}, 422),
    ],
)
def test_a_job_that_is_none_is_refused(served: Path, tmp_path: Path, body: object, status: int) -> None:
    file = tmp_path / "tokens.toml"
    known = {"Authorization": f"Bearer {tokens.added(file, 'ada', 'analyst')}"}
    with clients(served, tmp_path, security={"tokens": file}) as client:
        assert client.post("/v1/jobs", json=body, headers=known).status_code == status
        assert client.get("/v1/jobs/nix", headers=known).status_code == 404


@pytest.mark.parametrize("path", ["/v1/tables", "/metrics", "/readyz"])
def test_callers_without_a_credential_ask_this_machine_by_its_own_name(client: TestClient, path: str) -> None:
    for host in ("evil.example", "127.0.0.1.evil.example:8080", "localhost@evil.example", "[", ""):
        found = client.get(path, headers={"Host": host})
        assert (host, found.status_code) == (host, 403)
    for host in ("localhost", "LOCALHOST:8080", "127.0.0.1:1", "[::1]:8080"):
        assert client.get(path, headers={"Host": host}).status_code == 200


def test_whoever_shows_a_credential_may_call_the_machine_anything(served: Path, tmp_path: Path) -> None:
    file = tmp_path / "tokens.toml"
    known = {"Authorization": f"Bearer {tokens.added(file, 'ada', 'reader')}", "Host": "data.example"}
    with clients(served, tmp_path, security={"tokens": file}) as client:
        assert client.get("/v1/tables", headers=known).status_code == 200


def test_an_answer_whose_caller_has_gone_is_let_go_of(core: Core) -> None:
    class Gone:
        async def is_disconnected(self) -> bool:
            return False

    started, may_end = threading.Event(), threading.Event()

    def form(*_: object) -> None:
        started.set()
        may_end.wait(60)

    async def asked() -> Future[Answer]:
        door = HttpRoutes(core, Credentials(core.configuration.security, is_loopback=True), lambda: b"")
        run = core.answer(Request(READER, "SELECT 1"), form)
        waiting = asyncio.ensure_future(door._ended(Gone(), run))  # type: ignore[arg-type]
        await asyncio.to_thread(started.wait, 60)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        may_end.set()
        return run.future

    answer = asyncio.run(asked()).result(60)
    until = time.monotonic() + 10
    while not answer.lease.is_ended and time.monotonic() < until:
        time.sleep(0.01)
    assert answer.lease.is_ended


def test_a_stream_has_its_session_until_it_ends_and_gives_it_back_unread(core: Core) -> None:
    pytest.importorskip("pyarrow", reason="pyarrow is not installed")
    text = "SELECT id FROM person"
    first = core.answer(Request(READER, text), as_arrow).future.result(60)
    second = core.answer(Request(READER, text), as_arrow).future.result(60)
    assert first.lease.session is not second.lease.session

    async def gone(_: object) -> None:
        raise OSError

    async def nothing() -> dict[str, object]:
        return {"type": "http.disconnect"}

    scope = {"type": "http", "asgi": {"spec_version": "2.4"}}
    with pytest.raises(ClientDisconnect):
        asyncio.run(Streamed(first, {})(scope, nothing, gone))
    assert (first.lease.is_ended, second.lease.is_ended) == (True, False)
    second.close()


def test_a_body_that_drips_is_not_waited_for_longer() -> None:
    async def app(_: object, receive: Receive, __: object) -> None:
        while (await receive()).get("more_body"):
            pass

    async def dripping() -> dict[str, object]:
        await asyncio.sleep(0.05)
        return {"type": "http.request", "body": b"x", "more_body": True}

    async def sending(_: object) -> None:
        pass

    bounds = Bounds(app, body_bytes=1000, seconds=0.5)
    with pytest.raises(HTTPException) as caught:
        asyncio.run(asyncio.wait_for(bounds({"type": "http", "headers": []}, dripping, sending), 20))
    assert caught.value.status_code == 408


def test_metrics_are_open_metrics(client: TestClient) -> None:
    client.post("/v1/query", json={"sql": "SELECT 1"})
    found = client.get("/metrics")
    assert found.headers["content-type"].startswith("application/openmetrics-text")
    assert found.text.endswith("# EOF\n")
    assert "imputedb_queries" in found.text
