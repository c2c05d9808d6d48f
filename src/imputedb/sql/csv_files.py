"""Text files that an item of FROM reads, with their stated format."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from imputedb.sql.ast import Tree
from imputedb.sql.expression import arguments_of, function_of, options_of, path_of
from imputedb.sql.items import call_in, is_table, is_table_function
from imputedb.sql.reading_functions import texts_in, value_of
from imputedb.sql.tokens import tokens, unquoted

_READERS = ("read_csv", "read_csv_auto")
_SUFFIXES = (".csv", ".tsv")


_BEFORE = ("FROM", "JOIN", "USING")
"""Words before a file that a statement reads; elsewhere a text is a value."""


@dataclass(frozen=True, slots=True)
class CsvFiles:
    """Text files in FROM.

    Attributes:
        names: names of the files, or patterns.
        options: stated options, by name.
    """

    names: tuple[str, ...]
    options: Mapping[str, Tree] = field(default_factory=dict)


def csv_files(item: Tree) -> CsvFiles | None:
    """The text files of an item of FROM, given as literals; None for any other item."""
    if is_table(item):
        name = ".".join(path_of(item))
        return CsvFiles((name,)) if _plain(name).endswith(_SUFFIXES) else None
    call = call_in(item) if is_table_function(item) else item
    if function_of(call) not in _READERS or not arguments_of(call):
        return None
    first, *others = arguments_of(call)
    names, options = tuple(texts_in(first)), options_of(call)[1:]
    if not all(names) or not all(options):
        return None
    return CsvFiles(names, {name: value_of(one) for name, one in zip(options, others, strict=True)})


def named_csv_files(text: str) -> list[str]:
    """The text files that the words of any statement name, or the functions that read them."""
    words = [unquoted(token.text) if token.text[:1] == '"' else token.text.strip("'") for token in tokens(text)]
    found = list[str]()
    for before, word, point, last in zip(["", *words], words, [*words[1:], ""], [*words[2:], "", ""], strict=False):
        name = f"{word}.{last}" if point == "." else word
        if word.lower() in _READERS:
            found.append(word)
        elif before.upper() in _BEFORE and _plain(name).endswith(_SUFFIXES):
            found.append(name)
    return list(dict.fromkeys(found))


def _plain(name: str) -> str:
    return name.lower().removesuffix(".gz").removesuffix(".zst")


def columns_of_types(types: Tree) -> list[str] | None:
    """The columns whose types an option states, by name; None if it states them by position, or is not a literal."""
    return options_of(types) if function_of(types) in ("struct_pack", "row") and all(options_of(types)) else None
