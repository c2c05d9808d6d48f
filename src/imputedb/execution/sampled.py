"""The rows of a large table that a model learns from, found piece by piece without holding a whole column."""

import numpy as np
from numpy.typing import NDArray

from imputedb.execution.columns import NUMBER, ColumnCache
from imputedb.models import chance
from imputedb.models.learning import ranks
from imputedb.sql import ast as t
from imputedb.sql.ast import Tree
from imputedb.sql.generate import ROW


def sampled(cache: ColumnCache, salt: int, most: int, condition: Tree | None) -> NDArray[np.int64]:
    """(k,) the ids, in the table's order, of the rows that `models.learning.fit` would choose among all.

    Args:
        cache: column cache of the table.
        salt: 64 bits that identify the table.
        most: largest number of rows to learn from.
        condition: condition on these rows; None for none.
    """
    items = [t.named(cache.value(ROW), "row"), t.named(cache.encoded(NUMBER), "key")]
    ids, order = np.zeros(0, np.int64), np.zeros(0, np.uint64)
    for within in cache.ranges():
        wanted = within if condition is None else t.all_of([within, condition])
        arrays = cache.engine.arrays(t.select(items, cache.source, wanted))
        ids = np.concatenate([ids, np.ma.getdata(arrays["row"]).astype(np.int64, copy=False)])
        order = np.concatenate([order, ranks(chance.keys(np.ma.getdata(arrays["key"]), salt))])
        if len(ids) > most:
            first = np.argpartition(order, most)[:most]
            ids, order = ids[first], order[first]
    return np.sort(ids)
