"""Tokens of statements, as DuckDB tells them."""

from __future__ import annotations

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


def split(text: str) -> list[str]:
    """The statements of a text, without the semicolons between them."""
    data, begin, found = text.encode(), 0, []
    for token in tokens(text):
        if token.text == ";":
            found.append(data[begin : token.begin].decode())
            begin = token.end
    found.append(data[begin:].decode())
    return [statement for statement in found if statement.strip()]


def quoted(text: str) -> str:
    """A text as a literal of SQL."""
    return "'" + text.replace("'", "''") + "'"


def string_of(text: str) -> str:
    """The text that a literal of SQL stands for."""
    return text[1:-1].replace("''", "'")


def unquoted(text: str) -> str:
    """A name as it is, of a token that may have it in quotes."""
    return text[1:-1].replace('""', '"') if text[:1] == '"' else text
