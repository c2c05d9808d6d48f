"""Notes: sentences to whoever reads them, and data to code that decides by them."""

import copy
import json
import pickle
import re
from pathlib import Path

import numpy as np
import pytest

from imputedb import Database, QueryError
from imputedb.algebra.column import Column
from imputedb.imputers.mean import Mean
from imputedb.notes import Note, NoteKind, is_of

ROOT = Path(__file__).resolve().parents[2]
NOTE = Note(NoteKind.AS_WRITTEN, "ANTI JOIN", "as it is written: ANTI JOIN")


def test_a_note_is_a_text_like_any_other() -> None:
    assert NOTE == "as it is written: ANTI JOIN"
    assert json.dumps([NOTE]) == '["as it is written: ANTI JOIN"]'
    assert len({NOTE, str(NOTE)}) == 1


@pytest.mark.parametrize("again", [copy.copy, copy.deepcopy, lambda note: pickle.loads(pickle.dumps(note))])
def test_a_copy_of_it_says_the_same_of_the_same(again) -> None:
    note = again(NOTE)
    assert (note, note.kind, note.subject) == (NOTE, NoteKind.AS_WRITTEN, "ANTI JOIN")


@pytest.mark.parametrize(
    "again",
    [copy.copy, copy.deepcopy, lambda note: pickle.loads(pickle.dumps(note)), lambda note: note.under("a"),
     lambda note: note.renamed(str)],
)  # fmt: skip
def test_what_it_is_said_of_is_kept(again) -> None:
    assert NOTE.concerns("population")
    assert NOTE.concerns("answer")
    note = again(NOTE.of("answer"))
    assert note.concerns("answer")
    assert not note.concerns("population")


def test_words_alone_are_of_no_kind() -> None:
    assert is_of(NoteKind.AS_WRITTEN, NOTE)
    assert not is_of(NoteKind.UNPOOLED, NOTE)
    assert not is_of(NoteKind.AS_WRITTEN, str(NOTE))


@pytest.fixture
def gaps(db: Database) -> Database:
    db.register("t", {"k": np.arange(9), "x": np.ma.masked_array(np.arange(9.0), np.arange(9) % 3 == 0)})
    return db


def test_why_there_are_no_intervals_is_found_by_its_kind(gaps: Database) -> None:
    rows = gaps.sql("SELECT k, x FROM t", m=3, imputer="norm")
    assert any(is_of(NoteKind.UNPOOLED, note) for note in rows.report.notes)
    with pytest.raises(QueryError, match="no intervals: the outermost block is not an aggregation"):
        _ = rows.estimates


def test_why_a_block_is_not_planned_is_its_subject(gaps: Database) -> None:
    found = gaps.sql("SELECT count(*) FROM t a ANTI JOIN t b ON a.x = b.x", imputer="mean")
    (words,) = [plan for _, plan in found.blocks if isinstance(plan, Note)]
    assert (words.kind, words.subject) == (NoteKind.AS_WRITTEN, "ANTI JOIN")
    assert any(note.startswith("not planned: ANTI JOIN") for note in found.report.notes)


def test_every_kind_is_described_and_none_that_is_not_there() -> None:
    page = (ROOT / "docs" / "notes.md").read_text(encoding="utf-8")
    rows = [line.strip("| ").split(" | ")[:2] for line in page.splitlines() if line.startswith("| ")][1:]
    assert [(name, says.strip(" |")) for name, says in rows] == [(kind.name, kind.value) for kind in NoteKind]


def test_every_kind_is_said_somewhere() -> None:
    texts = [path.read_text(encoding="utf-8") for path in (ROOT / "src" / "imputedb").rglob("*.py")]
    said = {name for text in texts for name in re.findall(r"NoteKind\.([A-Z_]+)", text)}
    assert said == {kind.name for kind in NoteKind}


class Talkative(Mean):
    """An imputer from outside, which names columns in its sentences."""

    name = "talkative"

    def impute_with_notes(self, rows, targets, seed, progress=None, **options):
        return self.impute(rows, targets, seed, progress, **options), [
            f"{one} is odd, {one}s are not" for one in targets
        ]


def test_sentences_of_imputers_from_outside_name_columns_as_whoever_asks_does(gaps: Database) -> None:
    Talkative.__module__ = "outside"
    for alias in ("u", "w"):
        found = gaps.sql(f"SELECT avg({alias}.x) FROM t AS {alias}", imputer=Talkative(), fit="table").report.warnings
        (note,) = [one for one in found if one.kind is NoteKind.SAID]
        assert (str(note), note.subject) == (f"{alias}.x is odd, t.xs are not", "talkative")


def test_a_note_that_names_columns_may_name_them_anew() -> None:
    note = Note(NoteKind.STAYS, Column("t", "x"), "3 cells of ", Column("t", "x"), " stay NULL")
    again = note.renamed(lambda one: one._replace(relation="u") if isinstance(one, Column) else one)
    assert (again, again.subject, again.kind) == ("3 cells of u.x stay NULL", "u.x", NoteKind.STAYS)
    assert (note.under("knn"), note.under("knn").subject) == ("knn: 3 cells of t.x stay NULL", "t.x")


@pytest.mark.parametrize(
    ("query", "options", "wanted"),
    [
        ("SELECT count(*) FROM t WHERE x > 1", {"alpha": 1}, {(NoteKind.DROPPED, "")}),
        ("SELECT avg(x) FROM t", {"m": 2, "imputer": "mean"}, {(NoteKind.IMPROPER, "mean")}),
        ("SELECT avg(a.x) FROM t a, t b WHERE a.k = 0 AND b.k = 1", {"imputer": "tree"}, {(NoteKind.CENTRE, "a.x")}),
        ("SELECT avg(x) FROM t", {"method": "bounds"}, {(NoteKind.UNPOOLED, "bounds")}),
    ],
)
def test_what_is_said_is_data(gaps: Database, query: str, options, wanted) -> None:
    report = gaps.sql(query, **options).report
    assert all(isinstance(note, Note) for note in (*report.warnings, *report.notes))
    assert wanted <= {(note.kind, note.subject) for note in (*report.warnings, *report.notes)}
