"""The shape of the house: files and functions that fit on a few screens, and nothing private reached from outside."""

import ast
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SOURCES = sorted((ROOT / "src" / "imputedb").rglob("*.py"))

LINES = 350
LONGER = {
    "database.py": 500,  # a facade, whose docstrings are what users read by `help`
    "engines/duckdb/session.py": 460,
}

CODE = 50
"""Lines of a function below its docstring."""

FOREIGN = {
    "_replace",  # of named tuples, which is public
    "_getframe",  # of sys, which has no other
    "_ynames_map",  # of statsmodels: what its tables of multinomial models are headed by
}


def _name(path: Path) -> str:
    return path.relative_to(ROOT / "src" / "imputedb").as_posix()


@pytest.mark.parametrize("path", SOURCES, ids=_name)
def test_a_file_fits_on_a_few_screens(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= LONGER.get(_name(path), LINES)


def test_functions_fit_on_one_screen() -> None:
    found = [(_name(path), node.name) for path in SOURCES for node in _functions(path) if _code(node) > CODE]
    assert not found


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
