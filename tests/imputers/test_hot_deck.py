"""The hot deck within classes: none loses its donors to a bootstrap, each draw knows them as little as it should."""

import numpy as np
import pytest

import imputedb
from imputedb.algebra.column import Column
from imputedb.errors import QueryError, UnknownName
from imputedb.imputers.hot_deck import HotDeck
from imputedb.imputers.order import named
from imputedb.imputers.rows import Cells, Rows
from imputedb.statistics.table import Kind

X, G = Column("t", "x"), Column("t", "g")


def _rows(sizes: tuple[int, ...], donors: tuple[int, ...]) -> Rows:
    """Classes of so many rows and donors, whose values are hundreds of the class."""
    g = np.repeat(np.arange(len(sizes)), sizes)
    place = np.concatenate([np.arange(size) for size in sizes])
    x = 100.0 * g + place
    gone = place >= np.asarray(donors)[g]
    keys = np.random.default_rng(0).permutation(len(g)).astype(np.uint64)
    return Rows({X: Cells(x, gone, Kind.NUMBER), G: Cells(g, np.zeros(len(g), bool), Kind.INTEGER)}, keys)


def test_a_class_of_one_donor_takes_it_in_every_draw() -> None:
    rows = _rows((5, 40, 60), (1, 2, 30))
    gone = rows.columns[X].missing
    classes = rows.columns[G].values[gone]
    for draw in range(1, 60):
        values = HotDeck(by=("g",)).impute(rows, [X], 0, drawn=[X], draw=draw)[X]
        assert (values // 100 == classes).all()
        assert (values[classes == 0] == 0).all()


@pytest.mark.parametrize("donors", [5, 20])
def test_means_of_a_class_differ_over_draws_as_a_bootstrap_within_it_says(donors: int) -> None:
    """The variance of a mean of k cells: s^2 / n of the bootstrapped mean, s^2 (1 - 1 / n) / k of drawing from it."""
    rows = _rows((donors + 30, 80), (donors, 50))
    first = rows.columns[G].values[rows.columns[X].missing] == 0
    means = [HotDeck(by=("g",)).impute(rows, [X], 0, drawn=[X], draw=draw)[X][first].mean() for draw in range(1, 1001)]
    spread = np.arange(donors).var()
    wanted = spread / donors + spread * (1 - 1 / donors) / 30
    assert np.var(means) == pytest.approx(wanted, rel=0.2)


def test_classes_are_named_in_any_case_by_table_or_alias_and_never_in_doubt() -> None:
    with imputedb.connect() as db:
        db.execute(
            "CREATE TABLE people AS SELECT i AS id, i % 2 AS Sex, CASE WHEN i % 5 > 0 THEN i % 2 END AS x "
            "FROM range(60) r(i)"
        )
        db.policy("people", "Sex", measure="nominal")
        for name in ("sex", "SEX", "people.sex", "p.Sex"):
            found = db.sql("SELECT p.Sex, p.x FROM people p WHERE x >= 0", imputer=HotDeck(by=(name,))).fetchall()
            assert len(found) == 60
            assert all(sex == x for sex, x in found)
        db.execute("CREATE TABLE pets AS SELECT id, 1 - Sex AS sex FROM people")
        joined = "SELECT people.Sex, x FROM people JOIN pets USING (id) WHERE x >= 0"
        assert all(sex == x for sex, x in db.sql(joined, imputer=HotDeck(by=("sex",))).fetchall())
        db.policy("people", "x", exclude=["Sex"])
        with pytest.raises(UnknownName, match=r"'sex'.*EXCLUDE"):
            db.sql("SELECT x FROM people", imputer=HotDeck(by=("sex",))).fetchall()


def test_a_name_that_several_columns_have_is_refused() -> None:
    columns = [Column("p", "sex"), Column("q", "sex")]
    with pytest.raises(QueryError, match=r"p\.sex or q\.sex"):
        named("sex", columns)
    assert named("q.SEX", columns) == columns[1]
    assert named("sex", columns, [Column("q", "x")]) == columns[1]
