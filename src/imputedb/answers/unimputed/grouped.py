"""Numbers by group as rows in the engine, with the order and the limit of a query."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from imputedb.algebra.query import Query
from imputedb.algebra.scalar import Scalar
from imputedb.engines.engine import Engine, Held
from imputedb.errors import QueryError
from imputedb.sql import ast as t
from imputedb.sql.select import order_key, ordering, shown_by

Vector = NDArray[np.float64]
Keys = Sequence[tuple[str | None, ...]]


class ShownGroups(NamedTuple):
    """A column of the answer.

    Attributes:
        name: name of the column.
        type: DuckDB type of the column.
        output: position of its output in the query.
        values: (groups,) numbers, NaN for NULL; or the position of a key.
    """

    name: str
    type: str
    output: int
    values: Vector | int


def kept(engine: Engine, query: Query, shown: Sequence[ShownGroups], keys: Keys) -> tuple[Held, list[int]]:
    """The rows, and the group of each row.

    Raises:
        QueryError: the query orders by an expression that is not an output.
    """
    arrays: dict[str, NDArray[np.generic]] = {"group": np.arange(len(keys))}
    for place, one in enumerate(shown):
        if isinstance(one.values, int):
            arrays[f"c{place}"] = np.array([key[one.values] for key in keys], dtype=object)
        else:
            arrays[f"c{place}"] = np.ma.masked_array(one.values, ~np.isfinite(one.values))
    name = engine.register(arrays)
    items = [engine.cast(t.reference(name, f"c{place}"), one.type) for place, one in enumerate(shown)]
    orders = [
        order_key(items[column], key.direction, key.nulls)
        for key in query.order
        for column in _columns(key.scalar, query, shown)
    ]
    own = [place for place, one in enumerate(shown) if isinstance(one.values, int)]
    orders += [order_key(items[place]) for place in own]
    modifiers = [*ordering(orders), *([query.limit[1]] if query.limit else [])]
    node = t.select([*items, t.reference(name, "group")], t.table((name,), ""), modifiers=modifiers)
    try:
        held = engine.held(engine.text(node))
    finally:
        engine.forget([name])
    places = engine.fetched(f"SELECT c{len(items)} FROM {held.source}")
    return held, [int(place) for (place,) in places]


def _columns(key: Scalar, query: Query, shown: Sequence[ShownGroups]) -> list[int]:
    """The first columns of the outputs that an ORDER BY key refers to."""
    outputs = shown_by(query, key)
    if not outputs:
        raise QueryError(f"no such answer to this query: it is ordered by {key.text}, which it does not show")
    return [next(place for place, one in enumerate(shown) if one.output == output) for output in outputs]
