"""How many neighbours to take, and by which metric: the error of each choice on cells that are known and hidden."""

from collections.abc import Sequence

from imputedb import arguments
from imputedb.algebra.column import Column
from imputedb.diagnostics.evaluation import targets_of
from imputedb.engines.engine import Engine
from imputedb.errors import DataError, QueryError
from imputedb.execution.table import stored
from imputedb.imputers.knn import KNN
from imputedb.imputers.part import Part
from imputedb.imputers.permitted import only_permitted
from imputedb.imputers.registry import by_neighbours
from imputedb.imputers.request import Request
from imputedb.neighbours.metric import METRICS, MetricName
from imputedb.neighbours.settings import MOST_K
from imputedb.neighbours.tuning import KS, Scan


def scan(
    engine: Engine,
    name: str,
    imputer: KNN | None = None,
    *,
    ks: Sequence[int] = KS,
    metrics: Sequence[MetricName] = METRICS,
    columns: Sequence[str] = (),
    seed: int = 0,
) -> Scan:
    """The error of every number of neighbours and metric on hidden cells of a table.

    Args:
        engine: where the table lives.
        name: the table.
        imputer: everything else that neighbours are found by; `KNN()` unless given.
        ks: the numbers of neighbours.
        metrics: the metrics.
        columns: the columns to judge by; those with missing values unless given, all where none has.
        seed: what is hidden.

    Raises:
        QueryError: no number or metric of that kind.
        UnknownName: no table or column of that name.
    """
    imputer = by_neighbours(imputer, "a scan")
    ks = [arguments.whole("k", k, 1, MOST_K) for k in arguments.listed("ks", ks, example="such as [5, 10, 20]")]
    metrics = [arguments.one_of("metric", one, METRICS) for one in arguments.names("metrics", metrics)]
    columns, seed = arguments.names("columns", columns), arguments.seed(seed)
    if not ks or not metrics:
        raise QueryError("a scan needs at least one k and one metric")
    table = stored(engine, name, imputer.named_columns())
    asked = table.request(imputer, table.rows, targets_of(table, columns), seed)
    parts = _parts(asked, imputer, name)
    known = [only_permitted(part.rows, part.bounds) for part in parts]
    found = [
        imputer.scan(rows, part.targets, seed, ks=ks, metrics=metrics) for rows, part in zip(known, parts, strict=True)
    ]
    count = sum(len(part.targets) for part in parts)
    errors = {
        key: sum(one.errors[key] * len(part.targets) for one, part in zip(found, parts, strict=True)) / count
        for key in found[0].errors
    }
    metric, k = min(errors, key=lambda pair: (errors[pair], pair[1]))
    return Scan(errors, metric, k)


def _parts(asked: Request, imputer: KNN, name: str) -> list[Part]:
    """What neighbours fill in of a table.

    Raises:
        DataError: that is nothing, or weights decide what is learnt from.
    """
    parts = [part for part in asked.parts() if part.imputer is imputer]
    if not parts:
        told = ", ".join(f"{column.name} is {_filled_by(asked, column)}" for column in asked.targets)
        raise DataError(f"no column of {name} is filled by neighbours, by its policy: {told}")
    for part in parts:
        if weight := part.request.permit(part.targets[0]).policy.weight:
            names = ", ".join(column.name for column in part.targets)
            raise DataError(
                f"{names} of {name} is learnt from rows as often as their weights say (WEIGHT {weight}), which a scan "
                "does not mind: name other columns, or ask evaluate"
            )
    return parts


def _filled_by(asked: Request, column: Column) -> str:
    return asked.method(column) if asked.permit(column).policy.derived else f"filled by {asked.method(column)}"
