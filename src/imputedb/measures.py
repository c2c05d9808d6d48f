"""Measures: sampling variances of aggregates, for intervals of functions that have none.

`Measure` is the protocol. `Closed` makes a measure from a formula, or from the influence of a row. `minus`, `plus`,
`times`, `over`, `square`, `number` and `double` are building blocks of formulas.
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
