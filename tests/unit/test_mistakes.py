"""Mistakes that a person makes: each is answered by a sentence of ours that says what is wrong, where, and what to do.

The sentence is the first line; below a query's stands the place in it. It is never of another library, and never empty.
"""

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

import imputedb
from imputedb import Database, sensitivity


@dataclass(frozen=True)
class Try:
    """Where a mistake is made: a database, and a folder with files."""

    db: Database
    at: Path

    def sql(self, text: object, **wishes: object) -> object:
        return self.db.sql(text, **wishes).fetchall()  # type: ignore[arg-type]

    def load(self, *names: str, **wishes: object) -> object:
        return self.db.load(*(str(self.at / name) for name in names), **wishes)  # type: ignore[arg-type]


AVG = "SELECT avg(x) AS a FROM t"

MISTAKES: dict[str, tuple[Callable[[Try], object], str]] = {
    "a column misspelt": (lambda a: a.sql("SELECT avg(xx) FROM t"), 'did you mean "x"'),
    "a table misspelt": (lambda a: a.sql("SELECT avg(x) FROM tt"), 'did you mean "t"'),
    "a word misspelt": (lambda a: a.sql("SELCT x FROM t"), 'at or near "SELCT"'),
    "FROM forgotten": (lambda a: a.sql("SELECT avg(x)"), "FROM clause is missing"),
    "GROUP BY forgotten": (lambda a: a.sql("SELECT g, avg(x) FROM t"), "GROUP BY"),
    "two statements": (lambda a: a.sql("SELECT 1; SELECT 2"), "one statement at a time"),
    "no statement": (lambda a: a.sql(" ; "), "no statement"),
    "a query that is no text": (lambda a: a.sql(None), "it must be a text of SQL"),
    "the average of text": (lambda a: a.sql("SELECT avg(g) FROM t"), "loading with na="),
    "text compared with a number": (lambda a: a.sql(AVG + " WHERE g > 5"), "cast is required"),
    "a column without a value": (
        lambda a: a.sql("SELECT avg(a) FROM gone"),
        "leave it out, or drop those rows",
    ),
    "alpha beyond 1": (lambda a: a.sql(AVG, alpha=2), "it must be from 0"),
    "alpha as a word": (lambda a: a.sql(AVG, alpha="best"), "it is a number"),
    "no draws": (lambda a: a.sql(AVG, m=0), "it goes from 1"),
    "draws as a word": (lambda a: a.sql(AVG, m="many"), "or is 'auto'"),
    "one draw within an error": (lambda a: a.sql(AVG, m=1, error=0.5), "leave m out"),
    "an imputer that there is not": (lambda a: a.sql(AVG, imputer="forest"), "there are tree, knn"),
    "an imputer that is none": (lambda a: a.sql(AVG, imputer=int), "give a name"),
    "a seed with a fraction": (lambda a: a.sql(AVG, seed=1.5), "it is a whole number"),
    "a level in percent": (lambda a: a.sql(AVG, m=3, level=95), "such as 0.95"),
    "an interval about something else": (lambda a: a.sql(AVG, m=3, interval="both"), "'population', 'answer'"),
    "a method that there is not": (lambda a: a.sql(AVG, method="mle"), "'aipw', 'ml', 'bounds'"),
    "bounds with draws": (lambda a: a.sql(AVG, method="bounds", m=5), "leave m out"),
    "a strategy that there is not": (lambda a: a.sql(AVG, strategy="fast"), "'planned', 'base'"),
    "weights that there are not": (lambda a: a.sql(AVG, weights="w"), 'column "w" not found'),
    "clusters without draws": (lambda a: a.sql(AVG, clusters="g"), "such as m=20"),
    "flags of many draws": (lambda a: a.sql(AVG, flags=True, m=3), "leave flags or m out"),
    "intervals of one draw": (lambda a: a.db.sql(AVG).estimates, "ask for m=20"),
    "a parameter without a value": (lambda a: a.sql(AVG + " WHERE id > ?"), "give it in params"),
    "a value without a parameter": (lambda a: a.sql(AVG, params=[1]), "it has none"),
    "a parameter by another name": (lambda a: a.sql(AVG + " WHERE id > $k", params={"q": 1}), "parameter $k"),
    "a file that is not there": (lambda a: a.load("absent.csv"), "no file"),
    "a pattern without files": (lambda a: a.load("*.xyz"), "no file matches"),
    "an empty file": (lambda a: a.load("empty.csv"), "no line with a header"),
    "a ragged file": (lambda a: a.load("ragged.csv"), "mend the file"),
    "a file of another kind": (lambda a: a.load("x.docx"), "files end in .csv"),
    "a packed file": (lambda a: a.load("x.zip"), "unpack it first"),
    "a folder without data": (lambda a: a.load("nothing"), "has no file that ends in"),
    "a broken file": (lambda a: a.load("bad.parquet"), "too small to be a Parquet file"),
    "a table that is there": (lambda a: a.load("a.csv", table="t"), "replace it, or give another name"),
    "two files as one table": (lambda a: a.load("a.csv", "a.csv", table="q"), "give a pattern or a folder"),
    "codes of a column that is not there": (lambda a: a.load("a.csv", missing={"agee": [1]}), "no column 'agee'"),
    "codes as a list": (lambda a: a.load("a.csv", missing=["NA"]), "such as {'income': [77, 99]}"),
    "words as a text": (lambda a: a.load("a.csv", na="NA"), "give a list"),
    "decimals before a semicolon": (lambda a: a.load("a.csv", decimal=";"), "there are '.', ','"),
    "an encoding that there is not": (lambda a: a.load("a.csv", encoding="latin9000"), "cp1252, latin-1"),
    "a list as a table": (lambda a: a.db.register("q", [1, 2]), "a list of dictionaries"),
    "columns of two lengths": (lambda a: a.db.register("q", {"a": [1], "b": [1, 2]}), "has 1 values, and 'b' has 2"),
    "a code that the column cannot hold": (lambda a: a.db.missing("t", "x", ["many"]), "which is DOUBLE"),
    "a code that is no list": (lambda a: a.db.missing("t", "x", 99), "give a list"),  # type: ignore[arg-type]
    "a code of no column": (lambda a: a.db.missing("t", "q", [1]), "there are id, x, y, g"),
    "a policy's action misspelt": (lambda a: a.db.policy("t", "x", "imputes"), "'drop', 'keep'"),
    "a range upside down": (lambda a: a.db.policy("t", "x", low=5, high=1), "give the lower end first"),
    "no data sets": (lambda a: a.db.impute("t", a.at / "o", m=0), "it goes from 1"),
    "data sets without imputing": (lambda a: a.db.impute("t", a.at / "o", imputer="drop"), "that fills in"),
    "data sets in place of a file": (lambda a: a.db.impute("t", a.at / "a.csv"), "cannot write into"),
    "a run that is not there": (lambda a: imputedb.completed(a.at / "no"), "`imputedb impute` writes them"),
    "more hidden than there is": (lambda a: a.db.evaluate("t", share=2), "such as 0.1"),
    "subgroups of no column": (lambda a: a.db.evaluate("t", by="q"), "there are id, x, y, g"),
    "a reason of no row": (lambda a: a.db.why("t", "x", 999), "no row of t has id 999"),
    "one draw pooled by fewer variances": (lambda _: imputedb.pool([1.0, 2.0], [0.1]), "give (m, k)"),
    "a negative variance": (lambda _: imputedb.pool([1.0, 2.0], [-0.1, 0.1]), "is not negative"),
    "a file of text as a database": (lambda a: imputedb.connect(a.at / "a.csv"), "load it into one"),
    "a folder as a database": (lambda a: imputedb.connect(a.at), "name a file in it"),
    "a setting misspelt": (lambda _: imputedb.connect(config={"memry": "1GB"}), "memory_limit"),
    "a database that is closed": (lambda _: _closed().sql("SELECT 1"), "the database is closed"),
    "a format that there is not": (lambda a: a.db.sql("SELECT 1").write(str(a.at / "x"), "xls"), "'csv', 'json'"),
    "a table misspelt in a profile": (lambda a: a.db.profile("tt"), "did you mean 't'"),
    "holes without a share": (lambda a: a.db.ampute("t", "u", share=0), "such as 0.2"),
    "departures that are none": (lambda _: sensitivity.Departures("x", ()), "such as (-2, -1)"),
    "a model that there is not": (lambda a: a.db.model("vitals"), "no imputation model 'vitals'"),
}


def _closed() -> Database:
    db = imputedb.connect()
    db.close()
    return db


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Try:
    folder = tmp_path_factory.mktemp("mistakes")
    (folder / "a.csv").write_text("id,age\n1,30\n2,\n")
    (folder / "empty.csv").write_text("")
    (folder / "ragged.csv").write_text("a,b\n1\n2,3,4\n")
    for name in ("x.docx", "x.zip", "bad.parquet"):
        (folder / name).write_bytes(b"x")
    (folder / "nothing").mkdir()
    rng = np.random.default_rng(0)
    db = imputedb.connect()
    held = np.ma.masked_array(rng.normal(size=80), rng.random(80) < 0.3)
    db.register("t", {"id": np.arange(80), "x": held, "y": rng.normal(size=80), "g": ["a", "b"] * 40}, keep=True)
    db.register("gone", {"a": [None, None], "b": [1, 2]})
    return Try(db, folder)


def test_there_are_many() -> None:
    assert len(MISTAKES) >= 60


@pytest.mark.parametrize(("make", "words"), MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_is_answered(place: Try, make: Callable[[Try], object], words: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with pytest.raises(imputedb.Error) as told:
            make(place)
    assert words in str(told.value)
    assert not isinstance(told.value, imputedb.InternalError)
    assert "duckdb." not in str(told.value)
    assert place.sql("SELECT count(*) FROM t") == [(80,)]
