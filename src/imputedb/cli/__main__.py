"""`python -m imputedb.cli`, the command `imputedb` by another way."""

from imputedb.cli.start import start

start()
