"""SQL over data with missing values, answered as if nothing were missing, planned by cost."""

from imputedb.completion.completed import Completed
from imputedb.completion.completed import opened as completed
from imputedb.database import Database, connect
from imputedb.errors import (
    CannotImpute,
    DataError,
    Error,
    ExtensionError,
    InternalError,
    QueryError,
    SqlSyntaxError,
    StorageError,
    UnknownName,
    Unplanned,
)
from imputedb.inference.pooling import Pool, pool
from imputedb.inference.scores import Scores, pool_scores
from imputedb.models.model import Model, load_model
from imputedb.result import Report, Result

__version__ = "0.1.0"

__all__ = [
    "CannotImpute",
    "Completed",
    "DataError",
    "Database",
    "Error",
    "ExtensionError",
    "InternalError",
    "Model",
    "Pool",
    "QueryError",
    "Report",
    "Result",
    "Scores",
    "SqlSyntaxError",
    "StorageError",
    "UnknownName",
    "Unplanned",
    "__version__",
    "completed",
    "connect",
    "load_model",
    "pool",
    "pool_scores",
]
