"""The sources of one block as plans read them: base tables and inner joins, with simple nested blocks merged in."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from imputedb.algebra.relation import Scan
from imputedb.errors import Unplanned
from imputedb.sql.ast import Tree, compared, expressions, is_reference, parts, rewrite
from imputedb.sql.scope import Source

_NAMES = {
    "SUBQUERY": "a derived table",
    "TABLE_FUNCTION": "a table function",
    "EXPRESSION_LIST": "VALUES",
    "PIVOT": "PIVOT",
    "EMPTY": "SELECT without FROM",
    "COLUMN_DATA": "VALUES",
    "SHOW_REF": "DESCRIBE, SHOW or SUMMARIZE",
}


@dataclass(slots=True)
class Scope:
    """The sources of a block in the order of FROM, with the conditions of joins and merged blocks.

    Attributes:
        known: all sources of the statement, by number.
        single: names of functions that must be called exactly once per row.
        aggregates: names of aggregate functions.
        scans: tables to join, by alias.
        aliases: alias of each table, by the number of its source.
        merged: expressions of the columns of merged blocks, by the number of the source.
    """

    known: Mapping[int, Source]
    single: frozenset[str]
    aggregates: frozenset[str]
    scans: dict[str, Scan] = field(default_factory=dict)
    conditions: list[Tree] = field(default_factory=list)
    aliases: dict[int, str] = field(default_factory=dict)
    merged: dict[int, dict[str, Tree]] = field(default_factory=dict)

    def add(self, node: Tree) -> None:
        """Adds an item of FROM.

        Raises:
            Unplanned: it is neither a base table, nor an inner join, nor a block that can be merged.
        """
        match node["type"]:
            case "BASE_TABLE":
                self._add_table(node)
            case "JOIN":
                self._add_join(node)
            case "SUBQUERY" if node["subquery"]["node"]["type"] == "SELECT_NODE":
                self._merge(node)
            case kind:
                raise Unplanned(_NAMES.get(kind, kind))

    def _add_table(self, node: Tree) -> None:
        source = self.known[node["number"]]
        if source.table is None:
            raise Unplanned(f"{source.alias}, which is not a base table")
        if node.get("column_name_alias") or node.get("sample") or node.get("at_clause"):
            raise Unplanned(f"column aliases, a sample or AT on {source.alias}")
        alias, count = source.alias, 1
        taken = {known.lower() for known in self.scans}
        while alias.lower() in taken:
            count += 1
            alias = f"{source.alias}_{count}"
        self.scans[alias] = Scan(source.table, alias)
        self.aliases[source.number] = alias

    def _add_join(self, node: Tree) -> None:
        if node["join_type"] != "INNER" or node["ref_type"] not in ("CROSS", "REGULAR", "NATURAL"):
            kind = node["join_type"] if node["join_type"] != "INNER" else node["ref_type"]
            raise Unplanned(f"{kind} JOIN")
        if node.get("ranking_expression"):
            raise Unplanned("NEAREST JOIN")
        self.add(node["left"])
        self.add(node["right"])
        if node["condition"] is not None:
            self.conditions.append(node["condition"])
        self.conditions += [compared("COMPARE_EQUAL", left, right) for left, right in node["using_origins"]]

    def _merge(self, node: Tree) -> None:
        """Merges a nested block that only selects, joins and computes row by row."""
        inner = node["subquery"]["node"]
        reason = self._not_simple(node, inner)
        if reason:
            raise Unplanned(f"a derived table with {reason}")
        source = self.known[node["number"]]
        self.add(inner["from_table"])
        meanings = {str(item["alias"]).lower(): item for item in inner["select_list"] if item.get("alias")}
        if inner["where_clause"]:
            self.conditions.append(unaliased(inner["where_clause"], meanings))
        definition = source.definition
        assert definition is not None
        assert definition.columns is not None
        items = zip(definition.columns, inner["select_list"], strict=True)
        self.merged[source.number] = {name.lower(): unaliased(item, meanings) for name, item in items}

    def _not_simple(self, node: Tree, inner: Tree) -> str | None:
        source = self.known[node["number"]]
        definition = source.definition
        if node.get("sample") or inner.get("sample"):
            return "a sample"
        if inner["modifiers"]:
            return "ORDER BY, LIMIT or DISTINCT"
        if inner["group_expressions"] or inner["having"] or inner["aggregate_handling"] == "FORCE_AGGREGATES":
            return "GROUP BY"
        if inner["qualify"] or inner["cte_map"]["map"]:
            return "QUALIFY or WITH"
        if definition is None or definition.columns is None or not inner["closed"]:
            return "columns that only DuckDB knows"
        for tree in expressions([inner["select_list"], inner["where_clause"]]):
            name = str(tree.get("function_name", "")).lower()
            computed = tree["class"] in ("WINDOW", "SUBQUERY", "STAR") or name in self.aggregates
            if computed or name in self.single:
                return "an aggregate, a window, a subquery or a function with effects"
        return None


def inner_aliases(tree: Tree, known: Mapping[int, Source]) -> set[str]:
    """The lower-case aliases of the sources inside the subqueries of an expression."""
    found: set[str] = set()
    for node in expressions(tree):
        if node["class"] == "SUBQUERY":
            first, last = node["subquery"]["node"]["first_source"], node["subquery"]["node"]["last_source"]
            found |= {known[number].alias.lower() for number in range(first, last)}
    return found


def multiplying(tree: Tree, functions: frozenset[str]) -> list[Tree]:
    """The calls in an output that give any number of rows for each input row, outside of subqueries."""
    if tree["class"] == "SUBQUERY":
        return multiplying(tree["child"], functions) if tree.get("child") else []
    if str(tree.get("function_name", "")).lower() in functions:
        return [tree]
    return [call for part in parts(tree) for call in multiplying(part, functions)]


def mentions(tree: Tree, functions: frozenset[str]) -> bool:
    """Whether an expression calls one of some functions."""
    return any(str(node.get("function_name", "")).lower() in functions for node in expressions(tree))


def is_bare(tree: Tree) -> bool:
    """Whether a node is an unresolved name, such as an output's alias."""
    return is_reference(tree) and "origin" not in tree


def unaliased(tree: Tree, aliases: Mapping[str, Tree]) -> Tree:
    """An expression in which output aliases are replaced by their expressions, which may name earlier outputs.

    Parameters of lambdas are not aliases.
    """

    def change(node: Tree) -> Tree | None:
        if node["class"] == "LAMBDA":
            parameters = {str(n["column_names"][0]).lower() for n in expressions(node["lhs"]) if is_reference(n)}
            others = {name: meant for name, meant in aliases.items() if name not in parameters}
            return {**node, "expr": unaliased(node["expr"], others)}
        if not is_bare(node) or len(node["column_names"]) != 1:
            return None
        name = node["column_names"][0].lower()
        if name not in aliases or name == "rowid":  # a table's own rowid takes precedence
            return None
        names = list(aliases)
        before = {known: aliases[known] for known in names[: names.index(name)]}
        return {**unaliased(aliases[name], before), "alias": node.get("alias", "")}

    found: Tree = rewrite(tree, change)
    return found
