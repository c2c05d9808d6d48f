"""Name resolution of statements: each reference gets its source and column.

In resolved trees a reference has an `origin`: the number of a source, the column's own name, whether stored values are
read, and the position of the column's name in the path. An item of FROM has the `number` of its source. A star is
expanded where columns are known; otherwise `reads_all` has the numbers of its sources.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from imputedb.sql import ast as t
from imputedb.sql.ast import Tree, expressions, is_reference, parts, without_place
from imputedb.sql.by_name import alias_of, can_be_reordered, reorder, state_names, united
from imputedb.sql.expression import is_all, is_star
from imputedb.sql.from_items import FromItems
from imputedb.sql.passing import Passing, is_by_values
from imputedb.sql.questions import grouped, questioned_keys
from imputedb.sql.references import References, is_whole_column
from imputedb.sql.scope import Catalog, Ctes, Definition, Frame, Source, distinct_names, renamed
from imputedb.sql.star_columns import per_column
from imputedb.sql.subqueries import standing


class Resolver:
    """The resolver of one statement."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self._references = References(catalog, self._query)
        self._from = FromItems(self._references, self._inner)

    @property
    def sources(self) -> Mapping[int, Source]:
        """All items of FROM of the statement, by number."""
        return self._references.sources

    @property
    def passing(self) -> Passing:
        """The passing of stored values to tests in nested queries."""
        return self._references.passing

    def statement(self, node: Tree) -> Definition:
        """The resolved statement."""
        return self._query(node, None, {})

    def _query(self, node: Tree, parent: Frame | None, ctes: Ctes) -> Definition:
        first = len(self.sources)
        reached = len(self._references.reached)
        ctes, cte_map = self._with(node, parent, ctes)
        match node["type"]:
            case "SELECT_NODE":
                found = self._select(node, parent, ctes)
            case "SET_OPERATION_NODE":
                found = self._set_operation(node, parent, ctes)
            case "RECURSIVE_CTE_NODE":
                found = self._recursive(node, parent, ctes)
            case _:
                found = Definition(dict(node), None)
        found.node["cte_map"] = cte_map
        found.node["first_source"], found.node["last_source"] = first, len(self.sources)
        found.closed = all(number >= first for number in self._references.reached[reached:])
        found.node["closed"] = found.closed
        return found

    def _with(self, node: Tree, parent: Frame | None, ctes: Ctes) -> tuple[Ctes, Tree]:
        known, entries = dict(ctes), []
        for entry in node["cte_map"]["map"]:
            value = entry["value"]
            found = self._inner(value["query_node"], parent, known)
            found = renamed(found, value["aliases"])
            found.entry = {**entry, "value": {**value, "query_node": found.node}}
            known[entry["key"].lower()] = found
            entries.append(found.entry)
        return known, {"map": entries}

    def _inner(self, node: Tree, parent: Frame | None, ctes: Ctes) -> Definition:
        """A nested query whose columns are referred to by name; each gets an explicit alias, DuckDB's name for it."""
        found = self._query(node, parent, ctes)
        if found.columns is None:
            around = [known.entry for known in ctes.values() if known.entry is not None]
            within = {**found.node, "cte_map": {"map": [*around, *found.node["cte_map"]["map"]]}}
            shown = self._catalog.described(t.subquery(standing(within), "")) if found.closed else None
            found.columns = None if shown is None else tuple(shown)
        else:
            found.columns = tuple(distinct_names(found.columns))
            state_names(found.node, found.columns)
        return found

    def _set_operation(self, node: Tree, parent: Frame | None, ctes: Ctes) -> Definition:
        children = [self._query(child, parent, ctes) for child in node["children"]]
        columns = children[0].columns
        if "BY_NAME" in node["setop_type"]:
            for child in children:
                if child.columns is not None:
                    state_names(child.node, child.columns)
            columns = united([child.columns for child in children])
            if columns is not None and all(map(can_be_reordered, children)):
                for child in children:
                    reorder(child, columns)
                node = {**node, "setop_type": "UNION"}
            elif columns is not None:
                node = {**node, "united": list(columns)}
            written = node["children"][:1]  # later queries' items have other positions
        else:
            written = node["children"]
        modifiers = [self._by_place(modifier, written, children) for modifier in node["modifiers"]]
        done = {**node, "children": [child.node for child in children], "modifiers": modifiers}
        return Definition(done, columns, children=tuple(children))

    def _by_place(self, modifier: Tree, written: Sequence[Tree], children: Sequence[Definition]) -> Tree:
        """ORDER BY of a set operation; a key that equals an item of one of its queries becomes a position."""
        if modifier["type"] != "ORDER_MODIFIER":
            return modifier
        lists = [select["select_list"] for select in _selects(written)]
        shown = [select["select_list"] for select in _selects([child.node for child in children])]

        def placed(key: Tree) -> Tree:
            if key["class"] in ("CONSTANT", "STAR") or (is_reference(key) and len(key["column_names"]) == 1):
                return key
            wanted = without_place(key)
            found = [n for items in lists for n, item in enumerate(items, 1) if without_place(item) == wanted]
            if is_reference(key):
                path = [part.lower() for part in key["column_names"]]
                found += [n for items in shown for n, item in enumerate(items, 1) if self._is_called(item, path)]
            return t.number(found[0]) if found else key

        return {**modifier, "orders": [{**one, "expression": placed(one["expression"])} for one in modifier["orders"]]}

    def _is_called(self, item: Tree, path: Sequence[str]) -> bool:
        """Whether an item is the column of a lower-case path, qualified by its source's alias."""
        if "origin" not in item or not is_whole_column(item):
            return False
        number = item["origin"][0]
        return [self.sources[number].alias.lower(), str(item["column_names"][-1]).lower()] == list(path[-2:])

    def _recursive(self, node: Tree, parent: Frame | None, ctes: Ctes) -> Definition:
        reached = len(self._references.reached)
        left = self._inner(node["left"], parent, ctes)
        columns = renamed(left, node["aliases"]).columns
        itself = Definition({}, columns, closed=False)
        right = self._query(node["right"], parent, {**ctes, node["cte_name"].lower(): itself})
        self._references.reached[reached:] = [number for number in self._references.reached[reached:] if number >= 0]
        return Definition({**node, "left": left.node, "right": right.node}, columns, children=(left, right))

    def _select(self, node: Tree, parent: Frame | None, ctes: Ctes) -> Definition:
        frame = Frame(parent)
        source = self._from.resolved(node["from_table"], frame, ctes)
        frame.aliases = {str(item["alias"]).lower(): None for item in node["select_list"] if item.get("alias")}

        self._references.matching.record_clauses(node, frame)

        def bound(tree: Any) -> Any:
            return self._references.expression(tree, frame, ctes)

        shown = []
        for item in node["select_list"]:
            shown += [(part, item) for part in self._references.items(item, frame, ctes)]
            if item.get("alias"):
                frame.aliases[str(item["alias"]).lower()] = shown[-1][0]
        items, where = [part for part, _ in shown], node["where_clause"]
        done: Tree = {
            **node,
            "from_table": source,
            "select_list": items,
            "where_clause": bound(t.all_of(per_column(where, frame, self._catalog) or [where]) if where else where),
            **{key: bound(node[key]) for key in ("group_expressions", "qualify")},
            "having": self._references.expression(node["having"], frame, ctes, self._answers(items)),
            "modifiers": [self._modifier(modifier, frame, ctes) for modifier in node["modifiers"]],
        }
        done = questioned_keys(done, self.passing, self._aggregates) if grouped(done) else done
        items = done["select_list"]
        columns = (
            None if any(_spreads(item, self._catalog.multiplying) for item in items) else tuple(self._titles(shown))
        )
        return Definition(dict(done), columns, by_row=self._is_by_row(done, items))

    def _titles(self, shown: Sequence[tuple[Tree, Tree]]) -> Iterator[str]:
        """The names of select items; those without an alias have DuckDB's names."""
        unnamed = [written for part, written in shown if not alias_of(part)]
        texts = iter(self._catalog.titles(unnamed) if unnamed else ())
        for part, _ in shown:
            yield alias_of(part) or next(texts)

    def _modifier(self, modifier: Tree, frame: Frame, ctes: Ctes) -> Tree:
        """ORDER BY, LIMIT or DISTINCT; the name of an output refers to the output, a star to all outputs."""

        def meant(tree: Tree) -> Tree:
            is_alias = is_reference(tree) and len(tree["column_names"]) == 1
            if tree["class"] == "STAR" or (is_alias and tree["column_names"][0].lower() in frame.aliases):
                return tree
            found: Tree = self._references.expression(tree, frame, ctes)
            return found

        if modifier["type"] == "ORDER_MODIFIER":
            orders = [
                {**order, "expression": meant(one)}
                for order in modifier["orders"]
                for one in self._keys(order["expression"], frame)
            ]
            return {**modifier, "orders": orders}
        if modifier["type"] == "DISTINCT_MODIFIER":
            targets = [one for tree in modifier["distinct_on_targets"] for one in self._keys(tree, frame)]
            return {**modifier, "distinct_on_targets": [meant(tree) for tree in targets]}
        found: Tree = self._references.expression(modifier, frame, ctes)
        return found

    def _keys(self, tree: Tree, frame: Frame) -> list[Tree]:
        """The keys of ORDER BY or DISTINCT ON: ALL stays, COLUMNS(...) becomes one key per column."""
        return [tree] if is_star(tree) and is_all(tree) else self._each(tree, frame)

    def _each(self, tree: Tree, frame: Frame) -> list[Tree]:
        """An expression; with COLUMNS(...), one for each column."""
        several = per_column(tree, frame, self._catalog)
        return [tree] if several is None else [{**one, "alias": ""} for one in several]

    def _is_by_row(self, node: Tree, items: Sequence[Tree]) -> bool:
        """Whether a query computes its outputs row by row, so that each output row comes from one row of FROM."""
        others = node["having"] or any(is_by_values(modifier) for modifier in node["modifiers"])
        return not (grouped(node) or others or any(self._aggregates(item) for item in items))

    def _answers(self, items: Sequence[Tree]) -> frozenset[str]:
        """The aliases of aggregates, to which names in HAVING refer rather than to columns."""
        return frozenset(str(item["alias"]) for item in items if item.get("alias") and self._aggregates(item))

    def _aggregates(self, item: Tree) -> bool:
        if item["class"] == "WINDOW":
            return False
        return any(
            tree["class"] == "FUNCTION" and str(tree["function_name"]).lower() in self._catalog.aggregates
            for tree in expressions(item)
        )


def _spreads(item: Tree, multiplying: frozenset[str]) -> bool:
    """Whether a select item may give several columns: COLUMNS(...), or unnest of a struct."""
    if item["class"] == "FUNCTION" and str(item["function_name"]).lower() in multiplying:
        return True
    if item["class"] == "SUBQUERY":
        return False
    return item["class"] == "STAR" or any(_spreads(part, multiplying) for part in parts(item))


def _selects(nodes: Sequence[Tree]) -> Iterator[Tree]:
    """The SELECTs of a set operation, in order."""
    for node in nodes:
        if node["type"] == "SELECT_NODE":
            yield node
        elif node["type"] == "SET_OPERATION_NODE":
            yield from _selects(node["children"])
