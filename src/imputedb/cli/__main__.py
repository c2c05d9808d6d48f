"""`python -m imputedb.cli`, the command `imputedb` by another way."""

from imputedb.cli.main import run

run()
