"""The choice of the number of neighbours and the metric, by errors on hidden cells."""

from collections.abc import Sequence

from imputedb import arguments
from imputedb.algebra.column import Column
from imputedb.diagnostics.evaluation import targets_of
from imputedb.engines.engine import Engine
from imputedb.errors import DataError, QueryError
from imputedb.execution.table import stored
from imputedb.imputers.knn import KNN
from imputedb.imputers.part import TargetGroup
from imputedb.imputers.permitted import only_permitted
from imputedb.imputers.registry import knn_imputer
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
    """The error of each number of neighbours and metric on hidden cells of a table.

    Args:
        engine: engine that holds the table.
        name: name of the table.
        imputer: KNN imputer with all other settings; by default `KNN()`.
        ks: numbers of neighbours to try.
        metrics: metrics to try.
        columns: columns to evaluate; by default those with missing values, or all where none has.
        seed: seed for hiding cells.

    Raises:
        QueryError: there is no such metric, or a number is out of range.
        UnknownName: no table or column of that name.
    """
    imputer = knn_imputer(imputer, "a scan")
    ks = [arguments.whole("k", k, 1, MOST_K) for k in arguments.listed("ks", ks, example="such as [5, 10, 20]")]
    metrics = [arguments.one_of("metric", one, METRICS) for one in arguments.names("metrics", metrics)]
    columns, seed = arguments.names("columns", columns), arguments.seed(seed)
    if not ks or not metrics:
        raise QueryError("a scan needs at least one k and one metric")
    table = stored(engine, name, imputer.named_columns())
    request = table.request(imputer, table.rows, targets_of(table, columns), seed)
    parts = _parts(request, imputer, name)
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


def _parts(request: Request, imputer: KNN, name: str) -> list[TargetGroup]:
    """The columns of a table that are imputed by neighbours.

    Raises:
        DataError: there are none, or rows are weighted.
    """
    parts = [part for part in request.parts() if part.imputer is imputer]
    if not parts:
        reasons = ", ".join(f"{column.name} is {_filled_by(request, column)}" for column in request.targets)
        raise DataError(f"no column of {name} is filled by neighbours, by its policy: {reasons}")
    for part in parts:
        if weight := part.request.permit(part.targets[0]).policy.weight:
            names = ", ".join(column.name for column in part.targets)
            raise DataError(
                f"{names} of {name} is learnt from rows as often as their weights say (WEIGHT {weight}), which a scan "
                "does not mind: name other columns, or ask evaluate"
            )
    return parts


def _filled_by(request: Request, column: Column) -> str:
    return request.method(column) if request.permit(column).policy.derived else f"filled by {request.method(column)}"
