"""Tokens of statements, as DuckDB tells them."""

from dataclasses import dataclass

import duckdb


@dataclass(frozen=True, slots=True)
class Token:
    """A word, a literal or a sign of a statement, its place in bytes, and how deep in brackets of any kind it is."""

    text: str
    begin: int
    end: int
    depth: int

    @property
    def word(self) -> str:
        """In lower case."""
        return self.text.lower()


_OPEN = ("(", "[", "{")
_CLOSE = (")", "]", "}")


def tokens(text: str) -> list[Token]:
    """The tokens of a text, comments left out."""
    data, depth, found = text.encode(), 0, []
    marks = duckdb.tokenize(text)
    ends = [place for place, _ in marks[1:]] + [len(data)] * bool(marks)
    for (begin, kind), end in zip(marks, ends, strict=True):
        if kind == duckdb.token_type.comment:
            continue
        piece = data[begin:end].decode()
        for part in piece.split() if piece[:1] in "()" and len(piece.strip()) > 1 else [piece.strip()]:
            depth -= part[:1] in _CLOSE
            found.append(Token(part, begin, begin + len(part.encode()), depth))
            depth += part[:1] in _OPEN
    return found


def first_word(text: str) -> str:
    """The word that a statement begins with, in lower case, behind comments; nothing where there is none."""
    return next((token.word for token in tokens(text) if token.text != ";"), "")
