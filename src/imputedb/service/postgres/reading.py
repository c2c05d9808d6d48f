"""The parser of session commands; any other statement is a query for the core."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from imputedb.service.errors import Forbidden, TooLarge
from imputedb.service.postgres.commands import (
    Command,
    Declare,
    Fetch,
    Forget,
    Nothing,
    Set,
    Show,
    Statement,
    Transaction,
    Unsupported,
)
from imputedb.service.postgres.copy_reading import copy
from imputedb.service.postgres.words import Words
from imputedb.sql.tokens import split, tokens


def commands(text: str, most: int) -> list[Command]:
    """The commands of a text, without empty statements.

    Raises:
        TooLarge: there are more than `most` statements.
        SqlSyntaxError: a session command is malformed.
        Refusal: a session command is not supported.
    """
    texts = split(text)
    if len(texts) > most:
        raise TooLarge(f"the text has {len(texts):,} statements; at most {most:,} are read at once: send several texts")
    found = [command(one) for one in texts]
    return [one for one in found if one is not None]


def command(text: str) -> Command | None:
    """The command of one statement; None for an empty one.

    Raises:
        SqlSyntaxError: a session command is malformed.
        Refusal: a session command is not supported.
    """
    found = [token for token in tokens(text) if token.text != ";"]
    if not found:
        return None
    reads = _COMMANDS.get(found[0].word)
    if reads is None or [one.word for one in found[:2]] in _OF_DUCKDB or [one.word for one in found[1:]] == _ALL:
        return Statement(text)
    words = Words(text, found)
    words.token()
    one = reads(words)
    words.end()
    return one


_OF_DUCKDB = [["show", "tables"], ["show", "databases"], ["show", "schemas"]]
_ALL = ["all", "tables"]


def _begin(words: Words) -> Command:
    words.one_of("work", "transaction")
    _modes(words)
    return Transaction("begin")


def _start(words: Words) -> Command:
    words.expect("transaction")
    _modes(words)
    return Transaction("begin")


def _modes(words: Words) -> None:
    """Checks the modes of a transaction: isolation levels have no effect, since the file is only read.

    Raises:
        Unsupported: the mode is READ WRITE.
    """
    while words.next:
        if words.accept("isolation", "level"):
            if not words.one_of("serializable") and not words.accept("repeatable", "read"):
                words.expect("read")
                if not words.one_of("committed", "uncommitted"):
                    raise words.syntax_error()
        elif words.accept("read", "write"):
            raise Unsupported("the database is read-only: transactions must be READ ONLY")
        elif not words.accept("read", "only"):
            words.accept("not")
            words.expect("deferrable")
        words.accept(",")


def _commit(words: Words) -> Command:
    if words.accept("prepared"):
        raise Unsupported("prepared transactions are not supported: COMMIT PREPARED")
    words.one_of("work", "transaction")
    return Transaction("commit", chain=_chain(words))


def _rollback(words: Words) -> Command:
    if words.accept("prepared"):
        raise Unsupported("prepared transactions are not supported: ROLLBACK PREPARED")
    words.one_of("work", "transaction")
    if words.accept("to"):
        words.accept("savepoint")
        return Transaction("rollback to", words.name())
    return Transaction("rollback", chain=_chain(words))


def _chain(words: Words) -> bool:
    if not words.accept("and"):
        return False
    is_not = words.accept("no")
    words.expect("chain")
    return not is_not


def _savepoint(words: Words) -> Command:
    return Transaction("savepoint", words.name())


def _release(words: Words) -> Command:
    words.accept("savepoint")
    return Transaction("release", words.name())


def _set(words: Words) -> Command:
    if words.accept("session", "characteristics"):
        words.expect("as", "transaction")
        return _set_modes(words)
    if words.accept("transaction"):
        return _set_modes(words)
    if words.accept("constraints"):
        words.path()
        while words.accept(","):
            words.path()
        if not words.one_of("deferred", "immediate"):
            raise words.syntax_error()
        return Set("SET")
    if words.accept("role") or words.accept("session", "authorization"):
        raise Forbidden("changing the role is not supported")
    local = words.accept("local")
    if not local:
        words.accept("session")
    if words.accept("time", "zone"):
        return Set("SET", "timezone", None if words.accept("local") else _values(words), local)
    if words.accept("names"):
        return Set("SET", "client_encoding", _values(words), local)
    name = words.path()
    if not words.one_of("=", "to"):
        raise words.syntax_error()
    return Set("SET", name, _values(words), local)


def _set_modes(words: Words) -> Command:
    if not words.next:
        raise words.syntax_error()
    _modes(words)
    return Set("SET")


def _values(words: Words) -> str | None:
    if words.accept("default"):
        return None
    found = [words.value()]
    while words.accept(","):
        found.append(words.value())
    return ", ".join(found)


def _reset(words: Words) -> Command:
    if words.accept("all"):
        return Set("RESET", everything=True)
    return Set("RESET", "timezone" if words.accept("time", "zone") else words.path())


def _show(words: Words) -> Command:
    for found in (["time", "zone"], ["transaction", "isolation", "level"], ["session", "authorization"]):
        if words.accept(*found):
            return Show(" ".join(found))
    return Show(words.path())


def _discard(words: Words) -> Command:
    kind = words.one_of("all", "plans", "sequences", "temp", "temporary")
    if not kind:
        raise words.syntax_error()
    return Forget(f"DISCARD {kind.upper()}")


def _deallocate(words: Words) -> Command:
    words.accept("prepare")
    return Forget("DEALLOCATE", None if words.accept("all") else words.name())


def _close(words: Words) -> Command:
    return Forget("CLOSE CURSOR", None if words.accept("all") else words.name())


def _declare(words: Words) -> Command:
    name = words.name()
    if words.accept("binary"):
        raise Unsupported("BINARY cursors are not supported: request binary results of a statement")
    words.one_of("insensitive", "asensitive")
    if not words.accept("no", "scroll") and words.accept("scroll"):
        raise Unsupported("a cursor goes forward only: leave SCROLL out")
    words.expect("cursor")
    hold = words.accept("with", "hold")
    if not hold:
        words.accept("without", "hold")
    words.expect("for")
    return Declare(name, words.rest(), hold)


def _fetch(words: Words, *, shown: bool = True) -> Command:
    count: int | None = 1
    if not words.accept("next"):
        words.accept("forward")
        if words.accept("all"):
            count = None
        elif words.next.isdigit():
            count = int(words.token().text)
        elif words.next in ("prior", "first", "last", "absolute", "relative", "backward", "-", "+"):
            raise Unsupported("a cursor goes forward only: FETCH n, FETCH NEXT, FETCH ALL")
    words.one_of("from", "in")
    return Fetch(words.name(), count, shown)


def _move(words: Words) -> Command:
    return _fetch(words, shown=False)


def _listen(words: Words) -> Command:
    words.name()
    return Nothing("LISTEN")


def _unlisten(words: Words) -> Command:
    if not words.accept("*"):
        words.name()
    return Nothing("UNLISTEN")


_COMMANDS: Mapping[str, Callable[[Words], Command]] = {
    "begin": _begin, "start": _start, "commit": _commit, "end": _commit, "rollback": _rollback, "abort": _rollback,
    "savepoint": _savepoint, "release": _release, "set": _set, "reset": _reset, "show": _show, "discard": _discard,
    "deallocate": _deallocate, "close": _close, "declare": _declare, "fetch": _fetch, "move": _move, "copy": copy,
    "listen": _listen, "unlisten": _unlisten,
}  # fmt: skip
"""The reader of each command, by its first word."""
