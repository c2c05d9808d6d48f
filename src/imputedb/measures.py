"""Measures: the sampling variance of an aggregate, for intervals of functions that have none.

`Measure` is the protocol. `Closed` makes a measure of a formula, or of the influence of a row. `minus`, `plus`,
`times`, `over`, `square`, `number` and `double` write formulas.
"""

from imputedb.answers.multiple.calls import Call, double, minus, over, plus, square, times
from imputedb.answers.multiple.influence import Influence
from imputedb.answers.multiple.measures import Closed, Influential, Measure
from imputedb.inference.scale import FISHER, IDENTITY, LOG, LOGIT, Scale
from imputedb.sql.ast import Tree, number

__all__ = [
    "FISHER",
    "IDENTITY",
    "LOG",
    "LOGIT",
    "Call",
    "Closed",
    "Influence",
    "Influential",
    "Measure",
    "Scale",
    "Tree",
    "double",
    "minus",
    "number",
    "over",
    "plus",
    "square",
    "times",
]
