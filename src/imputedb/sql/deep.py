"""Syntax trees too deep for DuckDB's deparser: they are cut into pieces, whose texts are put together again."""

import re
import sys
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

from imputedb.sql.ast import Tree, reference, select

DEEPEST = 150
"""Levels of JSON in one piece; DuckDB refuses more than 256, some of which its own statements take."""

LONG = 1000
"""Characters of a text from which on it may be deep."""

_LEVELS = 200_000
_CUT = {"FUNCTION", "OPERATOR", "CONJUNCTION", "COMPARISON", "CASE", "CAST"}
_QUERIES = {"SELECT_NODE", "SET_OPERATION_NODE"}
_PIECE = re.compile(r"SELECT imputedb_query_(\d+)|imputedb_value_(\d+)")


class RecursionLimit:
    """Python's recursion limit, shared by all threads, raised while any thread descends into a tree.

    A tree of DuckDB may have a thousand levels of expressions, each of which takes several Python calls.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._within = 0
        self._before = 0

    def raise_limit(self) -> None:
        """Raises the limit."""
        with self._lock:
            if self._within == 0:
                self._before = sys.getrecursionlimit()
                sys.setrecursionlimit(max(self._before, _LEVELS))
            self._within += 1

    def restore(self) -> None:
        """Restores the limit once no thread needs it."""
        with self._lock:
            self._within -= 1
            if self._within == 0:
                with suppress(RecursionError):  # the caller's stack is deeper than the limit
                    sys.setrecursionlimit(self._before)


ROOM = RecursionLimit()


def is_deep(text: str) -> bool:
    """Whether a tree in JSON has more levels than a piece; brackets in strings are counted too."""
    if len(text) < LONG:
        return False
    depth = deepest = 0
    for mark in re.findall(r"[\[\]{}]", text):
        depth += 1 if mark in "[{" else -1
        deepest = max(deepest, depth)
    return deepest > DEEPEST


def written(node: Tree, write: Callable[[Sequence[Tree]], list[str]]) -> str:
    """The text of a SELECT node of any depth, given a function that writes shallow ones."""
    pieces: list[Tree] = [node]
    done: list[Tree] = []
    while len(done) < len(pieces):
        done.append(_cut(pieces[len(done)], 0, pieces))
    texts = write(done)
    for place in reversed(range(len(texts))):  # a piece refers to later pieces only
        texts[place] = _PIECE.sub(lambda found: _put(found, texts), texts[place])
    return texts[0]


def _cut(tree: Any, depth: int, pieces: list[Tree]) -> Any:
    """The tree in which subtrees below a depth are replaced by names of pieces, which are appended to `pieces`."""
    if isinstance(tree, list):
        return [_cut(part, depth + 1, pieces) for part in tree]
    if not isinstance(tree, dict):
        return tree
    if depth > DEEPEST and tree.get("type") in _QUERIES:
        pieces.append(tree)
        return select([reference(f"imputedb_query_{len(pieces) - 1}")], None)
    if depth > DEEPEST and tree.get("class") in _CUT:
        pieces.append(select([{**tree, "alias": ""}], None))
        return {**reference(f"imputedb_value_{len(pieces) - 1}"), "alias": tree.get("alias", "")}
    return {key: _cut(part, depth + 1, pieces) for key, part in tree.items()}


def _put(found: re.Match[str], texts: Sequence[str]) -> str:
    """The text of a piece for its name: a query for a SELECT of the name, or an expression in parentheses."""
    return texts[int(found[1])] if found[1] else texts[int(found[2])].removeprefix("SELECT ")
