"""Why a cell has the value that neighbours gave it: who they are, how near, and how much they agree."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

from imputedb import arguments
from imputedb.algebra.column import Column
from imputedb.engines.engine import Engine
from imputedb.errors import DataError
from imputedb.execution.table import shown
from imputedb.imputers.earlier import blocks
from imputedb.imputers.knn import KNN
from imputedb.imputers.permitted import bounds
from imputedb.imputers.registry import by_neighbours
from imputedb.imputers.rows import Array
from imputedb.neighbours.search import Ints
from imputedb.provenance.index import Lookup, Lookups, Reasons
from imputedb.provenance.reason import Neighbour, Why

NOTHING = ("left", "imprecise")
"""What stands in place of a fallback where a cell has no value."""

AUDITED = 10_000
"""Cells of an audit at most, unless more are asked for."""


def why(
    engine: Engine,
    lookups: Lookups,
    table: str,
    column: str,
    row: object,
    *,
    imputer: KNN | None = None,
    salt: str | None = None,
) -> Why:
    """What neighbours say of one cell. An observed cell is treated as if it were missing.

    Args:
        engine: where the table lives.
        lookups: the indexes that are kept.
        table: the table.
        column: the column.
        row: the value of the table's key, or of its rowid where it has none.
        imputer: how neighbours are found; `KNN()` unless given.
        salt: when given, rows are told by hashes, so that nobody who does not know it can say whose they are.

    Raises:
        UnknownName: no table, column or row of that name.
        DataError: the column is none that neighbours tell anything of.
    """
    knn = by_neighbours(imputer, "why")
    _check_salt(salt)
    lookup = lookups.of(engine, table, knn, [column])
    name = lookup.stored.target(column)
    _check_imputed(lookup, name)
    _check_by_neighbours(lookup, name)
    place = lookup.place(row)
    if lookup.stored.meant.get(name, np.zeros(place + 1, bool))[place]:
        raise DataError(
            f"this NULL of {table}.{name.name} means something of its own, by its policy: it is not filled in"
        )
    lookup = _permitted(engine, lookups, lookup, name, table, [column])
    times = lookup.stored.permits[name].times
    if times is not None:
        known = ~times.missing & ~times.missing[place] & (times.values < times.values[place])
        lookup = Lookup(lookup.stored.at(np.append(np.flatnonzero(known), place)), knn, None, "")
        place = int(known.sum())
    told = _withheld(lookup, name, [place], lookup.reasons(name, [place]))
    return _explained(lookup, name, place, told, 0, salt)


def _check_salt(salt: object) -> None:
    if salt is not None:
        arguments.text("the salt", salt, example="which nobody else knows")


def _check_imputed(lookup: Lookup, column: Column) -> None:
    found = lookup.stored
    text = found.permits[column].policy.derived
    if text is not None:
        raise DataError(
            f"{found.table.name}.{column.name} is computed as {text}, by its policy: neighbours explain what it is "
            "derived from"
        )


def _by_neighbours(lookup: Lookup, column: Column) -> bool:
    """Whether neighbours, all alike and nothing beside them, fill a column."""
    return lookup.stored.permits[column].policy.derived is None and _filled_else(lookup, column) is None


def _filled_else(lookup: Lookup, column: Column) -> str | None:
    """What neighbours do not explain of a column, by its policy; None where they explain it."""
    policy = lookup.stored.permits[column].policy
    if policy.imputer not in (None, lookup.imputer.name):
        return f"is filled by {policy.imputer}, as its policy says"
    if policy.weight:
        return f"is learnt from rows as often as their weights say (WEIGHT {policy.weight})"
    if policy.order:
        return f"is predicted from the rows before and after too (ORDER BY {policy.order})"
    return None


def _check_by_neighbours(lookup: Lookup, column: Column) -> None:
    if why := _filled_else(lookup, column):
        raise DataError(f"{lookup.stored.table.name}.{column.name} {why}: neighbours do not explain it")


def _permitted(
    engine: Engine, lookups: Lookups, lookup: Lookup, column: Column, table: str, wanted: Sequence[str]
) -> Lookup:
    """The index without the columns that one may not be predicted from."""
    barred = frozenset(other.name for other in lookup.stored.permits[column].barred)
    return lookups.of(engine, table, lookup.imputer, wanted, barred) if barred else lookup


def _withheld(lookup: Lookup, column: Column, places: Sequence[int], told: Reasons) -> Reasons:
    """What neighbours say, with a word where the column's policy leaves the cell missing."""
    found, cells = lookup.stored, lookup.stored.rows.columns[column]
    if not found.permits[column].policy.below:
        return told
    left = np.zeros(len(cells.missing), bool)
    left[cells.missing] = found.request(lookup.imputer, found.rows, [column], 0).left(column)
    words = ["imprecise" if left[place] else word for place, word in zip(places, told.fallback, strict=True)]
    return replace(told, fallback=words)


def _values(lookup: Lookup, column: Column, values: Array) -> Array:
    """What neighbours say, within what a policy permits."""
    policy, cells = lookup.stored.permits[column].policy, lookup.stored.rows.columns[column]
    return bounds(str(column), policy, cells).nearest(values) if policy.bounds else values


def _explained(lookup: Lookup, column: Column, place: int, told: Reasons, cell: int, salt: str | None) -> Why:
    cells = lookup.stored.rows.columns[column]
    graded = lookup.graded(column)
    names = lookup.stored.identities
    neighbours = tuple(
        Neighbour(_named(names, int(row), salt), float(distance), float(weight), shown(cells.values[row], cells))
        for row, distance, weight in zip(told.rows[cell], told.distances[cell], told.shares[cell], strict=True)
        if row >= 0
    )
    variance = float(told.variance[cell])
    return Why(
        table=lookup.stored.table.name,
        column=column.name,
        row=_named(names, place, salt),
        key=lookup.stored.key,
        value=None if told.fallback[cell] in NOTHING else shown(_values(lookup, column, told.values)[cell], cells),
        observed=None if cells.missing[place] else shown(cells.values[place], cells),
        metric=lookup.imputer.metric,
        neighbours=neighbours,
        effective=float(told.effective[cell]),
        variance=variance if graded and not np.isnan(variance) else None,
        entropy=None if graded else float(told.entropy[cell]),
        fallback=told.fallback[cell],
        recall=lookup.recall,
        age=lookup.age,
        policy=lookup.stored.statistics.said.get(column.name),
    )


def _named(identities: Array, place: int, salt: str | None) -> object:
    identity = identities[place]
    plain = identity.item() if isinstance(identity, np.generic) else identity
    return plain if salt is None else hashed(plain, salt)


def hashed(identity: object, salt: str) -> str:
    """A name for a row that tells nobody who it is without the salt: 64 bits of BLAKE2b, keyed by it (RFC 7693).

    Warning: whoever knows the salt can try all ids; keep it as secret as they are.
    """
    key = blake2b(salt.encode(), digest_size=32).digest()
    return blake2b(str(identity).encode(), digest_size=8, key=key).hexdigest()


def audit(
    engine: Engine,
    lookups: Lookups,
    table: str,
    into: str,
    *,
    columns: Sequence[str] = (),
    imputer: KNN | None = None,
    limit: int = AUDITED,
    salt: str | None = None,
    seed: int = 0,
) -> int:
    """Makes a table with a row for each missing cell, or for a sample of them; how many cells are missing.

    Args:
        engine: where the table lives.
        lookups: the indexes that are kept.
        table: the table.
        into: the one that is made, or made anew, with the columns row, column_name, value (as text), neighbours,
            effective, nearest, farthest, variance, entropy, fallback.
        columns: whose cells; unless given those of all columns with missing values that neighbours explain.
        imputer: how neighbours are found; `KNN()` unless given.
        limit: rows at most; of more cells a sample.
        salt: when given, rows are told by hashes.
        seed: which cells are in the sample.
    """
    columns, seed = arguments.names("columns", columns), arguments.seed(seed)
    limit = arguments.whole("the limit", limit, 1, example=" rows")
    arguments.text("into", into, example="the name of a table")
    _check_salt(salt)
    lookup = lookups.of(engine, table, by_neighbours(imputer, "an audit"), columns)
    found = lookup.stored
    names = [found.target(name) for name in columns] or [
        c for c in found.rows.columns if found.is_imputed(c) and found.gaps(c).any() and _by_neighbours(lookup, c)
    ]
    for name in names:
        _check_imputed(lookup, name)
        _check_by_neighbours(lookup, name)
    total = sum(int(found.gaps(name).sum()) for name in names)
    parts = []
    for name in sorted(names):
        places = _sampled(lookup, name, limit, total, seed)
        if len(places):
            mine = _permitted(engine, lookups, lookup, name, table, columns)
            parts += [_audited(one, name, at, salt) for one, at in _timely(mine, name, places)]
    if not parts:
        raise DataError(f"nothing is missing in {table}: there is nothing to audit")
    whole = {head: np.concatenate([part[head] for part in parts])[:limit] for head in parts[0]}
    engine.take(into, whole, {}, replace=True, kept=not engine.session.read_only)
    return total


def _timely(lookup: Lookup, column: Column, places: Ints) -> Iterator[tuple[Lookup, list[int]]]:
    """The index of the rows that some cells may be predicted from, and where these rows are in it."""
    found = lookup.stored
    times = found.permits[column].times
    if times is None:
        yield lookup, places.tolist()
        return
    for taught, asked in blocks(found.rows, [column], times):
        mine = asked[np.isin(asked, places)]
        if len(mine) and (~found.rows.columns[column].missing[taught]).any():
            some = found.at(np.concatenate([taught, mine]))
            yield Lookup(some, lookup.imputer, None, ""), list(range(len(taught), len(taught) + len(mine)))


def _sampled(lookup: Lookup, name: Column, limit: int, total: int, seed: int) -> NDArray[np.intp]:
    """The places of a column's missing cells; where all columns have more than a limit, its share of that."""
    places = np.flatnonzero(lookup.stored.gaps(name))
    if total <= limit:
        return places
    room = max(1, int(limit * len(places) / total))
    return np.sort(places[np.argsort(lookup.uniform(f"audit {name}", seed)[places], kind="stable")[:room]])


def _audited(lookup: Lookup, column: Column, places: Sequence[int], salt: str | None) -> dict[str, Array]:
    told = _withheld(lookup, column, places, lookup.reasons(column, places))
    cells = lookup.stored.rows.columns[column]
    graded, count = lookup.graded(column), len(places)
    there = np.isfinite(told.distances)
    found = there.sum(axis=1)
    ends = [np.where(found > 0, told.distances[np.arange(count), at], np.nan) for at in (0 * found, found - 1)]
    permitted = _values(lookup, column, told.values)
    values = [None if told.fallback[i] in NOTHING else str(shown(permitted[i], cells)) for i in range(count)]
    nothing = np.full(count, np.nan)
    return {
        "row": np.array([str(_named(lookup.stored.identities, place, salt)) for place in places], object),
        "column_name": np.array([column.name] * count, object),
        "value": np.array(values, object),
        "neighbours": found.astype(np.int64),
        "effective": told.effective,
        "nearest": ends[0],
        "farthest": ends[1],
        "variance": told.variance if graded else nothing,
        "entropy": nothing if graded else told.entropy,
        "fallback": np.array(told.fallback, object),
    }
