"""`python -m imputedb.cli`: the same command as `imputedb`."""

from imputedb.cli.start import start

start()
