"""The command `imputedb`: data go to standard output, everything else to standard error.

Exit codes: 0 for success, 1 for an error of the user, 2 for an internal error, 3 for an exceeded threshold, 75 for a
database in use, which is worth another attempt, 130 for an interrupt.
"""

import os
import sys
from collections.abc import Sequence

import click

from imputedb import __version__
from imputedb.cli.commands import analysis, completion, data, evaluation, query
from imputedb.cli.commands.audit import audit
from imputedb.cli.commands.client import client
from imputedb.cli.commands.models import model
from imputedb.cli.commands.page import ui
from imputedb.cli.commands.policies import policy
from imputedb.cli.commands.runs import runs
from imputedb.cli.commands.service import serve, token
from imputedb.cli.database import absent
from imputedb.cli.questions import is_path
from imputedb.cli.thresholds import Exceeded
from imputedb.errors import Beyond, Busy, Error, InternalError

YOURS, OURS, BEYOND, LATER, INTERRUPTED = 1, 2, 3, 75, 130


def run() -> None:
    """Runs the command line; an error becomes one sentence and an exit code."""
    sys.exit(outcome(main))


def outcome(command: click.Command, arguments: Sequence[str] | None = None) -> int:
    """The exit code of a command, which is run; an error is one sentence on standard error.

    The arguments are those of the process unless they are given.
    """
    try:
        code = command.main(arguments, standalone_mode=False)
    except click.exceptions.Abort:
        return INTERRUPTED
    except click.ClickException as error:
        error.show(file=sys.stderr)
        return YOURS
    except InternalError as error:
        return _failed(f"internal error: {error}", OURS)
    except Beyond as error:
        return _failed(f"threshold: {error}", BEYOND)
    except Busy as error:
        return _failed(f"error: {error}", LATER)
    except Error as error:
        return _failed(f"error: {error}", YOURS)
    except KeyboardInterrupt:
        return _failed("interrupted", INTERRUPTED)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exceeded as error:
        return _failed(f"threshold: {error}", BEYOND)
    except Exception as error:  # the last resort: an internal error in one line
        from imputedb.border import is_interrupted

        if is_interrupted(error):
            return _failed("interrupted", INTERRUPTED)
        return _failed(f"internal error: {type(error).__name__}: {error}; please report it", OURS)
    return code if isinstance(code, int) else 0


def _failed(message: str, code: int) -> int:
    click.echo(message, err=True)
    return code


_COMMANDS = (
    policy,
    model,
    runs,
    *(data.demo, data.load, data.profile, data.missing, data.ampute),
    *(query.query, query.explain, query.frontier, query.shell),
    *(completion.impute, completion.increment, completion.more, completion.analyze, completion.report, completion.pool),
    *(evaluation.evaluate, evaluation.why),
    *(analysis.mcar, analysis.flux, analysis.scan),
    *(analysis.compare, analysis.sensitivity, analysis.how_many),
    *(ui, serve, client, token, audit),
)


class _Commands(click.Group):
    """The group of all commands; arguments that begin with a database, a file, -c or -f are a query."""

    def parse_args(self, context: click.Context, args: list[str]) -> list[str]:
        """The arguments of the command; `query` or `shell` is put before them where no command is named."""
        first = next((place for place, one in enumerate(args) if not _is_setting(args, place)), len(args))
        left = args[first:]
        named = bool(left) and (left[0] in _QUERY_OPTIONS or is_path(left[0]) or os.path.isfile(left[0]))
        if named and left[0] not in self.commands:
            if len(left) == 1 and left[0] not in (*_QUERY_OPTIONS, ":memory:") and not os.path.exists(left[0]):
                raise absent(left[0])  # a misspelt name makes no database; `shell` does
            args = [*args[:first], "shell" if len(left) == 1 and left[0] not in _QUERY_OPTIONS else "query", *left]
        return super().parse_args(context, args)


_QUERY_OPTIONS = ("-c", "--command", "-f", "--file")
_SETTINGS = ("--memory", "--threads")


def _is_setting(args: list[str], place: int) -> bool:
    """Whether an argument is an option of the whole command line, or the value of one."""
    return args[place].partition("=")[0] in _SETTINGS or (place > 0 and args[place - 1] in _SETTINGS)


@click.group(
    cls=_Commands,
    commands=_COMMANDS,
    context_settings={"help_option_names": ["-h", "--help"], "auto_envvar_prefix": "IMPUTEDB"},
)
@click.option("--memory", metavar="SIZE", help="Maximum memory of DuckDB, such as 4GB.")
@click.option("--threads", type=click.IntRange(min=1), help="Number of DuckDB's threads.")
@click.version_option(__version__, message="%(version)s")
def main(memory: str | None, threads: int | None) -> None:
    """SQL over data with missing values, answered as if nothing were missing.

    `imputedb FILE -c SQL` asks a database or a file of data; without FILE, SQL names files: FROM 'survey.csv'.
    """
