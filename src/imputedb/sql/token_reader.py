"""A reader of imputedb's own statements, token by token."""

from collections.abc import Sequence

from imputedb.errors import SqlSyntaxError
from imputedb.sql.tokens import Token


class TokenReader:
    """The tokens of one statement, read from left to right.

    Args:
        text: the statement.
        found: its tokens.
        what: subject of the statement, for messages.
        grammar: grammar of such statements, for messages.
    """

    def __init__(self, text: str, found: Sequence[Token], what: str, grammar: str) -> None:
        self._data = text.encode()
        self._found = list(found)
        self._what = what
        self._grammar = grammar
        self._at = 0

    @property
    def is_done(self) -> bool:
        """Whether all tokens were read."""
        return self._at >= len(self._found)

    def word(self) -> str:
        """The next token in lower case, without reading it; empty at the end."""
        return "" if self.is_done else self._found[self._at].word

    def next(self) -> str:
        """Reads the next token, in lower case."""
        if self.is_done:
            raise self.syntax_error()
        self._at += 1
        return self._found[self._at - 1].word

    def accept(self, *words: str) -> bool:
        """Reads a sequence of words if it is next; returns whether it was."""
        ahead = [token.word for token in self._found[self._at : self._at + len(words)]]
        if ahead != list(words):
            return False
        self._at += len(words)
        return True

    def expect(self, *words: str) -> None:
        """Reads a sequence of words that must be next."""
        if not self.accept(*words):
            raise self.syntax_error()

    def name(self) -> str:
        """Reads a name or a text, and removes its quotes."""
        self.next()
        text = self._found[self._at - 1].text
        if text[:1] == '"':
            return text[1:-1].replace('""', '"')
        return text[1:-1].replace("''", "'") if text[:1] == "'" else text

    def path(self) -> str:
        """Reads a qualified name with dots."""
        parts = [self.name()]
        while self.accept("."):
            parts.append(self.name())
        return ".".join(parts)

    def number(self) -> float:
        """Reads a number."""
        sign = -1.0 if self.accept("-") else 1.0
        try:
            return sign * float(self.name())
        except ValueError:
            raise self.syntax_error() from None

    def list(self) -> list[str]:
        """Reads a list of names or texts in parentheses, with signs before numbers."""
        self.expect("(")
        names = []
        while True:
            sign = "-" if self.accept("-") else ""
            names.append(sign + self.name())
            closing = self.next()
            if closing.startswith(")"):
                return names
            if closing != ",":
                raise self.syntax_error()

    def parenthesized(self) -> str:
        """Reads a text in parentheses."""
        self.expect("(")
        opening = self._found[self._at - 1]
        while self.next() and not self._closes(opening):
            pass
        return self._data[opening.end : self._found[self._at - 1].begin].decode().strip()

    def until(self, *words: str) -> str:
        """Reads the text up to one of some words outside of parentheses, or to the end."""
        first = self._at
        depth = self._found[first].depth if not self.is_done else 0
        while not self.is_done and not (self._found[self._at].depth == depth and self.word() in words):
            self._at += 1
        if first == self._at:
            raise self.syntax_error()
        return self._data[self._found[first].begin : self._found[self._at - 1].end].decode().strip()

    def syntax_error(self) -> SqlSyntaxError:
        """The error of a statement that violates the grammar."""
        place = self._found[min(self._at, len(self._found)) - 1].text if self._found else ""
        return SqlSyntaxError(f"{self._what} goes wrong at {place!r}: {self._grammar}")

    def _closes(self, opening: Token) -> bool:
        last = self._found[self._at - 1]
        return last.text.startswith(")") and last.depth == opening.depth
