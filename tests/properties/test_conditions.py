"""What a condition refuses may be thrown away before it is imputed only where that is proved."""

import os
from collections import Counter

import pytest
from hypothesis import HealthCheck, given, settings

import imputedb
from imputedb.planning import reduce
from tests.properties.conditions import Conditional, conditional

EXAMPLES = int(os.environ.get("IMPUTEDB_EXAMPLES", "300"))
SLOW = (HealthCheck.too_slow, HealthCheck.data_too_large)


@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=SLOW)
@given(conditional())
def test_planned_is_base(case: Conditional) -> None:
    """With the mean a plan, whatever it throws away, answers as the tables do that are completed first."""
    with imputedb.connect() as db, pytest.MonkeyPatch.context() as patch:
        patch.setattr(reduce, "FEW", 2.0)  # rows that cannot matter always go
        for table in case.tables:
            db.execute(table)
        try:
            db.execute(case.query)
        except imputedb.QueryError:
            return
        planned = db.sql(case.query, imputer="mean")
        base = db.sql(case.query, imputer="mean", strategy="base")
        assert Counter(map(repr, planned.fetchall())) == Counter(map(repr, base.fetchall())), planned.plan
