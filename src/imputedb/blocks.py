"""A statement as a sequence of blocks: those that are planned, each on its own, and what is completed at its scan."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from imputedb.algebra.column import NO_COLUMNS, Column, Columns
from imputedb.algebra.relation import Scan, Table
from imputedb.algebra.roles import AVERAGES
from imputedb.engines.catalog import catalog, macros
from imputedb.engines.duckdb import DuckDB
from imputedb.engines.profile import kind_of
from imputedb.errors import Unplanned
from imputedb.imputers.imputer import Imputer
from imputedb.planning import planner
from imputedb.planning.candidate import Candidate
from imputedb.planning.frontier import Frontier
from imputedb.planning.narrow import narrowed
from imputedb.planning.problem import Problem
from imputedb.sql import parse
from imputedb.sql import tree as t
from imputedb.sql.bind import aggregate_calls, bind
from imputedb.sql.names import Resolver
from imputedb.sql.nested import TEMP, View, alias_of, everything, nodes, reading_views, standing, told_apart
from imputedb.sql.scope import Scope
from imputedb.sql.sources import Source
from imputedb.sql.tree import Tree
from imputedb.statistics.statistics import ColumnStatistics, Statistics

ANSWER = ""
"""The name of the last block."""

_With = Sequence[tuple[Tree, Tree]]
"""The entries of WITH that are in force: as they were written, and with what stands on its own replaced."""


@dataclass(frozen=True, slots=True)
class Planned:
    """A block that is planned; its rows go under its name.

    Attributes:
        name: of the temporary table that holds its rows; `ANSWER` for the statement's own.
        columns: the names of its columns.
        problem: the query with its statistics.
        frontier: the plans to choose from.
    """

    name: str
    columns: Sequence[str]
    problem: Problem
    frontier: Frontier
    _chosen: dict[int, Candidate] = field(default_factory=dict, repr=False, compare=False)

    def chosen(self, engine: DuckDB, alpha: float) -> Candidate:
        """The plan that alpha picks, without the rows that cannot matter."""
        plan = self.frontier.choose(alpha)
        if id(plan) not in self._chosen:
            relation = narrowed(
                plan.relation,
                self.problem,
                lambda scan, name: engine.reading(scan.table, name, scan.alias),
                lambda scan: engine.source(scan.table, scan.alias),
            )
            self._chosen[id(plan)] = replace(plan, relation=relation)
        return self._chosen[id(plan)]


@dataclass(frozen=True, slots=True)
class Written:
    """A block that DuckDB runs as it is written, over tables that are completed where it reads them.

    Attributes:
        node: its tree.
        reason: why it is not planned; empty where nothing missing is left to plan for.
    """

    name: str
    columns: Sequence[str]
    node: Tree
    reason: str


@dataclass(frozen=True, slots=True)
class Completed:
    """A table that is completed at its scan, read under the name of a view.

    Attributes:
        problem: the table with its statistics.
        frontier: the ways to complete it.
        asked: columns whose stored values are shown too.
        deciding: columns that decide, where they are read, which rows count.
    """

    name: str
    problem: Problem
    frontier: Frontier
    asked: Sequence[str]
    deciding: Columns = NO_COLUMNS

    def chosen(self, engine: DuckDB, alpha: float) -> Candidate:  # noqa: ARG002  # a table has no conditions above it
        """The plan that alpha picks."""
        return self.frontier.choose(alpha)


Block = Planned | Written | Completed


def blocks(
    engine: DuckDB,
    node: Tree,
    columns: Sequence[str],
    imputers: Sequence[Imputer],
    *,
    base: bool = False,
    always: bool = False,
) -> tuple[list[Block], list[Table]]:
    """The blocks of a statement in the order in which they run, the one that answers last; none if DuckDB may run the
    statement as it stands. And temporary tables that were made of files, to be dropped when it has been answered.

    Args:
        node: DuckDB's tree of a statement that it has already accepted.
        columns: the names of the statement's columns.
        imputers: to choose from.
        base: whether every table is completed, in all its columns, before the statement runs.
        always: whether a block is planned even where nothing is missing.
    """
    found = _Blocks(engine, imputers, base, always)
    return found.of(node, columns), found.copies


@dataclass(slots=True)
class _Reads:
    """What is read of a source: columns completed, and columns asked about."""

    completed: set[str] = field(default_factory=set)
    asked: set[str] = field(default_factory=set)


class _Blocks:
    def __init__(self, engine: DuckDB, imputers: Sequence[Imputer], base: bool, always: bool) -> None:
        self._engine = engine
        self._imputers = imputers
        self._base = base
        self._always = always
        self._resolver = Resolver(catalog(engine))
        self._found: list[Planned | Written] = []
        self._staged: dict[int, Table] = {}
        self._once: dict[int, Sequence[str]] = {}
        self._moved: set[int] = set()
        self._scans: dict[str, _Scan] = {}
        self.copies: list[Table] = []

    @property
    def _sources(self) -> Mapping[int, Source]:
        return self._resolver.sources

    def of(self, node: Tree, columns: Sequence[str]) -> list[Block]:
        self._check_macros(node, frozenset())
        node = self._with_files_copied(node)
        whole = self._resolver.statement(node).node
        if not self._dirty(whole) and not self._always:
            return []
        settled = whole if self._base else self._settled(whole, [])
        self._found.append(self._block(ANSWER, settled, columns))
        return [*(scan.completed(self._engine, self._imputers) for scan in self._scans.values()), *self._found]

    def _check_macros(self, node: Tree, seen: frozenset[str]) -> None:
        """Refuses a macro that reads a table with missing values: DuckDB would read them as they are stored."""
        known = macros(self._engine)
        for part in nodes(node) if known else ():
            name = str(part.get("function_name", "")).lower()
            if name not in known or name in seen:
                continue
            for table in self._tables_in(known[name]):
                if self._statistics(table).dirty:
                    way_out = "write its query out, or make it a view"
                    raise Unplanned(f"the macro {name} reads {table.name}, which misses values: {way_out}")
            self._check_macros(known[name], seen | {name})

    def _tables_in(self, node: Tree) -> Iterator[Table]:
        names = self._engine.names()
        for part in nodes(node):
            if part.get("type") == "BASE_TABLE":
                path = ".".join(step for step in part["qualified_name"]["path"] if step).lower()
                if path in names:
                    yield names[path]

    def _with_files_copied(self, tree: Any) -> Any:
        """The statement with every file and reader that misses a value replaced by a temporary table of its rows."""
        if isinstance(tree, list):
            return [self._with_files_copied(part) for part in tree]
        if not isinstance(tree, dict):
            return tree
        if self._is_file(tree):
            table = self._engine.copied({**tree, "alias": "", "column_name_alias": [], "sample": None})
            self.copies.append(table)
            if self._engine.statistics(table).dirty:
                kept = {key: tree[key] for key in ("column_name_alias", "sample") if key in tree}
                return {**t.table(table.path, alias_of(tree)), **kept, "at_clause": None}
        return {
            k: self._with_files_copied(part) if isinstance(part, (dict, list)) else part for k, part in tree.items()
        }

    def _is_file(self, item: Tree) -> bool:
        if item.get("type") == "TABLE_FUNCTION":
            name = str(item["function"]["function_name"]).lower()
            return name.startswith("read_") or name.endswith("_scan")
        return item.get("type") == "BASE_TABLE" and "." in item.get("table_name", "") and self._stands_for_file(item)

    def _stands_for_file(self, item: Tree) -> bool:
        path = [part for part in item["qualified_name"]["path"] if part]
        return len(path) == 1 and path[0].lower() not in self._engine.names()

    # -- what is read -------------------------------------------------------------------------------------------------

    def _dirty(self, node: Tree) -> bool:
        """Whether a missing value of a stored table is read anywhere in a tree."""
        return any(self._missing(number, read) for number, read in self._read(node).items())

    def _missing(self, number: int, read: _Reads) -> set[str]:
        table = self._sources[number].table
        return (
            (read.completed | read.asked) & self._statistics(table).dirty if self._is_stored(table) and table else set()
        )

    def _is_stored(self, table: Table | None) -> bool:
        return table is not None and table not in self._staged.values()

    def _statistics(self, table: Table) -> Statistics:
        return self._engine.statistics(table)

    def _read(self, node: Any) -> dict[int, _Reads]:
        found: dict[int, _Reads] = {}
        for part in nodes(node):
            if "origin" in part:
                number, name, stored, _ = part["origin"]
                read = found.setdefault(number, _Reads())
                (read.asked if stored else read.completed).add(name)
            for number, name in part.get("origins", ()):
                shown = self._sources[number].column(name)
                found.setdefault(number, _Reads()).completed.add(shown[1] if shown else name)
            for number in part.get("reads_all", ()):
                names = self._sources[number].names or {}
                found.setdefault(number, _Reads()).completed.update(names.values())
        return found

    # -- nested blocks, the innermost first ---------------------------------------------------------------------------

    def _settled(self, node: Tree, around: _With) -> Tree:
        """The query, every block in it that stands on its own replaced by the table that will hold its rows."""
        entries = list(around)
        for entry in node["cte_map"]["map"]:
            value = entry["value"]
            if self._read_once(value["query_node"]):
                self._once[id(value["query_node"])] = value["aliases"]
                entries.append((entry, entry))
            else:
                inner = self._replaced(value["query_node"], entries, value["aliases"])
                entries.append((entry, {**entry, "value": {**value, "query_node": inner}}))
        found = self._settlednodes(node, entries)
        own = [
            after for before, after in entries[len(around) :] if id(before["value"]["query_node"]) not in self._moved
        ]
        return {**found, "cte_map": {"map": own}}

    def _read_once(self, query: Tree) -> bool:
        """Whether a query of WITH is read in one place, so that it may as well stand there."""
        readers = [s for s in self._sources.values() if s.definition is not None and s.definition.node is query]
        return len(readers) == 1 and query["type"] != "RECURSIVE_CTE_NODE"

    def _settlednodes(self, node: Tree, entries: _With) -> Tree:
        match node["type"]:
            case "SELECT_NODE":
                source = self._from(node["from_table"], entries)
                rest = {key: self._subqueries(part, entries) for key, part in node.items() if key in _CLAUSES}
                return {**node, **rest, "from_table": source}
            case "SET_OPERATION_NODE":
                return {**node, "children": [self._replaced(child, entries) for child in node["children"]]}
            case _:
                return node

    def _replaced(self, node: Tree, around: _With, aliases: Sequence[str] = ()) -> Tree:
        """A query that reads the rows of one that stands on its own; the query itself where it does not."""
        settled = self._settled(node, around)
        if not node["closed"] or not self._dirty(node):
            return settled
        as_written = [*(before for before, _ in around), *node["cte_map"]["map"]]
        text = self._engine.text(standing({**node, "cte_map": {"map": as_written}}))
        columns, types = parse.shape(self._engine.connection, text)
        names = list(told_apart([*aliases, *columns[len(aliases) :]]))
        table = Table(*TEMP, self._engine.fresh("block"))
        ready = [*(after for _, after in around if not self._dirty(after)), *settled["cte_map"]["map"]]
        block = self._block(table.name, standing({**settled, "cte_map": {"map": ready}}), names)
        self._found.append(block)
        self._engine.adopt(table, dict(zip(names, types, strict=True)), _estimated(block, names, types))
        self._staged[id(node)] = table
        return everything(table, node)

    def _from(self, node: Tree, around: _With) -> Tree:
        match node["type"]:
            case "JOIN":
                left, right = self._from(node["left"], around), self._from(node["right"], around)
                return {**node, "left": left, "right": right, "condition": self._subqueries(node["condition"], around)}
            case "PIVOT":
                return {**node, "source": self._from(node["source"], around)}
            case "BASE_TABLE":
                return self._named(node, around)
            case "SUBQUERY":
                return self._derived(node, around)
            case _:
                return node

    def _named(self, node: Tree, around: _With) -> Tree:
        """A table, or a query of WITH under its name: read from where it is staged, or put in this place."""
        definition = self._sources[node["number"]].definition
        if definition is None:
            return node
        if id(definition.node) in self._once:
            aliases = self._once[id(definition.node)]
            self._moved.add(id(definition.node))
            inner = {
                "type": "SUBQUERY",
                "alias": self._sources[node["number"]].alias,
                "sample": node.get("sample"),
                "subquery": {"node": definition.node, "named_param_map": []},
                "column_name_alias": node["column_name_alias"] or list(aliases),
                "number": node["number"],
            }
            return self._derived(inner, around, aliases)
        table = self._staged.get(id(definition.node))
        return self._reading(node, table) if table else node

    def _derived(self, node: Tree, around: _With, aliases: Sequence[str] = ()) -> Tree:
        inner = node["subquery"]["node"]
        if self._mergeable(node):
            return {**node, "subquery": {**node["subquery"], "node": self._settled(inner, around)}}
        settled = self._replaced(inner, around, aliases)
        table = self._staged.get(id(inner))
        if table:
            return self._reading(node, table)
        return {**node, "subquery": {**node["subquery"], "node": settled}}

    def _mergeable(self, node: Tree) -> bool:
        try:
            Scope(self._sources, self._engine.functions.single, self._engine.functions.aggregates).add(node)
        except Unplanned:
            return False
        return True

    def _reading(self, node: Tree, table: Table) -> Tree:
        """An item of FROM that reads staged rows in place of a nested query."""
        source = self._sources[node["number"]]
        source.table, source.alias = table, source.alias or f"unnamed_{source.number}"
        kept = {"number": node["number"], "sample": node.get("sample"), "column_name_alias": node["column_name_alias"]}
        return {**t.table(table.path, source.alias), **kept, "at_clause": None}

    def _subqueries(self, tree: Any, around: _With) -> Any:
        """Expressions, every subquery in them that stands on its own replaced by the rows it gives."""

        def change(node: Tree) -> Tree | None:
            if node["class"] != "SUBQUERY":
                return None
            inner = self._replaced(node["subquery"]["node"], around)
            child = self._subqueries(node["child"], around) if node.get("child") else None
            return {**node, "subquery": {**node["subquery"], "node": inner}, "child": child}

        return t.rewrite(tree, change)

    # -- one block ----------------------------------------------------------------------------------------------------

    def _block(self, name: str, node: Tree, columns: Sequence[str]) -> Planned | Written:
        reason = "every table is completed first"
        if not self._base:
            asked = self._always and name == ANSWER and node["type"] == "SELECT_NODE"
            if not self._dirty(node) and not asked:
                return Written(name, columns, node, "")
            try:
                return self._planned(name, node, columns)
            except Unplanned as error:
                reason = str(error)
        return Written(name, columns, self._lowered(node), reason)

    def _planned(self, name: str, node: Tree, columns: Sequence[str]) -> Planned:
        inside = {**node, **{key: self._lowered_inside(part) for key, part in node.items() if key in _CLAUSES}}
        inside["from_table"] = self._lowered_conditions(node["from_table"])
        query = bind(inside, columns, self._sources, self._engine.written, self._engine.functions)
        statistics = {scan.alias: self._engine.statistics(scan.table) for scan in query.sources}
        problem = Problem(query, statistics, self._imputers)
        return Planned(name, columns, problem, planner.plan(problem))

    def _lowered_inside(self, tree: Any) -> Any:
        """Expressions, in whose subqueries tables are read completed."""

        def change(node: Tree) -> Tree | None:
            return self._lowered(node) if node["class"] == "SUBQUERY" else None

        return t.rewrite(tree, change)

    def _lowered_conditions(self, node: Tree) -> Tree:
        if node["type"] == "JOIN":
            left, right = self._lowered_conditions(node["left"]), self._lowered_conditions(node["right"])
            return {**node, "left": left, "right": right, "condition": self._lowered_inside(node["condition"])}
        if node["type"] == "SUBQUERY" and "from_table" in node["subquery"]["node"]:
            inner = node["subquery"]["node"]
            inner = {**inner, **{key: self._lowered_inside(part) for key, part in inner.items() if key in _CLAUSES}}
            inner["from_table"] = self._lowered_conditions(inner["from_table"])
            return {**node, "subquery": {**node["subquery"], "node": inner}}
        return node

    def _lowered(self, tree: Any) -> Any:
        """A tree in which every table that misses something is read as it is completed at its scan."""
        shown = {}
        decided = self._deciding(tree)
        for number, read in self._read(tree).items():
            if not self._missing(number, read) or not self._inside(tree, number):
                continue
            table = self._sources[number].table
            assert table is not None
            scan = self._scan(table, read)
            for other in self._scans.values():  # one table, one completion
                if other.table == table:
                    other.deciding |= decided.get(number, set())
            shown[number] = View(scan.name, self._sources[number].alias, scan.asked)
        return reading_views(tree, shown)

    def _deciding(self, tree: Any) -> dict[int, set[str]]:
        """By source the columns that decide which rows count, in any query of a tree, as `roles` has it of a plan."""
        aggregates = self._engine.functions.aggregates
        found: dict[int, set[str]] = {}
        for node in nodes(tree):
            if node.get("type") == "JOIN":
                parts: list[Any] = [node.get("condition")]
            elif node.get("type") == "SELECT_NODE":
                items, grouped = node["select_list"], bool(node["group_expressions"] or node["having"])
                plain = [item for item in items if not aggregate_calls([item], aggregates)]
                calls = aggregate_calls(items, aggregates)
                parts = [node[key] for key in ("where_clause", "group_expressions", "having", "qualify")]
                parts += [call for call in calls if str(call["function_name"]).lower() not in AVERAGES]
                grouped = grouped or (bool(calls) and bool(plain))
                distinct = any(m["type"] == "DISTINCT_MODIFIER" for m in node["modifiers"])
                parts += plain if grouped or distinct else []
            else:
                continue
            for number, read in self._read([part for part in parts if part]).items():
                found.setdefault(number, set()).update(read.completed)
        return found

    def _inside(self, tree: Any, number: int) -> bool:
        """Whether a source is one of the tree's own: a correlated subquery also reads others."""
        return any(part.get("number") == number for part in nodes(tree))

    def _scan(self, table: Table, read: _Reads) -> "_Scan":
        dirty = self._statistics(table).dirty
        asked = tuple(sorted(read.asked & dirty))
        completed = dirty if self._base else read.completed & dirty
        key = repr((table, asked, () if self._imputers else sorted(completed)))
        if key not in self._scans:
            self._scans[key] = _Scan(self._engine.fresh("view"), table, asked)
        for scan in self._scans.values():  # one table, one completion
            if scan.table == table and self._imputers:
                scan.completed_columns |= completed
        self._scans[key].completed_columns |= completed
        return self._scans[key]


@dataclass(slots=True)
class _Scan:
    """A table to be completed: the columns that something examines, and those that are asked about."""

    name: str
    table: Table
    asked: tuple[str, ...]
    completed_columns: set[str] = field(default_factory=set)
    deciding: set[str] = field(default_factory=set)

    def completed(self, engine: DuckDB, imputers: Sequence[Imputer]) -> Completed:
        """The block that completes it."""
        scan = Scan(self.table, self.table.name)
        columns = frozenset(Column(scan.alias, name) for name in self.completed_columns)
        problem = Problem(planner.reading(scan, columns), {scan.alias: engine.statistics(self.table)}, imputers)
        decided = frozenset(Column(scan.alias, name) for name in self.deciding)
        return Completed(self.name, problem, planner.completing(problem), self.asked, decided)


_CLAUSES = ("select_list", "where_clause", "group_expressions", "having", "qualify", "modifiers")


def _estimated(block: Planned | Written, names: Sequence[str], types: Sequence[str]) -> Statistics:
    """What can be said of rows before they are there: nothing is missing, nothing tells them apart."""
    rows = 1000
    if isinstance(block, Planned):
        rows = max(2, round(block.frontier.choose(0.0).rows))
    columns = {
        name: ColumnStatistics(kind, kind_of(kind), 0, max(2, rows // 2))
        for name, kind in zip(names, types, strict=True)
    }
    return Statistics(rows, columns)
