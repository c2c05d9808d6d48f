"""Imputers by name."""

import pytest

import imputedb
from imputedb.imputers.registry import IMPUTERS, OF_POLICIES, imputers_of


@pytest.mark.parametrize("name", [*IMPUTERS, *OF_POLICIES])
def test_one_name_gives_equal_imputers(name: str) -> None:
    """Plans and values are cached by them."""
    assert imputers_of(name) == imputers_of(name)
    assert hash(imputers_of(name)) == hash(imputers_of(name))


@pytest.mark.parametrize("name", IMPUTERS)
def test_a_plan_is_made_once(name: str) -> None:
    with imputedb.connect() as db:
        db.execute("CREATE TABLE t AS SELECT CASE WHEN i % 3 <> 0 THEN i END AS x, i % 5 AS y FROM range(30) r(i)")
        for _ in range(3):
            db.sql("SELECT avg(x) FROM t WHERE y > 1", imputer=name)
        (plans,) = [use for use in db.caches() if use.name == "plans"]
        assert (plans.hits, plans.misses) == (2, 1)
