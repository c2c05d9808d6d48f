"""What every name of a statement means, in all its blocks: DuckDB's tree, each reference told where it comes from.

In the trees that come out of here a reference has an `origin` (the number of a source, the column's own name, whether
its missingness is asked about, the name's place in the path), and an item of FROM has the `number` of its source. A
star is written out wherever the columns are known; otherwise it has the numbers of the sources it `reads_all` of.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, assert_never

from imputedb.algebra.relation import Table
from imputedb.sql import ast as t
from imputedb.sql import derivation
from imputedb.sql.asked import asked_columns, asked_keys, grouped
from imputedb.sql.ast import Tree, expressions, is_reference, parts, reference, rewrite, without_place
from imputedb.sql.by_name import alias_of, can_be_reordered, reorder, state_names, united
from imputedb.sql.missingness import asks, asks_of_elements
from imputedb.sql.passing import Passing, is_by_values
from imputedb.sql.scope import Catalog, Ctes, Definition, Frame, Source, Viewed, found_in, renamed, starred, told_apart
from imputedb.sql.subqueries import standing

_NAMING = {"struct_pack"}
"""Functions that take a column's name for that of an argument."""

_ASKED = ("children", "arguments", "left", "right")


class Resolver:
    """Resolves the names of one statement; `sources` are all it has met, by number."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self.sources: dict[int, Source] = {}
        self.passing = Passing(self.sources, catalog, self._told)
        self._reached: list[int] = []
        self._explicit = False
        self._within: object = None  # the view whose query is being resolved

    def statement(self, node: Tree) -> Definition:
        """The whole statement, resolved."""
        return self._query(node, None, {})

    # -- queries ------------------------------------------------------------------------------------------------------

    def _query(self, node: Tree, parent: Frame | None, ctes: Ctes) -> Definition:
        first = len(self.sources)
        reached = len(self._reached)
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
        found.closed = all(number >= first for number in self._reached[reached:])
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
        if "origin" not in item or not _is_whole(item):
            return False
        number = item["origin"][0]
        return [self.sources[number].alias.lower(), str(item["column_names"][-1]).lower()] == list(path[-2:])

    def _recursive(self, node: Tree, parent: Frame | None, ctes: Ctes) -> Definition:
        reached = len(self._reached)
        left = self._inner(node["left"], parent, ctes)
        columns = renamed(left, node["aliases"]).columns
        itself = Definition({}, columns, closed=False)
        right = self._query(node["right"], parent, {**ctes, node["cte_name"].lower(): itself})
        self._reached[reached:] = [number for number in self._reached[reached:] if number >= 0]
        return Definition({**node, "left": left.node, "right": right.node}, columns, children=(left, right))

    def _select(self, node: Tree, parent: Frame | None, ctes: Ctes) -> Definition:
        frame = Frame(parent)
        source = self._from(node["from_table"], frame, ctes)
        frame.aliases = {str(item["alias"]).lower(): None for item in node["select_list"] if item.get("alias")}

        def bound(tree: Any) -> Any:
            return self._expression(tree, frame, ctes)

        shown = []
        for item in node["select_list"]:
            shown += [(part, item) for part in self._items(item, frame, ctes)]
            if item.get("alias"):
                frame.aliases[str(item["alias"]).lower()] = shown[-1][0]
        items, where = [part for part, _ in shown], node["where_clause"]
        done: Tree = {
            **node,
            "from_table": source,
            "select_list": items,
            "where_clause": bound(t.all_of(asked_columns(where, frame, self._catalog) or [where]) if where else where),
            **{key: bound(node[key]) for key in ("group_expressions", "qualify")},
            "having": self._expression(node["having"], frame, ctes, self._answers(items)),
            "modifiers": [self._modifier(modifier, frame, ctes) for modifier in node["modifiers"]],
        }
        done = asked_keys(done, self.passing, self._aggregates) if grouped(done) else done
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
            found: Tree = self._expression(tree, frame, ctes)
            return found

        if modifier["type"] == "ORDER_MODIFIER":
            orders = [{**order, "expression": meant(order["expression"])} for order in modifier["orders"]]
            return {**modifier, "orders": orders}
        if modifier["type"] == "DISTINCT_MODIFIER":
            return {**modifier, "distinct_on_targets": [meant(tree) for tree in modifier["distinct_on_targets"]]}
        found: Tree = self._expression(modifier, frame, ctes)
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

    # -- FROM ---------------------------------------------------------------------------------------------------------

    def _from(self, node: Tree, frame: Frame, ctes: Ctes) -> Tree:
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
                function = self._expression(node["function"], frame, ctes)
                return self._added({**node, "function": function}, frame, self._catalog.described(node))
            case "PIVOT":
                inside = Frame(frame.parent)
                source = self._from(node["source"], inside, ctes)
                self.passing.note_names([node["aggregates"], node["pivots"]], inside.sources, "PIVOT")
                everything = {"reads_all": [found.number for found in inside.sources]}
                return self._added({**node, "source": source, **everything}, frame, self._catalog.described(node))
            case "EMPTY":
                return node
            case "SHOW_REF":
                return self._added(node, frame, self._catalog.described(node))
            case _:
                inner = self._expression(node, frame, ctes)
                return self._added(inner, frame, self._catalog.described(node))

    def _base_table(self, node: Tree, frame: Frame, ctes: Ctes) -> Tree:
        path = [part for part in node["qualified_name"]["path"] if part]
        if len(path) == 1 and path[0].lower() in ctes:
            found = ctes[path[0].lower()]
            if not found.node:  # a recursive query reads itself
                self._reached.append(-1)
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
        number = len(self.sources)
        names = None
        if columns is not None:
            given = list(node.get("column_name_alias") or ())
            names = dict(zip(told_apart([*given, *columns[len(given) :]]), columns, strict=False))
        alias = node["alias"] or (node["table_name"] if node["type"] == "BASE_TABLE" else "")
        source = Source(number, alias, names, table, definition)
        source.virtual = self._catalog.virtual(table) if table else frozenset()
        source.item = {} if table or definition else node
        self.sources[number] = source
        frame.sources.append(source)
        return {**node, "number": number}

    def _join(self, node: Tree, frame: Frame, ctes: Ctes) -> Tree:
        before = len(frame.sources)
        left = self._from(node["left"], frame, ctes)
        middle = len(frame.sources)
        right = self._from(node["right"], frame, ctes)
        lefts, rights = frame.sources[before:middle], frame.sources[middle:]
        using = list(node["using_columns"])
        if node["ref_type"] == "NATURAL":
            theirs = {name.lower() for source in rights for name in source.names or ()}
            using = [name for source in lefts for name in source.names or () if name.lower() in theirs]
        frame.outer |= node["join_type"] not in ("INNER", "SEMI", "ANTI")
        equal = [self._merge(name, lefts, rights, frame) for name in using]
        condition = self._expression(node["condition"], frame, ctes) if node["condition"] is not None else None
        if node["join_type"] in ("SEMI", "ANTI"):
            for source in rights:
                source.visible = False
        filled_up = {"LEFT": rights, "RIGHT": lefts, "FULL": [*lefts, *rights]}
        for source in filled_up.get(node["join_type"], ()):
            source.nullable = True
        return {**node, "left": left, "right": right, "condition": condition, "using_origins": equal}

    def _merge(self, name: str, lefts: Sequence[Source], rights: Sequence[Source], frame: Frame) -> list[Tree]:
        """Makes one column of two of the same name; references to both."""
        first, second = _having(name, lefts, frame), _having(name, rights, frame)
        frame.merged[name.lower()] = [*first, *second]
        frame.hidden |= {(source.number, name.lower()) for source in second}
        both = [*first[:1], *second[:1]]
        return [self._told(reference(name), source, name, stored=False, place=0) for source in both]

    # -- expressions --------------------------------------------------------------------------------------------------

    def _items(self, item: Tree, frame: Frame, ctes: Ctes) -> Iterator[Tree]:
        """What an item of the select list stands for: a star for every column it shows."""
        plain = item["class"] == "STAR" and not (item["columns"] or item["expr"])
        if not plain and (several := asked_columns(item, frame, self._catalog)) is not None:
            yield from (self._expression(one, frame, ctes) for one in several)
            return
        only = str(item.get("relation_name", "")).lower()
        of_struct = only and all(source.alias.lower() != only for source in frame.sources)
        unknown = of_struct or not frame.known or (frame.outer and frame.merged)
        if not plain or unknown or item["qualified_exclude_list"]:
            yield self._expression(item, frame, ctes)
            return
        for source, name, replacement, alias in starred(item, frame):
            if replacement is not None:
                yield {**self._expression(replacement, frame, ctes), "alias": name}
                continue
            path = reference(*([source.alias] if source.alias else []), name)
            place = len(path["column_names"]) - 1
            told = self._told(path, source, name, stored=False, place=place)
            yield {**told, "alias": alias or ("" if is_reference(told) else name)}

    def _expression(
        self, tree: Any, frame: Frame, ctes: Ctes, local: frozenset[str] = frozenset(), *, stored: bool = False
    ) -> Any:
        def below(part: Any, *, asks: bool = stored, names: frozenset[str] = local) -> Any:
            return self._expression(part, frame, ctes, names, stored=asks)

        def change(node: Tree) -> Tree | None:
            match node["class"]:
                case "COLUMN_REF":
                    return self._reference(node, frame, local, stored=stored)
                case "POSITIONAL_REFERENCE":
                    return self._placed(node, frame, stored=stored)
                case "FUNCTION" if _takes_names(node):
                    named: Tree = below(_named_arguments(node))
                    return named
                case "FUNCTION" if str(node["function_name"]).lower() == "alias" and len(node["arguments"]) == 1:
                    return {**self._name_of(below(node["arguments"][0]["expression"])), "alias": node["alias"]}
                case "LAMBDA":
                    names = {str(n["column_names"][0]) for n in expressions(node["lhs"]) if is_reference(n)}
                    return {**node, "expr": below(node["expr"], names=local | names)}
                case "SUBQUERY":
                    inside = self._query(node["subquery"]["node"], frame, ctes)
                    self._ask_inside(node, inside, stored=stored)
                    child = below(node["child"]) if node.get("child") else None
                    return {**node, "subquery": {**node["subquery"], "node": inside.node}, "child": child}
                case "STAR":
                    inner = {key: below(value) for key, value in node.items() if key in ("expr", "replace_list")}
                    self._note_all(frame, stored=stored)
                    return {**node, **inner, "reads_all": [source.number for source in frame.sources]}
            if (stored or local) and self._computes(node):
                return {
                    k: below(v, asks=False, names=frozenset()) if isinstance(v, (list, dict)) else v
                    for k, v in node.items()
                }
            return None if stored else self._asking(node, below)

        return rewrite(tree, change)

    def _name_of(self, tree: Tree) -> Tree:
        """What `alias(tree)` gives: the name of a column as its table has it, or what an expression is called."""
        if "origin" in tree and _is_whole(tree):
            return t.literal(str(tree["origin"][1]))
        return t.literal(next(iter(self._catalog.titles([tree]))))

    def _asking(self, node: Tree, below: Callable[..., Any]) -> Tree | None:
        """A node that asks about missingness, whose arguments are what is stored; None where it does not."""
        if node["class"] == "FUNCTION" and asks_of_elements(node):
            given = [(one, one["expression"]["class"] != "LAMBDA") for one in node["arguments"]]
            told = [{**one, "expression": below(one["expression"], asks=asked)} for one, asked in given]
            return {**node, "arguments": told}
        if not asks(node):
            return None
        around, self._explicit = self._explicit, bool(node.get("asks"))
        asking = {k: below(v, asks=True) if k in _ASKED else v for k, v in node.items()}
        self._explicit = around
        return asking

    def _ask_inside(self, node: Tree, inside: Definition, *, stored: bool) -> None:
        """Puts a question about a query's one value to what is stored; of rows that it looks up, only IMPUTED does."""
        passed_on = stored and inside.by_row and node["subquery_type"] == "SCALAR"
        if passed_on and (self._explicit or inside.node["from_table"]["type"] == "EMPTY"):
            items = inside.node["select_list"]
            items[:] = [self.passing.asked(item, explicit=self._explicit) for item in items]

    def _computes(self, node: Tree) -> bool:
        """Whether a node examines its arguments: an aggregate or a window answers, it passes no missingness on."""
        is_aggregate = node["class"] == "FUNCTION" and str(node["function_name"]).lower() in self._catalog.aggregates
        return (is_aggregate and not node.get("asks")) or node["class"] == "WINDOW"

    def _reference(self, node: Tree, frame: Frame, local: frozenset[str], *, stored: bool) -> Tree:
        path = node["column_names"]
        if path[0] in local:
            return node
        around: Frame | None = frame
        while around is not None:
            found = found_in(path, around)
            if isinstance(found, list):
                for source in found:
                    self._reached.append(source.number)
                return {**node, "origins": [[source.number, path[0]] for source in found]}
            if found is not None:
                source, name, place = found
                return self._told(node, source, name, stored=stored, place=place)
            if len(path) == 1 and path[0].lower() in around.aliases:
                return self._alias(node, around.aliases[path[0].lower()], stored=stored)
            row = next((s for s in around.sources if len(path) == 1 and s.alias.lower() == path[0].lower()), None)
            if row is not None:
                self._reached.append(row.number)
                return {**node, "reads_all": [row.number]}
            around = around.parent
        for source in frame.sources:
            if stored and source.names is None:
                self.passing.note(source, path[-1])
        return node

    def _note_all(self, frame: Frame, *, stored: bool) -> None:
        """Notes what a star, whose columns only DuckDB tells, asks about."""
        for source in frame.sources if stored else ():
            for name in source.names or ():
                self.passing.note(source, (source.column(name) or (name, name))[1])

    def _alias(self, node: Tree, meant: Tree | None, *, stored: bool) -> Tree:
        """The name of an output, or what it stands for over what is stored where it is asked about."""
        asked = self.passing.asked(meant, explicit=self._explicit) if stored and meant is not None else meant
        return node if asked is meant or asked is None else {**asked, "alias": node.get("alias", "")}

    def _placed(self, node: Tree, frame: Frame, *, stored: bool) -> Tree:
        """A column by its place among all in FROM, such as `#1`; as it stands where a join has merged some."""
        columns = [(source, name) for source in frame.sources for name in source.names or ()]
        place = int(node["index"]) - 1
        if not frame.known or frame.merged or not 0 <= place < len(columns):
            return node
        source, name = columns[place]
        path = reference(*([source.alias] if source.alias else []), name)
        told = self._told(path, source, name, stored=stored, place=len(path["column_names"]) - 1)
        return {**told, "alias": node.get("alias", "")}

    def _told(self, node: Tree, source: Source, name: str, *, stored: bool, place: int) -> Tree:
        self._reached.append(source.number)
        _, own = source.column(name) or (name, name)
        if not stored and source.table is not None and own in (known := self._catalog.derived(source.table)):
            return self._derived(node, source, own, known[own])
        stored = stored and (self._explicit or not source.nullable)  # there NULL says that nothing matched
        if not stored or source.table is not None:
            return {**node, "origin": [source.number, own, stored, place]}
        extra = self.passing.extra(source, own, explicit=self._explicit)
        if extra is None:
            return {**node, "origin": [source.number, own, False, place]}
        path = [*node["column_names"][:place], extra, *node["column_names"][place + 1 :]]
        return {**node, "column_names": path, "origin": [source.number, extra, False, place]}

    def _derived(self, node: Tree, source: Source, own: str, expression: Tree) -> Tree:
        """A derived column: what is stored of it, and where that is missing what it is of its parts."""
        shown = {own.lower(): name for name, own in (source.names or {}).items()}
        before = [source.alias] if source.alias else []

        def told(name: str, *, stored: bool) -> Tree:
            path = reference(*before, shown[name.lower()])
            if stored:
                return {**path, "origin": [source.number, own, True, len(before)]}
            return self._told(path, source, shown[name.lower()], stored=False, place=len(before))

        meant = {part: told(part, stored=False) for part in derivation.references(expression)}
        value = t.coalesce(told(own, stored=True), derivation.with_columns(expression, meant))
        return {**value, "alias": node.get("alias", ""), "derives": True}


def _by_path(node: Tree, table: Table) -> Tree:
    """An item of FROM by the whole path of its table, which means the same wherever the item comes to stand."""
    return {**node, **t.table(table.path, node["alias"]), "table_name": node["table_name"]}


def _takes_names(call: Tree) -> bool:
    """Whether a call passes columns without a name to a function whose arguments have names."""
    return str(call["function_name"]).lower() in _NAMING and any(map(_is_unnamed, call["arguments"]))


def _is_unnamed(argument: Tree) -> bool:
    return is_reference(argument["expression"]) and not argument["name"]


def _named_arguments(call: Tree) -> Tree:
    """A call in which a column that is passed without a name is passed under its own, as DuckDB has it."""
    named = [
        {**one, "name": one["expression"]["column_names"][-1]} if _is_unnamed(one) else one for one in call["arguments"]
    ]
    return {**call, "arguments": named}


def _having(name: str, sources: Sequence[Source], frame: Frame) -> list[Source]:
    """Those of some sources whose column of a name is merged already, or else the first that has one."""
    merged = [source for source in frame.merged.get(name.lower(), ()) if source in sources]
    return merged or [source for source in sources if source.column(name)][:1]


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


def _is_whole(item: Tree) -> bool:
    return bool(item["origin"][3] == len(item["column_names"]) - 1)
