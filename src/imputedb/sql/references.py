"""References of a statement: what each name in an expression means, and whether its missingness is asked about."""

from collections.abc import Callable, Iterator
from typing import Any

from imputedb.sql import ast as t
from imputedb.sql import derivation
from imputedb.sql.ast import Tree, expressions, is_reference, reference, rewrite
from imputedb.sql.matching import Matching
from imputedb.sql.missingness import asks, asks_of_elements, is_of_null, pads, passes_on
from imputedb.sql.passing import Passing
from imputedb.sql.questions import questioned_columns
from imputedb.sql.scope import Catalog, Ctes, Definition, Frame, Source, found_in, starred

_NAMING = {"struct_pack"}
"""Functions that take a column's name for that of an argument."""

_ASKED = ("children", "arguments", "left", "right")


class References:
    """The references of one statement, each with the source and the column that it means.

    Args:
        catalog: what names outside of the statement mean.
        query: resolves a query that stands inside an expression.

    Attributes:
        sources: all items of FROM that the statement has met, by number.
        passing: passes questions about missingness on to nested queries.
        matching: tells which of them are about the match of an outer join.
        reached: the numbers of the sources that references have meant, in the order in which they were met.
    """

    def __init__(self, catalog: Catalog, query: Callable[[Tree, Frame, Ctes], Definition]) -> None:
        self.catalog = catalog
        self.sources: dict[int, Source] = {}
        self.passing = Passing(self.sources, catalog, self.meaning)
        self.matching = Matching(self.sources)
        self.reached: list[int] = []
        self._query = query
        self._explicit = False
        self._of_null = False

    def items(self, item: Tree, frame: Frame, ctes: Ctes) -> Iterator[Tree]:
        """What an item of the select list stands for: a star for every column it shows."""
        plain = item["class"] == "STAR" and not (item["columns"] or item["expr"])
        if not plain and (several := questioned_columns(item, frame, self.catalog)) is not None:
            yield from (self.expression(one, frame, ctes) for one in several)
            return
        only = str(item.get("relation_name", "")).lower()
        of_struct = only and all(source.alias.lower() != only for source in frame.sources)
        unknown = of_struct or not frame.known or (frame.outer and frame.merged)
        if not plain or unknown or item["qualified_exclude_list"]:
            yield self.expression(item, frame, ctes)
            return
        for source, name, replacement, alias in starred(item, frame):
            if replacement is not None:
                yield {**self.expression(replacement, frame, ctes), "alias": name}
                continue
            path = reference(*([source.alias] if source.alias else []), name)
            place = len(path["column_names"]) - 1
            meant = self.meaning(path, source, name, stored=False, place=place)
            yield {**meant, "alias": alias or ("" if is_reference(meant) else name)}

    def expression(
        self, tree: Any, frame: Frame, ctes: Ctes, local: frozenset[str] = frozenset(), *, stored: bool = False
    ) -> Any:
        """An expression with what each of its references means; over what is `stored` where its missingness is asked.

        Args:
            tree: the expression, or anything that holds some.
            frame: the sources of the block that it stands in.
            ctes: the queries of WITH that are known there.
            local: names of a lambda's parameters.
            stored: whether the missingness of its columns is asked about.
        """

        def below(part: Any, *, asks: bool = stored, names: frozenset[str] = local) -> Any:
            return self.expression(part, frame, ctes, names, stored=asks)

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
                return self._computed(node, below, stored=stored)
            return None if stored else self._asking(node, frame, below)

        return rewrite(tree, change)

    def _computed(self, node: Tree, below: Callable[..., Any], *, stored: bool) -> Tree:
        """An aggregate or a window over completed values; a question of NULL is passed on to the rows that it shows."""
        found = {
            k: below(v, asks=False, names=frozenset()) if isinstance(v, (list, dict)) else v for k, v in node.items()
        }
        if stored and self._of_null and passes_on(node):
            asked = below(node["arguments"][:1], names=frozenset())
            return {**found, "arguments": [*asked, *found["arguments"][1:]]}
        if stored and self._of_null and pads(node):
            self.passing.note_expression(found["arguments"][0]["expression"], "a window")
        return found

    def _name_of(self, tree: Tree) -> Tree:
        """What `alias(tree)` gives: the name of a column as its table has it, or what an expression is called."""
        if "origin" in tree and is_whole_column(tree):
            return t.literal(str(tree["origin"][1]))
        return t.literal(next(iter(self.catalog.titles([tree]))))

    def _asking(self, node: Tree, frame: Frame, below: Callable[..., Any]) -> Tree | None:
        """A node that asks about missingness, whose arguments are what is stored; None where it does not."""
        of_elements = node["class"] == "FUNCTION" and asks_of_elements(node)
        if not of_elements and not asks(node):
            return None
        around = self._explicit, self._of_null
        self._explicit = bool(node.get("asks")) or self._of_stored(node, frame)
        self._of_null = of_elements or is_of_null(node)
        if of_elements:
            given = [(one, one["expression"]["class"] != "LAMBDA") for one in node["arguments"]]
            arguments = [{**one, "expression": below(one["expression"], asks=asked)} for one, asked in given]
            asking = {**node, "arguments": arguments}
        else:
            asking = {k: below(v, asks=True) if k in _ASKED else v for k, v in node.items()}
        self._explicit, self._of_null = around
        if node.get("asks") and node["type"] == "OPERATOR_IS_NULL" and self.matching.padded(node, frame):
            present = t.is_present(below(node["children"][0], asks=False))  # where no row matched nothing is filled in
            return {**(t.all_of([{**asking, "alias": ""}, present]) or asking), "alias": node["alias"]}
        return asking

    def _of_stored(self, node: Tree, frame: Frame) -> bool:
        """Whether a question of NULL on the nullable side of a join is about what is stored; notes where it is not."""
        if not is_of_null(node):
            return False
        for source, own in self.matching.doubtful(node, frame):
            self.passing.note(source, own, "an outer join")
        return self.matching.about_stored(node, frame)

    def _ask_inside(self, node: Tree, inside: Definition, *, stored: bool) -> None:
        """Puts a question about a query's one value to what is stored; of rows that it looks up, only IMPUTED does."""
        if not (stored and inside.by_row and node["subquery_type"] == "SCALAR"):
            return
        items = inside.node["select_list"]
        if self._explicit or inside.node["from_table"]["type"] == "EMPTY":
            items[:] = [self.passing.question(item, explicit=self._explicit) for item in items]
        elif not _origins(items) & _origins(inside.node["where_clause"]):  # by which a row is looked up
            self.passing.note_expression(items[0], "a subquery")

    def _computes(self, node: Tree) -> bool:
        """Whether a node examines its arguments: an aggregate or a window answers, it passes no missingness on."""
        is_aggregate = node["class"] == "FUNCTION" and str(node["function_name"]).lower() in self.catalog.aggregates
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
                    self.reached.append(source.number)
                return {**node, "origins": [[source.number, path[0]] for source in found]}
            if found is not None:
                source, name, place = found
                return self.meaning(node, source, name, stored=stored, place=place)
            if len(path) == 1 and path[0].lower() in around.aliases:
                return self._alias(node, around.aliases[path[0].lower()], stored=stored)
            row = next((s for s in around.sources if len(path) == 1 and s.alias.lower() == path[0].lower()), None)
            if row is not None:
                self.reached.append(row.number)
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
        asked = self.passing.question(meant, explicit=self._explicit) if stored and meant is not None else meant
        return node if asked is meant or asked is None else {**asked, "alias": node.get("alias", "")}

    def _placed(self, node: Tree, frame: Frame, *, stored: bool) -> Tree:
        """A column by its place among all in FROM, such as `#1`; as it stands where a join has merged some."""
        columns = [(source, name) for source in frame.sources for name in source.names or ()]
        place = int(node["index"]) - 1
        if not frame.known or frame.merged or not 0 <= place < len(columns):
            return node
        source, name = columns[place]
        path = reference(*([source.alias] if source.alias else []), name)
        meant = self.meaning(path, source, name, stored=stored, place=len(path["column_names"]) - 1)
        return {**meant, "alias": node.get("alias", "")}

    def meaning(self, node: Tree, source: Source, name: str, *, stored: bool, place: int) -> Tree:
        """What a reference to a column means: itself with its `origin`, or a derived column's expression."""
        self.reached.append(source.number)
        _, own = source.column(name) or (name, name)
        if not stored and source.table is not None and own in (known := self.catalog.derived(source.table)):
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

        def part_of(name: str, *, stored: bool) -> Tree:
            path = reference(*before, shown[name.lower()])
            if stored:
                return {**path, "origin": [source.number, own, True, len(before)]}
            return self.meaning(path, source, shown[name.lower()], stored=False, place=len(before))

        meant = {part: part_of(part, stored=False) for part in derivation.references(expression)}
        value = t.coalesce(part_of(own, stored=True), derivation.with_columns(expression, meant))
        return {**value, "alias": node.get("alias", ""), "derives": True}


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


def _origins(tree: Any) -> set[tuple[int, str]]:
    """The columns that the expressions in a resolved tree read, as numbers of sources with own names."""
    return {(node["origin"][0], node["origin"][1]) for node in expressions(tree) if "origin" in node}


def is_whole_column(item: Tree) -> bool:
    """Whether a reference is a column, and not a part of one."""
    return bool(item["origin"][3] == len(item["column_names"]) - 1)
