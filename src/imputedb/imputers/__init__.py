"""Imputers, and the protocols that one's own must follow.

Imputers: `Tree`, `KNN`, `Mean`, `HotDeck`, `ReferenceBased`, and `Chained` over a model of one column (`Normal`, `Pmm`,
`Logistic`, `Multinomial`, `Ordered`). `Shift` states how imputed values depart from missing at random.
Protocols: `Imputer` and what it is given (`Rows`, `Cells`, `Work`); `ColumnModel` and what it is given (`Observed`,
`Randomness`).
"""

from imputedb.imputers.chained.chained import Chained
from imputedb.imputers.chained.column_model import ColumnModel, Observed, Randomness
from imputedb.imputers.chained.logistic import Logistic
from imputedb.imputers.chained.multinomial import Multinomial
from imputedb.imputers.chained.normal import Normal
from imputedb.imputers.chained.ordered import Ordered
from imputedb.imputers.chained.pmm import Pmm
from imputedb.imputers.chained.shift import Shift
from imputedb.imputers.hot_deck import HotDeck
from imputedb.imputers.knn import KNN
from imputedb.imputers.mean import Mean
from imputedb.imputers.protocol import Imputer, Work
from imputedb.imputers.reference_based import ReferenceBased
from imputedb.imputers.rows import Cells, Rows
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
