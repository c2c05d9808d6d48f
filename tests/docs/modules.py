"""The page docs/modules.md: every module, and every header of the kernel, with the first line of its description."""

import ast
from pathlib import Path

SOURCE = Path(__file__).resolve().parents[2] / "src" / "imputedb"

HEAD = """# Modules

Every module of `src/imputedb` with the first line of its description, package by package;
[ARCHITECTURE.md](../ARCHITECTURE.md) has the packages, which of them may import which, and how they work together.
`pytest tests/docs --update-golden` writes this page, and a test compares it.
"""


def page() -> str:
    """All of it: packages by path, the modules of the top first."""
    folders = [SOURCE, *sorted(folder for folder in SOURCE.rglob("*") if folder.is_dir() and _lines(folder))]
    return HEAD + "".join(f"\n## {_title(folder)}\n\n{_about(folder)}{''.join(_lines(folder))}" for folder in folders)


def packages() -> set[str]:
    """Paths of all folders that hold modules or headers, such as `engines/duckdb`."""
    return {str(folder.relative_to(SOURCE)) for folder in SOURCE.rglob("*") if folder.is_dir() and _lines(folder)}


def _title(folder: Path) -> str:
    return "The top level" if folder == SOURCE else f"`{folder.relative_to(SOURCE)}/`"


def _about(folder: Path) -> str:
    init = folder / "__init__.py"
    return f"{_first_line(init)}\n\n" if init.exists() else ""


def _lines(folder: Path) -> list[str]:
    """A line for each module, and for each header that stands for one of C++."""
    files = [*folder.glob("*.py"), *folder.glob("*.hpp")]
    return [
        f"- `{path.name.removesuffix('.py')}`: {_first_line(path)}\n"
        for path in sorted(files)
        if not path.name.startswith("_")
    ]


def _first_line(path: Path) -> str:
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".hpp":
        return text.partition("\n")[0].removeprefix("//").strip()
    return (ast.get_docstring(ast.parse(text)) or "").partition("\n")[0]
