"""What was said about tables follows them: through ALTER, DROP and CREATE OR REPLACE, and through transactions."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import duckdb

from imputedb.algebra.relation import Table
from imputedb.engines.store import Store
from imputedb.engines.tables import Tables
from imputedb.errors import Error
from imputedb.sql.tokens import Token, tokens

Action = Callable[[], None]

Prune = Callable[[Table, bool], None]
"""Lets go of what no longer suits a table that has changed, or been replaced."""

_ENDS = ("begin", "start", "commit", "end", "rollback", "abort")
"""Words that begin or end a transaction."""

_WORDS = ("replace", "alter", "drop", "begin", "start", "commit", "end", "rollback", "abort")


def followed(store: Store, tables: Tables, text: str, prune: Prune) -> Action:
    """What is to be done once statements have run, which have not run yet."""
    lowered = text.lower()
    if not any(word in lowered for word in _WORDS):
        return _nothing
    actions = _lasting([(statement[0].word, _one(store, tables, statement, prune)) for statement in _split(text)])

    def follow() -> None:
        for action in actions:
            action()

    return follow


def _lasting(actions: Sequence[tuple[str, Action]]) -> list[Action]:
    """The actions but those of statements that a later one of the same text rolls back: when they are done, it has."""
    kept: list[tuple[str, Action]] = []
    for word, action in actions:
        while word in ("rollback", "abort") and kept and kept[-1][0] not in _ENDS:
            kept.pop()
        kept.append((word, action))
    return [action for _, action in kept]


def _nothing() -> None:
    pass


def _split(text: str) -> list[list[Token]]:
    try:
        found = tokens(text)
    except (duckdb.Error, UnicodeError):
        return []
    statements: list[list[Token]] = [[]]
    for token in found:
        if token.text == ";":
            statements.append([])
        else:
            statements[-1].append(token)
    return [statement for statement in statements if statement]


def _one(store: Store, tables: Tables, found: Sequence[Token], prune: Prune) -> Action:
    words = [token.word for token in found]
    match words[0]:
        case "begin" | "start":
            return store.begun
        case "commit" | "end":
            return lambda: store.ended(kept=True)
        case "rollback" | "abort":
            return lambda: store.ended(kept=False)
        case "create" if words[1:3] == ["or", "replace"]:
            return _replaced(store, tables, found, prune)
        case "alter" if words[1:2] == ["table"]:
            return _altered(store, tables, found, prune)
        case "drop":
            return _dropped(store, tables, found)
        case _:
            return _nothing


def _replaced(store: Store, tables: Tables, found: Sequence[Token], prune: Prune) -> Action:
    words = [token.word for token in found[:5]]
    temporary = words[3:4] in (["temp"], ["temporary"])
    if words[3 + temporary : 4 + temporary] != ["table"]:
        return _nothing
    table, _ = _table(tables, found, 4 + temporary)
    if table is None or (table.catalog == "temp") != temporary:
        return _nothing
    if not store.policies(table) and not store.missing(table):
        return _nothing
    return lambda: prune(table, True)


def _dropped(store: Store, tables: Tables, found: Sequence[Token]) -> Action:
    """What is said of tables that are dropped, one by one or with their schema, is forgotten."""
    gone: list[Table] = []
    if found[1].word == "table":
        at = 1
        while at < len(found) and (at == 1 or found[at].text == ","):
            table, at = _table(tables, found, at + 1)
            gone += [table] if table else []
    elif found[1].word == "schema":
        path, _ = _path(found, 2)
        gone = [table for table in store.tables() if _is_in(tables, table, path)]

    def forget() -> None:
        for table in gone:
            store.undeclare(table)

    return forget if gone else _nothing


def _is_in(tables: Tables, table: Table, schema: Sequence[str]) -> bool:
    """Whether a table is in the schema of a name, which may have its database before it."""
    *catalog, name = (part.lower() for part in schema)
    if table.schema.lower() != name or (catalog and [table.catalog.lower()] != catalog):
        return False
    return bool(catalog) or tables.meant((table.schema, table.name)) == table


def _altered(store: Store, tables: Tables, found: Sequence[Token], prune: Prune) -> Action:
    table, at = _table(tables, found, 2)
    rest = [token.word for token in found[at:]]
    if table is None:
        return _nothing
    if rest[:2] == ["rename", "to"]:
        after = Table(table.catalog, table.schema, _name(found[at + 2]))
        return lambda: store.renamed(table, after)
    if rest[:1] == ["rename"] and "to" in rest:
        names = found[at + 1 : at + len(rest)]
        names = names[1:] if names[0].word == "column" else names
        before, after_name = _own(tables, table, _name(names[0])), _name(names[2])

        def follow() -> None:
            for column, policy in dict(store.policies(table)).items():
                if policy.when and _mentions(policy.when, before):
                    store.decide(table, column, replace(policy, when=_reworded(policy.when, before, after_name)))
            store.column_renamed(table, before, after_name)

        return follow
    if rest[:1] == ["drop"]:
        column = _own(tables, table, _name(found[-1] if found[-1].word not in ("cascade", "restrict") else found[-2]))

        def gone() -> None:
            store.declare(table, column, ())
            for name, policy in dict(store.policies(table)).items():
                if column in (name, policy.before) or _mentions(policy.when or "", column):
                    store.decide(table, name, None)

        return gone
    if rest[:1] == ["alter"] and (store.policies(table) or store.missing(table)):
        return lambda: prune(table, False)
    return _nothing


def _mentions(condition: str, column: str) -> bool:
    return any(_name(token).lower() == column.lower() for token in tokens(condition))


def _reworded(condition: str, before: str, after: str) -> str:
    """A condition in which a column has another name."""
    data, quoted, end, parts = condition.encode(), '"' + after.replace('"', '""') + '"', 0, []
    for token in tokens(condition):
        if _name(token).lower() == before.lower():
            parts += [data[end : token.begin], quoted.encode()]
            end = token.end
    return b"".join([*parts, data[end:]]).decode()


def _table(tables: Tables, found: Sequence[Token], at: int) -> tuple[Table | None, int]:
    """The table that a name at a place means, and the place behind it."""
    path, at = _path(found, at)
    try:
        meant = tables.meant(path)
    except (Error, duckdb.Error):
        return None, at
    return (meant if isinstance(meant, Table) else None), at


def _path(found: Sequence[Token], at: int) -> tuple[list[str], int]:
    """The parts of a name at a place, and the place behind it."""
    if [token.word for token in found[at : at + 2]] == ["if", "exists"]:
        at += 2
    path = [_name(token) for token in found[at : at + 1]]
    at += 1
    while at + 1 < len(found) and found[at].text == ".":
        path.append(_name(found[at + 1]))
        at += 2
    return path, at


def _name(token: Token) -> str:
    return token.text[1:-1].replace('""', '"') if token.text[:1] == '"' else token.text


def _own(tables: Tables, table: Table, name: str) -> str:
    return next((known for known in tables.shape(table).types if known.lower() == name.lower()), name)
