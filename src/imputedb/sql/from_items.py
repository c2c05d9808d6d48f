"""Resolution of items of FROM: tables, views, nested queries and joins become numbered sources of names."""

from collections.abc import Callable, Sequence
from typing import assert_never

from imputedb.algebra.relation import Table
from imputedb.sql import ast as t
from imputedb.sql.ast import Tree, reference
from imputedb.sql.expression import path_of
from imputedb.sql.items import column_names_of, is_join
from imputedb.sql.pivot_query import as_query
from imputedb.sql.references import References
from imputedb.sql.scope import Ctes, Definition, Frame, Source, Viewed, distinct_names


class FromItems:
    """The resolver of one statement's items of FROM.

    Args:
        references: resolver of expressions in join conditions; holds the sources.
        inner: resolver of nested queries.
    """

    def __init__(self, references: References, inner: Callable[[Tree, Frame | None, Ctes], Definition]) -> None:
        self._references = references
        self._catalog = references.catalog
        self._inner = inner
        self._within: object = None  # the view whose query is being resolved

    def resolved(self, node: Tree, frame: Frame, ctes: Ctes) -> Tree:
        """The resolved item of FROM; its sources are added to a frame."""
        match node["type"]:
            case "BASE_TABLE":
                return self._base_table(node, frame, ctes)
            case "SUBQUERY":
                found = self._inner(node["subquery"]["node"], frame, ctes)
                inner = {**node, "subquery": {**node["subquery"], "node": found.node}}
                return self._added(inner, frame, found.columns, definition=found)
            case "JOIN":
                return self._join(node, frame, ctes)
            case "TABLE_FUNCTION":
                function = self._references.expression(node["function"], frame, ctes)
                return self._added({**node, "function": function}, frame, self._catalog.described(node))
            case "PIVOT":
                query = self._as_query(node, ctes)
                if query is not None:
                    return self.resolved(query, frame, ctes)
                inside = Frame(frame.parent)
                source = self.resolved(node["source"], inside, ctes)
                self._references.passing.note_names([node["aggregates"], node["pivots"]], inside.sources, "PIVOT")
                everything = {"reads_all": [found.number for found in inside.sources]}
                return self._added({**node, "source": source, **everything}, frame, self._catalog.described(node))
            case "EMPTY":
                return node
            case "SHOW_REF":
                return self._added(node, frame, self._catalog.described(node))
            case _:
                inner = self._references.expression(node, frame, ctes)
                return self._added(inner, frame, self._catalog.described(node))

    def _as_query(self, node: Tree, ctes: Ctes) -> Tree | None:
        """A PIVOT rewritten as an aggregation over its table, view or query; None where that is impossible."""
        source = node["source"]
        path = [part for part in path_of(source) if part]
        columns: Sequence[str] | None = None
        if len(path) == 1 and path[0].lower() in ctes:
            columns = ctes[path[0].lower()].columns
        elif not is_join(source):
            columns = self._catalog.described(source)
        if columns is None:
            return None
        given = column_names_of(source)
        named = [*given, *columns[len(given) :]]
        return as_query(node, named, self._catalog.aggregates, self._catalog.described)

    def _base_table(self, node: Tree, frame: Frame, ctes: Ctes) -> Tree:
        path = [part for part in node["qualified_name"]["path"] if part]
        if len(path) == 1 and path[0].lower() in ctes:
            found = ctes[path[0].lower()]
            if not found.node:  # a recursive query reads itself
                self._references.reached.append(-1)
            return self._added(node, frame, found.columns, definition=found)
        meant = self._catalog.meant(path, self._within)
        match meant:
            case Table():
                return self._added(_by_path(node, meant), frame, self._catalog.columns(meant), table=meant)
            case Viewed():
                return self._view(node, meant, frame)
            case None:
                return self._added(node, frame, self._catalog.described(node))
            case _:
                assert_never(meant)

    def _view(self, node: Tree, view: Viewed, frame: Frame) -> Tree:
        """A view as its query, resolved in the context of the view."""
        around, self._within = self._within, view.itself
        inside = self._inner(view.query, None, {})
        self._within = around
        given = list(node["column_name_alias"])
        shown = {
            "type": "SUBQUERY",
            "alias": node["alias"] or node["table_name"],
            "sample": node["sample"],
            "subquery": {"node": inside.node, "named_param_map": []},
            "column_name_alias": [*given, *view.columns[len(given) :]],
        }
        return self._added(shown, frame, inside.columns, definition=inside)

    def _added(
        self,
        node: Tree,
        frame: Frame,
        columns: Sequence[str] | None,
        table: Table | None = None,
        definition: Definition | None = None,
    ) -> Tree:
        number = len(self._references.sources)
        names = None
        if columns is not None:
            given = list(node.get("column_name_alias") or ())
            names = dict(zip(distinct_names([*given, *columns[len(given) :]]), columns, strict=False))
        alias = node["alias"] or (node["table_name"] if node["type"] == "BASE_TABLE" else "")
        source = Source(number, alias, names, table, definition)
        source.virtual = self._catalog.virtual(table) if table else frozenset()
        source.item = {} if table or definition else node
        self._references.sources[number] = source
        frame.sources.append(source)
        return {**node, "number": number}

    def _join(self, node: Tree, frame: Frame, ctes: Ctes) -> Tree:
        before = len(frame.sources)
        left = self.resolved(node["left"], frame, ctes)
        middle = len(frame.sources)
        right = self.resolved(node["right"], frame, ctes)
        lefts, rights = frame.sources[before:middle], frame.sources[middle:]
        using = list(node["using_columns"])
        if node["ref_type"] == "NATURAL":
            theirs = {name.lower() for source in rights for name in source.names or ()}
            using = [name for source in lefts for name in source.names or () if name.lower() in theirs]
        frame.outer |= node["join_type"] not in ("INNER", "SEMI", "ANTI")
        equal = [self._merge(name, lefts, rights, frame) for name in using]
        condition = (
            self._references.expression(node["condition"], frame, ctes) if node["condition"] is not None else None
        )
        if node["join_type"] in ("SEMI", "ANTI"):
            for source in rights:
                source.visible = False
        matching = self._references.matching
        matching.compare(condition, equal, inner=node["join_type"] == "INNER")
        filled_up = {"LEFT": rights, "RIGHT": lefts, "FULL": [*lefts, *rights]}
        matching.pad(filled_up.get(node["join_type"], []))
        return {**node, "left": left, "right": right, "condition": condition, "using_origins": equal}

    def _merge(self, name: str, lefts: Sequence[Source], rights: Sequence[Source], frame: Frame) -> list[Tree]:
        """Merges two columns of the same name (USING); returns references to both."""
        first, second = _having(name, lefts, frame), _having(name, rights, frame)
        frame.merged[name.lower()] = [*first, *second]
        frame.hidden |= {(source.number, name.lower()) for source in second}
        both = [*first[:1], *second[:1]]
        return [self._references.meaning(reference(name), source, name, stored=False, place=0) for source in both]


def _by_path(node: Tree, table: Table) -> Tree:
    """An item of FROM with the full path of its table, which is valid anywhere."""
    return {**node, **t.table(table.path, node["alias"]), "table_name": node["table_name"]}


def _having(name: str, sources: Sequence[Source], frame: Frame) -> list[Source]:
    """The sources whose column of a name is merged already, or else the first source that has one."""
    merged = [source for source in frame.merged.get(name.lower(), ()) if source in sources]
    return merged or [source for source in sources if source.column(name)][:1]
