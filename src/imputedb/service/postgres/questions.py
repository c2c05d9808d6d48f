"""How a statement of a session is put to the core, as the request that any door makes, or to PostgreSQL's catalog."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from imputedb.border import ours
from imputedb.errors import Error
from imputedb.service.admission import Run
from imputedb.service.core import Core
from imputedb.service.errors import Refusal, TooLarge
from imputedb.service.instance import Lease
from imputedb.service.postgres.answers import Changed, Columns, Rows, columns_of, form, packed
from imputedb.service.postgres.catalog.build import Catalog, Catalogs
from imputedb.service.postgres.columns import DUCKDB, carried
from imputedb.service.request import Request
from imputedb.sql import parse
from imputedb.sql.parameters import placed
from imputedb.sql.postgres import Mending, asks_catalog, in_main

if TYPE_CHECKING:
    from imputedb.service.postgres.portals import Portal
    from imputedb.service.postgres.session import Session

_PERHAPS = re.compile(
    r"pg_|information_schema|\bpublic\b|\breg(class|type|proc|namespace)|_user\b|\buser\b|current_|version|_config|"
    r"quote_|format_type|has_\w+_privilege|description|array_(upper|lower)|parse_ident|inet_|txid_|database",
    re.IGNORECASE,
)
"""What stands in every statement that may be of the catalog, or name the schema `public`."""


class Unbuilt(Refusal):
    """The catalog of the file could not be made; tables are answered from all the same."""

    state = "58030"


class Questions:
    """Puts statements to the core, and to the catalog.

    Attributes:
        remark: told of mistakes of ours.
    """

    def __init__(self, core: Core, remark: Callable[[Exception], None]) -> None:
        self._core = core
        self.remark = remark
        self._parser = parse.apart()
        self._catalogs = Catalogs(core.configuration.limits, core.name, remark)

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
        catalog, text = await self._routed(session, text)
        request = self._request(session, text, portal.values)
        if catalog is not None:
            return await session.ended(self._core.submit("catalog", request, _listing(catalog, request, portal)))
        self._core.admit(session.principal)
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
        catalog, text = await self._routed(session, text)
        known = {str(n): DUCKDB[oid] for n, oid in enumerate(stated, 1) if oid in DUCKDB}
        request = self._request(session, text, ())
        if catalog is not None:
            columns, types = await session.ended(
                self._core.submit("catalog", request, lambda _, run: _described(catalog, text, known, run))
            )
        else:
            told = await session.ended(self._core.describe(request, known))
            columns, types = columns_of(told.columns, told.types), dict(told.parameters)
        last = max((int(name) for name in types if name.isdigit()), default=0)
        kinds = [types.get(str(n + 1), "VARCHAR") for n in range(last)]
        given = [*stated, *[0] * (len(kinds) - len(stated))]
        of_catalog = catalog is not None
        told_of = [carried("parameter", kind, of_catalog=of_catalog).oid for kind in kinds]
        return [oid or other for oid, other in zip(given, told_of, strict=False)], columns

    def _request(self, session: Session, text: str, values: object) -> Request:
        found = list(values) if isinstance(values, list | tuple) and values else None
        settings = session.settings
        return Request(session.principal, text, found, seconds=settings.seconds, door="postgres", **settings.wishes())

    async def _routed(self, session: Session, text: str) -> tuple[Catalog | None, str]:
        """The catalog, if a statement is of it, and the statement in DuckDB's words."""
        if not _PERHAPS.search(text) or len(text) > self._core.configuration.limits.statement_bytes:
            return None, text
        return await asyncio.to_thread(self._route, session, text)

    def _route(self, session: Session, text: str) -> tuple[Catalog | None, str]:
        lease = self._core.instances.take()
        try:
            catalog = self._catalogs.of(lease)
        finally:
            lease.end()
        with catalog.database.cursor() as connection:
            try:
                tree = parse.parse(connection, text)
            except (Error, RecursionError):  # the core says why
                return None, text
            if asks_catalog(tree, catalog.names):
                if catalog.failed is not None:
                    raise Unbuilt("the catalog of this database could not be made; the log has why") from catalog.failed
                mending = Mending(catalog.names, lambda name, given: session.value(name, given))
                return catalog, parse.deparse(connection, mending.mended(tree))
            if not catalog.has_public and (found := in_main(tree)) != tree:
                return None, parse.deparse(connection, found)
        return None, text


def _listing(catalog: Catalog, request: Request, portal: Portal) -> Callable[[Lease, Run[Rows]], Rows]:
    """What gives the rows of a question to the catalog."""

    def listed(_: Lease, run: Run[Rows]) -> Rows:
        columns, _types = _described(catalog, request.text, {}, run, request.parameters)
        if portal.expected and [one.oid for one in portal.expected.carried] != [one.oid for one in columns.carried]:
            raise Changed("the columns are no longer those that were described: prepare the statement again")
        each = columns.each(portal.formats)
        items = [one.reading(f"c{n}", kind) for n, (one, kind) in enumerate(zip(columns.carried, each, strict=True))]
        names = ", ".join(f"c{n}" for n in range(len(items)))
        text = f"SELECT {', '.join(items)} FROM (\n{request.text}\n) AS listed({names}) LIMIT {_MOST + 1}"
        rows = _ran(catalog, text, request.parameters, run)
        if len(rows) > _MOST:
            raise TooLarge(f"the catalog has more than the {_MOST:,} rows that are listed at once")
        return Rows(columns, len(rows), packed(columns, each, rows))

    return listed


_MOST = 100_000
"""Rows that are listed at once."""


def _described(
    catalog: Catalog, text: str, known: dict[str, str], run: Run[Any], values: object = None
) -> tuple[Columns, dict[str, str]]:
    """The columns of a question to the catalog, and the types of its parameters."""
    catalog.guard.check(text)
    types = dict(known)
    if values is None and "$" in text:
        types = _types(catalog, text, known, run)
        text = placed(text, {name: f"CAST(NULL AS {kind})" for name, kind in types.items()}) if types else text
    rows = _ran(catalog, f"DESCRIBE {text}", values, run)
    return columns_of([str(row[0]) for row in rows], [str(row[1]) for row in rows], of_catalog=True), types


def _types(catalog: Catalog, text: str, known: dict[str, str], run: Run[Any]) -> dict[str, str]:
    """The types of parameters: those that are cast, and those that the binder tells; text of any other."""
    names = set(re.findall(r"\$(\d+)", text))
    cast = {name: kind for name, kind in _CAST.findall(text) if kind in _CASTS}
    types = {**cast, **known}
    typed = placed(text, {name: f"CAST(NULL AS {types[name]})" if name in types else f"${name}" for name in names})
    ((plan,),) = _ran(catalog, parse.PARAMETERS, [typed], run)
    return {**dict.fromkeys(names, "VARCHAR"), **parse.parameter_types(str(plan)), **types}


_CAST = re.compile(r"CAST\(\$(\d+) AS (\w+)\)")
_CASTS = ("VARCHAR", "BOOLEAN", "SMALLINT", "INTEGER", "BIGINT", "UINTEGER", "FLOAT", "DOUBLE", "DATE", "TIMESTAMP")


def _ran(catalog: Catalog, text: str, values: Any, run: Run[Any]) -> list[tuple[Any, ...]]:
    with catalog.database.cursor() as connection, run.interruptible(connection.interrupt):
        try:
            rows: list[tuple[Any, ...]] = connection.execute(text, values).fetchall()
        except Exception as error:
            raise ours(error) from error
        return rows
