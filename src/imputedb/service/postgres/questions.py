"""The dispatch of a session's statements to the core or to PostgreSQL's catalog."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from imputedb.border import ours
from imputedb.errors import Error
from imputedb.service.admission import Run
from imputedb.service.core import Answer, Core
from imputedb.service.errors import Refusal, TooLarge
from imputedb.service.instance import Lease
from imputedb.service.postgres.answers import Columns, Rows, columns_of, form, packed
from imputedb.service.postgres.catalog.build import Catalog, Catalogs
from imputedb.service.postgres.columns import DUCKDB, wire_type
from imputedb.service.postgres.session_values import SessionValues
from imputedb.service.request import Request
from imputedb.service.security.statements import check_kind
from imputedb.sql import parse
from imputedb.sql.ast import Tree, cast, literal, select
from imputedb.sql.budget import limited
from imputedb.sql.parameters import placed
from imputedb.sql.paths import quoted
from imputedb.sql.postgres import CatalogTranslation, in_main, parameters, reads_catalog
from imputedb.sql.session_words import check_settings, names_of_columns, with_constants

if TYPE_CHECKING:
    from imputedb.service.postgres.portals import Portal
    from imputedb.service.postgres.session import Session

_PERHAPS = re.compile(
    r"pg_|information_schema|\bpublic\b|\breg(class|type|proc|namespace)|_user\b|\buser\b|current_|version|_config|"
    r"quote_|format_type|has_\w+_privilege|description|array_(upper|lower)|parse_ident|inet_|txid_|database",
    re.IGNORECASE,
)
"""A pattern that occurs in every statement about the catalog or the schema `public`."""


class Unbuilt(Refusal):
    """A catalog that could not be built; queries over tables are answered all the same."""

    state = "58030"


class Questions:
    """Sends statements to the core or to the catalog.

    Attributes:
        remark: receives internal errors.
    """

    def __init__(self, core: Core, remark: Callable[[Exception], None]) -> None:
        self._core = core
        self.remark = remark
        self._parser = parse.scratch_connection()
        self._catalogs = Catalogs(core.configuration.limits, core.name, remark)

    def check(self, text: str) -> None:
        """Refuses a text that does not parse or is not a query, before it is bound to values.

        Raises:
            QueryError: the text does not parse.
            Forbidden: the statement is not a query.
        """
        if len(text) <= self._core.configuration.limits.statement_bytes:  # longer ones are refused by the core
            check_kind(self._parser, limited(text)[0])

    async def answered(self, session: Session, text: str, portal: Portal) -> Rows:
        """The rows of an answer, the first of which are read.

        Raises:
            Error: the statement cannot be answered.
        """
        self._core.admit(session.principal)
        statement = await self._routed(session, text)
        request = self._request(session, statement.text, portal.values)
        if statement.catalog is not None:
            listing = _listing(statement.catalog, request, portal)
            rows = await session.ended(self._core.submit("catalog", request, listing))
        else:
            run = self._core.answer(request, form(portal.formats, session.principal.role, portal.expected))
            rows = _held(session, await session.ended(run))
        if rows.count:
            session.change(statement.changes)
        return rows

    async def described(self, session: Session, text: str, stated: Sequence[int]) -> tuple[list[int], Columns]:
        """The oids of the parameters' types, some of which the client may have stated, and the columns of the answer.

        This counts as a request, since it plans the query.

        Raises:
            Error: the statement cannot be answered.
        """
        self._core.admit(session.principal)
        statement = await self._routed(session, text)
        catalog = statement.catalog
        known = {str(n): DUCKDB[oid] for n, oid in enumerate(stated, 1) if oid in DUCKDB}
        request = self._request(session, statement.text, ())
        if catalog is not None:
            columns, types = await session.ended(
                self._core.submit("catalog", request, lambda _, run: _described(catalog, statement.text, known, run))
            )
        else:
            description = await session.ended(self._core.describe(request, known))
            columns, types = columns_of(description.columns, description.types), dict(description.parameters)
        last = max((int(name) for name in types if name.isdigit()), default=0)
        kinds = [types.get(str(n + 1), "VARCHAR") for n in range(last)]
        given = [*stated, *[0] * (len(kinds) - len(stated))]
        of_catalog = catalog is not None
        inferred = [wire_type("parameter", kind, of_catalog=of_catalog).oid for kind in kinds]
        return [oid or other for oid, other in zip(given, inferred, strict=False)], columns

    def _request(self, session: Session, text: str, values: object) -> Request:
        found = list(values) if isinstance(values, list | tuple) and values else None
        settings = session.settings
        return Request(session.principal, text, found, seconds=settings.seconds, door="postgres", **settings.wishes())

    async def _routed(self, session: Session, text: str) -> _Statement:
        """The statement in DuckDB's dialect, and where it is answered."""
        if not _PERHAPS.search(text) or len(text) > self._core.configuration.limits.statement_bytes:
            return _Statement(text)
        return await asyncio.to_thread(self._route, session.values(), text)

    def _route(self, values: SessionValues, text: str) -> _Statement:
        lease = self._core.instances.lease()
        try:
            catalog, tables = self._catalogs.of(lease), lease.instance.tables
        finally:
            lease.end()
        bare, limits = limited(text)
        with catalog.database.cursor() as connection:
            try:
                tree = parse.parse(connection, bare)
            except (Error, RecursionError):  # the core reports the error
                return _Statement(text)
            check_settings(tree)
            mending = CatalogTranslation(catalog.names, values.value)
            if reads_catalog(tree, catalog.names):
                if catalog.failed is not None:
                    raise Unbuilt(
                        "the catalog of this database could not be built; the log has the reason"
                    ) from catalog.failed
                return _Statement(parse.deparse(connection, mending.translated(tree)), catalog, values.changes)

            def constant(node: Tree) -> Tree:
                return _constant(catalog, connection, mending.translated(select([node], None)))

            columns = names_of_columns(tree, tables)
            found = with_constants(tree, catalog.names.functions, columns, constant)
            found = found if catalog.has_public else in_main(found)
            if found != tree:
                text = parse.deparse(connection, found) + limits.written
        return _Statement(text, None, values.changes)


@dataclass(frozen=True, slots=True)
class _Statement:
    """A statement and where it is answered.

    Attributes:
        text: the statement in DuckDB's dialect.
        catalog: the catalog that answers it; None where the core does.
        changes: settings to change once the statement has run.
    """

    text: str
    catalog: Catalog | None = None
    changes: Sequence[tuple[str, str, bool]] = ()


def _held(session: Session, answer: Answer) -> Rows:
    """The rows of an answer, which stays open while some are unread."""
    session.check_same(answer)
    rows: Rows = answer.body
    if len(rows.ahead) < rows.count:
        rows.answer = answer
    else:
        rows.read = None
        answer.close()
    return rows


def _constant(catalog: Catalog, connection: parse.Connection, query: Tree) -> Tree:
    """The value of a catalog query of one row and one column, as a constant."""
    text = parse.deparse(connection, query)
    catalog.guard.check(text)
    try:
        ((value, kind),) = connection.execute(
            f"SELECT CAST(c AS VARCHAR), typeof(c) FROM (\n{text}\n) AS asked(c)"
        ).fetchall()
    except Exception as error:
        raise ours(error) from error
    kind = str(kind).replace('"NULL"', "VARCHAR")
    return cast(
        literal(None if value is None else str(value)), parse.type_tree(connection, kind)
    )  # ORDER BY accepts a constant in this form only


def _listing(catalog: Catalog, request: Request, portal: Portal) -> Callable[[Lease, Run[Rows]], Rows]:
    """A function that answers a query of the catalog."""

    def listed(_: Lease, run: Run[Rows]) -> Rows:
        columns, _types = _described(catalog, request.text, {}, run, request.parameters)
        columns.check(portal.expected)
        each = columns.each(portal.formats)
        items = [one.reading(f"c{n}", kind) for n, (one, kind) in enumerate(zip(columns.wire_type, each, strict=True))]
        names = ", ".join(f"c{n}" for n in range(len(items)))
        text = f"SELECT {', '.join(items)} FROM (\n{request.text}\n) AS listed({names}) LIMIT {_MOST + 1}"
        rows = _ran(catalog, text, request.parameters, run)
        if len(rows) > _MOST:
            raise TooLarge(f"the catalog has more than the {_MOST:,} rows that are listed at once")
        return Rows(columns, len(rows), packed(columns, each, rows))

    return listed


_MOST = 100_000
"""Maximum number of rows that a catalog query lists at once."""


def _described(
    catalog: Catalog, text: str, known: dict[str, str], run: Run[Any], values: object = None
) -> tuple[Columns, dict[str, str]]:
    """The columns of a catalog query, and the types of its parameters."""
    catalog.guard.check(text)
    types = _types(catalog, text, known, run) if values is None else dict(known)
    if values is None and types:
        text = placed(text, {name: f"CAST(NULL AS {kind})" for name, kind in types.items()})
    rows = _ran(catalog, f"DESCRIBE {text}", values, run)
    return columns_of([str(row[0]) for row in rows], [str(row[1]) for row in rows], of_catalog=True), types


def _types(catalog: Catalog, text: str, known: dict[str, str], run: Run[Any]) -> dict[str, str]:
    """The types of parameters: from casts or from binding, else text."""
    with catalog.database.cursor() as connection:
        cast_to = parameters(parse.parse(connection, text))
    if not cast_to:
        return {}
    plain = {name: kind for name, kind in cast_to.items() if kind}
    casts = ", ".join(f"typeof(CAST(NULL AS {quoted((kind,))}))" for kind in plain.values())
    ((*kinds,),) = _ran(catalog, f"SELECT {casts}", None, run) if plain else [()]
    types = {**dict(zip(plain, kinds, strict=True)), **known}
    typed = placed(text, {name: f"CAST(NULL AS {types[name]})" if name in types else f"${name}" for name in cast_to})
    ((plan,),) = _ran(catalog, parse.PARAMETERS, [typed], run)
    return {**dict.fromkeys(cast_to, "VARCHAR"), **parse.parameter_types(str(plan)), **types}


def _ran(catalog: Catalog, text: str, values: Any, run: Run[Any]) -> list[tuple[Any, ...]]:
    with catalog.database.cursor() as connection, run.interruptible(connection.interrupt):
        try:
            rows: list[tuple[Any, ...]] = connection.execute(text, values).fetchall()
        except Exception as error:
            raise ours(error) from error
        return rows
