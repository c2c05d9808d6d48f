"""The values of a statement's parameters, put into its tree in place of them."""

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
    """The value of each parameter by its name, which is its number where it has none.

    Raises:
        QueryError: values are given in no form that has an order or names, or a name is no word.
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
    """The name of a parameter: a word, since it becomes part of a statement."""
    name = str(given)
    if not re.fullmatch(r"\w+", name):
        raise QueryError(f"a parameter is called {name!r}: names of parameters are words, as in $name")
    return name


def _plain(value: object) -> object:
    """A value that DuckDB binds: of NumPy's scalars Python's own."""
    if isinstance(value, np.datetime64):
        return None if np.isnat(value) else value.astype("datetime64[us]").item()
    if isinstance(value, np.longdouble):
        return float(value)
    return value.item() if isinstance(value, np.generic) else value


def check(names: frozenset[str], values: Mapping[str, Tree]) -> None:
    """Refuses values that are not those of a statement's parameters.

    Raises:
        QueryError: a parameter has no value, or a value no parameter.
    """
    unset, unused = sorted(names - set(values)), sorted(set(values) - names)
    if unset:
        raise QueryError(f"no value for the parameter{'s' * (len(unset) > 1)} ${', $'.join(unset)}: give it in params")
    if unused:
        has = f"its parameters are ${', $'.join(sorted(names))}" if names else "it has none"
        raise QueryError(f"the statement has no parameter ${unused[0]}: {has}")


def filled(tree: Any, values: Mapping[str, Tree], titles: Titles) -> Any:
    """A statement with a value in place of each parameter; its columns keep the names that DuckDB gives them.

    Args:
        tree: of the statement.
        values: the constant of each parameter by its name.
        titles: the names that expressions have as outputs.
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
    """A part of a statement with the text of a value in place of each parameter, all of which have a name or number."""
    data, begin, parts, found = text.encode(), 0, [], tokens(text)
    for sign, name in pairwise(found):
        if sign.text == "$" and sign.end == name.begin:
            parts.append(data[begin : sign.begin].decode() + values[name.text])
            begin = name.end
    return "".join(parts) + data[begin:].decode()


def numbered(text: str) -> str:
    """A text whose parameters without a name, `?`, are written `$1`, `$2` and so on, which holds in parts of it too."""
    data, begin, parts = text.encode(), 0, []
    for count, token in enumerate([token for token in tokens(text) if token.text == "?"], 1):
        parts.append(data[begin : token.begin].decode() + f"${count}")
        begin = token.end
    return "".join(parts) + data[begin:].decode()
