"""A tokenised statement that is read word by word."""

from __future__ import annotations

import re
from collections.abc import Sequence

from imputedb.errors import SqlSyntaxError
from imputedb.sql.tokens import Token, string_of, unquoted

_NAME = re.compile(r'"(?:[^"]|"")+"|[^\W\d][\w$]*')
_NUMBER = re.compile(r"\.?\d[\w.]*")
_ESCAPE = re.compile(r"\\(x[0-9a-fA-F]{1,2}|[0-7]{1,3}|u[0-9a-fA-F]{4}|.)", re.DOTALL)
_SIGNS = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}


class Words:
    """A cursor over the tokens of one statement."""

    def __init__(self, text: str, found: Sequence[Token]) -> None:
        self._data = text.encode()
        self._found = found
        self._place = 0

    @property
    def next(self) -> str:
        """The next word in lower case, without taking it; empty at the end."""
        return self._found[self._place].word if self._place < len(self._found) else ""

    def syntax_error(self) -> SqlSyntaxError:
        """The syntax error at the next word."""
        at = f"at {self._found[self._place].text[:40]}" if self._place < len(self._found) else "at its end"
        return SqlSyntaxError(f"{self._found[0].text.upper()} is not written like this, {at}")

    def token(self) -> Token:
        """Takes the next token.

        Raises:
            SqlSyntaxError: the statement has ended.
        """
        if self._place >= len(self._found):
            raise self.syntax_error()
        self._place += 1
        return self._found[self._place - 1]

    def accept(self, *words: str) -> bool:
        """Takes a sequence of words if it is next; returns whether it was."""
        there = [one.word for one in self._found[self._place : self._place + len(words)]]
        if there != list(words):
            return False
        self._place += len(words)
        return True

    def one_of(self, *words: str) -> str:
        """Takes one of several words if it is next; returns it, or an empty text."""
        return self.token().word if self.next and self.next in words else ""

    def expect(self, *words: str) -> None:
        """Takes a sequence of words that must be next.

        Raises:
            SqlSyntaxError: another word is next.
        """
        if not self.accept(*words):
            raise self.syntax_error()

    def name(self) -> str:
        """Takes an identifier, in lower case unless it is quoted.

        Raises:
            SqlSyntaxError: no identifier is next.
        """
        if not _NAME.fullmatch(self.next):
            raise self.syntax_error()
        found = self.token().text
        return unquoted(found) if found[0] == '"' else found.lower()

    def path(self) -> str:
        """Takes a qualified name."""
        found = [self.name()]
        while self.accept("."):
            found.append(self.name())
        return ".".join(found)

    def string(self) -> str:
        """Takes a string literal, with the escapes of E'...' resolved.

        Raises:
            SqlSyntaxError: no string literal is next.
        """
        kind = re.fullmatch(r"(e?)'.*'", self.next, re.DOTALL)
        if kind is None:
            raise self.syntax_error()
        found = self.token().text
        return _ESCAPE.sub(_meant, string_of(found[1:])) if kind[1] else string_of(found)

    def value(self) -> str:
        """Takes a string literal, an identifier or a number.

        Raises:
            SqlSyntaxError: none of these is next.
        """
        if self.next.startswith(("'", "e'")):
            return self.string()
        sign = self.one_of("+", "-")
        if not _NUMBER.fullmatch(self.next) and (sign or not _NAME.fullmatch(self.next)):
            raise self.syntax_error()
        return sign.strip("+") + self.token().text

    def within(self) -> str:
        """Takes a text in parentheses.

        Raises:
            SqlSyntaxError: no parenthesis is next.
        """
        begin = self._found[self._place].end if self.next else 0
        self.expect("(")
        depth = self._found[self._place - 1].depth
        while self.next and (self.next != ")" or self._found[self._place].depth > depth):
            self._place += 1
        end = self.token().begin
        return self._data[begin:end].decode()

    def rest(self) -> str:
        """Takes the rest of the statement as it is written.

        Raises:
            SqlSyntaxError: the statement has ended.
        """
        begin = self.token().begin
        self._place = len(self._found)
        return self._data[begin : self._found[-1].end].decode()

    def end(self) -> None:
        """Checks that the statement has ended.

        Raises:
            SqlSyntaxError: a token is left.
        """
        if self.next:
            raise self.syntax_error()


def _meant(found: re.Match[str]) -> str:
    escape = found[1]
    if escape[0] in "xu" and len(escape) > 1:
        return chr(int(escape[1:], 16))
    return chr(int(escape, 8)) if escape[0] in "01234567" else _SIGNS.get(escape, escape)
