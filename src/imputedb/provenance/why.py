"""The provenance of cells that are imputed by nearest neighbours: donors, distances and agreement."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

from imputedb import arguments
from imputedb.algebra.column import Column
from imputedb.engines.engine import Engine
from imputedb.errors import DataError
from imputedb.execution.table import display_value
from imputedb.imputers.earlier import blocks
from imputedb.imputers.knn import KNN
from imputedb.imputers.permitted import bounds
from imputedb.imputers.registry import knn_imputer
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
    """The provenance of one cell. An observed cell is treated as if it were missing.

    Args:
        engine: engine that holds the table.
        lookups: cache of indexes.
        table: name of the table.
        column: name of the column.
        row: value of the table's key, or the rowid where it has none.
        imputer: how neighbours are found; by default `KNN()`.
        salt: key for hashing row identifiers, so that nobody can identify rows without it; None for plain identifiers.

    Raises:
        UnknownName: no table, column or row of that name.
        DataError: the column cannot be imputed by neighbours.
    """
    knn = knn_imputer(imputer, "why")
    _check_salt(salt)
    lookup = lookups.of(engine, table, knn, [column])
    name = lookup.stored.target(column)
    _check_imputed(lookup, name)
    _check_by_neighbours(lookup, name)
    place = lookup.place(row)
    if lookup.stored.meant.get(name, np.zeros(place + 1, bool))[place]:
        raise DataError(
            f"this NULL of {table}.{name.name} means something of its own, by its policy: it is not imputed"
        )
    lookup = _permitted(engine, lookups, lookup, name, table, [column])
    times = lookup.stored.permits[name].times
    if times is not None:
        known = ~times.missing & ~times.missing[place] & (times.values < times.values[place])
        lookup = Lookup(lookup.stored.at(np.append(np.flatnonzero(known), place)), knn, None, "")
        place = int(known.sum())
    reasons = _withheld(lookup, name, [place], lookup.reasons(name, [place]))
    return _explained(lookup, name, place, reasons, 0, salt)


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
    """Whether a column is imputed by unweighted neighbours and nothing else."""
    return lookup.stored.permits[column].policy.derived is None and _filled_else(lookup, column) is None


def _filled_else(lookup: Lookup, column: Column) -> str | None:
    """What else a column's policy imputes it by; None where neighbours explain it."""
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
    """The index without the columns that a policy excludes as predictors."""
    barred = frozenset(other.name for other in lookup.stored.permits[column].barred)
    return lookups.of(engine, table, lookup.imputer, wanted, barred) if barred else lookup


def _withheld(lookup: Lookup, column: Column, places: Sequence[int], reasons: Reasons) -> Reasons:
    """The neighbours, with the fallback `imprecise` where the column's policy leaves the cell missing."""
    found, cells = lookup.stored, lookup.stored.rows.columns[column]
    if not found.permits[column].policy.below:
        return reasons
    left = np.zeros(len(cells.missing), bool)
    left[cells.missing] = found.request(lookup.imputer, found.rows, [column], 0).left_missing(column)
    words = ["imprecise" if left[place] else word for place, word in zip(places, reasons.fallback, strict=True)]
    return replace(reasons, fallback=words)


def _values(lookup: Lookup, column: Column, values: Array) -> Array:
    """The values from neighbours, clipped to what a policy permits."""
    policy, cells = lookup.stored.permits[column].policy, lookup.stored.rows.columns[column]
    return bounds(str(column), policy, cells).nearest(values) if policy.bounds else values


def _explained(lookup: Lookup, column: Column, place: int, reasons: Reasons, cell: int, salt: str | None) -> Why:
    cells = lookup.stored.rows.columns[column]
    graded = lookup.graded(column)
    names = lookup.stored.identities
    neighbours = tuple(
        Neighbour(
            _named(names, int(row), salt), float(distance), float(weight), display_value(cells.values[row], cells)
        )
        for row, distance, weight in zip(reasons.rows[cell], reasons.distances[cell], reasons.shares[cell], strict=True)
        if row >= 0
    )
    variance = float(reasons.variance[cell])
    return Why(
        table=lookup.stored.table.name,
        column=column.name,
        row=_named(names, place, salt),
        key=lookup.stored.key,
        value=None
        if reasons.fallback[cell] in NOTHING
        else display_value(_values(lookup, column, reasons.values)[cell], cells),
        observed=None if cells.missing[place] else display_value(cells.values[place], cells),
        metric=lookup.imputer.metric,
        neighbours=neighbours,
        effective=float(reasons.effective[cell]),
        variance=variance if graded and not np.isnan(variance) else None,
        entropy=None if graded else float(reasons.entropy[cell]),
        fallback=reasons.fallback[cell],
        recall=lookup.recall,
        age=lookup.age,
        policy=lookup.stored.statistics.policy_texts.get(column.name),
    )


def _named(identities: Array, place: int, salt: str | None) -> object:
    identity = identities[place]
    plain = identity.item() if isinstance(identity, np.generic) else identity
    return plain if salt is None else hashed(plain, salt)


def hashed(identity: object, salt: str) -> str:
    """A salted hash of a row's identifier: 64 bits of BLAKE2b, keyed by the salt (RFC 7693).

    Warning: whoever knows the salt can try all identifiers; keep it as secret as these.
    """
    key = blake2b(salt.encode(), digest_size=32).digest()
    return blake2b(str(identity).encode(), digest_size=8, key=key).hexdigest()


def audit(
    engine: Engine,
    lookups: Lookups,
    table: str,
    *,
    columns: Sequence[str] = (),
    imputer: KNN | None = None,
    limit: int = AUDITED,
    salt: str | None = None,
    seed: int = 0,
) -> tuple[int, dict[str, Array]]:
    """The number of missing cells, and the columns of a table with a row for each of them, or for a sample.

    They are row, column_name, value (as text), neighbours, effective, nearest, farthest, variance, entropy, fallback.

    Args:
        engine: engine that holds the table.
        lookups: cache of indexes.
        table: name of the table.
        columns: columns of the cells; by default all incomplete ones that neighbours explain.
        imputer: how neighbours are found; by default `KNN()`.
        limit: largest number of rows; if there are more cells, a sample of them.
        salt: key for hashing row identifiers; None for plain identifiers.
        seed: seed of the sample.
    """
    columns, seed = arguments.names("columns", columns), arguments.seed(seed)
    limit = arguments.whole("the limit", limit, 1, example=" rows")
    _check_salt(salt)
    lookup = lookups.of(engine, table, knn_imputer(imputer, "an audit"), columns)
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
            parts += [_audited(one, name, at, salt) for one, at in _earlier_donors(mine, name, places)]
    if not parts:
        raise DataError(f"nothing is missing in {table}: there is nothing to audit")
    return total, {head: np.concatenate([part[head] for part in parts])[:limit] for head in parts[0]}


def keep_audit(engine: Engine, into: str, whole: dict[str, Array]) -> None:
    """Creates the table of an audit; an earlier audit of that name is replaced."""
    engine.take(into, whole, {}, replace=_are_audits(engine, into, list(whole)), kept=not engine.session.read_only)


def _are_audits(engine: Engine, name: str, heads: Sequence[str]) -> bool:
    """Whether all tables of a name have the columns of an audit, so that they may be replaced."""
    same = [shape for made, shape in engine.shapes().items() if made.name.lower() == name.lower()]
    return all(list(shape.types) == heads for shape in same)


def _earlier_donors(lookup: Lookup, column: Column, places: Ints) -> Iterator[tuple[Lookup, list[int]]]:
    """The index of the rows that some cells may be predicted from, with the positions of the cells' rows in it."""
    found = lookup.stored
    times = found.permits[column].times
    if times is None:
        yield lookup, places.tolist()
        return
    for training, recipients in blocks(found.rows, [column], times):
        mine = recipients[np.isin(recipients, places)]
        if len(mine) and (~found.rows.columns[column].missing[training]).any():
            some = found.at(np.concatenate([training, mine]))
            yield Lookup(some, lookup.imputer, None, ""), list(range(len(training), len(training) + len(mine)))


def _sampled(lookup: Lookup, name: Column, limit: int, total: int, seed: int) -> NDArray[np.intp]:
    """The positions of a column's missing cells, or of its share of a sample of all columns."""
    places = np.flatnonzero(lookup.stored.gaps(name))
    if total <= limit:
        return places
    room = max(1, int(limit * len(places) / total))
    return np.sort(places[np.argsort(lookup.uniform(f"audit {name}", seed)[places], kind="stable")[:room]])


def _audited(lookup: Lookup, column: Column, places: Sequence[int], salt: str | None) -> dict[str, Array]:
    reasons = _withheld(lookup, column, places, lookup.reasons(column, places))
    cells = lookup.stored.rows.columns[column]
    graded, count = lookup.graded(column), len(places)
    there = np.isfinite(reasons.distances)
    found = there.sum(axis=1)
    ends = [np.where(found > 0, reasons.distances[np.arange(count), at], np.nan) for at in (0 * found, found - 1)]
    permitted = _values(lookup, column, reasons.values)
    values = [None if reasons.fallback[i] in NOTHING else str(display_value(permitted[i], cells)) for i in range(count)]
    nothing = np.full(count, np.nan)
    return {
        "row": np.array([str(_named(lookup.stored.identities, place, salt)) for place in places], object),
        "column_name": np.array([column.name] * count, object),
        "value": np.array(values, object),
        "neighbours": found.astype(np.int64),
        "effective": reasons.effective,
        "nearest": ends[0],
        "farthest": ends[1],
        "variance": reasons.variance if graded else nothing,
        "entropy": nothing if graded else reasons.entropy,
        "fallback": np.array(reasons.fallback, object),
    }
