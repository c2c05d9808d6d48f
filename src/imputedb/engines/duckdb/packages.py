"""Optional packages, imported when data of their kind are read."""

import importlib
from types import ModuleType

from imputedb.border import lacks_memory
from imputedb.errors import DataError


def package(name: str, extra: str, what: str) -> ModuleType:
    """An optional package for a kind of data.

    Raises:
        DataError: it is not installed.
    """
    try:
        return importlib.import_module(name)
    except ImportError as error:
        if lacks_memory(error):
            raise
        raise DataError(f"{what} need one more package: pip install 'imputedb[{extra}]'") from error
