"""What the name of a table means: the same to every function as to DuckDB, whatever is attached, temporary or set."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from tempfile import TemporaryDirectory

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import imputedb
from imputedb import Database
from tests.properties.amount import examples

PLACES = ("memory.main", "memory.s", "memory.d", "d.main", "d.s", "temp.main")
PATHS = [
    *("t", "T", '"t"', "s.t", "S.T", "main.t", "d.t", "memory.t", "temp.t", "d.s.t", "memory.s.t", "d.main.t"),
    *("v", "s.v", "d.v", "d.s.v", "memory.main.v", "main.v", "temp.v", '"t.csv"', 's."t.csv"', "u", "s.u", "d.u"),
]
SETTINGS = ("", "USE d", "USE d.s", "USE memory.s", "SET schema = 's'", "SET search_path = 'd.s,memory.main'")


@dataclass(frozen=True)
class World:
    """Statements that make tables and views of a few names in many places, and what is set."""

    statements: tuple[str, ...]


@st.composite
def worlds(draw: st.DrawFn) -> World:
    made = ["CREATE SCHEMA s", "ATTACH ':memory:' AS d", "CREATE SCHEMA d.s"]
    made += ["CREATE SCHEMA memory.d"] if draw(st.booleans()) else []
    places = [place for place in PLACES if place != "memory.d" or "CREATE SCHEMA memory.d" in made]
    rows = 2
    for place in places:
        for name in ("t", "u", '"t.csv"'):
            if draw(st.booleans()):
                rows += 1
                made.append(
                    f"CREATE TABLE {place}.{name} AS SELECT {rows}.5 AS x FROM range({rows}) UNION ALL SELECT NULL"
                )
    for place in places:
        if draw(st.booleans()):
            read = draw(st.sampled_from(["t", "s.t", "main.t", "u", "d.s.t", "memory.main.t"]))
            made.append(f"CREATE VIEW {place}.v AS SELECT x FROM {read}")
        if draw(st.integers(0, 3)) == 0:
            made.append(f"CREATE VIEW {place}.u AS SELECT x + 100 AS x FROM {draw(st.sampled_from(['t', 'v', 's.v']))}")
    made.append(draw(st.sampled_from(SETTINGS)))
    return World(tuple(statement for statement in made if statement))


@contextmanager
def loaded(world: World) -> Iterator[Database]:
    with imputedb.connect() as db:
        for statement in world.statements:
            try:
                db.execute(statement)
            except imputedb.Error:  # such as a view of what is not there, or a name that is taken
                continue
        yield db


def plain(db: Database, query: str) -> list[tuple[object, ...]] | None:
    try:
        return db.execute(query)
    except imputedb.Error:
        return None


@settings(max_examples=examples(10), deadline=None, suppress_health_check=(HealthCheck.too_slow,))
@given(worlds(), st.lists(st.sampled_from(PATHS), min_size=3, max_size=8))
def test_a_query_reads_what_duckdb_reads(world: World, paths: list[str]) -> None:
    """A column of one value and a NULL: its mean is that value, so that the answer tells which table was read."""
    with loaded(world) as db:
        for path in paths:
            expected = plain(db, f"SELECT avg(x), min(x) FROM {path}")
            if expected is not None:
                result = db.sql(f"SELECT avg(x), min(x) FROM {path}", imputer="mean")
                assert result.fetchall() == expected, path
                assert sum(result.report.imputed.values()) == 1
                nested = (
                    f"WITH w AS (SELECT x FROM {path} ORDER BY x LIMIT 9) SELECT max(x) FROM w WHERE x IN (FROM {path})"
                )
                assert db.sql(nested, imputer="mean").fetchall() == plain(db, nested), path


@settings(max_examples=examples(10), deadline=None, suppress_health_check=(HealthCheck.too_slow,))
@given(worlds(), st.lists(st.sampled_from(PATHS), min_size=3, max_size=8))
def test_functions_take_the_table_that_duckdb_takes(
    world: World,
    paths: list[str],
) -> None:
    with loaded(world) as db:
        for path in paths:
            rows = plain(db, f"SELECT count(*), avg(x) FROM {path}")
            view = plain(db, f"DELETE FROM {path} WHERE false") is None
            if rows is None or view:
                continue
            ((count, centre),) = rows
            (profile,) = db.profile(path)
            assert (profile.rows, profile.columns[0].missing) == (count, 1), path
            assert profile.table in db.tables()
            assert db.profile(profile.table) == [profile]
            if profile.table != "t.csv":  # the bare name as SQL would be a table csv in a schema t
                assert db.execute(f"SELECT count(*) FROM {profile.table}") == [(count,)]
                assert db.sql(f"SELECT avg(x) FROM {profile.table}", imputer="mean").fetchall() == [(centre,)]
        called = list(db.tables())
        assert sorted(called) == sorted({profile.table for profile in db.profile()})
        users = "NOT internal AND NOT starts_with(table_name, 'imputedb_')"  # answers are kept in temporary tables
        assert len(called) == db.execute(f"SELECT count(*) FROM duckdb_tables() WHERE {users}")[0][0]


_TWO = (
    "CREATE TABLE {}.t AS SELECT i AS id, i % 7 + .5 AS x, CASE WHEN i % 5 > 0 THEN i % 7 END AS y FROM range({}) r(i)"
)


@pytest.fixture
def two(db: Database) -> Database:
    """A table in two schemas, of 40 rows in main and of 60 in the one that is set; every fifth y is missing."""
    db.execute(f"CREATE SCHEMA s; {_TWO.format('main', 40)}; {_TWO.format('s', 60)}; SET schema = 's'")
    return db


def _policy(db: Database, name: str) -> int:
    db.sql(f"CREATE IMPUTATION POLICY ON {name}(y) KEEP")
    (listed,) = db.policies(name)
    assert db.policies() == [listed]
    return int(str(db.execute(f"SELECT count(*) FROM {listed[0]}")[0][0]))


def _missing(db: Database, name: str) -> int:
    db.missing(name, "x", [value + 0.5 for value in range(7)])
    return next(profile.columns[1].missing for profile in db.profile() if profile.columns[1].missing)


def _evaluate(db: Database, name: str) -> int:
    """The rows of a table by the cells that are hidden in it, four in ten of what is observed, over several seeds."""
    hidden = sum(db.evaluate(name, imputer="mean", share=0.4, seed=seed).hidden for seed in range(5))
    return 60 if hidden > 75 else 40


def _impute(db: Database, name: str) -> int:
    with TemporaryDirectory() as folder:
        db.impute(name, f"{folder}/out", m=1, imputer="pmm")
        return int(str(db.execute(f"SELECT count(*) FROM '{folder}/out/**/*.parquet'")[0][0]))


FUNCTIONS: dict[str, Callable[[Database, str], int]] = {
    "sql": lambda db, name: int(str(db.sql(f"SELECT count(y) FROM {name}").fetchall()[0][0])),
    "profile": lambda db, name: db.profile(name)[0].rows,
    "policy": _policy,
    "missing": _missing,
    "evaluate": _evaluate,
    "audit": lambda db, name: db.audit(name, "memory.main.told") * 5,
    "impute": _impute,
    "why": lambda db, name: 60 if db.why(name, "y", 55).row == 55 else 0,
}
PLACED = {"t": 60, "main.t": 40, "s.t": 60, "memory.main.t": 40, '"T"': 60, "S.T": 60}


@pytest.mark.sampled(2)
@pytest.mark.parametrize("name", PLACED)
@pytest.mark.parametrize("function", FUNCTIONS)
def test_each_function_means_the_table_that_duckdb_means(two: Database, function: str, name: str) -> None:
    if function == "why" and PLACED[name] == 40:
        with pytest.raises(imputedb.UnknownName):
            two.why(name, "y", 55)
        return
    assert FUNCTIONS[function](two, name) == PLACED[name]


def test_a_view_is_no_table(db: Database) -> None:
    db.execute("CREATE TABLE t AS SELECT 1 AS x; CREATE TEMP VIEW t AS SELECT 2 AS x")
    with pytest.raises(imputedb.UnknownName, match="is a view"):
        db.profile("t")
    assert db.profile("memory.main.t")[0].rows == 1
