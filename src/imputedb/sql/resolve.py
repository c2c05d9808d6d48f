"""Name resolution: the tree of a statement, each of its references with the source and column that it means.

In the trees that come out of here a reference has an `origin` (the number of a source, the column's own name, whether
its missingness is asked about, the name's place in the path), and an item of FROM has the `number` of its source. A
star is written out wherever the columns are known; otherwise it has the numbers of the sources it `reads_all` of.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from imputedb.sql import ast as t
from imputedb.sql.ast import Tree, expressions, is_reference, parts, without_place
from imputedb.sql.by_name import alias_of, can_be_reordered, reorder, state_names, united
from imputedb.sql.from_items import FromItems
from imputedb.sql.passing import Passing, is_by_values
from imputedb.sql.questions import grouped, questioned_columns, questioned_keys
from imputedb.sql.references import References, is_whole_column
from imputedb.sql.scope import Catalog, Ctes, Definition, Frame, Source, renamed, told_apart
from imputedb.sql.subqueries import standing


class Resolver:
    """Resolves the names of one statement."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self._references = References(catalog, self._query)
        self._from = FromItems(self._references, self._inner)

    @property
    def sources(self) -> Mapping[int, Source]:
        """All items of FROM that the statement has, by number."""
        return self._references.sources

    @property
    def passing(self) -> Passing:
        """What was asked about missingness in nested queries."""
        return self._references.passing

    def statement(self, node: Tree) -> Definition:
        """The whole statement, resolved."""
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
        """A query whose columns others name: each has a name of its own, which DuckDB gives it too."""
        found = self._query(node, parent, ctes)
        if found.columns is None:
            around = [known.entry for known in ctes.values() if known.entry is not None]
            within = {**found.node, "cte_map": {"map": [*around, *found.node["cte_map"]["map"]]}}
            shown = self._catalog.described(t.subquery(standing(within), "")) if found.closed else None
            found.columns = None if shown is None else tuple(shown)
        else:
            found.columns = tuple(told_apart(found.columns))
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
            written = node["children"][:1]  # the others' items stand elsewhere in the whole
        else:
            written = node["children"]
        modifiers = [self._by_place(modifier, written, children) for modifier in node["modifiers"]]
        done = {**node, "children": [child.node for child in children], "modifiers": modifiers}
        return Definition(done, columns, children=tuple(children))

    def _by_place(self, modifier: Tree, written: Sequence[Tree], children: Sequence[Definition]) -> Tree:
        """ORDER BY of a set operation, whose keys may be written as an item of one of its queries: its place."""
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
        """Whether an item is the column that a path in lower case ends in, of a source by its alias."""
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

        self._references.matching.look(node, frame)

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
            "where_clause": bound(
                t.all_of(questioned_columns(where, frame, self._catalog) or [where]) if where else where
            ),
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
        """The names of items of a select list, those without one as DuckDB names what was written."""
        unnamed = [written for part, written in shown if not alias_of(part)]
        texts = iter(self._catalog.titles(unnamed) if unnamed else ())
        for part, _ in shown:
            yield alias_of(part) or next(texts)

    def _modifier(self, modifier: Tree, frame: Frame, ctes: Ctes) -> Tree:
        """ORDER BY, LIMIT or DISTINCT; a name that is an output's means the output, a star all of them."""

        def meant(tree: Tree) -> Tree:
            is_alias = is_reference(tree) and len(tree["column_names"]) == 1
            if tree["class"] == "STAR" or (is_alias and tree["column_names"][0].lower() in frame.aliases):
                return tree
            found: Tree = self._references.expression(tree, frame, ctes)
            return found

        if modifier["type"] == "ORDER_MODIFIER":
            orders = [{**order, "expression": meant(order["expression"])} for order in modifier["orders"]]
            return {**modifier, "orders": orders}
        if modifier["type"] == "DISTINCT_MODIFIER":
            return {**modifier, "distinct_on_targets": [meant(tree) for tree in modifier["distinct_on_targets"]]}
        found: Tree = self._references.expression(modifier, frame, ctes)
        return found

    def _is_by_row(self, node: Tree, items: Sequence[Tree]) -> bool:
        """Whether a query gives its outputs row by row: to each row that it shows belongs one of its FROM."""
        others = node["having"] or any(is_by_values(modifier) for modifier in node["modifiers"])
        return not (grouped(node) or others or any(self._aggregates(item) for item in items))

    def _answers(self, items: Sequence[Tree]) -> frozenset[str]:
        """The aliases of aggregates, which HAVING means by their names rather than columns."""
        return frozenset(str(item["alias"]) for item in items if item.get("alias") and self._aggregates(item))

    def _aggregates(self, item: Tree) -> bool:
        if item["class"] == "WINDOW":
            return False
        return any(
            tree["class"] == "FUNCTION" and str(tree["function_name"]).lower() in self._catalog.aggregates
            for tree in expressions(item)
        )


def _spreads(item: Tree, multiplying: frozenset[str]) -> bool:
    """Whether an item of a select list may give several columns: COLUMNS(...), or a struct that is unnested."""
    if item["class"] == "FUNCTION" and str(item["function_name"]).lower() in multiplying:
        return True
    if item["class"] == "SUBQUERY":
        return False
    return item["class"] == "STAR" or any(_spreads(part, multiplying) for part in parts(item))


def _selects(nodes: Sequence[Tree]) -> Iterator[Tree]:
    """The SELECTs that set operations unite, in order."""
    for node in nodes:
        if node["type"] == "SELECT_NODE":
            yield node
        elif node["type"] == "SET_OPERATION_NODE":
            yield from _selects(node["children"])
