"""The command `imputedb` in the tests' own process: what it prints, and its exit code."""

import sys
from dataclasses import dataclass

from click.testing import CliRunner

from imputedb.cli.main import main, outcome


@dataclass(frozen=True)
class Ran:
    """What a command has given."""

    returncode: int
    stdout: str
    stderr: str


def run(*arguments: str, stdin: str = "", **environment: str) -> Ran:
    """A command with its arguments."""
    with CliRunner().isolation(stdin, environment or None) as (out, err, _):
        code = outcome(main, arguments)
        sys.stdout.flush()
        return Ran(code, _text(out.getvalue()), _text(err.getvalue()))


def _text(written: bytes) -> str:
    return written.decode().replace("\r\n", "\n")
