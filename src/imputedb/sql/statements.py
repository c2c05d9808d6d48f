"""Statements around a query, such as CREATE TABLE AS, and those about imputation policies, told from their tokens."""

from collections.abc import Sequence
from dataclasses import dataclass

import duckdb

from imputedb.errors import SqlSyntaxError, Unplanned

_QUERIES = ("select", "with", "from", "values", "table", "pivot", "unpivot")


@dataclass(frozen=True, slots=True)
class Token:
    """A word, a literal or a sign of a statement, with its place in bytes and how deep in parentheses it stands."""

    text: str
    begin: int
    end: int
    depth: int

    @property
    def word(self) -> str:
        """In lower case."""
        return self.text.lower()


@dataclass(frozen=True, slots=True)
class Wrapped:
    """A statement that does something with the rows of a query.

    Attributes:
        before: its text before the query.
        query: the query.
        after: its text after the query.
        target: where COPY writes, the place of that literal in `after`; None for other statements.
        answers: whether the statement gives rows of its own.
    """

    before: str
    query: str
    after: str
    target: tuple[int, int] | None = None
    answers: bool = False

    def around(self, query: str) -> str:
        """The statement with another query in place."""
        return f"{self.before}{query}{self.after}"


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
            depth -= part.startswith(")")
            found.append(Token(part, begin, begin + len(part.encode()), depth))
            depth += part.startswith("(")
    return found


def is_plainly_query(text: str) -> bool:
    """Whether a text begins as nothing but a query does, and holds no PIVOT, which DuckDB may take apart."""
    return "pivot" not in text.lower() and text.lstrip()[:7].lower().startswith(
        ("select ", "select\n", "from ", "from\n")
    )


def split(text: str) -> list[str]:
    """The statements of a text, without the semicolons between them."""
    data, begin, found = text.encode(), 0, []
    for token in tokens(text):
        if token.text == ";":
            found.append(data[begin : token.begin].decode())
            begin = token.end
    found.append(data[begin:].decode())
    return [statement for statement in found if statement.strip()]


def wrapped(text: str) -> Wrapped | None:
    """The parts of CREATE TABLE AS, INSERT, COPY (...) TO and PIVOT; None of any other statement.

    Raises:
        Unplanned: it reads rows in a way that cannot be told apart.
    """
    found = tokens(text)
    words = [token.word for token in found]
    match words[:1]:
        case ["create"] if "table" in words[: words.index("as") if "as" in words else 0]:
            return _created(text, found)
        case ["insert"]:
            return _inserted(text, found)
        case ["copy"] if words[1:2] == ["("]:
            return _copied(text, found)
        case ["pivot" | "pivot_wider"]:
            return _pivoted(text, found)
        case ["with"] if "insert" in words or "copy" in words:
            raise Unplanned("WITH before a statement that writes: put it inside, INSERT INTO t WITH ... SELECT ...")
    return None


def _created(text: str, found: Sequence[Token]) -> Wrapped | None:
    for number, token in enumerate(found[:-1]):
        if token.word == "as" and token.depth == 0 and _opens(found, number + 1):
            return _cut(text, found[number + 1].begin, len(text.encode()))
    return None


def _inserted(text: str, found: Sequence[Token]) -> Wrapped | None:
    if any(token.word == "returning" and token.depth == 0 for token in found):
        raise Unplanned("INSERT ... RETURNING over imputed rows: insert first, then select")
    begin = next((n for n, token in enumerate(found) if n > 1 and token.depth == 0 and _opens(found, n)), None)
    if begin is None or found[begin].word == "values":
        return None
    ends = [n for n in range(begin, len(found)) if found[n].depth == 0 and found[n].word == "conflict"]
    cut = _cut(text, found[begin].begin, found[ends[0] - 1].begin if ends else len(text.encode()))
    return Wrapped(cut.before, cut.query, f" {cut.after}")


def _copied(text: str, found: Sequence[Token]) -> Wrapped | None:
    close = next(
        (n for n, token in enumerate(found) if n > 1 and token.depth == 0 and token.text.startswith(")")), None
    )
    if close is None:
        return None
    cut = _cut(text, found[1].begin + 1, found[close].begin)
    target = next((token for token in found[close:] if token.text.startswith("'")), None)
    whole = any(token.word in ("partition_by", "per_thread_output", "file_size_bytes") for token in found)
    place = (target.begin - found[close].begin, target.end - found[close].begin) if target and not whole else None
    return Wrapped(cut.before, cut.query, cut.after, place)


def _pivoted(text: str, found: Sequence[Token]) -> Wrapped | None:
    ends = [n for n, token in enumerate(found) if token.depth == 0 and token.word in ("on", "using", "group")]
    if not ends:
        return None
    cut = _cut(text, found[1].begin, found[ends[0]].begin)
    return Wrapped(f"{cut.before}(", f"SELECT * FROM {cut.query}", f") {cut.after}", answers=True)


def pivots_inside(text: str) -> bool:
    """Whether a text is a query that holds PIVOT: where data names the columns, DuckDB makes statements of it."""
    words = [token.word for token in tokens(text)]
    return words[:1] != [] and words[0] in (*_QUERIES, "(") and bool({"pivot", "pivot_wider"} & set(words))


def _opens(found: Sequence[Token], number: int) -> bool:
    token = found[number]
    if token.text.startswith("("):
        return number + 1 < len(found) and found[number + 1].word in _QUERIES
    return token.word in _QUERIES


def _cut(text: str, begin: int, end: int) -> Wrapped:
    data = text.encode()
    return Wrapped(data[:begin].decode(), data[begin:end].decode().rstrip("; \n\t"), data[end:].decode())


def created_query(text: str) -> str | None:
    """The query in `CREATE ... AS query`; None where there is none."""
    found = _created(text, tokens(text))
    return found.query if found else None


# -- imputation policies ----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class PolicyStatement:
    """CREATE, ALTER, DROP or SHOW IMPUTATION POLICY.

    Attributes:
        verb: create, alter, drop or show.
        table: its name; None for SHOW of all.
        columns: of the table; empty for all that have a policy.
        options: what is set, under the names of `Policy`'s attributes.
    """

    verb: str
    table: str | None
    columns: tuple[str, ...]
    options: dict[str, object]


GRAMMAR = (
    "CREATE | ALTER IMPUTATION POLICY ON table(column, ...) [IMPUTE | DROP | KEEP | STRUCTURAL WHEN (condition)] "
    "[RANGE low TO high] [VALUES (value, ...)] [IMPUTER name] [PREDICTORS (column, ...)] [EXCLUDE (column, ...)]; "
    "DROP IMPUTATION POLICY ON table[(column, ...)]; SHOW IMPUTATION POLICIES [ON table]"
)


def policy_statement(text: str) -> PolicyStatement | None:
    """The parts of a statement about imputation policies; None of any other.

    Raises:
        SqlSyntaxError: it is about policies, but does not follow the grammar, which the message shows.
    """
    found = tokens(text)
    words = [token.word for token in found if token.text != ";"]
    if not words or not ({"imputation"} & set(words[1:4])) or words[0] not in ("create", "alter", "drop", "show"):
        return None
    return _PolicyParser(text, [token for token in found if token.text != ";"]).statement()


class _PolicyParser:
    def __init__(self, text: str, found: Sequence[Token]) -> None:
        self._data = text.encode()
        self._found = list(found)
        self._at = 0

    def statement(self) -> PolicyStatement:
        verb = self._next()
        while self._word() != "imputation":  # OR REPLACE
            self._next()
        self._next()
        if self._next() not in ("policy", "policies"):
            raise self._wrong()
        table: str | None = None
        columns: tuple[str, ...] = ()
        options: dict[str, object] = {}
        if self._word() == "if":
            self._next(), self._next()
        if self._word() == "on":
            self._next()
            table = self._name()
            while self._word() == ".":
                self._next()
                table = f"{table}.{self._name()}"
            columns = tuple(self._list()) if self._word() == "(" else ()
        while self._at < len(self._found):
            options |= self._option(self._next())
        if (verb != "show" and table is None) or (verb in ("create", "alter") and not columns):
            raise self._wrong()
        return PolicyStatement(verb, table, columns, options)

    def _option(self, word: str) -> dict[str, object]:
        match word:
            case "impute" | "drop" | "keep":
                return {"action": word}
            case "structural":
                if self._next() != "when":
                    raise self._wrong()
                return {"action": "structural", "when": self._parenthesized()}
            case "range":
                low = self._number()
                if self._next() != "to":
                    raise self._wrong()
                return {"low": low, "high": self._number()}
            case "values":
                return {"values": tuple(self._list())}
            case "imputer":
                return {"imputer": self._name()}
            case "predictors":
                return {"predictors": tuple(self._list())}
            case "exclude":
                return {"exclude": tuple(self._list())}
            case _:
                raise self._wrong()

    def _word(self) -> str:
        return self._found[self._at].word if self._at < len(self._found) else ""

    def _next(self) -> str:
        if self._at >= len(self._found):
            raise self._wrong()
        self._at += 1
        return self._found[self._at - 1].word

    def _name(self) -> str:
        self._next()
        text = self._found[self._at - 1].text
        if text[:1] == '"':
            return text[1:-1].replace('""', '"')
        return text[1:-1].replace("''", "'") if text[:1] == "'" else text

    def _number(self) -> float:
        sign = -1.0 if self._word() == "-" and self._next() else 1.0
        try:
            return sign * float(self._name())
        except ValueError:
            raise self._wrong() from None

    def _list(self) -> list[str]:
        if self._next() != "(":
            raise self._wrong()
        names = []
        while True:
            sign = "-" if self._word() == "-" and self._next() else ""
            names.append(sign + self._name())
            closing = self._next()
            if closing.startswith(")"):
                return names
            if closing != ",":
                raise self._wrong()

    def _parenthesized(self) -> str:
        if self._next() != "(":
            raise self._wrong()
        begin, depth = self._found[self._at - 1].end, self._found[self._at - 1].depth
        while self._next() and not (
            self._found[self._at - 1].text.startswith(")") and self._found[self._at - 1].depth == depth
        ):
            pass
        return self._data[begin : self._found[self._at - 1].begin].decode().strip()

    def _wrong(self) -> SqlSyntaxError:
        place = self._found[min(self._at, len(self._found)) - 1].text if self._found else ""
        return SqlSyntaxError(f"an imputation policy goes wrong at {place!r}: {GRAMMAR}")
