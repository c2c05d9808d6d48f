"""PIVOT without a list of values: the values that become columns are queried, and written into the text."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import takewhile

from imputedb.sql.tokens import Token, string_literal, tokens

_PIVOTS = ("pivot", "pivot_wider")
_NOTHING = "imputedb: none of these values"
_ENDS = ("using", "group", "order", "limit")


@dataclass(frozen=True, slots=True)
class Unlisted:
    """The expression of a PIVOT whose values become columns, without a list of them.

    Attributes:
        values: query of these values as texts, in DuckDB's order of columns.
        expression: text of the expression.
        begin: byte position of its begin.
        end: byte position of its end.
        pivot: byte positions of the PIVOT's begin and end.
    """

    values: str
    expression: str
    begin: int
    end: int
    pivot: tuple[int, int]


def unlisted(text: str) -> list[Unlisted]:
    """All PIVOT expressions of a statement without a list of values."""
    data, found = text.encode(), tokens(text)
    out: list[Unlisted] = []
    for place, token in enumerate(found):
        if token.word not in _PIVOTS or _has_its_list(found, place):
            continue
        inside = list(_level(found, place))
        on = next((n for n in inside if found[n].word == "on"), None)
        if on is None:
            continue
        source = data[found[place + 1].begin : found[on].begin].decode().strip()
        for first, last in _items(found, [n for n in inside if n > on]):
            if any(found[n].word == "in" and found[n].depth == token.depth for n in range(first, last + 1)):
                continue
            expression = data[found[first].begin : found[last].end].decode()
            names = f"SELECT DISTINCT CAST(({expression}) AS VARCHAR) AS v FROM {source}"
            values = f"{_before(data, found, place)}FROM ({names}) WHERE v IS NOT NULL ORDER BY v"
            whole = (token.begin, found[inside[-1]].end)
            out.append(Unlisted(values, expression, found[first].begin, found[last].end, whole))
    return out


def listed(text: str, found: Sequence[Unlisted], values: Callable[[str], Sequence[str]]) -> str:
    """The statement with lists of the values that the queries return.

    A PIVOT without any value makes no columns: it gets a value that nothing equals, whose columns are dropped again.
    """
    changes: list[tuple[int, int, str]] = []
    for one in found:
        named = values(one.values) or [_NOTHING]
        literals = ", ".join(string_literal(value) for value in named)
        changes.append((one.begin, one.end, f"({one.expression}) IN ({literals})"))
        if named == [_NOTHING]:
            begin, end = one.pivot
            shown = f"SELECT COLUMNS(lambda name: NOT contains(name, {string_literal(_NOTHING)})) FROM ("
            changes += [(begin, begin, shown), (end, end, ")")]
    data = text.encode()
    for begin, end, put in sorted(changes, key=lambda change: change[:2], reverse=True):
        data = data[:begin] + put.encode() + data[end:]
    return data.decode()


def _level(found: Sequence[Token], place: int) -> Iterator[int]:
    """The positions of the tokens at the same depth, up to the closing parenthesis."""
    depth = found[place].depth
    for n in range(place + 1, len(found)):
        if found[n].depth < depth:
            return
        if found[n].depth == depth:
            yield n


def _has_its_list(found: Sequence[Token], place: int) -> bool:
    """Whether a PIVOT has the form `table PIVOT (aggregate FOR column IN (...))`, which lists its values."""
    depth = found[place].depth
    if found[place + 1].text != "(":
        return False
    inside = takewhile(lambda token: token.depth > depth, found[place + 2 :])
    return any(token.word == "for" and token.depth == depth + 1 for token in inside)


def _items(found: Sequence[Token], places: Sequence[int]) -> Iterator[tuple[int, int]]:
    """The first and last tokens of a list's items; a further clause ends the list."""
    ends = [n for n in places if found[n].word in _ENDS]
    stop = ends[0] if ends else places[-1] + 1 if places else 0
    first: int | None = places[0] if places else None
    for n in [n for n in places if n < stop and found[n].text == ","] + [stop]:
        if first is not None and first < n:
            yield first, n - 1
        first = n + 1


def _before(data: bytes, found: Sequence[Token], place: int) -> str:
    """The leading WITH of the statement, as far as a PIVOT at a position can read it."""
    start = next((n for n, token in enumerate(found) if token.depth == 0 and token.word == "with"), None)
    if start is None or start > place:
        return ""
    entries = [n for n in range(start, place) if found[n].depth == 0 and found[n].text in (",", ")")]
    ends = [n for n in entries if found[n].text == ")" and _is_end(found, n)]
    if not ends:
        return ""
    return data[found[start].begin : found[ends[-1]].end].decode() + " "


def _is_end(found: Sequence[Token], place: int) -> bool:
    """Whether a parenthesis ends an entry of WITH: another entry follows, or the statement."""
    follows = found[place + 1].word if place + 1 < len(found) else ""
    return follows == "," or follows in ("select", "from", "insert", "values", "table", "pivot", "unpivot")
