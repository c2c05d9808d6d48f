"""Resolution of references in expressions: the column of each, and whether stored values are read."""

from collections.abc import Callable, Iterator
from typing import Any

from imputedb.sql import ast as t
from imputedb.sql import derivation
from imputedb.sql.ast import Tree, expressions, is_reference, reference, rewrite
from imputedb.sql.expression import arguments_of, cased, with_results
from imputedb.sql.matching import Matching
from imputedb.sql.missingness import is_of_null, pads, passes_on, tests_elements, tests_missingness
from imputedb.sql.passing import Passing
from imputedb.sql.scope import Catalog, Ctes, Definition, Frame, Source, found_in, starred
from imputedb.sql.star_columns import per_column

_NAMING = {"struct_pack"}
"""Functions that take a column's name for that of an argument."""

_TESTED = ("children", "arguments", "left", "right")


class References:
    """The resolver of one statement's references.

    Args:
        catalog: meanings of names outside the statement.
        query: resolves a subquery.

    Attributes:
        sources: all items of FROM that were resolved, by number.
        passing: passing of stored values to tests of missingness on nested queries.
        matching: decides which tests are about the match of an outer join.
        reached: numbers of the sources that references refer to, in order of their first use.
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
        """The columns of an item of the select list: for a star, all that it shows."""
        plain = item["class"] == "STAR" and not (item["columns"] or item["expr"])
        if not plain and (several := per_column(item, frame, self.catalog)) is not None:
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
        """A resolved expression, over stored values where its missingness is tested.

        Args:
            tree: an expression, or a tree that has expressions.
            frame: sources of the block.
            ctes: entries of WITH that are visible.
            local: names of lambda parameters.
            stored: whether its columns are tested for missingness.
        """

        def below(part: Any, *, as_stored: bool = stored, names: frozenset[str] = local) -> Any:
            return self.expression(part, frame, ctes, names, stored=as_stored)

        def change(node: Tree) -> Tree | None:
            match node["class"]:
                case "COLUMN_REF":
                    return self._reference(node, frame, local, stored=stored)
                case "POSITIONAL_REFERENCE":
                    return self._placed(node, frame, stored=stored)
                case "FUNCTION" | "CASE" if (choice := self._choice(node, below, stored=stored)) is not None:
                    return choice
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
                    self._question_inside(node, inside, stored=stored)
                    child = below(node["child"]) if node.get("child") else None
                    return {**node, "subquery": {**node["subquery"], "node": inside.node}, "child": child}
                case "STAR":
                    inner = {key: below(value) for key, value in node.items() if key in ("expr", "replace_list")}
                    self._note_all(frame, stored=stored)
                    return {**node, **inner, "reads_all": [source.number for source in frame.sources]}
            if (stored or local) and self._computes(node):
                return self._computed(node, below, stored=stored)
            return None if stored else self._missingness_test(node, frame, below)

        return rewrite(tree, change)

    def _choice(self, node: Tree, below: Callable[..., Any], *, stored: bool) -> Tree | None:
        """A CASE or `if`, resolved where that differs from the other nodes; None of any other.

        A test of its missingness is about what it chooses: its conditions are decided over completed values.
        """
        if node["class"] == "FUNCTION":
            is_if = str(node["function_name"]).lower() == "if" and len(node["arguments"]) == 3
            return below(_as_case(node)) if is_if else None
        if not stored or self._explicit:
            return None
        return with_results(node, lambda when: below(when, as_stored=False), below)

    def _computed(self, node: Tree, below: Callable[..., Any], *, stored: bool) -> Tree:
        """An aggregate or a window over completed values; within a test for NULL, over stored values."""
        found = {
            k: below(v, as_stored=False, names=frozenset()) if isinstance(v, (list, dict)) else v
            for k, v in node.items()
        }
        if stored and self._of_null and passes_on(node):
            first = below(node["arguments"][:1], names=frozenset())
            return {**found, "arguments": [*first, *found["arguments"][1:]]}
        if stored and self._of_null and pads(node):
            self.passing.note_expression(found["arguments"][0]["expression"], "a window")
        return found

    def _name_of(self, tree: Tree) -> Tree:
        """The result of `alias(tree)`: a column's own name, or DuckDB's name of an expression."""
        if "origin" in tree and is_whole_column(tree):
            return t.literal(str(tree["origin"][1]))
        return t.literal(next(iter(self.catalog.titles([tree]))))

    def _missingness_test(self, node: Tree, frame: Frame, below: Callable[..., Any]) -> Tree | None:
        """A test of missingness with arguments over stored values; None for any other node."""
        of_elements = node["class"] == "FUNCTION" and tests_elements(node)
        if not of_elements and not tests_missingness(node):
            return None
        around = self._explicit, self._of_null
        self._explicit = bool(node.get("tests_missingness")) or self._of_stored(node, frame)
        self._of_null = of_elements or is_of_null(node)
        if of_elements:
            given = [(one, one["expression"]["class"] != "LAMBDA") for one in node["arguments"]]
            arguments = [
                {**one, "expression": below(one["expression"], as_stored=as_stored)} for one, as_stored in given
            ]
            tested = {**node, "arguments": arguments}
        else:
            tested = {k: below(v, as_stored=True) if k in _TESTED else v for k, v in node.items()}
        self._explicit, self._of_null = around
        if node.get("tests_missingness") and node["type"] == "OPERATOR_IS_NULL" and self.matching.padded(node, frame):
            present = t.is_present(
                below(node["children"][0], as_stored=False)
            )  # nothing is imputed where no row matched
            return {**(t.all_of([{**tested, "alias": ""}, present]) or tested), "alias": node["alias"]}
        return tested

    def _of_stored(self, node: Tree, frame: Frame) -> bool:
        """Whether a test for NULL on a nullable side is about stored values; a doubtful test is recorded."""
        if not is_of_null(node):
            return False
        for source, own in self.matching.doubtful(node, frame):
            self.passing.note(source, own, "an outer join")
        return self.matching.about_stored(node, frame)

    def _question_inside(self, node: Tree, inside: Definition, *, stored: bool) -> None:
        """Lets a test of a subquery's value see stored values; for a look-up of rows only IMPUTED does."""
        if not (stored and inside.by_row and node["subquery_type"] == "SCALAR"):
            return
        items = inside.node["select_list"]
        if self._explicit or inside.node["from_table"]["type"] == "EMPTY":
            items[:] = [self.passing.question(item, explicit=self._explicit) for item in items]
        elif not _origins(items) & _origins(inside.node["where_clause"]):  # the look-up is by other columns
            self.passing.note_expression(items[0], "a subquery")

    def _computes(self, node: Tree) -> bool:
        """Whether a node is an aggregate or a window, which does not pass missingness on."""
        is_aggregate = node["class"] == "FUNCTION" and str(node["function_name"]).lower() in self.catalog.aggregates
        return (is_aggregate and not node.get("tests_missingness")) or node["class"] == "WINDOW"

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
        """Records a test of a star whose columns are unknown here."""
        for source in frame.sources if stored else ():
            for name in source.names or ():
                self.passing.note(source, (source.column(name) or (name, name))[1])

    def _alias(self, node: Tree, meant: Tree | None, *, stored: bool) -> Tree:
        """The alias of an output; within a test of missingness, its expression over stored values."""
        found = self.passing.question(meant, explicit=self._explicit) if stored and meant is not None else meant
        return node if found is meant or found is None else {**found, "alias": node.get("alias", "")}

    def _placed(self, node: Tree, frame: Frame, *, stored: bool) -> Tree:
        """A positional reference such as `#1`; unchanged where a join has merged columns."""
        columns = [(source, name) for source in frame.sources for name in source.names or ()]
        place = int(node["index"]) - 1
        if not frame.known or frame.merged or not 0 <= place < len(columns):
            return node
        source, name = columns[place]
        path = reference(*([source.alias] if source.alias else []), name)
        meant = self.meaning(path, source, name, stored=stored, place=len(path["column_names"]) - 1)
        return {**meant, "alias": node.get("alias", "")}

    def meaning(self, node: Tree, source: Source, name: str, *, stored: bool, place: int) -> Tree:
        """A resolved reference with its `origin`, or the expression of a derived column."""
        self.reached.append(source.number)
        _, own = source.column(name) or (name, name)
        if not stored and source.table is not None and own in (known := self.catalog.derived(source.table)):
            return self._derived(node, source, own, known[own])
        stored = stored and (self._explicit or not source.nullable)  # with NULLs of a join, NULL means no match
        if not stored or source.table is not None:
            return {**node, "origin": [source.number, own, stored, place]}
        extra = self.passing.extra(source, own, explicit=self._explicit)
        if extra is None:
            return {**node, "origin": [source.number, own, False, place]}
        path = [*node["column_names"][:place], extra, *node["column_names"][place + 1 :]]
        return {**node, "column_names": path, "origin": [source.number, extra, False, place]}

    def _derived(self, node: Tree, source: Source, own: str, expression: Tree) -> Tree:
        """The expression of a derived column: its stored value, or where that is missing, the one from its parts."""
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
    """Whether a call passes unnamed columns to a function that names its arguments after them."""
    return str(call["function_name"]).lower() in _NAMING and any(map(_is_unnamed, call["arguments"]))


def _as_case(call: Tree) -> Tree:
    """`if(condition, then, otherwise)` as CASE."""
    condition, then, otherwise = arguments_of(call)
    return {**cased([(condition, then)], otherwise), "alias": call["alias"]}


def _is_unnamed(argument: Tree) -> bool:
    return is_reference(argument["expression"]) and not argument["name"]


def _named_arguments(call: Tree) -> Tree:
    """A call with unnamed column arguments named by their columns, as in DuckDB."""
    named = [
        {**one, "name": one["expression"]["column_names"][-1]} if _is_unnamed(one) else one for one in call["arguments"]
    ]
    return {**call, "arguments": named}


def _origins(tree: Any) -> set[tuple[int, str]]:
    """The columns that a resolved tree reads, as source numbers and own names."""
    return {(node["origin"][0], node["origin"][1]) for node in expressions(tree) if "origin" in node}


def is_whole_column(item: Tree) -> bool:
    """Whether a reference is a whole column, not a field of one."""
    return bool(item["origin"][3] == len(item["column_names"]) - 1)
