"""Items of FROM: tables, views, nested queries and joins, each a source that names are looked up in."""

from collections.abc import Callable, Sequence
from typing import assert_never

from imputedb.algebra.relation import Table
from imputedb.sql import ast as t
from imputedb.sql.ast import Tree, reference
from imputedb.sql.references import References
from imputedb.sql.scope import Ctes, Definition, Frame, Source, Viewed, told_apart


class FromItems:
    """The items of FROM of one statement, each with the number of its source.

    Args:
        references: what names in conditions of joins mean; holds the sources.
        inner: resolves a nested query whose columns others name.
    """

    def __init__(self, references: References, inner: Callable[[Tree, Frame | None, Ctes], Definition]) -> None:
        self._references = references
        self._catalog = references.catalog
        self._inner = inner
        self._within: object = None  # the view whose query is being resolved

    def resolved(self, node: Tree, frame: Frame, ctes: Ctes) -> Tree:
        """An item of FROM, whose sources are added to a frame."""
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
        """A view as the query behind it, in which names mean what they mean where the view is."""
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
            names = dict(zip(told_apart([*given, *columns[len(given) :]]), columns, strict=False))
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
        """Makes one column of two of the same name; references to both."""
        first, second = _having(name, lefts, frame), _having(name, rights, frame)
        frame.merged[name.lower()] = [*first, *second]
        frame.hidden |= {(source.number, name.lower()) for source in second}
        both = [*first[:1], *second[:1]]
        return [self._references.meaning(reference(name), source, name, stored=False, place=0) for source in both]


def _by_path(node: Tree, table: Table) -> Tree:
    """An item of FROM by the whole path of its table, which means the same wherever the item comes to stand."""
    return {**node, **t.table(table.path, node["alias"]), "table_name": node["table_name"]}


def _having(name: str, sources: Sequence[Source], frame: Frame) -> list[Source]:
    """Those of some sources whose column of a name is merged already, or else the first that has one."""
    merged = [source for source in frame.merged.get(name.lower(), ()) if source in sources]
    return merged or [source for source in sources if source.column(name)][:1]
