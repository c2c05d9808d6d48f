"""Diagnostics of missing values and of imputations, as functions of arrays.

What is missing: `pattern_table`, `pairs`, `flux`, `predictors`, `nelson_aalen`. Little's test: `little`. Observed
values that are hidden and imputed again: `overimpute`. `imputedb.diagnostics.pictures` draws them.
"""

from imputedb.diagnostics.mcar import McarTest, little
from imputedb.diagnostics.missing import Flux, Pairs, PatternTable, flux, nelson_aalen, pairs, pattern_table, predictors
from imputedb.diagnostics.overimputation import Overimputed, overimpute

__all__ = [
    "Flux",
    "McarTest",
    "Overimputed",
    "Pairs",
    "PatternTable",
    "flux",
    "little",
    "nelson_aalen",
    "overimpute",
    "pairs",
    "pattern_table",
    "predictors",
]
