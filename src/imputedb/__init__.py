"""SQL over data with missing values, answered as if nothing were missing, planned by cost."""

from importlib import import_module
from typing import TYPE_CHECKING

from imputedb.version import __version__

if TYPE_CHECKING:
    from imputedb.completion.completed import Completed
    from imputedb.completion.completed import opened as completed
    from imputedb.completion.contract_export import export_contract
    from imputedb.database import Database, connect
    from imputedb.errors import (
        Beyond,
        Busy,
        CannotImpute,
        DataError,
        Error,
        ExtensionError,
        InternalError,
        Interrupted,
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

__all__ = [
    "Beyond",
    "Busy",
    "CannotImpute",
    "Completed",
    "DataError",
    "Database",
    "Error",
    "ExtensionError",
    "InternalError",
    "Interrupted",
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
    "export_contract",
    "load_model",
    "pool",
    "pool_scores",
]

_PLACES = {
    **dict.fromkeys(("Completed", "completed"), "completion.completed"),
    "export_contract": "completion.contract_export",
    **dict.fromkeys(("Database", "connect"), "database"),
    **dict.fromkeys(("Pool", "pool"), "inference.pooling"),
    **dict.fromkeys(("Scores", "pool_scores"), "inference.scores"),
    **dict.fromkeys(("Model", "load_model"), "models.model"),
    **dict.fromkeys(("Report", "Result"), "result"),
    "load_ipython_extension": "notebook",
}
"""Where names are that are imported when they are first used; all others of `__all__` are errors."""

_MODULES = ("dbapi", "diagnostics", "errors", "imputers", "measures", "sensitivity", "serverless", "sklearn", "testing")

if not TYPE_CHECKING:  # a type checker knows the names above, and refuses all others

    def __getattr__(name: str) -> object:
        """A public name or module, imported when it is first asked for (PEP 562)."""
        if name in _MODULES:
            return import_module(f"imputedb.{name}")
        if name not in __all__ and name not in _PLACES:
            raise AttributeError(f"module 'imputedb' has no attribute {name!r}")
        found = getattr(
            import_module(f"imputedb.{_PLACES.get(name, 'errors')}"), "opened" if name == "completed" else name
        )
        globals()[name] = found
        return found

    def __dir__() -> list[str]:
        return sorted({*globals(), *__all__, *_MODULES})
