"""Tokens of statements, from DuckDB's tokeniser."""

from __future__ import annotations

from dataclasses import dataclass

import duckdb


@dataclass(frozen=True, slots=True)
class Token:
    """A token of a statement, with its byte position and its depth in brackets of any kind."""

    text: str
    begin: int
    end: int
    depth: int

    @property
    def word(self) -> str:
        """The token in lower case."""
        return self.text.lower()


_OPEN = ("(", "[", "{")
_CLOSE = (")", "]", "}")


def tokens(text: str) -> list[Token]:
    """The tokens of a text without comments."""
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
    """The first word of a statement after comments, in lower case; empty where there is none."""
    return next((token.word for token in tokens(text) if token.text != ";"), "")


def split(text: str) -> list[str]:
    """The statements of a text, without semicolons."""
    data, begin, found = text.encode(), 0, []
    for token in tokens(text):
        if token.text == ";":
            found.append(data[begin : token.begin].decode())
            begin = token.end
    found.append(data[begin:].decode())
    return [statement for statement in found if statement.strip()]


def string_literal(text: str) -> str:
    """A text as an SQL string literal."""
    return "'" + text.replace("'", "''") + "'"


def string_of(text: str) -> str:
    """The text of an SQL string literal."""
    return text[1:-1].replace("''", "'")


def unquoted(text: str) -> str:
    """A name without its quotes."""
    return text[1:-1].replace('""', '"') if text[:1] == '"' else text
