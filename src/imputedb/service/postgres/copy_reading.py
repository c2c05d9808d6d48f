"""The parser of COPY: its query and its format."""

from __future__ import annotations

from imputedb.service.errors import Forbidden
from imputedb.service.postgres.commands import Copy, Unsupported
from imputedb.service.postgres.words import Words
from imputedb.sql.paths import quoted

_ONLY_OUT = "COPY goes TO STDOUT only here: nothing is written by the service, and no file is read"
_OF_TEXT = {"format": "text", "delimiter": "\t", "null": "\\N"}
_OF_CSV = {"delimiter": ",", "null": ""}
_SIGNS = ("delimiter", "quote", "escape")


def copy(words: Words) -> Copy:
    """The COPY of a query or a table to the client.

    Raises:
        SqlSyntaxError: the statement is malformed.
        Forbidden: the target is not the client, or COPY would write a table.
        Unsupported: an option is unknown, or has a value that is not supported.
    """
    if words.next == "(":
        text = words.within()
    else:
        table = _path(words)
        text = f"SELECT {words.within() if words.next == '(' else '*'} FROM {table}"
    if words.accept("from"):
        raise Forbidden(_ONLY_OUT)
    words.expect("to")
    if not words.accept("stdout"):
        raise Forbidden(_ONLY_OUT) if words.next else words.syntax_error()
    is_with = words.accept("with")
    if words.accept("("):
        options = _listed(words)
    else:
        options = _in_a_row(words)
        if is_with and not options:
            raise words.syntax_error()
    return _checked(text, options)


def _path(words: Words) -> str:
    found = [quoted((words.name(),))]
    while words.accept("."):
        found.append(quoted((words.name(),)))
    return ".".join(found)


def _listed(words: Words) -> dict[str, str]:
    """The options in parentheses."""
    options: dict[str, str] = {}
    while True:
        name = words.name()
        if name in options:
            raise words.syntax_error()
        if name in ("delimiter", "null", "quote", "escape", "encoding"):
            options[name] = words.string()
        elif name == "format":
            options[name] = words.value().lower()
        elif name == "header":
            options[name] = "on" if words.next in (",", ")") else words.value().lower()
        else:
            raise Unsupported(f"COPY does not support the option {name}")
        if not words.accept(","):
            words.expect(")")
            return options


def _in_a_row(words: Words) -> dict[str, str]:
    """The options in the older syntax without parentheses."""
    options: dict[str, str] = {}
    while words.next:
        name = words.name()
        if name in options:
            raise words.syntax_error()
        if name in ("delimiter", "null", "quote", "escape", "encoding"):
            words.accept("as")
            options[name] = words.string()
        elif name in ("csv", "binary"):
            options["format"] = name
        elif name == "header":
            options[name] = "on"
        else:
            raise Unsupported(f"COPY does not support the option {name}")
    return options


def _checked(text: str, options: dict[str, str]) -> Copy:
    """The COPY with these options, or an error."""
    form = options.get("format", "text")
    if form not in ("text", "csv", "binary"):
        raise Unsupported(f"COPY does not support the format {form}")
    if options.pop("encoding", "utf8").lower().replace("-", "") not in ("utf8", "unicode"):
        raise Unsupported("COPY only supports the encoding UTF8")
    header = options.pop("header", "off")
    if header not in ("on", "true", "1", "off", "false", "0"):
        raise Unsupported(f"COPY does not support the header {header}: it must be on or off")
    other = [name for name in options if name in ("quote", "escape") and form != "csv"]
    other += [name for name in options if name in ("delimiter", "null") and form == "binary"]
    if other:
        raise Unsupported(f"COPY has {other[0]} in format {'csv' if other[0] in ('quote', 'escape') else 'text'} only")
    if header in ("on", "true", "1") and form == "binary":
        raise Unsupported("COPY does not support a header in format binary")
    found = {**_OF_TEXT, "quote": '"', **(_OF_CSV if form == "csv" else {}), **options}
    found.setdefault("escape", found["quote"])
    _check_signs(found)
    return Copy(text, header=header in ("on", "true", "1"), **found)


def _check_signs(found: dict[str, str]) -> None:
    """Refuses delimiters, quotes and NULL strings whose output could not be read back."""
    for name in _SIGNS:
        sign = found[name]
        if len(sign.encode()) != 1 or sign in "\r\n\0":
            raise Unsupported(f"COPY has one character of ASCII as {name}, and no line break")
    delimiter, null, quote = found["delimiter"], found["null"], found["quote"]
    if found["format"] == "text" and delimiter in "\\.abcdefghijklmnopqrstuvwxyz0123456789":
        raise Unsupported(f"COPY cannot have {delimiter} as delimiter in format text")
    if delimiter in null or "\n" in null or "\r" in null:
        raise Unsupported("COPY cannot have a null string with the delimiter or a line break in it")
    if found["format"] == "csv" and (delimiter == quote or quote in null):
        raise Unsupported("COPY cannot have a quote that is the delimiter, or occurs in the null string")
