"""Identification of rows without a key in Spark: a hash of all their values."""

from collections.abc import Callable, Mapping

from sqlglot import exp

from imputedb.engines.names import CONTENT
from imputedb.engines.spark.values import called

PARAMETERS = {CONTENT: ("before, value", "BIGINT")}
"""Parameters and result types of imputedb's functions, as DuckDB binds them."""


def _content(node: exp.Anonymous) -> exp.Expression:
    return called("xxhash64", *(one.copy() for one in node.expressions))


CALLS: Mapping[str, Callable[[exp.Anonymous], exp.Expression]] = {CONTENT: _content}
"""How Spark evaluates these functions."""
