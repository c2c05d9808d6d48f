"""What a condition refuses may be thrown away before it is imputed only where that is proved."""

import os
from collections import Counter
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings

import imputedb
from imputedb import Database
from imputedb.planning import reduce
from tests.properties.conditions import TABLES, Conditional, conditional

CONDITIONS = int(os.environ.get("CONDITIONS", "300"))
"""2,000 nightly, 50,000 before a release."""

SLOW = (HealthCheck.too_slow, HealthCheck.data_too_large)


@pytest.fixture(scope="module")
def db() -> Iterator[Database]:
    """One database for all examples, of which rows that cannot matter always go."""
    with imputedb.connect() as db, pytest.MonkeyPatch.context() as patch:
        patch.setattr(reduce, "FEW", 2.0)
        for table in TABLES:
            db.execute(table)
        yield db


@settings(max_examples=CONDITIONS, deadline=None, suppress_health_check=SLOW)
@given(case=conditional())
def test_planned_is_base(db: Database, case: Conditional) -> None:
    """With the mean a plan, whatever it throws away, answers as the tables do that are completed first."""
    for text in case.rows:
        db.execute(text)
    try:
        db.execute(case.query)
    except imputedb.QueryError:
        return
    planned = db.sql(case.query, imputer="mean")
    base = db.sql(case.query, imputer="mean", strategy="base")
    assert Counter(map(repr, planned.fetchall())) == Counter(map(repr, base.fetchall())), planned.plan
