"""The query inside a statement that uses its rows: CREATE TABLE AS, INSERT, MERGE, COPY."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from imputedb.sql.tokens import Token, string_of, tokens, unquoted

_QUERIES = ("select", "with", "from", "values", "table", "pivot", "unpivot")


@dataclass(frozen=True, slots=True)
class EnclosingStatement:
    """A statement that uses the rows of a query.

    Attributes:
        before: text before the query.
        query: text of the query.
        after: text after the query; for COPY, up to its target path.
        target: for COPY, its target path and the text after it; None for other statements.
        parameters: names of the query's parameters.
    """

    before: str
    query: str
    after: str
    target: tuple[str, str] | None = None
    parameters: frozenset[str] = frozenset()

    def with_query(self, query: str) -> str:
        """The statement with another query."""
        return f"{self.before}{query}{self.after}"


def created(text: str, found: Sequence[Token]) -> EnclosingStatement | None:
    """CREATE TABLE ... AS query."""
    for number, token in enumerate(found[:-1]):
        if token.word == "as" and token.depth == 0 and _opens(found, number + 1):
            ends = [one.begin for one, *_ in _after_phrases(found, ("with", "no", "data"), ("with", "data"))]
            return _cut(text, found[number + 1].begin, ends[0] if ends else len(text.encode()))
    return None


def inserted(text: str, found: Sequence[Token]) -> EnclosingStatement | None:
    """INSERT INTO ... query; None where it inserts plain VALUES."""
    start = next(n for n, token in enumerate(found) if token.depth == 0 and token.word == "insert")
    begin = next((n for n, token in enumerate(found) if n > start + 1 and token.depth == 0 and _opens(found, n)), None)
    if begin is None or found[begin - 1].word == "default":
        return None
    if found[begin].word == "values" and not _reads(found[begin:]):
        return None
    ends = [one.begin for one, *_ in _after_phrases(found[begin:], ("on", "conflict"), ("returning",))]
    cut = _cut(text, found[begin].begin, ends[0] if ends else len(text.encode()))
    if start == 0:
        return cut
    given = text.encode()[: found[start].begin].decode()  # a WITH before INSERT, whose entries the query reads
    return replace(cut, before=cut.before[len(given) :], query=_joined(given, cut.query))


def _joined(given: str, query: str) -> str:
    """A query, with entries of another WITH before its own."""
    first, *more = tokens(query)
    if first.word != "with":
        return f"{given}{query}"
    recursive = more[0].word == "recursive" or tokens(given)[1].word == "recursive"
    entries = [_entries(part) for part in (given, query)]
    return f"WITH {'RECURSIVE ' * recursive}{entries[0].rstrip()}, {entries[1]}"


def _entries(text: str) -> str:
    """A text without its leading WITH."""
    _, second, *_ = found = tokens(text)
    return text.encode()[found[2].begin if second.word == "recursive" else second.begin :].decode()


def _reads(found: Sequence[Token]) -> bool:
    """Whether VALUES hold queries, and no DEFAULT, which is valid in INSERT only."""
    words = {token.word for token in found}
    return bool(words & {"select", "from"}) and "default" not in words


def merged(text: str, found: Sequence[Token]) -> EnclosingStatement | None:
    """MERGE INTO ... USING (query), or USING a query of a WITH before it.

    None where anything but its source reads a query of that WITH, as conditions may.
    """
    start = next(n for n, token in enumerate(found) if token.depth == 0 and token.word == "merge")
    source = next(n for n, token in enumerate(found) if n > start and token.depth == 0 and token.word == "using") + 1
    is_query = found[source].text == "(" and _opens(found, source)
    close = closing(found, source) if is_query else source
    named, given = _named(found[:start]), text.encode()[: found[start].begin].decode()
    if _takes(found[close + 1 :], named):
        return None
    if is_query:
        cut = _cut(text, found[source].end, found[close].begin)
        return replace(cut, before=cut.before[len(given) :], query=_joined(given, cut.query)) if given else cut
    if unquoted(found[source].word) not in named:
        return None
    cut = _cut(text, found[source].begin, found[source].end)
    name = found[source].text
    alias = f" AS {name}" if found[source + 1].word in ("on", "using") else ""
    before, query = f"{cut.before[len(given) :]}(", f"{given}SELECT * FROM {name}\n"
    return replace(cut, before=before, query=query, after=f"){alias}{cut.after}")


def _takes(found: Sequence[Token], names: set[str]) -> bool:
    """Whether some tokens read a table of some names."""
    return any(
        before.word in ("from", "join", ",", "table") and unquoted(token.word) in names and after.text != "."
        for before, token, after in zip(found, found[1:], found[2:], strict=False)
    )


def _named(found: Sequence[Token]) -> set[str]:
    """The names that a WITH gives to its queries, in lower case."""
    return {
        unquoted(token.word)
        for before, token in pairwise(found)
        if token.depth == 0 and before.word in ("with", "recursive", ",")
    }


def copied(text: str, found: Sequence[Token]) -> EnclosingStatement | None:
    """COPY (query) TO."""
    if found[1].text != "(":
        return None
    close = closing(found, 1)
    cut = _cut(text, found[1].end, found[close].begin)
    written = found[close + 2] if len(found) > close + 2 else found[close]
    if not written.text.startswith("'"):
        return cut
    data = text.encode()
    after = data[found[close].begin : written.begin].decode()
    return replace(cut, after=after, target=(string_of(written.text), data[written.end :].decode()))


def pivoted(text: str, found: Sequence[Token]) -> EnclosingStatement | None:
    """PIVOT of a table, as a PIVOT of a query."""
    if found[0].word not in ("pivot", "pivot_wider"):
        return None
    ends = [n for n, token in enumerate(found) if token.depth == 0 and token.word in ("on", "using", "group")]
    if not ends or {"join", "values"} & {token.word for token in found[1 : ends[0]]}:
        return None  # of a join ON and USING are the join's own
    cut = _cut(text, found[1].begin, found[ends[0]].begin)
    return replace(cut, before=f"{cut.before}(", query=f"SELECT * FROM {cut.query}", after=f") {cut.after}")


def closing(found: Sequence[Token], opening: int) -> int:
    """The position of the matching closing parenthesis."""
    depth = found[opening].depth
    return next(n for n in range(opening + 1, len(found)) if found[n].text == ")" and found[n].depth == depth)


def _after_phrases(found: Sequence[Token], *phrases: tuple[str, ...]) -> list[Sequence[Token]]:
    """For each occurrence of a phrase outside of parentheses, the tokens from there on."""
    return [
        found[n:]
        for n, token in enumerate(found)
        if token.depth == 0 and any(tuple(one.word for one in found[n : n + len(words)]) == words for words in phrases)
    ]


def _opens(found: Sequence[Token], number: int) -> bool:
    """Whether a query begins at a token; a word after a dot, or alone in a list, is a name."""
    if number > 0 and found[number - 1].text == ".":
        return False
    while found[number].text == "(" and number + 1 < len(found):
        number += 1
    alone = number + 1 < len(found) and found[number + 1].text in (",", ")")
    return found[number].word in _QUERIES and not alone


def _cut(text: str, begin: int, end: int) -> EnclosingStatement:
    data = text.encode()
    return EnclosingStatement(
        data[:begin].decode(), data[begin:end].decode().rstrip("; \n\t") + "\n", data[end:].decode()
    )


def created_query(text: str) -> str | None:
    """The query of `CREATE ... AS query`; None for other statements."""
    found = created(text, tokens(text))
    return found.query if found else None
