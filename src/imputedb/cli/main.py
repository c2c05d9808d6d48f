"""The command `imputedb`: data to standard output, everything else to standard error; 0, 1 (yours), 2 (ours)."""

import os
import sys

import click

from imputedb import __version__
from imputedb.cli.commands import completion, data, evaluation, query
from imputedb.cli.commands.models import model
from imputedb.cli.commands.policies import policy
from imputedb.errors import Error, InternalError

YOURS, OURS, INTERRUPTED = 1, 2, 130


def run() -> None:
    """Runs the command line, and turns what goes wrong into one sentence and an exit code."""
    sys.exit(outcome(main))


def outcome(command: click.Command) -> int:
    """The exit code of a command that was run; what went wrong is one sentence on standard error."""
    try:
        command.main(standalone_mode=False)
    except click.exceptions.Abort:
        return INTERRUPTED
    except click.ClickException as error:
        error.show(file=sys.stderr)
        return YOURS
    except InternalError as error:
        return _failed(f"internal error: {error}; please report it", OURS)
    except Error as error:
        return _failed(f"error: {error}", YOURS)
    except KeyboardInterrupt:
        return _failed("interrupted", INTERRUPTED)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as error:  # the last resort: our mistake, said in one line
        from imputedb.border import is_interrupted

        if is_interrupted(error):
            return _failed("interrupted", INTERRUPTED)
        return _failed(f"internal error: {type(error).__name__}: {error}; please report it", OURS)
    return 0


def _failed(message: str, code: int) -> int:
    click.echo(message, err=True)
    return code


_COMMANDS = (
    policy,
    model,
    *(data.demo, data.load, data.profile),
    *(query.query, query.explain, query.frontier, query.shell),
    *(completion.impute, completion.more, completion.analyze, completion.report, completion.pool),
    *(evaluation.evaluate, evaluation.why),
)


@click.group(commands=_COMMANDS, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, message="%(version)s")
def main() -> None:
    """SQL over data with missing values, answered as if nothing were missing."""
