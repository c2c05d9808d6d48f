"""Texts of syntax trees, and DuckDB's answers about texts, cached."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, assert_never

import duckdb

from imputedb import duckdb_errors
from imputedb.engines.cache import OF_STRUCTURE, LruCache
from imputedb.engines.duckdb import partial_aggregates
from imputedb.engines.duckdb.session import Session
from imputedb.engines.duckdb.sharing import SessionCache
from imputedb.errors import UnknownName
from imputedb.sql import ast as t
from imputedb.sql import parameters, parse
from imputedb.sql.ast import Tree
from imputedb.sql.enclosed import EnclosingStatement
from imputedb.sql.parameters import placed
from imputedb.sql.statements import Classified, Query, classify
from imputedb.sql.tokens import string_literal

_KEPT = 512

_LOCATION = re.compile(r', "query_location(_length)?": \d+')
"""The position of a node in its text, as JSON; a string literal has other quotes around it."""


class SyntaxTrees:
    """Conversion between texts and syntax trees, on one session.

    Attributes:
        macros: the cached definitions of all macros.
        caches: caches that live as long as the session.
    """

    def __init__(self, session: Session, memory: SessionCache) -> None:
        self._session = session
        self._memory = memory
        never = "nothing: it follows from the key alone"
        self._texts: LruCache[str, str] = LruCache("texts of syntax trees", "syntax tree", never, _KEPT)
        self._titles: LruCache[str, str] = LruCache("texts of expressions", "syntax tree", never, _KEPT)
        self._types: LruCache[str, Tree] = LruCache("syntax trees of types", "name of a type", never, _KEPT)
        self._statements: LruCache[str, Classified] = LruCache("kinds of statements", "text", never, _KEPT)
        self._combined: LruCache[str, bool] = LruCache(
            "which aggregates combine over parts", "aggregates", never, _KEPT
        )
        beyond = "CREATE MACRO, SET and whatever else changes more than tables and views"
        self.macros: LruCache[object, list[Any]] = LruCache(
            "definitions of macros", "state of all but tables and views", beyond, 1
        )
        self.caches: list[LruCache[Any, Any]] = [self._texts, self._titles, self._types, self._statements]
        self.caches += [self._combined, self.macros]

    def text(self, node: Tree) -> str:
        """The SQL of a SELECT node."""
        with self._session.lock:
            key = self._key(node)
            known = self._texts.recall(key)
            return self._texts.keep(key, parse.deparse(self._session.connection, node)) if known is None else known

    def written(self, trees: Sequence[Tree]) -> list[str]:
        """The texts of expressions."""
        return [parse.without_parentheses(text) for text in self.titles(trees)]

    def titles(self, trees: Sequence[Tree]) -> list[str]:
        """The names that DuckDB gives to unnamed items of a select list, cached regardless of their position."""
        with self._session.lock:
            keys = [_LOCATION.sub("", self._key({**tree, "alias": ""})) for tree in trees]
            known = [self._titles.recall(key) for key in keys]
            new = [tree for tree, text in zip(trees, known, strict=True) if text is None]
            texts = iter(parse.titles(self._session.connection, new) if new else ())
            return [
                self._titles.keep(key, next(texts)) if text is None else text
                for key, text in zip(keys, known, strict=True)
            ]

    def _key(self, tree: Tree) -> str:
        """A tree as JSON; if it divides, with the setting for integer division, on which its text depends."""
        key = json.dumps(tree)
        if parse.DIVISION not in key:
            return key
        known: str | None = self._memory.recall("integer division")
        if known is None:
            known = str(parse.divides_integers(self._session.connection))
            self._memory.keep("integer division", known, tables=OF_STRUCTURE)
        return known + key

    def tree(self, text: str) -> Tree:
        """The syntax tree of a query, cached until a write of anything but rows, settings included.

        Raises:
            SqlSyntaxError: the text does not parse.
            Unplanned: it is more than one statement, or one that does not select.
        """
        with self._session.lock:
            known: str | None = self._memory.recall(("tree", text))
            if known is None:
                known = json.dumps(parse.parse(self._session.connection, text))
                self._memory.keep(("tree", text), known, len(known), OF_STRUCTURE)
            node: Tree = json.loads(known)
            return node

    def classified(self, text: str) -> Classified:
        """The classification of a text, cached.

        Raises:
            QueryError: it is not one statement that parses.
        """
        with self._session.lock:
            known = self._statements.recall(text)
            return self._statements.keep(text, classify(self._session.connection, text)) if known is None else known

    def constants(self, values: Mapping[str, object]) -> dict[str, Tree]:
        """The values of parameters, as syntax trees."""
        return self.evaluated({name: f"${name}" for name in values}, values)

    def evaluated(self, expressions: Mapping[str, str], values: Mapping[str, object] | None = None) -> dict[str, Tree]:
        """The values of expressions without columns, as trees of constants.

        Raises:
            QueryError: DuckDB cannot hold a value.
        """
        if not expressions:
            return {}
        inner = ", ".join(f"{text} AS v{place}" for place, text in enumerate(expressions.values()))
        outer = ", ".join(f"typeof(v{n}), CAST(v{n} AS VARCHAR)" for n in range(len(expressions)))
        try:
            (row,) = self._session.rows(f"SELECT {outer} FROM (SELECT {inner})", values)
        except duckdb.Error as error:
            raise duckdb_errors.translated(error) from error
        return {name: self._constant(row[2 * place], row[2 * place + 1]) for place, name in enumerate(expressions)}

    def _constant(self, kind: str, text: str | None) -> Tree:
        if kind == ('"NULL"' if text is None else "VARCHAR"):
            return t.literal(text)
        return t.cast(t.literal(text), self.type_tree(kind))

    def filled(self, statement: Query | EnclosingStatement, values: Mapping[str, Tree]) -> Query | EnclosingStatement:
        """A statement with values in place of its parameters; a named parameter may be a variable's name.

        Raises:
            QueryError: a parameter has no value, or a value has no parameter.
        """
        values = {**self._variables(statement.parameters - set(values)), **values}
        parameters.check(statement.parameters, values)
        if not values:
            return statement
        match statement:
            case Query(text):
                return Query(self._filled(text, values))
            case EnclosingStatement(before, query, after, target):
                texts = dict(zip(values, self.written(list(values.values())), strict=True))
                end = (target[0], placed(target[1], texts)) if target else None
                return EnclosingStatement(
                    placed(before, texts), f"{self._filled(query, values)}\n", placed(after, texts), end
                )
            case _:
                assert_never(statement)

    def _variables(self, names: frozenset[str]) -> dict[str, Tree]:
        """The values of those names that SET VARIABLE has defined."""
        if not names:
            return {}
        known = {str(name).lower() for (name,) in self._session.rows("SELECT name FROM duckdb_variables()")}
        found = sorted(name for name in names if name.lower() in known and not name.isdigit())
        return self.evaluated({name: f"getvariable({string_literal(name)})" for name in found})

    def _filled(self, text: str, values: Mapping[str, Tree]) -> str:
        with self._session.lock:
            names = partial(parse.titles, self._session.connection)
            return self.text(parameters.filled(self.tree(text), values, names))

    def prepared(self, name: str) -> Classified:
        """The statement prepared under a name, with the meaning that it had then.

        Raises:
            UnknownName: there is none.
        """
        found = self._session.rows(
            "SELECT statement FROM duckdb_prepared_statements() WHERE lower(name) = lower(?)", [name]
        )
        if not found:
            raise UnknownName(f"no prepared statement {name!r}: PREPARE {name} AS ... makes one")
        parsed = self.classified(str(found[0][0]))
        match parsed.statement:
            case Query(text) as query:
                return replace(parsed, statement=replace(query, text=self._under_own_settings(text)))
            case EnclosingStatement(query=text) as around:
                return replace(parsed, statement=replace(around, query=self._under_own_settings(text)))
            case _:
                return parsed

    def _under_own_settings(self, text: str) -> str:
        """A query in DuckDB's stored form, rewritten so that it keeps its meaning under the present settings."""
        connection = self._session.connection
        if not parse.reads_divisions(connection, text):
            return text
        return parse.deparse(connection, parse.stored(connection, text)) + "\n"

    def outputs(self, text: str) -> tuple[list[str], list[str]]:
        """The names and types of a query's output columns, cached until something is written.

        Raises:
            QueryError: DuckDB rejects the query, with its reason.
        """
        with self._session.lock:
            known: tuple[list[str], list[str]] | None = self._memory.recall(("outputs", text))
            if known is None:
                known = parse.shape(self._session.connection, text)
                self._memory.keep(("outputs", text), known, len(text))
            return known

    def described(self, text: str) -> tuple[list[str], list[str]]:
        """The names and types of the output columns of a query that reads files, not cached."""
        return parse.shape(self._session.connection, text)

    def forget_outputs(self, text: str) -> None:
        """Removes a query's output columns from the cache, since the files that it reads change without notice."""
        self._memory.keep(("outputs", text), None)

    def type_tree(self, name: str) -> Tree:
        """The syntax tree of a type, from its text."""
        with self._session.lock:
            known = self._types.recall(name)
            return self._types.keep(name, parse.type_tree(self._session.connection, name)) if known is None else known

    def combines(self, calls: Sequence[Tree], source: Tree) -> bool:
        """Whether aggregates over the rows of a source can be combined from states over parts of these rows.

        This is tried on another connection, since a failure would end the transaction of this one.
        """
        if not calls or any(map(partial_aggregates.needs_all, calls)):
            return not calls
        with self._session.lock:
            read = [t.named(tree, "") for tree in partial_aggregates.operands(calls)]
            _, types = parse.shape(self._session.connection, self.text(t.select([*read, t.number(0)], source)))
            text = self.text(partial_aggregates.probe(calls, [self.type_tree(kind) for kind in types[:-1]]))
            known = self._combined.recall(text)
            return self._combined.keep(text, self._runs_apart(text)) if known is None else known

    def _runs_apart(self, text: str) -> bool:
        try:
            with self._session.connection.cursor() as connection:
                connection.execute(text)
        except duckdb.Error:
            return False
        return True
