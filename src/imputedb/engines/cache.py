"""Caches of a database: what each holds, its size, and what invalidates it.

Every value that outlives a call is in one of them. A write to a table invalidates what depends on that table's rows.
Any other change, such as ALTER or SET, invalidates everything that depends on the database.
"""

from collections import OrderedDict
from collections.abc import Callable, Collection, Hashable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from imputedb.algebra.relation import Table

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")

State = Callable[[Collection[Table] | None], object]
"""A token that differs whenever one of some tables may have been written; with None, whenever any may have been."""

BOUND = 256 << 20
"""Largest total size of the values, in bytes; those used longest ago are evicted first."""

MOST = 4096
"""Largest number of values; small ones take more memory than their own bytes."""

OF_STRUCTURE: tuple[Table, ...] = ()
"""The tables of values that depend on no rows, only on the catalog and on settings."""


STRUCTURAL = "ALTER, DROP, SET and the like"
"""What invalidates values that depend on no rows."""


@dataclass(frozen=True, slots=True)
class CacheUse:
    """The use of a cache.

    Attributes:
        name: what it holds.
        key: what its values are found by.
        invalidated: what makes its values stale.
        entries: the number of values, including stale ones that have not been looked up since.
        bound: the largest number of values; those used longest ago are evicted first.
        bytes: the approximate memory that the values take; None where it is not counted.
        hits: the number of lookups that found a value.
        misses: the number of lookups that found none.
    """

    name: str
    key: str
    invalidated: str
    entries: int
    bound: int
    bytes: int | None
    hits: int
    misses: int


class LruCache(Generic[Key, Value]):
    """A least-recently-used cache of at most `bound` values.

    Attributes:
        name, key, invalidated, bound: as in `CacheUse`.

    `gone` is called with each value that is evicted or replaced. Where `size` gives the bytes of a value, all values
    together take at most `BOUND`.
    """

    def __init__(
        self,
        name: str,
        key: str,
        invalidated: str,
        bound: int,
        missing: Callable[[Value], object] | None = None,
        size: Callable[[Value], int] | None = None,
    ) -> None:
        self.name, self.key, self.invalidated, self.bound = name, key, invalidated, bound
        self._on_evicted, self._size = missing, size
        self._values: OrderedDict[Key, Value] = OrderedDict()
        self._hits = self._misses = 0

    def __len__(self) -> int:
        return len(self._values)

    def items(self) -> list[tuple[Key, Value]]:
        """All keys and values, the one used longest ago first."""
        return list(self._values.items())

    def recall(self, key: Key) -> Value | None:
        """The value of a key; None where there is none."""
        found = self._values.get(key)
        if found is None:
            self._misses += 1
        else:
            self._hits += 1
            self._values.move_to_end(key)
        return found

    def keep(self, key: Key, value: Value) -> Value:
        """Stores a value, and returns it."""
        lost = [self._values.pop(key)] if key in self._values else []
        self._values[key] = value
        while len(self._values) > self.bound or (self._bytes or 0) > BOUND:
            lost.append(self._values.popitem(last=False)[1])
        for other in lost if self._on_evicted else ():
            if self._on_evicted and not any(other is one for one in self._values.values()):
                self._on_evicted(other)
        return value

    def drop(self, key: Key) -> None:
        """Lets go of the value of a key, where there is one."""
        value = self._values.pop(key, None)
        if value is not None and self._on_evicted:
            self._on_evicted(value)

    @property
    def _bytes(self) -> int | None:
        return sum(map(self._size, self._values.values())) if self._size else None

    def uses(self) -> list[CacheUse]:
        """The use of the cache."""
        counts = (len(self), self.bound, self._bytes, self._hits, self._misses)
        return [CacheUse(self.name, self.key, self.invalidated, *counts)]


@dataclass(slots=True)
class _Entry:
    value: Any
    size: int
    tables: tuple[Table, ...] | None
    state: object


_ABOUT = {
    "statistics of files": ("statistics of Parquet files, by their sizes and times", "files"),
    "statistics": ("statistics of tables, with their fingerprints", "table"),
    "cells": ("columns of stored tables, as imputers read them", "table and column"),
    "counts": ("counts of rows and missing values", "relation"),
    "misfits": ("errors of draws on hidden cells", "imputers, columns, rows and seed"),
    "doubts": ("warnings about draws", "imputer, columns and rows, or model"),
    "expected": ("expected values of whole tables", "table, column, imputer and seed"),
    "drawn": ("drawn values of whole tables", "table, columns, draws, imputer and seed"),
    "given": ("drawn values, as the engine reads them", "table, column, draw, imputer and seed"),
    "model": ("functions of kept models", "model"),
    "sampled model": ("functions that are fitted to samples of tables", "rows, column, imputer and seed"),
    "room": ("the largest number of bytes that an imputer gets", "memory_limit"),
    "applied": ("values imputed by kept models", "table, model and draw"),
    "coarser": ("cells that models predict from fewer columns", "table and model"),
    "tree": ("syntax trees", "text of a query"),
    "outputs": ("names and types of output columns", "text of a query"),
    "unknown": ("names that are not tables", "text of a statement"),
    "text files": ("whether a query may read text files", "text of a query"),
}


class TableCache:
    """A cache of values computed from a database, by name.

    A value is valid while the tables that it depends on are unchanged. A name is a tuple whose first part is the kind
    of the value, or the kind alone.
    """

    def __init__(self, state: State, lock: AbstractContextManager[object] | None = None) -> None:
        self._now = state
        self._lock = lock or nullcontext()
        self._structure: object = None
        self._values: OrderedDict[Hashable, _Entry] = OrderedDict()
        self._bytes = 0
        self._lookups: dict[str, list[int]] = {}

    def recall(self, name: Hashable, fit: Callable[[Collection[Table] | None], bool] | None = None) -> Any:
        """The value of a name; None where there is none, its tables have changed, or `fit` rejects them."""
        with self._lock:
            lookups = self._lookups.setdefault(_kind(name), [0, 0])
            entry = self._values.get(name)
            if entry is not None and fit is not None and not fit(entry.tables):
                entry = None
            if entry is None or entry.state != self._now(entry.tables):
                lookups[1] += 1
                if entry is not None:
                    self._bytes -= self._values.pop(name).size
                return None
            lookups[0] += 1
            self._values.move_to_end(name)
            return entry.value

    def keep(
        self,
        name: Hashable,
        value: Any,
        size: int = 64,
        tables: Collection[Table] | None = None,
        state: object | None = None,
    ) -> None:
        """Stores a value of `size` bytes, and evicts others if need be.

        The value depends on the rows of `tables`, or of any table unless these are given. `state` is their state when
        the value was computed; by default, the present one.
        """
        with self._lock:
            structure = self._now(OF_STRUCTURE)
            if structure != self._structure:  # every value is stale
                self._structure, self._bytes = structure, 0
                self._values.clear()
            if name in self._values:
                self._bytes -= self._values.pop(name).size
            if size > BOUND:
                return
            rest = None if tables is None else tuple(tables)
            self._values[name] = _Entry(value, size, rest, self._now(rest) if state is None else state)
            self._bytes += size
            while self._bytes > BOUND or len(self._values) > MOST:
                self._bytes -= self._values.popitem(last=False)[1].size

    def uses(self) -> list[CacheUse]:
        """The use of the cache, for each kind of value."""
        with self._lock:
            entries = list(self._values.items())
            lookups = {kind: tuple(counts) for kind, counts in self._lookups.items()}
        found = []
        for kind in sorted({*lookups, *(_kind(name) for name, _ in entries)}):
            mine = [entry for name, entry in entries if _kind(name) == kind]
            about, key = _ABOUT.get(kind, (kind, "name"))
            rests = {entry.tables for entry in mine}
            written = "a write to any table" if None in rests else "a write to the tables read"
            stale = (
                "ALTER, DROP, SET and the like"
                if rests == {OF_STRUCTURE}
                else f"{written}; ALTER, DROP, SET and the like"
            )
            hits, misses = lookups.get(kind, (0, 0))
            found.append(CacheUse(about, key, stale, len(mine), MOST, sum(e.size for e in mine), hits, misses))
        return found


def _kind(name: Hashable) -> str:
    return str(name[0] if isinstance(name, tuple) else name)
