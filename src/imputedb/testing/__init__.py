"""What every imputer and every measure must do, as checks for those that somebody else has written."""

from imputedb.testing.check import Check
from imputedb.testing.imputers import check_imputer, imputer_checks
from imputedb.testing.measures import check_measure, measure_checks

__all__ = ["Check", "check_imputer", "check_measure", "imputer_checks", "measure_checks"]
