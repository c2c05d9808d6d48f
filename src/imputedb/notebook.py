"""`%load_ext imputedb`: `%impute` and `%%impute` in a notebook, with completion of tables and columns."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import click

from imputedb.database import Database, connect
from imputedb.errors import Error, QueryError
from imputedb.notes import Question

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

    from imputedb.result import Result


def load_ipython_extension(shell: InteractiveShell) -> None:
    """Registers the magics in a notebook or an IPython shell."""
    magic: Any = Magic(shell)
    shell.register_magic_function(magic, "line_cell", "impute")
    completer: Any = getattr(shell, "Completer", None)
    if completer is not None:
        completer.custom_matchers.append(magic.completions)


class Magic:
    """The magic that answers SQL over a database, or over data frames in a notebook's variables."""

    def __init__(self, shell: InteractiveShell) -> None:
        self._shell = shell
        self._database: Database | None = None

    def __call__(self, line: str, cell: str | None = None) -> Result | None:
        """Answers a query: the text of a line, or of a cell below its line of options."""
        options, text = (line, cell) if cell is not None else ("", line)
        try:
            return self._answered(options, text)
        except (Error, click.ClickException) as error:
            message = error.format_message() if isinstance(error, click.ClickException) else str(error)
            click.echo(f"error: {message}", err=True)
            return None

    def _answered(self, options: str, text: str) -> Result:
        try:
            given = _options.make_context("%%impute", shlex.split(options), resilient_parsing=False).params
        except ValueError as error:
            raise QueryError(f"%%impute: {error}") from error
        database, into, draws = self._at_hand(given.pop("db")), given.pop("into"), given.pop("m")
        m = draws if draws == "auto" else None if draws == "1" else _number(draws)
        wishes = {**given, "m": m, "imputer": given["imputer"].split(",")}
        query: Callable[[], Result] = lambda: database.sql(text, **wishes)  # noqa: E731  # its frame is not the user's
        result: Result = eval(
            "ask()", self._shell.user_ns, {"ask": query}
        )  # variables of the notebook are the caller's
        if into is not None:
            self._shell.user_ns[into] = result
        return result

    def _at_hand(self, name: str | None) -> Database:
        """The database of a variable or a path; by default the last one, a single one, or one in memory."""
        variables = self._shell.user_ns
        if name is not None:
            found = variables.get(name)
            self._database = found if isinstance(found, Database) else connect(name)
        elif self._database is None:
            there = (value for key, value in variables.items() if not key.startswith("_"))
            self._database = next((one for one in there if isinstance(one, Database)), None) or connect()
        return self._database

    def completions(self, text: str) -> list[str]:
        """Tables and columns that begin with a text, after the first answer."""
        return list(self._named(text)) if self._database is not None and text else []

    def _named(self, text: str) -> Iterator[str]:
        with suppress(Error):
            tables = self._database.tables() if self._database else {}
            names = [*tables, *(column for columns in tables.values() for column in columns)]
            yield from dict.fromkeys(name for name in names if name.lower().startswith(text.lower()))


def _number(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise QueryError(f"--m {text!r} is not a number of draws: give one, such as 20, or auto") from None


@click.command(add_help_option=False)
@click.argument("db", required=False)
@click.option("--alpha", type=float, default=0.0)
@click.option("--imputer", default="tree")
@click.option("--seed", type=int, default=0)
@click.option("--m", default="1")
@click.option("--interval", type=click.Choice(["population", "answer"]), default="population")
@click.option("--flags", is_flag=True)
@click.option("--into", metavar="NAME")
def _options(
    db: str | None, alpha: float, imputer: str, seed: int, m: str, interval: Question, into: str, *, flags: bool
) -> None:
    """The parser of options of `%%impute`."""
