"""How a statement of a session is put to the core: as the request that any door makes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from imputedb.service.core import Core
from imputedb.service.postgres.answers import Columns, Rows, columns_of, form
from imputedb.service.postgres.columns import DUCKDB, carried
from imputedb.service.request import Request
from imputedb.sql import parse

if TYPE_CHECKING:
    from imputedb.service.postgres.portals import Portal
    from imputedb.service.postgres.session import Session


class Questions:
    """Puts statements to the core.

    Attributes:
        remark: told of mistakes of ours.
    """

    def __init__(self, core: Core, remark: Callable[[Exception], None]) -> None:
        self._core = core
        self.remark = remark
        self._parser = parse.apart()

    def check(self, text: str) -> None:
        """Refuses a text that does not parse, before it is bound to values.

        Raises:
            QueryError: it does not.
        """
        if len(text) <= self._core.configuration.limits.statement_bytes:  # longer ones are refused by the core
            parse.is_query(self._parser, text)

    async def asked(self, session: Session, text: str, portal: Portal) -> Rows:
        """The rows of an answer, of which the first are read.

        Raises:
            Error: there is no answer; the message says why.
        """
        self._core.admit(session.principal)
        request = self._request(session, text, portal.values)
        run = self._core.answer(request, form(portal.formats, session.principal.role, portal.expected))
        answer = await session.ended(run)
        session.check_same(answer)
        rows: Rows = answer.body
        if len(rows.ahead) < rows.count:
            rows.answer = answer
        else:
            rows.read = None
            answer.close()
        return rows

    async def described(self, session: Session, text: str, stated: Sequence[int]) -> tuple[list[int], Columns]:
        """The numbers of the types of parameters, some of which the client may have stated, and an answer's columns.

        Raises:
            Error: the statement is none that is answered.
        """
        known = {str(n): DUCKDB[oid] for n, oid in enumerate(stated, 1) if oid in DUCKDB}
        request = self._request(session, text, ())
        told = await session.ended(self._core.describe(request, known))
        types = [told.parameters.get(str(n + 1), "VARCHAR") for n in range(_last(told.parameters))]
        given = [*stated, *[0] * (len(types) - len(stated))]
        oids = [oid or carried("parameter", kind).oid for oid, kind in zip(given, types, strict=False)]
        return oids, columns_of(told.columns, told.types)

    def _request(self, session: Session, text: str, values: object) -> Request:
        found = list(values) if isinstance(values, list | tuple) and values else None
        settings = session.settings
        return Request(session.principal, text, found, seconds=settings.seconds, door="postgres", **settings.wishes())


def _last(parameters: object) -> int:
    """The largest number of a parameter."""
    return max((int(name) for name in parameters if name.isdigit()), default=0)  # type: ignore[attr-defined]
