"""Notes: sentences to whoever reads them, and data to code that decides by them."""

import copy
import json
import pickle

import numpy as np
import pytest

from imputedb import Database, QueryError
from imputedb.notes import Kind, Note, is_of

NOTE = Note(Kind.AS_WRITTEN, "ANTI JOIN", "as it is written: ANTI JOIN")


def test_a_note_is_a_text_like_any_other() -> None:
    assert NOTE == "as it is written: ANTI JOIN"
    assert json.dumps([NOTE]) == '["as it is written: ANTI JOIN"]'
    assert len({NOTE, str(NOTE)}) == 1


@pytest.mark.parametrize("again", [copy.copy, copy.deepcopy, lambda note: pickle.loads(pickle.dumps(note))])
def test_a_copy_of_it_says_the_same_of_the_same(again) -> None:
    note = again(NOTE)
    assert (note, note.kind, note.subject) == (NOTE, Kind.AS_WRITTEN, "ANTI JOIN")


def test_words_alone_are_of_no_kind() -> None:
    assert is_of(Kind.AS_WRITTEN, NOTE)
    assert not is_of(Kind.UNPOOLED, NOTE)
    assert not is_of(Kind.AS_WRITTEN, str(NOTE))


@pytest.fixture
def gaps(db: Database) -> Database:
    db.register("t", {"k": np.arange(9), "x": np.ma.masked_array(np.arange(9.0), np.arange(9) % 3 == 0)})
    return db


def test_why_there_are_no_intervals_is_found_by_its_kind(gaps: Database) -> None:
    rows = gaps.sql("SELECT k, x FROM t", m=3, imputer="norm")
    assert any(is_of(Kind.UNPOOLED, note) for note in rows.report.notes)
    with pytest.raises(QueryError, match="no intervals: the outermost block is no aggregation"):
        _ = rows.estimates


def test_why_a_block_is_not_planned_is_its_subject(gaps: Database) -> None:
    found = gaps.sql("SELECT count(*) FROM t a ANTI JOIN t b ON a.x = b.x", imputer="mean")
    (words,) = [plan for _, plan in found.blocks if isinstance(plan, Note)]
    assert (words.kind, words.subject) == (Kind.AS_WRITTEN, "ANTI JOIN")
    assert any(note.startswith("not planned: ANTI JOIN") for note in found.report.notes)
