"""Texts of syntax trees, and what DuckDB says of texts, remembered for those that come again."""

import json
from collections.abc import Sequence

import duckdb

from imputedb.engines import states
from imputedb.engines.memory import Memory
from imputedb.engines.session import Session
from imputedb.sql import parse
from imputedb.sql import tree as t
from imputedb.sql.tree import Tree

_KEPT = 512


class Texts:
    """Texts to trees and back on one session."""

    def __init__(self, session: Session, memory: Memory) -> None:
        self._session = session
        self._memory = memory
        self._texts: dict[str, str] = {}
        self._types: dict[str, Tree] = {}
        self._combined: dict[str, bool] = {}

    def text(self, node: Tree) -> str:
        """The SQL of a SELECT node."""
        key = json.dumps(node)
        with self._session.lock:
            if key not in self._texts:
                if len(self._texts) >= _KEPT:
                    self._texts.clear()
                self._texts[key] = parse.deparse(self._session.connection, node)
            return self._texts[key]

    def written(self, trees: Sequence[Tree]) -> list[str]:
        """The texts of expressions."""
        keys = [json.dumps(tree) for tree in trees]
        with self._session.lock:
            if any(key not in self._texts for key in keys):
                found = parse.expression_texts(self._session.connection, trees)
                self._texts.update(zip(keys, found, strict=True))
            return [self._texts[key] for key in keys]

    def tree(self, text: str) -> Tree:
        """The syntax tree of a query, remembered until something is written, settings among it.

        Raises:
            SqlSyntaxError: the text does not parse.
            Unplanned: it is more than one statement, or one that does not select.
        """
        with self._session.lock:
            known: str | None = self._memory.recall(("tree", text))
            if known is None:
                known = json.dumps(parse.parse(self._session.connection, text))
                self._memory.keep(("tree", text), known, len(known))
            node: Tree = json.loads(known)
            return node

    def outputs(self, text: str) -> tuple[list[str], list[str]]:
        """The names and types of a query's output columns, remembered like its tree.

        Raises:
            QueryError: DuckDB rejects the query, with its reason.
        """
        with self._session.lock:
            known: tuple[list[str], list[str]] | None = self._memory.recall(("outputs", text))
            if known is None:
                known = parse.shape(self._session.connection, text)
                self._memory.keep(("outputs", text), known, len(text))
            return known

    def forget_outputs(self, text: str) -> None:
        """Lets go of what was remembered of a query's output columns: it reads files, which change without notice."""
        self._memory.keep(("outputs", text), None)

    def type_tree(self, name: str) -> Tree:
        """The tree of a type from its text."""
        if name not in self._types:
            with self._session.lock:
                self._types[name] = parse.type_tree(self._session.connection, name)
        return self._types[name]

    def combines(self, calls: Sequence[Tree], source: Tree) -> bool:
        """Whether aggregates over the rows of a source can be combined from their states over parts of them.

        A connection of its own is asked: that a state cannot be exported would end the transaction of this one.
        """
        if not calls or any(map(states.needs_all, calls)):
            return not calls
        with self._session.lock:
            read = [t.named(tree, "") for tree in states.operands(calls)]
            _, types = parse.shape(self._session.connection, self.text(t.select([*read, t.number(0)], source)))
            text = self.text(states.probe(calls, [self.type_tree(kind) for kind in types[:-1]]))
            if text not in self._combined:
                self._combined[text] = self._runs_apart(text)
            return self._combined[text]

    def _runs_apart(self, text: str) -> bool:
        try:
            with self._session.connection.cursor() as connection:
                connection.execute(text)
        except duckdb.Error:
            return False
        return True
