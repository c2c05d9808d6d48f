"""A handler for serverless functions, such as those of AWS Lambda: rows are imputed by a model from a file."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from imputedb.errors import DataError, Error, InternalError, QueryError, StorageError

if TYPE_CHECKING:
    from imputedb.models.model import Model

__all__ = ["answer", "handler"]

MODEL = "IMPUTEDB_MODEL"
"""The variable that names the model's file."""

MOST_ROWS = 10_000
"""Rows of one call."""

_STATUSES = {StorageError: 503, InternalError: 500}
_FIELDS = ("rows", "keys", "draw")
_loaded: dict[str, tuple[tuple[int, int], Model]] = {}


def handler(event: Mapping[str, Any], context: object = None) -> dict[str, Any]:  # noqa: ARG001
    """The rows with missing cells imputed by the model in the file that IMPUTEDB_MODEL names.

    If a proxy calls it (`event` has a `body`), the reply has `statusCode` and a JSON body. The model is read once per
    process, and again when its file has changed.

    Args:
        event: `rows`, a list of dictionaries; `keys`, one whole number for each row as key of its draws; `draw`, the
            draw index from 0, or None for best values.
        context: ignored.

    Returns: `rows`; `imputed`, the names of the imputed columns by row; `model`, its name, version and hash.

    Raises:
        QueryError, DataError: the event or the rows are wrong; a proxy gets status 400.
        StorageError: no model can be read; status 503.
        InternalError: an internal error; status 500.
    """
    if "body" not in event:
        return answer(_model(), event)
    try:
        return _replied(200, answer(_model(), _body(event)))
    except Error as error:
        content = {"title": type(error).__name__, "detail": str(error)}
        return _replied(next((code for kind, code in _STATUSES.items() if isinstance(error, kind)), 400), content)


def answer(model: Model, event: Mapping[str, Any]) -> dict[str, Any]:
    """The reply of the handler with a given model.

    Raises: as `handler`.
    """
    unknown = sorted(set(event) - set(_FIELDS))
    if unknown:
        raise QueryError(f"no field {unknown[0]!r}; there are {', '.join(_FIELDS)}")
    rows = event.get("rows")
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise QueryError("rows are a list of objects, one a row")
    if len(rows) > MOST_ROWS:
        raise QueryError(f"{len(rows):,} rows are more than {MOST_ROWS:,}: send them in parts")
    for place, row in enumerate(rows):
        absent = [feature.column.name for feature in model.fitted.features if feature.column.name not in row]
        if absent:
            raise DataError(f"row {place} has no {absent[0]!r}, which {model.name} reads: say null where it is missing")
    filled: list[dict[str, Any]] = model.apply(rows, draw=event.get("draw"), keys=event.get("keys"))
    imputed = [
        [column for column in model.columns if _is_missing(before.get(column)) and not _is_missing(after.get(column))]
        for before, after in zip(rows, filled, strict=True)
    ]
    return {"rows": filled, "imputed": imputed, "model": f"{model.name}@{model.version}", "digest": model.digest}


def _model() -> Model:
    path = os.environ.get(MODEL)
    if not path:
        raise StorageError(f"{MODEL} names no file: set it to one that `imputedb model export` has written")
    from imputedb.models.model import load_model

    try:
        status = os.stat(path)
    except OSError as error:
        raise StorageError(f"cannot read {path}: {error.strerror or error}") from error
    stamp = (status.st_mtime_ns, status.st_size)
    known = _loaded.get(path)
    if known is None or known[0] != stamp:
        _loaded[path] = known = (stamp, load_model(path))
    return known[1]


def _body(event: Mapping[str, Any]) -> Mapping[str, Any]:
    try:
        found = json.loads(event["body"])
    except (TypeError, ValueError, RecursionError) as error:
        raise QueryError("the body is not valid JSON") from error
    if not isinstance(found, dict):
        raise QueryError("the body must be an object with rows")
    return found


def _is_missing(value: object) -> bool:
    return value is None or (isinstance(value, float) and value != value)


def _replied(status: int, content: Mapping[str, Any]) -> dict[str, Any]:
    from imputedb.answers.as_json import plain

    headers = {"Content-Type": "application/json"}
    return {"statusCode": status, "headers": headers, "body": json.dumps(plain(content))}
