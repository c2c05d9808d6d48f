"""Canonical orders of rows and columns, so that answers depend neither on the order of rows nor on names of tables."""

from collections.abc import Iterable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from imputedb.algebra.column import Column
from imputedb.errors import QueryError, UnknownName
from imputedb.imputers.rows import Array, Rows


def by_name(columns: Iterable[Column]) -> list[Column]:
    """Columns in an order that does not depend on the aliases of their relations.

    Those of one relation stand together, sorted by name. Relations are sorted by the names of their columns; of two
    that have the same names, the one that came first stands first.
    """
    names: dict[str, list[str]] = {}
    for column in columns:
        names.setdefault(column.relation, []).append(column.name)
    found = sorted(names, key=lambda relation: (relation != "", sorted(names[relation])))
    return [Column(relation, name) for relation in found for name in sorted(names[relation])]


def labels(columns: Iterable[Column]) -> dict[Column, str]:
    """Names that identify columns without their relations; numbered where several columns have one name."""
    found: dict[Column, str] = {}
    seen: dict[str, int] = {}
    for column in by_name(columns):
        seen[column.name] = seen.get(column.name, 0) + 1
        found[column] = column.name if seen[column.name] == 1 else f"{column.name} {seen[column.name]}"
    return found


def named(name: str, columns: Iterable[Column], beside: Iterable[Column] = ()) -> Column:
    """The column that a setting of an imputer names, in any case; `table.column` where several columns have the name.

    Rows identify relations by the aliases of a query. If the table of a name is no alias, its column name decides.

    Args:
        name: the name as given.
        columns: the available columns.
        beside: if several columns have the name, the one in the relation of these columns is chosen.

    Raises:
        UnknownName: no column has the name.
        QueryError: several columns have the name.
    """
    at_hand, wanted = list(columns), name.lower()
    last = wanted.rpartition(".")[2]
    found: list[Column] = []
    for matches in (
        lambda column: name in (str(column), column.name),
        lambda column: wanted in (str(column).lower(), column.name.lower()),
        lambda column: column.name.lower() == last,
    ):
        found = [column for column in at_hand if matches(column)]
        own = {column.relation for column in beside}
        found = [column for column in found if {column.relation} == own] or found
        if found:
            break
    if not found:
        raise UnknownName(
            f"no column {name!r} among those that may predict: {', '.join(map(str, sorted(at_hand)))}; policies keep "
            "others out (EXCLUDE, PREDICTORS), and constants and keys tell nothing"
        )
    if len(found) > 1:
        raise QueryError(f"{name!r} may be {' or '.join(map(str, sorted(found)))}: name one of them")
    return found[0]


def by_key(rows: Rows) -> tuple[Rows, NDArray[np.intp] | None]:
    """The rows sorted by key, rows to learn from first, and their original positions.

    The positions are None if the rows were in this order.
    """
    rises = rows.keys[:-1] <= rows.keys[1:]
    if rows.learn is not None:
        rises = (rises & (rows.learn[:-1] == rows.learn[1:])) | (rows.learn[:-1] & ~rows.learn[1:])
    if rises.all():
        return rows, None
    turn = np.argsort(rows.keys, kind="stable") if rows.learn is None else np.lexsort((rows.keys, ~rows.learn))
    return rows.at(turn), turn


def training_rows(rows: Rows) -> Rows:
    """The rows to learn from."""
    if rows.learn is None:
        return rows
    return replace(rows.at(np.flatnonzero(rows.learn)), learn=None)


def in_original_order(missing: NDArray[np.bool_], turn: NDArray[np.intp] | None, values: Array) -> Array:
    """Values of the sorted rows' missing cells, in the original order of the rows.

    Args:
        missing: (n,) the missing cells in the original order.
        turn: (n,) the positions that `by_key` gave.
        values: values of the missing cells, in the order of the keys.
    """
    if turn is None:
        return values
    whole = np.zeros(len(turn), values.dtype)
    whole[turn[missing[turn]]] = values
    return whole[missing]
