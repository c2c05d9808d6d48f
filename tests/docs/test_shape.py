"""The shape of the house: files and functions that fit on a few screens, and nothing private reached from outside."""

import ast
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SOURCES = sorted((ROOT / "src" / "imputedb").rglob("*.py"))

LINES = 350
LONGER = {
    "database.py": 500,  # a facade, whose docstrings are what users read by `help`
}

CODE, WHOLE = 45, 50
"""Lines of a function, below its docstring and with it."""

WIDE = {
    ("answers/methods.py", "policy"),  # methods of the facade, whose parameters are what a user may ask for
    ("database.py", "sql"),
    ("completion/methods.py", "impute"),
    ("cli/commands/query.py", "query"),  # whose parameters are its options
    ("kernel/__init__.py", "fill_many"),  # the border to C++
}

KEYS = frozenset({
    *("class", "type", "alias", "column_names", "function_name", "arguments", "expression", "children"),
    *("child", "case_checks", "else_expr", "then_expr", "when_expr", "literal", "filter", "filter_expr"),
    *("orders", "order_bys", "from_table", "select_list", "where_clause", "having", "qualify", "right"),
    *("group_expressions", "group_sets", "aggregate_handling", "modifiers", "cte_map", "query_node"),
    *("subquery", "qualified_name", "table_name", "number", "stored", "column_name_alias", "condition"),
    *("join_type", "ref_type", "exclude_clause", "aliases", "function", "type_expr", "type_name"),
    *("replace_list", "rename_list", "using_columns", "null_order", "relation_name", "origin", "origins"),
    *("reads_all", "setop_type", "setop_all", "at_clause", "limit", "offset"),
})  # fmt: skip
"""Of DuckDB's syntax trees, and of what `sql` adds to them; without those that other dictionaries have too."""

FOREIGN = {
    "_replace",  # of named tuples, which is public
    "_getframe",  # of sys, which has no other
    "_ynames_map",  # of statsmodels: what its tables of multinomial models are headed by
}

UNINTERRUPTED = {
    *("arrays", "opening", "session", "transactions"),  # settings, and the ends of transactions
    *("functions", "macros", "metadata", "resolution", "statements", "tables", "writes"),  # catalogs, and plans
    *("paths", "ragged"),  # the detection of formats, which DuckDB does not interrupt
    *("fetching", "interrupt"),  # by which all others run
    "load",  # one row of a frame
}
"""Modules of DuckDB's engine with statements that `interrupt` does not end, since they read no rows of tables."""


def _name(path: Path) -> str:
    return path.relative_to(ROOT / "src" / "imputedb").as_posix()


@pytest.mark.sampled(1)
@pytest.mark.parametrize("path", SOURCES, ids=_name)
def test_a_file_fits_on_a_few_screens(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= LONGER.get(_name(path), LINES)


def test_functions_fit_on_one_screen() -> None:
    known = [((_name(path), node.name), node) for path in SOURCES for node in _functions(path)]
    assert not [name for name, node in known if _code(node) > CODE]
    assert {name for name, node in known if (node.end_lineno or 0) - node.lineno >= WHOLE} == WIDE


def _functions(path: Path) -> Iterator[ast.FunctionDef]:
    for node in ast.walk(_tree(path)):
        if isinstance(node, ast.FunctionDef):
            yield node


def _code(node: ast.FunctionDef) -> int:
    body = node.body[1:] if ast.get_docstring(node) is not None else node.body
    return (body[-1].end_lineno or 0) - body[0].lineno + 1 if body else 0


def test_nothing_reaches_through_private_members() -> None:
    found = [
        f"{_name(path)}:{node.lineno}: {ast.unparse(node)}"
        for path in SOURCES
        for tree in [_tree(path)]
        for own in [_own(tree) | FOREIGN]
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and _is_private(node.attr) and node.attr not in own and not _is_self(node)
    ]
    assert not found


def test_nothing_private_is_imported() -> None:
    found = [
        f"{_name(path)}:{node.lineno}: {name.name}"
        for path in SOURCES
        for node in ast.walk(_tree(path))
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("imputedb")
        for name in node.names
        if _is_private(name.name) and name.name != "_kernel"
    ]
    assert not found


def test_files_of_tests_have_names_of_their_own() -> None:
    """Pytest imports those of folders without `__init__.py` by their names alone."""
    loose = [path for path in (ROOT / "tests").rglob("test_*.py") if not (path.parent / "__init__.py").exists()]
    assert not [name for name, count in Counter(path.name for path in loose).items() if count > 1]


def test_syntax_trees_are_read_in_one_room() -> None:
    """Others ask `sql/expression`, `items`, `select`, `anatomy` and `logical_plan`; HTTP has other dictionaries."""
    found = [
        f"{name}:{node.lineno}: {ast.unparse(node)}"
        for path in SOURCES
        if not (name := _name(path)).startswith(("sql/", "service/http/"))
        for node in ast.walk(_tree(path))
        if _key(node) in KEYS
    ]
    assert not found


def _key(node: ast.AST) -> object:
    """The key that a dictionary is read by, or asked for."""
    match node:
        case ast.Subscript(slice=ast.Constant(value=key), ctx=ast.Load()):
            return key
        case ast.Call(func=ast.Attribute(attr="get"), args=[ast.Constant(value=key), *_]):
            return key
        case ast.Compare(left=ast.Constant(value=key), ops=[ast.In() | ast.NotIn()]):
            return key
        case _:
            return None


@cache
def _tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def _is_private(name: str) -> bool:
    return name.startswith("_") and not name.startswith("__")


def _is_self(node: ast.Attribute) -> bool:
    return isinstance(node.value, ast.Name) and node.value.id in ("self", "cls")


def _own(tree: ast.Module) -> set[str]:
    """The private members of a module's own classes, which their other objects may look at."""
    found = set[str]()
    for kind in ast.walk(tree):
        if isinstance(kind, ast.ClassDef):
            for node in ast.walk(kind):
                match node:
                    case ast.FunctionDef(name=name) | ast.AnnAssign(target=ast.Name(id=name)):
                        found.add(name)
                    case ast.Attribute(attr=name, ctx=ast.Store()) if _is_self(node):
                        found.add(name)
                    case ast.Assign(targets=[ast.Name(id="__slots__")], value=ast.Tuple(elts=names)):
                        found |= {str(one.value) for one in names if isinstance(one, ast.Constant)}
    return found


def test_statements_that_read_rows_can_be_interrupted() -> None:
    modules = [path for path in SOURCES if _name(path).startswith("engines/duckdb/") and path.stem != "sqlite"]
    direct = {path.stem for path in modules if "connection.execute(" in path.read_text(encoding="utf-8")}
    assert direct == UNINTERRUPTED
