"""The same rows have the same values, whatever they are called and wherever they come in."""

from itertools import combinations, product

import numpy as np
import pytest

import imputedb

IMPUTERS = ("tree", "knn", "norm", "pmm", "hotdeck", "mean")

QUERIES = (
    ("SELECT id, x, c FROM {} ORDER BY id", 1),
    ("SELECT median(x * y), count(*) FILTER (c = 'b' AND x > 0) FROM {}", 1),
    ("SELECT c, avg(x * y) FROM {} GROUP BY c ORDER BY c", 3),
)

PAIRS = (
    ("t", "u"),
    ("t AS zz", "u AS aa"),
    ("t AS aa", "u AS zz"),
    ("vt AS b", "vu AS a"),
    ("(SELECT * FROM t) AS q", "(SELECT * FROM u) AS p"),
    ("'{folder}/t.parquet' AS zz", "'{folder}/u.parquet' AS aa"),
    ("'{folder}/t.parquet' AS aa", "u"),
)


def _frame(seed: int, rows: int = 90) -> dict[str, object]:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=rows)
    c = np.where(x + rng.normal(size=rows) > 0, "a", "b").astype(object)
    columns = {"x": x, "y": np.round(x + rng.normal(size=rows), 6), "c": c}
    gaps = {name: rng.random(rows) < 0.3 for name in columns}
    return {"id": rng.permutation(rows)} | {n: np.ma.masked_array(v, gaps[n]) for n, v in columns.items()}


def _rounded(rows: list[tuple[object, ...]]) -> list[tuple[object, ...]]:
    """Rows without the last digits of sums, which depend on the order of adding."""
    return [tuple(float(f"{v:.9g}") if isinstance(v, float) else v for v in row) for row in rows]


@pytest.fixture(scope="module")
def db(tmp_path_factory):
    folder = tmp_path_factory.mktemp("entrances")
    with imputedb.connect() as db:
        frame, other = _frame(1), _frame(2)
        db.register("t", frame)
        db.register("registered", frame)
        db.register("u", {"id": other["id"], "x": other["x"], "w": other["y"]})
        for name in "tu":
            db.execute(f"CREATE VIEW v{name} AS FROM {name}")
            db.execute(f"COPY {name} TO '{folder}/{name}.parquet'")
        db.execute(f"COPY t TO '{folder}/t.csv'")
        db.execute("CREATE SCHEMA s; CREATE TABLE s.elsewhere AS FROM t")
        db.folder = str(folder)
        yield db


def _entrances(folder: str) -> list[tuple[str, str]]:
    """What stands before the query, and what stands in FROM."""
    nested = ("zz", "vt", "(SELECT * FROM t) AS q", "registered", "s.elsewhere AS w", "(FROM vt AS i) AS o")
    files = (f"'{folder}/t.parquet'", f"read_csv('{folder}/t.csv') AS r", f"read_parquet('{folder}/t.parquet')")
    ctes = ("WITH c AS (FROM t) ", "WITH c AS MATERIALIZED (SELECT * FROM t) ", "WITH c(id, x, y, c) AS (FROM t AS o) ")
    plain = [("", "t AS zz" if name == "zz" else name) for name in nested]
    return [*plain, *(("", name) for name in files), *((cte, "c AS d") for cte in ctes)]


@pytest.mark.sampled(6)
@pytest.mark.parametrize("imputer", IMPUTERS)
def test_an_entrance_changes_no_answer(db, imputer: str) -> None:
    for text, m in QUERIES:
        wanted = db.sql(text.format("t"), imputer=imputer, m=m).fetchall()
        for before, source in _entrances(db.folder):
            found = db.sql(before + text.format(source), imputer=imputer, m=m).fetchall()
            assert _rounded(found) == _rounded(wanted), (source, text)


@pytest.mark.sampled(6)
@pytest.mark.parametrize("imputer", IMPUTERS)
def test_names_of_joined_tables_change_no_answer(db, imputer: str) -> None:
    for pairs, m in product(PAIRS, (1, 3)):
        first, second = (one.format(folder=db.folder) for one in pairs)
        left, right = (one.split()[-1] for one in pairs)
        text = "SELECT median({0}.x * {1}.x), avg({0}.y * {1}.w) FROM {2} JOIN {3} ON {0}.id = {1}.id"
        wanted = db.sql(text.format("t", "u", "t", "u"), imputer=imputer, m=m).fetchall()
        found = db.sql(text.format(left, right, first, second), imputer=imputer, m=m).fetchall()
        assert _rounded(found) == _rounded(wanted), pairs


@pytest.mark.parametrize("imputer", IMPUTERS)
@pytest.mark.parametrize(
    "arms", ["t AS a JOIN t AS b", "t AS b JOIN vt AS a", "(SELECT id, x FROM t) AS a JOIN t AS b"]
)
def test_a_cell_has_one_value_in_both_arms(db, imputer: str, arms: str) -> None:
    text = f"SELECT count(*), count(*) FILTER (a.x = b.x), sum(abs(a.x - b.x)) FROM {arms} ON a.id = b.id"
    assert db.sql(text, imputer=imputer).fetchall() == [(90, 90, 0.0)]
    assert db.sql(text, imputer=imputer, m=3).fetchall()[0][:1] == (90,)
    text = f"SELECT a.id, a.x, b.x FROM {arms} ON a.id = b.id"
    assert all(one == other for _, one, other in db.sql(text, imputer=imputer).fetchall())


@pytest.mark.parametrize("imputer", IMPUTERS)
def test_hidden_cells_do_not_depend_on_the_name_of_the_table(db, imputer: str) -> None:
    scores = [db.evaluate(name, imputer=imputer).scores for name in ("t", "registered")]
    assert [(one.column, one.cells, one.error) for one in scores[0]] == [
        (one.column, one.cells, one.error) for one in scores[1]
    ]


def _drawn(db: imputedb.Database, table: str, order: str = "id") -> list[object]:
    text = f"SELECT y, x FROM {table} WHERE x > -9 AND y > -9 ORDER BY {order}"
    return db.sql(text, imputer="norm", fit="auto").fetchall()


def test_models_of_tables_of_one_name_in_two_databases_share_no_random_numbers() -> None:
    """The error of the difference of their means was half of what it is: their draws erred together."""
    frame = _frame(3)
    with imputedb.connect() as db:
        for catalog in ("north", "south"):
            db.execute(f"ATTACH ':memory:' AS {catalog}")
            db.register("rows", frame)
            db.execute(f"CREATE TABLE {catalog}.t AS FROM rows")
            db.sql(f"CREATE IMPUTATION MODEL in_{catalog} ON {catalog}.t (x, y) USING norm WITH (draws = 2)")
        pairs = zip(_drawn(db, "north.t"), _drawn(db, "south.t"), strict=True)
        same = sum(one == other for one, other in pairs)
        whole = db.execute("SELECT count(*) FROM rows WHERE x IS NOT NULL AND y IS NOT NULL")[0][0]
        assert same == whole


def test_tables_that_begin_alike_share_no_draws_where_rows_have_times(tmp_path) -> None:
    rng = np.random.default_rng(5)
    with imputedb.connect() as db:
        db.execute("ATTACH ':memory:' AS north")
        drawn = {}
        for name in ("panel", "other", "north.panel"):
            x = rng.normal(size=60)
            x[0], gone = 0.0, (np.arange(60) % 3 > 0) & (np.arange(60) > 5)
            db.register(
                "rows", {"id": np.arange(60), "day": np.arange(60), "x": np.ma.masked_array(x, gone)}, replace=True
            )
            db.execute(f"CREATE TABLE {name} AS FROM rows")
            db.sql(f"CREATE IMPUTATION POLICY ON {name}(x) BEFORE day")
            found = db.impute(name, tmp_path / name, m=1, imputer="norm").frame(1)
            drawn[name] = found["x"].to_numpy()[gone]
        for one, other in combinations(drawn.values(), 2):
            assert abs(np.corrcoef(one, other)[0, 1]) < 0.6
        before = db._engine.statistics(db._engine.named("panel")).content
        db.execute("UPDATE panel SET x = 99 WHERE day = 57; DELETE FROM panel WHERE day > 58")
        assert db._engine.statistics(db._engine.named("panel")).content == before
