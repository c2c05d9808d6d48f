"""Substitution of a statement's parameters by their values."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from imputedb.errors import QueryError
from imputedb.sql.ast import Tree, expressions
from imputedb.sql.titles import Titles, titled
from imputedb.sql.tokens import tokens

Given = Sequence[object] | Mapping[str, object] | None
"""Values for `?` and `$1` in order, or for `$name` by name."""


def by_name(given: Given) -> dict[str, object]:
    """The value of each parameter by name; positional parameters are named by their numbers.

    Raises:
        QueryError: the values are neither a sequence nor a mapping, or a name is not a word.
    """
    match given:
        case None:
            return {}
        case Mapping():
            return {_name(name): _plain(value) for name, value in given.items()}
        case str() | bytes():
            raise QueryError(f"the parameters are {given!r}: give a list of values, or a dictionary by name")
        case Sequence() | np.ndarray(shape=(_, *_)):
            return {str(place): _plain(value) for place, value in enumerate(given, 1)}
        case _:
            raise QueryError(f"the parameters are {given!r}: give a list of values, or a dictionary by name")


def _name(given: object) -> str:
    """The name of a parameter, which must be a word, since it becomes part of a statement."""
    name = str(given)
    if not re.fullmatch(r"\w+", name):
        raise QueryError(f"a parameter is called {name!r}: names of parameters are words, as in $name")
    return name


def _plain(value: object) -> object:
    """A value that DuckDB can bind: NumPy scalars become Python values."""
    if isinstance(value, np.datetime64):
        return None if np.isnat(value) else value.astype("datetime64[us]").item()
    if isinstance(value, np.longdouble):
        return float(value)
    return value.item() if isinstance(value, np.generic) else value


def check(names: frozenset[str], values: Mapping[str, Tree]) -> None:
    """Checks that values match a statement's parameters.

    Raises:
        QueryError: a parameter has no value, or a value has no parameter.
    """
    unset, unused = sorted(names - set(values)), sorted(set(values) - names)
    if unset:
        raise QueryError(f"no value for the parameter{'s' * (len(unset) > 1)} ${', $'.join(unset)}: give it in params")
    if unused:
        has = f"its parameters are ${', $'.join(sorted(names))}" if names else "it has none"
        raise QueryError(f"the statement has no parameter ${unused[0]}: {has}")


def filled(tree: Any, values: Mapping[str, Tree], titles: Titles) -> Any:
    """A statement with its parameters replaced by values; its columns keep DuckDB's names for them.

    Args:
        tree: syntax tree of the statement.
        values: constant of each parameter, by name.
        titles: gives the names of expressions as outputs.
    """
    if isinstance(tree, list):
        return [filled(part, values, titles) for part in tree]
    if not isinstance(tree, dict):
        return tree
    if tree.get("class") == "PARAMETER":
        return {**values[tree["identifier"]], "alias": tree["alias"]}
    if tree.get("type") == "SELECT_NODE":
        tree = titled(tree, _has_parameters, titles)
    return {key: filled(part, values, titles) for key, part in tree.items()}


def _has_parameters(tree: Tree) -> bool:
    return any(part["class"] == "PARAMETER" for part in expressions(tree))


def placed(text: str, values: Mapping[str, str]) -> str:
    """A part of a statement with its parameters, named or numbered, replaced by texts."""
    data, begin, parts, found = text.encode(), 0, [], tokens(text)
    for sign, name in pairwise(found):
        if sign.text == "$" and sign.end == name.begin:
            parts.append(data[begin : sign.begin].decode() + values[name.text])
            begin = name.end
    return "".join(parts) + data[begin:].decode()


def names(text: str) -> frozenset[str]:
    """The names of a text's parameters; for `?` their positions."""
    if "$" not in text and "?" not in text:
        return frozenset()
    found = tokens(text)
    named = {name.text for sign, name in pairwise(found) if sign.text == "$" and sign.end == name.begin}
    count = sum(token.text == "?" for token in found)
    return frozenset(named | {str(place) for place in range(1, count + 1)})


def numbered(text: str) -> str:
    """A text with `?` written as `$1`, `$2` and so on, so that numbers stay valid in parts of it."""
    data, begin, parts = text.encode(), 0, []
    for count, token in enumerate([token for token in tokens(text) if token.text == "?"], 1):
        parts.append(data[begin : token.begin].decode() + f"${count}")
        begin = token.end
    return "".join(parts) + data[begin:].decode()
