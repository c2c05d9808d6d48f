"""Updates of declarations when their tables change: ALTER, DROP, CREATE OR REPLACE, and transactions."""

import re
from collections.abc import Callable, Sequence
from contextlib import suppress
from itertools import pairwise
from pathlib import Path

import duckdb

from imputedb.algebra.relation import Table
from imputedb.engines.duckdb.changes import Target, WriteScope
from imputedb.engines.duckdb.metadata import MetadataStore
from imputedb.engines.duckdb.session import Session
from imputedb.engines.duckdb.tables import Tables
from imputedb.engines.names import SCHEMA
from imputedb.errors import Error, QueryError
from imputedb.notes import Note, NoteKind, forgotten
from imputedb.sql import derivation
from imputedb.sql.paths import quoted
from imputedb.sql.tokens import Token, tokens, unquoted

Action = Callable[[], None]

Prune = Callable[[Table, bool], None]
"""A function that removes declarations which no longer suit a table that was changed or, if true, replaced."""

_WORDS = ("replace", "alter", "drop", "begin", "start", "commit", "end", "rollback", "abort", "detach", "import")


def action_after(session: Session, store: MetadataStore, tables: Tables, text: str, prune: Prune) -> Action:
    """The action to take once a statement has run; the statement has not run yet."""
    lowered = text.lower()
    if not any(word in lowered for word in _WORDS):
        return _no_action
    try:
        found = [token for token in tokens(text) if token.text != ";"]
    except (duckdb.Error, UnicodeError):
        return _no_action
    return _action_of(session, store, tables, found, prune) if found else _no_action


def _no_action() -> None:
    pass


def _action_of(session: Session, store: MetadataStore, tables: Tables, found: Sequence[Token], prune: Prune) -> Action:
    words = [token.word for token in found]
    match words[0]:
        case "begin" | "start":
            return store.begin
        case "commit" | "end":
            return _committed(session, store, prune)
        case "rollback" | "abort":
            return lambda: store.end(kept=False)
        case "create" if words[1:3] == ["or", "replace"]:
            return _replaced(session, store, tables, found, prune)
        case "alter" if words[1:2] == ["table"]:
            return _altered(session, store, tables, found, prune)
        case "drop":
            return _dropped(store, tables, found)
        case "detach":
            return _detached(store, found)
        case "import" if words[1:2] == ["database"] and len(words) > 2:
            _check_import(session, found[2])
            return store.reread
        case _:
            return _no_action


def _committed(session: Session, store: MetadataStore, prune: Prune) -> Action:
    """Keeps the declarations of a transaction, unless an error had aborted it, which COMMIT does not report."""
    if not session.is_sound():

        def undone() -> None:
            store.end(kept=False)
            message = "an error had aborted the transaction: COMMIT has kept nothing of it"
            session.remarks.append(Note(NoteKind.UNDONE, "", message))

        return undone

    def done() -> None:
        altered = list(store.altered)
        store.end(kept=True)
        for table in altered:
            if store.policies(table) or store.missing(table):
                prune(table, False)  # outside of a transaction, where a failing policy aborts nothing

    return done


def _replaced(session: Session, store: MetadataStore, tables: Tables, found: Sequence[Token], prune: Prune) -> Action:
    words = [token.word for token in found[:5]]
    temporary = words[3:4] in (["temp"], ["temporary"])
    if words[3 + temporary : 4 + temporary] != ["table"]:
        return _no_action
    path, _ = _path(found, 4 + temporary)
    if len(path) == 1:  # another table of that name may hide the one that is replaced
        catalog, schema = session.rows("SELECT current_database(), current_schema()")[0]
        path = ["temp", "main", *path] if temporary else [catalog, schema, *path]
    table = _table_of(tables, path)
    if table is None or not (store.policies(table) or store.missing(table)):
        return _no_action
    return lambda: prune(table, True)


def _detached(store: MetadataStore, found: Sequence[Token]) -> Action:
    """Forgets declarations about a database in memory, since a later one of the same name is a different database."""
    words = [token.word for token in found]
    path, _ = _path(found, 2 if words[1:2] == ["database"] and len(words) > 2 else 1)
    return lambda: store.forget_database(path[-1])


def _check_import(session: Session, folder: Token) -> None:
    """Refuses to import policies into a database that has some: DuckDB cannot create their schema twice.

    Raises:
        QueryError: both have policies.
    """
    with suppress(OSError, UnicodeError):
        held = f"CREATE SCHEMA {SCHEMA};" in (Path(folder.text.strip("'")) / "schema.sql").read_text()
        ours = "SELECT count(*) FROM duckdb_schemas() WHERE schema_name = ? AND database_name = current_database()"
        if held and session.rows(ours, [SCHEMA])[0][0]:
            raise QueryError(
                f"{folder.text} holds imputation policies, and so does this database: import it into a new file, or "
                f"keep these by export_policies(path), DROP SCHEMA {SCHEMA} CASCADE, import, and apply_policies(path)"
            )


def _dropped(store: MetadataStore, tables: Tables, found: Sequence[Token]) -> Action:
    """Forgets declarations about tables that are dropped, one by one or with their schema."""
    missing: list[Table] = []
    if found[1].word == "table":
        at = 1
        while at < len(found) and (at == 1 or found[at].text == ","):
            table, at = _table(tables, found, at + 1)
            missing += [table] if table else []
    elif found[1].word == "schema":
        path, _ = _path(found, 2)
        missing = [table for table in store.tables() if _is_in(tables, table, path)]

    def forget() -> None:
        for table in missing:
            store.undeclare(table)

    return forget if missing else _no_action


def _is_in(tables: Tables, table: Table, schema: Sequence[str]) -> bool:
    """Whether a table is in a schema, given by name and possibly by database."""
    *catalog, name = (part.lower() for part in schema)
    if table.schema.lower() != name or (catalog and [table.catalog.lower()] != catalog):
        return False
    return bool(catalog) or tables.meant((table.schema, table.name)) == table


def _altered(session: Session, store: MetadataStore, tables: Tables, found: Sequence[Token], prune: Prune) -> Action:
    table, at = _table(tables, found, 2)
    rest = [token.word for token in found[at:]]
    if table is None:
        return _no_action
    if rest[:2] == ["rename", "to"]:
        after = Table(table.catalog, table.schema, _name(found[at + 2]))
        return lambda: store.rename(table, after)
    if rest[:1] == ["rename"] and "to" in rest:
        column, at = _column(found, at + 1)
        if len(column) > 1:  # a field of a struct
            return _no_action
        return _column_renamed(store, table, _own(tables, table, column[0]), _name(found[at + 1]))
    if rest[:1] == ["drop"] and rest[1:2] != ["constraint"]:
        column, _ = _column(found, at + 1)
        return _no_action if len(column) > 1 else _column_dropped(session, store, table, _own(tables, table, column[0]))
    if rest[:1] == ["alter"] and (store.policies(table) or store.missing(table)):
        return lambda: _retyped(session, store, table, prune)
    return _no_action


def _retyped(session: Session, store: MetadataStore, table: Table, prune: Prune) -> None:
    prune(table, False)
    if session.in_transaction:
        store.altered.append(table)


def _column(found: Sequence[Token], at: int) -> tuple[list[str], int]:
    """The path of a column after RENAME or DROP, including struct fields, and the place after it."""
    return _path(
        found, at + 1 if found[at].word == "column" and len(found) > at + 1 and found[at + 1].word != "to" else at
    )


def _column_renamed(store: MetadataStore, table: Table, before: str, after: str) -> Action:
    def follow() -> None:
        for column, policy in dict(store.policies(table)).items():
            texts = {name: text for name in ("when", "derived") if (text := getattr(policy, name))}
            reworded = {name: _reworded(text, before, after) for name, text in texts.items()}
            if reworded != texts:
                store.decide(table, column, policy.changed(reworded))
        store.rename_column(table, before, after)

    return follow


def _column_dropped(session: Session, store: MetadataStore, table: Table, column: str) -> Action:
    """Removes declarations about a column, and from others what depends on it."""

    def follow() -> None:
        store.declare(table, column, ())
        for name, policy in dict(store.policies(table)).items():
            left = policy.without(column)
            if name == column:
                store.decide(table, name, None)
            elif left is None or any(_mentions(text or "", column) for text in policy.texts):
                store.decide(table, name, None)
                session.remarks.append(forgotten(table.name, name, f"it rests on {column}, which is dropped"))
            elif left != policy:
                store.decide(table, name, left)

    return follow


def _mentions(condition: str, column: str) -> bool:
    return bool(condition) and bool(derivation.parts(condition, [column]))


def _reworded(condition: str, before: str, after: str) -> str:
    """A condition with a column renamed; the same word may also be a type, a keyword or a parameter there."""
    data, renamed, end, parts = condition.encode(), quoted((after,)), 0, []
    places = derivation.byte_ranges(condition, before)
    for token in tokens(condition):
        inside = any(begin <= token.begin < stop for begin, stop in places)
        if inside and _name(token).lower() == before.lower():
            parts += [data[end : token.begin], renamed.encode()]
            end = token.end
    return b"".join([*parts, data[end:]]).decode()


def _table(tables: Tables, found: Sequence[Token], at: int) -> tuple[Table | None, int]:
    """The table named at a place, and the place after its name."""
    path, at = _path(found, at)
    return _table_of(tables, path), at


def _table_of(tables: Tables, path: Sequence[str]) -> Table | None:
    try:
        found = tables.meant(path)
    except (Error, duckdb.Error):
        return None
    return found if isinstance(found, Table) else None


def _path(found: Sequence[Token], at: int) -> tuple[list[str], int]:
    """The parts of the name at a place, and the place after it."""
    if [token.word for token in found[at : at + 2]] == ["if", "exists"]:
        at += 2
    path = [_name(token) for token in found[at : at + 1]]
    at += 1
    while at + 1 < len(found) and found[at].text == ".":
        path.append(_name(found[at + 1]))
        at += 2
    return path, at


def _name(token: Token) -> str:
    return unquoted(token.text)


def _own(tables: Tables, table: Table, name: str) -> str:
    return next((known for known in tables.shape(table).types if known.lower() == name.lower()), name)


_WRITING = {"insert": "into", "update": "", "delete": "from", "merge": "into", "copy": ""}
"""First words of statements that write the rows of one table, and the word before the table's name."""

_TABLES = ("table", "view", "index")
"""Objects of CREATE, ALTER or DROP that concern no macro."""

_BEFORE = ("or", "replace", "temp", "temporary", "unique", "recursive")
"""Words that may stand before the object of such a statement."""

_READING = ("select", "from", "with", "values", "table", "describe", "desc", "show", "summarize", "explain")

_ELSEWHERE = re.compile("execute|_query$")
"""A pattern of names of functions that run statements of their own."""


def write_scope(tables: Tables, home: str, text: str) -> Target:
    """What a statement writes."""
    try:
        found = [token for token in tokens(text) if token.text != ";"]
    except (duckdb.Error, UnicodeError):
        return WriteScope.ANYTHING
    words = [token.word for token in found]
    if not words or any(map(_ELSEWHERE.search, words)) or (words[0] == "explain" and "analyze" in words):
        return WriteScope.ANYTHING
    inside = [word for before, word in pairwise(words) if word in _WRITING and before not in ("do", "then")]
    if words[0] in _READING:
        return WriteScope.ANYTHING if inside else WriteScope.NOTHING
    if words[0] in ("create", "alter", "drop"):
        what = next((word for word in words[1:] if word not in _BEFORE), "")
        return WriteScope.TABLES if what in _TABLES else WriteScope.ANYTHING
    if words[0] not in _WRITING or inside:
        return WriteScope.ANYTHING
    outside = [token.word for token in found if token.depth == 0]
    if words[0] == "copy" and "to" in outside and "from" not in outside:
        return WriteScope.NOTHING  # only a file, whose changes are detected separately
    at = words.index(_WRITING[words[0]]) + 1 if _WRITING[words[0]] in words else 1
    table, end = _table(tables, found, at)
    if words[0] == "copy" and "from" not in words[end:]:
        return WriteScope.ANYTHING
    if table is None or table.catalog not in (home, "temp") or tables.has_triggers():
        return WriteScope.ANYTHING
    return table
