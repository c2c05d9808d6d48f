"""Statistics of a table as text, the form in which a database stores them."""

import json
from dataclasses import asdict
from typing import Any

from imputedb.statistics.histogram import Frequencies, Histogram, Quantiles
from imputedb.statistics.table import ColumnStatistics, Kind, Statistics


def dumped(statistics: Statistics) -> str:
    """Statistics as text that `loaded` reads."""
    columns = {}
    for name, column in statistics.columns.items():
        histogram = {"is": type(column.histogram).__name__, **asdict(column.histogram)} if column.histogram else None
        columns[name] = {**asdict(column), "kind": column.kind.value, "histogram": histogram}
    return json.dumps({"rows": statistics.rows, "columns": columns, "content": statistics.content})


def loaded(text: str) -> Statistics:
    """Statistics from the text of `dumped`."""
    data = json.loads(text)
    columns = {
        name: ColumnStatistics(**{**column, "kind": Kind(column["kind"]), "histogram": _histogram(column["histogram"])})
        for name, column in data["columns"].items()
    }
    return Statistics(data["rows"], columns, content=data["content"])


def _histogram(data: dict[str, Any] | None) -> Histogram | None:
    if data is None:
        return None
    if data["is"] == "Quantiles":
        return Quantiles(tuple(data["bounds"]), data["distinct"])
    return Frequencies(data["shares"], data["distinct"])
