"""Conformance checks for imputers, measures and engines that others have written."""

from imputedb.testing.check import Check
from imputedb.testing.engines import check_engine, engine_checks
from imputedb.testing.imputers import check_imputer, imputer_checks
from imputedb.testing.measures import check_measure, measure_checks

__all__ = [
    "Check",
    "check_engine",
    "check_imputer",
    "check_measure",
    "engine_checks",
    "imputer_checks",
    "measure_checks",
]
