"""Caches of a database: what each holds, how much of it, and what makes it stale.

All values that outlive a call are in one of these. A write makes stale what rests on the rows of the table that was
written; everything else that happens to a database, such as ALTER or SET, makes stale whatever rests on any of it.
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
"""A token that differs whenever one of some tables may have been written, or with None any table."""

BOUND = 256 << 20
"""Bytes that values which rest on data take at most; those used longest ago go first."""

MOST = 4096
"""Values at most: small ones take more than their bytes."""

OF_STRUCTURE: tuple[Table, ...] = ()
"""What values rest on that rest on no rows: tables, views, types, settings."""


STRUCTURAL = "ALTER, DROP, SET and the like"
"""What makes values stale that rest on no rows."""


@dataclass(frozen=True, slots=True)
class CacheUse:
    """What is in a cache.

    Attributes:
        name: what it holds.
        key: what its values are found by.
        invalidated: what makes them stale.
        entries: how many values there are, stale ones that nobody has asked for among them.
        bound: how many there are at most; those used longest ago go first.
        bytes: how much memory they take, about; None where it is not counted.
        hits: how often a value was there when it was asked for.
        misses: how often it was not.
    """

    name: str
    key: str
    invalidated: str
    entries: int
    bound: int
    bytes: int | None
    hits: int
    misses: int


class Recent(Generic[Key, Value]):
    """A cache of the values used last; the one used longest ago goes when there are more than `bound`.

    Attributes:
        name, key, invalidated, bound: as of `CacheUse`.

    Of a value that goes, or is replaced, `gone` is told.
    """

    def __init__(
        self, name: str, key: str, invalidated: str, bound: int, gone: Callable[[Value], object] | None = None
    ) -> None:
        self.name, self.key, self.invalidated, self.bound = name, key, invalidated, bound
        self._gone = gone
        self._values: OrderedDict[Key, Value] = OrderedDict()
        self._hits = self._misses = 0

    def __len__(self) -> int:
        return len(self._values)

    def items(self) -> list[tuple[Key, Value]]:
        """All of them, the one used longest ago first."""
        return list(self._values.items())

    def recall(self, key: Key) -> Value | None:
        """The value of a key, None where there is none."""
        found = self._values.get(key)
        if found is None:
            self._misses += 1
        else:
            self._hits += 1
            self._values.move_to_end(key)
        return found

    def keep(self, key: Key, value: Value) -> Value:
        """Keeps a value, and gives it."""
        lost = [self._values.pop(key)] if key in self._values else []
        self._values[key] = value
        while len(self._values) > self.bound:
            lost.append(self._values.popitem(last=False)[1])
        for other in lost if self._gone else ():
            if other is not value and self._gone:
                self._gone(other)
        return value

    def uses(self) -> list[CacheUse]:
        """What is in it."""
        return [CacheUse(self.name, self.key, self.invalidated, len(self), self.bound, None, self._hits, self._misses)]


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
    "misfits": ("what draws get wrong of hidden cells", "imputers, columns, rows and seed"),
    "doubts": ("what makes draws doubtful", "imputer, columns and rows, or model"),
    "expected": ("expected values of whole tables", "table, column, imputer and seed"),
    "drawn": ("drawn values of whole tables", "table, columns, draws, imputer and seed"),
    "given": ("drawn values, as the engine reads them", "table, column, draw, imputer and seed"),
    "model": ("functions of kept models", "model"),
    "sampled model": ("functions that are fitted to samples of tables", "rows, column, imputer and seed"),
    "room": ("how much an imputer may be handed", "memory_limit"),
    "applied": ("values that kept models give", "table, model and draw"),
    "coarser": ("cells that models predict from fewer columns", "table and model"),
    "tree": ("syntax trees", "text of a query"),
    "outputs": ("names and types of output columns", "text of a query"),
    "unknown": ("names that mean no table", "text of a statement"),
    "text files": ("whether a query may read files of text", "text of a query"),
}


class Memory:
    """A cache of what was computed from a database, by name, as long as what it rests on stands as it was.

    A name is a tuple whose first part is the kind of the value, or that kind alone.
    """

    def __init__(self, state: State, lock: AbstractContextManager[object] | None = None) -> None:
        self._now = state
        self._lock = lock or nullcontext()
        self._structure: object = None
        self._values: OrderedDict[Hashable, _Entry] = OrderedDict()
        self._bytes = 0
        self._lookups: dict[str, list[int]] = {}

    def recall(self, name: Hashable, fit: Callable[[Collection[Table] | None], bool] | None = None) -> Any:
        """The value of a name; None where there is none, or what it rests on has changed, or does not fit."""
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
        """Keeps a value of so many bytes, if need be in place of others.

        It rests on the rows of some tables, on any there are unless these are given, in a state of theirs: the one
        that they are in unless it is given.
        """
        with self._lock:
            structure = self._now(OF_STRUCTURE)
            if structure != self._structure:  # all there is is stale
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
        """The use of the cache, by kind of value."""
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
