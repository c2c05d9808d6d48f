"""Columns that a statement only shows: where they cannot be imputed, they stay NULL."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from imputedb.algebra.relation import Table
from imputedb.engines.engine import Engine
from imputedb.notes import Note, NoteKind
from imputedb.sql.ast import Tree, expressions, parts
from imputedb.sql.expression import (
    alias_written,
    child_of,
    children_of,
    function_of,
    is_call,
    is_cast,
    is_constant,
    is_distinct,
    kind_of,
    merged_in,
    names_of,
    operation_of,
    origin_of,
    read_as_stored,
    whole_sources,
)
from imputedb.sql.flatten import is_bare
from imputedb.sql.functions import STRICT
from imputedb.sql.passing import UnseenTest
from imputedb.sql.scope import Definition, Source
from imputedb.sql.select import (
    adds_rows,
    clauses_of,
    groups_rows,
    is_distinct_query,
    is_select,
    is_set_operation,
    order_of,
    ordered_by,
    outputs_of,
)
from imputedb.sql.subqueries import nodes
from imputedb.statistics.table import Statistics

Shown = Callable[[int], bool | None]
"""Whether the output of a query at a place is shown, rather than never read; None where something examines it."""

_ELEMENTS = ("ARRAY_EXTRACT", "ARRAY_SLICE", "STRUCT_EXTRACT")
"""Operators that take a part of a value."""

Candidates = dict[int, tuple[Tree, bool]]
"""References that nothing examines so far by the identity of their nodes, and whether they are shown."""


def as_stored(engine: Engine, whole: Tree, sources: Mapping[int, Source]) -> list[Note]:
    """Makes columns that cannot be imputed and are only shown read stored values; returns warnings."""
    found: dict[str, str] = {}
    references = list(unexamined(whole, sources))
    columns: dict[Table, set[str]] = {}
    for _, table, name, _ in references:
        columns.setdefault(table, set()).add(name)
    dirty = {table: engine.dirty(table, names) for table, names in columns.items()}
    for item, table, name, is_shown in references:
        reason = not_imputable(engine.statistics(table), name) if name in dirty[table] else None
        if reason:
            read_as_stored(item)
            if is_shown:
                found[f"{table.name}.{name}"] = f"{reason}: what is missing of it is shown as NULL"
    return [Note(NoteKind.AS_STORED, column, f"{column}: {words}") for column, words in found.items()]


def unanswered(engine: Engine, unseen: Iterable[UnseenTest]) -> list[Note]:
    """Warnings of tests of missingness that see completed values."""

    def completed(table: Table, name: str) -> bool:
        return name in engine.dirty(table, {name}) and not not_imputable(engine.statistics(table), name)

    words = "its values are completed and count as observed: ask below it, of the rows as they are stored"
    found = [one for one in unseen if any(completed(table, name) for table, name in one.behind)]
    texts = dict.fromkeys(
        (one.column, f"{one.column} is asked about through {one.where}, where {words}") for one in found
    )
    return [Note(NoteKind.ASKED_ABOVE, column, text) for column, text in texts]


def not_imputable(statistics: Statistics, name: str) -> str | None:
    """The reason why a column cannot be imputed; None where it can."""
    known = statistics.columns[name]
    if known.centre is not None:
        return None
    if known.missing + known.meant == statistics.rows:
        return "no value of it is observed"
    return f"values of type {known.type} cannot be imputed"


def unexamined(whole: Tree, sources: Mapping[int, Source]) -> Iterator[tuple[Any, Table, str, bool]]:
    """The references to table columns that nothing examines on their way into the answer.

    An output shows a column as it is, cast, or by a function that is NULL where it is and reads no other column.

    Each is a node with its table and column, and whether it is shown or unread. A nested query passes a column on if
    all its readers only show it. A query with groups or DISTINCT, or a part of a set operation other than UNION ALL,
    examines its outputs, and ORDER BY examines its keys.
    """
    reading = _reading(whole)
    candidates: Candidates = {}
    _collect(whole, lambda _: True, candidates)
    for definition, readers in _inner_first(sources):

        def passed(place: int, definition: Definition = definition, readers: Sequence[int] = readers) -> bool | None:
            names = (definition.columns or ())[place : place + 1]
            read = [id(one) for name in names for number in readers for one in reading.get((number, name), ())]
            return any(candidates[one][1] for one in read) if all(one in candidates for one in read) else None

        if not any((number, "") in reading for number in readers):
            _collect(definition.node, passed, candidates)
    for item, is_shown in candidates.values():
        origin = origin_of(item)
        table = sources[origin.number].table if origin and not origin.stored else None
        if origin and table is not None:
            yield item, table, origin.name, is_shown


def _inner_first(sources: Mapping[int, Source]) -> Iterator[tuple[Definition, list[int]]]:
    """The nested queries with the numbers of their readers, each after the queries that contain it."""
    readers: dict[int, tuple[Definition, list[int]]] = {}
    for number, source in sources.items():
        if source.definition is not None and source.definition.node:  # a recursive query reads itself
            readers.setdefault(id(source.definition.node), (source.definition, []))[1].append(number)
    yield from sorted(readers.values(), key=lambda found: -min(found[1]))


def _reading(whole: Tree) -> dict[tuple[int, str], list[Tree]]:
    """The references by source and column; those that read several columns of a source are under the empty name."""
    found: dict[tuple[int, str], list[Tree]] = {}
    for part in nodes(whole):
        if origin := origin_of(part):
            found.setdefault((origin.number, origin.name), []).append(part)
        for number, _ in merged_in(part):
            found.setdefault((number, ""), []).append(part)
        for number in whole_sources(part):
            found.setdefault((number, ""), []).append(part)
    return found


def _collect(node: Tree, shown: Shown, candidates: Candidates) -> None:
    """Adds the items of a query that are unchanged columns, at positions that are shown."""
    if is_set_operation(node) and adds_rows(node):
        for child in children_of(node):
            _collect(child, shown, candidates)
    if not is_select(node) or _examines(node):
        return
    named = {names_of(part)[0].lower() for part in expressions(clauses_of(node)) if is_bare(part)}
    for place, item in enumerate(outputs_of(node)):
        if alias_written(item).lower() in named:  # an alias that another clause reads
            continue
        reference = _reference(item)
        is_shown = shown(place) if reference else None
        if reference is not None and is_shown is not None:
            candidates[id(reference)] = (reference, is_shown)


def _reference(item: Tree) -> Tree | None:
    """The reference of an output that reads one column, or a field of it, and is NULL wherever that is; else None."""
    while not origin_of(item):
        if is_cast(item) or kind_of(item) == "COLLATE":
            item = child_of(item)
            continue
        is_element = kind_of(item) == "OPERATOR" and operation_of(item) in _ELEMENTS
        is_strict = is_call(item) and function_of(item) in STRICT and not is_distinct(item)
        if not is_element and not is_strict:
            return None
        varying = [part for part in parts(item) if not is_constant(part)]
        if len(varying) != 1:
            return None
        [item] = varying
    return item


def _examines(node: Tree) -> bool:
    """Whether a query examines its outputs: by groups, DISTINCT, or ORDER BY a position, an alias or all."""
    keys = map(ordered_by, order_of(node))
    of_outputs = any(not origin_of(key) and kind_of(key) in ("CONSTANT", "STAR", "COLUMN_REF") for key in keys)
    return groups_rows(node) or is_distinct_query(node) or of_outputs
