"""What a statement is to the door: a query to be answered, or a command of the session, told by its first words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from imputedb.errors import SqlSyntaxError
from imputedb.service.errors import Forbidden, Refusal
from imputedb.sql.tokens import Token, string_of, tokens, unquoted


@dataclass(frozen=True, slots=True)
class Ask:
    """A query, or whatever the core has to refuse."""

    text: str


@dataclass(frozen=True, slots=True)
class Transaction:
    """`begin`, `commit`, `rollback`, `savepoint`, `release` or `rollback to`."""

    kind: str
    name: str = ""
    chain: bool = False


@dataclass(frozen=True, slots=True)
class Set:
    """A setting; `value` is None of DEFAULT and RESET, `name` empty of RESET ALL and of what has no effect."""

    tag: str
    name: str = ""
    value: str | None = None
    local: bool = False
    everything: bool = False


@dataclass(frozen=True, slots=True)
class Show:
    """The value of a setting, or of `all`."""

    name: str


@dataclass(frozen=True, slots=True)
class Forget:
    """DEALLOCATE of a prepared statement, CLOSE of a cursor, DISCARD: of one name, or all with None."""

    tag: str
    name: str | None = None


@dataclass(frozen=True, slots=True)
class Declare:
    """A cursor."""

    name: str
    text: str
    hold: bool = False


@dataclass(frozen=True, slots=True)
class Fetch:
    """Rows of a cursor: so many, all with None; of MOVE they are passed over."""

    name: str
    count: int | None
    shown: bool = True


@dataclass(frozen=True, slots=True)
class Copy:
    """COPY of a query to the client."""

    text: str
    format: str = "text"
    delimiter: str = "\t"
    null: str = "\\N"
    quote: str = '"'
    header: bool = False


@dataclass(frozen=True, slots=True)
class Nothing:
    """A statement that is done by saying so."""

    tag: str


Command = Ask | Transaction | Set | Show | Forget | Declare | Fetch | Copy | Nothing


class Unsupported(Refusal):
    """A command that the door does not have."""

    state = "0A000"


def command(text: str) -> Command | None:
    """What one statement is; None of one that holds nothing.

    Raises:
        SqlSyntaxError: a command of the session is not written as it must be.
        Refusal: it is one that there is not.
    """
    found = [token for token in tokens(text) if token.text != ";"]
    if not found:
        return None
    words = [token.word for token in found]
    try:
        return _command(text, found, words)
    except (IndexError, ValueError) as error:
        raise SqlSyntaxError(f"{words[0].upper()} is not written like this") from error


def _command(text: str, found: Sequence[Token], words: Sequence[str]) -> Command:
    match words[0]:
        case "begin" | "start" | "commit" | "end" | "rollback" | "abort" | "savepoint" | "release":
            return _transaction(found, words)
        case "set":
            return _set(found, words)
        case "reset":
            name = _name(found[1:])
            return Set("RESET", everything=True) if name.lower() == "all" else Set("RESET", name)
        case "show" if words[1] not in ("tables", "databases", "schemas"):
            return Show(" ".join(words[1:]) if words[1] in ("time", "transaction") else _name(found[1:]))
        case "discard" | "deallocate" | "close":
            return _forget(found, words)
        case "declare":
            return _declare(text, found, words)
        case "fetch" | "move":
            return _fetch(found, words)
        case "copy":
            return _copy(text, found, words)
        case "listen" | "unlisten":
            return Nothing(words[0].upper())
        case _:
            return Ask(text)


def _transaction(found: Sequence[Token], words: Sequence[str]) -> Command:
    chain = "chain" in words and "no" not in words
    match words[0]:
        case "begin" | "start":
            return Transaction("begin")
        case "commit" | "end":
            return Transaction("commit", chain=chain)
        case "savepoint" | "release":
            return Transaction(words[0], unquoted(found[-1].text))
        case _ if "to" in words:
            return Transaction("rollback to", unquoted(found[-1].text))
        case _:
            return Transaction("rollback", chain=chain)


def _forget(found: Sequence[Token], words: Sequence[str]) -> Command:
    match words[0]:
        case "discard":
            return Forget(f"DISCARD {words[1].upper()}")
        case "deallocate":
            return Forget("DEALLOCATE", _one(found[2 if words[1] == "prepare" else 1]))
        case _:
            return Forget("CLOSE CURSOR", _one(found[1]))


def _one(token: Token) -> str | None:
    return None if token.word == "all" else unquoted(token.text)


def _name(found: Sequence[Token]) -> str:
    return "".join(unquoted(token.text) for token in found)


def _set(found: Sequence[Token], words: Sequence[str]) -> Command:
    if words[1:3] == ["session", "characteristics"] or words[1] in ("transaction", "constraints"):
        return Set("SET")
    local = words[1] == "local"
    rest = list(found[2:] if words[1] in ("local", "session") else found[1:])
    if [one.word for one in rest[:2]] == ["time", "zone"]:
        return Set("SET", "timezone", _value(rest[2:]), local)
    if rest[0].word == "names":
        return Set("SET", "client_encoding", _value(rest[1:]), local)
    if rest[0].word in ("role", "authorization"):
        raise Forbidden("nobody becomes another here")
    place = next(n for n, one in enumerate(rest) if one.text == "=" or one.word == "to")
    return Set("SET", _name(rest[:place]), _value(rest[place + 1 :]), local)


def _value(found: Sequence[Token]) -> str | None:
    if len(found) == 1 and found[0].word in ("default", "local"):
        return None
    if not found:
        raise ValueError
    return "".join(string_of(one.text) if one.text[:1] == "'" else one.text for one in found).replace(",", ", ")


def _declare(text: str, found: Sequence[Token], words: Sequence[str]) -> Command:
    place = words.index("for")
    options = words[2:place]
    if "binary" in options:
        raise Unsupported("a BINARY cursor is not declared here: ask for binary results of a statement")
    if "scroll" in options and options[options.index("scroll") - 1] != "no":
        raise Unsupported("a cursor goes forward only: leave SCROLL out")
    data = text.encode()
    hold = "hold" in options and options[options.index("hold") - 1] != "without"
    return Declare(unquoted(found[1].text), data[found[place].end : found[-1].end].decode(), hold)


def _fetch(found: Sequence[Token], words: Sequence[str]) -> Command:
    inner = [word for word in words[1:-1] if word not in ("from", "in", "forward")]
    count: int | None = 1
    match inner:
        case [] | ["next"]:
            pass
        case ["all"]:
            count = None
        case [number] if number.isdigit():
            count = int(number)
        case _:
            raise Unsupported("a cursor goes forward only: FETCH n, FETCH NEXT, FETCH ALL")
    return Fetch(unquoted(found[-1].text), count, words[0] == "fetch")


def _copy(text: str, found: Sequence[Token], words: Sequence[str]) -> Command:
    data = text.encode()
    to = next((n for n, one in enumerate(found) if one.word == "to" and one.depth == 0), None)
    if to is None or words[to + 1] != "stdout":
        raise Forbidden("COPY goes TO STDOUT only here: nothing is written by the service, and no file is read")
    inner = data[found[1].begin : found[to].begin].decode().strip()
    if words[1] != "(":
        table, _, columns = inner.partition("(")
        inner = f"(SELECT {columns.rstrip(') ') or '*'} FROM {table})"
    return replace(_copy_options(found[to + 2 :]), text=inner[1:-1])


_OF_CSV = {"delimiter": ",", "null": ""}


def _copy_options(found: Sequence[Token]) -> Copy:
    """Options of COPY, in parentheses or in the order of old."""
    words = [token for token in found if token.text not in ("(", ")", ",") and token.word not in ("with", "as")]
    told: dict[str, str] = {}
    header = False
    left = iter(words)
    for token in left:
        match token.word:
            case "format":
                told["format"] = unquoted(next(left).text).strip("'").lower()
            case "csv" | "binary" | "text":
                told["format"] = token.word
            case "header":
                header = True
            case "true" | "on" | "1":
                pass
            case "false" | "off" | "0":
                header = False
            case "delimiter" | "null" | "quote":
                told[token.word] = _unescaped(next(left).text)
            case "encoding" | "escape":
                next(left)
            case other:
                raise Unsupported(f"COPY has no option {other} here")
    if told.get("format", "text") not in ("text", "csv", "binary"):
        raise Unsupported(f"COPY has no format {told['format']} here")
    known = {"format": "text", "delimiter": "\t", "null": "\\N", "quote": '"'}
    form, delimiter, null, quote = {**known, **(_OF_CSV if told.get("format") == "csv" else {}), **told}.values()
    return Copy("", form, delimiter, null, quote, header)


def _unescaped(text: str) -> str:
    return string_of(text.lstrip("eE")).replace("\\t", "\t")
