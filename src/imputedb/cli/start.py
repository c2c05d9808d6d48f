"""The entry point of the command `imputedb`, which prints its version before anything else is imported."""

import sys

from imputedb import __version__


def start() -> None:
    """Runs the command line."""
    if sys.argv[1:] == ["--version"]:
        print(__version__)
        return
    from imputedb.cli.main import run

    run()
