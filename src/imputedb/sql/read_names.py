"""The names that a statement of DuckDB's may read, by its tokens."""

from collections.abc import Sequence

from imputedb.sql.tokens import Token, tokens, unquoted


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


def _is_assigned(found: Sequence[Token], number: int) -> bool:
    """Whether a token is a column on the left of an assignment (`SET a = 1, b = 2`)."""
    words = [token.word for token in found[max(number - 1, 0) : number + 2]]
    return found[number].depth == 0 and len(words) == 3 and words[0] in ("set", ",") and words[2] == "="


def _is_asked_about(found: Sequence[Token], number: int) -> bool:
    """Whether a token is a column that is only compared with NULL (`a IS NOT NULL`)."""
    after = tuple(token.word for token in found[number + 1 : number + 4])
    return after[:2] == ("is", "null") or after == ("is", "not", "null") or after[:1] in (("isnull",), ("notnull",))
