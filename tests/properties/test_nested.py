"""Oracles over random statements of nested blocks; IMPUTEDB_EXAMPLES asks for more of them than a usual run."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import imputedb
from imputedb import Database
from tests.properties.amount import examples
from tests.properties.nested import Nested, nested

EXAMPLES = examples(16)
SLOW = (HealthCheck.too_slow, HealthCheck.data_too_large)
ALPHAS = st.sampled_from([0.0, 0.5, 1.0])


@contextmanager
def loaded(case: Nested) -> Iterator[Database]:
    with imputedb.connect() as db:
        for table in case.tables:
            db.execute(table)
        yield db


def plain(tables: Database, query: str) -> list[tuple[object, ...]] | None:
    """DuckDB's rows; None where it rejects the query."""
    try:
        return tables.execute(query)
    except imputedb.QueryError:
        return None


@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=SLOW)
@given(nested(missing=False), ALPHAS)
def test_complete_data_equals_duckdb(case: Nested, alpha: float) -> None:
    with loaded(case) as db:
        expected = plain(db, case.query)
        if expected is not None:
            result = db.sql(case.query, alpha=alpha)
            assert result.report.strategy == "verbatim"
            assert Counter(result.fetchall()) == Counter(expected)


@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=SLOW)
@given(nested(missing=True))
def test_a_pinned_imputer_gives_duckdbs_answer_over_completed_tables(case: Nested) -> None:
    """O6: whatever is planned, merged, staged or completed at a scan, the mean of a column is the same everywhere."""
    with loaded(case) as db, imputedb.connect() as completed:
        for name in "abc":
            rows = db.sql(f"FROM {name}", imputer="mean").fetchall()
            completed.execute(case.tables["abc".index(name)].split(";")[0])
            completed._engine.connection.executemany(f"INSERT INTO {name} VALUES (?, ?, ?, ?)", rows)
        expected = plain(completed, case.query)
        if expected is None:
            return
        for strategy in ("planned", "base"):
            result = db.sql(case.query, imputer="mean", strategy=strategy)
            assert Counter(result.fetchall()) == Counter(expected), (strategy, result.plan)


@settings(max_examples=EXAMPLES // 2, deadline=None, suppress_health_check=SLOW)
@given(nested(missing=True), ALPHAS, st.sampled_from(["tree", "hotdeck"]))
def test_answers_run_and_repeat(case: Nested, alpha: float, imputer: str) -> None:
    with loaded(case) as db:
        if plain(db, case.query) is None:
            return
        first = db.sql(case.query, alpha=alpha, imputer=imputer, seed=7)
        shape = db._engine.connection.sql(case.query)
        assert (first.columns, first.types) == (shape.columns, [str(kind) for kind in shape.types])
        rows = Counter(first.fetchall())
        assert rows == Counter(db.sql(case.query, alpha=alpha, imputer=imputer, seed=7).fetchall())
        db.execute("SET threads = 1")
        assert rows == Counter(db.sql(case.query, alpha=alpha, imputer=imputer, seed=7).fetchall())
