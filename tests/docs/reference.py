"""The page docs/reference.md: every public name with its signature and the first line of its docstring."""

import importlib
import inspect
from collections.abc import Iterator
from types import ModuleType
from typing import Any

PUBLIC = (
    "imputedb",
    "imputedb.dbapi",
    "imputedb.diagnostics",
    "imputedb.imputers",
    "imputedb.measures",
    "imputedb.sensitivity",
    "imputedb.serverless",
    "imputedb.sklearn",
    "imputedb.testing",
)
"""Modules that users import from; those below may move."""

HEAD = """# Reference

Every public name, with the first line of its docstring; `help(name)` has arguments, units, errors and sources.
The [guide](guide.md) shows them at work. `pytest tests/docs --update-golden` writes this page, and a test compares it.
"""


def page() -> str:
    """All of it."""
    return HEAD + "".join(f"\n## `{name}`\n\n{_first(_module(name))}\n\n{''.join(entries(name))}" for name in PUBLIC)


def _module(name: str) -> ModuleType:
    return importlib.import_module(name)


def entries(name: str) -> list[str]:
    """A line for each name of a module, and for each public member of its classes."""
    module = _module(name)
    names = sorted((one for one in module.__all__ if not one.startswith("__")), key=str.lower)
    return [line for one in names for line in _entry(one, getattr(module, one))]


def _entry(name: str, value: Any) -> Iterator[str]:
    if inspect.isfunction(value):
        yield f"- `{name}{_signature(value)}`: {_first(value)}\n"
    elif inspect.isclass(value) and not value.__module__.startswith("imputedb"):
        yield f"- `{name}`: `{value.__module__}.{value.__qualname__}`\n".replace("builtins.", "")
    elif not inspect.isclass(value):
        yield f"- `{name}`, {'a type' if hasattr(value, '__origin__') else 'a constant'}\n"
    else:
        yield f"- `{name}{_signature(value) if _is_made_by_users(value) else ''}`: {_first(value)}\n"
        if not issubclass(value, BaseException):
            yield from _members(value)


def _is_made_by_users(value: type) -> bool:
    return not (issubclass(value, BaseException) or getattr(value, "_is_protocol", False))


def _members(value: type) -> Iterator[str]:
    for name, found in sorted(vars(value).items()):
        if name.startswith("_"):
            continue
        if isinstance(found, property):
            yield f"  - `.{name}`: {_first(found)}\n"
        elif inspect.isfunction(inspect.unwrap(getattr(value, name))) or isinstance(found, classmethod | staticmethod):
            yield f"  - `.{name}{_signature(getattr(value, name))}`: {_first(found)}\n"


def _signature(value: Any) -> str:
    """Names of arguments, in their order, without types or defaults; those that may be left out in brackets."""
    shown = []
    for name, parameter in inspect.signature(value).parameters.items():
        if name == "self":
            continue
        star = {parameter.VAR_POSITIONAL: "*", parameter.VAR_KEYWORD: "**"}.get(parameter.kind, "")
        shown.append(f"{star}{name}" if star or parameter.default is parameter.empty else f"[{name}]")
    return f"({', '.join(shown)})"


def _first(value: Any) -> str:
    lines = (inspect.getdoc(value) or "").strip().split("\n\n")[0]
    return " ".join(lines.split())
