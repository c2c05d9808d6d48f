"""Boolean options of COPY."""

from __future__ import annotations

from collections.abc import Sequence

from imputedb.sql.tokens import tokens


def switched_on(rest: str) -> frozenset[str]:
    """The options of COPY that are switched on, in lower case: those without a value, and those with a literal true.

    Args:
        rest: text of COPY after its target path.
    """
    found: list[list[str]] = [[]]
    for token in tokens(rest):
        if token.text == "," and token.depth == 1:
            found.append([])
        elif token.depth > 0:
            found[-1].append(token.word)
    return frozenset(option[0].strip('"') for option in found if option and _true(option[1:]))


def _true(value: Sequence[str]) -> bool:
    """Whether the words after an option switch it on; an expression that only DuckDB can evaluate does not."""
    match [word for word in value if word not in ("(", ")")]:
        case []:
            return True
        case [word]:
            plain = word.strip("'\"")
            return plain in ("true", "t", "yes", "y") or (plain.isdecimal() and int(plain) != 0)
        case _:
            return False
