"""The extended query protocol: statements are parsed, bound, described and executed in separate messages."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any

from imputedb.errors import SqlSyntaxError
from imputedb.service.postgres import simple
from imputedb.service.postgres.answers import columns_of
from imputedb.service.postgres.commands import Command, Declare, Fetch, Show, Statement, Transaction
from imputedb.service.postgres.formats import Malformed, encode
from imputedb.service.postgres.portals import Portal, Prepared
from imputedb.service.postgres.reading import command
from imputedb.service.postgres.values import parameter
from imputedb.sql.tokens import split

if TYPE_CHECKING:
    from imputedb.service.postgres.session import Session

Message = Mapping[str, Any]


async def parse(session: Session, message: Message) -> None:
    """Handles Parse: stores a prepared statement."""
    one = await session.apart(message["text"], _single, message["text"])
    if session.status == b"E" and not _ends(one):
        session.check_alive()
    if isinstance(one, Statement):
        await session.apart(one.text, session.questions.check, one.text)
    session.named.prepare(message["statement"], Prepared(message["text"], one, message["types"]))
    session.wire.put(encode("parse_complete"))


def _single(text: str) -> Command | None:
    if len(split(text)) > 1:
        raise SqlSyntaxError("only one statement can be prepared at a time")
    return command(text)


def _ends(one: object) -> bool:
    return isinstance(one, Transaction)


async def bind(session: Session, message: Message) -> None:
    """Handles Bind: gives a prepared statement its parameter values."""
    prepared = session.named.statement(message["statement"])
    if session.status == b"E" and not _ends(prepared.command):
        session.check_alive()
    data, formats = message["values"], message["formats"]
    if len(formats) not in (0, 1, len(data)) or not set(formats) <= {0, 1}:
        raise Malformed(f"there are {len(formats)} formats of {len(data)} parameters")
    forms = list(formats) * len(data) if len(formats) == 1 else list(formats) or [0] * len(data)
    oids = list(prepared.given[: len(data)]) + [0] * (len(data) - len(prepared.given))
    if not all(oids) or (not data and "$" in prepared.text):
        oids = await _types(session, prepared)
    if len(oids) != len(data):
        raise Malformed(f"there are {len(data)} values of {len(oids)} parameters")
    pairs = zip(oids, data, forms, strict=True)
    values = [parameter(oid, one, is_binary=form == 1) for oid, one, form in pairs]
    expected = prepared.columns if prepared.is_described else None
    session.named.open(message["portal"], Portal(prepared.command, values, message["results"], expected))
    session.wire.put(encode("bind_complete"))


async def _types(session: Session, prepared: Prepared) -> list[int]:
    """Object identifiers of the parameters' types; also stores the columns of the answer."""
    if prepared.types is None:
        if isinstance(prepared.command, Statement | Declare):
            prepared.types, columns = await session.questions.described(session, prepared.command.text, prepared.given)
            prepared.columns = columns if isinstance(prepared.command, Statement) else None
        else:
            prepared.types = []
            if isinstance(prepared.command, Show):
                prepared.columns = columns_of([prepared.command.name], ["VARCHAR"])
            if isinstance(prepared.command, Fetch) and prepared.command.shown:
                rows = session.named.portal(prepared.command.name).rows
                prepared.columns = rows.columns if rows is not None else None
    return prepared.types


async def describe(session: Session, message: Message) -> None:
    """Handles Describe: sends the types of parameters and the columns."""
    if message["kind"] == b"S":
        prepared = session.named.statement(message["name"])
        session.check_alive()
        session.wire.put(encode("parameters", await _types(session, prepared)))
        prepared.is_described = True
        if prepared.columns is None:
            session.wire.put(encode("no_data"))
        else:
            session.wire.put(prepared.columns.described(()))
        return
    if message["kind"] != b"P":
        raise Malformed("Describe needs a statement (S) or a portal (P)")
    portal = session.named.portal(message["name"])
    if isinstance(portal.command, Statement | Fetch | Show) and portal.rows is None:
        await simple.run(session, portal)
    if portal.rows is None:
        session.wire.put(encode("no_data"))
    else:
        session.wire.put(portal.rows.columns.described(portal.formats))


async def execute(session: Session, message: Message) -> None:
    """Handles Execute: runs a portal or continues it, with at most so many rows."""
    portal = session.named.portal(message["portal"])
    if portal.command is None:
        session.wire.put(encode("empty"))
        return
    if not _ends(portal.command):
        session.check_alive()
    if portal.rows is None and portal.tag is None:
        await simple.run(session, portal)
    if portal.rows is None:
        session.wire.put(encode("complete", portal.tag or ""))
        return
    most = message["most"] if message["most"] > 0 else portal.rows.left
    if most < portal.rows.left:
        session.named.check_rows(portal, session.core.role(session.principal).rows)
    sent = await simple.send(session, portal.rows, most)
    if message["most"] > 0 and not portal.rows.is_over:
        session.wire.put(encode("suspended"))
        return
    portal.rows.close()
    session.wire.put(encode("complete", simple.tag(portal, sent)))


async def close(session: Session, message: Message) -> None:
    """Handles Close: releases a prepared statement or a portal."""
    if message["kind"] == b"S":
        session.named.forget(message["name"])
    elif message["kind"] == b"P":
        session.named.close(message["name"])
    else:
        raise Malformed("Close needs a statement (S) or a portal (P)")
    session.wire.put(encode("close_complete"))


HANDLERS: Mapping[str, Callable[[Session, Message], Awaitable[None]]] = {
    "parse": parse,
    "bind": bind,
    "describe": describe,
    "execute": execute,
    "close": close,
}
"""The handler of each message, by name."""
