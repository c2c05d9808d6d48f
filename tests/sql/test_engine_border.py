"""The engine's border: SQL files, plans and sessions over an engine that refuses what its protocols do not name."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import imputedb
from imputedb import Database
from imputedb.cli.survey import survey
from imputedb.engines.duckdb.engine import DuckDB
from imputedb.engines.engine import Engine
from imputedb.testing.border import Bordered, members
from tests.plans import test_plans
from tests.sql import test_sql


@pytest.fixture
def bordered() -> Iterator[Database]:
    """A database over an engine of which its protocols alone can be used."""
    with Database(Bordered(DuckDB(":memory:", variables=True))) as db:
        yield db


def test_what_the_protocols_do_not_name_is_refused(bordered: Database) -> None:
    with pytest.raises(AttributeError, match="'connection' is not a member"):
        bordered._engine.connection  # type: ignore[attr-defined]  # noqa: B018
    with pytest.raises(AttributeError, match="'rows' is not a member"):
        bordered._engine.session.rows  # type: ignore[attr-defined]  # noqa: B018


@pytest.mark.sampled(2)
@pytest.mark.parametrize("path", test_sql.FILES, ids=lambda path: path.stem)
def test_sql_files_do_not_step_over_the_border(bordered: Database, path: Path) -> None:
    test_sql.test_sql(bordered, path, update_golden=False)


@pytest.mark.sampled(2)
@pytest.mark.parametrize("path", test_plans.SURVEYED, ids=lambda path: path.stem)
def test_plans_do_not_step_over_the_border(bordered: Database, path: Path) -> None:
    for name, columns in survey().items():
        bordered.register(name, columns)
    test_plans.test_queries_of_the_survey(bordered, path, update_golden=False)


def test_nothing_else_steps_over_the_border(bordered: Database, tmp_path: Path) -> None:
    """What a database does beside answering queries: draws, files, policies, profiles, completed data, reasons."""
    rng = np.random.default_rng(3)
    x, y = rng.normal(size=80), rng.normal(size=80)
    bordered.register("t", {"k": np.arange(80), "x": x, "y": np.ma.masked_array(x + y, rng.random(80) < 0.3)})
    for method in ("aipw", "bounds", "ml"):
        bordered.sql("SELECT avg(y) AS m FROM t", method=method)
    pooled = bordered.sql("SELECT k % 2 AS g, avg(y) AS m FROM t WHERE y > -1 GROUP BY g", m=5, imputer="norm")
    assert len(pooled.estimates) == 2
    bordered.sql("SELECT k, likelihood() FROM t WHERE y > 0", m=3, imputer="norm").fetchall()
    bordered.sql("SELECT avg(y) FROM t", weights="k")
    bordered.sql("CREATE IMPUTATION POLICY ON t(y) IMPUTE RANGE -3 TO 3")
    bordered.sql("PREPARE p AS SELECT max(y) FROM t WHERE k < $1")
    bordered.sql("EXECUTE p(10)").fetchall()
    bordered.sql(f"COPY (SELECT * FROM t) TO '{tmp_path}/t.parquet'")
    bordered.sql(f"SELECT avg(y) FROM '{tmp_path}/t.parquet'").arrow()
    bordered.explain("SELECT avg(y) FROM t", analyze=True)
    bordered.apply_policies(_written(tmp_path / "policies.toml", bordered.export_policies()), exact=True)
    bordered.impute("SELECT k, x, y FROM t", tmp_path / "run", m=2, imputer="norm")
    bordered.why("t", "y", int(np.flatnonzero(bordered.sql("FROM t ORDER BY k").fetchnumpy()["k"] >= 0)[0]))
    assert bordered.profile("t")[0].rows == 80
    assert bordered.tables()
    assert bordered.caches()
    with bordered.session() as other:
        assert other.sql("SELECT 1 AS one").fetchall() == [(1,)]


def _written(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


def test_the_engine_of_duckdb_is_one() -> None:
    engine: Engine = DuckDB(":memory:")
    assert all(hasattr(engine, name) for name in members(Engine))
    engine.session.close()


def test_connect_gives_the_same_engine() -> None:
    with imputedb.connect() as db:
        assert isinstance(db._engine, DuckDB)
