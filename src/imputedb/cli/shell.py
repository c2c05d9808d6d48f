"""`imputedb shell`: a prompt with history, completion and dot commands."""

from __future__ import annotations

import re
import shlex
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, get_args

import click

from imputedb import __version__
from imputedb.cli.options import number_of_draws
from imputedb.cli.output.answers import TEXTS, remark
from imputedb.cli.output.tables import frontier_table, printed, profile_tables
from imputedb.database import Database
from imputedb.errors import DataError, Error, QueryError, StorageError
from imputedb.files import check_place
from imputedb.imputers.registry import imputers_of, known_names
from imputedb.notes import Question
from imputedb.sql.tokens import first_word, split, tokens

if TYPE_CHECKING:
    from prompt_toolkit import PromptSession

_WORDS = (
    *("SELECT", "FROM", "WHERE", "GROUP BY", "HAVING", "ORDER BY", "LIMIT", "JOIN", "ON", "USING", "AND", "OR", "NOT"),
    *("IN", "BETWEEN", "LIKE", "IS NULL", "DISTINCT", "AS", "CASE", "WHEN", "THEN", "ELSE", "END", "DESC", "ASC"),
    *("WITH", "UNION ALL", "LEFT JOIN", "CREATE TABLE", "INSERT INTO", "COPY", "PIVOT", "QUALIFY", "OVER"),
    *("CREATE IMPUTATION POLICY ON", "ALTER IMPUTATION POLICY ON", "DROP IMPUTATION POLICY ON"),
    *("SHOW IMPUTATION POLICIES", "IMPUTE", "DROP", "KEEP", "STRUCTURAL WHEN", "RANGE", "VALUES", "IMPUTER"),
    *("PREDICTORS", "EXCLUDE", "IMPUTED", "COUNT_OBSERVED"),
    *("COUNT", "SUM", "AVG", "MIN", "MAX", "MEDIAN", "STDDEV", "COALESCE", "CAST"),
)

_NAME = re.compile(r"\w*$")
"""The name that a text ends with, which may be empty."""


@dataclass
class Shell:
    """A session at the prompt: one database, the settings, and the handlers of lines."""

    db: Database
    write: Callable[[str], object] = click.echo
    alpha: float = 0.0
    imputer: str = "tree"
    seed: int = 0
    draws: str = "1"
    interval: Question = "population"
    mode: str = "table"
    output: str | None = None
    timer: bool = False
    ended: bool = False
    failed: bool = False
    _pending: list[str] = field(default_factory=list)
    _read: list[str] = field(default_factory=list)

    def loop(self) -> None:
        """Reads lines until the end of input: statements end in a semicolon, commands begin with a dot."""
        if sys.stdin.isatty():
            self.write(self.greeting)
        for line in self._lines():
            try:
                self.take(line)
            except Error as error:
                self.failed = True
                self._pending.clear()
                click.echo(f"error: {error}", err=True)
            except KeyboardInterrupt:
                self._pending.clear()
                click.echo("interrupted", err=True)
            if self.ended:
                return

    @property
    def greeting(self) -> str:
        """The greeting: the version, the tables, and how to go on."""
        tables = self.db.tables()
        there = (
            f"{len(tables)} table{'s' * (len(tables) != 1)}: {', '.join(list(tables)[:5])}" if tables else "no table"
        )
        more = ", ..." if len(tables) > 5 else ""
        return f"imputedb {__version__}, {there}{more}\nA statement ends with ; and .help lists commands."

    def take(self, line: str) -> None:
        """Handles one line: a dot command, or a part of a statement, which runs once it is complete."""
        if not self._pending and line.strip().startswith("."):
            self._command(line.strip())
            return
        self._pending.append(line)
        text = "\n".join(self._pending)
        if not text.strip():
            self._pending.clear()
        elif not (found := tokens(text)):
            self._pending.clear()  # only a comment
        elif found[-1].text == ";":
            self._pending.clear()
            for statement in split(text):
                if first_word(statement):
                    self._statement(statement)

    @property
    def prompt(self) -> str:
        """The text of the prompt."""
        return "   ...> " if self._pending else "imputedb> "

    def _statement(self, text: str) -> None:
        begun = perf_counter()
        result = self.db.sql(
            text,
            alpha=self.alpha,
            imputer=self.imputer.split(","),
            seed=self.seed,
            m=None if self.draws == "1" else number_of_draws(self.draws),
            interval=self.interval,
        )
        remark(result.report)
        shown = TEXTS[self.mode](result).rstrip("\n")
        if self.output is None:
            self.write(shown)
        else:
            _write(self.output, shown + "\n", "a")
        if self.timer:
            self.write(f"{perf_counter() - begun:.3f} s")

    # -- dot commands -------------------------------------------------------------------------------------------------

    def _command(self, line: str) -> None:
        name, _, rest = line[1:].partition(" ")
        method = getattr(self, f"dot_{name}", None)
        if method is None:
            raise QueryError(f"no command .{name}; .help lists them")
        method(rest.strip().rstrip(";"))

    def dot_help(self, _: str) -> None:
        """.help                 this list"""
        for name in sorted(dir(self)):
            if name.startswith("dot_"):
                self.write(str(getattr(self, name).__doc__))

    def dot_alpha(self, text: str) -> None:
        """.alpha [A]            0 for the best answer, 1 for the fastest"""
        if text:
            try:
                value = float(text)
            except ValueError:
                raise QueryError(f".alpha takes a number from 0 to 1, not {text!r}") from None
            if not 0 <= value <= 1:
                raise QueryError(f"alpha is {value}; it must be from 0 (the best answer) to 1 (the fastest)")
            self.alpha = value
        self.write(f"alpha {self.alpha:g}")

    def dot_imputer(self, text: str) -> None:
        """.imputer [NAME]       tree, knn, mean, hotdeck, drop; several with commas"""
        if text:
            imputers_of(text.split(","))
            self.imputer = text
        self.write(f"imputer {self.imputer}")

    def dot_seed(self, text: str) -> None:
        """.seed [N]             one seed gives one answer"""
        if text:
            try:
                self.seed = int(text)
            except ValueError:
                raise QueryError(f".seed takes a whole number, not {text!r}") from None
        self.write(f"seed {self.seed}")

    def dot_m(self, text: str) -> None:
        """.m [N]                draws, for intervals; auto for as many as are needed, 1 for none"""
        if text:
            number_of_draws(text)
            self.draws = text
        self.write(f"m {self.draws}")

    def dot_interval(self, text: str) -> None:
        """.interval [ABOUT]     population or answer"""
        if text:
            if text not in get_args(Question):
                raise QueryError(f"no interval {text!r}; there are {', '.join(get_args(Question))}")
            self.interval = text  # type: ignore[assignment]  # it is one of them
        self.write(f"interval {self.interval}")

    def dot_mode(self, text: str) -> None:
        """.mode [FORMAT]        table, csv, tsv, json, jsonl, markdown or line"""
        if text:
            if text not in TEXTS:
                raise QueryError(f"no format {text!r}; there are {', '.join(TEXTS)}")
            self.mode = text
        self.write(f"mode {self.mode}")

    def dot_explain(self, text: str) -> None:
        """.explain SQL          the plan with its estimates"""
        self.write(self.db.explain(text, alpha=self.alpha, imputer=self.imputer.split(","), seed=self.seed).text)

    def dot_analyze(self, text: str) -> None:
        """.analyze SQL          the plan with what was measured"""
        explanation = self.db.explain(
            text, alpha=self.alpha, imputer=self.imputer.split(","), seed=self.seed, analyze=True
        )
        self.write(explanation.text)

    def dot_frontier(self, text: str) -> None:
        """.frontier SQL         every plan worth choosing"""
        found = self.db.frontier(text, imputer=self.imputer.split(","))
        self.write(printed(frontier_table(found)) if found else "nothing missing is read")

    def dot_tables(self, _: str) -> None:
        """.tables               the tables"""
        for name in self.db.tables():
            self.write(name)

    def dot_schema(self, text: str) -> None:
        """.schema [TABLE]       columns and their types"""
        for name, columns in self.db.tables().items():
            if text in ("", name):
                self.write(f"{name}({', '.join(f'{column} {kind}' for column, kind in columns.items())})")

    def dot_missing(self, text: str) -> None:
        """.missing [TABLE]      what is missing where"""
        for found in self.db.profile(text or None):
            for part in profile_tables(found):
                self.write(printed(part))

    def dot_read(self, text: str) -> None:
        """.read FILE            run the statements and commands of a file"""
        path = Path(text.strip("'\""))
        if str(path.resolve()) in self._read:
            raise QueryError(f".read: {path} reads itself")
        try:
            lines = path.read_text(encoding="utf-8").splitlines()
        except OSError as error:
            raise StorageError(f".read: cannot read {text or 'a file without a name'}: {error.strerror}") from error
        except UnicodeDecodeError as error:
            raise StorageError(f".read: {text} is not a text file in UTF-8") from error
        self._read.append(str(path.resolve()))
        try:
            for line in [*lines, ";"] if lines else ():
                self.take(line)
        finally:
            self._read.pop()

    def dot_output(self, text: str) -> None:
        """.output [FILE]        write answers to a file; without one, show them again"""
        if text:
            check_place(text)
            _write(text, "", "w")
        self.output = text or None
        self.write(f"output {self.output or 'on the screen'}")

    def dot_timer(self, text: str) -> None:
        """.timer [on|off]       the seconds that a statement takes"""
        if text not in ("", "on", "off"):
            raise QueryError(f".timer takes on or off, not {text!r}")
        self.timer = text == "on" if text else self.timer
        self.write(f"timer {'on' if self.timer else 'off'}")

    def dot_load(self, text: str) -> None:
        """.load FILE...         load files"""
        try:
            files = shlex.split(text)
        except ValueError as error:
            raise DataError(f".load: {error}") from error
        for name in self.db.load(*files):
            self.write(f"loaded {name}")

    def dot_quit(self, _: str) -> None:
        """.quit                 leave (Ctrl-D does too)"""
        self.ended = True

    # -- the terminal -------------------------------------------------------------------------------------------------

    def completions(self, word: str) -> list[str]:
        """Completions of the last word of a text: commands, tables, columns, keywords."""
        word = word if word.startswith(".") else _NAME.search(word)[0]  # type: ignore[index]  # it matches nothing too
        if not word:
            return []
        if word.startswith("."):
            pool: Iterable[str] = ("." + name.removeprefix("dot_") for name in dir(self) if name.startswith("dot_"))
        else:
            tables = self.db.tables()
            columns = {column for known in tables.values() for column in known}
            pool = [*sorted(tables), *sorted(columns), *known_names(), *_WORDS]
        return [text for text in pool if text.lower().startswith(word.lower())]

    def _lines(self) -> Iterator[str]:
        if not sys.stdin.isatty():
            for line in sys.stdin:
                yield line.rstrip("\n")
            if self._pending:
                yield ";"
            return
        session = _session(self)
        while True:
            try:
                yield session.prompt(self.prompt)
            except KeyboardInterrupt:
                self._pending.clear()
            except EOFError:
                return


def _write(path: str, text: str, mode: str) -> None:
    try:
        with open(path, mode, encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        raise StorageError(f".output: cannot write {path}: {error.strerror or error}") from error


def _session(shell: Shell) -> PromptSession[str]:
    try:
        from prompt_toolkit import PromptSession
        from prompt_toolkit.auto_suggest import AutoSuggestFromHistory
        from prompt_toolkit.completion import Completer, Completion
        from prompt_toolkit.document import Document
        from prompt_toolkit.history import FileHistory
    except ImportError as error:
        raise DataError("the prompt needs one more package: pip install 'imputedb[repl]'") from error

    class Words(Completer):
        def get_completions(self, document: Document, _: object) -> Iterator[Completion]:
            before = document.get_word_before_cursor(WORD=True)
            word = before if before.startswith(".") else _NAME.search(before)[0]  # type: ignore[index]
            for text in shell.completions(before) if word else ():
                yield Completion(text, start_position=-len(word))

    return PromptSession(
        history=FileHistory(str(Path.home() / ".imputedb_history")),
        completer=Words(),
        auto_suggest=AutoSuggestFromHistory(),
        complete_while_typing=False,
    )
