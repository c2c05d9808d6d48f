"""Imputers, and the protocols that one's own must follow.

Imputers: `Tree`, `KNN`, `Mean`, `HotDeck`, `ReferenceBased`, and `Chained` over a model of one column (`Normal`, `Pmm`,
`Logistic`, `Multinomial`, `Ordered`). `Shift` states how imputed values depart from missing at random.
Protocols: `Imputer` and what it is given (`Rows`, `Cells`, `Work`); `ColumnModel` and what it is given (`Observed`,
`Randomness`).
"""

from imputedb.imputers.chained import Chained
from imputedb.imputers.column_model import ColumnModel, Observed, Randomness
from imputedb.imputers.hot_deck import HotDeck
from imputedb.imputers.imputer import Cells, Imputer, Rows, Work
from imputedb.imputers.knn import KNN
from imputedb.imputers.logistic import Logistic
from imputedb.imputers.mean import Mean
from imputedb.imputers.multinomial import Multinomial
from imputedb.imputers.normal import Normal
from imputedb.imputers.ordered import Ordered
from imputedb.imputers.pmm import Pmm
from imputedb.imputers.reference_based import ReferenceBased
from imputedb.imputers.shift import Shift
from imputedb.imputers.tree import Tree

__all__ = [
    "KNN",
    "Cells",
    "Chained",
    "ColumnModel",
    "HotDeck",
    "Imputer",
    "Logistic",
    "Mean",
    "Multinomial",
    "Normal",
    "Observed",
    "Ordered",
    "Pmm",
    "Randomness",
    "ReferenceBased",
    "Rows",
    "Shift",
    "Tree",
    "Work",
]
