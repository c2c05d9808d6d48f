"""Room for deep statements: sqlglot walks trees recursively, and sums of models nest some hundred levels deep."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

FRAMES = 40_000
"""Python's recursion limit; calls between Python functions take no room on the thread's stack."""


@contextmanager
def deep_recursion() -> Iterator[None]:
    """A block with a higher recursion limit."""
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(max(before, FRAMES))
    try:
        yield
    finally:
        sys.setrecursionlimit(before)
