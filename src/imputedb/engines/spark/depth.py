"""Room for deep statements: sqlglot walks them by recursion, and sums of models are nested some hundred times."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

FRAMES = 40_000
"""Of Python, which takes no room on the stack of the thread for calls between its own functions."""


@contextmanager
def deeply() -> Iterator[None]:
    """A block in which functions may call each other deeper than usual."""
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(max(before, FRAMES))
    try:
        yield
    finally:
        sys.setrecursionlimit(before)
