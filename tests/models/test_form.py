"""The two forms of a kept model give a cell the same value, and EXPLAIN says which one is taken and why."""

from collections.abc import Iterator

import pytest

import imputedb
from imputedb.execution import form, imputed_columns

TABLE = """
CREATE TABLE t AS SELECT i AS id, CASE WHEN i % 5 > 0 THEN i * 1.5 + (i * 7) % 11 END AS x,
CASE WHEN i % 7 > 0 THEN i + (i * 3) % 13 END AS y, CASE WHEN i % 11 > 0 THEN i % 4 = 1 OR i > 500 END AS b,
CASE WHEN i % 6 > 0 THEN substr('abc', 1 + (i * i) % 3, 1) END AS c,
CASE WHEN i % 9 > 0 THEN DATE '2020-01-01' + CAST(i + i % 17 AS INTEGER) END AS d,
CASE WHEN i % 4 > 0 THEN CAST(i / 3 AS DECIMAL(9, 2)) END AS n, CASE WHEN i % 10 > 0 THEN CAST(i AS FLOAT) / 7 END AS f
FROM range(700) r(i)
"""
COLUMNS = ("x", "y", "b", "c", "d", "n", "f")


@pytest.fixture
def db() -> Iterator[imputedb.Database]:
    with imputedb.connect() as found:
        found.execute(TABLE)
        yield found


def forced(monkeypatch: pytest.MonkeyPatch, *, written: bool) -> list[str]:
    """Takes one form wherever there is one; the columns that have it."""
    taken: list[str] = []

    def only(model: form.ModelTable, column: str, draw: int | None) -> form.FillForm:
        with monkeypatch.context() as patch:
            patch.setattr(form.price, "evaluating", lambda *_: 0.0 if written else 1e9)
            patch.setattr(form.ModelTable, "is_applied", lambda *_: False)
            found = form.form(model, column, draw)
        taken.extend([column] if found.fill else [])
        return found

    monkeypatch.setattr(imputed_columns, "form", only)
    return taken


@pytest.mark.sampled(2)
@pytest.mark.parametrize(("imputer", "columns"), [("mean", COLUMNS), ("norm", COLUMNS), ("tree", ("b",))])
def test_both_forms_give_every_cell_the_same_value(
    db: imputedb.Database, imputer: str, columns: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    db.sql(f"CREATE IMPUTATION MODEL m ON t ({', '.join(columns)}) USING {imputer} WITH (draws = 1)")
    queries = [f"SELECT id, {', '.join(columns)} FROM t ORDER BY id"]
    inner = "(SELECT * FROM t WHERE id % 2 = 0) b"
    queries += [f"SELECT id, a.b, b.b AS z FROM t a JOIN {inner} USING (id) ORDER BY id LIMIT 50"]
    assert not forced(monkeypatch, written=False)
    values = [db.sql(query, fit="table").fetchall() for query in queries]
    taken = forced(monkeypatch, written=True)
    expressions = [db.sql(query, fit="table").fetchall() for query in queries]
    assert len(set(taken)) == len(columns)
    for query, some, others in zip(queries, values, expressions, strict=True):
        assert some == others, query


def test_a_fresh_fit_above_reads_what_an_expression_gives(
    db: imputedb.Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    db.sql("CREATE IMPUTATION MODEL m ON t (x) USING norm WITH (draws = 1)")
    db.execute("CREATE TABLE u AS SELECT id, CASE WHEN id % 3 > 0 THEN id * 2.5 END AS w FROM t")
    query = "SELECT id, x, w FROM t JOIN u USING (id) ORDER BY id"
    forced(monkeypatch, written=False)
    values = db.sql(query, imputer="norm").fetchall()
    taken = forced(monkeypatch, written=True)
    assert db.sql(query, imputer="norm").fetchall() == values
    assert "x" in taken


def test_both_forms_say_the_same_of_a_model(db: imputedb.Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of rows that lack other columns than any did at the fit, and of a table that has changed since."""
    db.execute("CREATE TABLE u AS SELECT * FROM t WHERE x IS NOT NULL AND (n IS NULL OR f IS NOT NULL)")
    db.sql("CREATE IMPUTATION MODEL m ON u (y, n) USING norm WITH (draws = 1)")
    db.execute("INSERT INTO u SELECT * FROM t WHERE x IS NULL OR (n IS NOT NULL AND f IS NULL)")
    queries = (
        "SELECT avg(y) FROM u",
        "SELECT avg(n), avg(y) FROM u",
        "SELECT count(*) FROM u WHERE id > 3",
    )
    forced(monkeypatch, written=False)
    values = [db.sql(query, fit="table").report.warnings for query in queries]
    taken = forced(monkeypatch, written=True)
    expressions = [db.sql(query, fit="table").report.warnings for query in queries]
    assert {"y", "n"} == set(taken)
    assert any("fewer columns" in one for one in values[0])
    assert [sorted(map(str, one)) for one in expressions] == [sorted(map(str, one)) for one in values]


def test_rows_that_came_later_are_filled_in_by_the_expression(
    db: imputedb.Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    db.sql("CREATE IMPUTATION MODEL m ON t (x) USING norm WITH (draws = 1)")
    db.execute("INSERT INTO t (id, n) VALUES (10000, 44)")
    query = "SELECT x FROM t WHERE id = 10000"
    forced(monkeypatch, written=True)
    (row,) = db.sql(query, fit="table").fetchall()
    forced(monkeypatch, written=False)
    assert db.sql(query, fit="table").fetchall() == [row]
    given = db.model("m").apply([{**dict.fromkeys(COLUMNS), "id": 10000, "n": 44}])
    assert row == (given[0]["x"],)


def test_explain_says_which_form_is_taken_and_why(db: imputedb.Database) -> None:
    db.sql("CREATE IMPUTATION MODEL one ON t (x) USING mean WITH (draws = 1)")
    assert "t.x: model one@1, an expression: about" in db.explain("SELECT avg(x) FROM t", fit="table").text
    db.sql("CREATE IMPUTATION MODEL two ON t (y) USING tree WITH (draws = 1)")
    text = db.explain("SELECT avg(y) FROM t", fit="table").text
    assert "t.y: model two@1, values beside the table: about" in text
    db.sql("SELECT avg(y) FROM t", fit="table")
    assert "they are there already" in db.explain("SELECT avg(y) FROM t", fit="table").text
    assert "draws are made once" in db.explain("SELECT avg(x) FROM t WHERE x > 3", fit="table").text
    assert db.explain("SELECT avg(y) FROM t", fit="table").data()["kept"].keys() == {"t.y"}


def test_no_row_is_asked_for_what_all_rows_have_until_one_lacks_it(
    db: imputedb.Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Infinite numbers and categories that the model does not know count as missing."""
    db.execute("CREATE TABLE v AS SELECT id, y, CAST(id AS DOUBLE) AS w, 'k' || id % 3 AS k FROM t")
    db.sql("CREATE IMPUTATION MODEL m ON v (y) USING norm WITH (draws = 1)")
    query = "SELECT id, y FROM v ORDER BY id"
    changes = (
        "SELECT 1",
        "INSERT INTO v VALUES (1000, NULL, 3, 'never seen')",
        "INSERT INTO v VALUES (1001, NULL, 'inf', 'k1'), (1002, NULL, 4, NULL), (1003, NULL, 'nan', 'k2')",
        "UPDATE v SET k = NULL, w = NULL WHERE id % 5 = 0",
    )
    for change in changes:
        db.execute(change)
        forced(monkeypatch, written=False)
        values = db.sql(query, fit="table").fetchall()
        taken = forced(monkeypatch, written=True)
        assert db.sql(query, fit="table").fetchall() == values, change
        assert taken == ["y"]


def test_columns_that_have_changed_their_type_take_no_expression(
    db: imputedb.Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    db.sql("CREATE IMPUTATION MODEL m ON t (x) USING norm WITH (draws = 1)")
    db.execute("ALTER TABLE t ALTER n TYPE DOUBLE")
    taken = forced(monkeypatch, written=True)
    db.sql("SELECT avg(x) FROM t", fit="table")
    assert not taken
