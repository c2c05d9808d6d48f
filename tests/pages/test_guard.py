"""Who may see the page: not another site, not another name of this machine, nobody without its token."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

pytest.importorskip("nicegui", reason="the extra imputedb[ui] is not installed")

from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.testclient import TestClient

import imputedb
from imputedb.errors import QueryError
from imputedb.pages.guard import Guard
from imputedb.pages.question import Question, Questions
from imputedb.pages.server import address
from imputedb.pages.work import Works


def _client() -> TestClient:
    inner = Starlette(routes=[Route("/{rest:path}", lambda _: PlainTextResponse("seen"))])
    guard = Guard(inner, "secret", ["127.0.0.1:8085"], "imputedb_8085")
    return TestClient(guard, base_url="http://127.0.0.1:8085", follow_redirects=False)


def test_the_token_of_the_link_becomes_a_cookie_and_leaves_the_address() -> None:
    client = _client()
    assert client.get("/ask").status_code == 403
    answer = client.get("/ask", params={"token": "secret", "q": "ab"})
    assert answer.status_code == 200
    assert 'content="0; url=/ask?q=ab"' in answer.text
    assert "HttpOnly" in answer.headers["set-cookie"]
    assert "SameSite=strict" in answer.headers["set-cookie"]
    seen = client.get("/ask")
    assert (seen.status_code, seen.text) == (200, "seen")
    assert "default-src 'self'" in seen.headers["content-security-policy"]
    assert "connect-src 'self' ws://127.0.0.1:8085;" in seen.headers["content-security-policy"]


def test_a_path_in_the_link_is_text() -> None:
    answer = _client().get('/a"><script>x</script>', params={"token": "secret"})
    assert "<script>" not in answer.text


@pytest.mark.parametrize(
    "headers",
    [{"host": "evil.example"}, {"host": "127.0.0.1:9"}, {"origin": "http://evil.example"}, {"origin": "null"}],
)
def test_another_site_sees_nothing(headers: dict[str, str]) -> None:
    client = _client()
    client.cookies.set("imputedb_8085", "secret")
    assert client.get("/ask").status_code == 200
    assert client.get("/ask", headers=headers).status_code == 403


@pytest.mark.parametrize("token", ["", "secre", "secret ", "ünï"])
def test_a_wrong_token_opens_nothing(token: str) -> None:
    assert _client().get("/ask", params={"token": token}).status_code == 403


@pytest.mark.parametrize("text", ["0.0.0.0:80", "example.org:80", "127.0.0.1", "127.0.0.1:x", "127.0.0.1:99999"])
def test_the_page_listens_on_this_machine_alone(text: str) -> None:
    with pytest.raises(QueryError, match=r"this machine|not an address"):
        address(text)


def test_an_address_of_this_machine() -> None:
    assert address(None) == ("127.0.0.1", 8085)
    assert address("[::1]:0") == ("::1", 0)


def test_links_hold_no_data_and_mean_what_they_meant() -> None:
    questions = Questions()
    asked = Question("SELECT 'Ann'", alpha=0.5)
    name = questions.name(asked)
    assert "Ann" not in name
    assert questions.name(Question("SELECT 'Ann'", alpha=0.5)) == name
    assert questions.of(name) == asked
    for number in range(600):
        questions.name(Question(str(number)))
    assert questions.of(name) is None


def test_work_is_asked_once_told_of_and_cancelled() -> None:
    async def all_of_it() -> None:
        with imputedb.connect() as db:
            works, told = Works(db), list[Any]()
            calls = [works.ask("k", "counting", lambda db, _: db.execute("SELECT 42"), told.append) for _ in range(2)]
            assert await asyncio.gather(*calls) == [[(42,)], [(42,)]]
            assert len(set(told)) == 1
            assert works.answer("k") == [(42,)]
            endless = "SELECT count(*) FROM range(1000000) a, range(1000000) b"
            asked = asyncio.ensure_future(works.ask("e", "counting", lambda db, _: db.execute(endless), told.append))
            await asyncio.sleep(0.1)
            await told[-1].cancel()
            with pytest.raises(QueryError, match="counting: cancelled after"):
                await asked
            assert [work.state for work in works] == ["cancelled", "done"]
            assert works.answer("e") is None

    with ThreadPoolExecutor(1) as thread:  # the browser's driver has a loop on this one
        thread.submit(asyncio.run, all_of_it()).result(60)
