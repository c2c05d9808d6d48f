"""A macro means what its text means: the same numbers, intervals and names of columns."""

import numpy as np
import pytest

import imputedb
from imputedb import Database

FORMS = {
    "geomean(x)": "exp(avg(ln(x)))",
    "geometric_mean(t.x)": "exp(avg(ln(x)))",
    "geomean(x) + 1": "exp(avg(ln(x))) + 1",
    "middle(x)": "avg(x)",
    "avg(twice(x))": "avg(x * 2)",
    "twice(avg(x))": "avg(x) * 2",
    "around(x)": "avg(x * 2)",
    "either(x)": "avg(x)",
    "either(x, y)": "sum(x * y)",
    "sum(zero(x))": "sum(coalesce(x, 0))",
}


@pytest.fixture(scope="module")
def db() -> Database:
    rng = np.random.default_rng(0)
    x = rng.normal(10, 2, 120)
    found = imputedb.connect()
    found.register("t", {"x": np.ma.masked_array(x, rng.random(120) < 0.3), "y": x + rng.normal(size=120),
                         "g": rng.integers(0, 3, 120)}, keep=True)  # fmt: skip
    for text in ("middle(v) AS avg(v)", "twice(a) AS a * 2", "around(a) AS avg(twice(a))",
                 "either(a) AS avg(a), (a, b) AS sum(a * b)", "zero(v) AS coalesce(v, 0)"):  # fmt: skip
        found.execute(f"CREATE MACRO {text}")
    return found


@pytest.mark.parametrize("m", [1, 4])
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("around", ["SELECT {} FROM t", "SELECT g, {} FROM t GROUP BY g ORDER BY g",
                                    "SELECT * FROM (SELECT {} FROM t) AS q"])  # fmt: skip
def test_a_macro_is_its_text(db: Database, form: str, around: str, m: int) -> None:
    named, plain = db.sql(around.format(form), m=m), db.sql(around.format(FORMS[form]), m=m)
    assert [
        [pytest.approx(cell, rel=1e-12, nan_ok=True) if isinstance(cell, float) else cell for cell in row]
        for row in plain
    ] == [list(row) for row in named]
    shown = [name for (name, *_) in db.execute(f"DESCRIBE {around.format(form)}")]
    assert [name for name in named.columns if name in shown] == shown
    if "q" not in around:
        assert named.report.notes == plain.report.notes == ()


def test_a_weighted_mean_has_an_interval_over_completed_values(db: Database) -> None:
    """DuckDB's macro leaves out weights of NULL: none is left once values are filled in."""
    plain = db.sql("SELECT sum(x * y) / sum(y) AS w FROM t", m=4).fetchall()
    assert db.sql("SELECT weighted_avg(x, y) AS w FROM t", m=4).fetchall() == plain


def test_what_a_macro_reads_of_a_table_is_still_refused(db: Database) -> None:
    db.execute("CREATE MACRO more(v) AS v + (SELECT max(x) FROM t)")
    with pytest.raises(imputedb.Unplanned, match="the macro more reads t"):
        db.sql("SELECT avg(more(x)) FROM t")
