"""Sensitivity analysis under departures from missing at random, for queries and for analyses of completed data sets.

`Departures` are for `Database.sql(..., sensitivity=...)`, whose `Sensitivity` has the tipping points. `mean_of` and
`term_of` are analyses for `Database.sensitivity`, which returns a `Sweep`. `Shift` is one departure.
"""

from imputedb.completion.sensitivity import Analysis, Sweep, mean_of, term_of
from imputedb.diagnostics.departures import Departures, Sensitivity
from imputedb.imputers.chained.shift import Shift

__all__ = ["Analysis", "Departures", "Sensitivity", "Shift", "Sweep", "mean_of", "term_of"]
