"""Models as text for several engines: DuckDB runs its own, and PostgreSQL's where it reads that."""

import duckdb
import numpy as np
import pytest

import imputedb
from imputedb.algebra.column import Column
from imputedb.errors import DataError
from imputedb.imputers.rows import Cells, Rows
from imputedb.models.dialect import Name, sql
from imputedb.models.feature import Feature
from imputedb.models.fitted import Fitted
from imputedb.models.function import CategoryTerm, Forest, NumberTerm, Scores, Sum
from imputedb.models.learning import fit
from imputedb.models.target import FitSettings, Target
from imputedb.statistics.table import Kind
from tests.models.test_expression import stored, strange
from tests.models.test_fitted import TARGETS, rows

SMALL_TREE = Forest.of(
    [
        [0],
        [0, 1, -1, -1, -1],
        [2.5, 0.0, 0.5, -1.0, 0.25],
        [1, 3, 0, 0, 0],
        [2, 4, 0, 0, 0],
        [1, 0, 0, 0, 0],
        [-1, 0, -1, -1, -1],
        [0b10],
    ]
)
SMALL = Fitted(
    FitSettings(),
    1,
    (
        Feature(Column("t", "it's"), "DOUBLE", Kind.NUMBER, (), False, 0, 9),
        Feature(Column("t", "c"), "VARCHAR", Kind.CATEGORY, ("a'b", "back\\slash"), False, 0, 0),
        Feature(Column("t", "y"), "INTEGER", Kind.INTEGER, (), False, -5, 5),
    ),
    (
        Target(2, Sum(0.1, (NumberTerm(0, 1.0, 2.0, 0.5), CategoryTerm(1, (1.0, 2.0), 0.0)), 0.0, SMALL_TREE), ()),
        Target(1, Scores((0, 1), (Sum(0.0), Sum(1.0, (NumberTerm(0, 0.0, 1.0),)))), ()),
    ),
)


@pytest.mark.parametrize("dialect", ["duckdb", "postgres"])
def test_duckdb_gets_what_the_model_gives(dialect: Name) -> None:
    model = fit(rows(), TARGETS, {}, FitSettings("tree", draws=1))
    given = strange(5)
    values = model.values(model.aligned(given))
    with duckdb.connect() as connection:
        stored(connection, given)
        for target in model.targets:
            feature = model.features[target.feature]
            name = feature.column.name
            found = connection.execute(f"SELECT {sql(model, target, dialect)} FROM t WHERE {name} IS NULL").fetchall()
            wanted = values[feature.column].tolist()
            if feature.levels:
                wanted = [feature.levels[code] for code in wanted]
            assert [value for (value,) in found] == wanted


@pytest.mark.parametrize("dialect", ["duckdb", "postgres", "spark", "bigquery", "snowflake"])
def test_names_and_texts_are_quoted_as_each_engine_reads_them(dialect: Name) -> None:
    text = sql(SMALL, SMALL.targets[0], dialect)
    quote = "`" if dialect in ("spark", "bigquery") else '"'
    assert f"{quote}it's{quote}" in text
    assert ("'a''b'" if dialect in ("duckdb", "postgres") else "'a\\'b'") in text
    assert ("'back\\slash'" if dialect in ("duckdb", "postgres") else "'back\\\\slash'") in text
    assert "0.1" in text
    assert " 0.1 " not in text  # which is a decimal somewhere: numbers are cast from text


def test_what_has_no_expression_is_refused_by_name() -> None:
    model = fit(rows(), TARGETS, {}, FitSettings("pmm", draws=1))
    target = next(one for one in model.targets if model.features[one.feature].column.name == "y")
    with pytest.raises(DataError, match=r"what gives t\.y has no expression"):
        sql(model, target)
    moments = Cells(np.arange(600), np.zeros(600, bool), Kind.TIMESTAMP)
    given = rows()
    given = Rows({**given.columns, Column("t", "at"): moments}, given.keys)
    model = fit(given, TARGETS, {}, FitSettings("norm", draws=1))
    with pytest.raises(DataError, match=r"t\.at is timestamp"):
        sql(model, model.targets[0], "spark")
    model = fit(given, TARGETS, {}, FitSettings("mean", draws=1))
    assert "at" not in sql(model, model.targets[0], "spark")  # what is not read is no matter


@pytest.mark.parametrize("imputer", ["mean", "norm", "tree"])
def test_dates_are_read_and_given(imputer: str) -> None:
    with imputedb.connect() as db:
        db.execute(
            "CREATE TABLE t AS SELECT i AS id, CASE WHEN i % 5 > 0 THEN CAST(i % 90 AS DOUBLE) + i % 7 END AS x, "
            "CASE WHEN i % 4 > 0 THEN DATE '1969-11-20' + CAST(i % 90 AS INTEGER) END AS d FROM range(400) r(i)"
        )
        db.sql(f"CREATE IMPUTATION MODEL m ON t USING {imputer} WITH (draws = 1)")
        texts = db.model("m").sql("duckdb")
        assert sorted(texts) == ["d", "x"]
        for name, text in texts.items():
            query = f"SELECT id, {name} FROM t ORDER BY id"
            written = f"SELECT id, coalesce({name}, {text}) FROM t ORDER BY id"
            assert db.execute(written) == db.sql(query, fit="table").fetchall()
        assert texts["d"].startswith("(DATE '1970-01-01' + CAST(")


EVERY_TYPE = """
    SELECT i AS id, CASE WHEN i % 11 = 0 THEN -9 ELSE i % 7 END AS x,
        CASE WHEN i % 5 > 0 THEN CAST(i % 7 + hash(i) % 40 / 8.0 AS DECIMAL(9, 2)) END AS money,
        CASE WHEN i % 4 > 0 THEN CAST(i % 7 + hash(i, 1) % 40 / 8.0 AS FLOAT) END AS small,
        CASE WHEN i % 6 > 0 THEN CAST(i % 7 + hash(i, 2) % 5 AS SMALLINT) END AS whole,
        CASE WHEN i % 3 > 0
             THEN ['low', 'it''s', 'top'][CAST((i % 7 + hash(i, 3) % 3) // 3 + 1 AS INTEGER)] END AS word,
        CASE WHEN i % 8 > 0 THEN i % 7 + hash(i, 4) % 3 > 4 END AS flag,
        CASE WHEN i % 9 > 0 THEN DATE '1969-12-20' + CAST(i % 7 + hash(i, 5) % 9 AS INTEGER) END AS day,
        TIMESTAMP '2020-01-01' AS seen FROM range(200) r(i)
"""
TYPED = ("money", "small", "whole", "word", "flag", "day")


def every_type(imputer: str) -> imputedb.Database:
    """A table with a column of every type that texts are written of, a declared value, and a model of all of them."""
    db = imputedb.connect()
    db.execute(f"CREATE TABLE t AS {EVERY_TYPE}")
    db.missing("t", "x", [-9])
    db.sql(f"CREATE IMPUTATION MODEL m ON t ({', '.join(TYPED)}) USING {imputer} WITH (draws = 1)")
    return db


@pytest.mark.sampled(2)
@pytest.mark.parametrize("imputer", ["mean", "norm", "tree"])
def test_values_are_those_of_answers_in_type_too_and_declared_ones_are_missing(imputer: str) -> None:
    with every_type(imputer) as db:
        for name, text in db.model("m").sql().items():
            written = db.execute(f"SELECT coalesce({name}, {text}) AS v FROM t ORDER BY id")
            assert written == db.sql(f"SELECT {name} FROM t ORDER BY id", fit="table").fetchall(), name
        applied = db.model("m").apply(
            dict(
                zip(
                    ("id", "x", *TYPED, "seen"),
                    map(list, zip(*db.execute("FROM t ORDER BY id"), strict=True)),
                    strict=True,
                )
            )
        )
        for name in TYPED:
            assert applied[name] == [v for (v,) in db.sql(f"SELECT {name} FROM t ORDER BY id", fit="table").fetchall()]


@pytest.mark.parametrize("dialect", ["postgres", "spark", "bigquery", "snowflake"])
def test_what_is_written_parses_in_its_dialect(dialect: Name) -> None:
    sqlglot = pytest.importorskip("sqlglot")
    three = Scores((0, 1, 2), (Sum(0.0), Sum(1.0, (NumberTerm(0, 0.0, 1.0),)), Sum(0.5)))
    word = Feature(Column("t", "w"), "VARCHAR", Kind.CATEGORY, ("it's", "b", "c"), False, 0, 0)
    money = Feature(Column("t", "m"), "DECIMAL(38,9)", Kind.NUMBER, (), False, -5, 5)
    features, tree = (*SMALL.features, word, money), SMALL.targets[0].expected
    model = Fitted(FitSettings(), 1, features, (*SMALL.targets, Target(3, three, ()), Target(4, tree, ())))
    for target in model.targets:
        text = sql(model, target, dialect, {"it's": ["-9"], "c": ["none"]})
        assert sqlglot.parse_one(f"SELECT {text} FROM t", read=dialect).find(sqlglot.exp.Select)
        assert "'-9.0'" in text


@pytest.mark.parametrize(
    ("dialect", "day"),
    [
        ("postgres", "(DATE '1970-01-01' + CAST("),
        ("spark", "date_from_unix_date(CAST("),
        ("bigquery", "DATE_FROM_UNIX_DATE(CAST("),
        ("snowflake", "DATEADD('day', CAST("),
    ],
)
def test_each_engine_counts_days_in_its_own_way(dialect: Name, day: str) -> None:
    goal = Feature(Column("t", "d"), "DATE", Kind.DATE, (), False, -10, 10)
    model = Fitted(FitSettings(), 1, (goal,), (Target(0, Sum(1.0), ()),))
    assert sql(model, model.targets[0], dialect).startswith(day)
