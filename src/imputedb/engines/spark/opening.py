"""Connecting to Spark, once it is sure that its client is there."""

import warnings
from typing import TYPE_CHECKING, Any

from imputedb.errors import DataError, QueryError

if TYPE_CHECKING:
    from imputedb.engines.spark.engine import Spark

OLDEST = 4
"""The first version of Spark's client that is answered by."""


def over_spark(address: str, session: Any, settled: bool) -> "Spark":
    """The engine of a session of the user's, or unless one is given of one of its own at an address.

    Args:
        address: such as `sc://host:15002`; of a session, that of a database in memory, which says nothing.
        session: of Spark Connect; None for one of its own.
        settled: whether settings of DuckDB are asked for along with it.

    Raises:
        DataError: what the extra `spark` brings is not installed.
        QueryError: the session is none of Spark Connect, or of too old a version; or settings are asked for.
        StorageError: nothing answers at the address.
    """
    if settled:
        raise QueryError("read_only, locked and config are of DuckDB's files: a session of Spark has its own settings")
    if session is not None and address != ":memory:":
        raise QueryError(f"either a session of Spark is given or a path, and this is both: leave {address} out")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # of pandas 3, by Spark's client: it is asked for Arrow alone
        check_installed()
        from imputedb.engines.spark.engine import Spark
        from imputedb.engines.spark.remote import lent, opened

        return Spark(opened(address) if session is None else lent(session))


def check_installed() -> None:
    """Refuses to go on without the packages of the extra.

    Raises:
        DataError: one is not there, or is too old.
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
