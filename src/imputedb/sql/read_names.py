"""The names that a statement of DuckDB's may read, by its tokens."""

from collections.abc import Sequence

from imputedb.sql.tokens import Token, tokens, unquoted

_BEFORE_STARS = ("select", "distinct", "all", ",", ".", "returning", "insert", "set")
"""What a star that stands for columns comes after."""
_NAMING = (("update", "set"), ("insert", "("), ("insert", "values"))
"""How the actions of a MERGE go on that name their columns."""
_QUERIES = ("(", "select", "from", "with", "values", "materialized", "not")
"""What comes after the AS of a view, or of a query of a WITH."""


def read_names(text: str) -> list[tuple[str, ...]]:
    """The names in a statement, each as its parts between points, in lower case.

    Columns that are only assigned to, or only asked about (`IS NULL`), are left out.
    """
    found = tokens(text)
    names: list[tuple[str, ...]] = []
    for n, token in enumerate(found):
        is_name = token.text[:1].isalpha() or token.text[:1] in ("_", '"')
        if not is_name or _is_assigned(found, n) or _is_asked_about(found, n):
            continue
        is_continued = n > 1 and found[n - 1].text == "." and bool(names)
        names.append((*names.pop(), unquoted(token.word)) if is_continued else (unquoted(token.word),))
    return names


def reads_unnamed(text: str) -> bool:
    """Whether a statement may read columns that it does not name: by stars, COLUMNS, lists of aliases, or MERGE."""
    words = ["", *(token.word for token in tokens(text)), "", ""]
    return any(
        (word == "*" and before in _BEFORE_STARS)
        or (word == "columns" and after == "(")
        or (before == "as" and after == "(" and later[:1].isalpha())
        or (before == "then" and (word, after) not in _NAMING and word in ("update", "insert"))
        for before, word, after, later in zip(words, words[1:], words[2:], words[3:], strict=False)
    ) or renames(text)


def renames(text: str) -> bool:
    """Whether a view or a query of a WITH has names of its own for its columns (`v(a, b) AS ...`)."""
    words = [token.word for token in tokens(text)]
    return any(
        (closing, word) == (")", "as") and after in _QUERIES
        for closing, word, after in zip(words, words[1:], words[2:], strict=False)
    )


def _is_assigned(found: Sequence[Token], number: int) -> bool:
    """Whether a token is a column on the left of an assignment (`SET a = 1, b = 2`)."""
    words = [token.word for token in found[max(number - 1, 0) : number + 2]]
    return found[number].depth == 0 and len(words) == 3 and words[0] in ("set", ",") and words[2] == "="


def _is_asked_about(found: Sequence[Token], number: int) -> bool:
    """Whether a token is a column that is only compared with NULL (`a IS NOT NULL`)."""
    after = tuple(token.word for token in found[number + 1 : number + 4])
    return after[:2] == ("is", "null") or after == ("is", "not", "null") or after[:1] in (("isnull",), ("notnull",))
