"""What the command `imputedb` starts with: its version is answered before anything else is imported."""

import sys

from imputedb import __version__


def start() -> None:
    """Runs the command line."""
    if sys.argv[1:] == ["--version"]:
        print(__version__)
        return
    from imputedb.cli.main import run

    run()
