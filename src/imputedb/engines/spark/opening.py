"""Connections to Spark, after a check that its client is installed."""

import warnings
from typing import TYPE_CHECKING, Any

from imputedb.errors import DataError, QueryError

if TYPE_CHECKING:
    from imputedb.engines.spark.engine import Spark

OLDEST = 4
"""The oldest supported major version of Spark and its client."""


def over_spark(address: str, session: Any, settled: bool) -> "Spark":
    """The engine of a given session or, without one, of a new session at an address.

    Args:
        address: an address such as `sc://host:15002`; `:memory:` with a session.
        session: a session of Spark Connect; None for a new one.
        settled: whether settings of DuckDB were given too, which is refused.

    Raises:
        DataError: a package of the extra `spark` is not installed, or is too old.
        QueryError: the session is not of Spark Connect, its version is too old, or settings were given.
        StorageError: no server answers at the address.
    """
    if settled:
        raise QueryError("read_only, locked and config are of DuckDB's files: a session of Spark has its own settings")
    if session is not None and address != ":memory:":
        raise QueryError(f"either a session of Spark is given or a path, and this is both: leave {address} out")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # of pandas 3, in Spark's client; only Arrow is used here
        check_installed()
        from imputedb.engines.spark.engine import Spark
        from imputedb.engines.spark.remote import opened, remote_of

        return Spark(opened(address) if session is None else remote_of(session))


def check_installed() -> None:
    """Checks that the packages of the extra `spark` are installed.

    Raises:
        DataError: a package is missing or too old.
    """
    for name in ("pyspark", "sqlglot", "pyarrow"):
        try:
            __import__(name)
        except ImportError as error:
            raise DataError(f"Spark needs {name}: pip install 'imputedb[spark]'") from error
    import pyspark

    version = str(pyspark.__version__)
    if int(version.split(".")[0]) < OLDEST:
        raise DataError(f"pyspark is version {version}: pip install 'imputedb[spark]' brings {OLDEST}.0 or later")
