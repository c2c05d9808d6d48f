"""The simple query protocol: several statements in one text; also the execution of a statement for both protocols."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING, assert_never

from imputedb.service.errors import Refusal
from imputedb.service.postgres import copying
from imputedb.service.postgres.answers import Rows, listed
from imputedb.service.postgres.commands import (
    Command,
    Copy,
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
from imputedb.service.postgres.formats import encode
from imputedb.service.postgres.portals import Portal
from imputedb.service.postgres.reading import command, commands
from imputedb.service.postgres.savepoints import Savepoint

if TYPE_CHECKING:
    from imputedb.service.postgres.session import Session


class NotInTransaction(Refusal):
    """A command that is valid in a transaction only."""

    state = "25P01"


async def query(session: Session, text: str) -> None:
    """Answers the statements of a text, up to the first that fails."""
    try:
        found = await session.apart(text, commands, text, session.core.configuration.limits.statements)
        if not found:
            session.wire.put(encode("empty"))
        for number, one in enumerate(found):
            session.halt.time(session.settings.seconds)
            await _statement(session, one, several=len(found) > 1, last=number == len(found) - 1)
    finally:
        if session.status == b"I":
            session.named.close_all(held=False)
    await session.ready()


async def _statement(session: Session, one: Command, *, several: bool, last: bool) -> None:
    if isinstance(one, Copy):
        await copying.copied(session, one)
        return
    if isinstance(one, Declare) and several and not last and session.status == b"I":
        portal = await _declared(session, one, (), in_transaction=True)
    else:
        portal = Portal(one)
        await run(session, portal)
    if portal.rows is not None:
        try:
            session.wire.put(portal.rows.columns.described(()))
            count = await send(session, portal.rows, portal.rows.count)
        finally:
            portal.rows.close()
        portal.tag = tag(portal, count)
    session.wire.put(encode("complete", portal.tag or "SELECT 0"))
    await asyncio.sleep(0)  # other sessions get a turn between statements that do not wait


def tag(portal: Portal, count: int) -> str:
    """The command tag after rows."""
    match portal.command:
        case Fetch(shown=shown):
            return f"{'FETCH' if shown else 'MOVE'} {count}"
        case Show():
            return "SHOW"
        case _:
            return f"SELECT {count}"


async def send(session: Session, rows: Rows, most: int) -> int:
    """Sends at most so many rows; returns their number."""
    sent = 0
    while sent < most and (piece := await session.taken(rows, most - sent)):
        sent += len(piece)
        session.wire.put(b"".join(piece))
        await session.sent()
    return sent


async def run(session: Session, portal: Portal) -> None:
    """Runs a statement; its portal then has rows, or the command tag."""
    one = portal.command
    if not isinstance(one, Transaction):
        session.check_alive()
    match one:
        case Statement():
            portal.rows = await session.questions.answered(session, one.text, portal)
            for severity, message in portal.rows.notices:
                session.send_notice(severity, message)
        case Show(name):
            portal.rows = _shown(session, name, portal)
        case Fetch():
            rows = await _fetched(session, one, portal)
            portal.rows, portal.tag = (rows, None) if one.shown else (None, f"MOVE {rows.count}")
        case _:
            portal.tag = await _done(session, one, portal.values)


async def _done(
    session: Session, one: Transaction | Set | Forget | Declare | Copy | Nothing | None, values: Sequence[object]
) -> str:
    """Executes a command without rows; returns the command tag.

    Raises:
        Refusal: the command cannot be executed.
    """
    match one:
        case Transaction():
            return _transaction(session, one)
        case Set():
            return _set(session, one)
        case Forget():
            return _forgotten(session, one)
        case Declare():
            await _declared(session, one, values, in_transaction=False)
            return "DECLARE CURSOR"
        case Copy():
            raise Unsupported("COPY is supported in the simple protocol only")
        case Nothing(name):
            return name
        case None:
            return ""
        case _ as never:
            assert_never(never)


def _transaction(session: Session, one: Transaction) -> str:
    if one.kind == "begin":
        session.check_alive()
        if session.status == b"T":
            session.send_notice("WARNING", "there is already a transaction in progress")
        else:
            session.begin()
        return "BEGIN"
    if one.kind in ("savepoint", "release", "rollback to"):
        return _savepoint(session, one)
    if session.status == b"I":
        session.send_notice("WARNING", "there is no transaction in progress")
        return one.kind.upper()
    is_kept = one.kind == "commit" and session.status == b"T"
    session.end(is_kept=is_kept)
    if one.chain:
        session.begin()
    return "COMMIT" if is_kept else "ROLLBACK"


def _savepoint(session: Session, one: Transaction) -> str:
    if session.status == b"I":
        raise NotInTransaction(f"{one.kind.upper()} is valid in a transaction only")
    if one.kind == "rollback to":
        kept, before = session.savepoints.back(one.name), session.settings.reports()
        session.settings.restore(kept.settings)
        session.named.close_others(kept.portals)
        session.report(before)
        session.status = b"T"
        return "ROLLBACK"
    session.check_alive()
    if one.kind == "savepoint":
        portals = frozenset(session.named.portals)
        session.savepoints.add(Savepoint(one.name, session.settings.kept(), portals))
    else:
        session.savepoints.release(one.name)
    return one.kind.upper()


def _set(session: Session, one: Set) -> str:
    before = session.settings.reports()
    if one.everything:
        session.settings.reset()
    elif one.name:
        notice = session.settings.set(one.name, one.value, local=one.local)
        if notice:
            session.send_notice("WARNING", notice)
    session.report(before)
    return one.tag


def _shown(session: Session, name: str, portal: Portal) -> Rows:
    if name.lower() == "all":
        rows = [(one, value, "") for one, value in session.settings.all()]
        return listed(("name", "setting", "description"), ["VARCHAR"] * 3, rows, portal.formats)
    value = session.settings.get(name)
    return listed((name.replace(" ", "_"),), ["VARCHAR"], [(value,)], portal.formats)


def _forgotten(session: Session, one: Forget) -> str:
    match one.tag:
        case "DEALLOCATE":
            if one.name is not None:
                session.named.statement(one.name)
            session.named.forget(one.name)
            return "DEALLOCATE ALL" if one.name is None else one.tag
        case "CLOSE CURSOR":
            if one.name is None:
                session.named.close_all(held=True)
                return "CLOSE CURSOR ALL"
            session.named.portal(one.name)
            session.named.close(one.name)
            return one.tag
        case _:
            if session.status != b"I":
                error = NotInTransaction("DISCARD does not stand in a transaction")
                error.state = "25001"
                raise error
            if one.tag == "DISCARD ALL":
                _set(session, Set("RESET", everything=True))
                session.named.forget(None)
                session.named.close_all(held=True)
            return one.tag


async def _declared(session: Session, one: Declare, values: Sequence[object], *, in_transaction: bool) -> Portal:
    if session.status != b"T" and not one.hold and not in_transaction:
        raise NotInTransaction("DECLARE CURSOR is valid in a transaction only, or WITH HOLD")
    inner = command(one.text)
    if not isinstance(inner, Statement):
        raise NotInTransaction("a cursor needs a query (SELECT)")
    session.named.check(one.name, hold=one.hold)
    cursor = Portal(inner, values, hold=one.hold)
    await run(session, cursor)
    session.named.check_rows(cursor, session.core.role(session.principal).rows)
    session.named.open(one.name, cursor)
    return Portal(one, tag="DECLARE CURSOR")


async def _fetched(session: Session, one: Fetch, portal: Portal) -> Rows:
    cursor = session.named.portal(one.name)
    if cursor.rows is None:
        raise NotInTransaction(f"{one.name} is not a cursor with rows")
    most = cursor.rows.count - cursor.rows.taken if one.count is None else one.count
    if any(portal.formats):
        raise Unsupported("FETCH sends rows as text only")
    taken: list[bytes] = []
    while len(taken) < most and (piece := await session.taken(cursor.rows, most - len(taken))):
        taken += piece
    return Rows(cursor.rows.columns, len(taken), taken)
