"""The core: answers as a database gives them, within what a role may have, over the file as it is now."""

import os
import shutil
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import imputedb
from imputedb.errors import StorageError, UnknownName
from imputedb.service.core import Core, Done
from imputedb.service.errors import Forbidden, NotFound, Overdue, TooLarge
from imputedb.service.request import Principal, Request
from tests.service.conftest import READER, configuration, made

Ask = Callable[..., list[tuple[Any, ...]]]

QUERIES = (
    "SELECT count(*), avg(weight) FROM person",
    "SELECT sex, avg(bmi(weight, height)) FROM person GROUP BY ALL ORDER BY ALL",
    "SELECT weight, IMPUTED(weight) FROM tall ORDER BY id",
    "WITH heavy AS (SELECT * FROM person WHERE weight > 75) SELECT count(*) FROM heavy",
    "SELECT p.id, t.weight FROM person p JOIN taller(180) t USING (id) ORDER BY ALL",
    "SELECT id, row_number() OVER (PARTITION BY sex ORDER BY weight, id) FROM person ORDER BY id",
)


@pytest.mark.parametrize("text", QUERIES)
def test_an_answer_is_the_one_of_the_database(served: Path, ask: Ask, text: str) -> None:
    with imputedb.connect(served, read_only=True) as db:
        assert ask(text, seed=3) == db.sql(text, seed=3).fetchall()


def test_draws_parameters_and_wishes_are_passed_on(served: Path, ask: Ask) -> None:
    text = "SELECT avg(weight) AS w FROM person WHERE height > ?"
    with imputedb.connect(served, read_only=True) as db:
        wanted = db.sql(text, [170], m=5, seed=2, imputer="pmm", level=0.9).fetchall()
    assert ask(text, parameters=[170], m=5, seed=2, imputer="pmm", level=0.9) == wanted


def test_rows_beyond_what_is_wanted_are_cut_off_and_that_is_said(core: Core) -> None:
    run = core.answer(Request(READER, "SELECT id FROM person", rows=7), lambda result, count, _: result.first(count))
    answer = run.future.result(60)
    answer.close()
    assert (len(answer.body), answer.count, answer.truncated) == (7, 7, True)


@pytest.mark.parametrize(
    "text",
    ["SELECT count(*) FROM range(100000000) a, range(100000) b", "SELECT avg(weight) FROM person, range(1000000000)"],
)
def test_a_deadline_ends_the_engine_and_the_session_is_good_for_more(core: Core, ask: Ask, text: str) -> None:
    run = core.answer(Request(READER, text, seconds=0.5), lambda *_: None)
    with pytest.raises(Overdue):
        run.future.result(10)
    assert ask("SELECT count(*) FROM person") == [(300,)]


def test_a_role_bounds_draws_and_parameters(ask: Ask) -> None:
    with pytest.raises(Forbidden, match="50 draws"):
        ask("SELECT avg(weight) FROM person", m=51)
    with pytest.raises(Forbidden, match="auto"):
        ask("SELECT avg(weight) FROM person", m="auto")
    with pytest.raises(TooLarge, match="parameters"):
        ask("SELECT 1", parameters=[1] * 1001)
    with pytest.raises(TooLarge, match="parameters"):
        ask("SELECT " + " || ".join(f"${n}" for n in range(1, 1002)))


EXPRESSION = "(SELECT count(*) FROM duckdb_settings())"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("weights", EXPRESSION),
        ("clusters", EXPRESSION),
        ("weights", "nextval('x')"),
        ("weights", "id) FROM duckdb_settings() --"),
        ("clusters", "\"id\" || current_setting('threads')"),
        ("weights", ""),
        ("imputer", EXPRESSION),
        ("imputer", ["mean", EXPRESSION]),
        ("method", EXPRESSION),
        ("interval", EXPRESSION),
        ("fit", EXPRESSION),
        ("m", EXPRESSION),
    ],
)
def test_no_field_but_the_text_is_sql(ask: Ask, name: str, value: object) -> None:
    with pytest.raises(imputedb.Error) as caught:
        ask("SELECT avg(weight), count(*) FROM person", **{name: value})
    if name in ("weights", "clusters"):
        assert isinstance(caught.value, Forbidden)


@pytest.mark.parametrize("name", ["x); DROP", "x FROM duckdb_settings() --", 'x"', ""])
def test_names_of_parameters_are_no_sql(ask: Ask, name: str) -> None:
    assert ask("SELECT $x_1 + 1", parameters={"x_1": 2}) == [(3,)]
    with pytest.raises(Forbidden, match="names of parameters"):
        ask("SELECT $x", parameters={name: 1})


def test_weights_and_clusters_are_columns(served: Path, ask: Ask) -> None:
    text = "SELECT avg(weight) AS w FROM person"
    with imputedb.connect(served, read_only=True) as db:
        wanted = db.sql(text, weights='"height"', clusters="person.sex", m=3, method="imputation").fetchall()
    assert ask(text, weights='"height"', clusters="person.sex", m=3) == wanted


def test_what_is_not_there_is_told_by_name(core: Core, ask: Ask) -> None:
    with pytest.raises(UnknownName, match="did you mean person"):
        ask("SELECT * FROM persn")
    with pytest.raises(NotFound, match="no table nix"):
        core.profile(Request(READER, ""), "nix").future.result(10)
    with pytest.raises(UnknownName, match="vitals"):
        core.impute(Request(READER, ""), "nix", [{}], None, None, spread=False).future.result(10)


def test_observers_are_told_of_every_request_that_is_over(core: Core, ask: Ask) -> None:
    seen: list[Done] = []
    core.observers.append(seen.append)
    ask("SELECT avg(weight) FROM person")
    with pytest.raises(UnknownName):
        ask("SELECT * FROM nix")
    assert [(one.kind, one.status) for one in seen] == [("query", "ok"), ("query", "UnknownName")]
    assert seen[0].answer
    assert sum(seen[0].answer.result.report.imputed.values()) > 0
    assert all(len(one.statement_hash) == 16 for one in seen)


def test_a_file_put_in_its_place_is_served_and_answers_under_way_go_on(tmp_path: Path) -> None:
    path = made(tmp_path / "survey.duckdb", rows=50)
    other = made(tmp_path / "next.duckdb", rows=60)
    remarks: list[str] = []
    core = Core(path, configuration(), remarks.append)
    text = "SELECT count(*) FROM person"
    try:
        first = core.answer(Request(READER, text), lambda result, *_: result).future.result(60)
        os.replace(other, path)
        second = core.answer(Request(READER, text), lambda result, count, _: result.first(count)).future.result(60)
        assert second.body == [(60,)]
        assert first.result.__arrow_c_stream__() is not None
        first.close()
        with pytest.raises(StorageError):
            first.lease.session.execute("SELECT 1")
        second.close()
        assert remarks == ["the database was opened anew"]
    finally:
        core.close()


def test_a_file_that_cannot_be_opened_leaves_the_one_before(tmp_path: Path) -> None:
    path = made(tmp_path / "survey.duckdb", rows=50)
    remarks: list[str] = []
    core = Core(path, configuration(), remarks.append)
    try:
        (tmp_path / "broken").write_bytes(b"no database at all")
        os.replace(tmp_path / "broken", path)
        for _ in range(2):
            run = core.answer(Request(READER, "SELECT count(*) FROM person"), lambda r, c, _: r.first(c))
            answer = run.future.result(60)
            answer.close()
            assert answer.body == [(50,)]
        assert len(remarks) == 1
        assert "last one that could be is served" in remarks[0]
    finally:
        core.close()


def test_many_at_once_are_answered_alike(served: Path) -> None:
    core = Core(served, configuration(workers=4, queue=100), lambda _: None)
    with imputedb.connect(served, read_only=True) as db:
        wanted = {text: db.sql(text).fetchall() for text in QUERIES}
    try:
        runs = [(text, core.answer(Request(READER, text), lambda r, c, _: r.first(c))) for text in QUERIES * 8]
        for text, run in runs:
            answer = run.future.result(120)
            answer.close()
            assert answer.body == wanted[text]
    finally:
        core.close()


def test_a_copied_file_cannot_be_opened_for_writing_by_the_service(tmp_path: Path, served: Path) -> None:
    path = tmp_path / "copy.duckdb"
    shutil.copy(served, path)
    before = path.read_bytes()
    core = Core(path, configuration(), lambda _: None)
    analyst = Principal("ada", "analyst")
    run = core.answer(Request(analyst, "SELECT avg(weight) FROM person", m=20), lambda r, c, _: r.first(c))
    run.future.result(60).close()
    core.close()
    assert path.read_bytes() == before
    assert threading.active_count() < 50
