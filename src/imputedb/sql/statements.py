"""What kind of statement a text holds, told from its tokens: a query, one that keeps the rows of a query, others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import duckdb

from imputedb import duckdb_errors
from imputedb.errors import QueryError, Unplanned
from imputedb.sql.pivots import unlisted
from imputedb.sql.policy_statement import PolicyStatement, policy_statement
from imputedb.sql.tokens import Token, tokens

_KINDS_OF_TABLES = ("or", "replace", "temp", "temporary", "local", "global", "unlogged", "persistent")
_QUERIES = ("select", "with", "from", "values", "table", "pivot", "unpivot")


@dataclass(frozen=True, slots=True)
class Query:
    """One SELECT.

    Attributes:
        text: all of it.
        parameters: their names, `1`, `2` and so on where they have none.
    """

    text: str
    parameters: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Keeps:
    """A statement that does something with the rows of a query.

    Attributes:
        before: its text before the query.
        query: the query.
        after: its text after the query; of COPY, up to where it writes.
        target: of COPY, the path that it writes to, and its text after that; None for other statements.
        parameters: as of a query.
    """

    before: str
    query: str
    after: str
    target: tuple[str, str] | None = None
    parameters: frozenset[str] = frozenset()

    def around(self, query: str) -> str:
        """The statement with another query in place."""
        return f"{self.before}{query}{self.after}"


@dataclass(frozen=True, slots=True)
class Execute:
    """EXECUTE of a prepared statement.

    Attributes:
        text: all of it.
        name: of the prepared statement.
        values: SQL of each value by the name of its parameter, `1`, `2` and so on where it has none.
    """

    text: str
    name: str
    values: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Apart:
    """A query that DuckDB takes apart into statements: a PIVOT inside it has columns that only the data name.

    Attributes:
        text: all of it.
        words: of it, in lower case; tables among them.
    """

    text: str
    words: frozenset[str]


@dataclass(frozen=True, slots=True)
class Writes:
    """A query with a statement in its WITH that writes.

    Attributes:
        text: all of it.
        words: of it, in lower case; tables among them.
    """

    text: str
    words: frozenset[str]


@dataclass(frozen=True, slots=True)
class Other:
    """A statement that is DuckDB's."""

    text: str


def split(text: str) -> list[str]:
    """The statements of a text, without the semicolons between them."""
    data, begin, found = text.encode(), 0, []
    for token in tokens(text):
        if token.text == ";":
            found.append(data[begin : token.begin].decode())
            begin = token.end
    found.append(data[begin:].decode())
    return [statement for statement in found if statement.strip()]


Statement = Query | Keeps | PolicyStatement | Execute | Apart | Writes | Other


def classify(connection: duckdb.DuckDBPyConnection, text: str) -> Statement:
    """What kind of statement a text holds.

    Raises:
        SqlSyntaxError: the text does not parse; the message shows the place.
        Unplanned: it holds more than one statement.
        QueryError: it holds none.
    """
    about = policy_statement(text)
    if about is not None:
        return about
    try:
        found = connection.extract_statements(text)
    except ValueError:  # a kind of statement that the client has no name for
        return Other(text)
    except duckdb.Error as error:
        raise duckdb_errors.translated(error) from error
    if not found:
        raise QueryError("there is no statement to answer")
    if len(found) > 1:
        raise Unplanned(f"one statement at a time: the text holds {len(found)}")
    names = frozenset(found[0].named_parameters)
    text = numbered(text) if names else text
    kind = _kind(found[0].type, text, tokens(text))
    return replace(kind, parameters=names) if isinstance(kind, Query | Keeps) else kind


def _kind(kind: duckdb.StatementType, text: str, found: Sequence[Token]) -> Statement:
    kinds = duckdb.StatementType
    match kind:
        case kinds.SELECT:
            if _writes(found):
                return Writes(text, _words(found))
            return Other(text) if _shows(found) else Query(text)
        case kinds.CREATE:
            return (_created(text, found) if _makes_table(found) else None) or Other(text)
        case kinds.INSERT:
            return Writes(text, _words(found)) if _writes(found) else _inserted(text, found) or Other(text)
        case kinds.COPY:
            return _copied(text, found) or Other(text)
        case kinds.MERGE_INTO:
            return _merged(text, found) or Other(text)
        case kinds.MULTI:
            return (None if unlisted(text) else _pivoted(text, found)) or Apart(text, _words(found))
        case kinds.EXECUTE:
            return _executed(text, found)
        case _:
            return Other(text)


def _words(found: Sequence[Token]) -> frozenset[str]:
    return frozenset(unquoted(token.word) for token in found)


def _shows(found: Sequence[Token]) -> bool:
    """Whether a statement is about tables, and not about their rows."""
    return found[0].word in ("show", "describe", "desc", "summarize")


def _writes(found: Sequence[Token]) -> bool:
    """Whether a query has a statement inside that writes, in an entry of its WITH."""
    begins = (("(", "insert", "into"), ("(", "delete", "from"), ("(", "merge", "into"), ("(", "insert", "or"))
    words = [token.word for token in found]
    places = range(len(words) - 2)
    return words[0] == "with" and any(
        tuple(words[n : n + 3]) in begins or (words[n : n + 2] == ["(", "update"] and "set" in words[n:])
        for n in places
    )


def _makes_table(found: Sequence[Token]) -> bool:
    words = (token.word for token in found[1:] if token.word not in _KINDS_OF_TABLES)
    return next(words, "") == "table"


def _created(text: str, found: Sequence[Token]) -> Keeps | None:
    for number, token in enumerate(found[:-1]):
        if token.word == "as" and token.depth == 0 and _opens(found, number + 1):
            ends = [one.begin for one, *_ in _followed(found, ("with", "no", "data"), ("with", "data"))]
            return _cut(text, found[number + 1].begin, ends[0] if ends else len(text.encode()))
    return None


def _inserted(text: str, found: Sequence[Token]) -> Keeps | None:
    start = next(n for n, token in enumerate(found) if token.depth == 0 and token.word == "insert")
    begin = next((n for n, token in enumerate(found) if n > start + 1 and token.depth == 0 and _opens(found, n)), None)
    if begin is None or found[begin - 1].word == "default":
        return None
    if found[begin].word == "values" and not _reads(found[begin:]):
        return None
    ends = [one.begin for one, *_ in _followed(found[begin:], ("on", "conflict"), ("returning",))]
    cut = _cut(text, found[begin].begin, ends[0] if ends else len(text.encode()))
    if start == 0:
        return cut
    given = text.encode()[: found[start].begin].decode()  # WITH before the statement, whose names the query reads
    return replace(cut, before=cut.before[len(given) :], query=_joined(given, cut.query))


def _joined(given: str, query: str) -> str:
    """A query with the entries of a WITH that stood elsewhere before its own."""
    first, *more = tokens(query)
    if first.word != "with":
        return f"{given}{query}"
    recursive = more[0].word == "recursive" or tokens(given)[1].word == "recursive"
    entries = [_entries(part) for part in (given, query)]
    return f"WITH {'RECURSIVE ' * recursive}{entries[0].rstrip()}, {entries[1]}"


def _entries(text: str) -> str:
    """A text without the WITH that it begins with."""
    _, second, *_ = found = tokens(text)
    return text.encode()[found[2].begin if second.word == "recursive" else second.begin :].decode()


def _reads(found: Sequence[Token]) -> bool:
    """Whether a list of values holds queries, and no DEFAULT, which means something in INSERT alone."""
    words = {token.word for token in found}
    return bool(words & {"select", "from"}) and "default" not in words


def _merged(text: str, found: Sequence[Token]) -> Keeps | None:
    for number, token in enumerate(found[:-1]):
        if token.word == "using" and token.depth == 0 and found[number + 1].text == "(" and _opens(found, number + 1):
            close = _closing(found, number + 1)
            return _cut(text, found[number + 1].end, found[close].begin) if found[0].word == "merge" else None
    return None


def _copied(text: str, found: Sequence[Token]) -> Keeps | None:
    if found[1].text != "(":
        return None
    close = _closing(found, 1)
    cut = _cut(text, found[1].end, found[close].begin)
    written = found[close + 2] if len(found) > close + 2 else found[close]
    if not written.text.startswith("'"):
        return cut
    data = text.encode()
    after = data[found[close].begin : written.begin].decode()
    return replace(cut, after=after, target=(_string(written.text), data[written.end :].decode()))


def _pivoted(text: str, found: Sequence[Token]) -> Keeps | None:
    if found[0].word not in ("pivot", "pivot_wider"):
        return None
    ends = [n for n, token in enumerate(found) if token.depth == 0 and token.word in ("on", "using", "group")]
    if not ends or {"join", "values"} & {token.word for token in found[1 : ends[0]]}:
        return None  # of a join ON and USING are the join's own
    cut = _cut(text, found[1].begin, found[ends[0]].begin)
    return replace(cut, before=f"{cut.before}(", query=f"SELECT * FROM {cut.query}", after=f") {cut.after}")


def _executed(text: str, found: Sequence[Token]) -> Execute:
    """The name and the values of EXECUTE name(value, ...) or EXECUTE name(parameter := value, ...)."""
    data, name = text.encode(), unquoted(found[1].text)
    if len(found) < 3 or found[2].text != "(":
        return Execute(text, name, ())
    close = _closing(found, 2)
    values: list[tuple[str, str]] = []
    begin = 3
    for number in [n for n in range(3, close) if found[n].text == "," and found[n].depth == 1] + [close]:
        if number == begin:
            break
        named = number > begin + 2 and found[begin + 1].text == ":="
        first = found[begin + 2 if named else begin].begin
        value = data[first : found[number].begin].decode()
        values.append((unquoted(found[begin].text) if named else str(len(values) + 1), value))
        begin = number + 1
    return Execute(text, name, tuple(values))


def switched_on(rest: str) -> frozenset[str]:
    """The options of COPY that are on, in lower case: those without a value and those whose value is a plain true.

    Args:
        rest: the text of COPY after the path that it writes to.
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


def quoted(text: str) -> str:
    """A text as a literal of SQL."""
    return "'" + text.replace("'", "''") + "'"


def _string(text: str) -> str:
    return text[1:-1].replace("''", "'")


def unquoted(text: str) -> str:
    """A name as it is, of a token that may have it in quotes."""
    return text[1:-1].replace('""', '"') if text[:1] == '"' else text


def _closing(found: Sequence[Token], opening: int) -> int:
    """The place of the parenthesis that closes another one."""
    depth = found[opening].depth
    return next(n for n in range(opening + 1, len(found)) if found[n].text == ")" and found[n].depth == depth)


def _followed(found: Sequence[Token], *phrases: tuple[str, ...]) -> list[Sequence[Token]]:
    """The tokens from each place on, outside of parentheses, where one of some phrases stands."""
    return [
        found[n:]
        for n, token in enumerate(found)
        if token.depth == 0 and any(tuple(one.word for one in found[n : n + len(words)]) == words for words in phrases)
    ]


def _opens(found: Sequence[Token], number: int) -> bool:
    """Whether a query begins at a token; a word after a dot, or alone in a list, is a name, whatever it says."""
    if number > 0 and found[number - 1].text == ".":
        return False
    while found[number].text == "(" and number + 1 < len(found):
        number += 1
    alone = number + 1 < len(found) and found[number + 1].text in (",", ")")
    return found[number].word in _QUERIES and not alone


def _cut(text: str, begin: int, end: int) -> Keeps:
    data = text.encode()
    return Keeps(data[:begin].decode(), data[begin:end].decode().rstrip("; \n\t") + "\n", data[end:].decode())


def created_query(text: str) -> str | None:
    """The query in `CREATE ... AS query`; None where there is none."""
    found = _created(text, tokens(text))
    return found.query if found else None


def placed(text: str, values: Mapping[str, str]) -> str:
    """A part of a statement with the text of a value in place of each parameter, all of which have a name or number."""
    data, begin, parts, found = text.encode(), 0, [], tokens(text)
    for sign, name in pairwise(found):
        if sign.text == "$" and sign.end == name.begin:
            parts.append(data[begin : sign.begin].decode() + values[name.text])
            begin = name.end
    return "".join(parts) + data[begin:].decode()


def numbered(text: str) -> str:
    """A text whose parameters without a name, `?`, are written `$1`, `$2` and so on, which holds in parts of it too."""
    data, begin, parts = text.encode(), 0, []
    for count, token in enumerate([token for token in tokens(text) if token.text == "?"], 1):
        parts.append(data[begin : token.begin].decode() + f"${count}")
        begin = token.end
    return "".join(parts) + data[begin:].decode()
